"""From a file in the folder to readers: what a running newsroom does with articles, edits, people and interruptions."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Newsroom, until
from tests.doubles.linkedin import LinkedInDouble

Make = Callable[..., Newsroom]

MINUTE = timedelta(minutes=1)


def titles(world: LinkedInDouble) -> list[str]:
    return sorted(post.card["title"] for post in world.posts if post.card)


def items(site: Newsroom) -> dict[str, dict[str, Any]]:
    """The feed's items by address."""
    return {item["url"]: item for item in site.feed()["items"]}


def url(name: str) -> str:
    return f"https://courier.example/{name}/"


# --- articles come, change and go -------------------------------------------------------------------------------------


def test_a_new_file_is_announced_once_within_seconds_and_a_pause_holds_it_back(
    newsroom: Make, linkedin: LinkedInDouble
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), review={"settle": "1s", "max_new": 50})
    with site.daemon() as daemon:
        until(lambda: (site.data / "public" / "feed.json").exists(), "the first pass", 10)
        site.write(1)
        until(lambda: linkedin.posts, "the first post", 1 + 5)
        status, served = make.http(f"http://127.0.0.1:{site.port}/feed.json")
        assert status == 200 and [item["title"] for item in json.loads(served)["items"]] == [make.title(1)]
        site.run("pause", "linkedin")
        site.write(2)
        until(lambda: url("002-walk") in items(site), "it is in the feed", 1 + 5)
        time.sleep(2)
        assert titles(linkedin) == [make.title(1)]
        site.run("resume", "linkedin")
        until(lambda: len(linkedin.posts) == 2, "the second post", 5)
        time.sleep(2.5)  # some more scans
        assert daemon.terminate() == 0, daemon.words
    assert titles(linkedin) == sorted([make.title(1), make.title(2)])
    assert {one["state"] for one in site.deliveries()} == {"sent"}


def test_a_half_written_file_is_not_read(newsroom: Make) -> None:
    site = newsroom(review={"settle": "10s"})
    path = site.write(1)
    now = FRIDAY
    os.utime(path, (now.timestamp() - 5, now.timestamp() - 5))
    assert site.ask("run", "--once", now=now)["parsed"] == 0
    assert site.ask("run", "--once", now=now + timedelta(seconds=6))["parsed"] == 1
    site.write(2)  # written now, half a year after FRIDAY: a file from the future counts as settled
    assert site.ask("run", "--once", now=now + MINUTE)["parsed"] == 1


def test_edit_touch_and_rename_announce_nothing_again_and_keep_the_id(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url))
    site.run("run", "--once", now=FRIDAY)
    first, second = site.write(1), site.write(2)
    site.run("run", "--once", now=FRIDAY + MINUTE)
    assert titles(linkedin) == sorted([make.title(1), make.title(2)])
    before, bytes_before = items(site), site.feed_bytes()
    for item in before.values():
        uuid.UUID(item["id"].removeprefix("urn:uuid:"))

    assert site.ask("run", "--once", now=FRIDAY + 2 * MINUTE)["parsed"] == 0
    first.touch()
    assert site.ask("run", "--once", now=FRIDAY + 3 * MINUTE)["changed"] == 0
    assert site.feed_bytes() == bytes_before

    site.write(1, subtitle="With a new beginning", body=make.story(77))
    second.rename(site.content / "renamed.md")
    site.run("run", "--once", now=FRIDAY + 4 * MINUTE)
    after = items(site)
    edited = after[url("001-walk")]
    assert edited["id"] == before[url("001-walk")]["id"]
    assert edited["date_published"] == before[url("001-walk")]["date_published"]
    assert edited.get("date_modified") != before[url("001-walk")].get("date_modified")
    assert {item["id"] for item in after.values()} == {item["id"] for item in before.values()}
    assert after[url("renamed")]["id"] == before[url("002-walk")]["id"]
    assert len(linkedin.requests) == 2


