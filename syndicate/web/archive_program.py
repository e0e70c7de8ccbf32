"""Past editions and stop links, over the running program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.clock import Clock
from syndicate.logs import get
from syndicate.store import past, proofs
from syndicate.store.database import Store
from syndicate.store.past import Issue
from syndicate.web.office import Coming

log = get(__name__)


class ProgramArchive:
    """What the pages of editions may ask of the program."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def editions(self, before: str | None, limit: int) -> Sequence[Issue]:
        return await self._store.read(past.listing, before, limit)

    async def edition(self, slug: str) -> str | None:
        return await self._store.read(past.html, slug)

    async def proof(self, number: int) -> Coming | None:
        one = await self._store.read(proofs.get, number)
        return Coming(digest=one.digest, slot=one.slot, is_good=one.is_good(self._now())) if one else None

    async def stop(self, number: int) -> bool:
        """Pause the digest of a proof; returns after the commit. False: there is nothing to stop any more."""
        one = await self._store.write(proofs.stop, number, self._now())
        if one is not None:
            log.warning("digest stopped by the link of a proof", digest=one.digest)
        return one is not None

    def _now(self) -> datetime:
        return self._clock.now()
