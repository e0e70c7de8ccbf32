"""What the pages need from the rest of the program. Names it, never implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from syndicate.bounces import Report
from syndicate.config import FeedSettings, Site, WebSettings
from syndicate.store.confirmations import Step
from syndicate.store.past import Issue
from syndicate.subscriber import Address
from syndicate.web.newsroom_office import Newsroom


class Reader(Protocol):
    """Reads the tokens of links; `syndicate.subscriber.Signer` is one."""

    def read(self, purpose: str, token: str) -> int | None:
        """The subscriber's number, or None for a token that is not ours or was made for another purpose."""
        ...

    def token(self, purpose: str, number: int) -> str:
        """The token of a number for one purpose."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A digest that people may choose."""

    name: str
    when: str = ""  # its calendar in words; "" where no short sentence tells it

    @property
    def label(self) -> str:
        """The name as a page shows it."""
        return self.name[:1].upper() + self.name[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link in a confirmation mail would do."""

    step: Step
    digests: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person gets: names of digests, and a rest up to a moment."""

    digests: Sequence[str]
    paused_until: datetime | None = None


Told = Mapping[str, str]
"""Where a wish came from and what was shown: from, ip, shown. Kept as the record of consent."""


class Signup(Protocol):
    """People who want mail. Each method returns after its commit."""

    @property
    def offers(self) -> Sequence[Offer]:
        """At least one."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask; false while mail is rehearsed in the wide world."""
        ...

    @property
    def is_rehearsal(self) -> bool:
        """Whether mail is written to the outbox instead of being sent."""
        ...

    def now(self) -> datetime: ...

    async def ask(self, address: Address, digests: Sequence[str], told: Told, network: str | None) -> bool:
        """Owe a confirmation mail, unless this address must not get one: that is never told, nor seen by the time it
        takes. False: too many ask from this network, or in all.
        """
        ...

    async def look(self, confirmation: int) -> Link | None:
        """What a link would do; changes nothing. None: there is no such confirmation."""
        ...

    async def confirm(self, confirmation: int, told: Told) -> Step | None:
        """The button was pressed. None: there is no such confirmation."""
        ...

    async def choices(self, person: int) -> Choices | None:
        """What a person gets now; None for one who gets no mail, or is not there."""
        ...

    async def choose(self, person: int, choices: Choices, told: Told) -> bool:
        """What he gets from now on; digests that are not on offer stay as they are. False: he gets no mail."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """An edition that its owner was shown before its slot."""

    digest: str
    slot: datetime
    is_good: bool  # whether its link may stop anything yet


class Archive(Protocol):
    """Past editions, and the coming one that its owner may stop."""

    async def editions(self, before: str | None, limit: int) -> Sequence[Issue]:
        """The newest, or those before the one of that slug; none where there is no such one."""
        ...

    async def edition(self, slug: str) -> str | None:
        """Its HTML as it was frozen, each reader's links still marks; None where nothing of that name was sent."""
        ...

    async def proof(self, number: int) -> Coming | None:
        """The edition that a proof showed."""
        ...

    async def stop(self, number: int) -> bool:
        """Pause its digest; returns after the commit. False: it is over."""
        ...


class Logins(Protocol):
    """The newsroom's password and who has logged in with it, the same on every machine."""

    async def password(self) -> str:
        """Its hash, or itself; "" where there is none. A second old at most."""
        ...

    def mac(self, text: str) -> str:
        """32 hex digits over a text that nobody else can make."""
        ...

    def macs(self, text: str) -> Sequence[str]:
        """That one first, then what it was by secrets of before: as good, when it comes back."""
        ...

    async def may_try(self, what: str, network: str | None) -> bool:
        """Count one look at a password; false: there were too many."""
        ...

    async def was_right(self, what: str, network: str | None) -> None:
        """What was counted last was no guess."""
        ...

    async def begin(self, session: str, mark: str, former: str) -> None:
        """A session under the hash of its cookie; the `former` of the same browser is over. After the commit."""
        ...

    async def lives(self, session: str, marks: Sequence[str]) -> bool:
        """Whether it was opened with the password of one of these marks, and is neither idle nor old."""
        ...

    async def end(self, session: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a button asks for; everything in it came from outside."""

    act: str
    subjects: Sequence[str] = ()  # ids of articles or deliveries, slugs, names, a rule: as the act has it
    seen: Sequence[str] = ()  # what was shown of each; "" or none: whatever stands
    because: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What came of it, as a sentence."""

    text: str
    good: bool = True  # false: it was not done, and the sentence says why


class Hand(Protocol):
    """What a person may do in the newsroom, as the commands do it."""

    def now(self) -> datetime: ...

    async def do(self, wish: Wish) -> Said:
        """Do it; returns after the commit. Once more does nothing more. Raises KeyError for an act there is not."""
        ...


class Hooks(Protocol):
    """What providers tell of letters."""

    @property
    def postmark_secret(self) -> str:
        """Empty: Postmark is not heard."""
        ...

    @property
    def ses_topics(self) -> Sequence[str]:
        """ARNs of the topics that are believed; none: SES is not heard."""
        ...

    def now(self) -> datetime: ...

    async def read(self, url: str) -> bytes:
        """What stands at an address of Amazon's, following no redirect. Raises DeliveryError."""
        ...

    async def take(self, reports: Sequence[Report], raw: bytes) -> None:
        """Store what came; returns after the commit. Raises StoreError."""
        ...


class Office(Protocol):
    """The program as seen from the web. Whatever a method raises becomes an error page and a line in the log."""

    @property
    def site(self) -> Site: ...

    @property
    def web(self) -> WebSettings: ...

    @property
    def feeds(self) -> FeedSettings: ...

    @property
    def feed_folder(self) -> Path:
        """Where the feeds' files stand, whoever writes them."""
        ...

    @property
    def templates(self) -> Path | None:
        """The owner's templates; those in its folder `web` win over ours, file by file."""
        ...

    @property
    def signer(self) -> Reader: ...

    @property
    def logins(self) -> Logins: ...

    @property
    def hand(self) -> Hand: ...

    @property
    def hooks(self) -> Hooks | None:
        """None without [email]."""
        ...

    @property
    def archive(self) -> Archive: ...

    @property
    def newsroom(self) -> Newsroom | None:
        """None: its pages are not there."""
        ...

    @property
    def signup(self) -> Signup | None:
        """None where no digest is mailed."""
        ...

    async def unsubscribe(self, subscriber: int) -> bool:
        """End all mail to this person; true when that changed something. Returns after the commit, never before.

        Numbers of nobody (a test letter's, an erased person's) change nothing.
        """
        ...

    async def health(self) -> Mapping[str, object]:
        """What `/healthz` shows to everybody: JSON-able, without secrets.

        `ok`: no problem stands. `works`: the program does its work, as far as it does not wait for a person.
        """
        ...

    async def ready(self) -> bool:
        """Whether requests can be served in full: the database answers and takes what is written."""
        ...

    async def metrics(self) -> bytes:
        """What `/metrics` shows to those who may see it: Prometheus' text format."""
        ...
