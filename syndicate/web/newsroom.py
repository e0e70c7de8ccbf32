"""The newsroom's pages, for whoever has logged in: Today, articles, deliveries, people. They show; `acts` acts.

Titles, subjects and answers are others' words: nothing here is marked safe, and what would be sent is shown in a frame
that may do nothing.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from syndicate.colour import palette
from syndicate.store.catalogue import PAGE
from syndicate.web import acts, chart
from syndicate.web.newsroom_office import Newsroom
from syndicate.web.office import Office
from syndicate.web.place import Place
from syndicate.web.stage import Stage
from syndicate.web.today import ago, day, verdict

T = TypeVar("T")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

ARTICLES = ("held", "ready", "scheduled", "draft", "rejected", "gone")
DELIVERIES = (
    "sent", "held", "planned", "waiting", "unknown", "failed", "rehearsed", "claimed", "skipped", "expired",
    "cancelled",
)  # fmt: skip
CHARTED = (320, 56)  # width and height of the growth of people

# What is seen of each state beside its word: no two that mean other things have one shape.
SHAPES = {
    "sent": "done", "ready": "done", "active": "done", "rehearsed": "ring", "planned": "clock", "scheduled": "clock",
    "waiting": "clock", "pending": "clock", "claimed": "move", "held": "hand", "unknown": "ask", "failed": "cross",
    "rejected": "cross", "bounced": "cross", "complained": "cross", "skipped": "dash", "expired": "dash",
    "cancelled": "dash", "gone": "dash", "draft": "dash", "unsubscribed": "dash",
}  # fmt: skip

BUTTONS = {"resume": "Resume", "retry": "Try again"}  # of a problem, by its act

_STATIC = Path(__file__).parent / "static"
_LONG = {"cache-control": "private, max-age=86400"}


def routes(office: Office, stage: Stage) -> Sequence[Place]:
    """The places of this file; none where there is no newsroom."""
    if office.newsroom is None:
        return []
    pages = _Newsroom(office, office.newsroom, stage)
    shown = frame_policy(office.site.url, office.site.image)
    return [
        Place(path="/newsroom/newsroom.css", door="session", endpoint=pages.style),
        Place(path="/newsroom/newsroom.js", door="session", endpoint=pages.script),
        Place(path="/newsroom/preview/delivery/{id:int}", door="session", endpoint=pages.frozen, policy=shown),
        Place(path="/newsroom/preview/digest/{name}", door="session", endpoint=pages.coming, policy=shown),
        Place(path="/newsroom/preview/article/{id}", door="session", endpoint=pages.preview, policy=shown),
        Place(path="/newsroom/", door="session", endpoint=pages.today, policy=POLICY),
        Place(path="/newsroom/articles", door="session", endpoint=pages.articles, policy=POLICY),
        Place(path="/newsroom/articles/{id}", door="session", endpoint=pages.article, policy=POLICY),
        Place(path="/newsroom/editions", door="session", endpoint=pages.editions, policy=POLICY),
        Place(path="/newsroom/deliveries", door="session", endpoint=pages.deliveries, policy=POLICY),
        Place(path="/newsroom/deliveries/{id:int}", door="session", endpoint=pages.delivery, policy=POLICY),
        Place(path="/newsroom/people", door="session", endpoint=pages.people, policy=POLICY),
        Place(path="/newsroom/people/{id:int}", door="session", endpoint=pages.person, policy=POLICY),
    ]


def frame_policy(*addresses: str) -> str:
    """What a preview may do: show itself, and pictures of the site's own hosts."""
    hosts = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, addresses) if parts.scheme and parts.netloc}
    pictures = " ".join(sorted(host for host in hosts if not set(host) & set(" ;,'\"")))
    return "; ".join(
        (
            "default-src 'none'",
            f"img-src data: 'self' {pictures}".strip(),
            "style-src 'unsafe-inline'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
            "sandbox",
        )
    )


