"""How an alert leaves: a letter to one address, or JSON to one address. Who is told what, and when, is decided above.

Both leave also while no channel is live: they go to the owner, who asked for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from syndicate.clock import Clock
from syndicate.config import EmailSettings, host_of, is_example_domain
from syndicate.dkim import Dkim
from syndicate.errors import DeliveryError, Refused, Unavailable
from syndicate.fetch import Fetcher, retry_after
from syndicate.letter import mailbox, notice
from syndicate.logs import mask
from syndicate.prose import one_line
from syndicate.transports.base import Envelope, Fate, ask
from syndicate.transports.dialogue import Limits
from syndicate.transports.smtp import Smtp

LIMITS = Limits(connect=15, command=30, dot=60)  # an alert that comes twice is better than one that waits
DISCORD_LIMIT = 2000  # characters of a message (Discord's documentation of webhooks)
SUBJECT_LIMIT = 120  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is told at once."""

    id: str  # the same for every try at telling the same
    site: str
    begun: Sequence[str] = ()
    over: Sequence[str] = ()

    @property
    def subject(self) -> str:
        first = _clean((*self.begun, *self.over)[0])
        more = len(self.begun) + len(self.over) - 1
        text = f"{self.site}: {'' if self.begun else 'over: '}{first}"
        if len(text) > SUBJECT_LIMIT:
            text = f"{text[:SUBJECT_LIMIT].rstrip()}…"
        return " ".join(f"{text}{f' (and {more} more)' if more else ''}".split())

    @property
    def text(self) -> str:
        parts = [(f"Something is wrong at {self.site}:", self.begun), ("This is over:", self.over)]
        told = [
            f"{heading}\n\n" + "\n".join(f"- {_clean(line)}" for line in lines) for heading, lines in parts if lines
        ]
        return "\n\n".join([*told, "`syndicate status` tells how things are now."])


class Way(Protocol):
    """One way to tell the owner."""

    name: str

    async def tell(self, alert: Alert) -> None:
        """Tell it once. Raises DeliveryError: it may be tried again later."""
        ...


class Mail:
    """A letter through the server of `[email.smtp]`, whether email is live or not."""

    name = "email"

    def __init__(
        self, to: str, email: EmailSettings, clock: Clock, *, limits: Limits = LIMITS, dkim: Dkim | None = None
    ) -> None:
        self._to = to
        self._dkim = dkim
        # A sender that is still the example's is refused everywhere: the owner then hears from himself.
        self._sender = to if is_example_domain(email.sender_domain) else email.sender
        self._smtp = Smtp(email.smtp, clock, limits=limits)
        self._clock = clock

    async def tell(self, alert: Alert) -> None:
        try:
            sender, recipient = mailbox(self._sender)[1], mailbox(self._to)[1]
        except ValueError as error:
            raise Refused(f"alerts.email: {error}") from None
        pieces = notice(
            sender=self._sender, to=self._to, subject=alert.subject, text=alert.text, date=self._clock.now(),
            message_id=f"<{alert.id}@{sender.rpartition('@')[2]}>", dkim=self._dkim,
        )  # fmt: skip
        envelope = Envelope(letter=0, sender=sender, recipient=recipient, pieces=pieces)
        verdict = await ask(self._smtp, envelope)
        if verdict.fate is not Fate.ACCEPTED:
            raise Unavailable(verdict.answer or "no answer", status=verdict.code, pauses=verdict.pauses)


class Webhook:
    """A POST of JSON that Slack, Discord and Google Chat understand; all others get the sentences one by one too."""

    name = "webhook"

    def __init__(self, url: str, fetcher: Fetcher) -> None:
        self._url = url
        self._fetcher = fetcher

    async def tell(self, alert: Alert) -> None:
        now = self._fetcher.clock.now()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": alert.id,  # names of Standard Webhooks 1.0.0: a receiver may drop what it has seen
            "webhook-timestamp": str(int(now.timestamp())),
        }
        content = json.dumps(body_for(self._url, alert), ensure_ascii=False).encode()
        answer = await self._fetcher.request("POST", self._url, headers=headers, content=content, repeatable=True)
        if not 200 <= answer.status < 300:  # a redirect is no delivery either
            raise Unavailable(
                f"it answered {answer.status}", status=answer.status, retry_after=retry_after(answer.headers, now)
            )


def body_for(url: str, alert: Alert) -> dict[str, Any]:
    """What the receiver at this address takes; those of chats refuse or ignore what they do not know."""
    host = host_of(url)
    if _is_at(host, "slack.com"):
        text = alert.text
        for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # else a title could call everybody
            text = text.replace(sign, name)
        return {"text": text}
    if _is_at(host, "discord.com") or _is_at(host, "discordapp.com"):
        return {"content": alert.text[:DISCORD_LIMIT], "allowed_mentions": {"parse": []}}
    if host == "chat.googleapis.com":
        return {"text": alert.text}
    told = {"begun": [_clean(line) for line in alert.begun], "over": [_clean(line) for line in alert.over]}
    return {"type": "syndicate.alert", "site": alert.site, "text": alert.text, **told}


def alert_id(parts: Sequence[str]) -> str:
    """A name made of what is told."""
    return f"alert-{hashlib.sha256(chr(0).join(parts).encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def why(error: DeliveryError) -> str:
    """What hindered, and what to do, for a problem of its own."""
    todo = getattr(error, "pauses", None)
    return f"{error.reason}{f'; {todo}' if todo else ''}"


def _clean(text: str) -> str:
    """One line that can stand anywhere: it quotes servers and files, which may hold anything."""
    return mask(one_line(text))


def _is_at(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
