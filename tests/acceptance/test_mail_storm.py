"""An edition to thousands in a storm of kills, and whose links its letters bear; judged by what the world received."""

from __future__ import annotations

import contextlib
import email
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from email import policy
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

import tests.acceptance.newsroom as make
from syndicate import config
from syndicate.signer import Signer
from syndicate.store.database import Store, open_ledger
from syndicate.store.schema import letters, subscribers
from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FIRST, FRIDAY, SLOT, WEEKLY, Daemon, Newsroom, http
from tests.invariants import Copy, Ledger, World, broken

Make = Callable[..., Newsroom]

SEED = 20_267
READERS = make.people(3000)
CONNECTIONS, KILLS = 2, 8
DELAY = 0.006  # seconds from the final dot to its answer: kills fall between the two
TURN = timedelta(seconds=20)


def smtp(server: MailServer, connections: int) -> dict[str, Any]:
    where = {"host": "127.0.0.1", "port": server.port, "security": "none", "connections": connections}
    return make.email(server.port, smtp=where)


def ready(newsroom: Make, database: str, server: MailServer, people: Sequence[str], connections: int) -> Newsroom:
    """An hour before its digest. A line of `people` is an address, or an address and a name."""
    site = newsroom(database, email=smtp(server, connections), **FIRST, **WEEKLY)
    listed = site.folder / "readers.csv"
    listed.write_text("email,name\n" + "\n".join(people) + "\n", "utf-8")
    site.run("subscribers", "import", str(listed), now=FRIDAY)
    site.write(1)
    site.run("run", "--once", now=FRIDAY)
    return site


@contextlib.contextmanager
def store_of(site: Newsroom) -> Iterator[Store]:
    store = open_ledger(config.load(site.folder / "syndicate.toml", {}))
    try:
        yield store
    finally:
        store.close()


def secret_of(site: Newsroom) -> bytes:
    return (site.data / "secret").read_bytes().strip()


class Standing(NamedTuple):
    """One letter that is not at its end."""

    address: str
    subscriber: int
    state: str
    owner: str | None


def open_letters(store: Store) -> list[Standing]:
    columns = (subscribers.c.email, letters.c.subscriber, letters.c.state, letters.c.owner)
    query = select(*columns).join_from(letters, subscribers, subscribers.c.id == letters.c.subscriber)
    query = query.where(letters.c.state.in_(["due", "claimed"])).order_by(letters.c.id)
    return [Standing(*row) for row in store.read_now(lambda connection: connection.execute(query).all())]


class Leaving:
    """People who leave while their edition is under way."""

    def __init__(self, site: Newsroom, store: Store, server: MailServer, chance: random.Random) -> None:
        self.site, self.store, self.server, self.chance = site, store, server, chance
        self.signer = Signer(secret_of(site))
        self.gone: set[str] = set()
        self.left: dict[str, int] = {}  # as in World: of whom nothing can be on its way any more

    def by_link(self, count: int) -> None:
        """One click each, of so many whose letters wait."""
        waiting = [one for one in open_letters(self.store) if one.state == "due"]
        for one in self.chance.sample(waiting, min(count, len(waiting))):
            link = f"http://127.0.0.1:{self.site.port}/unsubscribe/{self.signer.token('unsubscribe', one.subscriber)}"
            assert http(link, b"List-Unsubscribe=One-Click")[0] == 200
            self._note(one.address)

    def in_the_hand_of(self, dead: int) -> None:
        """One whose letter was in hand at the death of this process, before anybody takes it up again."""
        held = [one for one in open_letters(self.store) if one.owner and f"-{dead}-" in one.owner]
        if held:
            address = self.chance.choice(held).address
            self.site.run("subscribers", "remove", address, now=SLOT)
            self._note(address, f"-{dead}-")

    def _note(self, address: str, dead: str = "") -> None:
        """Who left; what a living process claimed just before may still come, and of it nothing is said."""
        self.gone.add(address)
        now = {one.address: one for one in open_letters(self.store)}.get(address)
        if now is None or now.state == "due" or (dead and dead in (now.owner or "")):
            self.left[address] = len(self.server.world)


