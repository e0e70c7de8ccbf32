"""mail: edition -> letters -> claim -> transport.send -> settle -> ledger. Email, in groups, one pump a connection.

A death costs at most one group a connection: its letters are due again, with the same Message-ID and bytes, each on
its own after all others; what was in hand at three deaths waits for a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from syndicate import letter
from syndicate.clock import Chance, Clock
from syndicate.crashpoint import crashpoint
from syndicate.delivery import LetterSettlement, LetterState, RetryPolicy
from syndicate.dkim import Dkim
from syndicate.errors import SyndicateError
from syndicate.letter import Person, Stencil
from syndicate.letterfate import discreet, give_back, settle_letter
from syndicate.logs import get
from syndicate.signer import Signer
from syndicate.store import groups, letters, retention
from syndicate.store.database import Store
from syndicate.store.groups import Recipient, Trouble
from syndicate.store.letters import Mailing
from syndicate.store.owners import Owner
from syndicate.transports.base import Connection, Envelope, Fate, Transport, Verdict, ask

GROUP = 25  # letters at most that one connection claims
FIRST_GROUP = 5  # while its speed is not known
PAUSE_LOOK = 0.5  # seconds between looks for a pause within a group
GROUP_SECONDS = 5.0  # no more are claimed than go out in that time
NOBODY = 0  # the subscriber of test letters
BLAMES = 3  # letters in a row, refused for what we are or sent, that pause the channel
SHORT_REST = timedelta(minutes=1)  # after a refused connection
FAULT_REST = timedelta(minutes=15)  # until a probe, where a person must do something
QUOTA_REST = timedelta(hours=1)  # whose midnight ends a day's quota is not said: an hourly letter finds it
TOO_FAST = "4.7.28"  # the recipient's domain takes no more from us for a while

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """The email channel: how letters leave, and what each of them bears."""

    transport: Transport
    policy: RetryPolicy
    signer: Signer
    secret: bytes
    public_url: str
    dkim: Dkim | None = None  # who signs; None: the relay does
    blamed: set[int] = field(default_factory=set)
    owed: list[tuple[int, Sequence[LetterSettlement]]] = field(default_factory=list)  # (delivery, what came of it)

    def person(self, mailing: Mailing, to: Recipient) -> Person:
        """What is this one's own: address, Message-ID, links."""
        return Person(
            letter=to.letter,
            subscriber=to.subscriber,
            email=to.email,
            name=to.name,
            message_id=letter.message_id(self.secret, mailing.delivery, to.subscriber, mailing.payload["domain"]),
            unsubscribe_url=self.link("unsubscribe", to.subscriber),
            preferences_url=self.link("preferences", to.subscriber),
        )

    def link(self, purpose: str, subscriber: int) -> str:
        """A signed link below `web.public_url`."""
        return f"{self.public_url}/{purpose}/{self.signer.token(purpose, subscriber)}"


