"""What every public channel is: compose, send, reconcile, retract.

Email composes too, but sends its letters through a transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from syndicate.article import Article
from syndicate.delivery import Receipt as Receipt
from syndicate.fetch import Answer
from syndicate.prose import one_line

Payload = Mapping[str, Any]
"""The frozen request, JSON-able, opaque to everybody but its channel; `v` is the version of its shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One article owed to one channel, with all that composing needs."""

    article: Article
    summary: str  # plain text, cut at a sentence or word
    own_words: str | None = None  # the front matter's text for this channel
    lost_image: str | None = None  # a hero image that is stated and was not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A payload as people will see it: in a terminal, and as a page that holds no script."""

    text: str
    html: str

    @classmethod
    def plain(cls, text: str) -> Shown:
        """Of a channel whose messages have no looks: the text in both."""
        style = "font: 15px/1.5 ui-monospace, monospace; max-width: 60rem; margin: 2rem auto; padding: 0 1rem"
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        page = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Preview</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}"></head><body style="{style}">'
            '<pre dir="auto" style="white-space: pre-wrap; overflow-wrap: anywhere">'
            f"{escape(text)}</pre></body></html>\n"
        )
        return cls(text=text, html=page)


def said(answer: Answer, *secrets: str, limit: int = 300) -> str:
    """The first words of an answer, fit for a reason and the ledger: one line, without the secrets it may repeat."""
    text = answer.text()
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return one_line(text)[:limit]


class Channel(Protocol):
    """Somewhere announcements can be sent. Nothing is shared between two deliveries."""

    name: str
    live: bool  # false: `send` writes into the outbox and nothing leaves the machine

    @property
    def by_hand(self) -> bool:
        """True where there is no way to send by ourselves: what is due waits for a person."""
        ...

    async def unable(self) -> str | None:
        """Why its token can neither post nor delete, where that is known: then it is said and not tried."""
        ...

    def compose(self, announcement: Announcement) -> Payload:
        """Make the request, purely: the same announcement gives the same payload."""
        ...

    async def prepare(self, key: str, payload: Payload) -> Payload:
        """Do what must be done before it is frozen and sent, like uploading its picture; what is done already is not
        done again. Called before every attempt but a repeat in doubt.

        Raises Unavailable where nothing may be sent now; what concerns a part that the post can do without is noted in
        the payload, and its receipt says so.
        """
        ...

    def preview(self, payload: Payload) -> Shown:
        """What `compose` made, for the eye; whatever it holds, it neither runs nor loads anything but its picture."""
        ...

    async def send(self, key: str, payload: Payload) -> Receipt:
        """Send once. Raise Refused, Unavailable or InDoubt; trying again later is the caller's business.

        `key` is the same for every attempt at one delivery.
        """
        ...

    async def reconcile(self, key: str, payload: Payload) -> Receipt:
        """Find out what became of an attempt in doubt; InDoubt again means that nobody can tell yet."""
        ...

    async def retract(self, external_id: str) -> Receipt:
        """Delete a post that was sent, named by its receipt's id or address; one that is gone already is done.

        May be repeated. Raises Refused or Unavailable, never InDoubt.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
