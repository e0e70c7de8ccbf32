"""A card's picture: fetched with care, fitted, uploaded (Learn: community-management/shares/images-api), noted.

What goes wrong with a picture concerns the picture: the post goes without it and its payload says why. Nothing here
posts, and the token goes to no host but LinkedIn's own.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from syndicate import picture
from syndicate.channels.base import Payload
from syndicate.crashpoint import crashpoint
from syndicate.errors import ContentError, DeliveryError, Refused, Unavailable
from syndicate.fetch import Answer, Fetcher, origin
from syndicate.logs import get
from syndicate.picture import Picture

REHEARSAL_IMAGE = "urn:li:image:REHEARSAL"
LONGEST_UPLOAD = 60.0  # seconds, with all that is tried again
READY_WITHIN = timedelta(minutes=10)  # then LinkedIn will not get a picture ready any more
_IMAGE = re.compile(r"urn:li:image:[A-Za-z0-9_-]+")

log = get(__name__)

Upload = Callable[[Picture], Awaitable[str]]
"""From a picture to its URN; raises LeftOut, or Unavailable where the answer concerns the channel."""


class Getter(Protocol):
    """Reads addresses that articles name, guarded against private ones (`GuardedFetcher`)."""

    async def get(self, url: str, *, limit: int, accept: Sequence[str]) -> Answer:
        """Raises Refused for what may never be asked, Unavailable for what did not answer."""
        ...


class LeftOut(Exception):
    """A picture that the post must do without; `passing`: another try may succeed."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing


# --- the payload: {"picture": {"url", "alt", "lost"}} as composed, more once it is prepared ---------------------------


async def prepare(payload: Payload, getter: Getter, instead: str, upload: Upload | None, now: datetime) -> Payload:
    """Give the card its picture; where it has one, or can have none, nothing is done again.

    `instead` is the address of a picture for cards whose own cannot be used ("" = none); without `upload` (a rehearsal)
    a placeholder stands for its URN. What went wrong but may pass leaves a note, and the next attempt tries again.
    Raises Unavailable where an answer concerns the channel.
    """
    wanted: Mapping[str, Any] | None = payload.get("picture")
    if wanted is None or wanted.get("live") is (upload is not None):
        return payload
    try:
        url, found, reason = await _first(getter, dict.fromkeys(filter(None, (wanted["url"], instead))))
        image = await upload(found) if upload else REHEARSAL_IMAGE
        reason = "; ".join(filter(None, (wanted.get("lost"), reason)))
    except LeftOut as error:
        reason = "; ".join(filter(None, (wanted.get("lost"), error.reason)))
        log.warning("picture left out", reason=reason)
        return without(payload, reason, settled=None if error.passing else upload is not None)
    used = {"url": url, "alt": wanted["alt"] if url == wanted["url"] else ""}
    used |= {"width": found.width, "height": found.height, "at": now.isoformat(), "live": upload is not None}
    note = {"note": f"its own picture was left out: {reason}"} if reason else {}
    return {**_bare(payload), **note, "picture": used, "body": _with_thumbnail(payload["body"], image)}


def without(payload: Payload, reason: str, *, settled: bool | None = True) -> Payload:
    """The same post without its picture, and why; `settled` is the kind of attempt (live or not) it stays so for."""
    had = payload.get("picture") or {}
    wanted = {name: had[name] for name in ("url", "alt", "lost") if name in had}
    if wanted and settled is not None:
        wanted["live"] = settled
    bare = {**_bare(payload), "note": f"picture left out: {reason}", "body": _with_thumbnail(payload["body"], None)}
    return {**bare, "picture": wanted} if wanted else bare


def is_overdue(payload: Payload, now: datetime) -> bool:
    """Whether its picture was uploaded so long ago that LinkedIn should have it ready."""
    at = (payload.get("picture") or {}).get("at")
    return at is not None and now > datetime.fromisoformat(at) + READY_WITHIN


def _bare(payload: Payload) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in ("note", "picture")}


def _with_thumbnail(body: str, image: str | None) -> str:
    document = json.loads(body)
    card = document["content"]["article"]
    card.pop("thumbnail", None)
    if image is not None:
        card["thumbnail"] = image
    return json.dumps(document, ensure_ascii=False)


# --- fetching ---------------------------------------------------------------------------------------------------------


async def _first(getter: Getter, urls: Sequence[str] | Mapping[str, Any]) -> tuple[str, Picture, str]:
    """The first that can be used, and why not those before it. Raises LeftOut where none can."""
    reasons: list[str] = []
    passing = False
    for url in urls:
        try:
            return url, await _fetched(getter, url), "; ".join(reasons)
        except LeftOut as error:
            reasons.append(f"{_shown(url)}: {error.reason}")
            passing = passing or error.passing
    raise LeftOut("; ".join(reasons), passing=passing)


