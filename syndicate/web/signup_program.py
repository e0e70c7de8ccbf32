"""Signing up, over the running program: limits and the ledger, one transaction for each wish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from syndicate.clock import Clock
from syndicate.config import Settings, is_loopback_url
from syndicate.config.schedule import in_words
from syndicate.logs import get
from syndicate.store import confirmations, limits, subscribers, wishes
from syndicate.store.confirmations import CROWD, CROWD_MOST, HOUR, Step
from syndicate.store.database import Store
from syndicate.subscriber import Address, State
from syndicate.web.office import Choices, Link, Offer, Told

FROM_ONE_NETWORK = 10  # that may ask in an hour
NOT_BEFORE = 0.05  # seconds an answer takes: what the ledger knows of an address cannot be told by the time

log = get(__name__)


class ProgramSignup:
    """What the pages of sign-up may ask of the program."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, secret: bytes) -> None:
        self._store = store
        self._clock = clock
        self._secret = secret
        self.is_rehearsal = settings.email is None or not settings.email.live
        self.is_open = not self.is_rehearsal or is_loopback_url(settings.web.public_url)
        self.offers = [Offer(name=one.name, when=in_words(one.schedule)) for one in settings.digests]

    def now(self) -> datetime:
        return self._clock.now()

    async def ask(self, address: Address, digests: Sequence[str], told: Told, network: str | None) -> bool:
        """Owe a confirmation mail, as far as limits and ledger allow; False: too many ask."""
        begun = self._clock.monotonic()
        refused = await self._store.write(_ask, self._secret, address, digests, told, network, self.now())
        if refused:
            log.warning("sign-ups refused", because=refused)
        await self._clock.sleep(max(0.0, NOT_BEFORE - (self._clock.monotonic() - begun)))
        return refused is None

    async def look(self, confirmation: int) -> Link | None:
        return await self._store.read(_look, confirmation, self.now())

    async def confirm(self, confirmation: int, told: Told) -> Step | None:
        now = self.now()
        return await self._store.write(confirmations.confirm, confirmation, {"at": now.isoformat(), **told}, now)

    async def choices(self, person: int) -> Choices | None:
        return await self._store.read(_choices, person)

    async def choose(self, person: int, choices: Choices, told: Told) -> bool:
        offered = [offer.name for offer in self.offers]
        return await self._store.write(_choose, person, choices, offered, told, self.now())


def _ask(
    connection: Connection,
    secret: bytes,
    address: Address,
    digests: Sequence[str],
    told: Told,
    network: str | None,
    now: datetime,
) -> Literal["too many from one network", "too many in all"] | None:
    limits.forget(connection, now)
    theirs = limits.bucket(secret, "signup", network or "")
    if network is not None and not limits.take(connection, theirs, HOUR, FROM_ONE_NETWORK, now):
        return "too many from one network"
    if not limits.take(connection, CROWD, HOUR, CROWD_MOST, now):
        return "too many in all"
    hashed = subscribers.address_hash(secret, address.key)
    consent = {"at": now.isoformat(), **told}
    confirmations.ask(connection, address=address, hashed=hashed, digests=digests, consent=consent, now=now)
    return None


def _look(connection: Connection, confirmation: int, now: datetime) -> Link | None:
    step = confirmations.look(connection, confirmation, now)
    return Link(step=step, digests=confirmations.asked_for(connection, confirmation)) if step else None


def _choices(connection: Connection, person: int) -> Choices | None:
    found = subscribers.by_id(connection, person)
    if found is None or found["state"] != State.ACTIVE:
        return None
    return Choices(digests=found["digests"], paused_until=found["paused_until"])


def _choose(
    connection: Connection, person: int, choices: Choices, offered: Sequence[str], told: Told, now: datetime
) -> bool:
    before = _choices(connection, person)
    if before is None:
        return False
    kept = [name for name in before.digests if name not in offered]
    if not subscribers.choose(connection, person, [*choices.digests, *kept], choices.paused_until, now):
        return False
    until = choices.paused_until
    rest = {"rests_until": until.isoformat()} if until else {}
    wishes.note(connection, person, "chose", {**told, "digests": list(choices.digests), **rest}, now)
    if until != before.paused_until:
        wishes.note(connection, person, "paused" if until else "resumed", {**told, **rest}, now)
    return True


def leave(connection: Connection, person: int, secret: bytes, now: datetime) -> bool:
    """End all mail to a person who said so; false where that changed nothing."""
    before = subscribers.by_id(connection, person)
    changed = subscribers.leave(connection, person, State.UNSUBSCRIBED, "unsubscribed by link", secret, now)
    if changed and before is not None and before["state"] in (State.ACTIVE, State.PENDING):
        wishes.note(connection, person, "left", {"from": "the link of a letter"}, now)
    return changed
