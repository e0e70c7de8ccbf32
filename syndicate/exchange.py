"""Where all connections of a process tell the ledger and are told: one transaction for whoever waits at that moment.

A connection waits while another's transaction runs, and then one of them speaks for all. Never touches the wire.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from syndicate.clock import Clock
from syndicate.errors import StoreError
from syndicate.logs import get
from syndicate.post import KEPT, Imprint, Post
from syndicate.store import groups, letters
from syndicate.store.database import Store
from syndicate.store.groups import Done, Group, Waiting
from syndicate.store.owners import Owner

LOOK_EVERY = 1.0  # seconds between looks for mailings that came meanwhile
PAUSE_LOOK = 0.5  # seconds between looks for a pause
LINGER = 0.01  # seconds at most that the first waits for all others, so that one transaction serves them

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """A group for one connection; nobody in it: nothing is due."""

    group: Group
    imprint: Imprint | None = None
    since: float = 0.0  # a moment before the claim: the lease must stand unbroken from it on


_NOTHING = Served(Group())


@dataclass(slots=True, eq=False)
class _Turn:
    """What one connection tells and asks for."""

    done: Done | None
    want: int
    served: Served | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Exchange:
    """One pass's dealings with the ledger."""

    post: Post
    store: Store
    owner: Owner
    clock: Clock
    stop: asyncio.Event
    broken: bool = False  # something went wrong: nothing more is begun
    failed: BaseException | None = None  # why the ledger could not be told
    busy: int = 0  # connections at work
    eased: bool = True  # no server found us too many
    paused: set[int] = field(default_factory=set)  # deliveries that somebody paused meanwhile
    _imprints: dict[int, Imprint] = field(default_factory=dict)  # of what is under way, in the order of their turns
    _looked: float = 0.0
    _queue: list[_Turn] = field(default_factory=list)
    _speaking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _complete: asyncio.Event = field(default_factory=asyncio.Event)  # all connections wait

    # --- what is there ---

    async def look(self, most: int) -> Waiting:
        """What may go now, up to so many letters; their mailings are made ready."""
        self._looked = self.clock.monotonic()
        waiting = await self.store.read(groups.waiting, self.clock.now(), self.post.transport.live, most)
        made = {}
        for delivery, frozen_at in waiting.mailings[:KEPT]:
            known = self.post.imprints.get((delivery, frozen_at)) or await self._made(delivery)
            if known:
                made[delivery] = self.post.keep(known)
        self._imprints = {one: made.pop(one) for one in self._imprints if one in made} | made
        return waiting

    async def _made(self, delivery: int) -> Imprint | None:
        mailing = await self.store.read(groups.opened, delivery)
        return await asyncio.to_thread(Imprint, self.post, mailing) if mailing else None

    def yields(self) -> bool:
        """A server wants fewer connections: one gives way, and half as many are opened from here on; not the last."""
        if self.busy < 2:
            return False
        self.post.lines, self.eased = max(1, min(self.busy, self.post.connections) // 2), False
        return True

    def ease(self) -> None:
        """After a pass in which no server minded: one connection more."""
        if self.post.lines is not None and self.eased:
            more = self.post.lines + 1
            self.post.lines = more if more < self.post.transport.connections else None

    async def watch(self) -> None:
        """See what is paused meanwhile, and what came: a pause should not wait for a group of slow letters."""
        while True:
            await asyncio.sleep(PAUSE_LOOK)
            try:
                mailings = [one.mailing for one in self._imprints.values()]
                self.paused = await self.store.read(groups.paused_of, mailings, self.clock.now())
                if self.clock.monotonic() - self._looked >= LOOK_EVERY:
                    await self.look(1)
            except Exception as error:  # whoever claims next hears of it
                log.warning("pauses not seen", error=str(error))

    # --- telling and claiming ---

    async def next(self, done: Done | None, want: int, *, alone: bool = False) -> Served:
        """Tell what became of the last group and claim the next, of at most so many letters (rule 17). Raises
        StoreError: whether it was told is not known, and nothing is claimed.
        """
        turn = _Turn(done if done else None, want)
        self._queue.append(turn)
        self._see()
        try:
            async with self._speaking:
                if turn in self._queue:  # nobody spoke for it
                    await self._gather()
                    await self._speak(alone)
        finally:
            if turn in self._queue:
                self._queue.remove(turn)
        if turn.error is not None:
            raise turn.error
        assert turn.served is not None
        return turn.served

    def leave(self) -> None:
        """One connection is at its end."""
        self.busy -= 1
        self._see()

    def _see(self) -> None:
        if len(self._queue) >= self.busy:
            self._complete.set()

    async def _gather(self) -> None:
        """Wait for the others a moment: those that were served together once will be done together again."""
        if len(self._queue) < self.busy:
            self._complete.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._complete.wait()

    async def _speak(self, alone: bool) -> None:
        turns, self._queue = self._queue, []
        told = [turn.done for turn in turns if turn.done]
        found: Sequence[Served] = [_NOTHING] * len(turns)
        try:
            if self.failed is None and (told or any(turn.want for turn in turns)):
                found = await self._asked(told, [turn.want for turn in turns], alone)
        except BaseException as error:
            self.broken, self.failed = True, error
        for turn, served in zip(turns, found, strict=True):
            turn.served, turn.error = served, self.failed

    async def _asked(self, told: Sequence[Done], wanted: list[int], alone: bool) -> Sequence[Served]:
        if self.broken or self.stop.is_set() or not self.owner.stands():
            wanted = [0] * len(wanted)
        since, imprints, now = self.clock.monotonic(), dict(self._imprints), self.clock.now()
        try:
            found = await self.store.begin(
                now, groups.exchange, self.owner.id, told, wanted, [one.mailing for one in imprints.values()], now,
                self.post.secret, alone=alone,
            )  # fmt: skip
        except StoreError:
            raise
        except Exception as error:
            if not told:
                raise
            log.warning("letters are settled one by one", error=f"{type(error).__name__}: {error}"[:300])
            for done in told:
                await settle_singly(self.post, self.store, self.owner, self.clock, done)
            return [_NOTHING] * len(wanted)
        served = {group.mailing.delivery for group in found if group.mailing}  # the others come first next time
        self._imprints = dict(sorted(self._imprints.items(), key=lambda item: item[0] in served))
        return [
            Served(group, imprints[group.mailing.delivery], since) if group.mailing else _NOTHING for group in found
        ]


async def square_up(post: Post, store: Store, owner: Owner, clock: Clock) -> None:
    """Tell the ledger what it could not be told before, and give back what it holds claimed for us and we know
    nothing of: the answer to a commit was lost. Nothing more is claimed until it is done. Raises StoreError.
    """
    while post.owed:
        await settle_singly(post, store, owner, clock, post.owed[0], whole=True)
        del post.owed[0]
    if owner.id in await store.read(letters.claimants):
        await store.write(letters.take_back, [owner.id], clock.now(), crashed=False)


async def settle_singly(
    post: Post, store: Store, owner: Owner, clock: Clock, done: Done, *, whole: bool = False
) -> None:
    """Settle letters one by one, so that an answer which the ledger cannot keep holds up no other letter: of that one
    the words are lost, not what became of it. `whole`: all together first. Raises StoreError.
    """
    parts = [done] if whole else _parts(done)
    for part in parts:
        try:
            await store.write(groups.settle, owner.id, [part], clock.now(), post.secret)
        except StoreError:
            raise
        except Exception as error:
            log.warning("an answer cannot be kept", error=f"{type(error).__name__}: {error}"[:300])
            if whole:
                await settle_singly(post, store, owner, clock, done)
            else:
                plain = [replace(one, answer="", code=None) for one in part.others]
                await store.write(groups.settle, owner.id, [replace(part, others=plain)], clock.now(), post.secret)


def _parts(done: Done) -> list[Done]:
    """A letter each, and the accepted ones together; what concerns the channel shows again by itself."""
    away = [Done(done.mailing, away=done.away)] if done.away else []
    return away + [Done(done.mailing, others=[one]) for one in done.others]
