"""Double opt-in from outside: a form, a letter, a button; and what a scanner, a crash and a stranger do to it."""

from __future__ import annotations

import email
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, Newsroom, http, until

Make = Callable[..., Newsroom]

ANN = "ann@harbour.test"
DIGESTS = [{"name": "weekly", "schedule": "0 9 * * FRI"}, {"name": "monthly", "schedule": "0 9 1 * *"}]


def post(site: Newsroom, path: str, **fields: Any) -> tuple[int, str]:
    status, page = http(f"http://127.0.0.1:{site.port}{path}", urlencode(fields, doseq=True).encode())
    return status, page.decode()


def get(site: Newsroom, path: str) -> str:
    return http(f"http://127.0.0.1:{site.port}{path}")[1].decode()


def stamp(site: Newsroom) -> str:
    """What the form holds, once a person has looked at it for a while."""
    (found,) = re.findall(r'name="stamp" value="([^"]+)"', get(site, "/subscribe"))
    time.sleep(2.1)
    return str(found)


def link(letter: str) -> str:
    """The path of the one link in a confirmation mail."""
    text = email.message_from_string(letter, policy=default).get_content()
    (found,) = re.findall(r"^http://[^/]+(/confirm/\S+)$", text.replace("\r", ""), re.MULTILINE)
    return str(found)


def states(site: Newsroom, now: datetime | None = None) -> dict[str, tuple[str, list[str]]]:
    people = site.ask("subscribers", "list", now=now)
    return {one["email"]: (one["state"], one["digests"]) for one in people}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_reader_signs_up_confirms_chooses_and_leaves(newsroom: Make, mail_server: MailServer, database: str) -> None:
    site = newsroom(database, email=make.email(mail_server.port), digests=DIGESTS)
    with site.daemon():
        form = {"email": ANN, "digest": ["weekly", "monthly"], "stamp": stamp(site)}
        first = post(site, "/subscribe", **form)
        assert first[0] == 200
        (letter,) = until(lambda: mail_server.to(ANN), "the letter", within=10)
        path = link(letter["data"])

        for _ in range(2):  # a scanner opens what it finds
            assert "Yes, subscribe me" in get(site, path)
        assert states(site) == {ANN: ("pending", [])}
        assert "You are subscribed<" in post(site, path)[1]
        assert "You are subscribed already" in post(site, path)[1]
        assert states(site) == {ANN: ("active", ["monthly", "weekly"])}

        assert post(site, "/subscribe", **form) == first  # who is there already is told the same
    (asked,) = site.ask("subscribers", "show", ANN)["asked"]  # and is not written to
    assert asked["confirmed_at"]
    assert len(mail_server.world) == 1


def test_while_mail_is_rehearsed_in_the_wide_world_nobody_is_taken(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(
        email=make.email(mail_server.port, live=False), digests=DIGESTS, web={"public_url": "https://news.courier.test"}
    )
    with site.daemon():
        assert "Sign-up opens soon" in get(site, "/subscribe")
        status, page = post(site, "/subscribe", email=ANN, digest="weekly")
        assert (status, "Sign-up opens soon" in page) == (200, True)
    assert states(site) == {}


def test_on_this_machine_a_rehearsal_may_be_tried(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(email=make.email(mail_server.port, live=False), digests=DIGESTS)
    with site.daemon():
        assert "outbox/email" in post(site, "/subscribe", email=ANN, digest="weekly", stamp=stamp(site))[1]
        (file,) = until(lambda: site.outbox("email"), "the letter in the outbox", within=10)
        assert "You are subscribed<" in post(site, link(Path(file).read_text(encoding="utf-8")))[1]
    assert states(site) == {ANN: ("active", ["weekly"])}
    assert mail_server.world == []


@pytest.mark.parametrize(("point", "copies"), [("ask.claimed", 1), ("ask.accepted", 2)])
def test_a_death_while_it_is_mailed_costs_one_more_copy_at_most(
    newsroom: Make, mail_server: MailServer, point: str, copies: int
) -> None:
    site = newsroom(email=make.email(mail_server.port), digests=DIGESTS)
    site.run("subscribers", "add", ANN, "--confirm", now=FRIDAY)
    site.crash(point, "run", "--once", now=FRIDAY)
    for minutes in (1, 2):
        site.run("run", "--once", now=FRIDAY + timedelta(minutes=minutes))
    letters = mail_server.to(ANN)
    assert len(letters) == copies
    assert len({(one["message_id"], one["data"]) for one in letters}) == 1
    site.run("run", "--once", now=FRIDAY + timedelta(days=2, minutes=1))
    assert states(site, FRIDAY + timedelta(days=3)) == {}
