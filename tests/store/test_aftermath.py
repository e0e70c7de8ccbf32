"""What verdicts mean beyond their letters: who is kept away, what stops an edition, and how that is undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.store import aftermath, letters, mailings, pauses, retention, subscribers, suppressing
from syndicate.store.database import Store
from syndicate.store.letters import CHANNEL, note_attempt
from syndicate.store.schema import editions, returns, suppressions
from syndicate.store.schema import letters as letters_table
from syndicate.store.schema import mailings as mailings_table
from syndicate.store.schema import subscribers as people
from syndicate.subscriber import State
from tests.store.rows import DAY, MINUTE, NOON, SECRET, add, begin, frozen, join, leave, letter_rows, person

FAILED, DUE, EXPIRED = LetterState.FAILED, LetterState.DUE, LetterState.EXPIRED
KEY = "digest:weekly"


def edition(store: Store, number: int, *names: str, at: datetime = NOON) -> int:
    """A frozen and counted edition to everybody; `names` join before."""
    if number == 1:
        begin(store, channels=(CHANNEL,))
    join(store, *names)
    delivery, people = frozen(store, subject=f"weekly-{number}", at=at)
    made = {"slug": f"weekly-{number}", "digest": "weekly", "until": at, "state": "frozen", "live": True, "made_at": at}
    store.write_now(lambda c: c.execute(editions.insert().values(made)))
    store.write_now(mailings.open, delivery, people)
    return delivery


def settle(
    store: Store, delivery: int, *names: str, accepted: int = 0, at: datetime = NOON, state: LetterState = FAILED,
    code: int = 550, answer: str = "no such user", **said: Any,
) -> None:  # fmt: skip
    """The ledger is told that `accepted` letters are away, and what became of these people's."""

    def write(connection: Connection) -> None:
        others: list[tuple[LetterSettlement, int]] = []
        for row in rows_of(connection, delivery, names):
            due = at + MINUTE if state is DUE else None
            number = row.attempts + 1
            one = LetterSettlement(letter=row.id, state=state, due_at=due, code=code, answer=answer, **said)
            values = {"state": state, "due_at": due, "attempts": number}
            connection.execute(update(letters_table).where(letters_table.c.id == row.id).values(values))
            note_attempt(connection, (delivery, row.id, number), state, at, status=code)
            others.append((one, row.subscriber))
        aftermath.follow(connection, delivery, accepted, others, SECRET, at)

    store.write_now(write)


def rows_of(connection: Connection, delivery: int, names: Sequence[str]) -> list[Any]:
    s = people
    query = select(letters_table).join_from(letters_table, s, s.c.id == letters_table.c.subscriber)
    emails = [f"{name}@example.net" for name in names]
    return list(connection.execute(query.where(letters_table.c.delivery == delivery, s.c.email.in_(emails))).all())


def state_of(store: Store, name: str) -> tuple[str, str | None]:
    found = person(store, f"{name}@example.net")
    return found["state"], found["reason"]


def kept_away(store: Store) -> list[tuple[str, int | None, str | None]]:
    def read(connection: Connection) -> list[tuple[str, int | None, str | None]]:
        query = select(suppressions.c.reason, suppressions.c.delivery, suppressions.c.via)
        return [tuple(row) for row in connection.execute(query)]

    return store.read_now(read)


def standing(store: Store) -> dict[str, str]:
    return store.read_now(pauses.standing)


# --- nobody there -----------------------------------------------------------------------------------------------------


