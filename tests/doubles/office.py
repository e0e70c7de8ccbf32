"""A small real office behind the web: a signer, a folder of feeds and a set of people in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syndicate.bounces import Report
from syndicate.config import FeedSettings, Site, WebSettings
from syndicate.errors import StoreError, Unavailable
from syndicate.signer import Signer
from syndicate.store.confirmations import Step
from syndicate.store.past import Issue
from syndicate.subscriber import Address
from syndicate.web.office import Choices, Coming, Hooks, Link, Offer, Said, Told, Wish


@dataclass
class SmallSignup:
    """Fulfils `syndicate.web.office.Signup`; remembers what it was asked."""

    offers: Sequence[Offer] = (
        Offer(name="weekly", when="every Friday at 09:00"),
        Offer(name="each", when="every article as it appears"),
    )
    is_open: bool = True
    is_rehearsal: bool = False
    moment: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    too_many: bool = False
    asked: list[tuple[str, Sequence[str], Told, str | None]] = field(default_factory=list)
    links: dict[int, Step] = field(default_factory=lambda: {1: Step.OPEN, 2: Step.AGAIN, 3: Step.STALE})
    confirmed: list[int] = field(default_factory=list)
    people: dict[int, Choices] = field(default_factory=lambda: {7: Choices(digests=["weekly"])})

    def now(self) -> datetime:
        return self.moment

    def wait(self, seconds: float = 10) -> None:
        self.moment += timedelta(seconds=seconds)

    async def ask(self, address: Address, digests: Sequence[str], told: Told, network: str | None) -> bool:
        if not self.too_many:
            self.asked.append((address.email, digests, told, network))
        return not self.too_many

    async def look(self, confirmation: int) -> Link | None:
        step = self.links.get(confirmation)
        return Link(step=step, digests=["each"]) if step else None

    async def confirm(self, confirmation: int, told: Told) -> Step | None:
        step = self.links.get(confirmation)
        if step is not Step.OPEN:
            return step
        self.links[confirmation] = Step.AGAIN
        self.confirmed.append(confirmation)
        return Step.CONFIRMED

    async def choices(self, person: int) -> Choices | None:
        return self.people.get(person)

    async def choose(self, person: int, choices: Choices, told: Told) -> bool:
        if person not in self.people:
            return False
        self.people[person] = choices
        return True


@dataclass
class SmallArchive:
    """Fulfils `syndicate.web.office.Archive`."""

    issues: list[Issue] = field(default_factory=list)  # the newest first
    texts: dict[str, str] = field(default_factory=dict)
    coming: dict[int, Coming] = field(default_factory=dict)
    stopped: list[int] = field(default_factory=list)

    async def editions(self, before: str | None, limit: int) -> Sequence[Issue]:
        slugs = [one.slug for one in self.issues]
        if before is not None and before not in slugs:
            return []
        first = 0 if before is None else slugs.index(before) + 1
        return self.issues[first : first + limit]

    async def edition(self, slug: str) -> str | None:
        return self.texts.get(slug)

    async def proof(self, number: int) -> Coming | None:
        return self.coming.get(number)

    async def stop(self, number: int) -> bool:
        self.stopped.append(number)
        return True


@dataclass
class SmallLogins:
    """Fulfils `syndicate.web.office.Logins`."""

    configured: str = ""
    secrets: list[str] = field(default_factory=lambda: ["a secret of the tests"])  # newest first
    sessions: dict[str, str] = field(default_factory=dict)
    refuses: bool = False
    tried: list[tuple[str, str | None]] = field(default_factory=list)

    async def password(self) -> str:
        return self.configured

    def mac(self, text: str) -> str:
        return self.macs(text)[0]

    def macs(self, text: str) -> Sequence[str]:
        return [hashlib.sha256(f"{secret}\n{text}".encode()).hexdigest()[:32] for secret in self.secrets]

    async def may_try(self, what: str, network: str | None) -> bool:
        self.tried.append((what, network))
        return not self.refuses

    async def was_right(self, what: str, network: str | None) -> None:
        self.tried.pop()

    async def begin(self, session: str, mark: str, former: str) -> None:
        self.sessions.pop(former, None)
        self.sessions[session] = mark

    async def lives(self, session: str, marks: Sequence[str]) -> bool:
        return self.sessions.get(session) in marks

    async def end(self, session: str) -> None:
        self.sessions.pop(session, None)


@dataclass
class SmallHand:
    """Fulfils `syndicate.web.office.Hand`; remembers what it was asked to do."""

    moment: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    wishes: list[Wish] = field(default_factory=list)
    answer: Said = field(default_factory=lambda: Said(text="done as you said"))

    def now(self) -> datetime:
        return self.moment

    async def do(self, wish: Wish) -> Said:
        if wish.act == "dance":
            raise KeyError(wish.act)
        self.wishes.append(wish)
        return self.answer


@dataclass
class SmallHooks:
    """Fulfils `syndicate.web.office.Hooks`; a report that comes twice is counted twice, as the ledger is not here."""

    postmark_secret: str = "a password of the tests"
    ses_topics: Sequence[str] = ("arn:aws:sns:eu-west-1:123456789012:letters",)
    moment: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    taken: list[Report] = field(default_factory=list)
    full: bool = False

    def now(self) -> datetime:
        return self.moment

    async def read(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise Unavailable("it does not answer")
        return self.pages[url]

    async def take(self, reports: Sequence[Report], raw: bytes) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.taken += reports


@dataclass
class SmallOffice:
    """Fulfils `syndicate.web.office.Office`."""

    feed_folder: Path
    site: Site = field(
        default_factory=lambda: Site(
            title="The Harbour Post", url="https://harbour.example", description="News from the quay, and nowhere else."
        )
    )
    web: WebSettings = field(default_factory=WebSettings)
    feeds: FeedSettings = field(default_factory=FeedSettings)
    templates: Path | None = None
    signer: Signer = field(default_factory=lambda: Signer(b"a secret of the tests, long enough"))
    signup: SmallSignup | None = field(default_factory=SmallSignup)
    hooks: Hooks | None = field(default_factory=SmallHooks)
    archive: SmallArchive = field(default_factory=SmallArchive)
    newsroom: None = None  # its tests have a whole program
    logins: SmallLogins = field(default_factory=SmallLogins)
    hand: SmallHand = field(default_factory=SmallHand)
    people: set[int] = field(default_factory=lambda: {7})
    healthy: bool = True
    working: bool = True
    broken: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.logins, SmallLogins) and not self.logins.configured:
            self.logins.configured = self.web.password.reveal()

    async def unsubscribe(self, subscriber: int) -> bool:
        if self.broken:
            raise RuntimeError("the database is on fire")
        known = subscriber in self.people
        self.people.discard(subscriber)
        return known

    async def health(self) -> Mapping[str, object]:
        return {"ok": self.healthy and self.working, "works": self.working, "problems": 0 if self.healthy else 1}

    async def ready(self) -> bool:
        return self.working

    async def metrics(self) -> bytes:
        return b"syndicate_problems 0.0\n"

    def link(self, purpose: str = "unsubscribe", subscriber: int = 7) -> str:
        return f"/{purpose}/{self.signer.token(purpose, subscriber)}"
