"""Webhooks from outside: real processes, a receiver that believes nobody, and what it saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.newsroom import FIRST, FRIDAY, Newsroom
from tests.doubles.hook import SECRET, HookDouble

Make = Callable[..., Newsroom]


@pytest.fixture
def hook() -> Iterator[HookDouble]:
    with HookDouble(clock=FRIDAY.timestamp) as double:
        yield double


def table(hook: HookDouble, **more: Any) -> dict[str, Any]:
    return {"name": "Partners", "url": f"{hook.url}/in", "secret": SECRET, "live": True, **more}


def run(site: Newsroom, hook: HookDouble, *words: str, now: datetime = FRIDAY, code: int = 0) -> str:
    hook.clock = now.timestamp
    done = site.run(*words, now=now, code=code)
    return done.out + done.err


def titles(hook: HookDouble) -> list[str]:
    return sorted(message["data"]["title"] for message in hook.world.values())


def test_an_article_is_told_once_to_those_that_its_author_names(newsroom: Make, hook: HookDouble) -> None:
    site = newsroom(webhooks=[table(hook), table(hook, name="others", url=f"{hook.url}/others")], **FIRST)
    site.write(1, title="To all")
    site.write(2, title="To Partners alone", raw="syndicate:\n  channels: [partners]\n  partners: Our own words here.")
    site.write(3, title="To nobody", raw="syndicate: false")
    run(site, hook, "run", "--once")
    run(site, hook, "run", "--once", now=FRIDAY + timedelta(hours=1))
    assert titles(hook) == ["To Partners alone", "To all", "To all"]
    assert list(hook.times.values()) == [1, 1, 1]
    (own,) = [message["data"] for message in hook.world.values() if message["data"]["text"]]
    assert (own["title"], own["text"]) == ("To Partners alone", "Our own words here.")
    items = {item["title"]: item["id"] for item in site.feed()["items"]}
    assert own["id"] == items["To Partners alone"]
    rows = site.deliveries("Partners")
    assert {row["state"] for row in rows} == {"sent"}
    assert {row["external_id"] for row in rows} <= set(hook.world)
    again = run(site, hook, "send", "001-walk", "--to", "others", "--again", now=FRIDAY + timedelta(hours=2))
    assert "sent" in again
    assert len(hook.world) == 4


def test_a_death_after_the_receiver_took_it_is_settled_by_the_next_pass(newsroom: Make, hook: HookDouble) -> None:
    site = newsroom(webhooks=[table(hook)], **FIRST)
    site.write(1)
    site.crash("social.accepted", "run", "--once", now=FRIDAY)
    run(site, hook, "run", "--once", now=FRIDAY + timedelta(minutes=1))
    run(site, hook, "run", "--once", now=FRIDAY + timedelta(minutes=2))
    assert list(hook.times.values()) == [2]
    (row,) = site.deliveries("Partners")
    assert (row["state"], [row["external_id"]]) == ("sent", list(hook.world))


def test_a_receiver_that_went_away_pauses_and_its_queue_goes_out_later(newsroom: Make, hook: HookDouble) -> None:
    site = newsroom(webhooks=[table(hook, secret="not theirs")], **FIRST)
    site.write(1)
    site.write(2)
    told = run(site, hook, "run", "--once", code=1)
    assert "webhooks.secret" in told
    assert len(hook.requests) == 1
    (problem,) = site.ask("status")["problems"]
    assert "Partners" in problem
    assert "webhooks.secret" in problem
    site.configure(webhooks=[table(hook)])
    run(site, hook, "resume", "Partners", now=FRIDAY + timedelta(minutes=1))
    run(site, hook, "run", "--once", now=FRIDAY + timedelta(minutes=20))
    assert len(hook.world) == 2
    assert site.ask("status")["problems"] == []


def test_a_webhook_can_be_looked_at_rehearsed_and_not_called_back(newsroom: Make, hook: HookDouble) -> None:
    site = newsroom(webhooks=[table(hook, live=False)], **FIRST)
    path = site.write(1)
    run(site, hook, "run", "--once")
    (file,) = site.outbox("Partners")
    document = json.loads(file.read_text("utf-8"))
    assert document["headers"]["webhook-signature"] == "v1,***"
    assert document["body"]["type"] == "article.published"
    assert hook.requests == []
    shown = run(site, hook, "preview", path.stem, "--channel", "Partners")
    assert '"type": "article.published"' in shown
    assert SECRET[6:] not in shown + file.read_text("utf-8")
    site.configure(webhooks=[table(hook)])
    assert "live at 127.0.0.1, signed" in run(site, hook, "check")
    run(site, hook, "send", path.stem, "--to", "Partners")
    assert len(hook.world) == 1
    taken = run(site, hook, "retract", path.stem, "--yes")
    assert "cannot be called back: msg_" in taken and "delete it there" not in taken, "there is no page to go to"
    assert len(hook.requests) == 1
    assert "there is no channel 'Nobody': one of Partners" in run(
        site, hook, "send", path.stem, "--to", "Nobody", code=2
    )
    assert SECRET[6:].encode() not in site.database.read_bytes()
