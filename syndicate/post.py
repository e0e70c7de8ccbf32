"""The email channel: how letters leave, and what each of them bears. Bytes in memory: never sends, never asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syndicate.delivery import RetryPolicy
from syndicate.dkim import Dkim, Seal
from syndicate.letter import MessageIds, Person, Stencil, message_id
from syndicate.signer import ReturnPaths, Signer
from syndicate.store.groups import Done, Recipient
from syndicate.store.letters import Mailing
from syndicate.transports.base import Envelope, Transport

KEPT = 16  # mailings that go out side by side; what their letters share is kept for when the next are due


@dataclass(slots=True, kw_only=True)
class Post:
    """How letters leave, and what is remembered between two passes."""

    transport: Transport
    policy: RetryPolicy
    signer: Signer
    secret: bytes  # `Keys.lasting`: a letter that is repeated must bear the Message-ID it had
    public_url: str
    dkim: Dkim | None = None  # None: the relay signs
    returns: ReturnPaths | None = None  # None: letters come back to the sender
    owed: list[Done] = field(default_factory=list)  # what the ledger could not be told
    lines: int | None = None  # connections at most, since a server found us too many
    imprints: dict[tuple[int, datetime], Imprint] = field(default_factory=dict)

    def person(self, mailing: Mailing, to: Recipient) -> Person:
        """What is this one's own: address, Message-ID, links."""
        return Person(
            letter=to.letter,
            subscriber=to.subscriber,
            email=to.email,
            name=to.name,
            message_id=message_id(self.secret, mailing.delivery, to.subscriber, mailing.payload["domain"]),
            unsubscribe_url=self.link("unsubscribe", to.subscriber),
            preferences_url=self.link("preferences", to.subscriber),
        )

    def link(self, purpose: str, subscriber: int) -> str:
        """A signed link below `web.public_url`."""
        return f"{self.public_url}/{purpose}/{self.signer.token(purpose, subscriber)}"

    @property
    def connections(self) -> int:
        """How many may be open at once."""
        most = self.transport.connections
        return most if self.lines is None else min(most, self.lines)

    def keep(self, imprint: Imprint) -> Imprint:
        """Remember it; the one that was not asked for longest is let go."""
        key = imprint.mailing.delivery, imprint.mailing.frozen_at
        self.imprints.pop(key, None)
        self.imprints[key] = imprint
        while len(self.imprints) > KEPT:
            del self.imprints[next(iter(self.imprints))]
        return imprint


class Imprint:
    """One mailing ready to be addressed: what its letters share is made once, and kept while it is under way."""

    def __init__(self, post: Post, mailing: Mailing) -> None:
        """Raise ValueError when the frozen letter cannot be addressed or signed; all of it is tried here, once."""
        self.mailing = replace(mailing, payload={})  # it is in the stencil now
        self._stencil = Stencil(mailing.payload, post.public_url)
        self._seal = Seal(post.dkim, self._stencil) if post.dkim else None
        self._edition: str = mailing.payload["slug"]
        self._ids = MessageIds(post.secret, mailing.delivery, mailing.payload["domain"])
        self._returns = post.returns
        self._links = post.signer.links(post.public_url.encode(), ("unsubscribe", "preferences"))
        anybody = Recipient(0, 1, "reader@example.org", "", "example.org", 1)
        assert self._stencil.fill(post.person(mailing, anybody)) == list(self.envelope(anybody).pieces)

    def envelope(self, to: Recipient) -> Envelope:
        """The letter for one person, without its signature. Raise ValueError for what can stand in no address."""
        email, subscriber = to.email, to.subscriber
        unsubscribe, preferences = self._links(subscriber)
        pieces = self._stencil.address(email, to.name, self._ids.of(subscriber), unsubscribe, preferences)
        returns = self._returns
        sender = self._stencil.sender if returns is None else returns.of(self.mailing.delivery, subscriber)
        return Envelope(
            letter=to.letter, sender=sender, recipient=email, pieces=pieces, edition=self._edition,
            size=sum(map(len, pieces)), seven_bit=email.isascii(),
        )  # fmt: skip

    @property
    def signs(self) -> bool:
        """Whether we sign ourselves."""
        return self._seal is not None

    def sign(self, group: Sequence[Envelope]) -> None:
        """Put our signature first in each of these. Takes a third of a millisecond a letter: not for the event loop."""
        assert self._seal
        for envelope in group:
            field = self._seal.sign(envelope.pieces)
            envelope.pieces = [field, *envelope.pieces]
            envelope.size += len(field)
