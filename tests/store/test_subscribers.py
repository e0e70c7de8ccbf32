"""People: the same one under every spelling, and nobody back who left unless the owner says so."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Connection, select

from syndicate.store import subscribers, wishes
from syndicate.store.database import Store
from syndicate.store.schema import subscribers as people_table
from syndicate.store.schema import suppressions
from syndicate.subscriber import State
from tests.store.rows import HOUR, NOON, SECRET, add, leave, person


def import_(store: Store, email: str, state: State = State.ACTIVE, **more: object) -> str:
    return add(store, email, lifts=False, state=state, **more)


def hashes(store: Store) -> dict[str, str]:
    def read(connection: Connection) -> dict[str, str]:
        return {row.address_hash: row.reason for row in connection.execute(select(suppressions))}

    return store.read_now(read)


def test_a_person_is_added_once(store: Store) -> None:
    assert add(store, "ada@example.net", name="Ada") == "added"
    assert add(store, "ada@example.net") == "known"
    assert person(store, "ada@example.net")["name"] == "Ada"
    assert store.read_now(subscribers.counts) == {"active": 1}


@pytest.mark.parametrize("same", ["ADA@example.net", "ada@EXAMPLE.NET", "Ada@Example.Net"])
def test_case_makes_no_other_person(store: Store, same: str) -> None:
    add(store, "ada@example.net")
    assert add(store, same) == "known"


def test_a_domain_is_the_same_in_letters_and_in_ascii(store: Store) -> None:
    add(store, "ada@bücher.example")
    assert add(store, "ada@xn--bcher-kva.example") == "known"


def test_a_name_is_filled_in_and_never_written_over(store: Store) -> None:
    add(store, "ada@example.net")
    assert add(store, "ada@example.net", name="Ada") == "updated"
    assert add(store, "ada@example.net", name="Somebody") == "known"
    assert person(store, "ada@example.net")["name"] == "Ada"


def test_another_digest_is_added_to_those_he_has(store: Store) -> None:
    add(store, "ada@example.net", digests=("weekly",))
    assert add(store, "ada@example.net", digests=("daily",)) == "updated"
    assert person(store, "ada@example.net")["digests"] == ["daily", "weekly"]


@pytest.mark.parametrize("left", [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED])
def test_an_import_brings_nobody_back(store: Store, left: State) -> None:
    add(store, "ada@example.net")
    leave(store, "ada@example.net", left)
    assert import_(store, "ADA@example.net") == "suppressed"
    assert person(store, "ada@example.net")["state"] == left
    assert store.read_now(subscribers.audience, "weekly", NOON) == 0


def test_an_explicit_act_for_this_one_address_brings_him_back(store: Store) -> None:
    add(store, "ada@example.net")
    leave(store, "ada@example.net")
    assert add(store, "ada@example.net", now=NOON + HOUR, consent={"by": "the act"}) == "updated"
    found = person(store, "ada@example.net")
    assert (found["state"], found["reason"], found["since"]) == ("active", None, NOON + HOUR)
    assert found["consent"] == {"by": "the act"}
    assert hashes(store) == {}
    assert import_(store, "ada@example.net") == "known"


def test_erasure_leaves_a_hash_and_nothing_else(store: Store) -> None:
    add(store, "ada@example.net", name="Ada")
    leave(store, "ada@example.net")
    assert store.write_now(subscribers.erase, "ada@example.net")
    assert not store.write_now(subscribers.erase, "ada@example.net")
    assert store.read_now(subscribers.by_key, "ada@example.net") is None
    [kept] = hashes(store)
    assert kept == subscribers.address_hash(SECRET, "ada@example.net")
    assert "ada" not in kept
    assert import_(store, "ada@example.net") == "suppressed"


def test_lists_of_leavers_keep_people_out_for_good(store: Store) -> None:
    assert import_(store, "bo@example.net", State.BOUNCED) == "bounced"
    assert import_(store, "bo@example.net") == "suppressed"
    add(store, "cy@example.net")
    assert import_(store, "cy@example.net", State.UNSUBSCRIBED) == "unsubscribed"
    assert person(store, "cy@example.net")["state"] == "unsubscribed"
    assert import_(store, "cy@example.net") == "suppressed"


def test_leaving_twice_changes_nothing(store: Store) -> None:
    add(store, "ada@example.net")
    leave(store, "ada@example.net", State.COMPLAINED)
    leave(store, "ada@example.net", State.UNSUBSCRIBED)
    assert person(store, "ada@example.net")["state"] == "complained"
    assert list(hashes(store).values()) == ["complained"]


def test_nobody_leaves_who_is_not_there(store: Store) -> None:
    assert not store.write_now(subscribers.leave, 99, State.UNSUBSCRIBED, "by link", SECRET, NOON)


def test_a_hash_tells_nothing_without_the_secret() -> None:
    one = subscribers.address_hash(b"one", "ada@example.net")
    assert one != subscribers.address_hash(b"two", "ada@example.net")
    assert one == subscribers.address_hash(b"one", "ada@example.net")


def test_the_list_is_read_in_batches_and_whole(store: Store) -> None:
    for number in range(7):
        add(store, f"p{number}@example.net", digests=("weekly", "daily"))
    found = store.read_now(lambda connection: list(subscribers.listing(connection, batch=3)))
    assert [one["email"] for one in found] == [f"p{number}@example.net" for number in range(7)]
    assert all(one["digests"] == ["daily", "weekly"] for one in found)


def test_an_audience_is_who_is_active_and_chose_it(store: Store) -> None:
    add(store, "ada@example.net")
    add(store, "bo@example.org", digests=("daily",))
    add(store, "cy@example.org", state=State.PENDING)
    add(store, "dee@example.com")
    leave(store, "dee@example.com")
    assert store.read_now(subscribers.audience, None, NOON) == 2
    assert store.read_now(subscribers.audience, "weekly", NOON) == 1
    assert store.read_now(subscribers.audience, "new", NOON) == 0
    domains = store.read_now(lambda connection: sorted(subscribers.domains(connection)))
    assert domains == ["example.net", "example.org"]


def test_an_address_is_stored_as_given_with_its_domain_in_ascii(store: Store) -> None:
    add(store, "Ada.Lovelace@bücher.example")
    emails = store.read_now(lambda connection: connection.scalars(select(people_table.c.email)).all())
    assert emails == ["Ada.Lovelace@xn--bcher-kva.example"]


# --- their say --------------------------------------------------------------------------------------------------------


def choose(store: Store, email: str, *digests: str, until: datetime | None = None, at: datetime = NOON) -> bool:
    return store.write_now(subscribers.choose, person(store, email)["id"], digests, until, at)


def test_what_somebody_chooses_is_what_he_gets(store: Store) -> None:
    add(store, "ada@example.net", digests=("weekly", "daily"))
    add(store, "bob@example.net", digests=("weekly",))
    assert choose(store, "ada@example.net", "daily", "each", "daily")
    assert person(store, "ada@example.net")["digests"] == ["daily", "each"]
    assert person(store, "bob@example.net")["digests"] == ["weekly"]
    assert choose(store, "ada@example.net")
    assert person(store, "ada@example.net")["digests"] == []


def test_a_rest_lasts_up_to_its_end_and_hides_from_every_count(store: Store) -> None:
    add(store, "ada@example.net")
    assert choose(store, "ada@example.net", "weekly", until=NOON + HOUR)
    assert person(store, "ada@example.net")["paused_until"] == NOON + HOUR
    seen = [store.read_now(subscribers.audience, "weekly", NOON + part * HOUR) for part in (0, 0.999, 1)]
    assert seen == [0, 0, 1]
    assert choose(store, "ada@example.net", "weekly")
    assert store.read_now(subscribers.audience, "weekly", NOON) == 1
    assert choose(store, "ada@example.net", "weekly", until=NOON)  # over when it begins
    assert person(store, "ada@example.net")["paused_until"] is None


@pytest.mark.parametrize("state", [State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED])
def test_nobody_comes_back_by_choosing(store: Store, state: State) -> None:
    import_(store, "ada@example.net", state)
    assert not choose(store, "ada@example.net", "daily")
    found = person(store, "ada@example.net")
    assert (found["state"], "daily" in found["digests"]) == (state, False)


def test_a_wish_is_kept_as_it_was_said(store: Store) -> None:
    add(store, "ada@example.net")
    one = person(store, "ada@example.net")["id"]
    store.write_now(wishes.note, one, "asked", {"from": "form", "shown": "Every Friday, ünd"}, NOON)
    store.write_now(wishes.note, one, "chose", {"digests": ["weekly"]}, NOON + HOUR)
    assert store.read_now(wishes.of_person, one) == [
        {"at": NOON, "what": "asked", "told": {"from": "form", "shown": "Every Friday, ünd"}},
        {"at": NOON + HOUR, "what": "chose", "told": {"digests": ["weekly"]}},
    ]
