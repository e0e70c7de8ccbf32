"""Power cuts, lost answers and storms of kills: what the world saw afterwards is what should have been sent, once.

The program is killed at named points of its code (`SYNDICATE_CRASH`, SIGKILL) or at any moment, and started again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Newsroom, until
from tests.doubles.linkedin import LinkedInDouble, Token

Make = Callable[..., Newsroom]

ARTICLES = 3
READERS = make.people(60)
GROUP = 25  # letters a connection may have on the wire
AFTER_DOUBT = timedelta(seconds=20)  # a doubtful post is repeated 5 to 15 seconds later


# --- what must hold in the world --------------------------------------------------------------------------------------


def assert_on_linkedin_once(site: Newsroom, world: LinkedInDouble, count: int) -> dict[str, str]:
    """Each article stands on LinkedIn exactly once; returns id by address."""
    cards = [post.card["source"] for post in world.posts if post.card]
    ready = {item["url"]: item["id"].removeprefix("urn:uuid:") for item in site.feed()["items"]}
    assert sorted(cards) == sorted(ready), "each article is on LinkedIn exactly once"
    assert len(cards) == count
    return ready


def settle_quarantined(site: Newsroom, world: LinkedInDouble, now: datetime) -> set[str]:
    """Do as a person does with rows at which the program died three times (rule 6); returns their articles."""
    settled = set()
    for row in site.deliveries("linkedin"):
        if row["state"] in ("unknown", "held"):
            assert "the program died 3 times" in row["error"] or "too late to repeat" in row["error"], row
            settled.add(row["subject"])
            url = site.ask("articles", "show", row["subject"])["url"]
            there = next((post for post in world.posts if post.card and post.card["source"] == url), None)
            if row["state"] == "held":
                assert there is None, row
                site.run("approve", row["subject"], now=now)
            elif there is None:
                site.run("deliveries", "resolve", str(row["id"]), "--not-sent", now=now)
                site.run("deliveries", "retry", str(row["id"]), now=now)
            else:
                permalink = f"https://www.linkedin.com/feed/update/{there.urn}/"
                site.run("deliveries", "resolve", str(row["id"]), "--sent", permalink, now=now)
    mailings = [row for row in site.deliveries("email") if (row["people"] or {}).get("unknown")]
    for row in mailings:
        site.run("deliveries", "retry", str(row["id"]), now=now)
    if settled or mailings:
        site.run("run", "--once", now=now + timedelta(minutes=1))
    return settled


def assert_posted_once(
    site: Newsroom, world: LinkedInDouble, count: int, by_hand: Collection[str] = frozenset()
) -> None:
    """Each article stands on LinkedIn exactly once, and the ledger knows it by its URN."""
    ready = assert_on_linkedin_once(site, world, count)
    rows = {one["subject"]: one for one in site.deliveries("linkedin")}
    assert {row["state"] for row in rows.values()} == {"sent"}, rows
    for post in world.posts:
        assert post.card
        row = rows[ready[post.card["source"]]]
        assert row["external_id"] == post.urn or (row["subject"] in by_hand and row["external_id"] is None)
        assert row["url"] == f"https://www.linkedin.com/feed/update/{post.urn}/"


def assert_mailed_once(world: Sequence[dict[str, Any]], readers: Sequence[str], *, repeats: int) -> None:
    """Everybody got the edition; repeats are identical, bear the same Message-ID, and are few."""
    copies: dict[str, list[tuple[str, str]]] = {}
    for letter in world:
        copies.setdefault(letter["to"], []).append((letter["message_id"], letter["data"]))
    assert sorted(copies) == sorted(readers), "everybody, and nobody else"
    for reader, letters in copies.items():
        assert len(set(letters)) == 1, f"{reader} got letters that differ"
    assert len({letters[0][0] for letters in copies.values()}) == len(readers), "each has a Message-ID of his own"
    assert len(world) - len(readers) <= repeats, f"{len(world) - len(readers)} letters came twice"


def assert_feeds_are_whole(site: Newsroom, count: int) -> None:
    """All three feeds can be read and hold every article once; no draft of a file is left."""
    urls = sorted(f"https://courier.example/{n:03}-walk/" for n in range(count))
    files = site.feed_bytes()
    assert sorted(files) == ["atom.xml", "feed.json", "feed.xml"]
    assert sorted(item["url"] for item in json.loads(files["feed.json"])["items"]) == urls
    rss, atom = ElementTree.fromstring(files["feed.xml"]), ElementTree.fromstring(files["atom.xml"])
    assert sorted(link.text or "" for link in rss.iterfind(".//item/link")) == urls
    assert len(atom.findall("{http://www.w3.org/2005/Atom}entry")) == len(urls)


def assert_sound(site: Newsroom) -> None:
    assert site.ask("db", "check")["problems"] == []
    assert site.ask("status", now=SLOT + timedelta(hours=1))["problems"] == []


# --- killed at a named point ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    [
        "scan.read", "announce.tx", "feed.tmp:2", "feed.written", "plan.tx", "claim.done:2",
        "attempt.begun", "social.accepted:2", "settle.done:2",
    ],
)  # fmt: skip
def test_after_a_crash_each_article_is_on_linkedin_exactly_once(
    newsroom: Make, linkedin: LinkedInDouble, point: str
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
    for n in range(ARTICLES):
        site.write(n)
    site.crash(point, "run", "--once", now=FRIDAY)
    done = site.ask("run", "--once", now=FRIDAY + AFTER_DOUBT)
    assert done["deliveries"] == {"linkedin": {"sent": ARTICLES}}
    assert_on_linkedin_once(site, linkedin, ARTICLES)
    assert_feeds_are_whole(site, ARTICLES)


@pytest.fixture(scope="module")
def before_the_slot(tmp_path_factory: pytest.TempPathFactory) -> Newsroom:
    """A newsroom with readers and articles, an hour before its digest. Copied, never used itself."""
    site = Newsroom(tmp_path_factory.mktemp("before"), email=make.email(9), **FIRST, **WEEKLY)
    site.configure(email={"smtp": {"connections": 1}})
    readers = site.folder / "readers.csv"
    readers.write_text("email\n" + "\n".join(READERS) + "\n", "utf-8")
    site.run("subscribers", "import", str(readers), now=FRIDAY)
    for n in range(ARTICLES):
        site.write(n)
    site.run("run", "--once", now=FRIDAY)
    return site


@pytest.fixture
def before_the_digest(before_the_slot: Newsroom, tmp_path: Path, mail_server: MailServer) -> Newsroom:
    shutil.copytree(before_the_slot.folder, tmp_path / "site")
    site = Newsroom(tmp_path / "site")
    site.settings = deepcopy(before_the_slot.settings) | {"web": site.settings["web"]}
    site.configure(email={"smtp": {"port": mail_server.port}})
    return site


@pytest.mark.parametrize(
    ("point", "repeats"),
    [
        ("freeze.rendered", 0),  # between its two transactions
        ("freeze.fill", 0),
        ("claim.done", 0),
        ("smtp.body:2", 1),  # the first letter is out and not settled
        ("smtp.dot:2", 2),
        ("smtp.accepted", GROUP),
        ("smtp.accepted:49", GROUP),  # the last but one of the second group
        ("claim.done:3", 0),  # two groups are settled, the third is claimed
        ("mail.settled", 0),
    ],
)
def test_after_a_crash_each_reader_has_the_edition_once(
    before_the_digest: Newsroom, mail_server: MailServer, point: str, repeats: int
) -> None:
    site = before_the_digest
    site.crash(point, "run", "--once", now=SLOT + timedelta(seconds=5))
    assert len(mail_server.world) < len(READERS) or point == "mail.settled"
    done = site.ask("run", "--once", now=SLOT + timedelta(seconds=10))
    assert done["deliveries"] == {"email": {"sent": 1}}
    assert_mailed_once(mail_server.world, READERS, repeats=repeats)
    if point == "smtp.accepted:49":
        site.run("run", "--once", now=SLOT + timedelta(minutes=5))
        (row,) = site.deliveries("email")
        assert (row["state"], row["people"]) == ("sent", {"sent": len(READERS)})
        assert_mailed_once(mail_server.world, READERS, repeats=repeats)


def test_a_letter_that_was_in_hand_at_three_crashes_waits_for_a_person_and_nobody_else_does(
    before_the_digest: Newsroom, mail_server: MailServer
) -> None:
    site, at = before_the_digest, [SLOT + timedelta(minutes=n) for n in range(6)]
    site.crash("claim.done", "run", "--once", now=at[0])  # the first five
    site.crash("smtp.accepted:56", "run", "--once", now=at[1])  # all others, then the first of the five alone
    site.crash("smtp.accepted:5", "run", "--once", now=at[2])  # the rest of the five, then the first again
    done = site.run("run", "--once", now=at[3], code=1)
    (row,) = site.deliveries("email")
    assert f"deliveries retry {row['id']}" in done.err
    assert (row["state"], row["people"]) == ("sent", {"sent": len(READERS) - 1, "unknown": 1})
    assert_mailed_once(mail_server.world, READERS, repeats=1)
    site.run("run", "--once", now=at[4])
    assert len(mail_server.world) == len(READERS) + 1
    site.run("deliveries", "retry", str(row["id"]), now=at[5])
    site.run("run", "--once", now=at[5] + timedelta(minutes=1))
    assert_mailed_once(mail_server.world, READERS, repeats=2)
    assert site.deliveries("email")[0]["people"] == {"sent": len(READERS)}


def test_a_crash_while_somebody_leaves_is_an_error_for_him_and_his_link_still_works(
    before_the_digest: Newsroom, mail_server: MailServer
) -> None:
    site = before_the_digest
    site.run("run", "--once", now=SLOT)
    link = make.unsubscribe_link(mail_server.to(READERS[0])[0]["data"])
    with site.daemon(now=SLOT, env={"SYNDICATE_CRASH": "unsub.commit"}) as daemon:
        with pytest.raises(OSError):  # no answer: nobody may say "done" before it is committed
            make.http(link, data=b"List-Unsubscribe=One-Click")
        daemon.process.wait(10)
    assert site.ask("subscribers", "show", READERS[0])["state"] == "active"
    with site.daemon(now=SLOT) as daemon:
        assert make.http(link, data=b"List-Unsubscribe=One-Click")[0] == 200
        daemon.kill()  # at once: what was answered stands
    assert site.ask("subscribers", "show", READERS[0])["state"] == "unsubscribed"


def test_three_crashes_at_one_article_set_it_aside_and_the_others_go_on(
    newsroom: Make, linkedin: LinkedInDouble
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
    site.write(1)
    for _ in range(3):
        site.crash("claim.done", "run", "--once", now=FRIDAY)
    site.write(2)
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    states = {one["title"]: (one["state"], one["error"]) for one in site.deliveries("linkedin")}
    state, why = states[make.title(1)]
    assert state == "held" and "3 times" in why
    assert [post.card["title"] for post in linkedin.posts if post.card] == [make.title(2)]
    site.run("approve", "001-walk", now=FRIDAY + timedelta(minutes=2))
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=2))
    assert_posted_once(site, linkedin, 2)


def test_a_crash_in_a_step_of_the_schema_leaves_a_database_that_can_be_used(newsroom: Make) -> None:
    site = newsroom()
    site.database.unlink()
    site.crash("migrate.step", "run", "--once")
    site.run("run", "--once")
    assert site.ask("db", "check")["problems"] == []


# --- answers that get lost --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["accept-then-drop", "accept-then-reset", "500-after-accept", "reset"])
def test_a_lost_answer_is_settled_by_one_repeat_and_never_by_a_second_post(newsroom: Make, fault: str) -> None:
    with LinkedInDouble(faults=[fault]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        done = site.run("run", "--once", now=FRIDAY, code=1)
        assert "unknown" in done.err
        site.run("run", "--once", now=FRIDAY + AFTER_DOUBT)
        assert_posted_once(site, linkedin, 1)
        bodies = [request.body for request in linkedin.requests]
        assert len(bodies) == 2 and len(set(bodies)) == 1, "the repeat is the same to the byte"


def test_a_doubt_too_old_for_a_repeat_waits_for_a_person(newsroom: Make) -> None:
    with LinkedInDouble(faults=["accept-then-drop"]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        site.run("run", "--once", now=FRIDAY, code=1)
        site.run("run", "--once", now=FRIDAY + timedelta(hours=1))
        assert len(linkedin.requests) == 1
        (row,) = site.deliveries("linkedin")
        assert row["state"] == "unknown"
        problems = " ".join(site.ask("status", now=FRIDAY + timedelta(hours=2))["problems"])
        assert "linkedin" in problems and "deliveries resolve" in problems


def test_a_used_up_day_is_asked_once_and_the_queue_waits_for_the_next(newsroom: Make) -> None:
    with LinkedInDouble(faults=["429-day"]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        for n in range(ARTICLES):
            site.write(n)
        site.run("run", "--once", now=FRIDAY)  # nothing failed: exit 0
        assert {row["state"] for row in site.deliveries("linkedin")} == {"planned"}
        site.run("run", "--once", now=FRIDAY + timedelta(hours=15))
        assert len(linkedin.requests) == 1
        status = site.ask("status", now=FRIDAY + timedelta(hours=15))
        assert (status["problems"], status["paused"]) == ([], {})
        assert [note for note in status["notes"] if "its quota is used up" in note]
        assert all(
            "its quota is used up" in row["reason"] for row in site.ask("plan", now=FRIDAY + timedelta(hours=15))
        )
        site.run("run", "--once", now=FRIDAY + timedelta(hours=16, minutes=11))
        assert_posted_once(site, linkedin, ARTICLES)


@pytest.mark.parametrize(
    ("dies", "before", "key"), [("token", 0, "linkedin.access_token"), ("version", 1, "linkedin.version")]
)
def test_what_concerns_the_channel_pauses_it_and_keeps_the_queue(
    newsroom: Make, linkedin: LinkedInDouble, dies: str, before: int, key: str
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
    if dies == "token":
        linkedin.dead[linkedin.token] = "expired"
    else:  # in the middle of the queue
        linkedin.faults.extend(["", '426:{"code": "NONEXISTENT_VERSION", "message": "20260901 is not active"}'])
    for n in range(ARTICLES):
        site.write(n)
    site.run("run", "--once", now=FRIDAY, code=1)
    assert len(linkedin.requests) == before + 1, "one answer is enough"
    status = site.ask("status", now=FRIDAY)
    assert "linkedin" in status["paused"]
    (problem,) = status["problems"]
    assert "linkedin" in problem and key in problem
    assert (
        sorted(one["state"] for one in site.deliveries("linkedin"))
        == ["planned"] * (ARTICLES - before) + ["sent"] * before
    )
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=5), code=1)
    assert len(linkedin.requests) == before + 1
    linkedin.tokens["AQ-another-token"] = Token(member=linkedin.author)
    site.configure(linkedin={"access_token": "AQ-another-token", "version": "202608"})
    site.run("resume", "linkedin")
    site.run("run", "--once", now=FRIDAY + timedelta(minutes=40))
    assert_posted_once(site, linkedin, ARTICLES)
    assert site.ask("status", now=FRIDAY + timedelta(minutes=41))["problems"] == []


@pytest.mark.parametrize(
    ("fault", "state", "code", "error"),
    [("ghost", "failed", 1, "already on LinkedIn as urn:li:share:"), ("no-id-header", "sent", 0, None)],
)
def test_an_answer_that_names_no_post_of_ours_is_neither_adopted_nor_asked_again(
    newsroom: Make, fault: str, state: str, code: int, error: str | None
) -> None:
    with LinkedInDouble(faults=[fault]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        site.run("run", "--once", now=FRIDAY, code=code)
        site.run("run", "--once", now=FRIDAY + AFTER_DOUBT)
        assert len(linkedin.requests) == 1
        (row,) = site.deliveries("linkedin")
        assert (row["state"], row["external_id"], row["url"]) == (state, None, None)
        assert row["error"].startswith(error) if error else row["error"] is None


@pytest.mark.parametrize("answer", ["<drop>", "451 4.3.0 try again"])
def test_letters_whose_answer_got_lost_are_repeated_with_the_same_bytes(
    before_the_digest: Newsroom, answer: str
) -> None:
    site = before_the_digest
    with MailServer(accept_then=answer) as server:
        site.configure(email={"smtp": {"port": server.port}})
        site.command("run", "--once", now=SLOT)
        assert server.world
        server.double.accept_then = None
        site.run("run", "--once", now=SLOT + timedelta(hours=1))
        site.run("run", "--once", now=SLOT + timedelta(hours=3))
        assert_mailed_once(server.world, READERS, repeats=2 * len(READERS))
    assert site.deliveries("email")[0]["people"] == {"sent": len(READERS)}


# --- several at once, and an old database -----------------------------------------------------------------------------


def test_several_passes_at_once_send_everything_once(newsroom: Make, linkedin: LinkedInDouble) -> None:
    with MailServer(delay=0.01) as server:
        site = newsroom(linkedin=make.linkedin(linkedin.url), email=make.email(server.port), **FIRST, **WEEKLY)
        site.run("subscribers", "add", *READERS, now=FRIDAY)
        site.run("run", "--once", now=FRIDAY)
        for n in range(6):
            site.write(n)
        with ThreadPoolExecutor(4) as threads:
            passes = [threads.submit(site.command, "run", "--once", now=SLOT - timedelta(minutes=1)) for _ in range(3)]
            assert [done.result().code for done in passes] == [0, 0, 0]
            passes = [threads.submit(site.command, "run", "--once", now=SLOT) for _ in range(3)]
            assert [done.result().code for done in passes] == [0, 0, 0]
        assert_posted_once(site, linkedin, 6)
        assert len(linkedin.requests) == 6
        assert_mailed_once(server.world, READERS, repeats=0)


def test_a_restored_backup_sends_nothing_twice(newsroom: Make) -> None:
    with LinkedInDouble(duplicate_window=0) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        site.run("pause", now=FRIDAY)
        site.run("run", "--once", now=FRIDAY)
        copy = site.folder / "copy.db"
        site.run("resume")
        site.run("db", "backup", str(copy))
        site.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
        assert len(linkedin.posts) == 1
        site.run("db", "restore", str(copy))
        site.command("run", "--once", now=FRIDAY + timedelta(minutes=2))
        assert len(linkedin.posts) == 1
        assert site.ask("status", now=FRIDAY + timedelta(minutes=2))["paused"]
        site.run("resume", "--assume-sent", now=FRIDAY + timedelta(minutes=3))
        site.command("run", "--once", now=FRIDAY + timedelta(minutes=3))
        assert len(linkedin.posts) == 1


def test_a_backup_of_the_middle_of_an_edition_mails_nobody_twice(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(email=make.email(mail_server.port), **WEEKLY)
    site.run("run", "--once", now=SLOT - timedelta(minutes=3))
    site.run("subscribers", "add", *make.people(40), now=SLOT - timedelta(minutes=3))
    site.write(1)
    site.run("run", "--once", now=SLOT - timedelta(minutes=2))
    site.crash("smtp.accepted:10", "run", "--once", now=SLOT + timedelta(minutes=1))
    copy = site.folder / "copy.db"
    site.run("db", "backup", str(copy))
    site.run("run", "--once", now=SLOT + timedelta(minutes=2))
    before = len(mail_server.world)
    assert before >= 40
    site.run("db", "restore", str(copy))
    site.command("run", "--once", now=SLOT + timedelta(minutes=3))
    refused = site.run("resume", code=2)
    assert "--assume-sent" in refused.err
    site.run("resume", "--assume-sent", now=SLOT + timedelta(minutes=4))
    site.run("run", "--once", now=SLOT + timedelta(minutes=4))
    assert len(mail_server.world) == before
    assert {one["to"] for one in mail_server.world} == set(make.people(40))


# --- a storm of kills -------------------------------------------------------------------------------------------------


def test_a_storm_of_kills_loses_nothing_and_posts_nothing_twice(
    newsroom: Make, linkedin: LinkedInDouble, slow_mail_server: MailServer
) -> None:
    linkedin.faults.extend(["slow:0.15"] * 100)  # so that some kills come between the post and its answer
    seed = int(os.environ.get("ACCEPTANCE_SEED") or 20_261)
    print(f"seed {seed}")
    chance = random.Random(seed)
    articles, readers, kills = 15, make.people(60), 20
    site = newsroom(
        linkedin=make.linkedin(linkedin.url),
        email=make.email(slow_mail_server.port, smtp={"connections": 1, "port": slow_mail_server.port,
                                                      "host": "127.0.0.1", "security": "none"}),
        **WEEKLY,
    )  # fmt: skip
    listed = site.folder / "readers.csv"
    listed.write_text("email\n" + "\n".join(readers) + "\n", "utf-8")
    begin = SLOT - timedelta(minutes=2)
    site.run("subscribers", "import", str(listed), now=begin)
    site.run("run", "--once", now=begin)  # an empty folder: what comes now is new
    written = 0
    for turn in range(kills):
        while written < articles and written < 2 * (turn + 1):
            site.write(written)
            written += 1
        daemon = site.start(now=begin + turn * AFTER_DOUBT)
        if chance.random() < 0.7:
            until(lambda daemon=daemon: "syndicate runs" in daemon.words, "the daemon starts", 20)  # type: ignore[misc]
        time.sleep(chance.uniform(0.2, 1.0))
        daemon.kill()
        assert "Traceback" not in daemon.words, (seed, daemon.words)
    end = begin + kills * AFTER_DOUBT
    for turn in range(1, 4):
        site.command("run", "--once", now=end + turn * AFTER_DOUBT)
    site.run("run", "--once", now=end + timedelta(minutes=5))
    by_hand = settle_quarantined(site, linkedin, end + timedelta(minutes=6))
    assert_posted_once(site, linkedin, articles, by_hand)
    assert_mailed_once(slow_mail_server.world, readers, repeats=kills * GROUP)
    (edition,) = site.deliveries("email")
    assert (edition["state"], edition["people"]) == ("sent", {"sent": len(readers)}), seed
    assert_feeds_are_whole(site, articles)
    assert_sound(site)
