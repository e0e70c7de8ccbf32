"""The OAuth endpoints of the double: consent in a browser, tokens, introspection, userinfo.

What tests turn: `redirects`, `entitled`, `partner`, `drops_scopes`, `revoked_for`, `refreshes`.
"""

from __future__ import annotations

import asyncio
import html
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.doubles.linkedin.server import APP, MEMBER, Server, Token
from tests.doubles.linkedin.wire import Handler, Refusal, Reply, Request, json_reply

SECRET = "WPL_AP1.double-secret"
REDIRECT = "http://localhost:8765/linkedin"
NAME = "Jane Doe"
DAY = 86_400.0
LIFE = 60 * DAY
REFRESH_LIFE = 365 * DAY
CODE_LIFE = 30 * 60.0


@dataclass(frozen=True)
class Code:
    """What a member allowed."""

    redirect: str
    scope: frozenset[str]
    at: float


@dataclass
class Refresh:
    scope: frozenset[str]
    until: float
    revoked: bool = False


class OAuth:
    """One app with one member."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.redirects = {REDIRECT}  # registered with the app
        self.entitled = MEMBER  # scopes of the app's products
        self.partner = False  # true: refresh tokens are given
        self.drops_scopes = False  # true: what the app may not ask for is left out, and a token given all the same
        self.revoked_for = 0.0  # seconds for which a token from a renewal is answered as revoked
        self.codes: dict[str, Code] = {}
        self.refreshes: dict[str, Refresh] = {}
        self.asked: list[str] = []  # grants that were asked for, whatever came of it

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/oauth/v2/authorization"): _handler(self._authorize),
            ("POST", "/oauth/v2/consent"): _handler(self._consent),
            ("POST", "/oauth/v2/accessToken"): _handler(self._token),
            ("POST", "/oauth/v2/introspectToken"): _handler(self._introspect),
            ("GET", "/v2/userinfo"): _handler(self._userinfo),
        }

    # -- in the browser ----------------------------------------------------------------------------------------

    def _authorize(self, request: Request) -> Reply:
        query = dict(parse_qsl(urlsplit(request.path).query))
        if query.get("client_id") != APP or query.get("response_type") != "code":
            return _page(401, "Client_id doesn't match")
        redirect = query.get("redirect_uri", "")
        if redirect not in self.redirects:
            return _page(401, "Redirect_uri doesn't match")
        asked = frozenset(query.get("scope", "").split())
        if (refused := sorted(asked - self.entitled)) and not self.drops_scopes:
            words = f"Scope &quot;{refused[0]}&quot; is not authorized for your application"
            return _back(redirect, query, error="unauthorized_scope_error", error_description=words)
        fields = {"redirect_uri": redirect, "state": query.get("state", ""), "scope": " ".join(asked & self.entitled)}
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items()
        )
        buttons = (
            '<button name="choice" value="allow">Allow</button><button name="choice" value="cancel">Cancel</button>'
        )
        return _page(200, f'<form method="post" action="/oauth/v2/consent">{inputs}{buttons}</form>')

    def _consent(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if form["choice"] != "allow":
            words = "The user cancelled the authorization"
            return _back(form["redirect_uri"], form, error="user_cancelled_authorize", error_description=words)
        return _back(form["redirect_uri"], form, code=self.allow(form["redirect_uri"], form["scope"].split()))

    def allow(self, redirect: str = REDIRECT, scope: list[str] | frozenset[str] = MEMBER) -> str:
        """The member consents; the code."""
        code = f"AQ-code-{secrets.token_urlsafe(12)}"
        self.codes[code] = Code(redirect, frozenset(scope), self.server.clock())
        return code

    # -- tokens ------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Reply:
        form = self._form(request, "grant_type")
        self.asked.append(form["grant_type"])
        wanted = {"authorization_code": "code", "refresh_token": "refresh_token"}[form["grant_type"]]
        names = [wanted, "client_id", "client_secret", *(["redirect_uri"] if wanted == "code" else [])]
        self._check_app(form, names)
        return self._exchanged(form) if wanted == "code" else self._refreshed(form)

    def _exchanged(self, form: Mapping[str, str]) -> Reply:
        now = self.server.clock()
        code = self.codes.pop(form["code"], None)
        if code is None:
            raise _trouble(401, "invalid_request", "Unable to retrieve access token: authorization code not found")
        if code.at + CODE_LIFE < now or code.redirect != form["redirect_uri"]:
            words = (
                "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code."
            )
            raise _trouble(400, "invalid_redirect_uri", f"{words} Or authorization code expired.")
        for name, token in self.server.tokens.items():  # another set of scopes ends all tokens of before
            if token.app == APP and token.scope != code.scope:
                self.server.dead[name] = "revoked"
        if not self.partner:
            return self._given(code.scope, LIFE)
        refresh = f"AQ-refresh-{secrets.token_urlsafe(12)}"
        self.refreshes[refresh] = Refresh(code.scope, now + REFRESH_LIFE)
        return self._given(code.scope, LIFE, refresh)

    def _refreshed(self, form: Mapping[str, str]) -> Reply:
        now = self.server.clock()
        known = self.refreshes.get(form["refresh_token"])
        if known is None or known.revoked or known.until <= now:
            words = "The provided authorization grant or refresh token is invalid, expired or revoked"
            raise _trouble(400, "invalid_request", words)
        return self._given(known.scope, min(LIFE, known.until - now), form["refresh_token"], now + self.revoked_for)

    def _given(self, scope: frozenset[str], life: float, refresh: str = "", valid_from: float = 0.0) -> Reply:
        now = self.server.clock()
        access = f"AQ-access-{secrets.token_urlsafe(24)}"
        self.server.tokens[access] = Token(scope, now + life, self.server.author, APP, valid_from)
        answer = {"access_token": access, "expires_in": round(life), "scope": ",".join(sorted(scope))}
        if refresh:
            left = round(self.refreshes[refresh].until - now)
            answer |= {"refresh_token": refresh, "refresh_token_expires_in": left}
        return _said(200, answer)

    # -- questions ---------------------------------------------------------------------------------------------

    def _introspect(self, request: Request) -> Reply:
        form = self._form(request, "token")
        self._check_app(form, ["client_id", "client_secret", "token"])
        token = self.server.tokens.get(form["token"])
        if token is None or token.app != APP:
            return _said(200, {"active": False})
        now = self.server.clock()
        status = self.server.dead.get(form["token"]) or ("expired" if token.expires_at <= now else "active")
        ends = token.expires_at if token.expires_at != float("inf") else now + LIFE
        answer = {"active": status == "active", "client_id": APP, "status": status, "expires_at": int(ends)}
        return _said(200, {**answer, "created_at": int(now), "scope": ",".join(sorted(token.scope)), "auth_type": "3L"})

    def _userinfo(self, request: Request) -> Reply:
        token = self.server.check_token(request.headers.get("authorization", ""))
        if not {"openid", "profile"} <= token.scope:
            words = "Not enough permissions to access: userinfo.GET.NO_VERSION"
            return json_reply(403, serviceErrorCode=100, code="ACCESS_DENIED", message=words)
        return _said(200, {"sub": token.member.rpartition(":")[2], "name": NAME, "given_name": "Jane"})

    def _form(self, request: Request, *names: str) -> dict[str, str]:
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Refusal(Reply(415))
        form = dict(parse_qsl(request.body.decode()))
        _check_there(form, names)
        return form

    def _check_app(self, form: Mapping[str, str], names: list[str]) -> None:
        _check_there(form, names)
        if form["client_id"] != APP or form["client_secret"] != SECRET:
            raise _trouble(401, "invalid_client", "Client authentication failed")


def _handler(act: Callable[[Request], Reply]) -> Handler:
    async def handle(request: Request, _writer: asyncio.StreamWriter) -> Reply:
        try:
            return act(request)
        except Refusal as refusal:
            return refusal.reply

    return handle


def _check_there(form: Mapping[str, str], names: tuple[str, ...] | list[str]) -> None:
    for name in names:
        if not form.get(name):
            raise _trouble(400, "invalid_request", f'A required parameter "{name}" is missing')


def _trouble(status: int, error: str, description: str) -> Refusal:
    return Refusal(_said(status, {"error": error, "error_description": description}))


def _said(status: int, document: Mapping[str, object]) -> Reply:
    return Reply(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


def _page(status: int, body: str) -> Reply:
    page = f"<!doctype html><html lang=en><title>LinkedIn</title><body>{body}</body></html>"
    return Reply(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _back(redirect: str, asked: Mapping[str, str], **answer: str) -> Reply:
    query = urlencode({**answer, "state": asked.get("state", "")})
    return Reply(302, headers={"Location": f"{redirect}{'&' if '?' in redirect else '?'}{query}"})
