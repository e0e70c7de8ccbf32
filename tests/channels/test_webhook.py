"""The webhook: its body, its signature as others verify it, and what each answer means. The rest is conformance."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from syndicate.channels.base import Announcement, Payload
from syndicate.channels.webhook import BODY_LIMIT, Webhook, keys_of, message_id, sign
from syndicate.config import Secret, Site, WebhookSettings
from syndicate.errors import Refused, Unavailable
from syndicate.fetch import Fetcher
from tests.doubles.clock import StillClock
from tests.doubles.hook import SECRET, HookDouble
from tests.factories import make_article

SITE = Site(title="The Harbour News", url="https://example.org", language="sv", image="https://example.org/s.png")
OTHER = "whsec_" + base64.b64encode(b"another secret of some length").decode()


@pytest.fixture
def double(fetcher: Fetcher) -> Iterator[HookDouble]:
    with HookDouble(clock=lambda: fetcher.clock.now().timestamp()) as server:
        yield server


def webhook(double: HookDouble, fetcher: Fetcher, *, site: Site = SITE, **settings: Any) -> Webhook:
    given = {"name": "partners", "url": double.url, "secret": Secret(SECRET), "live": True, **settings}
    return Webhook(WebhookSettings(**given), site, fetcher)


def composed(own_words: str | None = None, site: Site = SITE, **article: Any) -> dict[str, Any]:
    fetcher = Fetcher(StillClock(), random.Random(7), "syndicate/test")
    hook = Webhook(WebhookSettings(name="p", url="https://p.test"), site, fetcher)
    announcement = Announcement(article=make_article(**article), summary="One. Two.", own_words=own_words)
    document: dict[str, Any] = json.loads(hook.compose(announcement)["body"])
    return document


def payload(hook: Webhook, **article: Any) -> Payload:
    return hook.compose(Announcement(article=make_article(**article), summary="One. Two."))


# --- the body ---------------------------------------------------------------------------------------------------------


def test_the_body_is_what_the_documentation_shows() -> None:
    document = composed(
        "Our words.", cta="Follow us.", hero_image="https://example.org/h.jpg", hero_alt="A lamp",
        released=datetime(2026, 3, 6, 8, 0, 0, 999, tzinfo=UTC),
    )  # fmt: skip
    assert document == {
        "type": "article.published",
        "timestamp": "2026-03-06T08:00:00Z",
        "data": {
            "id": f"urn:uuid:{make_article().id}",
            "url": "https://example.org/lighthouse-keeper/",
            "title": "The lighthouse keeper retires",
            "subtitle": "Forty years above the harbour",
            "summary": "One. Two.",
            "description": "After forty years the keeper hands over the keys.",
            "authors": ["Ada Lindqvist"],
            "tags": ["harbour", "people"],
            "cta": {"text": "Follow us.", "url": "https://example.org/lighthouse-keeper/"},
            "image": {"url": "https://example.org/h.jpg", "alt": "A lamp"},
            "published": "2026-11-23",
            "released": "2026-03-06T08:00:00Z",
            "language": "sv",
            "text": "Our words.",
            "site": {"title": "The Harbour News", "url": "https://example.org"},
        },
    }


def test_what_is_not_there_is_null_and_the_sites_image_stands_in() -> None:
    bare = Site(title="T", url="https://example.org")
    data = composed(hero_image=None, published=None, cta=" ", site=bare)["data"]
    assert (data["image"], data["cta"], data["published"], data["text"]) == (None, None, None, None)
    assert composed()["data"]["image"] == {"url": "https://example.org/s.png", "alt": ""}
    assert composed(hero_image="data:image/png;base64," + "A" * 9_000)["data"]["image"]["url"] == SITE.image


@pytest.mark.parametrize("long", ["description", "title", "subtitle", "cta", "hero_alt"])
def test_a_body_that_would_be_too_long_is_cut_and_nothing_else_of_it(long: str) -> None:
    document = composed(hero_image="https://example.org/h.jpg", **{long: "Wörds of a sentence. " * 4_000})
    assert len(json.dumps(document, ensure_ascii=False).encode()) + 19_000 * (long == "hero_alt") > BODY_LIMIT / 4
    assert len(json.dumps(document, ensure_ascii=False).encode()) <= BODY_LIMIT
    if long != "title":
        assert document["data"]["title"] == "The lighthouse keeper retires"


def test_names_without_end_are_cut_too() -> None:
    document = composed(tags=("\U0001f389" * 500,) * 500, authors=("漢" * 500,) * 500, description="漢" * 20_000)
    assert len(json.dumps(document, ensure_ascii=False).encode()) <= BODY_LIMIT


# --- the signature ----------------------------------------------------------------------------------------------------


def test_the_signature_is_the_one_of_the_specifications_example() -> None:
    """From standard-webhooks/standard-webhooks, the test vector of its libraries."""
    (key,) = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("written", "known"),
    [
        (SECRET, (SECRET,)),
        (f"{OTHER} {SECRET}", (SECRET,)),  # being changed: the receiver has the old one,
        (f"{OTHER} {SECRET}", (OTHER,)),  # then the new one
        ("any other text", ("any",)),
        ("päss", ("päss",)),
        ("", ()),  # unsigned, to one who does not look
    ],
)
async def test_each_secret_signs(double: HookDouble, fetcher: Fetcher, written: str, known: tuple[str, ...]) -> None:
    double.secrets = known
    hook = webhook(double, fetcher, secret=Secret(written))
    await hook.send("partners-1", payload(hook))
    assert len(double.world) == 1
    assert ("webhook-signature" in double.requests[0].headers) is bool(written)


async def test_a_wrong_secret_pauses_and_names_the_key(double: HookDouble, fetcher: Fetcher) -> None:
    hook = webhook(double, fetcher, secret=Secret(OTHER))
    with pytest.raises(Unavailable, match="no signature of ours") as caught:
        await hook.send("partners-1", payload(hook))
    assert caught.value.pauses
    assert "webhooks.secret" in caught.value.pauses


async def test_a_retry_bears_the_same_id_and_a_fresh_timestamp(double: HookDouble, fetcher: Fetcher) -> None:
    hook = webhook(double, fetcher)
    frozen = payload(hook)
    await hook.send("partners-1", frozen)
    await fetcher.clock.sleep(86_400)
    await webhook(double, fetcher, secret=Secret(f"{OTHER} {SECRET}")).reconcile("partners-1", frozen)
    first, second = (request.headers for request in double.requests)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 86_400
    assert list(double.times.values()) == [2]


def test_an_id_is_of_one_delivery_in_one_ledger_and_holds_no_full_stop() -> None:
    ids = {
        message_id(site, key, body)
        for site in ("https://a.test", "https://b.test")
        for key in ("my.hook-1", "my.hook-2", "\ud800")
        for body in (b"{}", b"[]")
    }
    assert len(ids) == 12
    assert all("." not in one and one.startswith("msg_") for one in ids)


# --- the answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("301:", "it leads elsewhere, to 127.0.0.2"),
        ("307:", "webhooks.url"),
        ("401:no", "webhooks.secret"),
        ("403:no", "webhooks.secret"),
        ("404:<html>", "nobody listens there"),
        ("405:", "nobody listens there"),
        ("410:", "remove this webhook"),
    ],
)
async def test_a_receiver_that_hears_nothing_pauses(
    double: HookDouble, fetcher: Fetcher, fault: str, words: str
) -> None:
    double.faults.append(fault)
    hook = webhook(double, fetcher)
    with pytest.raises(Unavailable) as caught:
        await hook.send("partners-1", payload(hook))
    assert caught.value.pauses
    assert words in caught.value.pauses
    assert (len(double.requests), double.world) == (1, {})


@pytest.mark.parametrize("status", [400, 402, 406, 409, 411, 413, 415, 422, 451])
async def test_what_it_does_not_take_has_failed(double: HookDouble, fetcher: Fetcher, status: int) -> None:
    double.faults.append(f"{status}:not like that\x00\x1b")
    hook = webhook(double, fetcher)
    with pytest.raises(Refused) as caught:
        await hook.send("partners-1", payload(hook))
    assert caught.value.reason == f"it answered {status}: not like that"


@pytest.mark.parametrize("fault", ["408:", "425:", "429:", "500:", "501:", "502:", "503:", "504:", "599:"])
async def test_what_passes_is_tried_again_later(double: HookDouble, fetcher: Fetcher, fault: str) -> None:
    double.faults.extend([fault] * 3)
    hook = webhook(double, fetcher)
    with pytest.raises(Unavailable) as caught:
        await hook.send("partners-1", payload(hook))
    assert (caught.value.pauses, caught.value.status) == (None, int(fault[:3]))


async def test_a_receiver_that_is_busy_for_a_moment_is_asked_again_at_once(
    double: HookDouble, fetcher: Fetcher
) -> None:
    double.faults.extend(["503:2", "drop"])
    hook = webhook(double, fetcher)
    await hook.send("partners-1", payload(hook))
    assert (len(double.world), len(double.requests)) == (1, 3)


async def test_the_address_is_the_configured_one_and_its_query_is_not_stored(
    double: HookDouble, fetcher: Fetcher
) -> None:
    hook = webhook(double, fetcher, url=f"{double.url}/in?token=hush")
    frozen = payload(hook)
    assert "hush" not in json.dumps(dict(frozen))
    await hook.send("partners-1", {**frozen, "url": "http://127.0.0.1:1/stranger"})
    assert double.requests[0].path == "/in?token=hush"


async def test_nothing_can_be_called_back(double: HookDouble, fetcher: Fetcher) -> None:
    hook = webhook(double, fetcher)
    with pytest.raises(Refused, match="cannot be called back"):
        await hook.retract("msg_1")
    assert await hook.unable() == "what a webhook told cannot be called back"
    assert double.requests == []
