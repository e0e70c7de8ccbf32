"""The contract of the commands: shapes of JSON, exit codes, what goes to which stream. Read from the outside only."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import re
import sqlite3
import stat
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import tests.acceptance.newsroom as make
from syndicate import config
from syndicate.store import pauses
from syndicate.store.database import open_ledger
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Newsroom, until
from tests.doubles.linkedin import LinkedInDouble

Make = Callable[..., Newsroom]

REHEARSAL: dict[str, Any] = {
    "review": {"first_run": "announce"},
    "email": {"sender": "The Courier <news@courier.test>"},
    "digests": [{"name": "weekly", "schedule": "0 9 * * FRI"}, {"name": "daily", "schedule": "daily 10:00"}],
    "linkedin": make.NO_PACE,
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    """A newsroom in rehearsal after its first pass, for tests that only look. One file for each verdict."""
    town = Newsroom(tmp_path_factory.mktemp("town"), **REHEARSAL)
    town.write(1, raw="tags: ['harbour', 'people']\nheroImage: 'images.example/lamp.jpg'", publish_date="2026-02-01")
    town.write(2, "deep/er/two.md", subtitle=None, description=None, cta=None, author=None, publish_date=None)
    town.write(3, "short.md", body="Too few words.")
    town.write(4, "nothing.md", title=None, body="")
    town.write(5, "later.md", publish_date="2026-05-01T10:00:00+02:00")
    town.write(6, "draft.md", raw="draft: true")
    (town.content / "broken.md").write_text("---\ntitle: 'It's a town's market'\n---\n\n" + make.story(7), "utf-8")
    (town.content / "README.md").write_text("# Not an article\n", "utf-8")
    town.run("subscribers", "add", "ada@readers.test", "--name", "Ada", now=FRIDAY)
    town.run("subscribers", "add", "bo@readers.test", "--digest", "daily", now=FRIDAY)
    town.first = town.run("run", "--once", "--json", now=FRIDAY)  # type: ignore[attr-defined]
    return town


def of(value: object, *kinds: type) -> bool:
    return type(value) in kinds


def is_moment(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == timedelta(0)


def everything_below(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What stands in a folder; the database by its content, since reading may touch its files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("syndicate.db") and "owners" not in path.parts:
            found[str(path)] = (path.stat().st_size, path.read_bytes())
    with sqlite3.connect(folder / "syndicate.db") as database:
        rows = [line for line in database.iterdump() if '"owners"' not in line]
    database.close()
    return found | {"database": (len(rows), "\n".join(rows).encode())}


# --- shapes -----------------------------------------------------------------------------------------------------------


def test_articles_lists_every_file_once_in_the_contracts_shape(town: Newsroom) -> None:
    found = town.articles()
    assert sorted(found) == [
        "001-walk.md", "broken.md", "deep/er/two.md", "draft.md", "later.md", "nothing.md", "short.md",
    ]  # fmt: skip
    for one in found.values():
        assert set(one) >= {
            "id", "source", "path", "slug", "url", "title", "subtitle", "description", "authors", "tags", "cta",
            "hero_image", "reading_time", "published", "created", "released", "first_seen", "updated", "words",
            "state", "reasons",
        }  # fmt: skip
        UUID(one["id"])
        assert of(one["reading_time"], int) and of(one["words"], int)
        for field in ("authors", "tags", "reasons"):
            assert of(one[field], list) and all(of(entry, str) for entry in one[field])
        for field in ("title", "subtitle", "description", "cta", "hero_image", "published", "created"):
            assert one[field] is None or one[field]
        assert is_moment(one["first_seen"]) and is_moment(one["updated"])
        assert (one["released"] is not None) == (one["state"] == "ready")


def test_articles_tell_what_the_file_states_and_null_for_what_it_does_not(town: Newsroom) -> None:
    found = town.articles()
    full, bare = found["001-walk.md"], found["deep/er/two.md"]
    assert full["title"] == make.title(1)
    assert full["authors"] == ["Writer 1"]
    assert full["tags"] == ["harbour", "people"]
    assert full["hero_image"] == "https://images.example/lamp.jpg"
    assert (full["published"], full["created"]) == ("2026-02-01", "2026-03-02")
    assert full["slug"] == "001-walk"
    assert full["url"] == "https://courier.example/001-walk/"
    assert datetime.fromisoformat(full["released"]).date() == date(2026, 3, 2)  # a first scan: its created date
    assert full["reading_time"] == 1  # computed, whatever the file claims
    assert [bare[key] for key in ("subtitle", "description", "cta", "hero_image", "published")] == [None] * 5
    assert (bare["authors"], bare["tags"]) == ([], [])
    assert found["later.md"]["published"] == "2026-05-01T10:00:00+02:00"
    assert found["broken.md"]["title"] == "It's a town's market"


def test_each_verdict_has_its_state_and_a_fixed_code(town: Newsroom) -> None:
    found = town.articles()
    states = {path: one["state"] for path, one in found.items()}
    assert states == {
        "001-walk.md": "ready", "deep/er/two.md": "ready", "broken.md": "ready", "short.md": "held",
        "nothing.md": "rejected", "later.md": "scheduled", "draft.md": "draft",
    }  # fmt: skip
    assert found["short.md"]["reasons"][0].startswith("too-short:")
    assert found["later.md"]["reasons"][0].startswith("future:")
    assert found["nothing.md"]["reasons"] and found["draft.md"]["reasons"]
    assert [one["path"] for one in town.ask("articles", "--state", "held")] == ["short.md"]


def test_an_article_is_found_by_id_slug_and_path(town: Newsroom) -> None:
    wanted = town.articles()["deep/er/two.md"]
    for name in (wanted["id"], "two", "deep/er/two.md"):
        shown = town.ask("articles", "show", name)
        assert {key: shown[key] for key in wanted} == wanted
    missed = town.run("articles", "show", "no-such-thing", code=2)
    assert "no-such-thing" in missed.err and missed.out == ""
    assert "nonsense" in town.run("articles", "--state", "nonsense", code=2).err


def test_deliveries_have_the_contracts_shape(town: Newsroom) -> None:
    found = town.deliveries()
    assert len(found) == 3
    for one in found:
        assert set(one) >= {
            "id", "channel", "kind", "subject", "title", "state", "planned_for", "attempts", "sent_at",
            "external_id", "url", "error", "people",
        }  # fmt: skip
        assert (one["channel"], one["kind"], one["state"], one["attempts"]) == ("linkedin", "article", "rehearsed", 1)
        assert [one[key] for key in ("sent_at", "external_id", "url", "error", "people")] == [None] * 5
        assert is_moment(one["planned_for"])
    ready = {one["id"]: one["title"] for one in town.articles().values() if one["state"] == "ready"}
    assert {one["subject"]: one["title"] for one in found} == ready
    assert town.ask("deliveries", "--state", "failed") == []
    assert town.ask("deliveries", "--channel", "email") == []
    town.run("deliveries", "--state", "nonsense", code=2)


def test_plan_is_a_forecast_that_stores_nothing(town: Newsroom) -> None:
    before = everything_below(town.data)
    rows = town.ask("plan", "--days", "7", now=FRIDAY + timedelta(minutes=1))
    assert rows, "three articles are candidates for the weekly digest"
    for row in rows:
        assert set(row) >= {"article", "title", "channel", "state", "planned_for", "reason"}
        assert all(of(row[key], str) for key in ("article", "title", "channel", "state", "reason"))
        assert row["planned_for"] is None or is_moment(row["planned_for"])
    assert everything_below(town.data) == before


def test_status_is_one_object_of_counts(town: Newsroom) -> None:
    found = town.ask("status", now=FRIDAY + timedelta(minutes=1))
    assert set(found) >= {
        "articles", "deliveries", "letters", "subscribers", "editions", "paused", "oldest_due_seconds", "problems",
    }  # fmt: skip
    assert found["articles"] == {"ready": 3, "held": 1, "rejected": 1, "scheduled": 1, "draft": 1}
    assert found["deliveries"] == {"linkedin": {"rehearsed": 3}}
    assert found["subscribers"] == {"active": 2}
    assert (found["letters"], found["editions"], found["paused"]) == ({}, 0, {})
    assert (found["oldest_due_seconds"], found["problems"]) == (None, [])


def test_subscribers_are_listed_in_the_contracts_shape(town: Newsroom) -> None:
    found = {one["email"]: one for one in town.ask("subscribers", "list")}
    assert sorted(found) == ["ada@readers.test", "bo@readers.test"]
    for one in found.values():
        assert set(one) >= {"email", "name", "state", "digests", "since", "reason"}
        assert one["state"] == "active" and one["reason"] is None and is_moment(one["since"])
    assert found["ada@readers.test"]["digests"] == ["weekly"]  # the first in the file
    assert found["bo@readers.test"]["digests"] == ["daily"]
    assert found["ada@readers.test"]["name"] == "Ada"


@pytest.mark.parametrize("words", [["articles"], ["plan"]])
def test_results_are_on_stdout_and_words_are_not(town: Newsroom, words: list[str]) -> None:
    plain = town.run(*words, now=FRIDAY + timedelta(minutes=1))
    assert plain.out.strip() and plain.err == ""


# --- the rehearsal's outbox -------------------------------------------------------------------------------------------


def test_a_rehearsed_post_is_the_whole_request_with_its_token_masked(town: Newsroom) -> None:
    files = town.outbox("linkedin")
    assert len(files) == 3 and all(path.suffix == ".json" for path in files)
    for path in files:
        document = json.loads(path.read_text("utf-8"))
        assert set(document) == {"method", "url", "headers", "body"}
        assert document["method"] == "POST"
        assert document["url"] == "https://api.linkedin.com/rest/posts"
        assert document["headers"]["Authorization"] == "Bearer ***"
        assert of(document["body"], dict) and document["body"]["commentary"]
    shown = {json.loads(path.read_text("utf-8"))["body"]["content"]["article"]["source"] for path in files}
    assert shown == {one["url"] for one in town.articles().values() if one["state"] == "ready"}


def test_a_preview_is_what_the_rehearsal_wrote(town: Newsroom) -> None:
    article = town.articles()["001-walk.md"]
    written = [json.loads(path.read_text("utf-8")) for path in town.outbox("linkedin")]
    mine = next(one for one in written if one["body"]["content"]["article"]["source"] == article["url"])
    shown = town.ask("preview", "001-walk", "--channel", "linkedin")
    assert shown["body"] == mine["body"]
    letter = town.run("preview", "--digest", "weekly", now=FRIDAY + timedelta(minutes=1)).out
    assert article["title"] in letter
    page = town.folder / "page.html"
    town.run("preview", "--digest", "weekly", "-o", str(page), now=FRIDAY + timedelta(minutes=1))
    assert "<html" in page.read_text("utf-8") and article["title"] in page.read_text("utf-8")
    town.run("preview", "001-walk", code=2)
    town.run("preview", "001-walk", "--channel", "pigeon", code=2)


def test_dry_runs_show_articles_audience_and_text_and_write_nothing(town: Newsroom) -> None:
    before = everything_below(town.data)
    shown = town.run("send", "001-walk", "--to", "email,linkedin", "--dry-run", now=FRIDAY + timedelta(minutes=1))
    assert make.title(1) in shown.out and "2 people" in shown.out
    edition = town.run("digest", "weekly", "--dry-run", now=FRIDAY + timedelta(minutes=1))
    assert make.title(1) in edition.out and "1 people" in edition.out
    assert everything_below(town.data) == before


# --- options, configuration, exit codes -------------------------------------------------------------------------------


def test_global_options_stand_before_and_after_the_command(town: Newsroom) -> None:
    config = str(town.folder / "syndicate.toml")
    before = town.command("--config", config, "--json", "status", now=FRIDAY)
    after = town.command("status", "--json", f"--config={config}", "-q", "-v", "--now", FRIDAY.isoformat())
    by_name = town.command("status", "--json", "--now=" + FRIDAY.isoformat(), env={"SYNDICATE_CONFIG": config})
    assert before.code == after.code == by_name.code == 0
    assert before.json == after.json == by_name.json


def test_any_key_may_be_overridden_by_the_environment(newsroom: Make) -> None:
    site = newsroom()
    elsewhere = site.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.md").write_text(make.front(1), "utf-8")
    env = {
        "SYNDICATE_SOURCES__0__PATH": str(elsewhere),
        "SYNDICATE_SITE__URL": "https://other.example",
        "SYNDICATE_REVIEW__REQUIRE": '["title", "description"]',
        "SYNDICATE_DATA": "other",
    }
    done = site.run("run", "--once", "--json", env=env)
    assert done.json["files"] == 1
    written = json.loads((site.folder / "other" / "public" / "feed.json").read_text("utf-8"))
    assert written["home_page_url"].rstrip("/") == "https://other.example"
    assert "SYNDICATE_SIET__URL" in site.run("status", env={"SYNDICATE_SIET__URL": "x"}, code=2).err


def test_every_problem_of_the_configuration_is_listed_by_its_dotted_key(newsroom: Make) -> None:
    site = newsroom(site={"title": ""}, review={"delay": "soon", "min_wrods": 3}, linkedin={"min_gap": "2 moons"})
    for words in (["check"], ["run", "--once"]):
        done = site.run(*words, code=2)
        for key in ("site.title", "review.delay", "review.min_wrods", "linkedin.min_gap"):
            assert key in done.err + done.out, key


def test_what_is_typed_wrongly_ends_with_2(town: Newsroom) -> None:
    for words in (["no-such-command"], ["status", "--now", "yesterday"], ["digest", "monthly"],
                  ["send", "001-walk", "--to", "pigeon"], ["--config", "nowhere.toml", "status"]):  # fmt: skip
        done = town.run(*words, code=2)
        assert done.err and done.out == "", words


def test_the_version_and_the_help_are_told(town: Newsroom) -> None:
    assert re.fullmatch(r"syndicate \d+\.\d+\S*\n", town.run("--version").out)
    told = town.run("--help").out
    for word in ("init", "check", "run", "articles", "approve", "reject", "preview", "send", "digest", "pause",
                 "resume", "feeds", "plan", "status", "deliveries", "subscribers", "db"):  # fmt: skip
        assert re.search(rf"\b{word}\b", told), word


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"email": {"sender": "News <news@example.org>"}}, "email.sender"),
        ({"email": {"postal_address": ""}}, "email.postal_address"),
    ],
)
def test_live_mail_wants_a_sender_and_an_address_of_its_own(newsroom: Make, change: Any, key: str) -> None:
    site = newsroom(email=make.email(9))
    site.configure(**change)
    assert key in site.run("run", "--once", code=2).err


def test_live_mail_to_the_world_wants_links_that_the_world_can_follow(newsroom: Make) -> None:
    site = newsroom(email=make.email(9), digests=[{"name": "weekly"}])
    site.run("subscribers", "add", "somebody@gmail.com")
    assert "web.public_url" in site.run("digest", "weekly", "--yes", code=2).err


def test_init_writes_a_configuration_that_works_and_touches_nothing_that_is_there(tmp_path: Path) -> None:
    site = Newsroom(tmp_path / "site")
    site.write(1)
    config = site.folder / "syndicate.toml"
    assert "exists" in site.run("init", ".", code=2).err
    config.unlink()
    os.utime(site.content / "001-walk.md", (FRIDAY.timestamp(), FRIDAY.timestamp()))
    site.run("init", ".", "--templates")
    written = config.read_text("utf-8")
    assert 'path = "content"' in written
    assert list((site.folder / "templates").iterdir())
    done = site.run("run", "--once")
    assert "1 article ready" in done.out and "Rehearsal" in done.out
    assert site.outbox("linkedin") == []
    checked = site.ask("check")
    assert checked and all(set(one) >= {"what", "ok", "text"} and one["ok"] for one in checked)
    assert config.read_text("utf-8") == written


# --- baseline ---------------------------------------------------------------------------------------------------------


def test_a_first_run_announces_nothing_and_says_so(newsroom: Make) -> None:
    site = newsroom(linkedin=make.NO_PACE, email={}, **WEEKLY)
    for n in range(60):  # more than max_new: a baseline is exempt
        site.write(n)
    site.run("subscribers", "add", "ada@readers.test", now=FRIDAY)
    words = site.run("run", "--once", now=FRIDAY).out
    assert "60" in words and "none of them will be announced" in words
    assert "preview" in words and "send" in words
    again = site.run("run", "--once", "--json", now=SLOT + timedelta(minutes=1)).json
    assert (again["parsed"], again["editions"]) == (0, [])
    assert site.deliveries() == [] and site.outbox("linkedin") == [] and site.outbox("email") == []
    assert len(site.feed()["items"]) == 60  # all of one day: the newest 50 would cut it


def test_first_run_announce_announces_what_is_there_up_to_max_new(newsroom: Make) -> None:
    site = newsroom(linkedin=make.NO_PACE, review={"first_run": "announce", "max_new": 3})
    for n in range(3):
        site.write(n)
    site.run("run", "--once", now=FRIDAY)
    assert len(site.outbox("linkedin")) == 3


# --- people -----------------------------------------------------------------------------------------------------------


def test_people_are_added_removed_imported_and_exported(newsroom: Make) -> None:
    site = newsroom(email={}, digests=[{"name": "weekly"}])
    site.run("subscribers", "add", "ada@readers.test", "ADA@Readers.Test")  # the same person
    site.run("subscribers", "add", "nonsense", code=2)
    site.run("subscribers", "remove", "ada@readers.test")
    shown = site.ask("subscribers", "show", "Ada@readers.test")
    assert shown["state"] == "unsubscribed" and shown["reason"]
    listed = site.folder / "people.csv"
    listed.write_text(
        'email,name,tags,state\nbo@readers.test,Bo,"a,b",\nnot an address,X,,\nada@readers.test,Ada,,active\n'
        "cy@readers.test,=1+1,,unsubscribed\n",
        "utf-8",
    )
    done = site.run("subscribers", "import", str(listed), "--json", code=1)
    assert "line 3" in done.err and done.json["skipped"] == 1
    states = {one["email"]: one["state"] for one in site.ask("subscribers", "list")}
    assert states == {
        "ada@readers.test": "unsubscribed",
        "bo@readers.test": "active",
        "cy@readers.test": "unsubscribed",
    }
    out = site.folder / "out.csv"
    site.run("subscribers", "export", str(out))
    text = out.read_text("utf-8")
    assert text.splitlines()[0].startswith("email,")
    assert "bo@readers.test" in text and not re.search(r'(^|,)"?=1', text, re.M)
    site.run("subscribers", "remove", "cy@readers.test", "--erase")
    assert "kept out" in site.run("subscribers", "show", "cy@readers.test", code=2).err
    listed.write_text("email\ncy@readers.test\n", "utf-8")
    site.run("subscribers", "import", str(listed))
    assert site.ask("status")["subscribers"] == {"active": 1, "unsubscribed": 1}


def test_one_person_is_told_everything_and_forgotten_on_request(newsroom: Make) -> None:
    site = newsroom(email={}, digests=[{"name": "weekly", "schedule": "0 9 * * FRI"}], **FIRST)
    site.run("subscribers", "add", "ada@readers.test", "bo@readers.test", now=FRIDAY)
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    site.run("run", "--once", now=SLOT)
    for later in (SLOT, SLOT + timedelta(days=8)):  # at hand, and past
        site.run("run", "--once", now=later)
        shown = site.ask("subscribers", "show", "ada@readers.test")
        (one,) = shown["letters"]
        assert (one["subject"], one["state"], shown["suppressed"]) == ("weekly-2026-03-06", "rehearsed", None)
        assert site.ask("status")["letters"] == {"rehearsed": 2}
    assert "1 rehearsed" in site.run("subscribers", "show", "ada@readers.test").out
    assert len(site.outbox("email")) == 2
    site.run("subscribers", "remove", "ADA@readers.test", "--erase")
    assert [b"bo@readers.test" in path.read_bytes() for path in site.outbox("email")] == [True]
    assert "kept out" in site.run("explain", "ada@readers.test").out
    site.run("explain", "eve@readers.test", code=2)
    site.run("subscribers", "remove", "ada@readers.test", "--erase", code=2)
    (row,) = site.deliveries("email")
    assert row["people"] == {"rehearsed": 2}


def test_leavers_are_imported_as_such(newsroom: Make) -> None:
    site = newsroom(email={}, digests=[{"name": "weekly"}])
    listed = site.folder / "left.csv"
    listed.write_text("email\nx@readers.test\ny@readers.test\n", "utf-8")
    site.run("subscribers", "import", str(listed), "--as", "bounced")
    assert site.ask("status")["subscribers"] == {"bounced": 2}


# --- verdicts of a person ---------------------------------------------------------------------------------------------


def test_approve_and_reject_stand_for_good(newsroom: Make) -> None:
    site = newsroom(linkedin=make.NO_PACE, **FIRST)
    for n, name in ((1, "short.md"), (2, "brief.md"), (3, "terse.md")):
        site.write(n, name, body=f"Short text number {n}.")
    site.write(4, "long.md")
    site.run("run", "--once", now=FRIDAY)
    site.run("approve", "short", now=FRIDAY)
    site.run("approve", "--rule", "too-short", "--quiet", now=FRIDAY)
    site.run("reject", "long", "--because", "not ours", now=FRIDAY)
    found = site.articles()
    assert {path: one["state"] for path, one in found.items()} == {
        "short.md": "ready", "brief.md": "ready", "terse.md": "ready", "long.md": "rejected",
    }  # fmt: skip
    assert any("not ours" in reason for reason in found["long.md"]["reasons"])
    assert {item["url"] for item in site.feed()["items"]} == {
        found[path]["url"] for path in ("short.md", "brief.md", "terse.md")
    }
    site.write(4, "long.md", body=make.story(44))
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert site.articles()["long.md"]["state"] == "rejected"
    announced = {one["title"] for one in site.deliveries("linkedin") if one["state"] == "rehearsed"}
    assert announced == {make.title(4), make.title(1)}  # the last two were approved quietly


# --- sending by hand --------------------------------------------------------------------------------------------------


def test_a_rehearsal_uses_nothing_up(newsroom: Make, linkedin: LinkedInDouble, mail_server: MailServer) -> None:
    """Once live, `digest` and `send` send what was only rehearsed, each once."""
    site = newsroom(linkedin=make.NO_PACE, email={}, **FIRST, **WEEKLY)
    site.write(1)
    site.write(2)
    site.run("subscribers", "add", "ada@readers.test", "bo@readers.test", now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    rehearsed = site.ask("digest", "weekly", now=FRIDAY + timedelta(minutes=1))
    assert [(one["state"], one["people"]) for one in rehearsed] == [("rehearsed", {"rehearsed": 2})]
    letters = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in site.outbox("email")
    ]
    assert sorted(str(letter["To"]) for letter in letters) == ["ada@readers.test", "bo@readers.test"]
    assert all(letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" for letter in letters)
    assert len(site.outbox("linkedin")) == 2
    assert (linkedin.requests, mail_server.world) == ([], [])

    site.configure(linkedin=make.linkedin(linkedin.url), email=make.email(mail_server.port))
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=2))
    assert (linkedin.posts, mail_server.world) == ([], []), "going live announces nothing of before"
    assert "--yes" in site.run("digest", "weekly", now=FRIDAY + timedelta(minutes=3), code=2).err
    assert mail_server.world == []
    sent = site.ask("digest", "weekly", "--yes", now=FRIDAY + timedelta(minutes=3))
    assert [(one["state"], one["people"]) for one in sent] == [("sent", {"sent": 2})]
    assert sorted(one["to"] for one in mail_server.world) == ["ada@readers.test", "bo@readers.test"]
    posted = site.ask("send", "001-walk", "--to", "linkedin", now=FRIDAY + timedelta(minutes=4))
    assert [(one["state"], one["external_id"]) for one in posted] == [("sent", linkedin.posts[0].urn)]
    assert posted[0]["url"] == f"https://www.linkedin.com/feed/update/{linkedin.posts[0].urn}/"

    again = site.run("send", "001-walk", "--to", "linkedin", "--json", now=FRIDAY + timedelta(minutes=5))
    assert again.json == [] and "already" in again.err
    empty = site.run("digest", "weekly", "--yes", now=FRIDAY + timedelta(minutes=5))
    assert "nothing to send" in empty.err
    assert (len(linkedin.posts), len(mail_server.world)) == (1, 2)


def test_a_rehearsal_may_be_rehearsed_again_and_a_post_sent_again(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.NO_PACE)
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    for minute in (1, 2):
        site.run("send", "001-walk", "--to", "linkedin", now=FRIDAY + timedelta(minutes=minute))
    (row,) = site.deliveries()
    assert row["state"] == "rehearsed"
    site.configure(linkedin=make.linkedin(linkedin.url))
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=3))
    site.run("deliveries", "retry", str(row["id"]), now=FRIDAY + timedelta(minutes=4))
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=4))
    assert len(linkedin.posts) == 1
    site.write(1, description="Words that LinkedIn has not seen yet, for otherwise it calls the post a duplicate.")
    linkedin.duplicate_window = 0
    site.run("send", "001-walk", "--to", "linkedin", "--again", now=FRIDAY + timedelta(minutes=5))
    assert len(linkedin.posts) == 2
    assert [one["state"] for one in site.deliveries()] == ["sent", "sent"]


def test_a_test_letter_consumes_nothing_and_its_link_leaves_everybody_subscribed(
    newsroom: Make, mail_server: MailServer
) -> None:
    site = newsroom(email=make.email(mail_server.port), **FIRST, **WEEKLY)
    site.write(1)
    site.run("subscribers", "add", "ada@readers.test", now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.run("digest", "weekly", "--test", "boss@courier.test", now=FRIDAY)
    site.run("send", "001-walk", "--to", "email", "--test", "boss@courier.test", now=FRIDAY)
    assert [one["to"] for one in mail_server.world] == ["boss@courier.test"] * 2
    assert site.deliveries() == [] and site.ask("status")["letters"] == {}
    with site.daemon(now=FRIDAY):
        for letter in mail_server.world:
            status, _ = make.http(make.unsubscribe_link(letter["data"]), data=b"List-Unsubscribe=One-Click")
            assert status == 200
    assert site.ask("status")["subscribers"] == {"active": 1}
    sent = site.ask("digest", "weekly", "--yes", now=FRIDAY)
    assert sent[0]["people"] == {"sent": 1}


def test_send_at_waits_for_its_moment_and_may_be_cancelled(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url))
    site.write(1)
    site.write(2)
    site.run("run", "--once", now=FRIDAY)
    for name in ("001-walk", "002-walk"):
        site.run("send", name, "--to", "linkedin", "--at", "2026-03-06T10:30", now=FRIDAY + timedelta(minutes=1))
    planned = {one["title"]: one for one in site.deliveries("linkedin")}
    assert {one["state"] for one in planned.values()} == {"planned"}
    assert {one["planned_for"] for one in planned.values()} == {"2026-03-06T10:30:00+00:00"}
    site.run("run", "--once", now=FRIDAY + timedelta(hours=2, minutes=29))
    assert linkedin.posts == []
    site.run("deliveries", "cancel", str(planned[make.title(2)]["id"]))
    site.run("run", "--once", now=FRIDAY + timedelta(hours=2, minutes=31))
    assert [post.card["title"] for post in linkedin.posts if post.card] == [make.title(1)]
    assert {one["title"]: one["state"] for one in site.deliveries()} == {
        make.title(1): "sent", make.title(2): "cancelled",
    }  # fmt: skip


def test_an_article_sent_by_email_reaches_everybody_active_once(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(email=make.email(mail_server.port), digests=[{"name": "weekly"}, {"name": "daily"}])
    site.write(1)
    site.run("subscribers", "add", "ada@readers.test", now=FRIDAY)
    site.run("subscribers", "add", "bo@readers.test", "--digest", "daily", now=FRIDAY)
    done = site.ask("send", "001-walk", "--to", "email", "--yes", now=FRIDAY)
    assert [(one["kind"], one["state"], one["people"]) for one in done] == [("article", "sent", {"sent": 2})]
    assert sorted(one["to"] for one in mail_server.world) == ["ada@readers.test", "bo@readers.test"]
    site.run("send", "001-walk", "--to", "email", "--yes", now=FRIDAY + timedelta(minutes=1))
    assert len(mail_server.world) == 2


# --- pauses, feeds, database ------------------------------------------------------------------------------------------


def test_pause_keeps_the_queue_and_resume_lets_it_go(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), email={}, **FIRST, **WEEKLY)
    site.write(1)
    site.run("pause", "linkedin", "--because", "holidays", now=FRIDAY)
    site.run("pause", "weekly", now=FRIDAY)
    site.run("pause", "pigeon", code=2)
    done = site.run("run", "--once", now=FRIDAY)  # a person's pause is no fault: exit 0
    assert "paused: weekly: paused by hand" in done.out
    assert linkedin.requests == []
    paused = site.ask("status", now=FRIDAY)["paused"]
    assert paused["linkedin"] == "holidays" and "weekly" in paused
    assert all("holidays" in row["reason"] for row in site.ask("plan", now=FRIDAY) if row["channel"] == "linkedin")
    site.run("resume", "linkedin")
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert len(linkedin.posts) == 1
    site.run("pause")
    site.write(2)
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=2))
    assert len(linkedin.posts) == 1
    ids = [row["subject"] for row in site.ask("deliveries") if row["state"] != "sent"]
    put_off = site.run("send", *ids, "--to", "linkedin", "--yes", code=1)
    assert "paused: everything: paused by hand; what waits goes out after `syndicate resume`" in put_off.err
    assumed = site.run("resume", "--assume-sent", code=2)  # it would go out, whatever somebody meant by that
    assert "no backup was restored" in assumed.err
    assert len(linkedin.posts) == 1
    site.run("resume")
    assert site.ask("status")["paused"] == {}


def test_the_rest_of_a_domain_is_ended_as_its_problem_says(newsroom: Make) -> None:
    site = newsroom(email={}, **FIRST, **WEEKLY)
    site.run("run", "--once", now=FRIDAY)
    with contextlib.closing(open_ledger(config.load(site.folder / "syndicate.toml", {}))) as store:
        store.write_now(pauses.by_fault, "email:slow.example", "421 too fast", FRIDAY)
    assert site.ask("run", "--once", now=FRIDAY, code=1)["problems"] == ["email:slow.example: 421 too fast"]
    (problem,) = site.ask("status", now=FRIDAY)["problems"]
    said = re.search(r"`syndicate (.+?)` tries at once", problem)
    assert said and site.run(*said[1].split()) and site.ask("status")["paused"] == {}
    site.run("pause", "email:slow.example", code=2)


def test_feeds_are_written_elsewhere_on_demand(town: Newsroom, tmp_path: Path) -> None:
    done = town.ask("feeds", "--output", str(tmp_path / "public"))
    assert done["items"] == 3
    assert {path.name: path.read_bytes() for path in (tmp_path / "public").iterdir()} == town.feed_bytes()
    assert town.ask("feeds", "--output", str(tmp_path / "public"))["written"] == []


def test_the_database_is_checked_backed_up_and_restored(newsroom: Make) -> None:
    site = newsroom()
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    copy = site.folder / "copy.db"
    site.run("db", "backup", str(copy))
    site.run("db", "backup", str(copy), code=2)
    assert site.ask("db", "check")["problems"] == []
    site.run("db", "upgrade")
    site.write(2)
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert len(site.articles()) == 2
    site.run("db", "restore", str(copy))
    assert len(site.articles()) == 1
    other = site.folder / "other.db"
    other.write_bytes(b"nothing of ours" * 100)
    refused = site.run("db", "restore", str(other), code=1)
    assert "other.db is no backup of a syndicate database" in refused.err
    assert len(site.articles()) == 1
    with contextlib.closing(sqlite3.connect(site.folder / "var" / "syndicate.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "written by a newer syndicate (schema 9999)" in site.run("check", code=1).out
    site.run("db", "backup", str(site.folder / "as-it-is.db"))  # before an upgrade a copy is wanted most
    refused = site.run("db", "restore", str(site.folder / "as-it-is.db"), code=1)
    assert "was made by a newer syndicate (schema 9999)" in refused.err


def test_the_secret_is_for_its_owner_alone_and_no_token_is_ever_shown(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
    site.write(1)
    said = [site.run("-v", *words) for words in (["run", "--once"], ["check"], ["status"], ["deliveries", "--json"])]
    assert len(linkedin.posts) == 1
    token = linkedin.token
    assert not any(token in done.out + done.err for done in said)
    secret = site.data / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    for path in site.data.rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            assert token.encode() not in path.read_bytes(), path


def test_an_unknown_post_is_resolved_by_a_person(newsroom: Make) -> None:
    with LinkedInDouble(faults=["500-before", "500-before"]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        site.write(2)
        site.run("run", "--once", now=FRIDAY, code=1)
        in_doubt, waiting = sorted(site.deliveries("linkedin"), key=lambda one: str(one["state"]), reverse=True)
        assert (in_doubt["state"], waiting["state"]) == ("unknown", "planned") and in_doubt["error"]
        first, second = str(in_doubt["id"]), str(waiting["id"])
        site.run("deliveries", "retry", first, code=2)  # it may be there: nobody repeats it blindly
        site.run("deliveries", "resolve", first, code=2)
        site.run("deliveries", "resolve", first, "--sent", "https://www.linkedin.com/feed/update/urn:li:share:1/")
        site.run("run", "--once", now=FRIDAY + timedelta(seconds=9), code=1)
        site.run("deliveries", "resolve", second, "--not-sent")
        states = {str(one["id"]): (one["state"], one["url"]) for one in site.deliveries()}
        assert states[first] == ("sent", "https://www.linkedin.com/feed/update/urn:li:share:1/")
        site.run("deliveries", "retry", second, now=FRIDAY + timedelta(hours=1))
        site.run("run", "--once", now=FRIDAY + timedelta(hours=1))
        assert len(linkedin.posts) == 1
        assert {one["state"] for one in site.deliveries()} == {"sent"}


def test_once_and_now_are_told_in_json(town: Newsroom) -> None:
    first = town.first.json  # type: ignore[attr-defined]
    assert (first["files"], first["parsed"], first["released"], first["problems"]) == (7, 7, 3, [])
    assert until(lambda: is_moment(town.articles()["001-walk.md"]["first_seen"]), "a moment", 1)
    seen = datetime.fromisoformat(town.articles()["001-walk.md"]["first_seen"])
    assert abs(seen - FRIDAY) < timedelta(seconds=30)  # --now shifts every clock


def test_a_worker_makes_no_database(tmp_path: Path) -> None:
    site = Newsroom(tmp_path / "site")
    assert "is empty: start `syndicate run` first" in site.run("worker", code=1).err
