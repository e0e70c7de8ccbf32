"""Which token posts: the one in the configuration, else the login in the database, renewed in time where it can be.

A login is opened only here. Of several machines one renews, and a death while renewing leaves the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from syndicate import logs
from syndicate.channels.linkedin import answers, oauth
from syndicate.clock import Clock
from syndicate.config.values import Secret
from syndicate.errors import DeliveryError, Refused, StoreError, Unavailable, UsageError
from syndicate.fetch import Fetcher
from syndicate.sealing import seal, unseal
from syndicate.store import pauses, tokens
from syndicate.store.database import Store
from syndicate.store.tokens import Login

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from syndicate.config import LinkedInSettings

CHANNEL = "linkedin"
LOGIN = "log in with `syndicate linkedin login`"
EARLY = timedelta(days=7)  # before its end a login is renewed, by whoever needs it next
FRESH = timedelta(seconds=10)  # so long LinkedIn may call a renewed token revoked
BUSY = timedelta(seconds=10)  # until a login that another process renews is there

log = logs.get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What to post with, now."""

    text: str = field(repr=False)
    author: str  # whose it is, "" where nobody said
    cure: str  # what a person does when it is dead
    fresh: bool = False  # renewed some seconds ago: "revoked" may pass


class Wallet:
    """Asked before each request. Without a store, as in previews, it knows the configuration alone."""

    def __init__(
        self,
        settings: LinkedInSettings,
        fetcher: Fetcher,
        clock: Clock,
        store: Store | None = None,
        secrets: Sequence[bytes] = (),
    ) -> None:
        """`secrets`: what opens logins, newest first; that one seals."""
        self._settings = settings
        self._fetcher = fetcher
        self._clock = clock
        self._store = store
        self._secrets = secrets
        self._hidden = ""

    async def token(self) -> Token:
        """Raises Unavailable, which pauses where a person must do something. Nothing has left the machine then."""
        try:
            return await self._token()
        except StoreError as error:
            raise Unavailable(f"the login cannot be looked up: {error}") from error

    async def _token(self) -> Token:
        if self._settings.access_token:
            return await self._configured(self._settings.access_token.reveal().strip())
        login = await self._store.read(tokens.get, CHANNEL) if self._store else None
        if login is None or self._store is None:
            todo = LOGIN if self._settings.client_id else "set linkedin.access_token"
            raise Unavailable("there is no access token", pauses=f"nobody is logged in: {todo}")
        now = self._clock.now()
        if login.renew_at is not None and login.renew_at <= now:
            login = await self._renewed(login, self._store, now)
        if login.expires_at is not None and login.expires_at <= now:
            if login.renew_at is not None:
                raise Unavailable("the login is being renewed by another process", retry_after=BUSY)
            raise _over(login)
        self._check_rights(self._settings.author or login.author or "", login)
        return Token(
            text=self._opened(login)["access"],
            author=login.author or "",
            cure=LOGIN,
            fresh=timedelta(0) <= now - login.obtained_at < FRESH,
        )

    async def unable(self) -> str | None:
        """What the token lacks for posting and deleting, as far as is known."""
        login = await self.login()
        return _unable(self._settings.author or (login.author if login else None) or "", login)

    async def login(self) -> Login | None:
        """What is known of the token that counts."""
        if self._store is None:
            return None
        return await self._store.read(tokens.known, CHANNEL, self._settings.access_token.reveal().strip())

    async def _configured(self, token: str) -> Token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Unavailable(
                "the access token holds characters that no token has", pauses="set linkedin.access_token anew"
            )
        if known := await self.login():
            self._check_rights(self._settings.author, known)
        return Token(text=token, author="", cure=answers.RENEW)

    def _check_rights(self, author: str, login: Login) -> None:
        if unable := _unable(author, login):
            raise Unavailable(unable, pauses=unable)

    # --- renewing -----------------------------------------------------------------------------------------------------

    async def _renewed(self, login: Login, store: Store, now: datetime) -> Login:
        """The login, renewed if that is for us; the old one while it lives and cannot be. Raises Unavailable."""
        is_over = login.expires_at is not None and login.expires_at <= now
        if not await store.write(tokens.take_renewal, CHANNEL, now):  # somebody else is at it, or was quicker
            return await store.read(tokens.get, CHANNEL) or login
        opened = self._opened(login)
        try:
            grant = await oauth.refresh(self._settings, self._fetcher, Secret(opened["refresh"]))
        except DeliveryError as error:
            log.warning("login not renewed", channel=CHANNEL, error=error.reason, status=error.status)
            if isinstance(error, Refused):
                await store.write(tokens.unrenewable, login)
                return replace(login, renew_at=None, refresh_until=None)
            if is_over:
                raise _waits(error) from None
            return login
        new = self._login(grant, login, opened["refresh"])
        if not await store.write(tokens.renewed, login, new):
            return await store.read(tokens.get, CHANNEL) or login
        log.info("login renewed", channel=CHANNEL, until=new.expires_at)
        return new

    def _login(self, grant: oauth.Grant, old: Login, refresh: str) -> Login:
        ends = [moment for moment in (grant.refresh_until, old.refresh_until) if moment is not None]
        return login_of(
            grant, self._secrets[0], self._clock.now(), author=old.author, name=old.name,
            refresh=grant.refresh.reveal() or refresh,
            until=min(ends) if ends else None,  # renewing does not put its own end off
            scope=grant.scope or old.scope,
        )  # fmt: skip

    def _opened(self, login: Login) -> dict[str, str]:
        try:
            opened = unseal(self._secrets, CHANNEL, login.sealed)
        except ValueError:
            raise Unavailable(
                "the login cannot be read: `secret` is another than it was stored with", pauses=f"{LOGIN}, or name the"
                " `secret` of before in secrets_old"
            ) from None  # fmt: skip
        if opened["access"] != self._hidden:
            logs.hide(*opened.values())
            self._hidden = opened["access"]
        return opened


