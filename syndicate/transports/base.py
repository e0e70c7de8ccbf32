"""How letters leave: a transport opens connections, a connection takes groups and answers for each person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

# Neither of these two is frozen: one of each is made a letter, and freezing doubles what that costs.


@dataclass(slots=True, kw_only=True)
class Envelope:
    """One letter ready for the wire."""

    letter: int  # its id in the ledger
    sender: str  # envelope sender, A-label domain
    recipient: str  # as given, with an A-label domain
    pieces: Sequence[bytes]  # the message as it goes out: CRLF, dots stuffed, without the final dot
    edition: str = ""  # its slug; names the file in the outbox
    size: int = -1  # octets of all pieces; counted here where the caller has not
    seven_bit: bool | None = None  # whether all pieces are ASCII; looked up here where the caller does not know

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = sum(map(len, self.pieces))
        if self.seven_bit is None:
            self.seven_bit = all(piece.isascii() for piece in self.pieces)


class Fate(StrEnum):
    """What an answer means for the letter (rules 20 and 21)."""

    ACCEPTED = "accepted"  # 250 after the final dot
    DEFERRED = "deferred"  # 4xx for this person, or the connection broke: again later
    REJECTED = "rejected"  # 5xx for this person: hard
    BLAMED = "blamed"  # refused for what we are or sent (5.7.x, 5.3.x, 5.6.x, bare 554): stays due
    CHANNEL = "channel"  # greeting, EHLO, STARTTLS, AUTH, MAIL FROM: concerns the channel, stays due


@dataclass(slots=True, kw_only=True)
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
    person: str = ""  # "hard": there is nobody at this address; "soft": there was no way to reach him this time


Hear = Callable[[Verdict], bool]
May = Callable[[], bool]


def always() -> bool:
    return True


class Connection(Protocol):
    """One conversation with a mail server; reopened by itself where that costs nobody their mail."""

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        """Send in order; `hear` is called once a letter, in order, as soon as its fate is known.

        `may` is asked right before a letter's content leaves us: a server may take minutes to get there, and leases
        end. Where either returns False, and after trouble with the channel, no content of a further letter leaves us
        and the rest has no verdict: nothing was sent. Both are plain functions, called from within the event loop.
        Raises nothing but cancellation and what these two raise.
        """
        ...


async def ask(transport: Transport, envelope: Envelope) -> Verdict:
    """Send one letter over a connection of its own. Raises nothing but cancellation."""
    heard: list[Verdict] = []

    def hear(verdict: Verdict) -> bool:
        heard.append(verdict)
        return False

    async with transport.connect() as line:
        await line.send([envelope], hear)
    return heard[0]


class Transport(Protocol):
    """Opens connections. `live` is false for the one that writes into the outbox."""

    live: bool
    connections: int

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """Open a conversation (lazily: a server that is down shows in the verdicts)."""
        ...
