"""A process that stood still past its lease, and wakes: what it had in hand is others' by then."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from typing import Any

from syndicate import config
from syndicate.store.database import open_ledger
from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import SLOT, WEEKLY, Newsroom, until
from tests.doubles.postgres import Postgres
from tests.invariants import Copy, Ledger, World, broken
from tests.several.conftest import Make

READERS = make.people(300)
LEASE = 15  # seconds
CONNECTIONS = 2
WRITTEN = ("letters", "mailings", "attempts", "deliveries", "suppressions")


def test_one_that_stood_still_past_its_lease_sends_nothing_more_and_overwrites_nothing(
    machines: Make, database: str, postgres: Postgres
) -> None:
    name = database.rpartition("/")[2]

    def rows(statement: str) -> list[Any]:
        return postgres.say(statement, name)

    with MailServer(delay=0.05) as server, MailServer(delay=0.05) as zombies:
        first, second = machines(2, email=make.email(server.port), **WEEKLY)
        second.configure(email={"smtp": {"port": zombies.port}})  # what it sends is seen apart
        listed = first.folder / "readers.csv"
        listed.write_text("email\n" + "\n".join(READERS) + "\n", "utf-8")
        first.run("subscribers", "import", str(listed), now=SLOT - timedelta(minutes=4))
        first.write(1)
        first.run("run", "--once", now=SLOT - timedelta(minutes=3))
        with second.helper(now=SLOT) as zombie, first.daemon(now=SLOT) as daemon:
            mine = f"owner LIKE '%-{zombie.process.pid}-%'"
            until(lambda: len(zombies.world) > 20, "letters flow", 20)
            zombie.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)  # what it had written by then comes to its end
            away = zombies.world
            held = rows(f"SELECT s.email FROM letters JOIN subscribers s ON s.id = subscriber WHERE {mine}")
            unsent = sorted({email for (email,) in held} - {one["to"] for one in away})
            assert len(unsent) > 5, "it stood still with letters in hand"
            first.run("subscribers", "remove", unsent[0], now=SLOT)
            sent = "SELECT 1 FROM deliveries WHERE state = 'sent'"
            until(lambda: rows(sent), "the other takes over and sends all", 3 * LEASE)
            written = {table: sorted(map(str, rows(f"SELECT * FROM {table}"))) for table in WRITTEN}

            zombie.process.send_signal(signal.SIGCONT)
            until(lambda: rows(f"SELECT 1 FROM owners WHERE pid = {zombie.process.pid}"), "it is back", 15)
            time.sleep(2)
            assert zombie.terminate() == 0
            assert zombies.world == away
            for table, before in written.items():
                assert sorted(map(str, rows(f"SELECT * FROM {table}"))) == before, table
            assert daemon.terminate() == 0
        world = World(
            copies=[Copy(one["to"], one["message_id"], one["data"]) for one in (*away, *server.world)],
            left={unsent[0]: len(away)}, kills=1, connections=CONNECTIONS,
        )  # fmt: skip
        assert broken(world, ledger_of(first), drained=True) == []
        assert {copy.to for copy in world.copies} == set(READERS) - {unsent[0]}


def ledger_of(site: Newsroom) -> Ledger:
    store = open_ledger(config.load(site.folder / "syndicate.toml", {}))
    try:
        return Ledger.read(store, site.settings["secret"].encode())
    finally:
        store.close()
