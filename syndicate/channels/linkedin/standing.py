"""How a login stands: whose it is, how long it lasts, what it may do, and what LinkedIn says of it now.

Whether posting works is never judged by userinfo, which answers also where nothing may be posted any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from syndicate.channels.linkedin import answers, oauth, wallet
from syndicate.channels.linkedin.wallet import CHANNEL, Wallet
from syndicate.config.values import Secret
from syndicate.errors import DeliveryError, Unavailable
from syndicate.fetch import Fetcher
from syndicate.store import tokens
from syndicate.store.database import Store
from syndicate.store.tokens import Login

if TYPE_CHECKING:
    from syndicate.config import LinkedInSettings

OLD = 9  # months after which a version's end comes near; it lives a year (Learn: marketing/versioning)
_NO_POST = "urn:li:share:1"  # asked for, so that LinkedIn looks at token and version; nobody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known. `problems`: why nothing can be posted; `notes`: what may become one."""

    way: str  # "login", "access_token", "by-hand"
    author: str | None
    name: str | None = None
    scope: tuple[str, ...] = ()
    can: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    expires_at: datetime | None = None
    refresh_until: datetime | None = None
    version: str
    version_ends: str  # month, by the rule
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def days_left(self, now: datetime) -> int | None:
        """Whole days until a person must log in anew; None where nobody knows."""
        ends = self.refresh_until or self.expires_at
        return None if ends is None else max(0, (ends - now).days)

    @property
    def _unknown(self) -> str:
        return "none" if self.way == "login" and not self.author else "nobody knows how long"

    def as_json(self, now: datetime) -> dict[str, Any]:
        return {**asdict(self), "days_left": self.days_left(now)}

    def lines(self, now: datetime) -> Iterator[tuple[str, str]]:
        """For people: name and value."""
        yield "way", {"login": "a login", "access_token": "linkedin.access_token", "by-hand": "by hand"}[self.way]
        if self.way == "by-hand":
            return
        yield "author", f"{self.name} ({self.author})" if self.name else self.author or "nobody yet"
        left = self.days_left(now)
        ends = self.refresh_until or self.expires_at
        yield "login", f"{left} days left, until {ends:%Y-%m-%d %H:%M} UTC" if ends else self._unknown
        if self.can or self.cannot:
            yield "can", ", ".join(self.can) or "nothing"
            yield "cannot", "; ".join(self.cannot)
        yield "version", f"{self.version}, until about {self.version_ends}"
        for note in self.notes:
            yield "note", note


async def look(
    settings: LinkedInSettings, purse: Wallet, fetcher: Fetcher, store: Store, now: datetime, *, online: bool
) -> Standing:
    """How it stands; `online` asks LinkedIn too. What cannot be asked is a note."""
    way = "by-hand" if settings.by_hand else "access_token" if settings.access_token else "login"
    ends, remark, is_over = version_age(settings.version, now)
    base = Standing(
        way=way, author=settings.author or None, version=settings.version, version_ends=ends,
        problems=(), notes=(remark,) if remark and not is_over else (),
    )  # fmt: skip
    if way == "by-hand":
        return base
    notes, problems = list(base.notes), [remark] if remark and is_over else []
    try:
        token = await purse.token()
    except Unavailable as error:
        login = await purse.login()
        return _with(base, login, [*problems, error.pauses or error.reason], notes)
    if online:
        found = await _asked(settings, fetcher, store, token, now)
        problems += found[0]
        notes += found[1]
    return _with(base, await purse.login(), problems, notes)


def version_age(version: str, now: datetime) -> tuple[str, str, bool]:
    """(month of its end, remark or "", whether it is over) of an API version YYYYMM."""
    year, month = int(version[:4]), int(version[4:])
    months = (now.astimezone(UTC).year - year) * 12 + now.astimezone(UTC).month - month
    ends = f"{year + 1}-{month:02}-15"
    mend = "set linkedin.version to a later one (YYYYMM)"
    if months > 12:
        return ends, f"the API version {version} was to end about {ends}: {mend}", True
    return ends, f"the API version {version} ends about {ends}: {mend}" if months >= OLD else "", False


def _with(base: Standing, login: Login | None, problems: list[str], notes: list[str]) -> Standing:
    author = base.author or (login.author if login else None)
    if author is None and base.way == "access_token":
        problems = [*problems, "linkedin.author is missing: urn:li:person:… or urn:li:organization:…"]
    standing = replace(base, author=author, problems=tuple(dict.fromkeys(problems)), notes=tuple(notes))
    if login is None:
        return standing
    missing = oauth.lacking(author or "", login.scope) if login.scope else None
    verbs = ("post", "delete its posts") if login.scope else ()
    return replace(
        standing, name=login.name, scope=tuple(sorted(login.scope)), expires_at=login.expires_at,
        refresh_until=login.refresh_until,
        can=() if missing else verbs,
        cannot=(f"post or delete posts: it lacks {missing}",) if missing else ("read posts, answer comments",)
        if verbs else (),
    )  # fmt: skip


async def _asked(
    settings: LinkedInSettings, fetcher: Fetcher, store: Store, token: wallet.Token, now: datetime
) -> tuple[list[str], list[str]]:
    """(problems, notes) of what LinkedIn says: of the token, where the app's keys stand; of the version."""
    problems: list[str] = []
    notes: list[str] = []
    try:
        if settings.client_id and settings.client_secret:
            inspection = await oauth.introspect(settings, fetcher, Secret(token.text))
            if not inspection.active:
                state = inspection.status or "not one of this app"
                problems.append(f"LinkedIn says that the token is {state}: {token.cure}")
            elif settings.access_token:
                await store.write(tokens.put, _learned(settings, token, inspection, now))
        problems += await _probed(settings, fetcher, token, now)
    except DeliveryError as error:
        todo = error.pauses if isinstance(error, Unavailable) else None
        notes.append(f"{error.reason}; {todo}" if todo else error.reason)
    return problems, notes


def _learned(settings: LinkedInSettings, token: wallet.Token, inspection: oauth.Inspection, now: datetime) -> Login:
    return Login(
        channel=tokens.configured(CHANNEL), author=settings.author or None, scope=inspection.scope, obtained_at=now,
        expires_at=inspection.expires_at, fingerprint=tokens.fingerprint(token.text),
    )  # fmt: skip


async def _probed(settings: LinkedInSettings, fetcher: Fetcher, token: wallet.Token, now: datetime) -> list[str]:
    """Ask for a post that is nobody's: any answer but 401 and 426 says that token and version live."""
    answer = await fetcher.request(
        "GET",
        f"{settings.api_url}/rest/posts/{quote(_NO_POST, safe='')}",
        headers={
            "Authorization": f"Bearer {token.text}",
            "Linkedin-Version": settings.version,
            "X-Restli-Protocol-Version": "2.0.0",
        },
        repeatable=True,
    )
    if answer.status not in (401, 426):
        return []
    try:
        answers.judge(answer, token=token.text, now=now, chance=fetcher.chance, cure=token.cure)
    except Unavailable as error:
        return [error.pauses or error.reason]
    return []
