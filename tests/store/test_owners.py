"""Who may claim: leases, locks that die with their process, and whose claims are taken back when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from syndicate.clock import SystemClock
from syndicate.store import confirmations
from syndicate.store.database import Store
from syndicate.store.owners import LEASE, RENEW, FileLock, Owner
from syndicate.store.schema import owners
from syndicate.subscriber import parse_address
from tests.doubles.clock import TwoClocks
from tests.store.conftest import Database, only
from tests.store.rows import (
    DAY,
    HOUR,
    NOON,
    SECOND,
    begin,
    claim,
    delivery,
    frozen,
    join,
    letter_states,
    mailing,
    must_claim,
    planned,
    start,
    take,
)

WHOLE = LEASE.total_seconds()


@contextmanager
def owning(store: Store, clock: TwoClocks, what: str = "run") -> Iterator[Owner]:
    owner = Owner(store, clock, what)
    owner.open()
    try:
        yield owner
    finally:
        owner.close()


def known(store: Store) -> set[str]:
    return set(store.read_now(lambda connection: connection.scalars(select(owners.c.id)).all()))


def elsewhere(store: Store, name: str = "far-1-abc", *, lives_until: float = WHOLE) -> str:
    """The row of an owner on another machine: it has no lock file here."""

    def write(connection: Connection) -> None:
        lease = NOON + timedelta(seconds=lives_until)
        connection.execute(
            owners.insert().values(id=name, what="run", host="far", pid=1, since=NOON, lease_until=lease)
        )

    store.write_now(write)
    return name


def live_with(owner: Owner, clock: TwoClocks, seconds: float, *others: str, store: Store) -> list[int]:
    """Second after second as the daemon does: renew, take back; `others` renew too."""
    taken = []
    for second in range(int(seconds)):
        clock.pass_by(1)
        if second % int(RENEW) == 0:
            owner.renew()
            for other in others:
                renew(store, other, clock)
        taken.append(owner.take_back())
    return taken


def renew(store: Store, name: str, clock: TwoClocks) -> None:
    change = update(owners).where(owners.c.id == name).values(lease_until=clock.now() + LEASE)
    store.write_now(lambda connection: connection.execute(change))


# --- a process dies ---------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from syndicate.clock import SystemClock
from syndicate.store.database import house_of, open_store
from syndicate.store.owners import Owner
from tests.store.rows import must_claim, mailing, start, take
store = open_store(house_of(sys.argv[1], Path(sys.argv[2])), upgrade=False)
del sys.argv[1]
owner = Owner(store, SystemClock(), "run")
owner.open()
if sys.argv[2] == "letters":
    take(store, mailing(store, int(sys.argv[3])), owner.id)
else:
    one = must_claim(store, owner.id)
    if sys.argv[2] == "begun":
        start(store, one)
print(owner.id, flush=True)
sys.stdin.read()
"""


