"""What comes back becomes what is known of people: whose letter it was, whether it must be believed, and what follows.

Reports are stored in one transaction and applied in another, so that none is lost to what nobody foresaw; both may be
done twice. Never reads a mail, never answers a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syndicate.bounces import Marks, Report, Sort
from syndicate.clock import Clock
from syndicate.letter import message_id
from syndicate.letterfate import discreet
from syndicate.logs import get
from syndicate.signer import Keys, ReturnPaths, Signer
from syndicate.store import aftermath, returns, subscribers, suppressing
from syndicate.store.database import AnyRow, Store
from syndicate.store.returns import COMPLAINT, HARD, LEFT, OTHER, SOFT, Return
from syndicate.subscriber import State, parse_address
from syndicate.transports import verdicts
from syndicate.transports.base import Fate
from syndicate.transports.wire import Reply

RECENT = timedelta(days=14)  # for which a letter explains a report that names nothing but an address
AFTER = timedelta(minutes=15)  # a letter may be noted as sent that much later than its provider says

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one report came to."""

    sort: str  # of `bounces.Sort`
    kind: str = ""  # of `store.returns`; "" for what is not kept
    email: str | None = None  # of whom; None: nobody who is known
    delivery: int | None = None  # whose letter came back
    proved: bool = False
    known: bool = False  # it had come before
    status: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whose:
    subscriber: int | None = None
    email: str | None = None
    delivery: int | None = None
    proved: bool = False


# --- storing ----------------------------------------------------------------------------------------------------------


def take(
    connection: Connection,
    keys: Keys,
    reports: Sequence[Report],
    raw: str,
    now: datetime,
    *,
    vouched: bool = False,
    marked: bool = True,
) -> list[Outcome]:
    """Store what came; returns a word on each.

    `vouched`: whoever brings it was recognised by a signature or a secret, or is the owner himself, so that an address
    alone is believed. `marked`: our letters have a return path of their own, so that a report without any mark is not
    about one of them; where they have none, an address alone is believed for a while after a letter went to it.
    """
    return [_take(connection, keys, report, raw, now, vouched=vouched, marked=marked) for report in reports]


def _take(
    connection: Connection, keys: Keys, report: Report, raw: str, now: datetime, *, vouched: bool, marked: bool
) -> Outcome:  # fmt: skip
    if report.sort not in (Sort.FAILED, Sort.COMPLAINT, Sort.UNKNOWN):
        return Outcome(sort=report.sort, answer=report.words)
    whose = _whose(connection, keys, report, now, marked=marked)
    kind = report.kind or kind_of(report)
    answer = discreet(report.words, whose.email or "")
    proved = whose.proved or (vouched and whose.subscriber is not None)
    erased = whose.proved and whose.email is None  # nothing of him comes back into the ledger
    number = returns.keep(
        connection,
        Return(
            provider=report.provider, event=report.event, kind=kind, subscriber=whose.subscriber,
            delivery=whose.delivery if proved else None, proved=proved, status=report.status,
            answer="" if erased else answer, raw="" if erased else raw,
        ),
        now,
    )  # fmt: skip
    return Outcome(
        sort=report.sort, kind=kind, email=whose.email, delivery=whose.delivery, proved=proved, known=number is None,
        status=report.status, answer=answer,
    )  # fmt: skip


def kind_of(report: Report) -> str:
    """What a report means for the person, by the table that is asked for the answers of mail servers. Pure."""
    if report.sort is Sort.COMPLAINT:
        return COMPLAINT
    if report.sort is not Sort.FAILED or not (report.code or report.status):
        return OTHER
    code = report.code or (550 if report.status.startswith("5") else 450)
    words = report.words if report.status in report.words else f"{report.status} {report.words}"
    words = words[words.index(report.status) :] if report.status else words
    verdict = verdicts.judge(0, Reply(code, (words,)), after_data=False)
    if verdict.fate in (Fate.REJECTED, Fate.DEFERRED) and verdict.person in (verdicts.HARD, verdicts.SOFT):
        return HARD if verdict.person == verdicts.HARD else SOFT
    return OTHER


