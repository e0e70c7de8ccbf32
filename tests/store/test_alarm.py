"""The alarm: what stands in the ledger, told through a real mail server and a real address, on both databases."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, event, text

from syndicate.alarm import Alarm, watch
from syndicate.alert import CLEAN, STANDING, Failure
from syndicate.config import EmailSettings, SmtpSettings
from syndicate.errors import StoreError
from syndicate.fetch import Fetcher
from syndicate.health import FAILING
from syndicate.store import alerts, pauses, tokens
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.transports.alerts import Mail, Way, Webhook
from syndicate.transports.dialogue import Limits
from tests.doubles.clock import StillClock
from tests.doubles.smtp import SmtpDouble
from tests.doubles.website import Website, said, website
from tests.store.conftest import Database, only
from tests.store.room import Room
from tests.store.rows import NOON, begin

MINUTE = timedelta(minutes=1)
LOGIN = tokens.Login(
    channel=tokens.configured("linkedin"), fingerprint=tokens.fingerprint("token"), obtained_at=NOON,
)  # fmt: skip
OUT_OF_PATIENCE = STANDING + timedelta(seconds=1)


@pytest.fixture
def clock() -> StillClock:
    return StillClock(NOON)


@pytest.fixture
async def server() -> AsyncIterator[SmtpDouble]:
    async with SmtpDouble() as double:
        yield double


@pytest.fixture
async def site() -> AsyncIterator[Website]:
    async with website() as site:
        site.pages["/hook"] = said(200)
        yield site


@pytest.fixture
async def ways(server: SmtpDouble, site: Website, clock: StillClock) -> AsyncIterator[list[Way]]:
    smtp = SmtpSettings(host="127.0.0.1", port=server.port, security="none")
    fetcher = Fetcher(StillClock(), random.Random(4), "syndicate/test")
    email = EmailSettings(sender="news@courier.test", smtp=smtp)
    quick = Limits(connect=2, command=2, dot=2)
    yield [Mail("otto@owner.test", email, clock, limits=quick), Webhook(f"{site.url}/hook", fetcher)]
    await fetcher.aclose()


Process = Callable[[Store], Alarm]


@pytest.fixture
def process(make_room: Callable[..., Room], store: Store, ways: list[Way], clock: StillClock) -> Iterator[Process]:
    """The alarm of one more process."""
    settings = make_room(email=True).settings
    begin(store, channels=("linkedin", "email"), at=NOON)

    owners: list[Owner] = []

    def start(store: Store) -> Alarm:
        owner = Owner(store, clock, "run")
        owner.open()
        owners.append(owner)
        return Alarm(settings=settings, store=store, owner=owner, clock=clock, ways=ways)

    yield start
    for owner in owners:
        owner.close()


async def look(clock: StillClock, after: timedelta, *alarms: Alarm) -> None:
    """As every process does each 15 seconds; leases are renewed meanwhile."""
    clock.moment += after
    for alarm in alarms:
        if alarm.store.trouble is None:
            alarm.owner.renew()
    for alarm in alarms:
        await alarm.look()


def letters(server: SmtpDouble) -> list[str]:
    return [one["data"].partition("\r\n\r\n")[2].replace("=\r\n", "") for one in server.world]


def posts(site: Website) -> list[tuple[list[str], list[str]]]:
    return [(body["begun"], body["over"]) for body in (json.loads(asked.body) for asked in site.asked)]


async def test_a_problem_is_told_once_each_way_and_once_when_it_is_over(
    store: Store, process: Process, clock: StillClock, server: SmtpDouble, site: Website
) -> None:
    alarm = process(store)
    store.write_now(pauses.by_fault, "linkedin", "401: the token is dead", clock.now())
    await look(clock, timedelta(0), alarm)
    assert (server.world, site.asked) == ([], []), "it may be over in a moment"
    for _ in range(3):
        await look(clock, OUT_OF_PATIENCE, alarm)
    (letter,) = letters(server)
    assert "401: the token is dead" in letter
    ((begun, over),) = posts(site)
    assert "syndicate resume linkedin" in begun[0]
    assert over == []
    store.write_now(pauses.heal, "linkedin")
    for _ in range(20):
        await look(clock, MINUTE, alarm)
    assert "This is over" in letters(server)[1]
    assert posts(site)[1] == ([], begun)
    assert (len(server.world), len(site.asked)) == (2, 2)


async def test_of_several_processes_one_tells(
    database: Database, process: Process, clock: StillClock, server: SmtpDouble, site: Website
) -> None:
    alarms = [process(database.open()) for _ in range(3)]
    pauses_store = alarms[0].store
    pauses_store.write_now(pauses.by_fault, "email", "535", clock.now())
    pauses_store.write_now(pauses.by_fault, "linkedin", "401", clock.now())
    for _ in range(4):
        await look(clock, OUT_OF_PATIENCE, *alarms)
    assert (len(server.world), len(site.asked)) == (1, 1), "and both in one"


async def test_a_way_that_does_not_work_is_tried_less_and_less_and_holds_up_no_other(
    store: Store, process: Process, clock: StillClock, server: SmtpDouble, site: Website
) -> None:
    alarm = process(store)
    site.pages["/hook"] = said(410)
    store.write_now(pauses.by_fault, "linkedin", "401", clock.now())
    for _ in range(120):
        await look(clock, MINUTE, alarm)
    letter, about_the_hook = letters(server)
    assert "401" in letter
    assert "alerts.webhook: you could not be told: it answered 410" in about_the_hook
    assert 5 <= len(site.asked) <= 9, "after 1, 2, 4, 8, 16, 32 and 60 minutes"
    site.pages["/hook"] = said(200)
    for _ in range(70):
        await look(clock, MINUTE, alarm)
    assert posts(site)[-1][0] == ["linkedin: paused by a fault: 401; `syndicate resume linkedin` tries at once"]
    assert "This is over" in letters(server)[-1]
    assert len({asked.headers["webhook-id"] for asked in site.asked}) == 1, "the same every time"


async def test_who_died_while_telling_is_followed_by_the_next(
    database: Database, process: Process, clock: StillClock, server: SmtpDouble
) -> None:
    dying, next_one = process(database.open()), process(database.open())
    dying.store.write_now(pauses.by_fault, "linkedin", "401", clock.now())
    await look(clock, timedelta(0), dying)
    clock.moment += OUT_OF_PATIENCE
    dying.owner.renew()
    for way in dying.ways:
        texts = {key: standing.text for key, standing in dying.store.read_now(alerts.book, way.name).items()}
        assert dying.store.write_now(alerts.look, way.name, texts, dying.owner.id, clock.now())
    await look(clock, timedelta(seconds=5), next_one)
    assert server.world == []
    await look(clock, timedelta(seconds=15), next_one)
    assert len(server.world) == 1


async def test_loops_that_fail_and_logins_that_end_are_told_by_whoever_lives(
    database: Database, process: Process, clock: StillClock, site: Website
) -> None:
    sick, well = process(database.open()), process(database.open())
    login = replace(LOGIN, expires_at=NOON + timedelta(days=10))
    sick.store.write_now(tokens.put, login)
    sick.failing["mail"] = Failure(times=FAILING, error="KeyError: 'x'")
    await look(clock, timedelta(0), sick, well)
    for _ in range(7):  # more often than a lease ends
        sick.owner.renew()
        await look(clock, timedelta(seconds=10), well)
    ((begun, _),) = posts(site)
    assert [line.partition(" ")[0] for line in begun] == ["linkedin:", "mail"]
    sick.failing.clear()
    await look(clock, MINUTE, sick, well)
    await look(clock, CLEAN + MINUTE, sick, well)
    assert posts(site)[-1] == ([], [begun[1]])


async def test_a_login_is_told_of_at_each_step_and_once_when_it_is_renewed(
    store: Store, process: Process, clock: StillClock, site: Website
) -> None:
    alarm = process(store)
    login = replace(LOGIN, expires_at=NOON + timedelta(days=20))
    store.write_now(tokens.put, login)
    told_after: list[int] = []
    for day in range(22):
        before = len(site.asked)
        for _ in range(3):
            await look(clock, MINUTE, alarm)
        clock.moment = NOON + timedelta(days=day + 1)
        told_after += [day] * (len(site.asked) - before)
    assert told_after == [6, 13, 17, 19, 20], "14, 7, 3 and 1 days before, and when it was over"
    store.write_now(tokens.put, replace(login, expires_at=clock.now() + timedelta(days=60)))
    for _ in range(20):
        await look(clock, MINUTE, alarm)
    assert posts(site)[-1] == (
        [],
        ["linkedin: its login is good until 2026-12-13 12:00 UTC: set linkedin.access_token anew"],
    )


@only("sqlite")
async def test_a_database_that_takes_nothing_is_told_all_the_same(
    store: Store, process: Process, clock: StillClock, server: SmtpDouble
) -> None:
    alarm = process(store)

    def limit(connection: Connection, pages: int) -> None:
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))

    store.write_now(limit, 1)
    with pytest.raises(StoreError):
        store.write_now(fill_up)
    for _ in range(4):
        await look(clock, MINUTE, alarm)
    (letter,) = letters(server)
    assert "the disk is full" in letter
    store.trouble_stands = 0  # a real clock would have to run on meanwhile
    store.write_now(limit, 1 << 20)
    for _ in range(10):
        await look(clock, MINUTE, alarm)
    assert "This is over" in letters(server)[1]
    assert len(server.world) == 2


def fill_up(connection: Connection) -> None:
    connection.execute(text("INSERT INTO settings (key, value) VALUES ('big', :value)"), {"value": "x" * 1_000_000})


async def test_nobody_is_told_where_nobody_is_named(store: Store, process: Process, clock: StillClock) -> None:
    alarm = process(store)
    alarm.ways = []
    store.write_now(pauses.by_fault, "linkedin", "401", clock.now())
    await look(clock, MINUTE, alarm)
    await look(clock, MINUTE, alarm)
    assert store.read_now(alerts.book, "email") == {}


async def test_a_look_without_news_writes_nothing(store: Store, process: Process, clock: StillClock) -> None:
    alarm = process(store)
    store.write_now(pauses.by_fault, "linkedin", "401", clock.now())
    await look(clock, timedelta(0), alarm)
    await look(clock, OUT_OF_PATIENCE, alarm)
    clock.moment += timedelta(seconds=5)
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement.split()[0])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await watch(alarm)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert "SELECT" in said
    assert {"INSERT", "UPDATE", "DELETE"}.isdisjoint(said)
