"""Short ways to put rows into a database and to look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from syndicate import pacing
from syndicate.article import State
from syndicate.delivery import Claim, DeliveryState, Receipt, Settlement
from syndicate.pacing import Pacing, Past
from syndicate.store import articles, claims, freezing, groups, ledger, subscribers
from syndicate.store.articles import Entry
from syndicate.store.database import Store
from syndicate.store.letters import Mailing
from syndicate.store.schema import attempts as attempts_table
from syndicate.store.schema import deliveries as deliveries_table
from syndicate.store.schema import letters as letters_table
from syndicate.subscriber import State as PersonState
from syndicate.subscriber import parse_address
from tests.factories import make_manuscript

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MIDNIGHT = NOON.replace(hour=0)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECRET = b"a secret of the tests"
LINKEDIN = "linkedin"


# --- articles ---------------------------------------------------------------------------------------------------------


def entry(number: int = 1, *, at: datetime = NOON, **overrides: Any) -> Entry:
    """A ready article, released at `at`; fields of its manuscript may be given as `said`."""
    said = make_manuscript(title=f"Number {number}", slug=f"a{number}", **overrides.pop("said", {}))
    made = Entry(
        id=f"id-{number}", source="articles", path=f"a{number}.md", stat=f"1:1:{number}", hash=f"hash-{number}",
        url=f"https://example.org/a{number}/", title_key=f"number {number}", manuscript=said, state=State.READY,
        reasons=(), look_again_at=None, first_seen=at, updated=at, released=at, entered=at, baseline=False,
        delay_from=at, delay_restarts=0,
    )  # fmt: skip
    return made._replace(**overrides)


def put_articles(store: Store, *numbers: int, at: datetime = NOON, **overrides: Any) -> None:
    rows = [entry(number, at=at, **overrides) for number in numbers]
    store.write_now(articles.save, rows, is_new=True)


def set_article(store: Store, number: int, **values: Any) -> None:
    def change(connection: Connection) -> None:
        connection.execute(update(articles.articles).where(articles.articles.c.id == f"id-{number}").values(values))

    store.write_now(change)


# --- deliveries -------------------------------------------------------------------------------------------------------


def begin(store: Store, *, live: bool = True, at: datetime = NOON - DAY, channels: Sequence[str] = (LINKEDIN,)) -> None:
    """Make the channels known."""
    store.write_now(ledger.sync_channels, dict.fromkeys(channels, live), at)


def offer(store: Store, *numbers: int, at: datetime = NOON, channel: str = LINKEDIN) -> None:
    """Articles, and what is owed of them."""
    put_articles(store, *numbers, at=at)
    owed = [{"id": f"id-{number}", "title": f"Number {number}", "entered": at} for number in numbers]
    store.write_now(ledger.offer, owed, channel, at)


def plan(store: Store, *numbers: int, at: datetime = NOON, by_hand: bool = False, channel: str = LINKEDIN) -> None:
    """Give what is owed its moment."""
    change(store, *numbers, channel=channel, state="planned", planned_for=at, due_at=at, by_hand=by_hand)


def change(store: Store, *numbers: int, channel: str = LINKEDIN, **values: Any) -> None:
    def write(connection: Connection) -> None:
        d = deliveries_table.c
        subjects = [f"id-{number}" for number in numbers]
        done = connection.execute(
            update(deliveries_table).where(d.subject.in_(subjects), d.channel == channel).values(values)
        )
        assert done.rowcount == len(numbers)

    store.write_now(write)


def planned(store: Store, *numbers: int, at: datetime = NOON, live: bool = True) -> None:
    """A channel, articles, and deliveries that are due at `at`."""
    begin(store, live=live)
    offer(store, *numbers, at=at)
    plan(store, *numbers, at=at)


def deliveries(store: Store) -> dict[str, Any]:
    """Rows by their article; the newest round of each."""

    def read(connection: Connection) -> dict[str, Any]:
        return {
            row.subject: row for row in connection.execute(select(deliveries_table).order_by(deliveries_table.c.id))
        }

    return store.read_now(read)


def delivery(store: Store, number: int = 1) -> Any:
    return deliveries(store)[f"id-{number}"]


def states(store: Store) -> dict[int, str]:
    return {int(subject.removeprefix("id-")): row.state for subject, row in deliveries(store).items()}


def attempts(store: Store, number: int = 1) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        a = attempts_table.c
        query = select(attempts_table).where(a.delivery == delivery(store, number).id, a.letter == 0).order_by(a.number)
        return list(connection.execute(query))

    return store.read_now(read)


def at_once(past: Past) -> datetime:
    """Pacing that lets everything go."""
    return datetime.min.replace(tzinfo=UTC)


def claim(
    store: Store, owner: str = "me", *, at: datetime = NOON, live: bool = True, allows: Any = at_once, **more: Any
) -> Claim | None:
    return store.write_now(claims.claim_one, LINKEDIN, owner, live, at, MIDNIGHT, allows, **more)


def must_claim(store: Store, owner: str = "me", **more: Any) -> Claim:
    found = claim(store, owner, **more)
    assert found is not None
    return found


def start(store: Store, one: Claim, at: datetime = NOON) -> bool:
    """Begin the attempt of a claim."""
    return store.write_now(claims.begin_attempt, one, {"v": 1, "body": one.subject}, at)


def end(store: Store, one: Claim, settlement: Settlement, at: datetime = NOON) -> bool:
    return store.write_now(claims.record, one, settlement, at)


def sent(at: datetime = NOON, live: bool = True) -> Settlement:
    state = DeliveryState.SENT if live else DeliveryState.REHEARSED
    receipt = Receipt(external_id="urn:li:share:1", url="https://example.org/post", status=201)
    return Settlement(state=state, outcome=state.value, sent_at=at if live else None, receipt=receipt, status=201)


def send(store: Store, at: datetime = NOON, *, live: bool = True) -> Claim:
    """Claim, begin and end: one delivery goes out."""
    one = must_claim(store, at=at, live=live)
    assert start(store, one, at)
    assert end(store, one, sent(at, live), at)
    return one


def paced(at: datetime = NOON, **rules: Any) -> Any:
    """What claiming asks of pacing at that moment."""
    return lambda past: pacing.earliest(past, Pacing(zone=ZoneInfo("UTC"), **rules), at)


# --- people and letters -----------------------------------------------------------------------------------------------

PAYLOAD = {"subject": "The week", "slug": "weekly-1", "domain": "example.org"}


def join(store: Store, *names: str, digests: Sequence[str] = ("weekly",), **more: Any) -> None:
    for name in names:
        add(store, f"{name}@example.net", digests=digests, **more)


def add(store: Store, email: str, *, lifts: bool = True, **more: Any) -> str:
    address = parse_address(email)
    fields: dict[str, Any] = {
        "name": "", "tags": "", "state": PersonState.ACTIVE, "digests": ("weekly",), "consent": {"by": "test"},
        "hashed": subscribers.address_hash(SECRET, address.key), "now": NOON,
    }  # fmt: skip
    return store.write_now(subscribers.add, address, lifts=lifts, **(fields | more))


def person(store: Store, email: str) -> Mapping[str, Any]:
    found = store.read_now(subscribers.by_key, parse_address(email).key)
    assert found is not None
    return found


def leave(store: Store, email: str, state: PersonState = PersonState.UNSUBSCRIBED) -> None:
    assert store.write_now(subscribers.leave, person(store, email)["id"], state, "by link", SECRET, NOON)


def frozen(
    store: Store, *, subject: str = "weekly-1", digest: str = "weekly", live: bool = True, at: datetime = NOON
) -> tuple[int, int]:
    return store.write_now(
        freezing.freeze, subject=subject, digest=digest, payload={**PAYLOAD, "slug": subject}, live=live,
        by_hand=False, planned_for=at, now=at,
    )  # fmt: skip


def mailing(store: Store, delivery: int, *, live: bool = True, digest: str | None = "weekly") -> Mailing:
    return Mailing(delivery=delivery, subject="weekly-1", digest=digest, live=live, frozen_at=NOON, payload=PAYLOAD)


def letter_rows(store: Store, delivery: int) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        query = select(letters_table).where(letters_table.c.delivery == delivery).order_by(letters_table.c.id)
        return list(connection.execute(query))

    return store.read_now(read)


def letter_states(store: Store, delivery: int) -> list[str]:
    return [row.state for row in letter_rows(store, delivery)]


def take(
    store: Store, one: Mailing, owner: str = "me", settled: Sequence[Any] = (), *, at: datetime = NOON, limit: int = 25,
    trouble: Any = None, resting: Mapping[str, str] | None = None, alone: bool = False,
) -> groups.Group:  # fmt: skip
    """Tell what became of letters as one connection does, and claim the next for it."""
    away = [one.letter for one in settled if one.state in ("sent", "rehearsed")]
    others = [one for one in settled if one.letter not in away]
    done = groups.Done(one, away, others, trouble, dict(resting or {}))
    _, (group,) = store.write_now(groups.exchange, owner, [done], [limit], [one], at, SECRET, alone=alone)
    return group


def open_mailings(store: Store, at: datetime = NOON, *, live: bool = True) -> list[Mailing]:
    """Those with a letter that may go."""
    found = store.read_now(groups.waiting, at, live, 1).mailings
    return [one for delivery, _ in found if (one := store.read_now(groups.opened, delivery))]


def mailing_row(store: Store, delivery: int) -> Any:
    def read(connection: Connection) -> Any:
        return connection.execute(select(deliveries_table).where(deliveries_table.c.id == delivery)).one()

    return store.read_now(read)
