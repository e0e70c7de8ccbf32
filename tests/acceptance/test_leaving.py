"""Leaving: what docs/leaving.md promises, walked through on a copy of a site's folder."""

from __future__ import annotations

import email as mail
import re
import shutil
from collections.abc import Callable
from email import policy
from pathlib import Path

from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom, email, http, people, until


def test_an_owner_takes_everything_along_and_links_of_old_letters_work_on(
    newsroom: Callable[..., Newsroom], mail_server: MailServer, tmp_path: Path
) -> None:
    site = newsroom(email=email(mail_server.port), digests=[{"name": "weekly"}], review={"first_run": "announce"})
    site.write(1, title="A <b>bold</b> harbour & its 'quay'")
    site.run("subscribers", "add", *people(2), now=FRIDAY)
    site.run("run", "--once", now=FRIDAY)
    site.run("run", "--once", now=SLOT)
    assert len(mail_server.world) == 2

    site.run("subscribers", "export", str(tmp_path / "people.csv"))
    taken = tmp_path / "taken"
    assert site.ask("feeds", "--output", str(taken), "--editions")["editions"] == 1
    assert {path.name for path in taken.iterdir()} == {"feed.xml", "atom.xml", "feed.json", "editions"}
    pages = {path.name: path.read_text("utf-8") for path in (taken / "editions").iterdir()}
    (slug,) = pages.keys() - {"index.html"}
    assert f'href="{slug}"' in pages["index.html"]
    assert "<b>" not in pages["index.html"]
    assert "harbour" in pages[slug]
    assert re.findall(r"/(?:unsubscribe|preferences)/", pages[slug]) == []

    left = Newsroom(tmp_path / "left", email=None)
    shutil.copytree(site.data, left.data, dirs_exist_ok=True)
    letter = mail.message_from_string(mail_server.world[0]["data"], policy=policy.default)
    link = re.sub(r"^<http://[^/]+", "", str(letter["List-Unsubscribe"]).split(",")[0].strip()).rstrip(">")
    with left.daemon(now=SLOT):
        base = f"http://127.0.0.1:{left.port}"
        assert http(base + link, b"List-Unsubscribe=One-Click")[0] == 200
        until(lambda: http(f"{base}/feed.xml")[0] == 200, "the feeds stay up", 10)
    states = {one["email"]: one["state"] for one in left.ask("subscribers", "list", now=SLOT)}
    assert sorted(states.values()) == ["active", "unsubscribed"]
    assert states[mail_server.world[0]["to"]] == "unsubscribed"