def test_who_has_no_mailbox_gets_nothing_any_more_and_is_not_imported_again(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo")
    settle(store, delivery, "ada", accepted=1, person="hard", answer="5.1.1 no such user")
    assert state_of(store, "ada") == ("bounced", "550 5.1.1 no such user")
    assert state_of(store, "bo") == ("active", None)
    assert kept_away(store) == [("bounced", delivery, "smtp")]
    assert add(store, "Ada@example.net", lifts=False) == "suppressed"
    assert store.read_now(subscribers.audience, "weekly", NOON) == 1


@pytest.mark.parametrize("left", [State.UNSUBSCRIBED, State.COMPLAINED])
def test_who_had_left_meanwhile_stays_what_he_is(store: Store, left: State) -> None:
    delivery = edition(store, 1, "ada")
    leave(store, "ada@example.net", left)
    settle(store, delivery, "ada", person="hard")
    assert state_of(store, "ada") == (left, "by link")
    assert [reason for reason, *_ in kept_away(store)] == [left]


def test_nothing_is_noted_of_who_was_erased_meanwhile(store: Store) -> None:
    delivery = edition(store, 1, "ada")
    rows = store.read_now(lambda c: rows_of(c, delivery, ["ada"]))
    store.write_now(subscribers.erase, "ada@example.net")
    one = LetterSettlement(letter=rows[0].id, state=FAILED, code=550, answer="nobody", person="hard")
    store.write_now(aftermath.follow, delivery, 0, [(one, rows[0].subscriber)], SECRET, NOON)
    assert kept_away(store) == []


# --- a wave -----------------------------------------------------------------------------------------------------------

MANY = [f"p{number}" for number in range(30)]


def wave(store: Store, *, accepted: int = 0, nobody: int = 20) -> int:
    delivery = edition(store, 1, *MANY)
    store.write_now(lambda c: c.execute(update(mailings_table).values(total=1000)))
    settle(store, delivery, *MANY[:nobody], accepted=accepted, person="hard")
    return delivery


@pytest.mark.parametrize(
    ("nobody", "accepted", "stops"), [(20, 0, True), (19, 0, False), (20, 179, True), (20, 180, False), (30, 0, True)]
)
def test_a_wave_of_addresses_that_do_not_exist_stops_the_edition(
    store: Store, nobody: int, accepted: int, stops: bool
) -> None:
    wave(store, accepted=accepted, nobody=nobody)
    found = standing(store)
    assert set(found) == ({KEY} if stops else set())
    if stops:
        assert f"{nobody} of {nobody + accepted} addresses do not exist" in found[KEY]
        assert "`syndicate resume weekly --forgive`" in found[KEY]
        assert not store.read_now(pauses.is_open, [CHANNEL, KEY], NOON + DAY)  # no probe: a person decides


def test_an_edition_that_a_person_lets_go_on_is_not_stopped_again(store: Store) -> None:
    delivery = wave(store)
    done = store.write_now(suppressing.resume, KEY, NOON)
    assert (list(done.ended), done.forgiven) == ([KEY], 0)
    settle(store, delivery, *MANY[20:25], person="hard")
    assert standing(store) == {}
    assert state_of(store, "p0")[0] == state_of(store, "p24")[0] == "bounced"


def test_resuming_after_another_fault_leaves_an_edition_guarded(store: Store) -> None:
    delivery = wave(store, nobody=3)
    store.write_now(pauses.by_fault, CHANNEL, "535 wrong password", NOON)
    assert list(store.write_now(suppressing.resume, None, NOON).ended) == [CHANNEL]
    settle(store, delivery, *MANY[3:25], person="hard")
    assert set(standing(store)) == {KEY}


def test_an_edition_that_is_forgiven_takes_its_people_back_and_writes_to_them_again(store: Store) -> None:
    add(store, "gone@example.net", state=State.BOUNCED)
    delivery = wave(store)
    settle(store, delivery, "p25", person="")  # failed for another reason
    done = store.write_now(suppressing.resume, KEY, NOON, SECRET)
    assert (list(done.ended), done.forgiven) == ([KEY], 20)
    assert state_of(store, "p0") == ("active", None)
    assert state_of(store, "gone")[0] == "bounced"
    assert [reason for reason, _, via in kept_away(store) if via] == []
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"due": 29, "failed": 1}}
    settle(store, delivery, *MANY[:19], person="hard")  # counted from the beginning
    assert standing(store) == {}
    settle(store, delivery, "p19", person="hard")
    assert set(standing(store)) == {KEY}


def test_who_left_or_bounced_elsewhere_is_not_taken_back(store: Store) -> None:
    first = edition(store, 1, "ada", "bo")
    settle(store, first, "ada", person="hard")
    settle(store, edition(store, 2), "bo", person="hard")
    assert store.write_now(suppressing.resume, KEY, NOON, SECRET).forgiven == 1
    assert (state_of(store, "ada")[0], state_of(store, "bo")[0]) == ("bounced", "active")


