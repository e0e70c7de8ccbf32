"""What the end of a letter says of its person, and when it says it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syndicate.delivery import LetterSettlement, LetterState, RetryPolicy
from syndicate.letterfate import settle_letter
from syndicate.transports.base import Fate, Verdict
from syndicate.transports.verdicts import HARD, OURS, SOFT

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = RetryPolicy(retry_for=2 * DAY, repeat_within=2 * DAY)


def settled(fate: Fate, age: timedelta = timedelta(0), **said: Any) -> LetterSettlement:
    verdict = Verdict(letter=5, fate=fate, **said)
    return settle_letter(verdict, 1, NOON - age, NOON, POLICY, random.Random(1), live=True)


@pytest.mark.parametrize(
    ("fate", "person", "age", "state", "told", "blames"),
    [
        (Fate.REJECTED, HARD, 0, LetterState.FAILED, HARD, False),
        (Fate.REJECTED, SOFT, 0, LetterState.FAILED, SOFT, False),
        (Fate.REJECTED, "", 0, LetterState.FAILED, "", False),
        (Fate.REJECTED, OURS, 0, LetterState.FAILED, "", True),
        (Fate.DEFERRED, SOFT, 0, LetterState.DUE, "", False),  # it is not over yet
        (Fate.DEFERRED, SOFT, 2, LetterState.EXPIRED, SOFT, False),
        (Fate.DEFERRED, "", 2, LetterState.EXPIRED, "", False),
        (Fate.BLAMED, "", 0, LetterState.DUE, "", True),
        (Fate.BLAMED, "", 2, LetterState.EXPIRED, "", False),
        (Fate.CHANNEL, "", 2, LetterState.DUE, "", False),
    ],
)
def test_only_the_end_of_a_letter_tells_of_its_person(
    fate: Fate, person: str, age: int, state: LetterState, told: str, blames: bool
) -> None:
    found = settled(fate, age * DAY, person=person, code=550 if fate is Fate.REJECTED else 450)
    assert (found.state, found.person, found.blames) == (state, told, blames)
