"""What a mail server's verdict makes of a letter."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.delivery import QUARANTINE, LetterSettlement, LetterState, RetryPolicy
from syndicate.letterfate import discreet, give_back, settle_letter
from syndicate.store.groups import Recipient
from syndicate.transports.base import Fate, Verdict

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
POLICY = RetryPolicy(retry_for=2 * DAY, repeat_within=2 * DAY)


def settled(
    fate: Fate, *, attempt: int = 1, age: timedelta = timedelta(0), live: bool = True, seed: int = 1, crashes: int = 0,
    **said: Any,
) -> LetterSettlement:  # fmt: skip
    verdict = Verdict(letter=5, fate=fate, **said)
    return settle_letter(verdict, attempt, NOON - age, NOON, POLICY, random.Random(seed), live=live, crashes=crashes)


def test_accepted_is_sent_or_rehearsed() -> None:
    assert settled(Fate.ACCEPTED, code=250).state is LetterState.SENT
    assert settled(Fate.ACCEPTED, live=False).state is LetterState.REHEARSED


def test_rejected_fails_with_the_servers_words() -> None:
    found = settled(Fate.REJECTED, code=550, status="5.1.1", answer="no such user")
    assert (found.state, found.due_at, found.code, found.answer) == (LetterState.FAILED, None, 550, "no such user")


@pytest.mark.parametrize("crashes", [0, QUARANTINE])
def test_never_tried_is_due_at_once_and_counts_no_attempt(crashes: int) -> None:
    to = Recipient(5, 7, "ada@example.net", "", "example.net", 1, crashes)
    found = give_back(to, NOON, crashed=False)
    assert (found.state, found.due_at, found.tried, found.in_doubt) == (LetterState.DUE, NOON, False, False)


@pytest.mark.parametrize(
    ("code", "attempt", "least", "most"),
    [
        (None, 1, 0.5, 1),  # the connection broke
        (None, 3, 2, 4),
        (None, 20, 30, 60),
        (450, 1, 5, 10),  # greylisting wants patience
        (450, 2, 10, 20),
        (450, 4, 40, 60),
        (421, 99, 60, 60),
    ],
)
def test_deferred_is_tried_again_later_and_later(code: int | None, attempt: int, least: float, most: float) -> None:
    for seed in range(20):
        found = settled(Fate.DEFERRED, code=code, attempt=attempt, seed=seed)
        assert (found.state, found.tried) == (LetterState.DUE, True)
        assert found.due_at is not None
        assert least * MINUTE <= found.due_at - NOON <= most * MINUTE


def test_deferred_is_given_up_after_retry_for() -> None:
    found = settled(Fate.DEFERRED, code=450, attempt=40, age=2 * DAY, answer="try later")
    assert (found.state, found.due_at) == (LetterState.EXPIRED, None)
    assert found.answer == "given up after 40 attempts: try later"


def test_no_answer_to_the_final_dot_is_tried_again_with_the_same_message_id() -> None:
    assert settled(Fate.DEFERRED, in_doubt=True).state is LetterState.DUE


@pytest.mark.parametrize(("crashes", "state"), [(0, LetterState.DUE), (1, LetterState.DUE), (2, LetterState.UNKNOWN)])
def test_nobody_gets_more_than_three_copies_whose_answers_got_lost(crashes: int, state: LetterState) -> None:
    found = settled(Fate.DEFERRED, in_doubt=True, crashes=crashes, answer="closed")
    assert (found.state, found.in_doubt) == (state, True)
    assert ("no answer to its end 3 times" in found.answer) == (state is LetterState.UNKNOWN)


def test_a_refusal_is_no_doubt() -> None:
    found = settled(Fate.DEFERRED, code=450, crashes=2)
    assert (found.state, found.in_doubt) == (LetterState.DUE, False)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("550 5.1.1 <Ada@Example.net>: no such user", "550 5.1.1 <…>: no such user"),
        ("550 no such user", "550 no such user"),
        ("ada@example.netherlands", "…herlands"),  # too much rather than too little
    ],
)
def test_what_is_kept_of_an_answer_names_nobody(answer: str, kept: str) -> None:
    assert discreet(answer, "ada@example.net") == kept


def test_blamed_stays_due() -> None:
    found = settled(Fate.BLAMED, code=554, status="5.7.1", answer="we do not like you")
    assert (found.state, found.tried) == (LetterState.DUE, True)


@pytest.mark.parametrize("age", [timedelta(0), 30 * DAY])
def test_what_concerns_the_channel_blames_and_expires_nobody(age: timedelta) -> None:
    found = settled(Fate.CHANNEL, code=535, age=age, pauses="check the password")
    assert (found.state, found.tried) == (LetterState.DUE, False)
    assert found.due_at is not None
    assert NOON < found.due_at <= NOON + HOUR


@given(
    st.sampled_from(list(Fate)),
    st.integers(1, 200),
    st.none() | st.integers(200, 599),
    st.integers(0, 5000),
    st.integers(),
)
def test_every_verdict_ends_the_letter_or_gives_it_a_moment(
    fate: Fate, attempt: int, code: int | None, minutes: int, seed: int
) -> None:
    found = settled(fate, attempt=attempt, code=code, age=minutes * MINUTE, seed=seed)
    assert (found.state is LetterState.DUE) == (found.due_at is not None)
    assert found.state is not LetterState.CLAIMED
    if found.due_at and fate is not Fate.CHANNEL:
        assert found.due_at <= NOON - minutes * MINUTE + POLICY.retry_for
