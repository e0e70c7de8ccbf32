"""What each of LinkedIn's answers means: one row for each line of what is known of its errors, and of worse."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.channels.base import Receipt
from syndicate.channels.linkedin import answers
from syndicate.errors import DeliveryError, InDoubt, PictureRefused, Refused, Unavailable
from syndicate.fetch import Answer

NOW = datetime(2026, 11, 24, 21, 30, tzinfo=UTC)
TOKEN = "AQX-token-1a2b"
URN = "urn:li:share:7141138937766391808"
JAVA = "com.linkedin.content.common.exception.BadRequestResponseException: "
DAY = "Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached."
DENIED = "Not enough permissions to access: partnerApiPostsExternal.CREATE.20260901"
TOO_LONG = "ShareCommentary text length (8694 characters) exceeded the maximum allowed (3000 characters)"
FIELD = "Field Value validation failed in REQUEST_BODY: Data Processing Exception while processing fields [/author]"


def said(code: str = "", message: str = "", number: int | None = None) -> str:
    """A body as the gateway and the platform write it."""
    document = {"serviceErrorCode": number, "code": code or None, "message": message}
    return json.dumps({name: value for name, value in document.items() if value is not None})


def content(code: str, message: str) -> str:
    """A body as the service of posts writes it: the code stands deep inside."""
    inputs = [{"description": "what it is about", "input": {}, "code": code}]
    kind = "com.linkedin.common.error.BadRequest"
    return json.dumps({"errorDetailType": kind, "message": JAVA + message, "errorDetails": {"inputErrors": inputs}})


def answer(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode("utf-8", "surrogatepass"))


def outcome(verb: str, given: Answer, **more: Any) -> Receipt | DeliveryError:
    try:
        found: Receipt = getattr(answers, verb)(given, token=TOKEN, now=NOW, chance=random.Random(1), **more)
    except DeliveryError as error:
        return error
    return found


# --- 4xx that are final -----------------------------------------------------------------------------------------------

FINAL = [
    (400, said("ILLEGAL_ARGUMENT", "Syntax exception in path variables"), "Syntax exception"),
    (400, content("FIELD_ARRAY_SIZE_TOO_HIGH", TOO_LONG), "8694 characters) exceeded the maximum allowed (3000"),
    (400, content("FIELD_LENGTH_TOO_LONG", "title is too long"), "title is too long"),
    (400, content("INVALID_VALUE_FOR_FIELD", "visibility FRIENDS"), "FRIENDS"),
    (400, content("INVALID_VALUE_BLANK_FIELD", "title is blank"), "blank"),
    (400, content("MISSING_FIELD", "no lifecycleState"), "lifecycleState"),
    (400, content("INVALID_URN_TYPE", "author"), "author"),
    (400, content("INVALID_URN_ID", "author"), "author"),
    (400, content("INVALID_URN_ID", "\x1b[31mbad\u202e author"), "answered 400: [31mbad author"),
    (400, "", "answered 400"),
    (405, "", "answered 405"),
    (409, said("CONFLICT", "write conflict"), "write conflict"),
    (411, "Length Required", "answered 411"),
    (413, "", "answered 413"),
    (415, "", "answered 415"),
    (422, said(message="ERROR :: /distribution :: field is required but not found"), "/distribution"),
    (422, content("DUPLICATE_POST", f"Content is a duplicate of {URN}"), f"already on LinkedIn as {URN}"),
    (409, said(message=f"duplicate {URN}"), f"already on LinkedIn as {URN}"),
    (422, content("DUPLICATE_POST", "it is there"), "already on LinkedIn, or blocked"),
    (418, "<html>teapot</html>", "answered 418"),
]


@pytest.mark.parametrize(("status", "body", "words"), FINAL)
def test_what_is_final_is_refused_in_linkedins_words(status: int, body: str, words: str) -> None:
    error = outcome("judge", answer(status, body))
    assert type(error) is Refused
    assert (error.status, words in error.reason, "Exception:" in error.reason) == (status, True, False)


@pytest.mark.parametrize(("status", "body", "words"), FINAL)
def test_of_a_repeat_it_leaves_the_doubt_unless_a_duplicate_is_named(status: int, body: str, words: str) -> None:
    error = outcome("judge_repeat", answer(status, body))
    if URN in body:
        assert error == Receipt(
            external_id=URN, url=answers.permalink(URN), status=status, answer=" ".join(body.split())[:500]
        )
    else:
        assert type(error) is InDoubt


# --- what concerns the picture ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, content("MEDIA_ASSET_PROCESSING_FAILED", "it cannot be read")),
        (400, content("INVALID_IMAGE_ID", "urn:li:image:X")),
        (400, said(message="One or more of the assets is not owned by the author")),
        (403, said("ACCESS_DENIED", "Accessing this image resource is forbidden. Please check your permissions")),
        (403, said("ACCESS_DENIED", "Unpermitted fields present in REQUEST_BODY: [/content/article/thumbnail]", 100)),
        (422, said(message="ERROR :: /content/article/thumbnail :: null is not a string")),
    ],
)
def test_a_refused_picture_is_told_from_a_refused_post_and_tells_nothing_of_a_doubt(status: int, body: str) -> None:
    assert type(outcome("judge", answer(status, body))) is PictureRefused
    assert type(outcome("judge_repeat", answer(status, body))) is InDoubt


# --- what concerns the channel ----------------------------------------------------------------------------------------

PAUSING = [
    (400, said("VERSION_MISSING", "A version must be present."), "set linkedin.version"),
    (426, said("NONEXISTENT_VERSION", "Requested version 20250401 is not active"), "set linkedin.version"),
    (426, "", "set linkedin.version"),
    (401, said("INVALID_ACCESS_TOKEN", "Invalid access token", 65600), "(INVALID_ACCESS_TOKEN): set linkedin.acc"),
    (401, said("REVOKED_ACCESS_TOKEN", "The token used has been revoked", 65601), "(REVOKED_ACCESS_TOKEN)"),
    (401, said("EXPIRED_ACCESS_TOKEN", "The token used has expired", 65602), "(EXPIRED_ACCESS_TOKEN)"),
    (401, said("", "The token used has expired", 65602), "(EXPIRED_ACCESS_TOKEN)"),
    (401, said("EMPTY_ACCESS_TOKEN", "Empty", 65604), "(EMPTY_ACCESS_TOKEN)"),
    (401, said("RESTRICTED_MEMBER", "Member is restricted", 65608), "restricted the member"),
    (401, said("", "Member is restricted", 65608), "restricted the member"),
    (401, said("", "Empty oauth2_access_token", 401), "(401)"),
    (401, said("", "whatever", 65600), "(401)"),  # fixtures disagree on it: by status alone
    (401, said("BUY_A_TOKEN_HERE", "x"), "(401)"),
    (401, "<html>", "(401)"),
    (403, said("ACCESS_DENIED", DENIED, 100), "w_member_social"),
    (403, said("ACCESS_DENIED", DENIED, 100), "Community Management API"),
    (403, said("ACCESS_DENIED", FIELD, 100), "set linkedin.author"),
    (403, said("ACCESS_DENIED", "Unpermitted fields present in REQUEST_BODY: [/x]"), "a field of our posts"),
    (404, said("RESOURCE_NOT_FOUND", "No virtual resource found"), "correct linkedin.api_url"),
    (404, "<html>Not here</html>", "correct linkedin.api_url"),
    (302, "", "correct linkedin.api_url"),
    (307, "", "correct linkedin.api_url"),
]


@pytest.mark.parametrize("verb", ["judge", "judge_repeat"])
@pytest.mark.parametrize(("status", "body", "todo"), PAUSING)
def test_what_concerns_the_channel_pauses_it_with_what_to_do(verb: str, status: int, body: str, todo: str) -> None:
    error = outcome(verb, answer(status, body))
    assert isinstance(error, Unavailable)
    assert error.pauses is not None
    assert (error.status, todo in error.pauses, error.rests) == (status, True, False)


def test_a_dead_token_names_the_cure_of_who_knows_it() -> None:
    error = outcome("judge", answer(401), cure="`syndicate linkedin login`")
    assert isinstance(error, Unavailable)
    assert error.pauses == "LinkedIn does not take the token (401): `syndicate linkedin login`"


@pytest.mark.parametrize("verb", ["judge", "judge_repeat", "judge_deletion"])
def test_a_token_renewed_some_seconds_ago_may_look_revoked(verb: str) -> None:
    revoked = answer(401, said("REVOKED_ACCESS_TOKEN", "revoked", 65601))
    error = outcome(verb, revoked, fresh=True)
    assert isinstance(error, Unavailable)
    assert (error.pauses, error.retry_after) == (None, timedelta(seconds=5))
    expired = outcome(verb, answer(401, said("EXPIRED_ACCESS_TOKEN", "expired", 65602)), fresh=True)
    assert isinstance(expired, Unavailable)
    assert expired.pauses is not None


# --- later ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["judge", "judge_repeat"])
@pytest.mark.parametrize(
    ("body", "headers", "least", "most"),
    [
        (said("TOO_MANY_REQUESTS", DAY, 101), {}, 9000, 9600),  # 2 h 30 min to midnight, and up to 10 min
        (said("", DAY.replace("APPLICATION_AND_MEMBER", "APPLICATION"), 101), {}, 9000, 9600),
        (said("TOO_MANY_REQUESTS", "Resource throttle limit is reached."), {}, 60, 90),
        ("", {}, 60, 90),
        (said("TOO_MANY_REQUESTS", DAY, 101), {"retry-after": "120"}, 120, 130),
        ("", {"retry-after": "Tue, 24 Nov 2026 22:00:00 GMT"}, 1800, 1810),
    ],
)
def test_a_quota_rests_the_whole_channel(
    verb: str, body: str, headers: Mapping[str, str], least: float, most: float
) -> None:
    error = outcome(verb, answer(429, body, headers))
    assert isinstance(error, Unavailable)
    assert error.retry_after is not None
    assert least <= error.retry_after.total_seconds() <= most
    assert (error.rests, error.pauses) == (True, None)


@pytest.mark.parametrize("verb", ["judge", "judge_repeat"])
@pytest.mark.parametrize("code", ["MEDIA_ASSET_WAITING_UPLOAD", "MEDIA_ASSET_PROCESSING"])
def test_a_picture_that_is_not_read_yet_is_waited_for(verb: str, code: str) -> None:
    error = outcome(verb, answer(400, content(code, "not yet")))
    assert isinstance(error, Unavailable)
    assert (error.retry_after, error.rests, error.pauses) == (timedelta(seconds=30), False, None)


# --- doubt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["judge", "judge_repeat"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (408, ""),
        (500, said("INTERNAL_SERVER_ERROR", "Internal Server Error")),
        (500, "<html><body>An error has occurred.</body></html>"),
        (500, content("INVALID_IMAGE_ID", "a picture named by a server that fails")),
        (500, said("VERSION", "DAY", 65602)),
        (502, ""),
        (503, said("SERVICE_UNAVAILABLE", "x")),
        (503, said("UNDER_MAINTENANCE", "x")),
        (504, "Gateway Timeout"),
        (599, ""),
        (200, "<html>a proxy says hello</html>"),
        (202, ""),
        (204, ""),
    ],
)
def test_without_a_clear_answer_it_is_a_doubt(verb: str, status: int, body: str) -> None:
    error = outcome(verb, answer(status, body, {"retry-after": "1"}))
    assert isinstance(error, InDoubt)
    assert error.status == status


@pytest.mark.parametrize("verb", ["judge", "judge_repeat"])
@pytest.mark.parametrize(
    ("status", "headers", "urn"),
    [
        (201, {"x-restli-id": URN}, URN),
        (201, {"x-restli-id": "urn%3Ali%3AugcPost%3A7"}, "urn:li:ugcPost:7"),
        (200, {"x-restli-id": URN}, URN),
        (201, {}, None),
        (201, {"x-restli-id": "javascript:alert(1)"}, None),
    ],
)
def test_a_created_post_is_a_receipt(verb: str, status: int, headers: Mapping[str, str], urn: str | None) -> None:
    receipt = outcome(verb, answer(status, headers=headers))
    assert isinstance(receipt, Receipt)
    assert (receipt.external_id, receipt.url) == (urn, answers.permalink(urn) if urn else None)


@given(
    status=st.integers(100, 599),
    body=st.one_of(
        st.text(max_size=200),
        st.sampled_from(["[" * 5000, "{}", "null", "[]", '{"code": {}}', '{"errorDetails": [1]}', '{"message": 7}']),
        st.dictionaries(st.sampled_from(["code", "message", "serviceErrorCode", "errorDetails"]), st.text()).map(
            json.dumps
        ),
    ),
)
def test_whatever_comes_means_something_and_holds_no_token(status: int, body: str) -> None:
    for verb in ("judge", "judge_repeat", "judge_deletion"):
        found = outcome(verb, answer(status, f"{TOKEN} {body} {TOKEN}" if body[:1] != "{" else body))
        assert TOKEN not in str(found) + repr(vars(found) if isinstance(found, DeliveryError) else found)
