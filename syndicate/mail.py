"""mail: edition -> letters -> claim -> transport.send -> settle -> ledger. Email, in groups, one pump a connection.

A death costs at most one group a connection: its letters are due again, with the same Message-ID and bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syndicate import letter
from syndicate.clock import Chance, Clock
from syndicate.crashpoint import crashpoint
from syndicate.delivery import LetterSettlement, LetterState, RetryPolicy, backoff
from syndicate.errors import SyndicateError
from syndicate.letter import Person, Stencil
from syndicate.logs import get
from syndicate.store import letters
from syndicate.store.database import Store
from syndicate.store.letters import Mailing, Recipient
from syndicate.store.owners import Owner
from syndicate.subscriber import Signer
from syndicate.transports.base import Envelope, Fate, Transport, Verdict

GROUP = 25
NOBODY = 0  # the subscriber of test letters
BLAMES = 3  # letters in a row, refused for what we are or sent, that pause the channel
AFTER_4XX = timedelta(minutes=5)
SHORT_REST = timedelta(minutes=1)  # after a refused connection
FAULT_REST = timedelta(minutes=15)  # until a probe, where a person must do something

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """The email channel: how letters leave, and what each of them bears."""

    transport: Transport
    policy: RetryPolicy
    signer: Signer
    secret: bytes
    public_url: str
    blamed: set[int] = field(default_factory=set)

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
    for mailing in await store.read(letters.open_mailings, clock.now(), post.transport.live):
        if stop.is_set():
            break
        stencil = await asyncio.to_thread(Stencil, mailing.payload, post.public_url)
        due = await store.read(letters.due_count, mailing.delivery, clock.now())
        pumps = [
            _Pump(post, mailing, stencil, store, owner, clock, chance, stop)
            for _ in range(min(post.transport.connections, -(-due // GROUP)))
        ]
        async with asyncio.TaskGroup() as tasks:
            for pump in pumps:
                tasks.create_task(pump.run())
        verdicts += sum(pump.verdicts for pump in pumps)
        crashpoint("mail.settled")
    await store.write(letters.close, clock.now())
    return verdicts


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
    verdicts: int = 0
    trouble: letters.Trouble | None = None

    async def run(self) -> None:
        settled: list[LetterSettlement] = []
        async with self.post.transport.connect() as line:
            while group := await self._next(settled):
                settled = []
                crashpoint("claim.done")
                attempts = {to.letter: to.attempt for to in group}
                envelopes = [made for to in group if (made := self._envelope(to, settled))]
                try:
                    async for verdict in line.send(envelopes):
                        settled.append(self._judge(verdict, attempts[verdict.letter]))
                        crashpoint("smtp.accepted")
                except BaseException:  # what is known is noted, the rest is given back with the owner's row
                    await self._next(settled, limit=0)
                    raise

    async def _next(self, settled: Sequence[LetterSettlement], limit: int = GROUP) -> list[Recipient]:
        if self.stop.is_set() or not self.owner.stands():
            limit = 0
        trouble, self.trouble = self.trouble, None
        return await self.store.write(
            letters.settle_and_claim, self.mailing, self.owner.id, settled, trouble, self.clock.now(), limit
        )

    def _envelope(self, to: Recipient, settled: list[LetterSettlement]) -> Envelope | None:
        """The letter for one person; one that cannot be written fails alone."""
        try:
            pieces = self.stencil.fill(self.post.person(self.mailing, to))
        except ValueError as error:
            settled.append(LetterSettlement(letter=to.letter, state=LetterState.FAILED, answer=str(error)))
            return None
        return Envelope(
            letter=to.letter, sender=self.stencil.sender, recipient=to.email, pieces=pieces,
            edition=self.mailing.payload["slug"],
        )  # fmt: skip

    def _judge(self, verdict: Verdict, attempt: int) -> LetterSettlement:
        self.verdicts += 1
        if trouble := self._concerns_channel(verdict):
            self.trouble = trouble
            log.warning("email pauses", reason=trouble.reason, code=verdict.code)
        return settle_letter(
            verdict, attempt, self.mailing.frozen_at, self.clock.now(), self.post.policy, self.chance,
            live=self.mailing.live,
        )  # fmt: skip

    def _concerns_channel(self, verdict: Verdict) -> letters.Trouble | None:
        """What concerns the channel and not the person (rule 20)."""
        blamed = self.post.blamed
        if verdict.fate is Fate.ACCEPTED:
            blamed.clear()
        if verdict.fate is Fate.CHANNEL:
            if verdict.pauses:
                return letters.Trouble(f"{verdict.answer}: {verdict.pauses}", FAULT_REST)
            return letters.Trouble(verdict.answer, SHORT_REST)
        if verdict.fate is Fate.BLAMED:
            blamed.add(verdict.letter)
            if len(blamed) >= BLAMES:
                return letters.Trouble(
                    f"{verdict.answer}: check email.sender, its DNS records and the text", FAULT_REST
                )
        return None


def settle_letter(
    verdict: Verdict,
    attempt: int,
    frozen_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    chance: Chance,
    *,
    live: bool,
) -> LetterSettlement:
    """Decide what a verdict makes of a letter (rules 20 and 21). Pure."""
    if verdict.fate is Fate.ACCEPTED:
        state = LetterState.SENT if live else LetterState.REHEARSED
        return LetterSettlement(letter=verdict.letter, state=state, code=verdict.code, answer=verdict.answer)
    if verdict.fate is Fate.REJECTED:
        return LetterSettlement(
            letter=verdict.letter, state=LetterState.FAILED, code=verdict.code, answer=verdict.answer
        )
    if verdict.fate is Fate.UNSENT:
        return LetterSettlement(letter=verdict.letter, state=LetterState.DUE, due_at=now, tried=False)
    wait = backoff(attempt, policy, chance)
    if verdict.code is not None and 400 <= verdict.code < 500:  # greylisting and full boxes want patience
        wait = min(policy.longest, AFTER_4XX * (1 << min(attempt - 1, 8)) * (1 + chance.random()))
    if verdict.fate is not Fate.CHANNEL and now + wait > frozen_at + policy.retry_for:
        return LetterSettlement(
            letter=verdict.letter, state=LetterState.EXPIRED, code=verdict.code,
            answer=f"given up after {attempt} attempts: {verdict.answer}",
        )  # fmt: skip
    return LetterSettlement(
        letter=verdict.letter,
        state=LetterState.DUE,
        due_at=now + wait,
        tried=verdict.fate is not Fate.CHANNEL,
        code=verdict.code,
        answer=verdict.answer,
    )


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
    envelope = Envelope(letter=0, sender=stencil.sender, recipient=email, pieces=stencil.fill(person), edition=slug)
    async with post.transport.connect() as line:
        async for verdict in line.send([envelope]):
            return verdict
    raise SyndicateError("the transport gave no verdict")
