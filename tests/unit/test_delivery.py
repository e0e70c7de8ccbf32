"""What an attempt's outcome makes of a delivery."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.delivery import Claim, DeliveryState, Receipt, RetryPolicy, Settlement, backoff, settle
from syndicate.errors import InDoubt, Refused, Unavailable

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
POLICY = RetryPolicy(retry_for=2 * DAY, repeat_within=10 * MINUTE)
RECEIPT = Receipt(external_id="urn:li:share:1", url="https://example.org/1", status=201, answer="created")


def claim(**overrides: Any) -> Claim:
    fields: dict[str, Any] = {
        "id": 7, "channel": "linkedin", "subject": "a1", "owner": "me", "attempt": 1, "live": True, "planned_for": NOON,
    }  # fmt: skip
    return Claim(**(fields | overrides))


def outcome(one: Claim, what: Receipt | Exception, now: datetime = NOON, seed: int = 1) -> Settlement:
    return settle(one, what, now, POLICY, random.Random(seed))


def test_a_receipt_means_sent_and_keeps_what_was_answered() -> None:
    found = outcome(claim(), RECEIPT, NOON + MINUTE)
    assert found.state is DeliveryState.SENT
    assert found.sent_at == NOON + MINUTE
    assert found.receipt == RECEIPT
    assert (found.status, found.answer, found.due_at) == (201, "created", None)


def test_a_receipt_from_the_outbox_means_rehearsed_and_was_sent_at_no_time() -> None:
    found = outcome(claim(live=False), RECEIPT)
    assert found.state is DeliveryState.REHEARSED
    assert found.sent_at is None


def test_a_receipt_settles_a_doubt() -> None:
    assert outcome(claim(doubtful_since=NOON - 3 * DAY), RECEIPT).state is DeliveryState.SENT


def test_refused_fails_for_good() -> None:
    found = outcome(claim(), Refused("too long", status=400, answer="TOO_LONG"))
    assert (found.state, found.outcome, found.due_at) == (DeliveryState.FAILED, "refused", None)
    assert (found.reason, found.status, found.answer) == ("too long", 400, "TOO_LONG")


@pytest.mark.parametrize("error", [InDoubt("no answer"), ValueError("surprise"), TimeoutError(), OSError(5, "I/O")])
def test_no_answer_and_whatever_nobody_foresaw_is_doubt_with_one_repeat_soon(error: Exception) -> None:
    found = outcome(claim(), error)
    assert (found.state, found.outcome) == (DeliveryState.UNKNOWN, "in-doubt")
    assert found.due_at is not None
    assert timedelta(seconds=5) <= found.due_at - NOON <= timedelta(seconds=15)
    assert found.reason


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        pytest.param(Unavailable("down"), 30, 60, id="half a minute to one"),
        pytest.param(Unavailable("later", retry_after=3 * HOUR), 10800, 10800, id="as long as the provider wishes"),
        pytest.param(Unavailable("soon", retry_after=timedelta(seconds=1)), 30, 60, id="never sooner than our own"),
        pytest.param(Unavailable("no token", pauses="log in"), 0, 0, id="due as soon as its channel's pause ends"),
        pytest.param(Unavailable("no token", pauses="log in", retry_after=DAY), 0, 0, id="due all the same"),
    ],
)
def test_unavailable_is_planned_again(error: Unavailable, least: int, most: int) -> None:
    for seed in range(20):
        found = outcome(claim(), error, seed=seed)
        assert found.state is DeliveryState.PLANNED
        assert found.due_at is not None
        assert least <= (found.due_at - NOON).total_seconds() <= most
        assert (found.reason, found.pauses) == (error.reason, error.pauses)


def test_it_is_given_up_when_the_next_try_would_be_after_retry_for() -> None:
    before = outcome(claim(attempt=60), Unavailable("down"), NOON + 2 * DAY - HOUR)
    after = outcome(claim(attempt=60), Unavailable("down"), NOON + 2 * DAY - 29 * MINUTE)
    assert before.state is DeliveryState.PLANNED
    assert (after.state, after.due_at) == (DeliveryState.FAILED, None)
    assert after.reason == "given up after 60 attempts: down"


def test_what_pauses_the_channel_never_fails_the_row() -> None:
    found = outcome(claim(attempt=60), Unavailable("401", pauses="log in"), NOON + 30 * DAY)
    assert found.state is DeliveryState.PLANNED
    assert found.due_at == NOON + 30 * DAY, "its channel's pause is what it waits for"


def test_a_repeat_that_does_not_get_through_leaves_the_doubt() -> None:
    found = outcome(claim(attempt=2, doubtful_since=NOON - 2 * MINUTE), Unavailable("429", status=429))
    assert (found.state, found.outcome) == (DeliveryState.UNKNOWN, "in-doubt")
    assert found.due_at is not None
    assert found.due_at <= NOON + 8 * MINUTE


@pytest.mark.parametrize(
    ("error", "since"),
    [
        pytest.param(InDoubt("again"), NOON - 10 * MINUTE, id="the window is over"),
        pytest.param(Unavailable("429", retry_after=HOUR), NOON - MINUTE, id="the provider wants us after it"),
        pytest.param(Unavailable("401", pauses="log in"), NOON - MINUTE, id="a person must act first"),
        pytest.param(Unavailable("down"), NOON - 10 * MINUTE, id="too late for another"),
        pytest.param(Refused("the repeat was refused"), NOON - MINUTE, id="refused: says nothing of the first"),
    ],
)
def test_a_doubt_that_no_repeat_can_settle_waits_for_a_person(error: Exception, since: datetime) -> None:
    found = outcome(claim(attempt=2, doubtful_since=since), error)
    assert (found.state, found.due_at) == (DeliveryState.UNKNOWN, None)


def test_a_repeat_that_meets_a_pause_still_pauses_the_channel() -> None:
    found = outcome(claim(attempt=2, doubtful_since=NOON - MINUTE), Unavailable("401", pauses="log in"))
    assert found.pauses == "log in"


def test_waits_double_to_an_hour_with_jitter_over_their_upper_half() -> None:
    longest = [backoff(attempt, POLICY, _Chance(1.0)) for attempt in range(1, 10)]
    assert longest == [n * MINUTE for n in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert [backoff(attempt, POLICY, _Chance(0.0)) for attempt in (1, 2, 9)] == [MINUTE / 2, MINUTE, HOUR / 2]
    assert backoff(100_000, POLICY, _Chance(1.0)) == HOUR


class _Chance(random.Random):
    def __init__(self, value: float) -> None:
        super().__init__(0)
        self.value = value

    def random(self) -> float:
        return self.value


outcomes = st.one_of(
    st.just(RECEIPT),
    st.just(Refused("no")),
    st.just(InDoubt("?")),
    st.just(RuntimeError("?")),
    st.builds(
        lambda after, pauses: Unavailable("later", retry_after=after, pauses=pauses),
        st.none() | st.timedeltas(timedelta(0), timedelta(days=9)),
        st.none() | st.just("do something"),
    ),
)


@given(
    outcomes, st.integers(1, 99), st.booleans(), st.none() | st.integers(0, 900), st.integers(0, 5000), st.integers()
)
def test_whatever_comes_the_row_goes_somewhere_and_a_doubt_is_never_planned_or_failed(
    what: Receipt | Exception, attempt: int, live: bool, doubt: int | None, minutes: int, seed: int
) -> None:
    now = NOON + minutes * MINUTE
    since = None if doubt is None else now - timedelta(seconds=doubt)
    found = outcome(claim(attempt=attempt, live=live, doubtful_since=since), what, now, seed)
    waits_for_pause = found.pauses is not None and found.state is DeliveryState.PLANNED
    assert found.due_at is None or (found.due_at == now if waits_for_pause else found.due_at > now)
    assert (found.state is DeliveryState.PLANNED) <= (found.due_at is not None)
    if not isinstance(what, Receipt):
        assert found.reason
        assert found.sent_at is None
        if since is not None:
            assert found.state is DeliveryState.UNKNOWN
            assert found.due_at is None or found.due_at <= since + POLICY.repeat_within
