"""Several `run` and `worker` processes on one PostgreSQL, some of which die or stand still; judged by the world."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from tests.acceptance import newsroom as make
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import SLOT, WEEKLY, Newsroom, until
from tests.acceptance.test_crash import assert_mailed_once
from tests.doubles.linkedin import LinkedInDouble
from tests.doubles.postgres import Postgres
from tests.several.conftest import Make

READERS = make.people(300)
LEASE = 15  # seconds
TAKEN_OVER = 3 * LEASE  # seconds, within which what a dead machine did is done by another
GROUPS = 2 * 25  # letters that one process has in hand at most: two connections


def ask(postgres: Postgres, database: str, statement: str) -> list[Any]:
    return [row[0] for row in postgres.say(statement, database.rpartition("/")[2])]


def posted(linkedin: LinkedInDouble) -> Counter[str]:
    return Counter(post.card["source"] for post in linkedin.posts if post.card)


def addresses(numbers: Sequence[int]) -> set[str]:
    return {f"https://courier.example/{n:03}-walk/" for n in numbers}


def feed(site: Newsroom) -> set[str]:
    return {item["url"] for item in site.feed()["items"]}


def test_machines_share_the_work_and_take_over_from_one_that_dies_and_one_that_stands_still(
    machines: Make, database: str, postgres: Postgres, linkedin: LinkedInDouble
) -> None:
    with MailServer(delay=0.3) as mail, contextlib.ExitStack() as running:
        sites = machines(5, linkedin=make.linkedin(linkedin.url), email=make.email(mail.port), **WEEKLY)
        first = sites[0]
        first.run("run", "--once", now=SLOT - timedelta(minutes=5))
        listed = first.folder / "readers.csv"
        listed.write_text("email\n" + "\n".join(READERS) + "\n", "utf-8")
        first.run("subscribers", "import", str(listed), now=SLOT - timedelta(minutes=4))
        for n in range(6):
            first.write(n)
        begun = time.monotonic()

        def now() -> Any:
            """One time for all: it runs on while they start."""
            return SLOT - timedelta(seconds=12) + timedelta(seconds=time.monotonic() - begun)

        runs = [running.enter_context(site.daemon(now=now())) for site in sites[:3]]
        workers = [running.enter_context(site.helper(now=now())) for site in sites[3:]]
        until(lambda: posted(linkedin).keys() == addresses(range(6)), "all is posted", 20)

        until(lambda: len(mail.world) > 20, "letters flow", 30)
        holders = "SELECT DISTINCT owner FROM letters WHERE state = 'claimed'"
        assert len(ask(postgres, database, holders)) >= 3, "the letters are shared out"
        [scanner] = ask(postgres, database, "SELECT o.pid FROM sources s JOIN owners o ON o.id = s.owner")
        dead = next(run for run in runs if run.process.pid == scanner)
        dead.process.send_signal(signal.SIGKILL)
        workers[0].process.send_signal(signal.SIGSTOP)
        for n in (6, 7):
            first.write(n)
        until(lambda: posted(linkedin).keys() == addresses(range(8)), "another scans and posts", TAKEN_OVER)
        until(lambda: {one["to"] for one in mail.world} == set(READERS), "all have their letter", TAKEN_OVER)
        workers[0].process.send_signal(signal.SIGCONT)
        living = [run for run in runs if run is not dead]
        for run, site in zip(runs, sites, strict=False):
            if run in living:
                until(lambda site=site: feed(site) == addresses(range(8)), "its feed is whole", 10)  # type: ignore[misc]
        until(lambda: not ask(postgres, database, "SELECT 1 FROM letters WHERE state IN ('due', 'claimed')"), "end", 20)
        assert [one.terminate() for one in (*living, *workers)] == [0] * 4
        assert set(posted(linkedin).values()) == {1}
        assert_mailed_once(mail.world, READERS, repeats=2 * GROUPS)
        assert_ledger(sites[1])
        assert ask(postgres, database, "SELECT id FROM owners") == []


def assert_ledger(site: Newsroom) -> None:
    [edition] = site.deliveries("email")
    assert (edition["state"], edition["people"]) == ("sent", {"sent": len(READERS)})
    assert {row["state"] for row in site.deliveries("linkedin")} == {"sent"}


def test_pacing_holds_for_all_machines_together(machines: Make, linkedin: LinkedInDouble) -> None:
    pace = {"min_gap": "2h", "max_per_day": 3}
    sites = machines(3, linkedin=make.linkedin(linkedin.url, **pace))
    sites[0].run("run", "--once", now=SLOT)
    for n in range(5):
        sites[0].write(n)
    with contextlib.ExitStack() as running:
        for site in sites:
            running.enter_context(site.daemon(now=SLOT))
        until(lambda: linkedin.posts, "one is posted", 15)
        time.sleep(4)
        assert len(linkedin.posts) == 1


def test_a_machine_that_was_told_otherwise_does_not_start(machines: Make, linkedin: LinkedInDouble) -> None:
    one, two = machines(2, linkedin=make.linkedin(linkedin.url))
    with one.daemon():
        two.configure(secret="another one, of this machine alone")
        assert "secret of mark" in two.run("worker", code=1).err
        two.configure(linkedin={"live": False}, secret="shared by all machines")
        refused = two.run("run", code=1)
        assert "here linkedin in rehearsal; there linkedin live; stop it, or give both the same" in refused.err


def test_a_machine_without_the_folder_leaves_it_to_the_others(machines: Make, linkedin: LinkedInDouble) -> None:
    one, two = machines(2, linkedin=make.linkedin(linkedin.url))
    two.configure(sources=[{"path": str(two.folder / "nowhere"), "poll": "1s"}])
    with two.daemon():
        until(lambda: two.ask("status")["problems"], "alone it tells that it cannot read", 15)
        with one.daemon():
            one.write(1)
            until(lambda: posted(linkedin).keys() == addresses([1]), "the other scans", 30)
            until(lambda: not one.ask("status")["problems"], "all is well", 15)
            two.command("run", "--once")  # beside it, as on one machine: it cannot read, and raises no alarm
            assert not one.ask("status")["problems"]


def test_a_machine_that_does_not_read_a_source_says_who_does(machines: Make) -> None:
    """And not that its own folder is empty."""
    one, two = machines(2)
    one.write(1)
    one.run("run", "--once", now=SLOT)
    with one.daemon(now=SLOT), two.daemon(now=SLOT) as second:
        until(lambda: "another `syndicate run` on this database reads it" in second.words, "it says so", 15)
        assert "matches sources.include" not in second.words