class _Newsroom:
    """The endpoints, over one office."""

    def __init__(self, office: Office, newsroom: Newsroom, stage: Stage) -> None:
        self._office = office
        self._newsroom = newsroom
        self._stage = stage
        colours = palette(office.site.accent)
        sheet = (_STATIC / "newsroom.css").read_text(encoding="utf-8")
        for name in ("light", "dark", "on_light", "on_dark"):
            sheet = sheet.replace(f"var(--site-{name.replace('_', '-')})", getattr(colours, name))
        self._sheet = sheet.encode()
        self._code = (_STATIC / "newsroom.js").read_bytes()
        self._zone = office.site.zone
        self._asks: Mapping[str, Any] = {
            "style": self._versioned("newsroom.css", self._sheet),
            "script": self._versioned("newsroom.js", self._code),
            "shapes": SHAPES, "buttons": BUTTONS, "host": _host,
            "clock": self._clock, "when": self._when, "iso": _iso, "told_as": _sentence,
            "pieces": _pieces, "quoted": shlex.quote,
        }  # fmt: skip

    def _versioned(self, name: str, content: bytes) -> str:
        return f"{self._stage.root}/newsroom/{name}?{hashlib.sha256(content).hexdigest()[:8]}"

    # Moments

    def _clock(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%H:%M}"

    def _when(self, moment: datetime, now: datetime) -> str:
        local = moment.astimezone(self._zone)
        near = day(moment, now, self._zone)
        return f"{local:%H:%M}" if near == "today" else f"{near} {local:%H:%M}"

    # Pages

    def _page(self, template: str, request: Request, **values: Any) -> Response:
        now = values.pop("now", None) or self._newsroom.now()
        return self._stage.page(
            f"newsroom/{template}",
            csrf=request.state.csrf,
            has_session=bool(request.state.session),
            told=acts.said(self._office, request),
            here_back=_below(request.url.path),
            now=now,
            **self._asks,
            **values,
        )

    async def today(self, request: Request) -> Response:
        today = await self._newsroom.today()
        active = today.people.get("active", 0)
        points = [*today.growth, ("now", active)]
        return self._page(
            "today.html", request, now=today.now, today=today, verdict=verdict(today, self._zone),
            scanned=ago(today.scanned, today.now) if today.scanned else "", line=chart.line(points, *CHARTED),
            since=[(one, f"since {self._when(one.since, today.now)}" if one.since else "") for one in today.troubles],
            growth=points,
        )  # fmt: skip

    async def articles(self, request: Request) -> Response:
        state = request.query_params.get("state", "ready")
        if state not in ARTICLES:
            raise HTTPException(404)
        found = await self._newsroom.articles(state, _cursor(request))
        older = _older(found, lambda one: {"state": state, "at": one.at.isoformat(), "id": one.id})
        counts = await self._newsroom.counts()
        return self._page(
            "articles.html", request, articles=found[:PAGE], older=older, counts=counts, state=state, states=ARTICLES
        )

    async def article(self, request: Request) -> Response:
        found = await self._newsroom.article(request.path_params["id"][:100])
        return self._page("article.html", request, page=_there(found))

    async def editions(self, request: Request) -> Response:
        return await self._ledger(request, "editions.html", "email")

    async def deliveries(self, request: Request) -> Response:
        names = list(self._newsroom.channels)
        channel = request.query_params.get("channel", next(iter(names), ""))
        if names and channel not in names:
            raise HTTPException(404)
        return await self._ledger(request, "deliveries.html", channel)

    async def _ledger(self, request: Request, template: str, channel: str) -> Response:
        live = self._newsroom.channels.get(channel, False)
        state = request.query_params.get("state", "sent" if live else "rehearsed")
        if state not in DELIVERIES:
            raise HTTPException(404)
        found = await self._newsroom.deliveries(channel, state, _number(request, "before"))
        older = _older(found, lambda one: {"channel": channel, "state": state, "before": one.id})
        return self._page(
            template, request, deliveries=found[:PAGE], older=older, channel=channel, state=state,
            states=DELIVERIES, channels=list(self._newsroom.channels),
        )  # fmt: skip

    async def delivery(self, request: Request) -> Response:
        found = await self._newsroom.delivery(request.path_params["id"])
        return self._page("delivery.html", request, page=_there(found))

    async def people(self, request: Request) -> Response:
        begins = request.query_params.get("begins", "").strip()[:254]
        found = await self._newsroom.people(begins, _number(request, "before"))
        older = "" if begins else _older(found, lambda one: {"before": one.id})
        today = await self._newsroom.today()
        return self._page(
            "people.html", request, people=found[:PAGE], older=older, begins=begins, counts=today.people,
            more=len(found) > PAGE,
        )  # fmt: skip

    async def person(self, request: Request) -> Response:
        found = await self._newsroom.person(request.path_params["id"])
        return self._page("person.html", request, page=_there(found))

    # Previews, in a frame

    async def frozen(self, request: Request) -> Response:
        part = request.query_params.get("part", "html")
        text = await self._newsroom.preview_delivery(request.path_params["id"], part)
        return _framed(text, is_html=part != "text")

    async def preview(self, request: Request) -> Response:
        channel = request.query_params.get("channel", "")
        return _framed(await self._newsroom.preview_article(request.path_params["id"][:100], channel), is_html=True)

    async def coming(self, request: Request) -> Response:
        return _framed(await self._newsroom.preview_digest(request.path_params["name"]), is_html=True)

    # What pages are made of

    async def style(self, request: Request) -> Response:
        return Response(self._sheet, media_type="text/css", headers=_LONG)

    async def script(self, request: Request) -> Response:
        return Response(self._code, media_type="text/javascript", headers=_LONG)


def _there(found: T | None) -> T:
    if found is None:
        raise HTTPException(404)
    return found


def _framed(text: str | None, *, is_html: bool) -> Response:
    headers = {"x-frame-options": "SAMEORIGIN"}
    if text is None:
        return PlainTextResponse("Nothing is kept of it, and nothing would be made of it now.\n", 404, headers)
    return HTMLResponse(text, headers=headers) if is_html else PlainTextResponse(text, headers=headers)


def _older(found: Sequence[Any], query: Any) -> str:
    """The query of the next page; "" on the last."""
    return urlencode(query(found[PAGE - 1])) if len(found) > PAGE else ""


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _cursor(request: Request) -> tuple[datetime, str] | None:
    try:
        moment = datetime.fromisoformat(request.query_params.get("at", ""))
    except ValueError:
        return None
    return (moment, request.query_params.get("id", "")[:100]) if moment.tzinfo else None


def _below(path: str) -> str:
    """Where below /newsroom/ a page is: a button leads back to it."""
    return path.rpartition("/newsroom/")[2]


def _pieces(text: str) -> Sequence[tuple[str, bool]]:
    """A text in parts, each with whether it stands in backticks: a command."""
    return [(part, index % 2 == 1) for index, part in enumerate(text.split("`")) if part]


def _sentence(reasons: Sequence[str]) -> str:
    """Reasons without their codes, a sentence each."""
    return " ".join(filter(None, map(_as_sentence, reasons)))


def _as_sentence(reason: str) -> str:
    code, colon, rest = reason.partition(": ")
    text = (rest if colon and " " not in code else reason).strip()
    first = text.partition(" ")[0]
    text = text if "." in first or "/" in first else text[:1].upper() + text[1:]  # a file's name stays as it is
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _host(url: str) -> str:
    """The address as a link, where it is one of the web; "" else."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""
