"""What servers say of our pace holds for all workers: domains that rest, then try one letter, and a day's quota."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from syndicate.store import pauses, throttles
from syndicate.store.database import Store
from syndicate.store.letters import CHANNEL
from syndicate.store.throttles import DOMAIN_REST, QUOTA_KEY, Trouble, next_midnight
from tests.store.conftest import Database
from tests.store.rows import DAY, HOUR, MINUTE, NOON, SECOND, begin, frozen, join, letter_rows

DOMAIN = "example.net"
EVENING = NOON + 6 * HOUR
MIDNIGHT = NOON.replace(hour=0) + DAY


@pytest.fixture
def letters(store: Store) -> list[int]:
    begin(store, channels=(CHANNEL,))
    join(store, "ada", "bo")
    return [row.id for row in letter_rows(store, frozen(store)[0])]


def tell(
    store: Store, at: datetime, *, accepted: Sequence[int] = (), resting: Mapping[str, str] | None = None,
    trouble: Trouble | None = None,
) -> None:  # fmt: skip
    store.write_now(throttles.told, trouble, resting or {}, accepted, at)


def stage(store: Store, at: datetime) -> str:
    """What a claim finds of the domain: "open", "shut", or "probe"."""

    def read(connection: Connection) -> str:
        known = pauses.known(connection)
        if DOMAIN in throttles.probing(known, at):
            return "probe"
        return "shut" if DOMAIN in throttles.closed(known) else "open"

    return store.read_now(read)


def test_a_domain_that_asked_for_it_rests_and_then_tries_one_letter_until_one_is_accepted(
    store: Store, letters: list[int]
) -> None:
    tell(store, NOON, resting={DOMAIN: "4.7.28 unusual rate"})
    assert stage(store, NOON + DOMAIN_REST - SECOND) == "shut"
    again = NOON + DOMAIN_REST
    assert stage(store, again) == "probe"
    assert store.write_now(throttles.take_probe, DOMAIN, again)
    assert not store.write_now(throttles.take_probe, DOMAIN, again)
    assert stage(store, again + MINUTE) == "shut"
    tell(store, again + MINUTE, accepted=letters[:1])
    assert stage(store, again + MINUTE) == "open"


def test_one_letter_in_flight_over_all_workers(database: Database, store: Store, letters: list[int]) -> None:
    tell(store, NOON, resting={DOMAIN: "slow"})
    others = [store, database.open(), database.open()]
    assert [one.write_now(throttles.take_probe, DOMAIN, NOON + DOMAIN_REST) for one in others].count(True) == 1


def test_a_probe_that_is_told_to_slow_down_rests_anew_and_one_that_died_is_repeated(
    store: Store, letters: list[int]
) -> None:
    tell(store, NOON, resting={DOMAIN: "slow"})
    again = NOON + DOMAIN_REST
    assert store.write_now(throttles.take_probe, DOMAIN, again)
    tell(store, again + SECOND, resting={DOMAIN: "slower"})
    tell(store, again + 2 * SECOND, accepted=letters)  # was under way already, and proves nothing
    assert stage(store, again + DOMAIN_REST) == "shut"
    later = again + SECOND + DOMAIN_REST
    assert store.write_now(throttles.take_probe, DOMAIN, later)
    assert stage(store, later + DOMAIN_REST) == "probe"


def test_what_was_under_way_when_a_rest_began_does_not_end_it(store: Store, letters: list[int]) -> None:
    tell(store, NOON, resting={DOMAIN: "slow"})
    tell(store, NOON + SECOND, accepted=letters)
    assert stage(store, NOON + MINUTE) == "shut"


def test_a_letter_to_elsewhere_proves_nothing_of_a_domain(store: Store, letters: list[int]) -> None:
    tell(store, NOON, resting={"example.com": "slow"})
    tell(store, NOON + DOMAIN_REST, accepted=letters)
    assert store.read_now(lambda c: throttles.closed(pauses.known(c))) == ["example.com"]


def test_a_domain_that_no_letter_waits_for_is_forgotten_after_an_hour(store: Store) -> None:
    tell(store, NOON, resting={DOMAIN: "slow", "example.com": "slow"})
    end = NOON + DOMAIN_REST + HOUR
    assert store.write_now(throttles.take_probe, "example.com", end - MINUTE)  # one that letters wait for
    tell(store, end - SECOND)
    assert not store.read_now(throttles.is_stale, end - SECOND)
    assert stage(store, end) == "probe"
    assert store.read_now(throttles.is_stale, end)
    assert store.write_now(throttles.forget, end)
    assert stage(store, end) == "open"
    assert list(store.read_now(pauses.standing)) == ["email:example.com"]


# --- the day's quota --------------------------------------------------------------------------------------------------


def gate(store: Store, at: datetime) -> str:
    return store.write_now(pauses.gate, [CHANNEL, QUOTA_KEY], at).name


def use_up(store: Store, at: datetime) -> None:
    tell(store, at, trouble=Trouble("5.4.5 daily limit", next_midnight(at) - at, quota=True))


def test_a_days_quota_rests_the_channel_until_midnight_and_is_nobodys_problem(store: Store) -> None:
    use_up(store, EVENING)
    assert gate(store, MIDNIGHT - SECOND) == "SHUT"
    assert store.read_now(pauses.standing) == {}
    assert store.read_now(pauses.faults) == []
    told = store.read_now(pauses.quotas, EVENING)
    assert told == {CHANNEL: "its quota is used up; it goes on by itself after 2026-11-24 00:00 UTC"}
    assert gate(store, MIDNIGHT) == "PROBE"


def test_other_connections_that_hear_of_it_change_nothing(store: Store, letters: list[int]) -> None:
    use_up(store, EVENING)
    use_up(store, EVENING + MINUTE)
    tell(store, EVENING + MINUTE, accepted=letters)  # was under way
    assert gate(store, MIDNIGHT - SECOND) == "SHUT"
    assert gate(store, MIDNIGHT) == "PROBE"


def test_one_letter_tells_after_midnight_whether_it_counts_anew(store: Store, letters: list[int]) -> None:
    use_up(store, EVENING)
    store.write_now(pauses.probed, [CHANNEL, QUOTA_KEY], MIDNIGHT)
    assert gate(store, MIDNIGHT + SECOND) == "SHUT"
    tell(store, MIDNIGHT + SECOND, accepted=letters[:1])
    assert gate(store, MIDNIGHT + SECOND) == "OPEN"


def test_where_midnight_brought_nothing_it_is_asked_every_hour(store: Store, letters: list[int]) -> None:
    use_up(store, EVENING)
    asked = MIDNIGHT
    for _ in range(3):
        store.write_now(pauses.probed, [CHANNEL, QUOTA_KEY], asked)
        use_up(store, asked + SECOND)
        assert gate(store, asked + HOUR) == "SHUT"
        asked += HOUR + SECOND
        assert gate(store, asked) == "PROBE"
    tell(store, asked, accepted=letters)
    assert gate(store, asked) == "OPEN"


def test_resume_ends_a_quota_too(store: Store) -> None:
    use_up(store, EVENING)
    assert store.write_now(pauses.resume, CHANNEL) == [CHANNEL]
    assert gate(store, EVENING) == "OPEN"


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)),
    ],
)
def test_the_next_midnight_is_never_now(moment: datetime, midnight: datetime) -> None:
    assert next_midnight(moment) == midnight
    assert next_midnight(moment) - moment <= timedelta(days=1)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_an_accepted_letter_ends_a_fault_of_the_channel(store: Store, letters: list[int]) -> None:
    tell(store, NOON, trouble=Trouble("451 down", MINUTE))
    assert store.read_now(pauses.standing) == {CHANNEL: "451 down"}
    tell(store, NOON + SECOND, accepted=letters)
    assert store.read_now(pauses.standing) == {}


def test_a_persons_pause_of_the_channel_is_not_ended_by_a_letter_under_way(store: Store, letters: list[int]) -> None:
    store.write_now(pauses.pause, CHANNEL, "lunch", NOON)
    tell(store, NOON, accepted=letters, trouble=Trouble("451 down", MINUTE))
    assert store.read_now(pauses.standing) == {CHANNEL: "lunch"}