async def _fetched(getter: Getter, url: str) -> Picture:
    try:
        answer = await getter.get(url, limit=picture.BYTES, accept=("image/",))
    except DeliveryError as error:
        raise LeftOut(error.reason, passing=not isinstance(error, Refused)) from None
    if answer.status != 200:
        passing = answer.status in (408, 425, 429) or answer.status >= 500
        raise LeftOut(f"it was answered with {answer.status}", passing=passing)
    if not answer.whole:
        raise LeftOut(f"it has more than {picture.BYTES // 1_000_000} MB")
    try:
        return await asyncio.to_thread(picture.fit, answer.body)
    except ContentError as error:
        raise LeftOut(error.reason) from None


def _shown(url: str) -> str:
    """An address for people: without its query, which may hold a signature."""
    shown = "".join(character for character in url.partition("?")[0] if character.isprintable())
    return shown.partition("@")[2] if "@" in shown.partition("/")[2].partition("/")[0] else shown[:200]


# --- uploading --------------------------------------------------------------------------------------------------------


async def upload(
    fetcher: Fetcher,
    found: Picture,
    *,
    owner: str,
    headers: Mapping[str, str],
    hosts: tuple[str, str],
    judge: Callable[[Answer], object],
    within: float = LONGEST_UPLOAD,
) -> str:
    """Upload a picture for posts of `owner`; returns its URN. May be repeated: an image that is not used does no harm.

    `headers` are those of the API, token and all; `hosts` api_url and auth_url; `judge` raises for an answer that
    concerns the channel; `within` is seconds. Raises LeftOut and Unavailable.
    """
    try:
        async with asyncio.timeout(within):
            for _ in range(2):  # the address of the first may have expired
                url, image = await _initialized(fetcher, owner, headers, hosts[0], judge)
                if not is_linkedins(url, *hosts):
                    raise LeftOut(f"LinkedIn says to upload it to {origin(url)}, which is no host of its own")
                sent = {"Authorization": headers["Authorization"], "Content-Type": "image/jpeg"}
                answer = await _asked(fetcher, "PUT", url, sent, found.jpeg)
                if answer.status in (200, 201, 202, 204):
                    crashpoint("image.uploaded")
                    return image
                if answer.status not in (400, 403):
                    break
    except TimeoutError:
        raise LeftOut(f"LinkedIn did not take it within {within:.0f} s", passing=True) from None
    raise LeftOut(
        f"LinkedIn answered its upload with {answer.status}",
        passing=answer.status in (401, 408, 429) or answer.status >= 500,
    )


async def _initialized(
    fetcher: Fetcher, owner: str, headers: Mapping[str, str], api_url: str, judge: Callable[[Answer], object]
) -> tuple[str, str]:
    """Ask where to upload to: the address and the URN it will have."""
    wish = json.dumps({"initializeUploadRequest": {"owner": owner}}).encode()
    answer = await _asked(fetcher, "POST", f"{api_url}/rest/images?action=initializeUpload", headers, wish)
    if answer.status != 200:
        of_the_day = answer.status == 429 and re.search(r"\bDAY\b", answer.text())  # pictures have a quota of their own
        if (answer.status in (401, 426, 429) and not of_the_day) or 300 <= answer.status < 400:
            judge(answer)
        passing = answer.status in (408, 429) or answer.status >= 500
        raise LeftOut(f"LinkedIn answered {answer.status} when asked where to upload it", passing=passing)
    try:
        value = json.loads(answer.text())["value"]
        url, image = str(value["uploadUrl"]), str(value["image"])
    except (ValueError, TypeError, KeyError, RecursionError):
        url, image = "", ""
    if not url or not _IMAGE.fullmatch(image):
        raise LeftOut("LinkedIn did not say where to upload it", passing=True)
    return url, image


async def _asked(fetcher: Fetcher, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
    try:
        return await fetcher.request(method, url, headers=headers, content=content, repeatable=True)
    except DeliveryError as error:
        raise LeftOut(error.reason, passing=isinstance(error, Unavailable)) from None


def is_linkedins(url: str, api_url: str, auth_url: str) -> bool:
    """Whether a token may go there: to the configured hosts; where they are LinkedIn's, to any host of linkedin.com."""
    if not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        return False
    try:
        there = urlsplit(url)
        port = there.port
        known = {(parts.scheme, parts.netloc.lower()) for parts in map(urlsplit, (api_url, auth_url))}
        real = _is_linkedin_com(urlsplit(api_url).hostname)
    except ValueError:
        return False
    if "@" in there.netloc:
        return False
    if (there.scheme, there.netloc.lower()) in known:
        return True
    return real and there.scheme == "https" and port in (None, 443) and _is_linkedin_com(there.hostname)


def _is_linkedin_com(host: str | None) -> bool:
    return host is not None and (host == "linkedin.com" or host.endswith(".linkedin.com"))
