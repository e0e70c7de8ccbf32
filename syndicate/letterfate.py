"""What an answer, or its absence, makes of one letter (rules 6, 20 and 21). Pure: never sends, never stores."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from syndicate.clock import Chance
from syndicate.delivery import QUARANTINE, LetterSettlement, LetterState, RetryPolicy, backoff
from syndicate.store import letters
from syndicate.store.groups import Recipient
from syndicate.store.throttles import Trouble, next_midnight
from syndicate.transports.base import Fate, Verdict
from syndicate.transports.verdicts import OURS

AFTER_4XX = timedelta(minutes=5)
SHORT_REST = timedelta(minutes=1)  # after a refused connection
FAULT_REST = timedelta(minutes=15)  # until a probe, where a person must do something


def give_back(to: Recipient, now: datetime, *, crashed: bool) -> LetterSettlement:
    """What becomes of a letter in hand when its sending ends without a verdict (rule 6). Pure."""
    if crashed and to.crashes + 1 >= QUARANTINE:
        return LetterSettlement(
            letter=to.letter, state=LetterState.UNKNOWN, answer=letters.QUARANTINED, in_doubt=True
        )  # fmt: skip
    return LetterSettlement(letter=to.letter, state=LetterState.DUE, due_at=now, tried=False, in_doubt=crashed)


def discreet(answer: str, email: str) -> str:
    """A server's words without the address they are about: what is kept of them outlives the person's wish. Pure."""
    return re.sub(re.escape(email), "…", answer, flags=re.IGNORECASE) if email else answer


def channel_trouble(verdict: Verdict, now: datetime) -> Trouble:
    """What an answer that concerns the channel and not the person asks for (rules 20, 21 and 23). Pure."""
    if verdict.pauses:
        return Trouble(f"{verdict.answer}: {verdict.pauses}", FAULT_REST)
    if verdict.quota:
        return Trouble(verdict.answer, next_midnight(now) - now, quota=True)
    return Trouble(verdict.answer, SHORT_REST)


def settle_letter(
    verdict: Verdict,
    attempt: int,
    frozen_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    chance: Chance,
    *,
    live: bool,
    crashes: int = 0,
) -> LetterSettlement:
    """Decide what a verdict makes of a letter (rules 20 and 21), and what its end says of the person. Pure.

    Without an answer to the final dot it may have arrived (RFC 5321 section 4.5.4.1, RFC 1047): it is repeated, but
    nobody gets more than three copies, so that such an end counts like a crash (rule 6).
    """
    if verdict.fate is Fate.ACCEPTED:
        state = LetterState.SENT if live else LetterState.REHEARSED
        return LetterSettlement(letter=verdict.letter, state=state, code=verdict.code, answer=verdict.answer)
    if verdict.fate is Fate.REJECTED:
        return LetterSettlement(
            letter=verdict.letter, state=LetterState.FAILED, code=verdict.code, answer=verdict.answer,
            person="" if verdict.person == OURS else verdict.person, blames=verdict.person == OURS,
        )  # fmt: skip
    if verdict.in_doubt and crashes + 1 >= QUARANTINE:
        return LetterSettlement(
            letter=verdict.letter, state=LetterState.UNKNOWN, code=verdict.code, in_doubt=True,
            answer=f"quarantined: no answer to its end {QUARANTINE} times; it may have arrived: {verdict.answer}",
        )  # fmt: skip
    wait = backoff(attempt, policy, chance)
    if verdict.code is not None and 400 <= verdict.code < 500:  # greylisting and full boxes want patience
        wait = min(policy.longest, AFTER_4XX * (1 << min(attempt - 1, 8)) * (1 + chance.random()))
    if verdict.fate is not Fate.CHANNEL and now + wait > frozen_at + policy.retry_for:
        return LetterSettlement(
            letter=verdict.letter, state=LetterState.EXPIRED, code=verdict.code, in_doubt=verdict.in_doubt,
            answer=f"given up after {attempt} attempts: {verdict.answer}", person=verdict.person,
        )  # fmt: skip
    return LetterSettlement(
        letter=verdict.letter,
        state=LetterState.DUE,
        due_at=now + wait,
        tried=verdict.fate is not Fate.CHANNEL,
        in_doubt=verdict.in_doubt,
        code=verdict.code,
        answer=verdict.answer,
        blames=verdict.fate is Fate.BLAMED,
    )
