"""One connection's loop: tell what became of the last group and claim the next, then send it. What happens once a
letter here is all that a letter costs beside the wire.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from syndicate.clock import Chance
from syndicate.crashpoint import crashpoint
from syndicate.delivery import LetterSettlement, LetterState
from syndicate.errors import SyndicateError
from syndicate.exchange import Exchange, Served
from syndicate.letterfate import channel_trouble, discreet, give_back, settle_letter
from syndicate.logs import get
from syndicate.post import Imprint, Post
from syndicate.store.aftermath import BLAMES
from syndicate.store.groups import Done, Group, Recipient
from syndicate.store.throttles import Trouble
from syndicate.transports.base import Connection, Envelope, Fate, Verdict
from syndicate.transports.verdicts import is_crowded

GROUP = 25  # letters at most that one connection claims
FIRST_GROUP = 5  # while its speed is not known
GROUP_SECONDS = 5.0  # no more are claimed than go out in that time
TOO_FAST = "4.7.28"  # the recipient's domain takes no more from us for a while

log = get(__name__)


@dataclass(slots=True)
class Pump:
    """One connection."""

    exchange: Exchange
    chance: Chance
    alone: bool = False  # for the letters that no group may hold: one at a time, while nobody else holds any
    verdicts: int = 0
    probed: bool = False  # its only letter was a probe, and no trouble came back
    size: int = FIRST_GROUP
    _yielded: bool = False  # the server wants fewer of us
    _refused: int = 0  # letters in a row for what we are or sent: so many, and the ledger says whether more may go
    _done: Done | None = None  # known here, not in the ledger yet
    _open: dict[int, Recipient] = field(default_factory=dict)  # letters of this group without a verdict

    @property
    def post(self) -> Post:
        return self.exchange.post

    async def run(self) -> None:
        """Raises StoreError, and what nobody foresaw: what is known is owed to the ledger then, the rest due again."""
        try:
            async with self.post.transport.connect() as line:
                while (served := await self._next(self._want())).imprint:
                    await self._send(line, served.group, served.imprint, served.since)
                    if served.group.probe:  # it tells; the others follow with all connections
                        self.probed = self._done is not None and self._done.trouble is None
                        break
            await self._next(0)
        except BaseException as error:
            # What nobody foresaw may be a letter's own doing, as a crash may be.
            self._give_back(crashed=isinstance(error, Exception) and not isinstance(error, SyndicateError))
            if self._done:
                self.post.owed.append(self._done)
            raise

    def _want(self) -> int:
        return 0 if self._yielded else 1 if self.alone else self.size

    async def _next(self, want: int) -> Served:
        served = await self.exchange.next(self._done, want, alone=self.alone)
        self._done = None
        return served

    async def _send(self, line: Connection, group: Group, imprint: Imprint, since: float) -> None:
        clock = self.exchange.clock
        begun = clock.monotonic()
        self._done = Done(imprint.mailing)
        self._open = {to.letter: to for to in group.people}
        crashpoint("claim.done")
        envelopes = self._envelopes(imprint, group.people)
        if imprint.signs and envelopes:
            await asyncio.to_thread(imprint.sign, envelopes)
        may = self._leave(self._done, since)
        if envelopes and may():
            await line.send(envelopes, self._hearing(self._done), may)
        self._give_back()
        seconds = clock.monotonic() - begun
        self.size = max(1, min(GROUP, int(len(group.people) * GROUP_SECONDS / seconds))) if seconds > 0 else GROUP

    def _envelopes(self, imprint: Imprint, people: Sequence[Recipient]) -> list[Envelope]:
        """The letters; one that cannot be written fails alone."""
        try:
            return [imprint.envelope(to) for to in people]
        except ValueError:
            return [made for to in people if (made := self._envelope(imprint, to))]

    def _envelope(self, imprint: Imprint, to: Recipient) -> Envelope | None:
        assert self._done
        try:
            return imprint.envelope(to)
        except ValueError as error:
            del self._open[to.letter]
            answer = discreet(str(error), to.email)
            self._done.others.append(LetterSettlement(letter=to.letter, state=LetterState.FAILED, answer=answer))
            return None

    def _leave(self, done: Done, since: float) -> Callable[[], bool]:
        """What is asked right before each letter's content: no pause, no trouble, a lease that never lapsed."""
        exchange, stands, delivery = self.exchange, self.exchange.owner.stands, done.mailing.delivery

        def may() -> bool:
            return done.trouble is None and delivery not in exchange.paused and not exchange.broken and stands(since)

        return may

    def _hearing(self, done: Done) -> Callable[[Verdict], bool]:
        """What is called with each verdict, and tells whether it matters what comes next."""
        letters, away = self._open, done.away
        self._refused = 0

        def hear(verdict: Verdict) -> bool:
            self.verdicts += 1
            if verdict.fate is Fate.ACCEPTED:
                del letters[verdict.letter]
                away.append(verdict.letter)
                self._refused = 0
            else:
                self._judge(verdict, done)
            crashpoint("smtp.accepted")
            return done.trouble is None and not self._yielded and self._refused < BLAMES

        return hear

    def _judge(self, verdict: Verdict, done: Done) -> None:
        """Take down the verdict on a letter that was not accepted."""
        to = self._open.pop(verdict.letter)
        verdict.answer = discreet(verdict.answer, to.email)
        if trouble := self._trouble(verdict):
            done.trouble = trouble
            log.warning("email pauses", reason=trouble.reason, code=verdict.code)
        elif verdict.status == TOO_FAST:
            done.resting[to.domain] = verdict.answer
        settled = settle_letter(
            verdict, to.attempt, done.mailing.frozen_at, self.exchange.clock.now(), self.post.policy, self.chance,
            live=done.mailing.live, crashes=to.crashes,
        )  # fmt: skip
        self._refused += settled.blames
        done.others.append(settled)

    def _trouble(self, verdict: Verdict) -> Trouble | None:
        """What concerns the channel and not the person (rule 20)."""
        if is_crowded(verdict) and self.exchange.yields():
            self._yielded = True
            return None
        if verdict.fate is Fate.CHANNEL:
            return channel_trouble(verdict, self.exchange.clock.now())
        return None

    def _give_back(self, *, crashed: bool = False) -> None:
        """What has no verdict is due again."""
        if self._done is not None:
            now = self.exchange.clock.now()
            self._done.others += [give_back(to, now, crashed=crashed) for to in self._open.values()]
        self._open = {}
