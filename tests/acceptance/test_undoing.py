"""Stopping and undoing: pauses that hold on every machine, and articles that are taken back from the world."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Newsroom
from tests.doubles.linkedin import LinkedInDouble

Make = Callable[..., Newsroom]

MINUTE = timedelta(minutes=1)


# --- retract ----------------------------------------------------------------------------------------------------------


def published(newsroom: Make, linkedin: LinkedInDouble, **more: object) -> Newsroom:
    """A newsroom with two articles on LinkedIn."""
    site = newsroom(linkedin=make.linkedin(linkedin.url), **FIRST, **more)
    site.write(1)
    site.write(2)
    site.run("run", "--once", now=FRIDAY)
    assert len(linkedin.posts) == 2
    return site


def titles(site: Newsroom) -> list[str]:
    return [item["title"] for item in site.feed()["items"]]


def urn_of(linkedin: LinkedInDouble, number: int) -> str:
    return next(post.urn for post in linkedin.posts if post.card and post.card["title"] == make.title(number))


def test_what_was_posted_is_deleted_and_stays_away(newsroom: Make, linkedin: LinkedInDouble) -> None:
    site = published(newsroom, linkedin)
    before = site.run("deliveries", "--json").json
    dry = site.ask("retract", "001-walk", "--dry-run", now=FRIDAY)
    assert [(one["url"].split("/")[-2], one["deleted"]) for one in dry["posts"]] == [(urn_of(linkedin, 1), False)]
    assert (site.run("deliveries", "--json").json, linkedin.deleted) == (before, [])

    done = site.ask("retract", "001-walk", "--yes", now=FRIDAY + MINUTE)
    assert linkedin.deleted == [urn_of(linkedin, 1)]
    assert [(one["external_id"], one["deleted"], one["error"]) for one in done["posts"]] == [
        (urn_of(linkedin, 1), True, None)
    ]
    assert titles(site) == [make.title(2)]
    assert site.articles()["001-walk.md"]["reasons"] == ["rejected: retracted"]
    (row,) = [one for one in site.deliveries("linkedin") if one["title"] == make.title(1)]
    assert row["state"] == "sent"
    assert row["retracted_at"].startswith(f"{FRIDAY + MINUTE:%Y-%m-%dT%H:%M}")
    assert "retracted" in site.run("explain", "001-walk", now=FRIDAY + MINUTE).out

    asked = len(linkedin.requests)
    assert site.ask("retract", "001-walk", "--yes", now=FRIDAY + 2 * MINUTE)["posts"] == []
    site.write(1, description="It was edited, which brings nothing back.")
    site.run("run", "--once", now=FRIDAY + 3 * MINUTE)
    assert len(linkedin.requests) == asked, "nothing is deleted twice, and nothing posted again"
    assert titles(site) == [make.title(2)]


@pytest.mark.parametrize("point", ["retract.ruled", "retract.accepted"])
def test_a_retraction_that_died_is_finished_by_the_next(newsroom: Make, linkedin: LinkedInDouble, point: str) -> None:
    linkedin.forgets_deleted = True
    site = published(newsroom, linkedin)
    site.crash(point, "retract", "001-walk", "--yes", now=FRIDAY + MINUTE)
    site.run("run", "--once", now=FRIDAY + 2 * MINUTE)
    assert titles(site) == [make.title(2)]
    done = site.ask("retract", "001-walk", "--yes", now=FRIDAY + 3 * MINUTE)
    assert [one["deleted"] for one in done["posts"]] == [True]
    assert (linkedin.deleted, len(linkedin.posts)) == ([urn_of(linkedin, 1)], 2)


def test_what_linkedin_does_not_delete_is_said_with_its_address_and_tried_again(
    newsroom: Make, linkedin: LinkedInDouble
) -> None:
    site = published(newsroom, linkedin)
    linkedin.may_delete = False
    done = site.run("retract", "001-walk", "--yes", now=FRIDAY + MINUTE, code=1)
    assert f"https://www.linkedin.com/feed/update/{urn_of(linkedin, 1)}/" in done.err
    assert "may not delete" in done.err and "tries again" in done.err
    assert titles(site) == [make.title(2)], "the feeds and the ledger do not wait for LinkedIn"
    linkedin.may_delete = True
    site.run("retract", "001-walk", "--yes", now=FRIDAY + 2 * MINUTE)
    assert linkedin.deleted == [urn_of(linkedin, 1)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"linkedin": {"access_token": ""}}, "no linkedin.access_token"),
        ({"linkedin": {"live": False}}, "linkedin.live is false"),
        ({"linkedin": None}, "no channel linkedin"),
    ],
)
def test_what_cannot_be_asked_is_said_and_not_tried(
    newsroom: Make, linkedin: LinkedInDouble, settings: dict[str, object], words: str
) -> None:
    site = published(newsroom, linkedin)
    site.configure(**settings)
    asked = len(linkedin.requests)
    done = site.run("retract", "001-walk", "--yes", now=FRIDAY + MINUTE)
    assert words in done.err and f"/feed/update/{urn_of(linkedin, 1)}/" in done.err
    assert len(linkedin.requests) == asked
    assert titles(site) == [make.title(2)]


def test_a_post_by_hand_is_deleted_by_the_urn_in_its_address(newsroom: Make, linkedin: LinkedInDouble) -> None:
    with LinkedInDouble(faults=["accept-then-drop"]) as double:
        site = newsroom(linkedin=make.linkedin(double.url), **FIRST)
        site.write(1)
        site.run("run", "--once", now=FRIDAY, code=1)
        done = site.run("retract", "001-walk", "--yes", now=FRIDAY + MINUTE)
        (row,) = site.deliveries("linkedin")
        assert f"deliveries resolve {row['id']} --sent URL" in done.err
        site.run("run", "--once", now=FRIDAY + 2 * MINUTE)
        assert len(double.posts) == 1, "a doubt about what was taken back is not repeated: that might post it"
        url = f"https://www.linkedin.com/feed/update/{double.posts[0].urn}/"
        site.run("deliveries", "resolve", str(row["id"]), "--sent", url, now=FRIDAY + 3 * MINUTE)
        site.run("retract", "001-walk", "--yes", now=FRIDAY + 4 * MINUTE)
        assert double.deleted == [double.posts[0].urn]


def test_what_waits_is_cancelled_and_letters_are_said_to_be_beyond_recall(
    newsroom: Make, linkedin: LinkedInDouble, mail_server: MailServer
) -> None:
    site = newsroom(
        linkedin={**make.linkedin(linkedin.url), "slots": ["12:00"]},
        email=make.email(mail_server.port),
        **FIRST,
        **WEEKLY,
    )
    site.run("subscribers", "add", *make.people(3), now=FRIDAY)
    site.write(1)
    site.write(2)
    site.run("run", "--once", now=SLOT)
    assert len(mail_server.world) == 3
    (waits,) = [one for one in site.deliveries("linkedin") if one["state"] == "waiting"]
    done = site.run("retract", waits["subject"], "--yes", now=SLOT + MINUTE)
    assert "weekly-2026-03-06 reached 3 people" in done.err
    (row,) = [one for one in site.deliveries("linkedin") if one["id"] == waits["id"]]
    assert (row["state"], row["error"]) == ("cancelled", "retracted")
    assert linkedin.deleted == []


def test_what_is_on_the_wire_is_waited_for_and_taken_back(newsroom: Make) -> None:
    with LinkedInDouble(faults=["slow:3"]) as double:
        site = newsroom(linkedin=make.linkedin(double.url), **FIRST)
        site.write(1)
        with site.daemon():
            make.until(lambda: double.posts, "LinkedIn has taken it", 20)
            done = site.run("retract", "001-walk", "--yes")
            assert "waiting for it" in done.err
        assert double.deleted == [double.posts[0].urn]


# --- pause, resume, cancel --------------------------------------------------------------------------------------------


def test_two_processes_stop_within_a_second_and_go_on_within_another(newsroom: Make) -> None:
    """While letters flow from a `run` and a `worker`: a digest, the channel, everything; then it is cancelled."""
    readers = make.people(400)
    with MailServer(delay=0.15) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        listed = site.folder / "readers.csv"
        listed.write_text("email\n" + "\n".join(readers) + "\n", "utf-8")
        site.run("subscribers", "import", str(listed), now=SLOT - MINUTE)
        site.write(1)
        with site.daemon(now=SLOT), site.helper(now=SLOT):
            for name in (["weekly"], ["email"], []):
                _flows(server)
                site.run("pause", *name, now=SLOT)
                time.sleep(1)
                stopped = len(server.world)
                time.sleep(0.7)
                assert len(server.world) == stopped, f"paused: {name}"
                site.run("resume", *name, now=SLOT)
                make.until(lambda: len(server.world) > stopped, "it goes on", 2)  # noqa: B023 - asked at once
            _flows(server)
            (row,) = site.deliveries("email")
            site.run("deliveries", "cancel", str(row["id"]), now=SLOT)
            cancelled = len(server.world)
            make.until(lambda: site.deliveries("email")[0]["state"] == "sent", "the edition ends", 10)
        assert len(server.world) - cancelled <= 4 * 25, "four connections had a group each"
        people = site.deliveries("email")[0]["people"]
        assert people == {"sent": len(server.world), "expired": len(readers) - len(server.world)}
        assert len({one["to"] for one in server.world}) == len(server.world), "nobody got two"


def _flows(server: MailServer) -> None:
    before = len(server.world)
    make.until(lambda: len(server.world) >= before + 10, "letters flow", 20)
