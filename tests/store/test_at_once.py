"""Two processes at the same row: whoever comes second sees what the first made of it, on either database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, update

from syndicate.desk import Sweep
from syndicate.edition import Contents
from syndicate.errors import UsageError
from syndicate.scan import _look, _read
from syndicate.store import articles, claims, deliveries, editions, letters, pauses, scanners
from syndicate.store.database import Store
from syndicate.store.pauses import Gate
from syndicate.store.schema import letters as letters_table
from syndicate.store.schema import owners
from tests.store.conftest import Database
from tests.store.room import Room
from tests.store.rows import (
    HOUR,
    LINKEDIN,
    MIDNIGHT,
    NOON,
    at_once,
    attempts,
    begin,
    delivery,
    frozen,
    join,
    letter_states,
    must_claim,
    planned,
    put_articles,
    start,
)

Work = Callable[[Connection], Any]
SOON = 0.2  # seconds in which the second comes to the place where it has to wait


@pytest.fixture
def two(database: Database) -> Iterator[Callable[[Work, Work], tuple[Any, Any]]]:
    """Runs both, the second while the first has done its work and not committed it; returns what each answered."""
    one, other = database.open(), database.open()
    done, commit = threading.Event(), threading.Event()

    def slowly(connection: Connection, work: Work) -> Any:
        answer = work(connection)
        done.set()
        assert commit.wait(20)
        return answer

    with ThreadPoolExecutor(2) as threads:

        def run(first: Work, second: Work) -> tuple[Any, Any]:
            with _committed_at_last(commit):
                earlier = threads.submit(one.write_now, slowly, first)
                assert done.wait(20), earlier.exception(0)
                later: Future[Any] = threads.submit(other.write_now, second)
                threading.Event().wait(SOON)
            return earlier.result(30), later.result(30)

        yield run


@contextmanager
def _committed_at_last(commit: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        commit.set()


Two = Callable[[Work, Work], tuple[Any, Any]]


async def test_a_file_that_two_scans_see_first_is_one_article(two: Two, room: Room) -> None:
    room.write("new.md", "A title")
    [source] = room.sources
    seen, fresh = _look(source, {})
    readings = _read(source, seen, fresh, room.desk)
    sweep = Sweep(now=room.now)

    def take_in(connection: Connection) -> tuple[int, int]:
        return room.desk.take_in(connection, readings, sweep)

    assert two(take_in, take_in) == ((1, 1), (0, 0))
    assert list(room.all()) == ["new.md"]
    assert room.owed() == {"new.md": "waiting"}


async def test_of_two_files_with_one_title_that_two_processes_see_at_once_one_is_held(two: Two, room: Room) -> None:
    room.write("before.md", "Another title")
    await room.scan()
    room.write("one.md", "A title")
    room.write("two.md", "A title")
    [source] = room.sources
    seen, _ = _look(source, {})
    sweep = Sweep(now=room.now)

    def take_in(path: str) -> Work:
        readings = _read(source, seen, [path], room.desk)
        return lambda connection: room.desk.take_in(connection, readings, sweep)

    assert two(take_in("one.md"), take_in("two.md")) == ((1, 1), (1, 0))
    assert room.states() == {"before.md": "ready", "one.md": "ready", "two.md": "held"}


@pytest.mark.parametrize("slugs", [("a", "a"), ("a", "b")])
def test_an_article_comes_into_one_edition_of_two_made_at_once(two: Two, store: Store, slugs: tuple[str, str]) -> None:
    put_articles(store, 1)
    store.write_now(editions.sync_digests, ["weekly"], NOON - HOUR)
    [article] = store.read_now(articles.many, ["id-1"])

    def save(slug: str) -> Work:
        made = Contents(
            slug=slug, digest="weekly", title="C", date=NOON, cards=(article,), headlines=(), covered=1, more=0
        )  # fmt: skip
        return lambda connection: editions.save(
            connection, made, slot=None, after=None, until=NOON, live=True, now=NOON
        )

    assert two(save(slugs[0]), save(slugs[1])) == (True, False)


def test_a_slot_that_two_find_empty_is_passed_over_once(two: Two, store: Store) -> None:
    store.write_now(editions.sync_digests, ["weekly"], NOON - HOUR)

    def skip(connection: Connection) -> None:
        editions.pass_over(connection, "weekly", "weekly-1", NOON, "skipped", "nothing new", True, NOON)

    two(skip, skip)
    assert store.read_now(editions.slot_done, "weekly", NOON)


def test_a_probe_is_one_of_twos(two: Two, store: Store) -> None:
    store.write_now(pauses.by_fault, LINKEDIN, "401", NOON - HOUR)

    def probe(connection: Connection) -> Gate:
        found = pauses.gate(connection, [LINKEDIN], NOON)
        if found:
            pauses.probed(connection, [LINKEDIN], NOON)
        return found

    assert two(probe, probe) == (Gate.PROBE, Gate.SHUT)


def test_a_source_is_taken_by_one_of_two(two: Two, store: Store) -> None:
    def take(who: str) -> Work:
        return lambda connection: scanners.take(connection, ["articles"], who)

    for who in ("one", "two"):
        row = {"id": who, "what": "run", "host": "here", "pid": 1, "since": NOON, "lease_until": NOON + HOUR}
        store.write_now(lambda connection, row=row: connection.execute(owners.insert().values(row)))
    two(take("one"), take("two"))
    mine = [store.read_now(scanners.sharing, ["articles"], who, "here").mine for who in ("one", "two")]
    assert mine == [{"articles"}, set()]


def test_what_was_claimed_meanwhile_is_not_cancelled(two: Two, store: Store) -> None:
    planned(store, 1)
    number = delivery(store).id

    def claim(connection: Connection) -> Any:
        return claims.claim_one(connection, LINKEDIN, "me", True, NOON, MIDNIGHT, at_once)

    with pytest.raises(UsageError, match="is claimed"):
        two(claim, lambda connection: deliveries.cancel(connection, number))
    assert delivery(store).state == "claimed"


def test_a_mailing_whose_letters_were_made_due_meanwhile_is_not_closed(two: Two, store: Store) -> None:
    begin(store, channels=("email",))
    join(store, "ada")
    edition, _ = frozen(store)
    store.write_now(lambda connection: connection.execute(update(letters_table).values(state="failed", due_at=None)))
    two(
        lambda connection: deliveries.retry(connection, edition, NOON),
        lambda connection: letters.close(connection, NOON),
    )
    assert letter_states(store, edition) == ["due"]
    [row] = store.read_now(deliveries.listing, None, "email")
    assert row["state"] == "claimed"


# --- the answer to a commit was lost ----------------------------------------------------------------------------------


def test_a_claim_that_its_owner_does_not_know_of_is_claimed_again(store: Store) -> None:
    planned(store, 1)
    lost = must_claim(store)
    again = must_claim(store)
    assert (again.id, again.doubtful_since) == (lost.id, None)
    assert delivery(store).crashes == 0


def test_an_attempt_that_its_owner_does_not_know_of_is_in_doubt(store: Store) -> None:
    planned(store, 1)
    start(store, must_claim(store))
    again = must_claim(store)
    assert again.doubtful_since == NOON
    assert len(attempts(store)) == 1
