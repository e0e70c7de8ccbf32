"""Questions that are asked every second or every pass are answered from an index, however much there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from syndicate.store import (
    articles,
    checks,
    claims,
    deliveries,
    editions,
    freezing,
    groups,
    ledger,
    letters,
    retention,
    vitals,
)
from syndicate.store.database import Store
from syndicate.store.schema import metadata
from tests.store.conftest import Database
from tests.store.rows import LINKEDIN, MIDNIGHT, NOON, at_once, begin, frozen, join, mailing, planned, take

SMALL = {"pauses", "channels", "owners", "digests", "sources", "settings"}  # a row for each thing configured
LARGE = set(metadata.tables) - SMALL


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """SQLite's: PostgreSQL plans by its statistics."""
    made = Database("", tmp_path / "data")
    yield made
    made.close()


class Explained:
    """Every statement of a test, with what the database says about how it is carried out."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def note(self, _connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            self.steps += [row[3] for row in rows]

    @property
    def scans(self) -> list[str]:
        """Steps that read a whole table, or a whole index of it."""
        return [one for one in self.steps if one.startswith("SCAN") and one.split()[1] in LARGE]


@pytest.fixture
def explained(store: Store) -> Iterator[Explained]:
    planned(store, 1)
    begin(store, channels=("email",))
    join(store, "ada")
    frozen(store)
    noted = Explained()
    for engine in (store._reader, store._writer):
        event.listen(engine, "before_cursor_execute", noted.note)
    yield noted
    for engine in (store._reader, store._writer):
        event.remove(engine, "before_cursor_execute", noted.note)


EVERY_SECOND: dict[str, Callable[[Store], object]] = {
    "claim a delivery": lambda s: s.write_now(claims.claim_one, LINKEDIN, "me", True, NOON, MIDNIGHT, at_once),
    "owners of deliveries": lambda s: s.read_now(claims.claimants),
    "take back deliveries": lambda s: s.write_now(claims.take_back, ["dead"], NOON),
    "what may go now": lambda s: s.read_now(groups.waiting, NOON, True, 50),
    "claim a group": lambda s: take(s, mailing(s, 2)),
    "mailings that ended": lambda s: s.read_now(letters.ended),
    "articles to be mailed by hand": lambda s: s.read_now(freezing.planned, NOON, True),
    "claim one alone": lambda s: take(s, mailing(s, 2), alone=True),
    "whether a letter is due": lambda s: s.read_now(letters.is_due, NOON),
}
EVERY_PASS: dict[str, Callable[[Store], object]] = {
    "since when something is due": lambda s: s.read_now(deliveries.oldest_due, NOON),
    "whether a channel is quiet": lambda s: s.read_now(vitals.quiet_since, LINKEDIN, NOON),
    "what is unknown": lambda s: s.read_now(vitals.unknown),
    "letters in quarantine": lambda s: s.read_now(vitals.quarantined, NOON),
    "pages that are dead": lambda s: s.read_now(checks.dead_pages, NOON),
    "what the blast guard holds": lambda s: s.read_now(articles.held_by, "max-new"),
    "files that are known": lambda s: s.read_now(articles.known, "articles"),
    "files that were missed": lambda s: s.read_now(articles.away, "articles", ()),
    "files that are missed": lambda s: s.read_now(articles.away, "articles", {"a1.md"}),
    "images to look for": lambda s: s.read_now(checks.unseen_images, 50, 64),
    "the newest articles": lambda s: s.read_now(articles.newest_released, 1000),
    "what to judge again": lambda s: s.read_now(articles.to_judge_again, NOON),
    "whether anything waits": lambda s: s.read_now(ledger.competes, LINKEDIN),
    "who waits": lambda s: s.read_now(ledger.candidates, LINKEDIN),
    "who is planned": lambda s: s.read_now(ledger.placed, LINKEDIN),
    "what went out lately": lambda s: s.read_now(ledger.past, LINKEDIN, MIDNIGHT),
    "what would make a near-twin": lambda s: s.read_now(ledger.recent, LINKEDIN, NOON),
    "what went out in editions": lambda s: s.read_now(editions.recent, "weekly", NOON),
    "whether a slot is done": lambda s: s.read_now(editions.slot_done, "weekly", NOON),
    "the last edition": lambda s: s.read_now(editions.last, "weekly", True),
    "follow an article": lambda s: s.write_now(ledger.cancel_open, ["id-1"], "gone: x"),
    "letters that may move": lambda s: s.read_now(retention.is_ripe, NOON),
    "move letters": lambda s: s.write_now(retention.fold, NOON),
    "letters by state": lambda s: s.read_now(letters.counts),
    "one person's letters": lambda s: s.read_now(retention.of_person, 1),
    "one person's tries": lambda s: s.read_now(lambda c: list(retention.tries_of(c, 1))),
    "scrub a person": lambda s: s.write_now(retention.scrub, 1),
    "approve an article": lambda s: s.write_now(ledger.approve_held, ["id-1"], NOON),
}


@pytest.mark.parametrize("name", [*EVERY_SECOND, *EVERY_PASS])
def test_no_table_is_read_from_end_to_end(store: Store, explained: Explained, name: str) -> None:
    (EVERY_SECOND | EVERY_PASS)[name](store)
    assert explained.steps
    assert explained.scans == []


def test_the_owners_of_letters_are_found_among_the_claimed_alone(store: Store, explained: Explained) -> None:
    store.read_now(letters.claimants)
    store.write_now(letters.take_back, ["dead"], NOON)
    assert explained.scans
    assert all(one.endswith("INDEX ix_letters_claimed") for one in explained.scans)


def test_an_idle_scan_reads_an_index_and_no_row_of_the_catalogue(store: Store, explained: Explained) -> None:
    store.read_now(articles.known, "articles")
    store.read_now(articles.away, "articles", ())
    assert explained.steps == ["SEARCH articles USING COVERING INDEX ix_articles_seen (source=?)"] * 2


def test_the_newest_articles_come_from_an_index_and_no_other_is_read(store: Store, explained: Explained) -> None:
    store.read_now(articles.newest_released, 1000)
    store.read_now(checks.unseen_images, 50, 64)
    steps = [one for one in explained.steps if one.startswith("SEARCH articles")]
    assert steps == [
        "SEARCH articles USING COVERING INDEX ix_articles_state_released_id (state=? AND released>?)",
        "SEARCH articles USING INDEX sqlite_autoindex_articles_1 (id=?)",
        "SEARCH articles USING COVERING INDEX ix_articles_state_released_id (state=?)",
    ]
    assert not any("TEMP B-TREE FOR ORDER BY" in one for one in explained.steps)


def test_due_letters_come_from_their_index_in_order(store: Store, explained: Explained) -> None:
    take(store, mailing(store, 2))
    [step] = [one for one in explained.steps if "ix_letters_due" in one]
    assert step == "SEARCH letters USING INDEX ix_letters_due (delivery=? AND due_at<?)"
    assert not any("TEMP B-TREE FOR ORDER BY" in one for one in explained.steps)


def test_the_ready_are_counted_and_listed_without_a_walk_through_texts(store: Store, explained: Explained) -> None:
    store.read_now(articles.counts)
    assert explained.steps == ["SCAN articles USING COVERING INDEX ix_articles_state_released_id"]