def test_a_deleted_article_leaves_the_feed_after_two_scans_and_comes_back_as_itself(
    newsroom: Make, linkedin: LinkedInDouble
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), review={"settle": "10s", "first_run": "announce"})
    for n in (1, 2):
        site.write(n)
    site.run("pause", "linkedin", now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    id_before = items(site)[url("001-walk")]["id"]
    (site.content / "001-walk.md").unlink()
    site.run("run", "--once", now=FRIDAY + MINUTE)
    assert url("001-walk") in items(site), "one scan may be a mistake"
    site.run("resume", "linkedin")
    site.run("run", "--once", now=FRIDAY + MINUTE + timedelta(seconds=5))
    assert titles(linkedin) == [make.title(2)], "what one scan missed is announced no more"
    site.run("run", "--once", now=FRIDAY + 2 * MINUTE)
    assert list(items(site)) == [url("002-walk")]
    assert site.articles()["001-walk.md"]["state"] == "gone"
    assert {one["title"]: one["state"] for one in site.deliveries()}[make.title(1)] == "cancelled"
    site.write(1)
    site.run("run", "--once", now=FRIDAY + 3 * MINUTE)
    assert items(site)[url("001-walk")]["id"] == id_before
    assert titles(linkedin) == sorted([make.title(1), make.title(2)]), "it had not been announced: it is now"
    for minute in (4, 5):
        (site.content / "002-walk.md").unlink(missing_ok=True)
        site.run("run", "--once", now=FRIDAY + minute * MINUTE)
    site.write(2)
    site.run("run", "--once", now=FRIDAY + 6 * MINUTE)
    assert len(linkedin.requests) == 2, "and the other had been: it is not announced again"


def test_much_missing_at_once_is_an_outage_and_nothing_is_withdrawn(newsroom: Make) -> None:
    site = newsroom()
    for n in range(8):
        site.write(n)
    site.run("run", "--once", now=FRIDAY)
    for n in range(4):
        (site.content / f"{n:03}-walk.md").unlink()
    for minute in (1, 2):
        told = site.run("run", "--once", now=FRIDAY + minute * MINUTE, code=1)
    assert "sources.articles" in told.err
    assert len(items(site)) == 8
    assert "sources.articles" in " ".join(site.ask("status", now=FRIDAY + 2 * MINUTE)["problems"])
    for n in range(4):
        site.write(n)
    site.run("run", "--once", now=FRIDAY + 4 * MINUTE)
    assert site.ask("status", now=FRIDAY + 4 * MINUTE)["problems"] == []


def test_a_folder_that_is_not_there_is_one_sentence_and_withdraws_nothing(newsroom: Make) -> None:
    site = newsroom()
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    site.content.rename(site.folder / "elsewhere")
    for minute in (1, 2):
        told = site.run("run", "--once", now=FRIDAY + minute * MINUTE, code=1)
    assert len(told.err.strip().splitlines()) == 1 and "content" in told.err
    assert len(items(site)) == 1
    assert site.ask("status", now=FRIDAY)["problems"]


def test_a_second_article_with_the_same_title_is_held(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url))
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    site.write(2, title=make.title(1).upper() + "!")
    site.write(3)
    site.run("run", "--once", now=FRIDAY + MINUTE)
    held = site.articles()["002-walk.md"]
    assert held["state"] == "held" and held["reasons"][0].startswith("duplicate-title:")
    assert titles(linkedin) == [make.title(3)]
    assert url("002-walk") not in items(site)


def test_too_many_at_once_are_all_held_until_somebody_has_looked(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), review={"max_new": 3, "first_run": "announce"})
    for n in range(4):
        site.write(n)
    site.run("run", "--once", now=FRIDAY)
    assert {one["state"] for one in site.articles().values()} == {"held"}
    assert linkedin.requests == [] and items(site) == {}
    (problem,) = site.ask("status", now=FRIDAY)["problems"]
    assert "max_new" in problem and "approve --rule max-new" in problem
    site.run("approve", "--rule", "max-new", now=FRIDAY + MINUTE)
    site.run("run", "--once", now=FRIDAY + 2 * MINUTE)
    assert titles(linkedin) == sorted(make.title(n) for n in range(4))
    assert len(items(site)) == 4


