"""LinkedIn's OAuth 2.0 (Learn: shared/authentication/authorization-code-flow, programmatic-refresh-tokens,
token-introspection; consumer/.../sign-in-with-linkedin-v2): one function a request, and what its answers mean.

It keeps nothing. No code, token or secret is in any message.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import unquote, urlencode

from syndicate.config.values import Secret
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.fetch import Answer, Fetcher, retry_after
from syndicate.prose import one_line

if TYPE_CHECKING:
    from syndicate.config import LinkedInSettings

MARGIN = timedelta(minutes=5)  # so much earlier a token counts as ended
POST_AS_MEMBER, POST_AS_PAGE = "w_member_social", "w_organization_social"
_IDENTITY = ("openid", "profile")
_PRODUCT = {
    POST_AS_MEMBER: "Share on LinkedIn",
    POST_AS_PAGE: "Community Management API",
    "openid": "Sign In with LinkedIn using OpenID Connect",
    "profile": "Sign In with LinkedIn using OpenID Connect",
}
_SHORTEST_REFRESH = timedelta(days=30)  # a first grant that says less says minutes, as the samples of the pages do
_LONGEST = 20 * 365 * 86_400  # seconds; what is more is no lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token request gave; instants are UTC, a margin before the end."""

    access: Secret
    refresh: Secret  # empty where the app gets none
    scope: frozenset[str]
    expires_at: datetime
    refresh_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who gave it."""

    author: str  # URN
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What LinkedIn says of a token (RFC 7662). A foreign one is not active, and nothing more is said of it."""

    active: bool
    status: str  # "active", "expired", "revoked"; "" where it is not said
    scope: frozenset[str]
    expires_at: datetime | None


def is_page(author: str) -> bool:
    """Whether posts are a Page's, not a member's; nobody named is whoever logs in."""
    return author.startswith("urn:li:organization:")


def scopes(author: str) -> tuple[str, ...]:
    """What to ask for, and no more: asking for a product that the app lacks ends the login."""
    return (POST_AS_PAGE,) if is_page(author) else (*_IDENTITY, POST_AS_MEMBER)


def lacking(author: str, scope: frozenset[str]) -> str | None:
    """What a token of this scope lacks for posts of this author, with the product that gives it; None: nothing."""
    needed = POST_AS_PAGE if is_page(author) else POST_AS_MEMBER
    return None if needed in scope else f"{needed} (the product {_PRODUCT[needed]})"


def authorize_url(settings: LinkedInSettings, state: str) -> str:
    """Where the member consents. The answer comes to `linkedin.redirect`, with this state."""
    query = {
        "response_type": "code", "client_id": settings.client_id, "redirect_uri": settings.redirect, "state": state,
        "scope": " ".join(scopes(settings.author)),
    }  # fmt: skip
    return f"{settings.auth_url}/oauth/v2/authorization?{urlencode(query)}"


async def exchange(settings: LinkedInSettings, fetcher: Fetcher, code: str) -> Grant:
    """Change the code of the redirect into a token, once: it serves once. Raises Refused or Unavailable."""
    begun = fetcher.clock.now()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": settings.redirect}
    try:
        answer = await _ask(settings, fetcher, "accessToken", form)
    except InDoubt as error:
        raise Refused(f"{error.reason}; a code serves once: start the login again") from None
    if answer.status != 200:
        raise trouble(answer, "give a token", fetcher)
    return grant(answer, begun, asked=frozenset(scopes(settings.author)))


async def refresh(settings: LinkedInSettings, fetcher: Fetcher, token: Secret) -> Grant:
    """Renew. Raises Refused where this token renews nothing any more, Unavailable where it may work later."""
    begun = fetcher.clock.now()
    form = {"grant_type": "refresh_token", "refresh_token": token.reveal()}
    try:
        answer = await _ask(settings, fetcher, "accessToken", form)
    except InDoubt as error:
        raise Unavailable(error.reason) from None
    if answer.status != 200:
        raise trouble(answer, "renew the login", fetcher)
    return grant(answer, begun, asked=frozenset(), renews=True)


async def introspect(settings: LinkedInSettings, fetcher: Fetcher, token: Secret) -> Inspection:
    """Ask what has become of a token. Raises Refused or Unavailable."""
    try:
        answer = await _ask(settings, fetcher, "introspectToken", {"token": token.reveal()}, repeatable=True)
    except InDoubt as error:
        raise Unavailable(error.reason) from None
    document = _document(answer)
    if answer.status != 200 or not isinstance(document.get("active"), bool):
        raise trouble(answer, "say what has become of the token", fetcher)
    seconds = document.get("expires_at")
    return Inspection(
        active=document["active"],
        status=str(document.get("status") or ""),
        scope=_scope(document.get("scope")) or frozenset(),
        expires_at=datetime.fromtimestamp(seconds, UTC) if _is_number(seconds, 4_000_000_000) else None,
    )


