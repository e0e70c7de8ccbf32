"""Power cuts on PostgreSQL: killed at each named point, started again, and judged by what the world received."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

import tests.acceptance.newsroom as make
from syndicate import config
from syndicate.store.database import open_ledger
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom
from tests.acceptance.test_crash import AFTER_DOUBT
from tests.doubles.linkedin import LinkedInDouble
from tests.doubles.postgres import Postgres
from tests.invariants import Copy, Ledger, Post, World, broken, feed_ids

READERS = make.people(30)
ARTICLES = 3

POINTS = (
    "scan.read", "announce.tx", "feed.tmp:2", "feed.written", "plan.tx", "freeze.rendered", "freeze.fill",
    "claim.done", "claim.done:3", "attempt.begun", "social.accepted:2", "settle.done:2", "smtp.body:2", "smtp.dot:3",
    "smtp.accepted:20", "mail.settled",
)  # fmt: skip


def seen(linkedin: LinkedInDouble, server: MailServer, *, kills: int, doubts: int = 0, connections: int = 1) -> World:
    """What the servers of the tests received."""
    return World(
        posts=[Post("linkedin", post.card["source"]) for post in linkedin.posts if post.card],
        copies=[Copy(one["to"], one["message_id"], one["data"]) for one in server.world],
        kills=kills, doubts=doubts, connections=connections,
    )  # fmt: skip


def ledger_of(site: Newsroom) -> Ledger:
    store = open_ledger(config.load(site.folder / "syndicate.toml", {}))
    try:
        return Ledger.read(store, (site.data / "secret").read_bytes().strip())
    finally:
        store.close()


@pytest.fixture(scope="module")
def before_the_slot(
    postgres: Postgres, empty_on_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Newsroom, str]]:
    """A newsroom an hour before its digest, with articles that wait for a channel; copied, never used itself."""
    name = postgres.create(empty_on_postgres)
    linkedin = make.linkedin("http://127.0.0.1:9")
    site = Newsroom(
        tmp_path_factory.mktemp("before") / "site", database={"url": postgres.url(name)}, linkedin=linkedin,
        email=make.email(9), digests=[{"name": "weekly", "schedule": "0 9 * * FRI"}], review={"first_run": "announce"},
    )  # fmt: skip
    site.configure(email={"smtp": {"connections": 1}})
    readers = site.folder / "readers.csv"
    readers.write_text("email\n" + "\n".join(READERS) + "\n", "utf-8")
    site.run("subscribers", "import", str(readers), now=FRIDAY)
    site.run("pause", "linkedin", now=FRIDAY)
    for n in range(ARTICLES):
        site.write(n)
    site.run("run", "--once", now=FRIDAY)
    site.run("resume", "linkedin", now=FRIDAY)
    yield site, name
    postgres.drop(name)


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_the_world_is_what_was_promised(
    before_the_slot: tuple[Newsroom, str], postgres: Postgres, linkedin: LinkedInDouble, mail_server: MailServer,
    tmp_path: Path, point: str,
) -> None:  # fmt: skip
    origin, template = before_the_slot
    shutil.copytree(origin.folder, tmp_path / "site")
    with postgres.database(template) as url:
        site = Newsroom(tmp_path / "site")
        site.settings = deepcopy(origin.settings) | {"web": site.settings["web"], "database": {"url": url}}
        site.configure(linkedin={"api_url": linkedin.url}, email={"smtp": {"port": mail_server.port}})
        site.write(ARTICLES)  # one that is new now
        site.crash(point, "run", "--once", now=SLOT)
        site.command("run", "--once", now=SLOT + AFTER_DOUBT)
        ledger, world = ledger_of(site), seen(linkedin, mail_server, kills=1)
        assert broken(world, ledger, drained=True) == []
        assert len(world.posts) == ARTICLES + 1
        assert {copy.to for copy in world.copies} == set(READERS)
        assert {row.state for row in ledger.deliveries} == {"sent"}
        assert len(feed_ids(site.feed_bytes())) == ARTICLES + 1


def test_a_crash_while_the_database_is_filled_leaves_one_that_can_be_used(postgres: Postgres, tmp_path: Path) -> None:
    with postgres.database() as url:
        site = Newsroom(tmp_path / "site", database={"url": url})
        site.crash("migrate.step", "run", "--once")
        site.run("run", "--once")
        assert site.ask("db", "check")["problems"] == []
