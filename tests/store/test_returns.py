"""What comes back, in the ledger: once, believed only where proved, and what follows for people and editions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from syndicate import returning
from syndicate.bounces import Marks, Report, Sort
from syndicate.letter import message_id
from syndicate.returning import Outcome, apply_all
from syndicate.signer import Keys, ReturnPaths, Signer
from syndicate.store import pauses, people, returns, stories, subscribers, suppressing
from syndicate.store.database import Store
from syndicate.store.schema import deliveries as deliveries_table
from syndicate.store.schema import letters as letters_table
from syndicate.store.schema import mailings as mailings_table
from syndicate.store.schema import returns as returns_table
from syndicate.store.subscribers import address_hash
from syndicate.subscriber import State
from tests.store.rows import DAY, HOUR, MINUTE, NOON, SECRET, add, leave, person
from tests.store.test_aftermath import MANY, edition, kept_away, state_of

KEYS = Keys(reading=(SECRET,))
PATHS = ReturnPaths("bounce@news.example.net", SECRET)
SIGNER = Signer(SECRET)
DOMAIN = "example.net"


def number_of(store: Store, name: str) -> int:
    return int(person(store, f"{name}@example.net")["id"])


def sent(store: Store, number: int, *names: str, at: datetime = NOON, over: bool = True) -> int:
    """An edition whose letters were all accepted."""
    delivery = edition(store, number, *names, at=at)
    d, mine = deliveries_table.c, letters_table.c.delivery == delivery

    def write(connection: Any) -> None:
        connection.execute(update(letters_table).where(mine).values(state="sent", sent_at=at + MINUTE, due_at=None))
        if over:
            connection.execute(update(deliveries_table).where(d.id == delivery).values(state="sent", sent_at=at))

    store.write_now(write)
    return delivery


def report(event: str = "e", sort: Sort = Sort.FAILED, **said: Any) -> Report:
    values = {"code": 550, "status": "5.1.1", "words": "no such user"} if sort is Sort.FAILED else {"words": "abuse"}
    marks = Marks(**{name: said.pop(name) for name in ("paths", "tokens", "message_ids", "addresses") if name in said})
    return Report(sort=sort, event=event, marks=marks, **{"provider": "dsn"} | values | said)


def bring(store: Store, *reports: Report, at: datetime = NOON + HOUR, **how: bool) -> list[Outcome]:
    told = store.write_now(returning.take, KEYS, reports, "as it came", at, **how)
    apply_all(store, SECRET, at)
    return told


def rows(store: Store) -> list[Any]:
    return store.read_now(lambda c: list(c.execute(select(returns_table).order_by(returns_table.c.id))))


# --- whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["path", "token", "token alone", "message id"])
def test_a_mark_of_ours_names_person_and_delivery(store: Store, mark: str) -> None:
    first, second = sent(store, 1, "ada", "bo"), sent(store, 2, at=NOON + MINUTE)
    ada = number_of(store, "ada")
    ours = message_id(SECRET, first, ada, DOMAIN)
    marks: dict[str, dict[str, Any]] = {
        "path": {"paths": PATHS.of(first, ada)},
        "token": {"tokens": (SIGNER.token("unsubscribe", ada),), "message_ids": (ours,)},
        "token alone": {"tokens": (SIGNER.token("unsubscribe", ada),)},
        "message id": {"addresses": ("bo@elsewhere.example", "ADA@example.net"), "message_ids": ("<x@y>", ours)},
    }
    (told,) = bring(store, report(**marks[mark]))
    named = None if mark == "token alone" else first
    assert (told.email, told.delivery, told.proved, told.kind) == ("ada@example.net", named, True, "hard")
    assert state_of(store, "ada") == ("bounced", "5.1.1 no such user")
    assert state_of(store, "bo") == ("active", None)
    assert kept_away(store) == [("bounced", named, "dsn")]
    (row,) = rows(store)
    assert (row.subscriber, row.delivery, row.proved, row.applied_at) == (ada, named, True, NOON + HOUR)
    assert (row.letter is not None) == (named is not None)
    assert second > first


def test_a_letter_of_before_a_change_of_the_secret_comes_back_as_ever(store: Store) -> None:
    delivery = sent(store, 1, "ada", "bo", "cy")
    newer = b"the secret of a year later"
    ring = Keys(reading=(newer, SECRET))
    numbers = {name: number_of(store, name) for name in ("ada", "bo", "cy")}
    marks: dict[str, dict[str, Any]] = {
        "ada": {"paths": PATHS.of(delivery, numbers["ada"])},
        "bo": {"tokens": (SIGNER.token("unsubscribe", numbers["bo"]),)},
        "cy": {
            "tokens": (Signer(newer).token("unsubscribe", numbers["cy"]),),
            "message_ids": (message_id(SECRET, delivery, numbers["cy"], DOMAIN),),
        },
    }
    reports = [report(name, **marks[name]) for name in marks]
    told = store.write_now(returning.take, ring, reports, "as it came", NOON + HOUR)
    apply_all(store, ring.lasting, NOON + HOUR)
    assert [(one.email, one.delivery, one.proved) for one in told] == [
        ("ada@example.net", delivery, True),
        ("bo@example.net", None, True),
        ("cy@example.net", delivery, True),
    ]
    assert {state_of(store, name)[0] for name in marks} == {"bounced"}


FORGED: list[dict[str, Any]] = [
    {"addresses": ("ada@example.net",)},
    {"addresses": ("ada@example.net",), "message_ids": (message_id(b"another secret of all", 1, 1, DOMAIN),)},
    {"paths": ReturnPaths("b@x", b"another secret of all").of(1, 1)},
    {"tokens": (Signer(b"another secret of all").token("unsubscribe", 1),)},
    {"tokens": (SIGNER.token("preferences", 1),)},  # opens another door
]


@pytest.mark.parametrize("marks", FORGED, ids=range(len(FORGED)))
@pytest.mark.parametrize("sort", [Sort.FAILED, Sort.COMPLAINT])
def test_a_forged_report_stops_nobody_however_often(store: Store, marks: dict[str, Any], sort: Sort) -> None:
    for number in range(1, 8):
        sent(store, number, *(["ada"] if number == 1 else []), at=NOON + number * 3 * DAY)
        (told,) = bring(store, report(str(number), sort, **marks), at=NOON + number * 3 * DAY + HOUR)
        assert not told.proved
    soft = {"code": 452, "status": "4.2.2"} if sort is Sort.FAILED else {}
    bring(store, report("soft", sort, **marks, **soft), at=NOON + 30 * DAY)
    assert state_of(store, "ada") == ("active", None)
    assert kept_away(store) == []
    assert len(rows(store)) == 8  # but it is kept, and shown
    assert all(row.applied_at for row in rows(store))


def test_who_vouches_is_believed_about_an_address_alone(store: Store) -> None:
    sent(store, 1, "ada")
    later = sent(store, 2, at=NOON + DAY)
    one = report(addresses=("ada@example.net",), at=NOON + DAY + MINUTE)
    (told,) = bring(store, one, at=NOON + 2 * DAY, vouched=True)
    assert (told.proved, told.delivery) == (True, later)  # the last that was sent before
    assert state_of(store, "ada")[0] == "bounced"


@pytest.mark.parametrize(("later", "believed"), [(DAY, True), (13 * DAY, True), (15 * DAY, False)])
def test_without_a_return_path_an_address_is_believed_while_its_letter_is_fresh(
    store: Store, later: timedelta, believed: bool
) -> None:
    delivery = sent(store, 1, "ada")
    (told,) = bring(store, report(addresses=("ada@example.net",)), at=NOON + later, marked=False)
    assert (told.proved, told.delivery) == (believed, delivery)
    assert state_of(store, "ada")[0] == ("bounced" if believed else "active")


def test_an_event_that_comes_before_the_letter_is_noted_as_sent_finds_it(store: Store) -> None:
    delivery = edition(store, 1, "ada")
    store.write_now(lambda c: c.execute(update(letters_table).values(state="claimed")))
    (told,) = bring(store, report(addresses=("ada@example.net",)), at=NOON, vouched=True)
    assert told.delivery == delivery
    assert state_of(store, "ada")[0] == "bounced"


OF_NOBODY: list[dict[str, Any]] = [
    {},
    {"addresses": ("x", "nobody@example.net")},
    {"paths": PATHS.of(0, 0)},
    {"paths": PATHS.of(2**62, 2**63)},
    {"tokens": (SIGNER.token("unsubscribe", 0),)},
]


def test_a_report_of_nobody_is_kept_and_harms_nobody(store: Store) -> None:
    sent(store, 1, "ada")
    for number, marks in enumerate(OF_NOBODY):
        (told,) = bring(store, report(str(number), **marks))
        assert told.email is None
    assert len(rows(store)) == 5
    assert state_of(store, "ada") == ("active", None)


def test_of_an_erased_person_nothing_comes_back(store: Store) -> None:
    delivery = sent(store, 1, "ada")
    ada = number_of(store, "ada")
    store.write_now(subscribers.erase, "ada@example.net")
    bring(store, report(paths=PATHS.of(delivery, ada), words="ada@example.net is gone"))
    (row,) = rows(store)
    assert (row.subscriber, row.answer, row.raw) == (None, None, None)


# --- once -------------------------------------------------------------------------------------------------------------


def test_what_comes_twice_counts_once_and_in_any_order(store: Store) -> None:
    delivery = sent(store, 1, "ada")
    path = PATHS.of(delivery, number_of(store, "ada"))
    bounce, complaint = report("1", paths=path), report("2", Sort.COMPLAINT, provider="arf", paths=path)
    told = bring(store, bounce, complaint, bounce) + bring(store, complaint)
    assert [one.known for one in told] == [False, False, True, True]
    assert state_of(store, "ada") == ("complained", "abuse")
    assert kept_away(store) == [("complained", delivery, "arf")]
    bring(store, report("3", paths=path))  # a later bounce makes nothing less of it
    assert state_of(store, "ada") == ("complained", "abuse")


@pytest.mark.parametrize("left", [State.UNSUBSCRIBED, State.BOUNCED])
def test_a_complaint_says_more_than_leaving_and_a_bounce_does_not(store: Store, left: State) -> None:
    delivery = sent(store, 1, "ada", "bo")
    for name in ("ada", "bo"):
        leave(store, f"{name}@example.net", left)
    bring(store, report("1", Sort.COMPLAINT, paths=PATHS.of(delivery, number_of(store, "ada"))),
          report("2", paths=PATHS.of(delivery, number_of(store, "bo"))))  # fmt: skip
    assert state_of(store, "ada") == ("complained", "abuse")
    assert state_of(store, "bo") == (left, "by link")


def test_a_program_that_dies_between_storing_and_applying_loses_nothing(store: Store) -> None:
    delivery = sent(store, 1, "ada")
    one = report(paths=PATHS.of(delivery, number_of(store, "ada")))
    store.write_now(returning.take, KEYS, [one], "as it came", NOON)
    assert state_of(store, "ada")[0] == "active"
    assert store.read_now(returns.is_open)
    store.write_now(returning.take, KEYS, [one], "as it came", NOON + HOUR)  # they send it again
    apply_all(store, SECRET, NOON + HOUR)
    assert state_of(store, "ada")[0] == "bounced"
    assert not store.read_now(returns.is_open)


@pytest.mark.parametrize("back", ["added again", "forgiven"])
def test_who_came_back_is_not_driven_away_by_a_report_from_before(store: Store, back: str) -> None:
    delivery = sent(store, 1, "ada")
    path = PATHS.of(delivery, number_of(store, "ada"))
    bring(store, report("1", paths=path))
    store.write_now(
        lambda c: c.execute(update(subscribers.subscribers).values(state="active", since=NOON + DAY, reason=None))
    )
    bring(store, report("2", paths=path), at=NOON + 2 * DAY)
    assert state_of(store, "ada") == ("active", None)
    second = sent(store, 2, at=NOON + 3 * DAY)
    bring(store, report("3", paths=PATHS.of(second, number_of(store, "ada"))), at=NOON + 4 * DAY)
    assert state_of(store, "ada")[0] == "bounced"
    assert back


# --- soft, and waves --------------------------------------------------------------------------------------------------


def test_five_editions_in_a_row_that_came_back_end_it_and_one_that_stayed_begins_anew(store: Store) -> None:
    for number in range(1, 10):
        at = NOON + number * 3 * DAY
        delivery = sent(store, number, *(["ada", "bo"] if number == 1 else []), at=at)
        for name in ("ada", "bo"):
            if name == "bo" and number == 4:
                continue  # that one reached him
            path = PATHS.of(delivery, number_of(store, name))
            full = report(f"{name}{number}", paths=path, code=452, status="4.2.2", words="4.2.2 mailbox full")
            again = report(f"{name}{number}b", paths=path, code=452, status="4.2.2", words="4.2.2 mailbox full")
            bring(store, full, again, at=at + HOUR)
        states = state_of(store, "ada")[0], state_of(store, "bo")[0]
        assert states == ("bounced" if number >= 5 else "active", "bounced" if number == 9 else "active"), number
    assert "5 editions in a row" in (state_of(store, "ada")[1] or "")


def test_what_a_server_holds_against_us_stops_nobody(store: Store) -> None:
    delivery = sent(store, 1, "ada")
    path = PATHS.of(delivery, number_of(store, "ada"))
    (told,) = bring(store, report(paths=path, status="5.7.1", words="5.7.1 blocked"))
    assert (told.kind, state_of(store, "ada")[0]) == ("other", "active")


def test_a_wave_that_comes_back_stops_the_edition_and_can_be_forgiven(store: Store) -> None:
    delivery = sent(store, 1, *MANY, over=False)
    store.write_now(lambda c: c.execute(update(mailings_table).values(total=1000, settled=100)))
    reports = [report(name, paths=PATHS.of(delivery, number_of(store, name))) for name in MANY[:20]]
    bring(store, *reports[:19])
    assert store.read_now(pauses.standing) == {}
    bring(store, reports[19])
    assert "20 of 100 addresses do not exist" in store.read_now(pauses.standing)["digest:weekly"]
    resumed = store.write_now(suppressing.resume, "digest:weekly", NOON + DAY, SECRET)
    assert resumed.forgiven == 20
    assert {state_of(store, name)[0] for name in MANY} == {"active"}
    assert kept_away(store) == []
    bring(store, *[report(f"{one.event}b", paths=one.marks.paths) for one in reports], at=NOON + 2 * DAY)
    assert {state_of(store, name)[0] for name in MANY} == {"active"}


def test_an_edition_that_is_out_is_not_stopped_any_more(store: Store) -> None:
    delivery = sent(store, 1, *MANY)
    bring(store, *[report(name, paths=PATHS.of(delivery, number_of(store, name))) for name in MANY])
    assert store.read_now(pauses.standing) == {}
    assert state_of(store, MANY[0])[0] == "bounced"


# --- told, and forgotten ----------------------------------------------------------------------------------------------


def test_the_story_of_a_person_tells_what_came_back(store: Store) -> None:
    delivery = sent(store, 1, "ada")
    path = PATHS.of(delivery, number_of(store, "ada"))
    bring(
        store,
        report(paths=path, words="550 5.1.1 Ada@Example.net\0: who\ud800?"),
        report("2", Sort.COMPLAINT, paths=path),
    )
    hashed = address_hash(SECRET, "ada@example.net")
    events = store.read_now(stories.of_person, "ada@example.net", hashed)
    assert events is not None
    told = [event.text for event in events if event.what == "return"]
    assert told[0].startswith(f"dsn: hard of delivery {delivery}: 5.1.1 550 5.1.1 …: who")
    assert told[1] == f"dsn: complaint of delivery {delivery}: abuse"
    everything = store.read_now(people.everything, "ada@example.net", hashed)
    assert everything is not None
    assert [one["kind"] for one in everything["returns"]] == ["hard", "complaint"]


def test_a_report_is_kept_as_it_came_for_thirty_days(store: Store) -> None:
    sent(store, 1, "ada")
    bring(store, report(addresses=("ada@example.net",)))
    assert [row.raw for row in rows(store)] == ["as it came"]
    assert not store.read_now(returns.is_faded, NOON + 30 * DAY)
    assert store.read_now(returns.is_faded, NOON + 31 * DAY)
    assert store.write_now(returns.fade, NOON + 31 * DAY) == 1
    assert [(row.raw, row.kind) for row in rows(store)] == [(None, "hard")]


def test_what_is_kept_can_be_stored_anywhere_and_is_no_longer_than_it_may_be(store: Store) -> None:
    one = report(words="a\0b\ud800")
    store.write_now(returning.take, KEYS, [one], "\0\ud800" + "x" * 100_000, NOON)
    (row,) = rows(store)
    assert (row.answer, len(row.raw)) == ("ab?", returns.RAW_LIMIT)
    assert add(store, "ada@example.net") == "added"