def test_people_of_an_edition_long_over_are_taken_back_too(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo")
    settle(store, delivery, "ada", person="hard")
    settle(store, delivery, "bo", person="hard")
    store.write_now(letters.close, NOON)
    assert store.write_now(retention.fold, NOON + 30 * DAY) == 2
    assert store.write_now(suppressing.resume, KEY, NOON + 30 * DAY, SECRET).forgiven == 2
    assert (state_of(store, "ada")[0], state_of(store, "bo")[0]) == ("active", "active")


def test_forgiving_one_digest_leaves_another_alone(store: Store) -> None:
    delivery = edition(store, 1, "ada")
    settle(store, delivery, "ada", person="hard")
    assert store.write_now(suppressing.resume, "digest:daily", NOON, SECRET).forgiven == 0
    assert store.write_now(suppressing.resume, "linkedin", NOON, SECRET).forgiven == 0
    assert state_of(store, "ada")[0] == "bounced"


# --- blame ------------------------------------------------------------------------------------------------------------


def blame(store: Store, delivery: int, *names: str, at: datetime = NOON) -> None:
    settle(store, delivery, *names, state=DUE, answer="5.7.1 refused", blames=True, at=at)


def test_three_people_in_a_row_refused_for_what_we_are_pause_the_channel_for_all_workers(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo", "cy")
    blame(store, delivery, "ada")
    blame(store, delivery, "bo")
    assert standing(store) == {}
    blame(store, delivery, "cy")
    assert standing(store) == {CHANNEL: "5.7.1 refused: check email.sender, its DNS records and the text"}
    assert {row.state for row in letter_rows(store, delivery)} == {"due"}
    assert state_of(store, "cy") == ("active", None)


def test_an_accepted_letter_ends_the_row(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo", "cy", "dee")
    blame(store, delivery, "ada", "bo")
    settle(store, delivery, accepted=1)
    blame(store, delivery, "cy")
    assert standing(store) == {}


def test_the_same_few_refused_again_at_the_end_of_an_edition_are_no_row(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo", "cy")
    blame(store, delivery, "ada", "bo", "cy")
    settle(store, delivery, accepted=1)
    store.write_now(pauses.resume, CHANNEL)
    for minute in range(1, 5):
        blame(store, delivery, "ada", "bo", "cy", at=NOON + minute * MINUTE)
    assert standing(store) == {}


def test_who_resumes_without_mending_is_told_at_once(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo", "cy")
    blame(store, delivery, "ada", "bo", "cy")
    store.write_now(pauses.resume, CHANNEL)
    blame(store, delivery, "ada", at=NOON + MINUTE)
    assert set(standing(store)) == {CHANNEL}


def test_our_own_faults_fail_letters_and_pause_the_channel_as_well(store: Store) -> None:
    delivery = edition(store, 1, "ada", "bo", "cy")
    settle(store, delivery, "ada", "bo", "cy", code=503, answer="5.5.1 bad sequence", blames=True)
    assert set(standing(store)) == {CHANNEL}
    assert store.read_now(mailings.counts, [delivery]) == {delivery: {"failed": 3}}


# --- who could not be reached -----------------------------------------------------------------------------------------


def miss(store: Store, number: int, at: datetime, *, state: LetterState = FAILED) -> None:
    delivery = edition(store, number, at=at)
    settle(store, delivery, "ada", at=at, state=state, code=552, answer="5.2.2 full", person="soft")


def test_who_is_missed_by_five_editions_over_ten_days_gets_no_more(store: Store) -> None:
    edition(store, 1, "ada")
    for number in range(2, 6):
        miss(store, number, NOON + 3 * number * DAY)
    assert state_of(store, "ada")[0] == "active"
    miss(store, 6, NOON + 18 * DAY, state=EXPIRED)
    assert state_of(store, "ada") == (
        "bounced", "5 editions in a row could not reach him since 2026-11-29: 552 5.2.2 full",
    )  # fmt: skip


def test_five_editions_within_a_week_are_not_enough(store: Store) -> None:
    edition(store, 1, "ada")
    for number in range(2, 8):
        miss(store, number, NOON + number * DAY)
    assert state_of(store, "ada")[0] == "active"


def test_a_letter_that_arrived_ends_the_row_of_misses(store: Store) -> None:
    edition(store, 1, "ada")
    for number in range(2, 6):
        miss(store, number, NOON + 3 * number * DAY)
    arrived = edition(store, 6, at=NOON + 16 * DAY)
    sent = {"state": "sent", "sent_at": NOON + 16 * DAY, "due_at": None}
    store.write_now(lambda c: c.execute(update(letters_table).where(letters_table.c.delivery == arrived).values(sent)))
    for number in range(7, 11):
        miss(store, number, NOON + 3 * number * DAY)
    assert state_of(store, "ada")[0] == "active"
    miss(store, 11, NOON + 40 * DAY)
    assert state_of(store, "ada")[0] == "bounced"


def test_one_edition_misses_somebody_once_however_often_it_is_repeated(store: Store) -> None:
    delivery = edition(store, 1, "ada")
    for days in range(0, 20, 2):
        settle(store, delivery, "ada", code=552, person="soft", at=NOON + days * DAY)
    assert state_of(store, "ada")[0] == "active"
    assert store.read_now(lambda c: c.execute(select(returns.c.event)).all()) == [(f"{delivery}.1",)]