async def userinfo(settings: LinkedInSettings, fetcher: Fetcher, token: Secret) -> Member:
    """Whose token it is. Says nothing about posting: it answers also where nothing may be posted any more.

    Raises Refused or Unavailable.
    """
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    answer = await fetcher.request("GET", f"{settings.api_url}/v2/userinfo", headers=headers, repeatable=True)
    if answer.status == 403:
        product = _PRODUCT["openid"]
        raise Refused(f"LinkedIn does not say who logged in: add the product {product} to the app", status=403)
    document = _document(answer)
    subject, name = document.get("sub"), document.get("name")
    if answer.status != 200 or not isinstance(subject, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", subject):
        raise trouble(answer, "say who logged in", fetcher)
    return Member(
        author=f"urn:li:person:{subject}", name=one_line(name)[:100] or None if isinstance(name, str) else None
    )


def grant(answer: Answer, begun: datetime, *, asked: frozenset[str], renews: bool = False) -> Grant:
    """Read a token answer (RFC 6749 section 5.1). Lifetimes count from `begun`, before the request. Raises Refused."""
    document = _document(answer)
    access, lifetime = document.get("access_token"), document.get("expires_in")
    if not _is_token(access) or not _is_number(lifetime, _LONGEST):
        raise Refused("LinkedIn's answer holds no token: is linkedin.auth_url right?", status=answer.status)
    again = document.get("refresh_token")
    until = document.get("refresh_token_expires_in")
    return Grant(
        access=Secret(access),
        refresh=Secret(again if _is_token(again) else ""),
        scope=asked if (scope := _scope(document.get("scope"))) is None else scope,
        expires_at=begun + timedelta(seconds=lifetime) - MARGIN,
        refresh_until=begun + _refresh_lifetime(until, renews) - MARGIN if _is_number(until, _LONGEST) else None,
    )


def _refresh_lifetime(number: int, renews: bool) -> timedelta:
    seconds = timedelta(seconds=number)
    return timedelta(minutes=number) if seconds < _SHORTEST_REFRESH and not renews else seconds


def callback_error(error: str, description: str) -> str:
    """What a redirect without a code says, for a person."""
    if error in ("user_cancelled_login", "user_cancelled_authorize", "access_denied"):
        return "you did not allow it, so nothing was stored"
    said = one_line(html.unescape(description))[:200]
    if error == "unauthorized_scope_error":
        return (
            f"the app may not ask for what posting needs ({said or error}): as yourself it needs the products"
            f" {_PRODUCT[POST_AS_MEMBER]} and {_PRODUCT['openid']}, as a Page {_PRODUCT[POST_AS_PAGE]}"
        )
    return f"LinkedIn says {one_line(error)[:60]}" + (f": {said}" if said else "")


def trouble(answer: Answer, what: str, fetcher: Fetcher) -> DeliveryError:
    """What an answer of the OAuth endpoints that is not what was asked for means; by status and error, then by words.

    Unavailable with `pauses` is for the configuration to mend; Refused is final for this code or token.
    """
    status, document = answer.status, _document(answer)
    error, said = str(document.get("error") or ""), str(document.get("error_description") or "").lower()
    where = f"LinkedIn did not {what} ({status}{f' {one_line(error)[:40]}' if error else ''})"
    if status in (408, 429) or status >= 500:
        wish = retry_after(answer.headers, fetcher.clock.now())
        return Unavailable(f"{where}: it does not work just now", status=status, retry_after=wish)
    if "parameter" in said and "missing" in said:
        name = re.search(r'"(\w{1,30})"', said)
        return _mend(where, f"linkedin.{name[1]}" if name and name[1] in _KEYS else "linkedin.client_id", status)
    if error == "invalid_client" or "client_id" in said:
        return _mend(where, "linkedin.client_id and linkedin.client_secret", status)
    if "code not found" in said:
        return Refused(f"{where}: it does not know this code; a code serves once: start the login again", status=status)
    if error == "invalid_redirect_uri":
        return Refused(
            f"{where}: the code is older than 30 minutes, or linkedin.redirect is not what the login began with: start"
            " it again",
            status=status,
        )
    if "refresh token" in said or error == "invalid_grant":
        return Refused(f"{where}: what renews it has ended or was taken back", status=status)
    if status == 401 or (status == 400 and what.startswith("say what has become")):
        return _mend(where, "linkedin.client_id and linkedin.client_secret", status)
    if 300 <= status < 400 or status == 404 or status == 200:
        return _mend(where, "linkedin.auth_url", status)
    return Refused(where, status=status)


_KEYS = ("client_id", "client_secret", "redirect")


def _mend(where: str, key: str, status: int) -> Unavailable:
    return Unavailable(where, status=status, pauses=f"correct {key}")


async def _ask(
    settings: LinkedInSettings, fetcher: Fetcher, what: str, form: dict[str, str], *, repeatable: bool = False
) -> Answer:
    secret = settings.client_secret.reveal().strip()
    content = urlencode({**form, "client_id": settings.client_id, "client_secret": secret}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url = f"{settings.auth_url}/oauth/v2/{what}"
    return await fetcher.request("POST", url, headers=headers, content=content, repeatable=repeatable)


def _scope(value: object) -> frozenset[str] | None:
    """Scopes, however they are separated: spaces as documented, commas as they come."""
    if not isinstance(value, str):
        return None
    return frozenset(word for word in re.split(r"[ ,+]+", unquote(value)) if re.fullmatch(r"[\w.:-]{1,60}", word))


def _is_token(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) < 10_000 and value.isascii() and value.isprintable()


def _is_number(value: object, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
