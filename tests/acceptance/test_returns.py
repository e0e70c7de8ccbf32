"""What comes back, from outside: a letter's own return path, through the pipe of a mail server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, WEEKLY, Newsroom, clean_environment

Make = Callable[..., Newsroom]

REPORT = """\
From: MAILER-DAEMON@mx.example
To: <{to}>
Message-ID: <report-1@mx.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {person}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--x--
"""


def pipe(site: Newsroom, mail: str) -> tuple[int, str]:
    """As a mail server hands a mail over."""
    line = [sys.executable, "-m", "syndicate", "--now", (FRIDAY + timedelta(hours=2)).isoformat(), "bounces", "-"]
    done = subprocess.run(
        line, cwd=site.folder, env=clean_environment(), input=mail.encode(), capture_output=True, timeout=60
    )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_a_letter_that_comes_back_by_the_pipe_ends_it_and_a_forged_one_does_not(newsroom: Make) -> None:
    readers = make.people(2)
    with MailServer() as server:
        site = newsroom(email=make.email(server.port, bounce_address="bounce@courier.test"), **WEEKLY)
        site.run("subscribers", "add", *readers, now=FRIDAY)
        site.write(1)
        site.run("digest", "weekly", "--yes", now=FRIDAY)
        paths = {one["to"]: one["from"] for one in server.world}
    assert set(paths) == set(readers)
    assert len(set(paths.values())) == 2
    assert all(path.startswith("bounce+") and path.endswith("@courier.test") for path in paths.values())

    gone, stays = readers
    for mail in ("", "junk", REPORT.format(to="news@courier.test", person=stays)):
        assert pipe(site, mail) == (0, "")
    for _ in range(2):
        assert pipe(site, REPORT.format(to=paths[gone], person="elsewhere@mx.example")) == (0, "")
    people = {one["email"]: one["state"] for one in site.ask("subscribers", "list")}
    assert people == {gone: "bounced", stays: "active"}
    assert "5.1.1 no such user" in site.run("explain", gone).out

    file = site.folder / "box"
    file.write_text(REPORT.format(to="x@y.example", person=stays), encoding="utf-8")
    assert "not believed" in site.run("bounces", "box").out
    assert site.ask("bounces", "box")[0]["known"] is True

    site.database.write_bytes(b"no database" * 1000)
    code, words = pipe(site, REPORT.format(to=paths[stays], person=stays))
    assert code == 75
    assert words.startswith("syndicate: ")
