"""The LinkedIn channel against a strict LinkedIn: what it has beyond what test_conformance asks of every channel."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from syndicate.channels.base import Announcement, Payload
from syndicate.channels.linkedin import LinkedIn
from syndicate.channels.linkedin.compose import REHEARSAL_AUTHOR
from syndicate.config import LinkedInSettings, Secret, Site
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.fetch import Fetcher
from tests.channels.conformance import until
from tests.doubles.clock import StillClock
from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble
from tests.factories import make_article

SITE = Site(title="The Harbour News", url="https://example.org")


@pytest.fixture
def double() -> Iterator[LinkedInDouble]:
    with LinkedInDouble() as server:
        yield server


def channel(double: LinkedInDouble, fetcher: Fetcher, *, live: bool = True, **settings: Any) -> LinkedIn:
    given = {"live": live, "api_url": double.url, "author": AUTHOR, "access_token": Secret(TOKEN), **settings}
    return LinkedIn(LinkedInSettings(**given), SITE, fetcher, fetcher.clock, live)


def post(linkedin: LinkedIn, **article: Any) -> Payload:
    return linkedin.compose(Announcement(article=make_article(**article), summary="One (1). Two."))


async def failure(linkedin: LinkedIn, payload: Payload, verb: str = "send") -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await getattr(linkedin, verb)("linkedin-1", payload)
    return caught.value


async def test_a_post_arrives_whole_and_its_receipt_names_it(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher)
    receipt = await linkedin.send("linkedin-1", post(linkedin, title="A (B)"))
    (accepted,) = double.posts
    assert receipt.external_id == accepted.urn
    assert receipt.url == f"https://www.linkedin.com/feed/update/{accepted.urn}/"
    assert receipt.status == 201
    assert accepted.text == "One (1).\n\nTwo.\n\nhttps://example.org/lighthouse-keeper/\n\n#Harbour #People"
    assert accepted.card == {
        "source": "https://example.org/lighthouse-keeper/",
        "title": "A (B)",
        "description": "After forty years the keeper hands over the keys.",
    }
    assert double.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert double.requests[0].headers["user-agent"] == "syndicate/test"


async def test_an_id_is_taken_percent_encoded_too(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("encoded-id")
    linkedin = channel(double, fetcher)
    receipt = await linkedin.send("linkedin-1", post(linkedin))
    assert receipt.external_id == double.posts[0].urn


async def test_a_post_without_id_is_published_all_the_same(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("no-id-header")
    linkedin = channel(double, fetcher)
    receipt = await linkedin.send("linkedin-1", post(linkedin))
    assert (receipt.external_id, receipt.url, receipt.status) == (None, None, 201)
    assert len(double.posts) == 1


async def test_200_is_taken_for_201(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("200")
    linkedin = channel(double, fetcher)
    assert (await linkedin.send("linkedin-1", post(linkedin))).external_id == double.posts[0].urn


# -- what concerns the channel pauses it -------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "code"), [("expired", "EXPIRED_ACCESS_TOKEN"), ("revoked", "REVOKED_ACCESS_TOKEN")])
async def test_a_dead_token_pauses(double: LinkedInDouble, fetcher: Fetcher, state: str, code: str) -> None:
    double.dead[TOKEN] = state
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.status == 401
    assert error.pauses is not None
    assert code in error.pauses
    assert "linkedin.access_token" in error.pauses


async def test_a_retired_version_pauses_and_a_later_one_in_the_configuration_mends_the_frozen_post(
    double: LinkedInDouble, fetcher: Fetcher
) -> None:
    linkedin = channel(double, fetcher, version="202504")
    frozen = post(linkedin)
    error = await failure(linkedin, frozen)
    assert isinstance(error, Unavailable)
    assert error.status == 426
    assert error.pauses is not None
    assert "linkedin.version" in error.pauses
    assert (await channel(double, fetcher, version="202609").send("linkedin-1", frozen)).external_id


async def test_another_author_pauses_and_names_the_key(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher, author="urn:li:person:somebody-else")
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.status == 403
    assert error.pauses is not None
    assert "linkedin.author" in error.pauses


async def test_a_missing_permission_pauses(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.may_post = False
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.pauses is not None
    assert "w_member_social" in error.pauses


@pytest.mark.parametrize("verb", ["send", "reconcile"])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"access_token": Secret(""), "client_id": "app"}, "syndicate linkedin login"),
        ({"access_token": Secret("")}, "linkedin.access_token"),
        ({"access_token": Secret("two\nlines")}, "linkedin.access_token"),
        ({"access_token": Secret("tökén")}, "linkedin.access_token"),
    ],
)
async def test_without_a_usable_token_nothing_is_sent(
    double: LinkedInDouble, fetcher: Fetcher, settings: dict[str, Any], named: str, verb: str
) -> None:
    linkedin = channel(double, fetcher, **settings)
    error = await failure(linkedin, post(linkedin), verb)
    assert isinstance(error, Unavailable)
    assert error.pauses is not None
    assert named in error.pauses
    assert double.requests == []


def test_live_without_author_pauses_before_anything_is_composed(double: LinkedInDouble, fetcher: Fetcher) -> None:
    with pytest.raises(Unavailable) as caught:
        post(channel(double, fetcher, author=""))
    assert caught.value.pauses is not None
    assert "linkedin.author" in caught.value.pauses


def test_a_broken_template_pauses(double: LinkedInDouble, fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "linkedin.txt").write_text("{{ nothing_here }}")
    settings = LinkedInSettings(author=AUTHOR)
    linkedin = LinkedIn(settings, SITE, fetcher, fetcher.clock, False, templates=tmp_path)
    with pytest.raises(Unavailable) as caught:
        post(linkedin)
    assert caught.value.pauses is not None
    assert "linkedin.txt" in caught.value.pauses
    assert "nothing_here" in caught.value.pauses


# -- later -------------------------------------------------------------------------------------------------------


async def test_a_used_up_day_rests_until_midnight_utc(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("429-day")
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.retry_after is not None
    assert timedelta(hours=12) <= error.retry_after <= timedelta(hours=12, minutes=10)
    assert error.pauses is None
    assert len(double.requests) == 1  # each try would eat of the quota


async def test_an_unlabelled_429_rests_a_minute(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("429")
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.retry_after is not None
    assert timedelta(seconds=60) <= error.retry_after <= timedelta(seconds=90)


async def test_media_that_is_not_ready_is_waited_for(double: LinkedInDouble, fetcher: Fetcher) -> None:
    double.faults.append("asset-not-ready")
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert error.retry_after == timedelta(seconds=30)


async def test_a_server_that_is_not_there_was_told_nothing(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher, api_url="http://127.0.0.1:1")
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Unavailable)
    assert isinstance(fetcher.clock, StillClock)
    assert len(fetcher.clock.slept) == 2  # three tries


# -- never -------------------------------------------------------------------------------------------------------


async def test_a_duplicate_without_an_earlier_doubt_is_refused_and_named(
    double: LinkedInDouble, fetcher: Fetcher
) -> None:
    linkedin = channel(double, fetcher)
    await linkedin.send("linkedin-1", post(linkedin))
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Refused)
    assert "already on LinkedIn" in error.reason
    assert double.posts[0].urn in error.reason


@pytest.mark.parametrize("fault", ["400:bad", "405:", "411:", "413:", "415:", "422:[1, null]"])
async def test_other_refusals_are_final_whatever_their_body(
    double: LinkedInDouble, fetcher: Fetcher, fault: str
) -> None:
    double.faults.append(fault)
    linkedin = channel(double, fetcher)
    error = await failure(linkedin, post(linkedin))
    assert isinstance(error, Refused)
    assert error.status == int(fault[:3])


@pytest.mark.parametrize(("conflicts", "posts"), [(1, 1), (2, 0)])
@pytest.mark.parametrize("verb", ["send", "reconcile"])
async def test_a_write_conflict_is_tried_once_more_with_the_same_bytes(
    double: LinkedInDouble, fetcher: Fetcher, conflicts: int, posts: int, verb: str
) -> None:
    double.faults.extend(['409:{"code": "CONFLICT"}'] * conflicts)
    linkedin = channel(double, fetcher)
    if posts:
        assert (await getattr(linkedin, verb)("linkedin-1", post(linkedin))).external_id == double.posts[0].urn
    else:
        assert (await failure(linkedin, post(linkedin), verb)).status == 409
    assert len(double.posts) == posts
    first, second = double.requests
    assert first.body == second.body


async def test_a_field_that_is_missing_is_refused_with_linkedins_words(
    double: LinkedInDouble, fetcher: Fetcher
) -> None:
    linkedin = channel(double, fetcher)
    payload = dict(post(linkedin))
    document = json.loads(payload["body"])
    del document["content"]["article"]["title"]
    error = await failure(linkedin, {**payload, "body": json.dumps(document)})
    assert isinstance(error, Refused)
    assert error.status == 422
    assert "/content/article/title" in error.reason


# -- doubt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        ("accept-then-drop", 1),
        ("accept-then-hang", 1),
        ("accept-then-reset", 1),
        ("500-after-accept", 1),
        ("slow:2", 1),
        ("hang", 0),
        ("reset", 0),
        ("500-before", 0),
        ("html-500", 0),
        ("503", 0),
        ("503:2", 0),
        ("502:", 0),
        ("504:Gateway Timeout", 0),
        ("408:", 0),
        ("202:", 0),
    ],
)
async def test_without_a_clear_answer_there_is_doubt_and_the_repeat_leaves_one_post(
    double: LinkedInDouble, fetcher: Fetcher, hasty: Fetcher, fault: str, arrived: int
) -> None:
    double.faults.append(fault)
    linkedin = channel(double, fetcher)
    payload = post(linkedin)
    sender = channel(double, hasty) if "hang" in fault or "slow" in fault else linkedin
    assert isinstance(await failure(sender, payload), InDoubt)
    await until(lambda: len(double.posts) == arrived and not double.faults)
    assert len(double.requests) == 1
    receipt = await linkedin.reconcile("linkedin-1", payload)
    assert receipt.external_id == double.posts[0].urn
    assert receipt.url == f"https://www.linkedin.com/feed/update/{double.posts[0].urn}/"
    assert len(double.posts) == 1
    assert double.requests[0].body == double.requests[1].body


async def test_a_page_that_says_200_is_no_receipt(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher)
    double.faults.append("200:<html>fine</html>")
    assert isinstance(await failure(linkedin, post(linkedin)), InDoubt)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("hang", InDoubt),
        ("500-before", InDoubt),
        ("400:odd", InDoubt),  # the repeat was refused, the first may stand
        ('422:{"message": "duplicate of urn:li:person:abcd1234"}', InDoubt),
        ('422:{"message": "see urn:li:share:1"}', InDoubt),
        ('422:{"errorDetails": {"inputErrors": [{"code": "DUPLICATE_POST"}]}}', InDoubt),
        ("429-day", Unavailable),
        ("asset-not-ready", Unavailable),
    ],
)
async def test_a_repeat_that_tells_nothing_leaves_the_doubt(
    double: LinkedInDouble, fetcher: Fetcher, hasty: Fetcher, fault: str, expected: type[DeliveryError]
) -> None:
    double.faults.extend(["accept-then-drop", fault])
    linkedin = channel(double, fetcher)
    payload = post(linkedin)
    await failure(linkedin, payload)
    error = await failure(channel(double, hasty) if fault == "hang" else linkedin, payload, "reconcile")
    assert type(error) is expected
    assert len(double.posts) == 1


@pytest.mark.parametrize("kind", ["share", "ugcPost", "activity"])
async def test_a_duplicate_of_any_kind_of_post_is_adopted(double: LinkedInDouble, fetcher: Fetcher, kind: str) -> None:
    double.faults.append(f'422:{{"message": "x.Exception: Content is a duplicate of urn:li:{kind}:714"}}')
    linkedin = channel(double, fetcher)
    receipt = await linkedin.reconcile("linkedin-1", post(linkedin))
    assert receipt.external_id == f"urn:li:{kind}:714"


# --- taking back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named_by", ["id", "address"])
@pytest.mark.parametrize("forgets", [False, True])
async def test_a_post_is_deleted_and_one_that_is_gone_is_done(
    double: LinkedInDouble, fetcher: Fetcher, named_by: str, forgets: bool
) -> None:
    double.forgets_deleted = forgets
    linkedin = channel(double, fetcher)
    receipt = await linkedin.send("linkedin-1", post(linkedin))
    name = receipt.external_id if named_by == "id" else receipt.url
    assert name
    assert (await linkedin.retract(name)).status == 204
    assert (await linkedin.retract(name)).status == (404 if forgets else 204)
    assert double.deleted == [receipt.external_id]


@pytest.mark.parametrize(
    ("faults", "error", "words"),
    [
        (["403:no"], Refused, "may not delete"),
        (["404:<html>not here</html>"], Refused, "answered 404"),
        (["400:{}"], Refused, "answered 400"),
        (["401:{}"], Unavailable, "answered 401"),
        (["426:{}"], Unavailable, "answered 426"),
        (["503:9", "503:9", "503:9"], Unavailable, "answered 503"),
        (["500-before"] * 3, Unavailable, "answered 500"),
        (["html-500"] * 3, Unavailable, "answered 500"),
    ],
)
async def test_what_is_not_deleted_says_why(
    double: LinkedInDouble, fetcher: Fetcher, faults: list[str], error: type[DeliveryError], words: str
) -> None:
    linkedin = channel(double, fetcher)
    await linkedin.send("linkedin-1", post(linkedin))
    double.deletion_faults.extend(faults)
    with pytest.raises(error, match=words) as caught:
        await linkedin.retract(double.posts[0].urn)
    assert (double.deleted, TOKEN in str(caught.value)) == ([], False)


async def test_a_passing_trouble_is_tried_again_at_once(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher)
    await linkedin.send("linkedin-1", post(linkedin))
    double.deletion_faults.extend(["500-before", "503:1"])
    assert (await linkedin.retract(double.posts[0].urn)).status == 204


@pytest.mark.parametrize("name", ["", "https://www.linkedin.com/feed/", "urn:li:person:abcd1234", "../../x"])
async def test_what_names_no_post_is_not_asked_for(double: LinkedInDouble, fetcher: Fetcher, name: str) -> None:
    with pytest.raises(Refused, match="names no post"):
        await channel(double, fetcher).retract(name)
    assert double.requests == []


async def test_a_channel_that_is_not_live_deletes_nothing(double: LinkedInDouble, fetcher: Fetcher) -> None:
    with pytest.raises(Unavailable, match="live is false"):
        await channel(double, fetcher, live=False).retract("urn:li:share:1")
    assert double.requests == []


# -- rehearsal ---------------------------------------------------------------------------------------------------


async def test_a_post_rehearsed_without_author_is_sent_by_the_author_once_live(
    double: LinkedInDouble, fetcher: Fetcher
) -> None:
    payload = post(channel(double, fetcher, live=False, author=""))
    assert json.loads(payload["body"])["author"] == REHEARSAL_AUTHOR
    await channel(double, fetcher).send("linkedin-1", payload)
    assert double.posts[0].author == AUTHOR
    assert isinstance(await failure(channel(double, fetcher, author=""), payload), Unavailable)


async def test_a_stored_address_gets_no_token(double: LinkedInDouble, fetcher: Fetcher) -> None:
    linkedin = channel(double, fetcher)
    with LinkedInDouble() as stranger:
        await linkedin.send("linkedin-1", {**post(linkedin), "url": f"{stranger.url}/rest/posts"})
        assert stranger.requests == []
    assert len(double.posts) == 1


@pytest.mark.parametrize(
    ("settings", "by_hand"),
    [
        ({"access_token": Secret("")}, True),
        ({"access_token": Secret(""), "client_id": "app"}, False),
        ({"access_token": Secret("t")}, False),
    ],
)
def test_without_token_and_app_a_person_posts_by_hand(
    double: LinkedInDouble, fetcher: Fetcher, settings: dict[str, Any], by_hand: bool
) -> None:
    linkedin = channel(double, fetcher, **settings)
    assert linkedin.by_hand is by_hand
    assert "One (1)." in linkedin.preview(post(linkedin)).text


# -- secrets -----------------------------------------------------------------------------------------------------

PLANTED = "AQX-planted-secret-token-9a8b7c"


@pytest.mark.parametrize(
    "fault",
    [
        "hang", "html-500", "429-day",
        f"400:bad token {PLANTED}", f'422:{{"message": "token {PLANTED} is odd", "code": "{PLANTED}"}}',
        f"403:{'x' * 490}{PLANTED}", f"500:{PLANTED}", f"401:{PLANTED}",
    ],
)  # fmt: skip
async def test_the_token_stands_in_no_error_and_no_log(
    double: LinkedInDouble, fetcher: Fetcher, hasty: Fetcher, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    double.faults.append(fault)
    linkedin = channel(double, hasty if fault == "hang" else fetcher, access_token=Secret(PLANTED))
    payload = post(linkedin)
    error = await failure(linkedin, payload)
    told = "\n".join(
        [
            *traceback.format_exception(error),
            repr(error.__dict__),
            repr(payload),
            repr(vars(linkedin)),
            *(record.getMessage() for record in caplog.records),
        ]
    )
    assert PLANTED not in told
    assert PLANTED[:12] not in error.answer
    assert len(error.answer) <= 500
    await until(lambda: len(double.requests) == 1)
    assert f"Bearer {PLANTED}" in double.requests[0].headers["authorization"]
    while error := error.__cause__ or error.__context__:  # type: ignore[assignment]
        assert not isinstance(error, httpx.HTTPError)