def login_of(
    grant: oauth.Grant, secret: bytes, now: datetime, *, author: str | None, name: str | None,
    refresh: str | None = None, until: datetime | None = None, scope: frozenset[str] | None = None,
) -> Login:  # fmt: skip
    """A grant as it is kept. What a renewed one does not say is given."""
    again = grant.refresh.reveal() if refresh is None else refresh
    return Login(
        channel=CHANNEL,
        sealed=seal(secret, CHANNEL, {"access": grant.access.reveal(), "refresh": again}),
        author=author,
        name=name,
        scope=grant.scope if scope is None else scope,
        obtained_at=now,
        expires_at=grant.expires_at,
        refresh_until=(until or grant.refresh_until) if again else None,
        renew_at=grant.expires_at - EARLY if again else None,
    )


def _unable(author: str, login: Login | None) -> str | None:
    if login is None or not login.scope or (missing := oauth.lacking(author, login.scope)) is None:
        return None
    whose = "a Page" if oauth.is_page(author) else "its member"
    anew = LOGIN if login.sealed else "set a linkedin.access_token that has it"
    return f"the token may not post as {whose} or delete posts: it lacks {missing}; add that to the app, then {anew}"


def _over(login: Login) -> Unavailable:
    words = f"the login ended on {login.expires_at:%Y-%m-%d %H:%M} UTC"
    return Unavailable(words, pauses=f"{words}: {LOGIN}")


def _waits(error: DeliveryError) -> Unavailable:
    """The login is over and could not be renewed now."""
    pauses = error.pauses if isinstance(error, Unavailable) else None
    wish = error.retry_after if isinstance(error, Unavailable) else None
    return Unavailable(
        f"the login cannot be renewed: {error.reason}", status=error.status, retry_after=wish or tokens.TURN,
        pauses=f"{error.reason}: {pauses}" if pauses else None,
    )  # fmt: skip


def keep(connection: Connection, new: Login, author: str) -> None:
    """Store a login and let a channel that was paused by a fault go on, in one transaction.

    Raises UsageError where somebody else is logged in and `author`, the configured one, does not name the new one:
    posts in doubt are repeated by who made them.
    """
    old = tokens.get(connection, CHANNEL)
    if old and old.author and old.author != new.author and author != new.author:
        raise UsageError(
            f"{old.name or old.author} is logged in, and you are {new.name or new.author}: set linkedin.author to"
            f' "{new.author}" if posts should be yours from now on; nothing was stored'
        )
    tokens.put(connection, new)
    pauses.heal(connection, CHANNEL)
