"""The catalogue: what is stored comes back as it was, is found by what people type, and is listed in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from syndicate.article import State
from syndicate.errors import UsageError
from syndicate.store import articles, checks, ledger
from syndicate.store.database import Store
from tests.store.rows import DAY, HOUR, MINUTE, NOON, entry, put_articles, set_article


def test_an_article_comes_back_as_it_was_written(store: Store) -> None:
    said = {
        "title": 'Grüße, 名前 & "quotes"',
        "authors": ("Ada", "Bo"),
        "tags": (),
        "channels": (),
        "repairs": ("line 3: x",),
        "own_words": {"linkedin": "Mine."},
        "hero_image": None,
        "published": "2026-11-23",
        "body": "# Text\r\n",
    }
    manuscript = replace(entry(1).manuscript, **said)
    written = entry(1)._replace(manuscript=manuscript, reasons=("too-short: 8 words",))
    store.write_now(articles.save, [written], is_new=True)
    [row] = store.read_now(articles.to_judge, ["id-1"])
    assert articles.entry_of(row) == written
    found = store.read_now(articles.get, "id-1")
    assert found is not None
    assert found.manuscript == written.manuscript


def test_moments_keep_their_microseconds(store: Store) -> None:
    moment = NOON + timedelta(microseconds=123_457)
    put_articles(store, 1, at=moment)
    found = store.read_now(articles.get, "id-1")
    assert found is not None
    assert (found.released, found.first_seen) == (moment, moment)


def test_several_are_read_in_the_order_asked_for(store: Store) -> None:
    put_articles(store, 1, 2, 3)
    assert [one.id for one in store.read_now(articles.many, ["id-3", "id-9", "id-1"])] == ["id-3", "id-1"]


# --- finding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["id-1", "urn:uuid:id-1", "a1", "a1.md"])
def test_an_article_is_found_by_id_slug_or_path(store: Store, typed: str) -> None:
    put_articles(store, 1, 2)
    assert store.read_now(articles.find, typed).id == "id-1"


def test_a_word_that_means_several_names_them(store: Store) -> None:
    put_articles(store, 1, 2)
    set_article(store, 2, slug="a1")
    with pytest.raises(UsageError, match=r"a1\.md, a2\.md"):
        store.read_now(articles.find, "a1")
    assert store.read_now(articles.find, "a2.md").id == "id-2"


def test_what_is_gone_is_found_only_where_nothing_else_is(store: Store) -> None:
    put_articles(store, 1, 2)
    set_article(store, 1, state="gone")
    assert store.read_now(articles.find, "a1.md").state is State.GONE
    set_article(store, 2, path="a1.md")
    assert store.read_now(articles.find, "a1.md").id == "id-2"


@pytest.mark.parametrize("typed", ["", "nothing", "%", "a_", "' OR 1=1 --"])
def test_what_is_not_there_is_said_so(store: Store, typed: str) -> None:
    put_articles(store, 1)
    with pytest.raises(UsageError, match="there is no article"):
        store.read_now(articles.find, typed)


# --- listing ----------------------------------------------------------------------------------------------------------


def test_the_newest_ready_come_first_and_nobody_else(store: Store) -> None:
    for number in (1, 2, 3, 4):
        put_articles(store, number, at=NOON + number * MINUTE)
    set_article(store, 3, state="held")
    set_article(store, 4, released=NOON)
    newest = store.read_now(articles.newest_released, 2)
    assert newest == [("id-2", NOON + 2 * MINUTE), ("id-1", NOON + MINUTE)]


def test_the_catalogue_lists_every_state_and_each_alone(store: Store) -> None:
    put_articles(store, 1, 2)
    set_article(store, 2, state="rejected")
    assert {one.id for one in store.read_now(articles.listing)} == {"id-1", "id-2"}
    assert [one.id for one in store.read_now(articles.listing, "rejected")] == ["id-2"]
    assert store.read_now(articles.counts) == {"ready": 1, "rejected": 1}


def test_held_articles_are_found_by_their_rule(store: Store) -> None:
    put_articles(store, 1, 2, 3)
    set_article(store, 1, state="held", reasons='["too-short: 3 words", "clash: a2.md"]')
    set_article(store, 2, state="held", reasons='["duplicate-title: a3.md"]')
    assert store.read_now(articles.held_by, "clash") == ["id-1"]
    assert store.read_now(articles.held_by, None) == ["id-1", "id-2"]
    assert store.read_now(articles.held_by, "max-new") == []


# --- scanning ---------------------------------------------------------------------------------------------------------


def test_known_files_are_those_that_are_not_gone(store: Store) -> None:
    put_articles(store, 1, 2)
    set_article(store, 2, state="gone")
    assert list(store.read_now(articles.known, "articles")) == ["a1.md"]
    assert store.read_now(articles.known, "other") == {}


def test_missed_is_noted_once_and_only_where_the_file_was(store: Store) -> None:
    put_articles(store, 1)
    store.write_now(articles.missed, "articles", ["a1.md", "elsewhere.md"], NOON)
    store.write_now(articles.missed, "articles", ["a1.md"], NOON + HOUR)
    assert store.read_now(articles.away, "articles", ()) == {"a1.md": ("id-1", NOON)}
    store.write_now(articles.found_again, ["id-1"])
    assert store.read_now(articles.away, "articles", ()) == {}


def test_away_are_the_files_asked_for_and_those_missed_before_but_nothing_gone(store: Store) -> None:
    put_articles(store, 1, 2, 3, 4)
    store.write_now(articles.missed, "articles", ["a1.md", "a4.md"], NOON)
    set_article(store, 4, state="gone")
    assert store.read_now(articles.away, "articles", {"a2.md", "a4.md", "nowhere.md"}) == {
        "a1.md": ("id-1", NOON),
        "a2.md": ("id-2", None),
    }
    assert store.read_now(articles.away, "other", {"a2.md"}) == {}


def test_more_files_may_be_missing_than_a_statement_takes_values(store: Store) -> None:
    put_articles(store, 1, 2)
    many = [f"{number}.md" for number in range(70_000)]
    store.write_now(articles.missed, "articles", [*many, "a1.md"], NOON)
    assert set(store.read_now(articles.away, "articles", ())) == {"a1.md"}
    store.write_now(articles.found_again, [*many, "id-1"])
    assert store.read_now(articles.away, "articles", ()) == {}
    store.write_now(articles.missed, "articles", ["a1.md"], NOON)
    assert store.write_now(articles.gone, [*many, "id-1"]) == ["id-1"]
    store.write_now(ledger.cancel_open, many, "gone: x")


def test_only_what_was_missed_before_is_gone(store: Store) -> None:
    put_articles(store, 1, 2)
    store.write_now(articles.missed, "articles", ["a1.md"], NOON)
    assert store.write_now(articles.gone, ["id-1", "id-2"]) == ["id-1"]
    assert store.write_now(articles.gone, ["id-1"]) == []


def test_revisions_are_counted(store: Store) -> None:
    assert store.read_now(articles.revision) == 0
    for _ in range(3):
        store.write_now(articles.revise)
    assert store.read_now(articles.revision) == 3


def test_an_outage_keeps_the_moment_it_began_and_ends_with_a_scan(store: Store) -> None:
    store.write_now(articles.outage, "articles", "no such file", NOON)
    store.write_now(articles.outage, "articles", "permission denied", NOON + HOUR)
    assert store.read_now(articles.outages) == {"articles": "permission denied"}
    store.write_now(articles.scanned, "articles", NOON + DAY, complete=True)
    assert store.read_now(articles.outages) == {}
    assert store.read_now(articles.baseline_at, "articles") == NOON + DAY


def test_a_baseline_ends_with_the_first_complete_scan_and_stays(store: Store) -> None:
    store.write_now(articles.scanned, "articles", NOON, complete=False)
    assert store.read_now(articles.baseline_at, "articles") is None
    store.write_now(articles.scanned, "articles", NOON + HOUR, complete=True)
    store.write_now(articles.scanned, "articles", NOON + DAY, complete=True)
    assert store.read_now(articles.baseline_at, "articles") == NOON + HOUR


def test_an_address_that_is_none_is_no_picture() -> None:
    assert checks.image_address("https://site.example/a/", "b.png") == "https://site.example/a/b.png"
    assert checks.image_address("https://site.example/a/", "https://[image]/b.png") is None
    assert checks.image_address("https://site.example/a/", None) is None
