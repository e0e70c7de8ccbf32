"""A webhook: the announcement as JSON to one address, signed after Standard Webhooks 1.0.0.

It tries once per call and never decides when to try again. What is signed is the frozen body to the byte; its id stays
the same for every attempt, so a receiver that drops what it has seen gets it once. The secret stands in no payload,
message or log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from syndicate.channels.base import Announcement, Payload, Receipt, Shown, said
from syndicate.errors import DeliveryError, Refused, Unavailable
from syndicate.fetch import Answer, Fetcher, retry_after
from syndicate.prose import grapheme_count, summary

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.config import Site, WebhookSettings

PAYLOAD_VERSION = 1
BODY_LIMIT = 20_000  # bytes; Standard Webhooks asks for less than about 20 kB
DEADLINE = 30.0  # seconds for one exchange; it asks for 15 to 30
MOST_NAMES = 20  # authors, tags; together with LONGEST_NAME half of the body at most
LONGEST_NAME = 60
BEYOND_RECALL = "what a webhook told cannot be called back"
SIGNATURE = "webhook-signature"
UNSIGNED: Mapping[str, str] = {}
SIGNED: Mapping[str, str] = {SIGNATURE: "v1,***"}

LONGEST_ALT = 500
LONGEST_IMAGE = 2_000  # characters of an address: what is longer is the picture itself
_LATER = (408, 425, 429)
_DEAF = {
    401: "set webhooks.secret to the receiver's: it does not accept the signature",
    403: "set webhooks.secret to the receiver's: it does not accept the signature",
    404: "correct webhooks.url: nobody listens there",
    405: "correct webhooks.url: nobody listens there",
    410: "remove this webhook: its receiver wants no more",
}


class Webhook:
    """Tells one address. The fetcher is shared and closed by its owner."""

    by_hand = False

    def __init__(self, settings: WebhookSettings, site: Site, fetcher: Fetcher) -> None:
        self.name = settings.name
        self.live = settings.live
        self._settings = settings
        self._site = site
        self._fetcher = fetcher

    async def unable(self) -> str | None:
        """A message cannot be deleted."""
        return BEYOND_RECALL

    def compose(self, announcement: Announcement) -> Payload:
        """Make the frozen request: the body as text, so that every attempt signs the same bytes."""
        return {
            "v": PAYLOAD_VERSION,
            "method": "POST",
            "url": self._settings.url.partition("?")[0],  # to look at; a query may be a secret
            "headers": {"Content-Type": "application/json"},
            "body": _body(_document(announcement, self._site)),
        }

    async def prepare(self, key: str, payload: Payload) -> Payload:
        """Nothing is needed before."""
        return payload

    async def send(self, key: str, payload: Payload) -> Receipt:
        """Tell it. Raises Refused or Unavailable, never InDoubt: a repeat bears the same id."""
        if not self.live:
            raise Unavailable(f"{self.name}: live is false: nothing leaves the machine")
        if payload.get("v") != PAYLOAD_VERSION:
            raise Unavailable(f"this was composed by another version of syndicate (payload {payload.get('v')!r})")
        body = payload["body"].encode("utf-8")
        message = message_id(self._site.url, key, body)
        now = self._fetcher.clock.now()
        stamp = str(int(now.timestamp()))
        headers = {**payload["headers"], "webhook-id": message, "webhook-timestamp": stamp}
        if keys := keys_of(self._settings.secret.reveal()):
            headers[SIGNATURE] = " ".join(sign(each, message, stamp, body) for each in keys)
        answer = await self._fetcher.request(
            "POST", self._settings.url, headers=headers, content=body, repeatable=True, deadline=DEADLINE
        )
        secrets = self._settings.secret.reveal().split()
        words = said(answer, *secrets, *(secret.removeprefix("whsec_") for secret in secrets))
        if 200 <= answer.status < 300:
            return Receipt(external_id=message, status=answer.status, answer=words)
        raise _failure(answer, words, now)

    async def reconcile(self, key: str, payload: Payload) -> Receipt:
        """Tell it once more: who has seen that id drops it."""
        return await self.send(key, payload)

    async def retract(self, external_id: str) -> Receipt:
        """Raises Refused, always."""
        raise Refused(BEYOND_RECALL)

    def preview(self, payload: Payload) -> Shown:
        """The message as it would leave, without what is added at the last moment."""
        headers = "".join(f"{name}: {value}\n" for name, value in payload["headers"].items())
        body = json.dumps(json.loads(payload["body"]), ensure_ascii=False, indent=2)
        text = f"{payload['method']} {payload['url']}\n{headers}\n{body}"
        return Shown.plain(_visible(text))

    async def aclose(self) -> None:
        """Nothing is held here."""


# --- the signature ----------------------------------------------------------------------------------------------------


def message_id(site: str, key: str, body: bytes) -> str:
    """The same for every attempt at one delivery, another for every other, also after the ledger began anew."""
    named = b"|".join((site.encode(), key.encode("utf-8", "surrogatepass"), body))
    return f"msg_{hashlib.sha256(named).hexdigest()[:24]}"  # no full stop: those separate what is signed


def keys_of(secret: str) -> list[bytes]:
    """The keys in a secret, blanks between them: `whsec_` and base64, or any other text as it is.

    Two at once are for changing it: both sign, and the receiver takes either. Raises ValueError for broken base64.
    """
    return [
        base64.b64decode(one.removeprefix("whsec_"), validate=True) if one.startswith("whsec_") else one.encode()
        for one in secret.split()
    ]


def sign(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """One symmetric signature: id, timestamp and body, joined by full stops."""
    signed = hmac.new(key, b".".join((message.encode(), stamp.encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


# --- the body ---------------------------------------------------------------------------------------------------------


def _document(announcement: Announcement, site: Site) -> dict[str, Any]:
    article = announcement.article
    stated = article.manuscript
    hero = stated.hero_image if len(stated.hero_image or "") <= LONGEST_IMAGE else None
    image = {"url": hero, "alt": _text(stated.hero_alt)[:LONGEST_ALT]} if hero else {"url": site.image, "alt": ""}
    cta = {"text": _text(stated.cta), "url": site.cta_url or article.url} if stated.cta.strip() else None
    return {
        "type": "article.published",
        "timestamp": _moment(article.released or article.updated),
        "data": {
            "id": f"urn:uuid:{article.id}",
            "url": _text(article.url),
            "title": _text(article.title),
            "subtitle": _text(stated.subtitle),
            "summary": _text(announcement.summary),
            "description": _text(stated.description),
            "authors": _names(stated.authors),
            "tags": _names(stated.tags),
            "cta": cta,
            "image": image if image["url"] else None,
            "published": stated.published,
            "released": _released(article),
            "language": site.language,
            "text": _text(announcement.own_words) if announcement.own_words else None,
            "site": {"title": site.title, "url": site.url},
        },
    }


def _body(document: dict[str, Any]) -> str:
    """The document as JSON, its texts cut at a sentence or word, one after the other, until it is short enough."""
    data = document["data"]
    parts = [(data, "description"), (data, "text"), (data["cta"] or {}, "text"), (data, "summary")]
    text = json.dumps(document, ensure_ascii=False)
    for holder, name in [*parts, (data, "subtitle"), (data, "title")]:
        while len(text.encode()) > BODY_LIMIT and holder.get(name):
            room = grapheme_count(holder[name]) // 2  # fewer in any case: one emoji may be eleven characters
            holder[name] = summary(holder[name], room) if room > 10 else ""
            text = json.dumps(document, ensure_ascii=False)
    return text


def _text(text: str) -> str:
    """Without what no text holds: control characters, half characters."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()


def _names(names: tuple[str, ...]) -> list[str]:
    return [_text(name)[:LONGEST_NAME] for name in names[:MOST_NAMES]]


def _released(article: Article) -> str | None:
    return _moment(article.released) if article.released else None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _visible(text: str) -> str:
    """For a terminal: what would turn its lines around is spelled out."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


# --- the answer -------------------------------------------------------------------------------------------------------


def _failure(answer: Answer, words: str, now: datetime) -> DeliveryError:
    status = answer.status
    reason = f"it answered {status}{f': {words}' if words else ''}"
    if 300 <= status < 400:
        host = urlsplit(answer.headers.get("location", "")).hostname
        todo = f"correct webhooks.url: it leads elsewhere{f', to {host}' if host else ''}"
        return Unavailable(reason, status=status, answer=words, pauses=todo)
    if status in _DEAF:
        return Unavailable(reason, status=status, answer=words, pauses=_DEAF[status])
    if 400 <= status < 500 and status not in _LATER:
        return Refused(reason, status=status, answer=words)
    return Unavailable(reason, status=status, answer=words, retry_after=retry_after(answer.headers, now))
