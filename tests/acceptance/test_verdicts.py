"""What a mail server says of people, of our day and of our pace, and what the owner is told and can do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Newsroom, until

Make = Callable[..., Newsroom]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def test_a_server_that_knows_nobody_stops_the_edition_and_forgiving_takes_everybody_back(newsroom: Make) -> None:
    readers = make.people(80)
    with MailServer(faults={"RCPT": lambda _: "550 5.1.1 no such user"}) as server:
        site = newsroom(email=make.email(server.port), **WEEKLY)
        site.run("subscribers", "add", *readers, now=FRIDAY)
        site.write(1)
        told = site.run("digest", "weekly", "--yes", now=FRIDAY, code=1)
        assert "addresses do not exist" in told.err
        status = site.ask("status", now=FRIDAY + MINUTE)
        gone = status["subscribers"]["bounced"]
        assert 20 <= gone <= 70
        assert [one for one in status["problems"] if one.startswith("email: weekly: stopped:")]
        assert "`syndicate resume weekly --forgive`" in status["paused"]["weekly"]

        server.double._faults.clear()
        site.run("resume", "--forgive", now=FRIDAY + HOUR, code=2)
        assert site.ask("resume", "weekly", "--forgive", now=FRIDAY + HOUR) == {
            "resumed": ["digest:weekly"], "forgiven": gone,
        }  # fmt: skip
        site.run("run", "--once", now=FRIDAY + HOUR)
        assert Counter(one["to"] for one in server.world) == Counter(readers)
        status = site.ask("status", now=FRIDAY + HOUR + MINUTE)
        assert (status["subscribers"], status["letters"]) == ({"active": 80}, {"sent": 80})
        assert status["problems"] == []


def test_a_used_up_day_waits_for_midnight_and_is_no_problem(newsroom: Make) -> None:
    with MailServer(faults={"MAIL": lambda _: "550 5.4.5 daily user sending limit exceeded"}) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        site.run("subscribers", "add", *make.people(3), now=FRIDAY)
        site.write(1)
        site.run("run", "--once", now=FRIDAY - HOUR)
        site.run("run", "--once", now=SLOT)
        status = site.ask("status", now=SLOT + HOUR)
        assert (status["problems"], status["paused"], status["letters"]) == ([], {}, {"due": 3})
        assert [note for note in status["notes"] if note.startswith("email: its quota is used up")]
        server.double._faults.clear()
        site.run("run", "--once", now=SLOT + HOUR)
        assert server.world == []
        site.run("run", "--once", now=SLOT.replace(hour=0, minute=15) + timedelta(days=1))
        assert len(server.world) == 3


def test_how_far_an_edition_is_and_when_it_will_be_done_is_told_while_it_goes(newsroom: Make) -> None:
    with MailServer(delay=0.25) as server:
        site = newsroom(email=make.email(server.port), **FIRST, **WEEKLY)
        site.run("subscribers", "add", *make.people(60), now=FRIDAY)
        site.write(1)
        site.run("run", "--once", now=FRIDAY)
        with site.daemon(now=SLOT) as daemon:
            until(lambda: len(server.world) > 12, "a fifth of the letters", 20)
            (row,) = site.deliveries("email")
            words = site.run("status", now=SLOT).out
            assert daemon.terminate() == 0, daemon.words
        progress = row["progress"]
        assert progress["total"] == 60
        assert 0 < progress["done"] < 60
        assert progress["done"] == row["people"]["sent"]
        (line,) = [line for line in words.splitlines() if line.startswith("on its way")]
        assert " of 60" in line
