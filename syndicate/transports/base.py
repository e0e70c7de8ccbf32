"""How letters leave: a transport opens connections, a connection takes groups and answers for each person."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One letter ready for the wire."""

    letter: int  # its id in the ledger
    sender: str  # envelope sender, A-label domain
    recipient: str  # as given, with an A-label domain
    pieces: Sequence[bytes]  # the message as it goes out: CRLF, dots stuffed, without the final dot
    edition: str = ""  # its slug; names the file in the outbox


class Fate(StrEnum):
    """What an answer means for the letter (rules 20 and 21)."""

    ACCEPTED = "accepted"  # 250 after the final dot
    DEFERRED = "deferred"  # 4xx for this person, or the connection broke: again later
    REJECTED = "rejected"  # 5xx for this person: hard
    BLAMED = "blamed"  # refused for what we are or sent (5.7.x, 5.3.x, 5.6.x, bare 554): stays due
    CHANNEL = "channel"  # greeting, EHLO, STARTTLS, AUTH, MAIL FROM: concerns the channel, stays due
    UNSENT = "unsent"  # never tried: given back


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one letter."""

    letter: int
    fate: Fate
    code: int | None = None  # SMTP reply code
    status: str = ""  # enhanced status code (RFC 3463), "5.1.1", where one was given
    answer: str = ""  # the server's words, one line, cut
    quota: bool = False  # with CHANNEL: a day's quota is used up, rest until the provider's midnight
    in_doubt: bool = False  # the dot left and no answer came: may be repeated with the same Message-ID
    pauses: str | None = None  # with CHANNEL: what a person must do, where waiting will not help


class Connection(Protocol):
    """One conversation with a mail server; reopened by itself where that costs nobody their mail."""

    def send(self, group: Sequence[Envelope]) -> AsyncGenerator[Verdict, None]:
        """Send in order; yield one verdict an envelope as it becomes known. Raises nothing but cancellation."""
        ...


class Transport(Protocol):
    """Opens connections. `live` is false for the one that writes into the outbox."""

    live: bool
    connections: int

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a conversation (lazily: a server that is down shows in the verdicts)."""
        ...