@pytest.mark.parametrize(
    ("database", "kinds"), [("sqlite", ("daemon",)), ("postgresql", ("daemon", "helper"))], ids=["sqlite", "postgresql"]
)
def test_in_a_storm_of_kills_everybody_gets_his_letter_and_nobody_who_left(
    newsroom: Make, database: str, kinds: Sequence[str]
) -> None:
    chance = random.Random(SEED)
    with MailServer(delay=DELAY * len(kinds)) as server, contextlib.ExitStack() as running:
        site = ready(newsroom, database, server, READERS, CONNECTIONS)
        store = running.enter_context(store_of(site))
        leaving = Leaving(site, store, server, chance)
        crew: dict[str, Daemon] = {}
        fell_inside = 0
        for turn in range(KILLS):
            for kind in kinds:
                if kind not in crew:
                    crew[kind] = running.enter_context(getattr(site, kind)(now=SLOT + turn * TURN))
            end = time.monotonic() + chance.uniform(0.3, 1.5)
            time.sleep(0.2)
            leaving.by_link(4)
            time.sleep(max(0, end - time.monotonic()))
            fell_inside += any(one.state == "claimed" for one in open_letters(store))
            dead = crew.pop(kinds[turn % len(kinds)])
            dead.kill()
            assert "Traceback" not in dead.words, dead.words
            if turn % 4 == 1:
                leaving.in_the_hand_of(dead.process.pid)
        for one in crew.values():
            assert one.terminate() == 0
        server.double.delay = 0
        to_the_end(site, store)
        world = World(
            copies=[Copy(one["to"], one["message_id"], one["data"]) for one in server.world],
            left=leaving.left, kills=KILLS, connections=CONNECTIONS,
        )  # fmt: skip
        assert broken(world, Ledger.read(store, secret_of(site)), drained=True) == []
    received = {copy.to for copy in world.copies}
    assert received <= set(READERS)
    assert set(READERS) - received <= leaving.gone
    assert len(leaving.left) >= 10
    assert set(leaving.left) - received, "some left before their letter came"
    assert fell_inside >= KILLS // 2
    assert len(world.copies) > len(received), "no kill cost a letter twice: the storm proves little"
    assert site.ask("db", "check")["problems"] == []


def to_the_end(site: Newsroom, store: Store) -> None:
    """Pass until all is out; who was in hand at three deaths waits for a person, which is us."""
    end = SLOT + KILLS * TURN
    site.command("run", "--once", now=end)
    assert open_letters(store) == []
    [edition] = site.deliveries("email")
    if edition["people"].get("unknown"):
        site.run("deliveries", "retry", str(edition["id"]), now=end + TURN)
        site.run("run", "--once", now=end + 2 * TURN)


# --- whose links ------------------------------------------------------------------------------------------------------


LINK = re.compile(r"https?://[^/\s\"<>]+/(unsubscribe|preferences)/([A-Za-z0-9_-]+)")
NAMES = ("", "Zoë Quay", '"O\'Brien, the ""younger"""', "=?utf-8?q?x?=", "名前")


def test_each_letter_on_the_wire_bears_the_links_of_its_recipient_and_of_nobody_else(newsroom: Make) -> None:
    """Whatever the server says to those before and behind him: some are greylisted, some do not exist."""
    readers = make.people(1000)
    greylisted, nobody = set(readers[::7]), set(readers[3::300]) - set(readers[::7])
    answers = dict.fromkeys(greylisted, "451 4.7.1 come back later")
    answers |= dict.fromkeys(nobody, "550 5.1.1 no such user")

    def rcpt(command: str) -> str | None:
        address = command.partition("<")[2].partition(">")[0]
        return answers.pop(address, None) if address in greylisted else answers.get(address)

    with MailServer(delay=0.002, faults={"RCPT": rcpt}) as server:
        lines = [f"{address},{NAMES[n % len(NAMES)]}" for n, address in enumerate(readers)]
        site = ready(newsroom, "sqlite", server, lines, 8)
        site.command("run", "--once", now=SLOT)
        assert {one["to"] for one in server.world} == set(readers) - greylisted - nobody
        site.command("run", "--once", now=SLOT + timedelta(hours=1))
        world, connections = server.world, len(server.double.conversations)
    assert connections >= 8
    assert sorted(one["to"] for one in world) == sorted(set(readers) - nobody)
    states = {one["email"]: one["state"] for one in site.ask("subscribers", "list", now=SLOT + timedelta(hours=2))}
    assert {address for address, state in states.items() if state != "active"} == nobody

    with store_of(site) as store:
        query = select(subscribers.c.id, subscribers.c.email)
        people: dict[int, str] = dict(store.read_now(lambda connection: connection.execute(query).all()))
    signer = Signer(secret_of(site))
    for one in world:
        letter = email.message_from_string(one["data"], policy=policy.default)
        text, html = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[attr-defined]
        places = {"header": str(letter["List-Unsubscribe"]), "text": text, "html": html}
        found = {place: LINK.findall(words) for place, words in places.items()}
        owners = {people[signer.read(*link) or 0] for links in found.values() for link in links}
        assert owners == {one["to"]}, found
        assert all(("unsubscribe" in dict(links)) for links in found.values()), found
        assert [address.addr_spec for address in letter["To"].addresses] == [one["to"]]
        everything = "".join(places.values()) + str(letter["To"])
        assert set(re.findall(r"reader\d+@readers\d\.test", everything)) == {one["to"]}
    assert len({one["message_id"] for one in world}) == len(world)
