"""The life of a delivery, and what an attempt's outcome makes of it. Pure.

waiting -> planned -> claimed -> sent
              ^         |-> planned again, later      (transient: backoff with jitter, Retry-After honoured)
              |         |-> failed                    (permanent, or given up: reason, never silent)
              |         `-> unknown                   (bytes left, no answer came, or the process died mid-send)
waiting: a candidate without a time yet - held (needs a person) - rehearsed - skipped, expired, cancelled
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from syndicate.clock import Chance
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"  # a candidate without a time yet
    HELD = "held"  # needs a person
    PLANNED = "planned"  # has its moment
    CLAIMED = "claimed"  # somebody is at it
    SENT = "sent"  # accepted, receipt in the ledger; never left again
    FAILED = "failed"  # refused for good, or given up
    UNKNOWN = "unknown"  # it may be there, it may not
    REHEARSED = "rehearsed"  # everything but the last step
    SKIPPED = "skipped"  # passed over by a rule that is named
    EXPIRED = "expired"  # too old by now
    CANCELLED = "cancelled"  # a person, or its article went away


OPEN = (DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.PLANNED)
"""Not begun: may still be cancelled without asking the world."""

NOT_SENT = (
    DeliveryState.REHEARSED,
    DeliveryState.SKIPPED,
    DeliveryState.EXPIRED,
    DeliveryState.CANCELLED,
    DeliveryState.FAILED,
)
"""Ended without reaching anybody: `send` takes the same row up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was answered to an accepted announcement."""

    external_id: str | None = None  # the provider's id, exactly as answered
    url: str | None = None  # where people can see it
    status: int | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One delivery taken up by one owner; settling repeats owner and attempt, so a late worker overwrites nothing."""

    id: int
    channel: str
    subject: str  # the article's id
    owner: str
    attempt: int  # counts from 1
    live: bool
    planned_for: datetime
    payload: Mapping[str, Any] | None = None
    approved_hash: str | None = None  # the only text that may go out, where a person must approve it
    doubtful_since: datetime | None = None  # first attempt whose outcome nobody knows

    @property
    def key(self) -> str:
        """The same for every attempt at this delivery."""
        return f"{self.channel}-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to go on."""

    retry_for: timedelta  # from the planned moment
    repeat_within: timedelta  # of the first attempt in doubt
    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=1)
    probe: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What to write into the ledger."""

    state: DeliveryState
    outcome: str  # of the attempt: sent, rehearsed, refused, unavailable, in-doubt
    due_at: datetime | None = None
    sent_at: datetime | None = None
    receipt: Receipt | None = None
    reason: str | None = None
    status: int | None = None
    answer: str = ""
    pauses: str | None = None  # the channel, with what a person must do
    rests: timedelta | None = None  # the channel: its quota is used up

    @property
    def is_down(self) -> bool:
        """Whether it says that the provider does not work: no answer, or one of those that broken ones give."""
        status = self.status
        broken = status is None or status < 300 or status == 408 or status >= 500
        return broken and self.outcome in ("unavailable", "in-doubt") and not self.pauses


TRIPS = 3
"""Answers in a row that say the provider does not work, after which a channel rests."""
_RESTS = (timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=15))


def trips(failures: int, *, repeats: bool = False) -> timedelta | None:
    """How long a channel rests after so many failures in a row; None: it goes on.

    With `repeats` the last one left a doubt that no repeat was sent for yet: the rest is short, else the provider would
    have forgotten by the next probe what it could tell.
    """
    if failures < TRIPS:
        return None
    return _RESTS[0 if repeats else min(failures - TRIPS, len(_RESTS) - 1)]


def settle(
    claim: Claim, outcome: Receipt | Exception, now: datetime, policy: RetryPolicy, chance: Chance
) -> Settlement:
    """Decide what became of a claimed delivery.

    An exception that nobody classified is InDoubt: bytes may have left (rule 4).
    """
    if isinstance(outcome, Receipt):
        state = DeliveryState.SENT if claim.live else DeliveryState.REHEARSED
        return Settlement(
            state=state,
            outcome=state.value,
            sent_at=now if claim.live else None,
            receipt=outcome,
            status=outcome.status,
            answer=outcome.answer,
        )
    error = outcome if isinstance(outcome, DeliveryError) else InDoubt(f"{type(outcome).__name__}: {outcome}")
    if isinstance(error, Refused) and not claim.doubtful_since:  # of a repeat it says nothing about the first
        return Settlement(
            state=DeliveryState.FAILED,
            outcome="refused",
            reason=error.reason,
            status=error.status,
            answer=error.answer,
        )
    if isinstance(error, Unavailable):
        return _put_off(claim, error, now, policy, chance)
    return _doubt(claim, error, now, policy, chance)


def _put_off(claim: Claim, error: Unavailable, now: datetime, policy: RetryPolicy, chance: Chance) -> Settlement:
    wait = max(backoff(claim.attempt, policy, chance), error.retry_after or timedelta(0))
    if claim.doubtful_since:  # still in doubt: the repeat did not get through
        return _doubt(claim, error, now, policy, chance, policy.probe if error.pauses else wait)
    if error.pauses:
        wait = timedelta(0)  # the pause is what it waits for: whoever ends that finds it due
    given_up = not error.pauses and now + wait > claim.planned_for + policy.retry_for
    return Settlement(
        state=DeliveryState.FAILED if given_up else DeliveryState.PLANNED,
        outcome="unavailable",
        due_at=None if given_up else now + wait,
        reason=f"given up after {claim.attempt} attempts: {error.reason}" if given_up else error.reason,
        status=error.status,
        answer=error.answer,
        pauses=error.pauses,
        rests=error.retry_after if error.rests else None,
    )


def _doubt(
    claim: Claim,
    error: DeliveryError,
    now: datetime,
    policy: RetryPolicy,
    chance: Chance,
    wait: timedelta | None = None,
) -> Settlement:
    """Nobody knows: a repeat may decide while the provider still recognises it, then only a person can."""
    again = now + (wait or timedelta(seconds=5 + 10 * chance.random()))
    repeatable = not isinstance(error, Refused) and again <= (claim.doubtful_since or now) + policy.repeat_within
    return Settlement(
        state=DeliveryState.UNKNOWN,
        outcome="in-doubt",
        due_at=again if repeatable else None,
        reason=error.reason,
        status=error.status,
        answer=error.answer,
        pauses=error.pauses if isinstance(error, Unavailable) else None,
        rests=error.retry_after if isinstance(error, Unavailable) and error.rests else None,
    )


def backoff(attempt: int, policy: RetryPolicy, chance: Chance) -> timedelta:
    """Exponential with jitter over its upper half, so that a wait is never nothing."""
    full = min(policy.longest, policy.first * (1 << min(attempt - 1, 16)))
    return full * (0.5 + 0.5 * chance.random())


QUARANTINE = 3
"""Crashes, or lost answers, at one delivery or letter after which a person must look (rule 6)."""


class LetterState(StrEnum):
    """Where one letter stands."""

    DUE = "due"
    CLAIMED = "claimed"
    SENT = "sent"  # 250 after the final dot
    FAILED = "failed"  # refused for good
    SUPPRESSED = "suppressed"  # the person left before it went out
    EXPIRED = "expired"  # given up: `retry_for` is over
    UNKNOWN = "unknown"  # it may have arrived: quarantined, or assumed sent after a backup was restored
    REHEARSED = "rehearsed"


TO_RETRY = (LetterState.FAILED, LetterState.EXPIRED, LetterState.UNKNOWN)
"""Ended without being known to have reached the person: `retry` makes them due again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSettlement:
    """What to write of one letter."""

    letter: int
    state: LetterState
    due_at: datetime | None = None
    tried: bool = True  # false: not this letter's fault, its attempt does not count
    in_doubt: bool = False  # the final dot left and no answer came: counts like a crash
    code: int | None = None
    answer: str = ""
    person: str = ""  # what its end says of him: "hard", there is nobody; "soft", he could not be reached this time
    blames: bool = False  # refused for what we are or sent: a row of these pauses the channel