async def mail(post: Post, store: Store, owner: Owner, clock: Clock, chance: Chance, stop: asyncio.Event) -> int:
    """Send the letters due now; returns how many verdicts came."""
    verdicts = 0
    await _square_up(post, store, owner, clock)
    for mailing in await store.read(letters.open_mailings, clock.now(), post.transport.live):
        if stop.is_set():
            break
        stencil = await asyncio.to_thread(Stencil, mailing.payload, post.public_url)
        probed = True
        while probed and not stop.is_set():
            most = GROUP * post.transport.connections
            due = await store.read(letters.due_count, mailing.delivery, clock.now(), most)
            pumps = [_Pump(post, mailing, stencil, store, owner, clock, chance, stop) for _ in range(-(-due // GROUP))]
            async with asyncio.TaskGroup() as tasks:
                for pump in pumps:
                    tasks.create_task(pump.run())
            if await store.read(letters.due_count, mailing.delivery, clock.now(), 1):
                pumps.append(_Pump(post, mailing, stencil, store, owner, clock, chance, stop, alone=True))
                await pumps[-1].run()
            verdicts += sum(pump.verdicts for pump in pumps)
            probed = any(pump.probed for pump in pumps)
        crashpoint("mail.settled")
    if await store.read(letters.ended):
        await store.write(letters.close, clock.now())
    return verdicts


async def _square_up(post: Post, store: Store, owner: Owner, clock: Clock) -> None:
    """Tell the ledger what it could not be told before, and give back what it holds claimed for us and we know
    nothing of: the answer to a commit was lost. Nothing more is claimed until it is done.
    """
    while post.owed:
        await store.write(groups.settle, post.owed[0][0], owner.id, post.owed[0][1], clock.now())
        del post.owed[0]
    if owner.id in await store.read(letters.claimants):
        await store.write(letters.take_back, [owner.id], clock.now(), crashed=False)


async def tidy(store: Store, clock: Clock, stop: asyncio.Event) -> int:
    """Move letters of mailings that ended long ago out of the way, while no letter is due; returns how many."""
    moved = 0
    while not stop.is_set() and await store.read(retention.is_ripe, clock.now()):
        if await store.read(letters.is_due, clock.now()):
            break
        moved += await store.write(retention.fold, clock.now())
    return moved


@dataclass(slots=True)
class _Pump:
    """One connection's loop: settle the last group and claim the next in one transaction, then send it."""

    post: Post
    mailing: Mailing
    stencil: Stencil
    store: Store
    owner: Owner
    clock: Clock
    chance: Chance
    stop: asyncio.Event
    alone: bool = False  # for the letters that no group may hold: one at a time, while nobody else holds any
    verdicts: int = 0
    trouble: Trouble | None = None
    resting: dict[str, str] = field(default_factory=dict)  # recipient domain -> why
    settled: list[LetterSettlement] = field(default_factory=list)  # known here, not in the ledger yet
    open: dict[int, Recipient] = field(default_factory=dict)  # letters of this group without a verdict
    size: int = FIRST_GROUP
    paused: bool = False  # by somebody, while this group was being sent
    probed: bool = False  # its only letter was a probe, and no trouble came back

    async def run(self) -> None:
        try:
            async with self.post.transport.connect() as line:
                while (group := await self._next()).people:
                    await self._send(line, group)
                    if group.probe:  # it tells; the others follow with all connections
                        self.probed = self.trouble is None
                        break
                await self._next(limit=0)
        except BaseException as error:  # what is known is noted as soon as the ledger takes it, the rest is due again
            # What nobody foresaw may be a letter's own doing, as a crash may be.
            self._give_back(crashed=isinstance(error, Exception) and not isinstance(error, SyndicateError))
            self.post.owed.append((self.mailing.delivery, self.settled))
            raise

    async def _send(self, line: Connection, group: groups.Group) -> None:
        begun, people = self.clock.monotonic(), group.people
        self.paused = False
        self.open = {to.letter: to for to in people}
        crashpoint("claim.done")
        if group.begun:
            await self.store.note_begun(group.begun, self.clock.now())
        envelopes = [made for to in people if (made := self._envelope(to))]

        def may() -> bool:
            return not self.paused and self.owner.stands(begun)

        def hear(verdict: Verdict) -> bool:
            self._judge(verdict)
            crashpoint("smtp.accepted")
            return not self.trouble and may()

        looking = asyncio.create_task(self._look_for_a_pause())
        try:
            await line.send(envelopes, hear, may)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        self._give_back()
        seconds = self.clock.monotonic() - begun
        self.size = max(1, min(GROUP, int(len(people) * GROUP_SECONDS / seconds))) if seconds > 0 else GROUP

    async def _look_for_a_pause(self) -> None:
        """Somebody may pause it meanwhile: a pause should not wait for a group of slow letters."""
        while not self.paused:
            await asyncio.sleep(PAUSE_LOOK)
            self.paused = await self.store.read(groups.is_paused, self.mailing, self.clock.now())

    def _give_back(self, *, crashed: bool = False) -> None:
        """What has no verdict is due again."""
        now = self.clock.now()
        self.settled += [give_back(to, now, crashed=crashed) for to in self.open.values()]
        self.open = {}

    async def _next(self, limit: int | None = None) -> groups.Group:
        if self.stop.is_set() or not self.owner.stands():
            limit = 0
        group = await self.store.write(
            groups.settle_and_claim, self.mailing, self.owner.id, self.settled, self.trouble, self.resting,
            self.clock.now(), self.size if limit is None else limit, alone=self.alone,
        )  # fmt: skip
        self.settled, self.trouble, self.resting = [], None, {}
        return group

    def _envelope(self, to: Recipient) -> Envelope | None:
        """The letter for one person; one that cannot be written fails alone."""
        try:
            pieces = self.stencil.fill(self.post.person(self.mailing, to))
        except ValueError as error:
            del self.open[to.letter]
            answer = discreet(str(error), to.email)
            self.settled.append(LetterSettlement(letter=to.letter, state=LetterState.FAILED, answer=answer))
            return None
        return Envelope(
            letter=to.letter, sender=self.stencil.sender, recipient=to.email, pieces=pieces,
            edition=self.mailing.payload["slug"],
        )  # fmt: skip

    def _judge(self, verdict: Verdict) -> None:
        self.verdicts += 1
        to = self.open.pop(verdict.letter)
        verdict = replace(verdict, answer=discreet(verdict.answer, to.email))
        if trouble := self._concerns_channel(verdict):
            self.trouble = trouble
            log.warning("email pauses", reason=trouble.reason, code=verdict.code)
        elif verdict.status == TOO_FAST:
            self.resting[to.domain] = verdict.answer
        settled = settle_letter(
            verdict, to.attempt, self.mailing.frozen_at, self.clock.now(), self.post.policy, self.chance,
            live=self.mailing.live, crashes=to.crashes,
        )  # fmt: skip
        self.settled.append(settled)

    def _concerns_channel(self, verdict: Verdict) -> Trouble | None:
        """What concerns the channel and not the person (rule 20)."""
        blamed = self.post.blamed
        if verdict.fate is Fate.ACCEPTED:
            blamed.clear()
        if verdict.fate is Fate.CHANNEL:
            if verdict.pauses:
                return Trouble(f"{verdict.answer}: {verdict.pauses}", FAULT_REST)
            if verdict.quota:
                return Trouble(f"{verdict.answer}: the day's quota is used up, it goes on by itself", QUOTA_REST)
            return Trouble(verdict.answer, SHORT_REST)
        if verdict.fate is Fate.BLAMED:
            blamed.add(verdict.letter)
            if len(blamed) >= BLAMES:
                return Trouble(f"{verdict.answer}: check email.sender, its DNS records and the text", FAULT_REST)
        return None


async def send_test(post: Post, payload: Mapping[str, Any], email: str, now: datetime) -> Verdict:
    """Send one message beside the ledger: it consumes nothing, and its links leave everybody subscribed."""
    stencil = Stencil(payload, post.public_url)
    person = Person(
        letter=0,
        subscriber=NOBODY,
        email=email,
        message_id=letter.message_id(post.secret, NOBODY, int(now.timestamp() * 1e6), payload["domain"]),
        unsubscribe_url=post.link("unsubscribe", NOBODY),
        preferences_url=post.link("preferences", NOBODY),
    )
    slug = f"test-{payload['slug']}-{now:%Y%m%dT%H%M%S}"
    pieces = stencil.fill(person)
    if post.dkim:
        pieces = [await asyncio.to_thread(post.dkim.sign, pieces, stencil.date), *pieces]
    envelope = Envelope(letter=0, sender=stencil.sender, recipient=email, pieces=pieces, edition=slug)
    return await ask(post.transport, envelope)
