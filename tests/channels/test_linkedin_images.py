"""A card's picture, a strict LinkedIn and a real web server: it is uploaded once, or the post goes without it."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import cache
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from syndicate.channels.base import Announcement, Payload
from syndicate.channels.linkedin import LinkedIn, images
from syndicate.channels.linkedin.images import REHEARSAL_IMAGE, is_linkedins
from syndicate.channels.outbox import Outbox
from syndicate.config import LinkedInSettings, Secret, Site
from syndicate.errors import InDoubt, Unavailable
from syndicate.fetch import Fetcher
from syndicate.guarded import GuardedFetcher
from syndicate.picture import fit
from tests.doubles.clock import StillClock
from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble, Reply
from tests.doubles.linkedin.server import FOREIGN_ORGANISATION, MEMBER, ORGANISATION, Token
from tests.doubles.website import Website, moved, said, website
from tests.factories import make_article

MINUTE = timedelta(minutes=1)
VERSIONED = {"LinkedIn-Version": "202609", "X-Restli-Protocol-Version": "2.0.0"}


@cache
def picture(form: str = "WEBP", width: int = 60, height: int = 30, **how: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), (220, 20, 20)).save(out, form, **how)
    return out.getvalue()


def served(content: bytes, kind: str = "image/webp") -> bytes:
    return said(200, content, Content_Type=kind)


class Place:
    """A channel between its LinkedIn and the web."""

    def __init__(self, double: LinkedInDouble, web: Website, fetcher: Fetcher, getter: GuardedFetcher) -> None:
        self.double, self.web, self.fetcher, self.getter = double, web, fetcher, getter
        assert isinstance(fetcher.clock, StillClock)
        self.clock = fetcher.clock
        self.linkedin = self.channel()

    def channel(self, *, live: bool = True, image: str = "", **settings: Any) -> LinkedIn:
        given = {"live": live, "api_url": self.double.url, "author": AUTHOR, "access_token": Secret(TOKEN), **settings}
        site = Site(title="The Harbour News", url="https://example.org", image=image)
        return LinkedIn(LinkedInSettings(**given), site, self.fetcher, self.clock, live, pictures=self.getter)

    def compose(self, hero: str | None = "/hero.webp", **article: Any) -> Payload:
        address = self.web.url + hero if hero and hero.startswith("/") else hero
        article = {"hero_alt": "A lighthouse at night", **article}
        return self.linkedin.compose(
            Announcement(article=make_article(hero_image=address, **article), summary="One. Two.")
        )

    async def prepare(self, payload: Payload | None = None) -> Payload:
        return await self.linkedin.prepare("linkedin-1", payload or self.compose())

    @property
    def card(self) -> dict[str, Any]:
        """Of the only post that the world saw."""
        (post,) = self.double.posts
        assert post.card is not None
        return post.card

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        requests = self.double.requests
        return [dict(one.headers) for one in requests if one.method == method and one.path.startswith(path)]


@pytest.fixture
def double() -> Iterator[LinkedInDouble]:
    with LinkedInDouble() as server:
        yield server


@pytest.fixture
async def place(double: LinkedInDouble) -> AsyncIterator[Place]:
    clock = StillClock()
    double.clock = lambda: clock.moment.timestamp()
    fetcher = Fetcher(clock, random.Random(7), "syndicate/test")
    async with website() as web:
        web.pages["/hero.webp"] = served(picture())
        getter = GuardedFetcher("syndicate/test", allow_private=[f"127.0.0.1:{web.port}"], connect=2, deadline=0.6)
        yield Place(double, web, fetcher, getter)
        await getter.aclose()
    await fetcher.aclose()


def thumbnail(payload: Payload) -> str | None:
    found: str | None = json.loads(payload["body"])["content"]["article"].get("thumbnail")
    return found


# --- all is well ------------------------------------------------------------------------------------------------------


async def test_a_card_has_the_picture_of_its_article_as_a_jpeg(place: Place) -> None:
    receipt = await place.linkedin.send("linkedin-1", await place.prepare())
    (image,) = place.double.images.given
    assert (image.owner, image.content[:2]) == (AUTHOR, b"\xff\xd8")
    assert place.card["thumbnail"] == image.urn
    assert (receipt.status, receipt.answer) == (201, "")
    (put,) = place.asked("PUT", "/dms-uploads/")
    assert (put["authorization"], put["content-type"]) == (f"Bearer {TOKEN}", "image/jpeg")
    (initialized,) = place.asked("POST", "/rest/images")
    assert initialized["linkedin-version"] == "202609"


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/a.avif", picture("AVIF"), "image/avif"),
        ("/a.gif", picture("GIF"), "image/gif"),
        ("/a.png", picture("PNG", 6_100, 6_100, compress_level=1), "image/png"),
        ("/a", picture("JPEG", comment=b"Camera of somebody"), "IMAGE/JPEG; charset=binary"),
    ],
    ids=["avif", "gif", "6100-pixels", "comment"],
)
async def test_what_linkedin_would_not_take_is_made_into_what_it_takes(
    place: Place, path: str, content: bytes, kind: str
) -> None:
    place.web.pages[path] = served(content, kind)
    await place.linkedin.send("linkedin-1", await place.prepare(place.compose(path)))
    (image,) = place.double.images.taken
    assert place.card["thumbnail"] == image.urn
    assert not image.failed
    assert b"Camera of somebody" not in image.content


async def test_what_is_prepared_is_not_prepared_again(place: Place) -> None:
    payload = await place.prepare()
    assert await place.prepare(payload) == payload
    assert len(place.double.images.given) == 1
    assert len(place.web.asked) == 1


async def test_the_alternative_text_stands_beside_the_body_and_not_in_it(place: Place) -> None:
    payload = await place.prepare()
    assert payload["picture"]["alt"] == "A lighthouse at night"
    assert (payload["picture"]["width"], payload["picture"]["height"]) == (60, 30)
    assert "A lighthouse at night" not in payload["body"]


async def test_an_article_without_a_picture_costs_no_request(place: Place) -> None:
    payload = place.compose(None)
    assert await place.prepare(payload) == payload
    receipt = await place.linkedin.send("linkedin-1", payload)
    assert (receipt.answer, "thumbnail" in place.card, place.double.images.given) == ("", False, [])


async def test_the_sites_picture_stands_in_for_one_that_is_broken(place: Place) -> None:
    place.web.pages["/site.png"] = served(picture("PNG"), "image/png")
    place.linkedin = place.channel(image=f"{place.web.url}/site.png")
    payload = await place.prepare(place.compose("/broken.png"))
    receipt = await place.linkedin.send("linkedin-1", payload)
    assert place.card["thumbnail"] == place.double.images.given[0].urn
    assert payload["picture"]["alt"] == ""  # it says what is on the other one
    assert receipt.answer == f"its own picture was left out: {place.web.url}/broken.png: it was answered with 404"


# --- a broken picture never stops the post ----------------------------------------------------------------------------


async def hang(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drop(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9000\r\n\r\n\x89PNG")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (said(404), "answered with 404"),
        (said(500), "answered with 500"),
        (said(200, b"<html>", Content_Type="text/html"), "answers with text/html, not image/"),
        (served(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"), "no JPEG, PNG, GIF, WebP or AVIF"),
        (served(picture()[:40]), "cannot be read"),
        (served(b""), "no JPEG, PNG, GIF, WebP or AVIF"),
        (served(picture("PNG") + bytes(10_000_001), "image/png"), "more than 10 MB"),
        (served(b"GIF89a\xff\xff\xff\xff" + picture("GIF")[10:], "image/gif"), "65535 x 65535 pixels"),
        (moved("http://127.0.0.1:8080/secret.png"), "not a public address"),
        (moved("http://169.254.169.254/latest/meta-data/"), "not a public address"),
        (moved("file:///etc/passwd"), "not an absolute http or https address"),
        (moved("/hero.webp?again"), "answered with 404"),
        (hang, "did not answer within"),
        (drop, "did not answer"),
    ],
    ids=[
        "missing", "failing", "page", "svg", "broken-off", "empty", "heavy", "bomb", "private", "cloud", "file",
        "moved", "silent", "dropped",
    ],
)  # fmt: skip
async def test_a_post_goes_out_without_a_broken_picture_and_says_why(place: Place, page: Any, reason: str) -> None:
    place.web.pages["/broken"] = page
    receipt = await place.linkedin.send("linkedin-1", await place.prepare(place.compose("/broken")))
    assert receipt.status == 201
    assert receipt.answer.startswith(f"picture left out: {place.web.url}/broken: ")
    assert reason in receipt.answer
    assert "thumbnail" not in place.card
    assert place.double.images.given == []


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1/a.png",
        "http://localhost:22/a.png",
        "data:image/png;base64,AAAA",
        "ftp://example.org/a.png",
        "x",
    ],
)
async def test_an_address_that_may_not_be_asked_is_left_alone(place: Place, address: str) -> None:
    receipt = await place.linkedin.send("linkedin-1", await place.prepare(place.compose(address)))
    assert receipt.answer.startswith("picture left out: ")
    assert "thumbnail" not in place.card


async def test_the_query_of_an_address_stands_in_no_reason(place: Place) -> None:
    receipt = await place.linkedin.send("linkedin-1", await place.prepare(place.compose("/a.png?signature=s3cret")))
    assert receipt.answer == f"picture left out: {place.web.url}/a.png: it was answered with 404"


async def test_an_image_that_was_looked_for_in_vain_is_said_too(place: Place) -> None:
    article = make_article(hero_image=None)
    lost = Announcement(article=article, summary="One. Two.", lost_image="https://example.org/gone.png")
    receipt = await place.linkedin.send("linkedin-1", await place.prepare(place.linkedin.compose(lost)))
    assert receipt.answer == "picture left out: https://example.org/gone.png was not there when it was looked up"


async def test_that_the_sites_picture_stands_in_for_a_lost_one_is_said_too(place: Place) -> None:
    place.linkedin = place.channel(image=f"{place.web.url}/hero.webp")
    lost = Announcement(article=make_article(hero_image=None), summary="One. Two.", lost_image="/gone.png")
    receipt = await place.linkedin.send("linkedin-1", await place.prepare(place.linkedin.compose(lost)))
    assert place.card["thumbnail"] == place.double.images.given[0].urn
    assert receipt.answer == "its own picture was left out: /gone.png was not there when it was looked up"


async def test_a_picture_that_could_not_be_had_for_a_moment_is_tried_again_with_the_next_attempt(place: Place) -> None:
    place.web.pages["/hero.webp"] = said(503)
    first = await place.prepare()
    assert thumbnail(first) is None
    place.web.pages["/hero.webp"] = served(picture())
    second = await place.prepare(first)
    assert thumbnail(second) == place.double.images.given[0].urn
    assert "note" not in second


async def test_a_picture_that_is_none_is_not_asked_for_again(place: Place) -> None:
    first = await place.prepare(place.compose("/missing.png"))
    assert await place.prepare(first) == first
    assert len(place.web.asked) == 1


# --- what LinkedIn says to it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("403:", "answered 403 when asked where to upload it"),
        ("400:", "answered 400 when asked where to upload it"),
        ("500-before", "answered 500"),
        ("html-500", "answered 500"),
        ("503", "answered 503"),
        ("429-day", "answered 429"),
        ("204:", "answered 204"),
        ("drop", "did not answer"),
    ],
)
async def test_a_refused_upload_leaves_the_picture_out(place: Place, fault: str, reason: str) -> None:
    place.double.images.faults.extend([fault] * 3)
    receipt = await place.linkedin.send("linkedin-1", await place.prepare())
    assert receipt.answer.startswith("picture left out: ")
    assert reason in receipt.answer
    assert "thumbnail" not in place.card


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"value": {"uploadUrl": 1, "image": "x"}}', b"<html>", b"[" * 9])
async def test_an_answer_that_names_no_address_leaves_the_picture_out(place: Place, body: bytes) -> None:
    async def odd(_request: Any, _writer: Any) -> Reply:
        return Reply(200, body)

    place.double.routes["POST", "/rest/images"] = odd
    receipt = await place.linkedin.send("linkedin-1", await place.prepare())
    assert receipt.answer == "picture left out: LinkedIn did not say where to upload it"


@pytest.mark.parametrize(("fault", "cure"), [("redirect", "linkedin.api_url"), ("426:", "linkedin.version")])
async def test_what_concerns_the_channel_stops_before_the_post(place: Place, fault: str, cure: str) -> None:
    place.double.images.faults.append(fault)
    with pytest.raises(Unavailable) as caught:
        await place.prepare()
    assert cure in (caught.value.pauses or "")
    assert place.double.posts == []


async def test_a_dead_token_pauses_before_the_post(place: Place) -> None:
    place.double.dead[TOKEN] = "expired"
    with pytest.raises(Unavailable) as caught:
        await place.prepare()
    assert "EXPIRED_ACCESS_TOKEN" in (caught.value.pauses or "")
    assert TOKEN not in str(caught.value)


async def test_a_short_throttle_waits_instead_of_losing_the_picture(place: Place) -> None:
    place.double.images.faults.append("429")
    with pytest.raises(Unavailable) as caught:
        await place.prepare()
    assert (caught.value.retry_after or timedelta(0)) >= MINUTE


@pytest.mark.parametrize(
    ("faults", "given", "taken", "asked"),
    [
        ([], 1, 1, 1),
        (["403:", ""], 2, 1, 2),  # expired: another address
        (["400:", ""], 2, 1, 2),
        (["403:", "403:"], 2, 0, 2),
        (["500-before", ""], 1, 1, 2),
        (["drop", ""], 1, 1, 2),
        (["accept-then-drop", ""], 1, 1, 2),
        (["reset", ""], 1, 1, 2),
        (["500-before"] * 3, 1, 0, 3),
        (["413:"], 1, 0, 1),
        (["redirect"], 1, 0, 1),
    ],
)
async def test_an_upload_is_repeated_where_that_may_help(
    place: Place, faults: list[str], given: int, taken: int, asked: int
) -> None:
    pictures = place.double.images
    pictures.upload_faults.extend(faults)
    receipt = await place.linkedin.send("linkedin-1", await place.prepare())
    assert (len(pictures.given), len(pictures.taken), len(place.asked("PUT", "/"))) == (given, taken, asked)
    assert place.card.get("thumbnail") == (pictures.taken[0].urn if taken else None)
    assert receipt.answer.startswith("picture left out: LinkedIn answered its upload with") is not bool(taken)


async def test_an_address_that_has_expired_is_asked_for_anew(place: Place) -> None:
    place.double.images.lifetime = -1.0
    receipt = await place.linkedin.send("linkedin-1", await place.prepare())
    assert len(place.double.images.given) == 2
    assert receipt.answer == "picture left out: LinkedIn answered its upload with 400"


async def test_a_strangers_address_gets_neither_the_token_nor_the_picture(place: Place) -> None:
    async with website() as stranger:
        stranger.pages["/up"] = said(201)
        place.double.images.elsewhere = f"{stranger.url}/up"
        receipt = await place.linkedin.send("linkedin-1", await place.prepare())
        assert stranger.asked == []
    assert f"to {stranger.url}, which is no host of its own" in receipt.answer
    assert "thumbnail" not in place.card


API, AUTH, OURS = "https://api.linkedin.com", "https://www.linkedin.com", "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("url", "api", "good"),
    [
        ("https://www.linkedin.com/dms-uploads/sp/v2/a/0?ca=b&ut=3%2B", API, True),
        ("https://media.LinkedIn.com:443/a", API, True),
        ("https://linkedin.com/a", API, True),
        ("http://www.linkedin.com/a", API, False),
        ("https://www.linkedin.com:8443/a", API, False),
        ("https://notlinkedin.com/a", API, False),
        ("https://linkedin.com.example/a", API, False),
        ("https://www.linkedin.com@stranger.example/a", API, False),
        ("https://stranger.example\\@www.linkedin.com/a", API, False),
        ("https://stranger.example/?https://www.linkedin.com/", API, False),
        ("https://stranger.example#@www.linkedin.com/", API, False),
        ("https://www.linkedin.com\n.stranger.example/a", API, False),
        ("https://www.l\u0131nkedin.com/a", API, False),
        ("https://[::1/a", API, False),
        ("ftp://www.linkedin.com/a", API, False),
        ("//www.linkedin.com/a", API, False),
        ("", API, False),
        ("http://127.0.0.1:9000/up?x=1", OURS, True),
        ("http://127.0.0.1:9001/up", OURS, False),
        ("https://127.0.0.1:9000/up", OURS, False),
        ("https://media.linkedin.com/a", OURS, False),
    ],
)
def test_the_token_goes_to_linkedins_own_hosts_alone(url: str, api: str, good: bool) -> None:
    assert is_linkedins(url, api, AUTH) is good


async def test_an_upload_that_takes_too_long_is_given_up(place: Place) -> None:
    place.double.images.upload_faults.append("hang")
    made = images.upload(
        place.fetcher, fit(picture()), owner=AUTHOR, hosts=(place.double.url, place.double.url), judge=lambda _: None,
        headers={"Authorization": f"Bearer {TOKEN}", **VERSIONED},
        within=0.3,
    )  # fmt: skip
    with pytest.raises(images.LeftOut, match="did not take it") as caught:
        await made
    assert caught.value.passing


# --- what LinkedIn says to a post with it -----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["unknown", "another's", "failed"])
async def test_a_post_whose_picture_is_refused_goes_out_without_it_at_once(place: Place, trouble: str) -> None:
    pictures = place.double.images
    pictures.fails = trouble == "failed"
    payload = await place.prepare()
    (image,) = pictures.given
    if trouble == "unknown":
        pictures.given.clear()
    if trouble == "another's":
        image.owner = "urn:li:person:other"
    receipt = await place.linkedin.send("linkedin-1", payload)
    assert receipt.external_id == place.double.posts[0].urn
    assert receipt.answer.startswith("picture left out: LinkedIn answered 400")
    assert "thumbnail" not in place.card
    assert len(place.asked("POST", "/rest/posts")) == 2


async def test_a_doubt_about_a_post_without_its_picture_is_settled_without_it(place: Place) -> None:
    place.double.images.fails = True
    payload = await place.prepare()
    place.double.faults.extend(["", "accept-then-drop"])
    with pytest.raises(InDoubt):
        await place.linkedin.send("linkedin-1", payload)
    place.double.images.fails = False
    receipt = await place.linkedin.reconcile("linkedin-1", payload)
    (post,) = place.double.posts
    assert receipt.external_id == post.urn
    assert receipt.answer.startswith("picture left out: ")
    _, first, second = [one.body for one in place.double.requests if one.path == "/rest/posts"]
    assert first == second


async def test_a_picture_that_went_bad_after_a_lost_answer_makes_no_second_post(place: Place) -> None:
    payload = await place.prepare()
    place.double.faults.append("accept-then-drop")
    with pytest.raises(InDoubt):
        await place.linkedin.send("linkedin-1", payload)
    place.double.faults.append('400:{"code": "MEDIA_ASSET_PROCESSING_FAILED", "message": "it cannot be read"}')
    with pytest.raises(InDoubt, match="does not tell whether the first arrived"):
        await place.linkedin.reconcile("linkedin-1", payload)
    assert len(place.double.posts) == 1
    assert len(place.asked("POST", "/rest/posts")) == 2


async def test_a_picture_that_is_being_read_is_waited_for_and_kept(place: Place) -> None:
    place.double.images.slow = 60.0
    payload = await place.prepare()
    with pytest.raises(Unavailable) as caught:
        await place.linkedin.send("linkedin-1", payload)
    assert caught.value.retry_after == timedelta(seconds=30)
    place.clock.moment += MINUTE
    payload = await place.prepare(payload)
    receipt = await place.linkedin.send("linkedin-1", payload)
    assert place.card["thumbnail"] == place.double.images.taken[0].urn
    assert (receipt.answer, len(place.double.images.given)) == ("", 1)


async def test_a_picture_that_never_gets_ready_is_left_out_after_ten_minutes(place: Place) -> None:
    place.double.images.slow = 1e9
    payload = await place.prepare()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await place.linkedin.send("linkedin-1", payload)
        payload = await place.prepare(payload)
        assert thumbnail(payload)
        place.clock.moment += 6 * MINUTE
    payload = await place.prepare(payload)
    assert thumbnail(payload) is None
    assert await place.prepare(payload) == payload
    receipt = await place.linkedin.send("linkedin-1", payload)
    assert receipt.answer == "picture left out: LinkedIn did not get it ready in time"
    assert len(place.double.images.given) == 1


async def test_a_post_that_waits_long_for_another_reason_keeps_its_picture(place: Place) -> None:
    payload = await place.prepare()
    place.double.faults.append("429-day")
    with pytest.raises(Unavailable):
        await place.linkedin.send("linkedin-1", payload)
    place.clock.moment += timedelta(hours=12)
    assert await place.prepare(payload) == payload


async def test_what_was_frozen_before_there_were_pictures_is_posted_as_it_is(place: Place) -> None:
    old = {name: value for name, value in place.compose().items() if name != "picture"} | {"v": 1}
    assert await place.prepare(old) == old
    await place.linkedin.send("linkedin-1", old)
    assert place.double.posts[0].body == old["body"]


# --- rehearsal, secrets -----------------------------------------------------------------------------------------------


async def test_a_rehearsal_uploads_nothing_and_shows_that_there_would_be_a_picture(place: Place, tmp_path: Any) -> None:
    rehearsal = Outbox(place.channel(live=False), tmp_path)
    payload = await rehearsal.prepare("linkedin-1", place.compose())
    await rehearsal.send("linkedin-1", payload)
    document = json.loads((tmp_path / "linkedin-1.json").read_text("utf-8"))
    assert document["body"]["content"]["article"]["thumbnail"] == REHEARSAL_IMAGE
    assert place.double.requests == []
    once_live = await place.prepare(payload)  # taken up again once the channel is live
    assert thumbnail(once_live) == place.double.images.given[0].urn


async def test_a_rehearsal_says_that_the_picture_is_broken(place: Place, tmp_path: Any) -> None:
    rehearsal = Outbox(place.channel(live=False), tmp_path)
    payload = await rehearsal.prepare("linkedin-1", place.compose("/missing.png"))
    receipt = await rehearsal.send("linkedin-1", payload)
    assert receipt.answer == f"picture left out: {place.web.url}/missing.png: it was answered with 404"


async def test_no_secret_in_payload_or_log(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.double.images.upload_faults.append("413:" + TOKEN)
    broken = await place.prepare()
    good = await place.prepare(place.compose())
    assert thumbnail(good)
    assert TOKEN not in caplog.text + json.dumps([dict(broken), dict(good)])


# --- the double is as strict as LinkedIn (cases 44 to 49) -------------------------------------------------------------


def ask(double: LinkedInDouble, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
    given = {
        "Authorization": f"Bearer {TOKEN}", **VERSIONED,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }  # fmt: skip
    url = path if path.startswith("http") else double.url + path
    sent = {name: value for name, value in given.items() if value}
    return httpx.request(method, url, headers=sent, content=content, trust_env=False)


def initialize(double: LinkedInDouble, owner: str = AUTHOR, **headers: str) -> httpx.Response:
    wish = json.dumps({"initializeUploadRequest": {"owner": owner}}).encode()
    return ask(double, "POST", "/rest/images?action=initializeUpload", wish, **headers)


def test_the_double_says_where_to_upload_and_for_how_long(double: LinkedInDouble) -> None:
    double.clock = lambda: 1_750_000_000.0
    value = initialize(double).json()["value"]
    assert value["uploadUrlExpiresAt"] == 1_750_086_400_000
    assert value["uploadUrl"].startswith(double.url)
    assert initialize(double, FOREIGN_ORGANISATION).status_code == 403
    assert initialize(double, "urn:li:person:other").status_code == 403
    assert initialize(double, LinkedIn_Version="").status_code == 400
    double.tokens[TOKEN] = Token(scope=MEMBER | {"w_organization_social"})
    assert initialize(double, ORGANISATION).status_code == 200


def test_the_double_takes_an_upload_with_the_token_by_put_in_time_and_the_last_one_wins(double: LinkedInDouble) -> None:
    now = [0.0]
    double.clock = lambda: now[0]
    url = initialize(double).json()["value"]["uploadUrl"]
    (image,) = double.images.given
    assert ask(double, "PUT", url, b"x", Authorization="").status_code == 401
    assert ask(double, "PUT", url.replace("&", ";"), b"x").status_code == 403
    assert [ask(double, "PUT", url, content).status_code for content in (b"x", picture("JPEG"))] == [201, 201]
    assert image.content == picture("JPEG")
    double.images.takes_post = False
    assert ask(double, "POST", url, b"x").status_code == 405
    now[0] = 86_400.0
    assert ask(double, "PUT", url, b"x").json()["errorDetails"]["inputErrors"][0]["code"] == "EXPIRED_UPLOAD_URL"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (picture("JPEG"), "AVAILABLE"),
        (picture("WEBP"), "PROCESSING_FAILED"),
        (picture("PNG", 6_100, 6_100, compress_level=1), "PROCESSING_FAILED"),
        (b"no picture", "PROCESSING_FAILED"),
    ],
    ids=["jpeg", "webp", "6100", "nothing"],
)
def test_the_double_shows_an_image_to_a_page_and_not_to_a_member(
    double: LinkedInDouble, content: bytes, status: str
) -> None:
    now = [0.0]
    double.clock, double.images.slow = lambda: now[0], 10.0
    value = initialize(double).json()["value"]
    path = f"/rest/images/{value['image'].replace(':', '%3A')}"
    assert ask(double, "GET", path).status_code == 403
    double.tokens[TOKEN] = Token(scope=MEMBER | {"r_organization_social"})
    assert ask(double, "GET", f"/rest/images/{value['image']}").status_code == 400
    assert ask(double, "GET", path).json()["status"] == "WAITING_UPLOAD"
    ask(double, "PUT", value["uploadUrl"], content)
    assert ask(double, "GET", path).json()["status"] == "PROCESSING"
    now[0] = 10.0
    assert ask(double, "GET", path).json()["status"] == status
