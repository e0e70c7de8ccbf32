"""The invariants can fail: a world that is as it should be, and each way in which it might not be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syndicate import app as composition
from syndicate.store import subscribers
from syndicate.subscriber import State, parse_address
from tests.invariants import Copy, Ledger, Letter, Post, World, broken, feed_ids, undone
from tests.simulation.town import CHANNEL, SECRET, Process, Town, settle_in

READERS = ("ada@readers.test", "bo@readers.test")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Ledger]]:
    """A day of a newsroom in which nothing went wrong."""
    settings = settle_in(tmp_path_factory.mktemp("town") / "town")
    press = composition.press(settings)
    assert press is not None
    town = Town(settings.data.parent, settings, press, random.Random(0))
    process = Process(town)
    with asyncio.Runner() as loop:
        loop.run(process.run())
        (town.content / "walk.md").write_text("---\ntitle: A walk\n---\nAlong the quay.\n", encoding="utf-8")
        for email in READERS:
            address = parse_address(email)
            process.store.write_now(
                subscribers.add, address, name="", tags="", state=State.ACTIVE, digests=["daily"], consent={},
                hashed=subscribers.address_hash(SECRET, address.key), now=town.time.now(), lifts=False,
            )  # fmt: skip
        for _ in range(5):
            town.time.pass_by(timedelta(hours=1))
            loop.run(process.run())
    yield town.world, Ledger.read(process.store, SECRET)
    process.stop()


def changed(row: Any, **values: Any) -> Any:
    return SimpleNamespace(**(row._asdict() | values))


def doubled(rows: Any) -> Any:
    return [*rows, rows[-1]]


def all_of(rows: Any, **values: Any) -> Any:
    return [changed(row, **values) for row in rows]


Spoil = Callable[[World, Ledger], tuple[World, Ledger]]

WRONG: dict[str, tuple[str, Spoil]] = {
    "a reader without a letter": ("I1", lambda w, b: (w, replace(b, letters=b.letters[:1]))),
    "a letter that is still due": (
        "I1", lambda w, b: (w, replace(b, letters=[one._replace(state="due") for one in b.letters])),
    ),
    "a post that nobody has": ("I2", lambda w, b: (replace(w, posts=[]), b)),
    "a letter that nobody has": ("I2", lambda w, b: (replace(w, copies=w.copies[:1]), b)),
    "a letter from nowhere": ("I3", lambda w, b: (replace(w, copies=[*w.copies, Copy("x@y.test", "<x>", "")]), b)),
    "a letter to somebody else": (
        "I3", lambda w, b: (replace(w, copies=[w.copies[0]._replace(to="eve@readers.test"), *w.copies[1:]]), b),
    ),
    "a post from nowhere": ("I3", lambda w, b: (replace(w, posts=[*w.posts, Post(CHANNEL, "https://x.test/")]), b)),
    "a letter twice for no reason": ("I4", lambda w, b: (replace(w, copies=doubled(w.copies)), b)),
    "a letter that differs": (
        "I5", lambda w, b: (replace(w, kills=1, copies=[*w.copies, w.copies[-1]._replace(data="x")]), b),
    ),
    "a letter to one who left": ("I6", lambda w, b: (replace(w, left={READERS[0]: 0}), b)),
    "a post twice": ("I8", lambda w, b: (replace(w, posts=doubled(w.posts)), b)),
    "letters of an edition that waits": (
        "rule 14", lambda w, b: (w, replace(b, editions=all_of(b.editions, state="held"))),
    ),
    "a slot twice": ("I10", lambda w, b: (w, replace(b, editions=doubled(b.editions)))),
    "an article in two editions": ("I11", lambda w, b: (w, replace(b, edition_articles=doubled(b.edition_articles)))),
    "a claim of nobody": ("I14", lambda w, b: (w, replace(b, claimants=frozenset({"run-1"})))),
    "attempts that nobody counted": ("I15", lambda w, b: (w, replace(b, deliveries=all_of(b.deliveries, attempts=0)))),
    "two at a time": (
        "rule 12",
        lambda w, b: (w, replace(b, deliveries=[*b.deliveries, *all_of([b.deliveries[0]] * 2, state="claimed")])),
    ),
}  # fmt: skip


def test_nothing_is_wrong_where_nothing_went_wrong(kept: tuple[World, Ledger]) -> None:
    world, ledger = kept
    assert (len(world.posts), len(world.copies)) == (1, 2)
    assert broken(world, ledger, drained=True) == []


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named(kept: tuple[World, Ledger], what: str) -> None:
    number, spoil = WRONG[what]
    found = broken(*spoil(*kept), drained=True)
    assert any(words.startswith(f"{number}:") for words in found), found


def test_a_kill_excuses_a_letter_that_came_twice_and_no_post(kept: tuple[World, Ledger]) -> None:
    world, ledger = kept
    killed = replace(world, kills=1, copies=doubled(world.copies))
    assert broken(killed, ledger, drained=True) == []
    assert broken(replace(killed, posts=doubled(world.posts)), ledger) != []


BACK: dict[str, Callable[[Ledger], Ledger]] = {
    "a post": lambda b: replace(b, deliveries=all_of(b.deliveries, state="planned")),
    "a delivery": lambda b: replace(b, deliveries=b.deliveries[1:]),
    "a letter": lambda b: replace(b, letters=[Letter(1, 1, "due", 0)]),
}


@pytest.mark.parametrize("what", BACK)
def test_what_was_sent_stays_so(kept: tuple[World, Ledger], what: str) -> None:
    _, ledger = kept
    assert undone(ledger, ledger) == []
    assert undone(ledger, BACK[what](ledger)) != []


def test_nobody_comes_back_from_suppression(kept: tuple[World, Ledger]) -> None:
    _, ledger = kept
    assert undone(replace(ledger, suppressions=frozenset({"x"})), ledger) != []


def test_feeds_that_differ_are_told(tmp_path: Path) -> None:
    files = {
        "feed.json": b'{"items": [{"title": "A", "id": "urn:1"}]}',
        "feed.xml": b"<rss><channel><item><guid>urn:1</guid></item></channel></rss>",
        "atom.xml": b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:1</id></entry></feed>',
    }
    assert feed_ids(files) == {"A": "urn:1"}
    with pytest.raises(AssertionError, match="Atom"):
        feed_ids(files | {"atom.xml": files["atom.xml"].replace(b"urn:1", b"urn:2")})
