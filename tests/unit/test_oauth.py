"""What LinkedIn's OAuth answers mean: scopes, lifetimes, every body of the facts' tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from syndicate.channels.linkedin import callback, oauth
from syndicate.channels.linkedin.standing import version_age
from syndicate.config import LinkedInSettings, Secret
from syndicate.errors import Refused, Unavailable, UsageError
from syndicate.fetch import Answer, Fetcher
from syndicate.sealing import seal, unseal
from tests.doubles.clock import StillClock

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PAGE = "urn:li:organization:2414183"
DAY = timedelta(days=1)


def said(status: int, document: object) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status=status, headers={}, body=body)


def given(**more: Any) -> Answer:
    return said(200, {"access_token": "AQX", "expires_in": 5_184_000, **more})


@pytest.mark.parametrize(
    ("scope", "read"),
    [
        ("openid,profile,w_member_social", {"openid", "profile", "w_member_social"}),
        ("openid profile w_member_social", {"openid", "profile", "w_member_social"}),
        ("openid%20profile%2Cw_member_social", {"openid", "profile", "w_member_social"}),
        ("openid+profile", {"openid", "profile"}),
        ("openid, <script>", {"openid"}),
        ("", set()),
        (None, {"asked"}),
    ],
)
def test_scopes_are_read_however_they_are_separated(scope: str | None, read: set[str]) -> None:
    answer = given() if scope is None else given(scope=scope)
    assert oauth.grant(answer, NOON, asked=frozenset({"asked"})).scope == read


@pytest.mark.parametrize(
    ("seconds", "renews", "left"),
    [
        (31_536_000, False, 365 * DAY),  # the text of the pages
        (525_600, False, 365 * DAY),  # their sample: minutes
        (439_200, False, 305 * DAY),
        (6 * 86_400, True, 6 * DAY),  # of a renewal near its end it is what it says
        (0, False, None),
        ("soon", False, None),
        (None, False, None),
    ],
)
def test_the_life_of_what_renews_is_read_in_seconds_or_minutes(
    seconds: object, renews: bool, left: timedelta | None
) -> None:
    answer = given(refresh_token="AQR", refresh_token_expires_in=seconds)
    grant = oauth.grant(answer, NOON, asked=frozenset(), renews=renews)
    assert grant.refresh_until == (None if left is None else NOON + left - oauth.MARGIN)
    assert grant.expires_at == NOON + 60 * DAY - oauth.MARGIN


@pytest.mark.parametrize(
    "document",
    [
        {}, {"access_token": "AQX"}, {"access_token": "", "expires_in": 5}, {"access_token": "AQX", "expires_in": "5"},
        {"access_token": "two\nlines", "expires_in": 5}, {"access_token": "AQX", "expires_in": -1},
        {"access_token": "AQX", "expires_in": 10**30}, {"access_token": ["AQX"], "expires_in": 5}, [], b"<html>",
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_an_answer_without_a_usable_token_is_refused(document: object) -> None:
    with pytest.raises(Refused, match=r"linkedin\.auth_url"):
        oauth.grant(said(200, document), NOON, asked=frozenset())


MISSING = 'A required parameter "{}" is missing'
NOT_FOUND = "Unable to retrieve access token: authorization code not found"
MISMATCH = "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code."
DEAD = "The provided authorization grant or refresh token is invalid, expired or revoked"


@pytest.mark.parametrize(
    ("status", "error", "description", "kind", "words"),
    [
        (401, "invalid_request", NOT_FOUND, Refused, "a code serves once"),
        (400, "invalid_redirect_uri", MISMATCH, Refused, "older than 30 minutes"),
        (400, "invalid_request", MISSING.format("client_secret"), Unavailable, "linkedin.client_secret"),
        (400, "invalid_request", MISSING.format("client_id"), Unavailable, "linkedin.client_id"),
        (400, "invalid_request", MISSING.format("code"), Unavailable, "linkedin.client_id"),
        (400, "invalid_request", DEAD, Refused, "ended or was taken back"),
        (400, "invalid_grant", "", Refused, "ended or was taken back"),
        (401, "invalid_client", "Client authentication failed", Unavailable, "linkedin.client_secret"),
        (400, "invalid_client", "", Unavailable, "linkedin.client_secret"),
        (401, "", "", Unavailable, "linkedin.client_secret"),
        (404, "", "", Unavailable, "linkedin.auth_url"),
        (302, "", "", Unavailable, "linkedin.auth_url"),
        (429, "", "", Unavailable, "just now"),
        (500, "", "", Unavailable, "just now"),
        (503, "", "", Unavailable, "just now"),
        (418, "strange", "words", Refused, "418 strange"),
    ],
)
def test_each_error_of_the_table_says_what_to_do(
    status: int, error: str, description: str, kind: type[Exception], words: str
) -> None:
    answer = said(status, {"error": error, "error_description": description} if error else b"<html>no</html>")
    found = oauth.trouble(answer, "give a token", Fetcher(StillClock(), Random(1), "syndicate/test"))
    assert type(found) is kind
    assert words in f"{found.reason} {getattr(found, 'pauses', '')}"


@pytest.mark.parametrize(
    ("error", "description", "words"),
    [
        ("user_cancelled_login", "", "you did not allow it"),
        ("user_cancelled_authorize", "The user cancelled", "you did not allow it"),
        ("unauthorized_scope_error", "Scope &quot;w_member_social&quot; is not authorized", 'Scope "w_member_social"'),
        ("server_error", "<b>\x1b[31mred\nline", "<b> [31mred line"),
    ],
)
def test_an_error_in_the_redirect_is_told_in_words(error: str, description: str, words: str) -> None:
    told = oauth.callback_error(error, description)
    assert words in told
    assert told.isprintable()


def test_only_what_is_needed_is_asked_for() -> None:
    settings = LinkedInSettings(client_id="77app", redirect="http://localhost:8765/linkedin?a=1")
    query = parse_qs(urlsplit(oauth.authorize_url(settings, "st")).query)
    assert query == {
        "response_type": ["code"], "client_id": ["77app"], "state": ["st"], "scope": ["openid profile w_member_social"],
        "redirect_uri": ["http://localhost:8765/linkedin?a=1"],
    }  # fmt: skip
    assert oauth.scopes(PAGE) == ("w_organization_social",)


@pytest.mark.parametrize(
    ("author", "scope", "lacks"),
    [
        ("", "w_member_social", None),
        ("urn:li:person:x", "w_member_social", None),
        ("urn:li:person:x", "openid w_organization_social", "w_member_social (the product Share on LinkedIn)"),
        (PAGE, "w_member_social", "w_organization_social (the product Community Management API)"),
        (PAGE, "w_organization_social", None),
    ],
)
def test_what_a_token_lacks_is_named_with_its_product(author: str, scope: str, lacks: str | None) -> None:
    assert oauth.lacking(author, frozenset(scope.split())) == lacks


# --- the redirect -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "code", "error"),
    [
        ("http://localhost:8765/linkedin?code=AQ1&state=st", "AQ1", ""),
        ("  https://elsewhere.example/cb?x=1&state=st&code=A%2BQ \n", "A+Q", ""),
        ("code=AQ1&state=st", "AQ1", ""),
        ("AQ1-bare_code", "AQ1-bare_code", ""),
        ("http://localhost:8765/linkedin?error=user_cancelled_login&state=st", "", "user_cancelled_login"),
    ],
)
def test_what_is_pasted_is_read_whole_or_as_the_bare_code(pasted: str, code: str, error: str) -> None:
    found = callback.read_pasted(pasted, "st")
    assert (found.code, found.error) == (code, error)
    assert code not in repr(found) or not code


@pytest.mark.parametrize(
    "pasted",
    ["", "\n", "http://localhost/linkedin?code=AQ1&state=other", "http://localhost/linkedin?code=AQ1",
     "http://localhost/linkedin?state=st", "http://localhost/x?code=1&state=st&state=st", "http://[::1/?state=st"],
)  # fmt: skip
def test_what_is_not_the_answer_is_not_taken(pasted: str) -> None:
    with pytest.raises(UsageError):
        callback.read_pasted(pasted, "st")


@pytest.mark.parametrize(
    ("redirect", "can"),
    [("http://localhost:8765/x", True), ("http://127.0.0.1/x", True), ("http://[::1]:9/x", True),
     ("https://localhost:8765/x", False), ("http://news.example/x", False)],
)  # fmt: skip
def test_only_a_redirect_to_this_machine_is_listened_on(redirect: str, can: bool) -> None:
    assert callback.can_listen(redirect) is can


# --- sealing, versions ------------------------------------------------------------------------------------------------


def test_what_is_sealed_opens_with_its_secret_at_its_place_alone() -> None:
    sealed = seal(b"secret", "linkedin", {"access": "AQX"})
    assert "AQX" not in sealed
    assert unseal((b"secret",), "linkedin", sealed) == {"access": "AQX"}
    assert seal(b"secret", "linkedin", {"access": "AQX"}) != sealed
    for secret, place, text in [
        (b"other", "linkedin", sealed),
        (b"secret", "hook", sealed),
        (b"secret", "linkedin", "é"),
    ]:
        with pytest.raises(ValueError, match="sealed") as caught:
            unseal((secret,), place, text)
        assert "AQX" not in str(caught.value)
    assert unseal((b"newer", b"secret"), "linkedin", sealed) == {"access": "AQX"}


@pytest.mark.parametrize(
    ("version", "ends", "told", "over"),
    [
        ("202609", "2027-09-15", False, False),
        ("202603", "2027-03-15", False, False),
        ("202602", "2027-02-15", True, False),
        ("202511", "2026-11-15", True, False),
        ("202510", "2026-10-15", True, True),
        ("203001", "2031-01-15", False, False),
    ],
)
def test_a_version_is_told_of_from_its_ninth_month(version: str, ends: str, told: bool, over: bool) -> None:
    found = version_age(version, NOON)
    assert (found[0], bool(found[1]), found[2]) == (ends, told, over)
    assert "linkedin.version" in found[1] or not told


def test_no_secret_stands_in_a_repr() -> None:
    grant = oauth.grant(given(refresh_token="AQR-refresh"), NOON, asked=frozenset())
    assert "AQX" not in repr(grant) and "AQR" not in repr(grant)
    assert grant.access == Secret("AQX")
