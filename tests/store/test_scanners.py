"""Who scans which source: one daemon at a time, and the next when it is gone."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, update

from syndicate.errors import StoreError
from syndicate.store import articles, scanners
from syndicate.store.database import Store
from syndicate.store.owners import LEASE, Owner
from syndicate.store.scanners import Sharing
from syndicate.store.schema import owners, sources
from tests.doubles.clock import StillClock
from tests.store.rows import HOUR, MINUTE, NOON, SECOND

HERE, FAR = "here", "far"
NAMES = ("essays", "news")


def come(store: Store, name: str, host: str = HERE, what: str = "run") -> str:
    def write(connection: Connection) -> None:
        row = {"id": name, "what": what, "host": host, "pid": 1, "since": NOON, "lease_until": NOON + LEASE}
        connection.execute(owners.insert().values(row))

    store.write_now(write)
    return name


def shared(store: Store, me: str, host: str = HERE) -> Sharing:
    return store.read_now(scanners.sharing, NAMES, me, host)


def scans(store: Store) -> dict[str, str | None]:
    query = select(sources.c.name, sources.c.owner)
    return store.read_now(lambda connection: dict(connection.execute(query).all()))


def test_the_first_takes_all_and_the_second_none(store: Store) -> None:
    one, two = come(store, "one"), come(store, "two", FAR)
    assert shared(store, one).vacant == set(NAMES)
    for who in (one, two):
        store.write_now(scanners.take, NAMES, who)
    assert scans(store) == dict.fromkeys(NAMES, one)
    assert shared(store, one).mine == set(NAMES)
    assert not shared(store, two, FAR).mine
    assert not shared(store, two, FAR).vacant


def test_what_nobody_living_scans_is_taken_over(store: Store) -> None:
    come(store, "one")
    store.write_now(scanners.take, NAMES, "one")
    store.write_now(lambda connection: connection.execute(owners.delete()))  # without a word
    two = come(store, "two")
    assert shared(store, two).vacant == set(NAMES)
    store.write_now(scanners.take, NAMES, two)
    assert scans(store) == dict.fromkeys(NAMES, two)


def test_what_is_let_go_is_anybodys(store: Store) -> None:
    one, two = come(store, "one"), come(store, "two")
    store.write_now(scanners.take, NAMES, one)
    store.write_now(scanners.let_go, ["news"], two)  # not his
    assert shared(store, two).vacant == set()
    store.write_now(scanners.let_go, ["news"], one)
    assert shared(store, two).vacant == {"news"}


def test_who_leaves_leaves_his_sources(store: Store) -> None:
    owner = Owner(store, StillClock(NOON), "run")
    owner.open()
    store.write_now(scanners.take, NAMES, owner.id)
    owner.close()
    assert scans(store) == dict.fromkeys(NAMES)


def test_a_command_for_one_pass_looks_beside_its_own_machine_only(store: Store) -> None:
    one = come(store, "one", FAR)
    store.write_now(scanners.take, ["news"], one)
    come(store, "send", HERE, "send")
    assert shared(store, "send", HERE).near == {"essays"}
    assert shared(store, "send", FAR).near == set(NAMES)


def test_only_other_daemons_make_company(store: Store) -> None:
    one = come(store, "one")
    come(store, "w", what="worker")
    assert shared(store, one).alone
    come(store, "two")
    assert not shared(store, one).alone


def test_one_asks_the_world_for_all(store: Store) -> None:
    one, two = come(store, "one"), come(store, "two", FAR)
    assert store.read_now(scanners.asks, two, None)  # nobody scans yet
    store.write_now(scanners.take, ["news"], one)
    assert store.read_now(scanners.asks, one, None)
    assert not store.read_now(scanners.asks, two, None)
    store.write_now(scanners.take, ["essays"], two)  # comes first by name
    assert [store.read_now(scanners.asks, who, None) for who in (one, two)] == [False, True]
    assert store.read_now(scanners.asks, "once", FAR)
    assert not store.read_now(scanners.asks, "once", HERE)


@pytest.mark.parametrize(
    ("read_ago", "patience", "told"),
    [(None, HOUR, True), (MINUTE, HOUR, False), (2 * HOUR, HOUR, True), (MINUTE, 0 * HOUR, True)],
)
def test_a_folder_that_one_machine_lacks_is_no_outage_while_another_reads_it(
    store: Store, read_ago: object, patience: object, told: bool
) -> None:
    if read_ago is not None:
        store.write_now(articles.scanned, "news", NOON - read_ago, complete=True)  # type: ignore[operator]
    store.write_now(articles.outage, "news", "no such folder", NOON, patience)  # type: ignore[arg-type]
    assert bool(store.read_now(articles.outages)) is told


# --- machines must be told alike --------------------------------------------------------------------------------------


def arrive(store: Store, what: str, config: str, *, after: object = 0 * SECOND) -> Owner:
    owner = Owner(store, StillClock(NOON + after), what, config)  # type: ignore[operator]
    owner.open()
    return owner


@pytest.mark.parametrize("what", ["run", "worker", "send", "once"])
def test_who_was_told_otherwise_than_a_daemon_that_lives_does_not_start(store: Store, what: str) -> None:
    first = arrive(store, "run", "email live\nlinkedin live")
    with pytest.raises(StoreError, match="here email in rehearsal; there email live; stop it, or give both the same"):
        arrive(store, what, "email in rehearsal\nlinkedin live")
    assert [path.stem for path in (store.folder / "owners").iterdir()] == [first.id]
    arrive(store, what, "email live\nlinkedin live").close()
    first.close()
    arrive(store, what, "email in rehearsal").close()


def test_who_only_passes_by_forbids_nothing(store: Store) -> None:
    one = arrive(store, "send", "email live")
    arrive(store, "run", "email in rehearsal").close()
    one.close()


def test_a_daemon_that_died_elsewhere_forbids_nothing_after_its_lease(store: Store) -> None:
    come(store, "far", FAR)
    change = update(owners).values(config="email live")
    store.write_now(lambda connection: connection.execute(change))
    with pytest.raises(StoreError):
        arrive(store, "run", "email in rehearsal")
    arrive(store, "run", "email in rehearsal", after=LEASE + SECOND).close()
