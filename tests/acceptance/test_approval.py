"""An edition that must be approved, through the commands: whoever dies, it is shown, asked about and mailed once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email import message_from_string, policy
from email.message import EmailMessage

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom

Make = Callable[..., Newsroom]

MINUTE = timedelta(minutes=1)
OWNER = "owner@courier.test"
WEEKLY = {"name": "weekly", "schedule": "0 9 * * FRI", "approve": True, "proof": "30m"}
EDITION = "weekly-2026-03-06"


def letters(mail: MailServer) -> list[tuple[str, EmailMessage]]:
    """Who got what."""
    return [(one["to"], message_from_string(one["data"], policy=policy.default)) for one in mail.world]


def test_dead_at_every_point_it_is_proved_approved_and_mailed_once(newsroom: Make, mail_server: MailServer) -> None:
    site = newsroom(
        email=make.email(mail_server.port), alerts={"email": OWNER}, digests=[WEEKLY], feeds={"content": "summary"}
    )
    site.run("run", "--once", now=FRIDAY - timedelta(hours=2))
    site.run("subscribers", "add", "reader@readers.test")
    site.write(1)
    before = SLOT - timedelta(minutes=20)
    for number, point in enumerate(("freeze.rendered", "edition.held", "proof.claimed", "proof.sent")):
        # Each later than the last: a program that starts more quickly must not find itself before what was released.
        site.crash(point, "run", "--once", now=before + timedelta(seconds=12 * number))
    site.run("run", "--once", now=before + MINUTE)
    proofs = [(to, one) for to, one in letters(mail_server) if one["Subject"].startswith("[Proof] ")]
    assert {to for to, _ in proofs} == {OWNER}
    assert len(proofs) == 2  # the first was taken before the program died
    assert len({one["Message-ID"] for _, one in proofs}) == 1
    [row] = site.deliveries("email")
    assert (row["state"], row["subject"], row["people"]) == ("held", EDITION, {})
    assert make.title(1) in site.run("preview", "--digest", EDITION).out
    assert f"edition {EDITION} waits for you" in site.ask("status", now=before + 2 * MINUTE)["problems"][0]
    told = site.ask("approve", EDITION, now=before + 3 * MINUTE)
    assert [(one["edition"], one["verdict"]) for one in told] == [(EDITION, "approved")]
    site.run("run", "--once", now=before + 4 * MINUTE)
    assert site.deliveries("email")[0]["state"] == "planned"
    site.crash("freeze.fill", "run", "--once", now=SLOT)
    site.run("run", "--once", now=SLOT + MINUTE)
    site.run("run", "--once", now=SLOT + 2 * MINUTE)
    assert [to for to, _ in letters(mail_server) if to != OWNER] == ["reader@readers.test"]
    [row] = site.deliveries("email")
    assert (row["state"], row["people"]) == ("sent", {"sent": 1})


def test_all_that_waits_is_approved_at_once_and_what_changed_is_shown_again(
    newsroom: Make, mail_server: MailServer
) -> None:
    site = newsroom(email=make.email(mail_server.port), digests=[WEEKLY | {"schedule": "each", "proof": ""}])
    site.run("run", "--once", now=FRIDAY)
    site.run("subscribers", "add", "reader@readers.test")
    site.write(1)
    site.write(2)
    site.run("run", "--once", now=FRIDAY + MINUTE)
    site.write(2, description="Quite another description of it, which nobody has seen before.")
    site.run("send", "001-walk", "--to", "email", "--dry-run", now=FRIDAY + MINUTE)
    site.run("digest", "weekly", "--yes", now=FRIDAY + 2 * MINUTE)  # takes in the edit; both wait, so nothing is sent
    told = site.ask("approve", "--all", now=FRIDAY + 3 * MINUTE)
    assert sorted((one["edition"], one["verdict"]) for one in told if "edition" in one) == [
        ("weekly-001-walk", "approved"),
        ("weekly-002-walk", "held"),
    ]
    site.run("approve", "--rule", "approve", now=FRIDAY + 4 * MINUTE)
    site.run("run", "--once", now=FRIDAY + 5 * MINUTE)
    assert [to for to, _ in letters(mail_server)] == ["reader@readers.test"] * 2
    site.run("approve", "weekly-001-walk", "--quiet", code=2)