def _whose(connection: Connection, keys: Keys, report: Report, now: datetime, *, marked: bool) -> _Whose:
    """Whose letter it was: by its return path, else by its link, else by its Message-ID and an address; an address
    alone names somebody, and proves something only where letters bear no return path and one went there lately.
    """
    marks = report.marks
    if found := ReturnPaths("", *keys.reading).read(marks.paths):
        delivery, subscriber = found
        return _person(connection, subscriber, delivery)
    signer = Signer(*keys.reading)
    for token in marks.tokens:
        number = signer.read("unsubscribe", token)
        if number is not None:
            return _person(connection, number, _by_message_id(connection, keys.lasting, number, marks))
    for address in marks.addresses:
        try:
            person = subscribers.by_key(connection, parse_address(address).key)
        except ValueError:
            continue
        if person is not None:
            exact = _by_message_id(connection, keys.lasting, person["id"], marks)
            last = returns.letters_of(connection, person["id"]) if exact is None else ()
            lately = not marked and any(one.sent_at and one.sent_at > now - RECENT for one in last)
            return _Whose(
                subscriber=person["id"], email=person["email"], proved=exact is not None or lately,
                delivery=exact if exact is not None else _by_time(last, report.at or now),
            )  # fmt: skip
    return _Whose()


def _person(connection: Connection, number: int, delivery: int | None) -> _Whose:
    person = subscribers.by_id(connection, number) if number < 2**63 else None
    if person is None:  # erased meanwhile, or a test letter's nobody
        return _Whose(delivery=delivery, proved=True)
    return _Whose(subscriber=number, email=person["email"], delivery=delivery, proved=True)


def _by_message_id(connection: Connection, secret: bytes, subscriber: int, marks: Marks) -> int | None:
    """The delivery whose letter to this person bears such a Message-ID: nobody else can make one."""
    if not marks.message_ids:
        return None
    for row in returns.letters_of(connection, subscriber):
        for one in marks.message_ids:
            domain = one.rpartition("@")[2].removesuffix(">")
            if message_id(secret, row.delivery, subscriber, domain) == one:
                return int(row.delivery)
    return None


def _by_time(theirs: Sequence[AnyRow], at: datetime) -> int | None:
    """The last letter to a person before that moment: the best guess where nothing names one. Pure."""
    for row in theirs:
        if row.state in returns.WENT and (row.sent_at is None or row.sent_at <= at + AFTER):
            return int(row.delivery)
    return None


# --- applying ---------------------------------------------------------------------------------------------------------


def apply(connection: Connection, secret: bytes, now: datetime) -> int:
    """Draw the consequences of reports that were stored; returns of how many, 0 when there are no more."""
    rows = returns.to_apply(connection)
    for row in rows:
        if row.proved and row.subscriber is not None:
            _apply(connection, secret, row, now)
        returns.applied(connection, row.id, row.answer, now)
    return len(rows)


def _apply(connection: Connection, secret: bytes, row: AnyRow, now: datetime) -> None:
    words = " ".join(part for part in (row.status, (row.answer or "").removeprefix(row.status or "").strip()) if part)
    him = {row.subscriber: words or row.kind}
    told = connection, row.delivery, him, secret, now
    if row.kind == COMPLAINT:
        suppressing.complained(*told, via=row.provider)
    elif row.kind == LEFT:
        subscribers.leave(connection, row.subscriber, State.UNSUBSCRIBED, him[row.subscriber], secret, now)
    elif row.kind == HARD and not _came_back(connection, row):
        if row.delivery is not None:
            aftermath.came_back(connection, row.delivery, now)
        suppressing.bounced(*told, via=row.provider)
    elif row.kind == SOFT and row.delivery is not None:
        suppressing.count_misses(connection, row.delivery, him, secret, now, row.provider)


def _came_back(connection: Connection, row: AnyRow) -> bool:
    """Whether he became active after that letter had been written: a report that was long on its way says nothing of
    an address that was vouched for since.
    """
    person = subscribers.by_id(connection, row.subscriber)
    if person is None or person["state"] != State.ACTIVE or row.delivery is None:
        return False
    written = returns.written_at(connection, row.delivery, row.subscriber)
    return written is not None and person["since"] > written


def apply_all(store: Store, secret: bytes, now: datetime) -> None:
    """Apply whatever is stored. Raises StoreError; what is left is done by the next who comes by."""
    while store.read_now(returns.is_open) and store.write_now(apply, secret, now):
        pass


async def tidy(store: Store, secret: bytes, clock: Clock, stop: asyncio.Event) -> None:
    """Apply what somebody stored and could not apply; keep of old reports only what they came to."""
    while not stop.is_set() and await store.read(returns.is_open):
        if not await store.write(apply, secret, clock.now()):
            break
    if await store.read(returns.is_faded, clock.now()):
        await store.write(returns.fade, clock.now())
