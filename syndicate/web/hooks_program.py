"""What the hooks may ask of the running program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate import returning
from syndicate.bounces import Report
from syndicate.clock import Clock
from syndicate.config import HooksSettings
from syndicate.errors import Refused, StoreError, Unavailable
from syndicate.guarded import GuardedFetcher
from syndicate.logs import get
from syndicate.signer import Keys
from syndicate.store.database import Store
from syndicate.store.returns import RAW_LIMIT

LARGEST = 64 * 1024  # bytes of a certificate, or of an answer to a confirmation

log = get(__name__)


class ProgramHooks:
    """Fulfils `syndicate.web.office.Hooks`."""

    def __init__(self, settings: HooksSettings, store: Store, clock: Clock, keys: Keys, looker: GuardedFetcher) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._looker = looker
        self.postmark_secret = settings.postmark_secret.reveal()
        self.ses_topics = settings.ses_topics

    def now(self) -> datetime:
        return self._clock.now()

    async def read(self, url: str) -> bytes:
        """What stands at an address, which answers 200 itself. Raises DeliveryError."""
        answer = await self._looker.get(url, limit=LARGEST, redirects=0)
        if answer.status != 200 or not answer.whole:
            error = Refused if answer.status in (403, 404, 410) else Unavailable
            raise error(f"it answers {answer.status}")
        return answer.body

    async def take(self, reports: Sequence[Report], raw: bytes) -> None:
        """Store what came; returns after the commit. Raises StoreError. What follows from it follows at once, or with
        the next who comes by.
        """
        text = raw[:RAW_LIMIT].decode("utf-8", "replace")
        await self._store.write(returning.take, self._keys, reports, text, self.now(), vouched=True)
        try:
            await self._store.write(returning.apply, self._keys.lasting, self.now())
        except StoreError as error:
            log.warning("what came back is stored, and not applied yet", error=str(error))
