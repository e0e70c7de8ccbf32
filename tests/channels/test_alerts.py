"""Alerts that really leave: to a mail server, and to an address that takes JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from email import message_from_string
from email.policy import default
from typing import Any

import pytest

from syndicate import logs
from syndicate.config import EmailSettings, SmtpSettings
from syndicate.errors import DeliveryError
from syndicate.fetch import Fetcher
from syndicate.transports.alerts import Alert, Mail, Webhook, alert_id, body_for
from syndicate.transports.dialogue import Limits
from tests.doubles.clock import StillClock
from tests.doubles.smtp import HANG, SmtpDouble
from tests.doubles.website import Website, moved, said, website

QUICK = Limits(connect=1, command=1, dot=1)
ALERT = Alert(
    id=alert_id(["one"]), site="The Cöurier", begun=["linkedin: paused by a fault: 401", "a\r\nBcc: b@c.test\x00 ü"],
    over=["articles: gone"],
)  # fmt: skip


def mail(port: int, *, to: str = "Otto <otto@owner.test>", sender: str = "News <news@courier.test>") -> Mail:
    smtp = SmtpSettings(host="127.0.0.1", port=port, security="none")
    return Mail(to, EmailSettings(sender=sender, smtp=smtp), StillClock(), limits=QUICK)


# --- mail -------------------------------------------------------------------------------------------------------------


async def test_an_alert_is_a_letter_to_one_address_although_email_is_not_live() -> None:
    async with SmtpDouble() as server:
        await mail(server.port).tell(ALERT)
        (letter,) = server.world
    message = message_from_string(letter["data"], policy=default)
    assert (letter["from"], letter["to"]) == ("news@courier.test", "otto@owner.test")
    assert message["Subject"] == "The Cöurier: linkedin: paused by a fault: 401 (and 2 more)"
    assert message["To"] == "Otto <otto@owner.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{ALERT.id}@courier.test>"
    assert message["Bcc"] is None
    assert message.get_content().splitlines() == [
        "Something is wrong at The Cöurier:", "", "- linkedin: paused by a fault: 401", "- a Bcc: b@c.test ü", "",
        "This is over:", "", "- articles: gone", "", "`syndicate status` tells how things are now.",
    ]  # fmt: skip


async def test_who_has_no_sender_yet_hears_from_himself() -> None:
    async with SmtpDouble() as server:
        await mail(server.port, sender="News <news@example.org>").tell(ALERT)
        assert server.world[0]["from"] == "otto@owner.test"


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"CONNECT": ["554 no"]}, "554"),
        ({"MAIL": ["550 5.7.1 not you"]}, "not you"),
        ({"RCPT": ["550 5.1.1 no such user"]}, "no such user"),
        ({"RCPT": ["451 4.7.1 later"]}, "later"),
        ({".": ["554 5.7.1 spam"]}, "spam"),
        ({".": [HANG]}, ""),
    ],
)
async def test_a_letter_that_is_not_taken_is_told_so(faults: dict[str, Any], words: str) -> None:
    async with SmtpDouble(faults=faults) as server:
        with pytest.raises(DeliveryError) as caught:
            await mail(server.port).tell(ALERT)
    assert words in str(caught.value)


async def test_a_server_that_is_not_there_is_told_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DeliveryError):
            await mail(taken.getsockname()[1]).tell(ALERT)


async def test_an_address_that_nobody_can_write_to_is_told_so() -> None:
    with pytest.raises(DeliveryError, match=r"alerts\.email"):
        await mail(1, to="otto@localdomain").tell(ALERT)


# --- webhook ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as site:
        yield site


async def test_an_alert_is_posted_as_json(site: Website, fetcher: Fetcher) -> None:
    site.pages["POST /hook?key=x"] = said(204)
    await Webhook(f"{site.url}/hook?key=x", fetcher).tell(ALERT)
    (asked,) = site.asked
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["webhook-id"] == ALERT.id
    assert asked.headers["webhook-timestamp"] == "1795435200"
    assert json.loads(asked.body) == {
        "type": "syndicate.alert",
        "site": "The Cöurier",
        "text": ALERT.text,
        "begun": ["linkedin: paused by a fault: 401", "a Bcc: b@c.test ü"],
        "over": ["articles: gone"],
    }


@pytest.mark.parametrize("answer", [said(404), said(500), said(429, Retry_After="7200"), moved("/elsewhere", 307)])
async def test_whatever_is_not_2xx_is_no_delivery(site: Website, fetcher: Fetcher, answer: bytes) -> None:
    site.pages |= {"/hook": answer, "/elsewhere": said(200)}
    with pytest.raises(DeliveryError) as caught:
        await Webhook(f"{site.url}/hook", fetcher).tell(ALERT)
    assert "/hook" not in str(caught.value), "its address is its password"
    assert {asked.path for asked in site.asked} == {"/hook"}


MEAN = Alert(id="x", site="S", begun=["<!channel> & @everyone " + "x" * 3000])


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("https://hooks.slack.com/services/T/B/x", {"text"}),
        ("https://discord.com/api/webhooks/1/x", {"content", "allowed_mentions"}),
        ("https://canary.discord.com/api/webhooks/1/x", {"content", "allowed_mentions"}),
        ("https://chat.googleapis.com/v1/spaces/A/messages", {"text"}),
        ("https://notslack.com/x", {"type", "site", "text", "begun", "over"}),
    ],
)
def test_chats_get_what_they_understand_and_nobody_is_called(url: str, keys: set[str]) -> None:
    body = body_for(url, MEAN)
    assert set(body) == keys
    if "slack.com/services" in url:
        assert "&lt;!channel&gt; &amp; @everyone" in body["text"]
    if "content" in body:
        assert len(body["content"]) == 2000
        assert body["allowed_mentions"] == {"parse": []}


def test_secrets_are_starred_and_the_subject_is_short() -> None:
    logs.hide("s3cret-of-the-alerts")
    alert = Alert(id="x", site="S", over=["it said s3cret-of-the-alerts " + "y" * 300])
    assert "s3cret" not in alert.text + alert.subject + json.dumps(body_for("https://a.test", alert))
    assert alert.subject.startswith("S: over: it said ****")
    assert len(alert.subject) <= 121


def test_the_name_of_an_alert_is_made_of_what_it_tells() -> None:
    assert alert_id(["a", "b"]) == alert_id(["a", "b"]) != alert_id(["ab"])