def test_front_matter_says_where_an_article_may_go_and_with_what_words(
    newsroom: Make, linkedin: LinkedInDouble, mail_server: MailServer
) -> None:
    site = newsroom(linkedin=make.linkedin(linkedin.url), email=make.email(mail_server.port), **WEEKLY)
    site.run("subscribers", "add", "ada@readers.test", now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.write(1, raw="syndicate: false")
    site.write(2, raw="syndicate: {channels: [email]}")
    site.write(3, raw='syndicate: {linkedin: "Words of my own, by hand."}')
    site.run("run", "--once", now=FRIDAY + MINUTE)
    assert titles(linkedin) == [make.title(3)]
    assert "Words of my own, by hand." in linkedin.posts[0].text
    site.run("run", "--once", now=SLOT)
    (letter,) = mail_server.world
    text = letter["data"]
    assert url("002-walk") in text and url("003-walk") in text and url("001-walk") not in text
    assert len(items(site)) == 3


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_digest_reaches_each_reader_once_and_leaving_takes_one_click(newsroom: Make, mail_server: MailServer) -> None:
    readers = make.people(30)
    site = newsroom(email=make.email(mail_server.port), **WEEKLY)
    site.run("subscribers", "add", *readers, now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.write(1)
    site.write(2)
    with site.daemon(now=SLOT - timedelta(seconds=3)):
        until(lambda: len(mail_server.world) >= 30, "the edition of the slot", 15)
        time.sleep(1.5)
        letters = mail_server.world
        assert sorted(one["to"] for one in letters) == sorted(readers)
        links = {one["to"]: make.unsubscribe_link(one["data"]) for one in letters}
        assert len(set(links.values())) == 30 and len({one["message_id"] for one in letters}) == 30

        by_form, by_parts, looked = readers[:3]
        parts = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
        for reader, body, kind in (
            (by_form, b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
            (by_parts, parts, "multipart/form-data; boundary=x"),
        ):
            assert make.http(links[reader], body, {"Content-Type": kind})[0] == 200
            assert make.http(links[reader], body, {"Content-Type": kind})[0] == 200, "again is no error"
        status, page = make.http(links[looked])
        assert status == 200 and b"<form" in page
        assert make.http(links[looked] + "x", b"List-Unsubscribe=One-Click")[0] == 404
        states = {one["email"]: one["state"] for one in site.ask("subscribers", "list")}
        assert [states[reader] for reader in (by_form, by_parts, looked)] == ["unsubscribed", "unsubscribed", "active"]

        site.write(3)
        until(lambda: url("003-walk") in items(site), "the third article", 8)
        second = site.ask("digest", "weekly", "--yes", now=SLOT + MINUTE)  # beside the daemon
        assert second[0]["people"] == {"sent": 28}
    letters = mail_server.world[30:]
    assert sorted(one["to"] for one in letters) == sorted(set(readers) - {by_form, by_parts})
    for letter in letters:
        assert url("003-walk") in letter["data"]
        assert url("001-walk") not in letter["data"] and url("002-walk") not in letter["data"]


def test_an_edition_missed_for_too_long_is_dropped_and_its_articles_stay_for_the_next(
    newsroom: Make, mail_server: MailServer
) -> None:
    site = newsroom(email=make.email(mail_server.port), **WEEKLY)
    site.run("subscribers", "add", "ada@readers.test", now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.write(1)
    site.run("run", "--once", now=FRIDAY + MINUTE)
    site.run("run", "--once", now=SLOT + timedelta(hours=13))  # it was down over its slot: late_limit is 12 h
    assert mail_server.world == []
    week = timedelta(days=7)
    site.write(2)
    site.run("run", "--once", now=SLOT + week - MINUTE)
    site.run("run", "--once", now=SLOT + 2 * week + MINUTE)  # of two missed slots only the latest is filled
    (letter,) = mail_server.world
    assert url("001-walk") in letter["data"] and url("002-walk") in letter["data"]
    assert site.ask("status", now=SLOT + 2 * week + MINUTE)["editions"] == 1


def test_one_bad_address_fails_alone_and_may_be_tried_again(newsroom: Make) -> None:
    gone = {"reader001@readers1.test"}

    def judge(command: str) -> str | None:
        return "550 5.1.1 no such user here" if any(address in command for address in gone) else None

    with MailServer(faults={"RCPT": judge}) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        site.run("subscribers", "add", *make.people(4), now=FRIDAY)
        site.write(1)
        site.run("run", "--once", now=FRIDAY)
        site.run("run", "--once", now=SLOT, code=1)
        (row,) = site.deliveries("email")
        assert (row["state"], row["people"]) == ("sent", {"sent": 3, "failed": 1})
        (address,) = gone
        assert [one["state"] for one in site.ask("subscribers", "list") if one["email"] == address] == ["bounced"]
        gone.clear()
        site.run("subscribers", "add", address, now=SLOT + MINUTE)  # the owner says that there is somebody after all
        site.run("deliveries", "retry", str(row["id"]), now=SLOT + MINUTE)
        site.run("run", "--once", now=SLOT + MINUTE)
        assert sorted(one["to"] for one in server.world) == make.people(4)
        assert site.deliveries("email")[0]["people"] == {"sent": 4}


def test_a_refused_password_pauses_email_and_blames_nobody(newsroom: Make) -> None:
    with MailServer(
        faults={"AUTH": lambda _: "535 5.7.8 wrong password"}, offers=("AUTH PLAIN LOGIN", "8BITMIME")
    ) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        site.configure(email={"smtp": {"username": "courier", "password": "secret-word-17"}})
        site.run("subscribers", "add", *make.people(40), now=FRIDAY)
        site.write(1)
        site.run("run", "--once", now=FRIDAY)
        told = site.run("run", "--once", now=SLOT, code=1)
        assert "secret-word-17" not in told.err + told.out
        status = site.ask("status", now=SLOT + MINUTE)
        assert "email" in status["paused"] and any("email" in problem for problem in status["problems"])
        assert status["letters"] == {"due": 40} and status["subscribers"] == {"active": 40}
        server.double._faults.clear()
        site.run("resume", "email")
        site.run("run", "--once", now=SLOT + timedelta(minutes=30))
        assert len(server.world) == len({one["to"] for one in server.world}) == 40


def test_a_digest_that_is_put_off_says_so_until_it_is_gone(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(email=make.email(make.free_port()), **WEEKLY)  # nobody listens there
    site.run("subscribers", "add", *make.people(3), now=FRIDAY)
    site.write(1)
    site.run("digest", "weekly", "--yes", now=FRIDAY, code=1)
    told = site.ask("digest", "weekly", "--yes", now=FRIDAY + timedelta(seconds=20), code=1)
    assert [one["people"] for one in told] == [{"due": 3}]
    site.configure(email={"smtp": {"port": mail_server.port}})
    told = site.ask("digest", "weekly", "--yes", now=FRIDAY + 15 * MINUTE)
    assert [one["people"] for one in told] == [{"sent": 3}]
    assert sorted(one["to"] for one in mail_server.world) == make.people(3)
    assert site.ask("digest", "weekly", "--yes", now=FRIDAY + 16 * MINUTE) == []


def test_without_a_token_a_post_waits_for_a_persons_hand(newsroom: Make) -> None:
    site = newsroom(linkedin={"live": True, **make.NO_PACE}, **FIRST)
    site.write(1)
    site.run("run", "--once", now=FRIDAY)  # held: exit 0
    (row,) = site.deliveries("linkedin")
    assert row["state"] == "held" and row["error"].startswith("by-hand:")
    there = "https://www.linkedin.com/feed/update/urn:li:share:77/"
    site.run("deliveries", "resolve", str(row["id"]), "--sent", there, now=FRIDAY + MINUTE)
    (row,) = site.deliveries("linkedin")
    assert (row["state"], row["url"], row["error"]) == ("sent", there, None)


# --- interruptions ----------------------------------------------------------------------------------------------------


def test_a_stop_while_mail_goes_out_finishes_the_wire_and_forgets_nothing(newsroom: Make) -> None:
    readers = make.people(40)
    with MailServer(delay=0.1) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        site.configure(email={"smtp": {"connections": 1}})  # one group of 25 on the wire
        site.run("subscribers", "add", *readers, now=FRIDAY)
        site.write(1)
        site.run("run", "--once", now=FRIDAY)
        with site.daemon(now=SLOT) as daemon:
            until(lambda: len(server.world) > 4, "some letters", 15)
            assert daemon.terminate() == 0, daemon.words
        gone_out = {one["to"] for one in server.world}
        assert len(server.world) == len(gone_out) < 40
        people = site.deliveries("email")[0]["people"]
        assert people == {"sent": len(gone_out), "due": 40 - len(gone_out)}
        leaver = next(reader for reader in readers if reader not in gone_out)
        site.run("subscribers", "remove", leaver, now=SLOT + MINUTE)
        site.run("run", "--once", now=SLOT + MINUTE)
        assert sorted(one["to"] for one in server.world) == sorted(set(readers) - {leaver})
        (row,) = site.deliveries("email")
        assert (row["state"], row["people"]) == ("sent", {"sent": 39, "suppressed": 1})


def test_a_stop_while_a_post_is_on_the_wire_waits_for_its_answer(newsroom: Make) -> None:
    with LinkedInDouble(faults=["slow:2"]) as linkedin:
        site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST)
        site.write(1)
        site.write(2)
        with site.daemon() as daemon:
            until(lambda: linkedin.requests, "a request", 10)
            assert daemon.terminate() == 0, daemon.words
        assert len(linkedin.requests) == 1, "nothing more was claimed"
        states = {one["state"]: one["external_id"] for one in site.deliveries()}
        assert states == {"sent": linkedin.posts[0].urn, "planned": None}


def test_a_second_daemon_and_a_taken_port_are_refused_with_a_sentence(newsroom: Make) -> None:
    site = newsroom()
    with site.daemon() as daemon:
        second = site.run("run", code=1)
        assert "another" in second.err and len(second.err.strip().splitlines()) == 1
        site.run("status")
        assert make.http(f"http://127.0.0.1:{site.port}/healthz")[0] == 200
        assert daemon.terminate() == 0
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", site.port))
        taken.listen()
        refused = site.run("run", code=1)
    assert str(site.port) in refused.err and len(refused.err.strip().splitlines()) == 1
    with site.daemon():  # and nothing of that stays behind
        pass


def test_a_database_that_cannot_be_used_is_a_sentence(newsroom: Make) -> None:
    site = newsroom()
    database = site.database
    database.write_bytes(b"this is no database, only some words " * 200)
    before = database.read_bytes()
    told = site.run("run", "--once", code=1)
    assert str(database) in told.err and len(told.err.strip().splitlines()) == 1
    assert database.read_bytes() == before
    database.unlink()
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    told = site.run("run", "--once", code=1)
    assert "another program" in told.err
    with sqlite3.connect(database) as other:
        assert [row[0] for row in other.execute("SELECT name FROM sqlite_master")] == ["recipes"]
    other.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_database_is_a_sentence(newsroom: Make) -> None:
    site = newsroom()
    site.run("run", "--once")
    for path in (*site.data.glob("syndicate.db*"), site.data):
        path.chmod(0o555)
    try:
        told = site.run("run", "--once", code=1)
        assert len(told.err.strip().splitlines()) == 1 and "write" in told.err
    finally:
        site.data.chmod(0o755)


def test_a_database_that_is_locked_for_a_while_is_waited_for(newsroom: Make) -> None:
    site = newsroom()
    site.run("run", "--once", now=FRIDAY)
    site.write(1)
    other = sqlite3.connect(site.data / "syndicate.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    letting_go = threading.Timer(2.5, lambda: other.execute("ROLLBACK"))
    letting_go.start()
    try:
        site.run("run", "--once", now=FRIDAY + MINUTE)
    finally:
        letting_go.join()
        other.close()
    assert site.articles()["001-walk.md"]["state"] == "ready"