@contextmanager
def process(database: Database, what: str, *more: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", PROGRAM, database.url, str(database.folder), what, *map(str, more)]
    root = Path(__file__).resolve().parents[2]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def test_the_claims_of_a_killed_process_come_back_at_once(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    planned(store, 1)
    with owning(store, clock) as owner, process(database, "claimed") as (running, dead):
        assert delivery(store).owner == dead
        assert owner.take_back() == 0  # it lives
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert owner.take_back() == 1
        assert delivery(store).state == "planned"
        assert known(store) == {owner.id}
        assert owner.take_back() == 0
    assert list((database.folder / "owners").iterdir()) == []


def test_what_a_killed_process_had_begun_is_in_doubt(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    planned(store, 1)
    with owning(store, clock) as owner, process(database, "begun") as (running, _):
        running.kill()
        running.wait()
        assert owner.take_back() == 1
        assert delivery(store).state == "unknown"


def test_the_letters_of_a_killed_process_are_due_again(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    begin(store, channels=("email",))
    join(store, "ada", "bo")
    edition, _ = frozen(store)
    with owning(store, clock) as owner, process(database, "letters", edition) as (running, _):
        assert letter_states(store, edition) == ["claimed", "claimed"]
        running.kill()
        running.wait()
        assert owner.take_back() == 2
        assert letter_states(store, edition) == ["due", "due"]


def test_a_stopped_process_loses_its_claims_after_its_lease(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    planned(store, 1)
    with owning(store, clock) as owner, process(database, "claimed") as (running, stopped):
        running.send_signal(signal.SIGSTOP)
        renew(store, stopped, clock)
        taken = live_with(owner, clock, WHOLE - 1, store=store)
        assert set(taken) == {0}
        assert 1 in live_with(owner, clock, 3, store=store)
        running.send_signal(signal.SIGCONT)
        assert delivery(store).state == "planned"


def test_two_that_see_the_same_death_take_back_once(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    planned(store, 1)
    with owning(store, clock) as one, owning(database.open(), clock) as two:
        with process(database, "claimed") as (running, _):
            running.kill()
            running.wait()
        assert sorted([one.take_back(), two.take_back()]) == [0, 1]
        assert delivery(store).crashes == 1


# --- leases -----------------------------------------------------------------------------------------------------------


def test_another_machines_claims_come_back_when_its_lease_was_not_renewed(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    far = elsewhere(store)
    must_claim(store, far)
    with owning(store, clock) as owner:
        taken = live_with(owner, clock, WHOLE + 2, store=store)
        assert sum(taken) == 1
        assert taken.index(1) + 1 >= WHOLE
        assert known(store) == {owner.id}


def test_an_owner_that_renews_keeps_its_claims(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    far = elsewhere(store)
    must_claim(store, far)
    with owning(store, clock) as owner:
        assert set(live_with(owner, clock, 3 * WHOLE, far, store=store)) == {0}
        assert delivery(store).owner == far


def test_a_claim_whose_owner_has_no_row_comes_back_too(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    must_claim(store, "nobody-knows-me")
    with owning(store, clock) as owner:
        assert sum(live_with(owner, clock, WHOLE + 2, store=store)) == 1


def test_a_mail_that_asks_to_confirm_comes_back_from_the_dead_too(store: Store, clock: TwoClocks) -> None:
    address = parse_address("ada@example.net")
    asked: dict[str, Any] = {
        "address": address,
        "hashed": "h",
        "digests": ["weekly"],
        "consent": {},
        "now": clock.now(),
    }
    assert store.write_now(lambda connection: confirmations.ask(connection, **asked)) == "asked"
    assert len(store.write_now(confirmations.claim, "gone-1", clock.now(), 9)) == 1
    with owning(store, clock) as owner:
        assert sum(live_with(owner, clock, WHOLE + 2, store=store)) == 1
    again = store.write_now(confirmations.claim, "me", clock.now(), 9)
    assert [(one.email, one.attempts, one.crashes) for one in again] == [("ada@example.net", 2, 1)]


def test_who_just_came_takes_nothing_back(store: Store, clock: TwoClocks) -> None:
    """A restarted server must not make everybody look dead: their leases lapsed while it was down."""
    planned(store, 1)
    far = elsewhere(store, lives_until=-3600)
    must_claim(store, far)
    with owning(store, clock) as owner:
        assert owner.take_back() == 0
        assert set(live_with(owner, clock, 3 * WHOLE, far, store=store)) == {0}


@pytest.mark.parametrize("jump", [HOUR, 3650 * DAY, -HOUR])
def test_a_wall_clock_that_jumps_makes_nobody_look_dead(store: Store, clock: TwoClocks, jump: object) -> None:
    planned(store, 1)
    far = elsewhere(store)
    must_claim(store, far)
    with owning(store, clock) as owner:
        live_with(owner, clock, WHOLE + 5, far, store=store)
        clock.moment += jump  # type: ignore[operator]  # timedeltas, named where they are given
        assert set(live_with(owner, clock, 4, store=store)) == {0}
        renew(store, far, clock)
        assert set(live_with(owner, clock, WHOLE, far, store=store)) == {0}
        assert owner.stands()


def test_who_lost_his_own_lease_takes_nothing_back(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    far = elsewhere(store)
    must_claim(store, far)
    with owning(store, clock) as owner:
        owner.take_back()
        clock.pass_by(60)  # suspended, and the other as well
        assert owner.take_back() == 0
        owner.renew()
        assert owner.take_back() == 0
        assert set(live_with(owner, clock, 2 * WHOLE, far, store=store)) == {0}


@only("postgresql")
def test_all_go_by_the_clock_of_the_server(store: Store) -> None:
    behind = SystemClock(wall=lambda: time.time() - 2 * DAY.total_seconds())
    ahead = SystemClock(wall=lambda: time.time() + 2 * DAY.total_seconds())
    for clock in (behind, ahead):
        owner = Owner(store, clock, "run")
        owner.open()
        assert abs(clock.now() - datetime.now(UTC)) < 5 * SECOND  # the server runs on this machine
        owner.renew()
        assert abs(clock.now() - datetime.now(UTC)) < 5 * SECOND
        assert not clock.jumped()
        owner.close()


# --- does mine stand? -------------------------------------------------------------------------------------------------


def test_a_lease_stands_until_a_little_before_its_end(store: Store, clock: TwoClocks) -> None:
    with owning(store, clock) as owner:
        clock.pass_by(12)
        assert owner.stands()
        clock.pass_by(1)
        assert not owner.stands()
        owner.renew()
        assert owner.stands()


def test_a_lease_that_broke_does_not_stand_for_what_was_claimed_before(store: Store, clock: TwoClocks) -> None:
    with owning(store, clock) as owner:
        claimed = clock.monotonic()
        for _ in range(4):
            clock.pass_by(RENEW)
            owner.renew()
        assert owner.stands(claimed)
        clock.pass_by(60)
        owner.renew()
        assert owner.stands()
        assert not owner.stands(claimed)
        assert owner.stands(clock.monotonic())


def test_a_row_that_was_taken_away_begins_anew(store: Store, clock: TwoClocks) -> None:
    with owning(store, clock) as owner:
        store.write_now(lambda connection: connection.execute(owners.delete()))
        owner.renew()
        assert known(store) == {owner.id}


def test_a_wall_clock_set_back_does_not_end_ones_own_lease(store: Store, clock: TwoClocks) -> None:
    with owning(store, clock) as owner:
        clock.moment -= HOUR
        owner.renew()
        assert known(store) == {owner.id}
        assert owner.stands()


# --- leaving ----------------------------------------------------------------------------------------------------------


def test_who_leaves_gives_back_what_he_holds(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    with owning(store, clock) as owner:
        must_claim(store, owner.id)
    assert (delivery(store).state, delivery(store).crashes) == ("planned", 0)
    assert known(store) == set()
    assert claim(store, "next") is not None


def test_who_leaves_in_the_middle_leaves_a_doubt(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    with owning(store, clock) as owner:
        start(store, must_claim(store, owner.id))
    assert delivery(store).state == "unknown"


def test_who_leaves_makes_his_letters_due_again(store: Store, clock: TwoClocks) -> None:
    begin(store, channels=("email",))
    join(store, "ada")
    edition, _ = frozen(store)
    with owning(store, clock) as owner:
        take(store, mailing(store, edition), owner.id)
    assert letter_states(store, edition) == ["due"]


# --- file locks -------------------------------------------------------------------------------------------------------


def test_a_file_lock_is_held_by_one(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "x.lock"), FileLock(tmp_path / "x.lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
    assert not (tmp_path / "x.lock").exists()


def test_a_lock_on_a_file_that_was_removed_is_no_lock(tmp_path: Path) -> None:
    """Its holder removed it between another's opening and locking: both would believe to be alone."""
    path = tmp_path / "x.lock"
    first = FileLock(path)
    assert first.acquire()
    path.unlink()
    second, third = FileLock(path), FileLock(path)
    assert second.acquire()
    assert not third.acquire()
    assert os.path.samestat(path.stat(), os.fstat(second._file.fileno()))  # type: ignore[union-attr]  # it is held
    second.release()
    first.release()


def test_asking_after_others_makes_no_files(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    far = elsewhere(store)
    must_claim(store, far)
    with owning(store, clock) as owner:
        for _ in range(3):
            owner.take_back()
        folder = store.folder / "owners"
        assert [path.stem for path in folder.iterdir()] == [owner.id]


def test_asking_after_the_living_leaves_their_locks_alone(database: Database, clock: TwoClocks) -> None:
    store = database.open()
    with owning(store, clock, "run") as one, owning(database.open(), clock, "send") as two:
        for _ in range(3):
            assert one.take_back() == two.take_back() == 0
        names = {path.stem for path in (store.folder / "owners").iterdir()}
        assert names == {one.id, two.id} == known(store)
