"""A storm on PostgreSQL: the program is killed, the server crashes and restarts, connections are cut, in any order."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta

import tests.acceptance.newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import SLOT, Daemon, Newsroom, until
from tests.acceptance.test_crash import AFTER_DOUBT, settle_quarantined
from tests.acceptance.test_crash_postgres import ledger_of, seen
from tests.doubles.linkedin import LinkedInDouble
from tests.doubles.postgres import Postgres
from tests.invariants import broken

READERS = make.people(80)
ARTICLES, TURNS = 8, 6


def test_a_storm_of_kills_and_of_restarts_of_the_server_loses_nothing_and_posts_nothing_twice(
    newsroom: Callable[..., Newsroom], postgres: Postgres, linkedin: LinkedInDouble, slow_mail_server: MailServer
) -> None:
    seed = int(os.environ.get("ACCEPTANCE_SEED") or 20_261)
    print(f"ACCEPTANCE_SEED={seed}")
    chance = random.Random(seed)
    linkedin.faults.extend(["slow:0.15"] * 50)  # so that some deaths come between the post and its answer
    site = newsroom(
        "postgresql", linkedin=make.linkedin(linkedin.url), email=make.email(slow_mail_server.port),
        digests=[{"name": "weekly", "schedule": "0 9 * * FRI"}],
    )  # fmt: skip
    database = site.settings["database"]["url"].rpartition("/")[2]
    begin = SLOT - timedelta(minutes=1)
    site.run("run", "--once", now=begin)  # an empty folder: what comes now is new
    listed = site.folder / "readers.csv"
    listed.write_text("email\n" + "\n".join(READERS) + "\n", "utf-8")
    site.run("subscribers", "import", str(listed), now=begin)
    daemon: Daemon | None = None
    kills = blows = 0
    for turn in range(TURNS):
        for n in range(ARTICLES * turn // TURNS, ARTICLES * (turn + 1) // TURNS):
            site.write(n)
        if daemon is None:
            daemon = site.start(now=begin + turn * AFTER_DOUBT)
            until(lambda daemon=daemon: "syndicate runs" in daemon.words, "the daemon starts", 20)  # type: ignore[misc]
        time.sleep(chance.uniform(0.3, 1.2))
        match chance.choice(["kill", "kill", "crash", "restart", "cut"]):
            case "kill":
                daemon.kill()
                daemon, kills = None, kills + 1
            case "crash":
                postgres.restart(signal.SIGQUIT)
                blows += 1
            case "restart":
                postgres.restart(signal.SIGINT)
                blows += 1
            case "cut":
                postgres.cut(database)
                blows += 1
    if daemon is not None:
        assert daemon.process.poll() is None, (seed, daemon.words)
        assert daemon.terminate() == 0
    end = begin + TURNS * AFTER_DOUBT
    for turn in range(1, 4):
        site.command("run", "--once", now=end + turn * AFTER_DOUBT)
    site.run("run", "--once", now=end + timedelta(minutes=5))
    settle_quarantined(site, linkedin, end + timedelta(minutes=6))
    ledger = ledger_of(site)
    # A commit whose answer was lost may put one group of each connection back, as a kill does.
    world = seen(linkedin, slow_mail_server, kills=kills + blows, connections=2)
    assert broken(world, ledger, drained=True) == [], seed
    assert len(world.posts) == ARTICLES, seed
    assert {copy.to for copy in world.copies} == set(READERS), seed
    assert site.ask("db", "check")["problems"] == []
