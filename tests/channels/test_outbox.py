"""Rehearsal: everything but the last step, and the last step is a file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from syndicate.channels.base import Announcement, Channel, Receipt
from syndicate.channels.linkedin import LinkedIn
from syndicate.channels.outbox import Outbox
from syndicate.config import LinkedInSettings, Secret, Site
from syndicate.errors import Unavailable
from syndicate.fetch import Fetcher
from tests.doubles.clock import StillClock
from tests.factories import make_article

SITE = Site(title="The Harbour News", url="https://example.org")
ANNOUNCEMENT = Announcement(article=make_article(), summary="One (1). Two.")


def outbox(folder: Path, **settings: Any) -> Outbox:
    clock = StillClock()
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test")
    return Outbox(LinkedIn(LinkedInSettings(**settings), SITE, fetcher, clock, False), folder)


async def test_a_rehearsed_post_is_a_file_with_the_token_masked(tmp_path: Path) -> None:
    folder = tmp_path / "outbox" / "linkedin"
    rehearsal = outbox(folder, access_token=Secret("AQX-planted"), author="urn:li:person:abcd1234")
    payload = rehearsal.compose(ANNOUNCEMENT)
    assert await rehearsal.send("linkedin-1", payload) == Receipt()
    (file,) = folder.iterdir()
    assert file.name == "linkedin-1.json"
    assert json.loads(file.read_text("utf-8")) == {
        "method": "POST",
        "url": "https://api.linkedin.com/rest/posts",
        "headers": {
            "Linkedin-Version": "202609",
            "X-Restli-Protocol-Version": "2.0.0",
            "Content-Type": "application/json",
            "Authorization": "Bearer ***",
        },
        "body": json.loads(payload["body"]),
    }
    assert "AQX-planted" not in file.read_text("utf-8")
    await rehearsal.aclose()


async def test_without_an_author_one_is_made_up(tmp_path: Path) -> None:
    rehearsal = outbox(tmp_path)
    await rehearsal.send("1", rehearsal.compose(ANNOUNCEMENT))
    assert json.loads((tmp_path / "1.json").read_text())["body"]["author"] == "urn:li:person:REHEARSAL"


async def test_the_same_key_is_the_same_file(tmp_path: Path) -> None:
    rehearsal = outbox(tmp_path)
    payload = rehearsal.compose(ANNOUNCEMENT)
    await rehearsal.send("1", payload)
    await rehearsal.reconcile("1", payload)
    assert [file.name for file in tmp_path.iterdir()] == ["1.json"]


@pytest.mark.parametrize("key", ["../../etc/passwd", "/a", "..", ".hidden", "", "a\x00b", "é\ud800", "x" * 5_000])
async def test_a_hostile_key_stays_inside_the_folder(tmp_path: Path, key: str) -> None:
    folder = tmp_path / "outbox"
    rehearsal = outbox(folder)
    await rehearsal.send(key, rehearsal.compose(ANNOUNCEMENT))
    assert len(list(folder.glob("[!.]*.json"))) == 1
    assert list(tmp_path.iterdir()) == [folder]


async def test_keys_that_look_alike_have_files_of_their_own(tmp_path: Path) -> None:
    rehearsal = outbox(tmp_path)
    payload = rehearsal.compose(ANNOUNCEMENT)
    for key in ("a:b", "a/b", "a-b", "a b"):
        await rehearsal.send(key, payload)
    assert len(list(tmp_path.glob("*.json"))) == 4


async def test_an_outbox_that_cannot_be_written_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    rehearsal = outbox(tmp_path / "file" / "outbox")
    with pytest.raises(Unavailable, match="outbox cannot be written"):
        await rehearsal.send("1", rehearsal.compose(ANNOUNCEMENT))
    (tmp_path / "1.json").mkdir()
    blocked = outbox(tmp_path)
    with pytest.raises(Unavailable):
        await blocked.send("1", blocked.compose(ANNOUNCEMENT))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.json", "file"]


def test_it_is_a_channel_that_is_not_live(tmp_path: Path) -> None:
    checked: Channel = outbox(tmp_path)
    assert (checked.name, checked.live) == ("linkedin", False)
