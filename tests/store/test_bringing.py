"""Lists of people: as one by one, but in a few statements, and whole batches or nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, event, select

from syndicate import crashpoint
from syndicate.store import bringing, confirmations, people, stories, subscribers, wishes
from syndicate.store.bringing import Newcomer
from syndicate.store.database import Store
from syndicate.store.schema import confirmations as asked_table
from syndicate.store.schema import returns, suppressions
from syndicate.store.schema import subscribers as table
from syndicate.store.schema import wishes as wishes_table
from syndicate.subscriber import State, parse_address
from tests.store.conftest import Database, only
from tests.store.rows import HOUR, NOON, SECRET, add, leave, person

VOUCHED = {"at": NOON.isoformat(), "from": "import of x.csv", "shown": "the owner vouches"}


def one(who: str, state: State = State.ACTIVE, *, digests: Sequence[str] = ("weekly",), **more: Any) -> Newcomer:
    address = parse_address(f"{who}@example.net")
    return Newcomer(address=address, state=state, digests=tuple(digests), consent=VOUCHED, **more)


def bring(store: Store, *newcomers: Newcomer, how: Any = bringing.bring) -> dict[str, int]:
    found: Counter[str] = store.write_now(how, list(newcomers), secret=SECRET, now=NOON)
    return dict(found)


def everybody(store: Store) -> list[dict[str, Any]]:
    return store.read_now(lambda connection: sorted(subscribers.listing(connection), key=lambda it: str(it["email"])))


def kept_out(store: Store) -> dict[str, str]:
    return store.read_now(lambda c: {row.address_hash: row.reason for row in c.execute(select(suppressions))})


def one_by_one(connection: Connection, newcomers: Sequence[Newcomer]) -> Counter[str]:
    return Counter(
        subscribers.add(
            connection, it.address, name=it.name, tags=it.tags, state=it.state, digests=it.digests, consent=it.consent,
            hashed=subscribers.address_hash(SECRET, it.address.key), now=NOON, lifts=False,
        )
        for it in newcomers
    )  # fmt: skip


LISTED = st.lists(
    st.builds(
        one,
        st.sampled_from(["ada", "Ada", "bo", "cy", "dee"]),
        st.sampled_from(list(State)),
        digests=st.sampled_from([("weekly",), ("daily", "weekly"), ()]),
        name=st.sampled_from(["", "Ann"]),
    ),
    max_size=8,
)


@only("sqlite")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([one("ada")], [one("ada", State.UNSUBSCRIBED), one("ada", State.PENDING)])
@given(LISTED, LISTED)
def test_a_list_does_what_its_lines_one_by_one_would_do(
    store: Store, before: list[Newcomer], then: list[Newcomer]
) -> None:
    ends = []
    for how in (lambda c, listed: bringing.bring(c, listed, secret=SECRET, now=NOON), one_by_one):
        store.write_now(lambda c: [c.execute(delete(it)) for it in (table, suppressions)])
        counted = [+store.write_now(how, listed) for listed in (before, then)]
        ends.append((counted, everybody(store), kept_out(store)))
    assert ends[0] == ends[1]


def test_everybody_of_a_list_is_there_once_with_what_the_list_says(store: Store) -> None:
    rest = NOON + HOUR
    found = bring(
        store, one("ada", name="Ada", tags="vip"), one("bo", State.PENDING), one("cy", State.BOUNCED, digests=()),
        one("ADA", digests=("daily",)), one("dee", digests=(), paused_until=rest), one("ada", State.UNSUBSCRIBED),
    )  # fmt: skip
    assert found == {"added": 2, "pending": 1, "bounced": 1, "updated": 1, "unsubscribed": 1}
    ada = person(store, "ada@example.net")
    assert (ada["name"], ada["tags"], ada["state"], ada["consent"]) == ("Ada", "vip", "unsubscribed", VOUCHED)
    assert ada["digests"] == ["daily", "weekly"]
    assert person(store, "dee@example.net")["paused_until"] == rest
    assert sorted(kept_out(store).values()) == ["bounced", "unsubscribed"]


def test_who_left_was_erased_or_was_never_there_but_kept_out_stays_away(store: Store) -> None:
    bring(store, one("ada"), one("bo"))
    leave(store, "ada@example.net")
    leave(store, "bo@example.net", State.COMPLAINED)
    number = person(store, "bo@example.net")["id"]
    store.write_now(subscribers.erase, "bo@example.net")
    assert bring(store, one("ada"), one("bo"), one("cy"), one("bo", State.PENDING)) == {"suppressed": 3, "added": 1}
    assert [(it["email"], it["state"]) for it in everybody(store)] == [
        ("ada@example.net", "unsubscribed"),
        ("cy@example.net", "active"),
    ]
    assert person(store, "cy@example.net")["id"] > number


def test_the_statements_do_not_grow_with_the_list(store: Store) -> None:
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    counts = []
    event.listen(Engine, "before_cursor_execute", note)
    try:
        for size in (10, 500):
            for again in ("added", "known"):
                said.clear()
                assert bring(store, *(one(f"p{size}-{number}") for number in range(size))) == {again: size}
                counts.append(len(said))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert counts[:2] == counts[2:]
    assert max(counts) <= 10


def test_a_list_that_is_cut_off_leaves_whole_batches_and_is_done_by_a_second_run(store: Store) -> None:
    def die(name: str) -> None:
        if name == "import.batch":
            raise KeyboardInterrupt

    bring(store, one("ada"))
    crashpoint.arm(die)
    try:
        with pytest.raises(KeyboardInterrupt):
            bring(store, one("bo"), one("cy", State.BOUNCED))
    finally:
        crashpoint.arm(None)
    assert [it["email"] for it in everybody(store)] == ["ada@example.net"]
    assert kept_out(store) == {}
    assert bring(store, one("ada"), one("bo"), one("cy", State.BOUNCED)) == {"known": 1, "added": 1, "bounced": 1}


def test_who_leaves_or_is_erased_while_a_list_is_brought_is_not_brought_back(database: Database) -> None:
    """On both kinds of database, ten times, at once."""
    ours, theirs = database.open(), database.open()
    for turn in range(10):
        name = f"p{turn}"
        add(ours, f"{name}@example.net")
        number = person(ours, f"{name}@example.net")["id"]

        def go(name: str = name, number: int = number) -> None:
            def end(connection: Connection) -> None:
                subscribers.leave(connection, number, State.UNSUBSCRIBED, "x", SECRET, NOON)
                subscribers.erase(connection, f"{name}@example.net")

            theirs.write_now(end)

        leaving = threading.Thread(target=go)
        leaving.start()
        bring(ours, *(one(f"other{turn}-{number}") for number in range(20)), one(name))
        leaving.join()
        assert [it for it in everybody(ours) if it["email"] == f"{name}@example.net"] == []


def test_one_address_in_two_lists_at_once_is_one_person(database: Database) -> None:
    stores = [database.open() for _ in range(2)]
    names = [f"p{number}" for number in range(50)]
    done: list[dict[str, int]] = []
    threads = [
        threading.Thread(target=lambda s=s, n=n: done.append(bring(s, *map(one, n))))
        for s, n in zip(stores, (names, names[::-1]), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(Counter, done), Counter()) == {"added": 50, "known": 50}
    assert all(it["digests"] == ["weekly"] for it in everybody(stores[0]))


# --- asked first ------------------------------------------------------------------------------------------------------


def test_who_is_to_confirm_is_asked_and_gets_nothing_until_then(store: Store) -> None:
    bring(store, one("ada"), one("bo"))
    leave(store, "bo@example.net")
    listed = (one("ada"), one("bo"), one("cy", name="Cy"), one("dee", State.UNSUBSCRIBED))
    assert bring(store, *listed, how=bringing.ask) == {"known": 1, "suppressed": 1, "asked": 1, "unsubscribed": 1}
    assert bring(store, *listed, how=bringing.ask) == {"known": 2, "suppressed": 1, "limited": 1}
    cy = person(store, "cy@example.net")
    assert (cy["state"], cy["name"], cy["digests"]) == ("pending", "Cy", [])
    assert store.read_now(subscribers.audience, "weekly", NOON) == 1
    assert len(store.write_now(confirmations.claim, "me", NOON, 9)) == 1


# --- told and forgotten -----------------------------------------------------------------------------------------------


def test_all_that_is_kept_of_a_person_is_told_and_leaves_with_him(store: Store) -> None:
    bring(store, one("ada"), how=bringing.ask)
    number = person(store, "ada@example.net")["id"]
    store.write_now(wishes.note, number, "chose", {"from": "192.0.2.9", "digests": ["weekly"]}, NOON + HOUR)
    report = {
        "provider": "dsn", "event": "e1", "received_at": NOON + 2 * HOUR, "kind": "soft", "subscriber": number,
        "proved": True, "status": "4.2.2", "answer": "ada@example.net is full", "raw": "To: ada@example.net",
    }  # fmt: skip
    store.write_now(lambda connection: connection.execute(returns.insert().values(report)))
    hashed = subscribers.address_hash(SECRET, "ada@example.net")
    told = store.read_now(people.everything, "ada@example.net", hashed)
    assert told is not None
    assert [it["what"] for it in told["wishes"]] == ["asked", "chose"]
    assert [(it["raw"], it["kind"]) for it in told["returns"]] == [("To: ada@example.net", "soft")]
    assert [it["consent"] for it in told["asked"]] == [VOUCHED]
    events = store.read_now(stories.of_person, "ada@example.net", hashed)
    assert events is not None
    words = [(it.what, it.text) for it in events]
    assert ("wish", "chose: from 192.0.2.9, digests weekly") in words
    assert ("return", "dsn: soft: 4.2.2 ada@example.net is full") in words
    assert "asked" in dict(words)
    store.write_now(subscribers.erase, "ada@example.net")
    left = str(store.read_now(lambda c: [c.execute(select(it)).all() for it in (returns, wishes_table, asked_table)]))
    assert "ada" not in left and "192.0.2.9" not in left and hashed in left
    after = store.read_now(stories.of_person, "ada@example.net", hashed)
    assert after is not None
    assert [it.what for it in after] == ["asked", "person"]
