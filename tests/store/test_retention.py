"""Retention: ended letters leave the hot path, stay unique and counted for ever, and are told and scrubbed."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.errors import UsageError
from syndicate.mail import tidy
from syndicate.store import deliveries, freezing, letters, people, retention, stories, subscribers, vitals
from syndicate.store.database import Store
from syndicate.store.schema import attempts, letters_past, settings
from syndicate.store.schema import deliveries as mailings
from syndicate.store.schema import letters as at_hand
from syndicate.subscriber import State
from tests.doubles.clock import StillClock
from tests.store.conftest import Database
from tests.store.rows import (
    DAY,
    NOON,
    PAYLOAD,
    SECOND,
    SECRET,
    add,
    begin,
    frozen,
    join,
    mailing,
    mailing_row,
    person,
    put_articles,
    take,
)

SENT, FAILED, EXPIRED = LetterState.SENT, LetterState.FAILED, LetterState.EXPIRED
WEEK = retention.KEEP


def mailed(store: Store, *ends: LetterState, subject: str = "weekly-1") -> int:
    """An edition to a person for each of these ends, closed at noon."""
    begin(store, channels=("email",))
    join(store, *(f"p{number}" for number in range(len(ends))))
    delivery = frozen(store, subject=subject)[0]
    finish(store, delivery, *ends)
    return delivery


def finish(store: Store, delivery: int, *ends: LetterState, digest: str | None = "weekly", at: datetime = NOON) -> None:
    one = mailing(store, delivery, digest=digest)
    people = take(store, one, at=at).people
    assert len(people) == len(ends)
    settled = [
        LetterSettlement(letter=to.letter, state=end, code=550 if end is FAILED else 250, answer=f"{end}, {to.name}")
        for to, end in zip(people, ends, strict=True)
    ]
    take(store, one, settled=settled, limit=0)
    assert store.write_now(letters.close, NOON) == [delivery]


def fold(store: Store, **limit: int) -> int:
    """Move all that may move a week later."""
    total = 0
    while moved := store.write_now(retention.fold, NOON + WEEK, **limit):
        total += moved
    return total


def rows(store: Store, table: Any) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)))

    return store.read_now(read)


def recounted(store: Store) -> dict[str, int]:
    """What `letters.counts` must say, from the rows alone."""
    found: dict[str, int] = {}
    for table in (at_hand, letters_past):
        query = select(table.c.state, func.count()).group_by(table.c.state)
        for state, count in store.read_now(lambda connection, query=query: connection.execute(query).all()):  # type: ignore[misc]  # a default argument
            found[state] = found.get(state, 0) + count
    return found


# --- moving -----------------------------------------------------------------------------------------------------------


def test_a_week_after_its_end_a_mailings_letters_leave_the_hot_path(store: Store) -> None:
    delivery = mailed(store, SENT, FAILED, EXPIRED)
    before = {(row.delivery, row.subscriber, row.state, row.answer) for row in rows(store, at_hand)}
    assert not store.read_now(retention.is_ripe, NOON + WEEK - SECOND)
    assert store.write_now(retention.fold, NOON + WEEK - SECOND) == 0
    assert store.read_now(retention.is_ripe, NOON + WEEK)
    assert store.write_now(retention.fold, NOON + WEEK, limit=2) == 2
    assert store.write_now(retention.fold, NOON + WEEK, limit=2) == 1
    assert store.write_now(retention.fold, NOON + WEEK, limit=2) == 0
    assert rows(store, at_hand) == []
    assert rows(store, attempts) == []
    assert {(row.delivery, row.subscriber, row.state, row.answer) for row in rows(store, letters_past)} == before
    assert mailing_row(store, delivery).state == "sent"


def test_what_is_still_under_way_stays_however_old(store: Store) -> None:
    begin(store, channels=("email",))
    join(store, "ada", "bo")
    frozen(store)
    assert store.write_now(retention.fold, NOON + 100 * DAY) == 0
    assert len(rows(store, at_hand)) == 2


def test_nothing_is_moved_while_a_letter_is_due(store: Store) -> None:
    mailed(store, SENT)
    clock, stop = StillClock(NOON + WEEK), asyncio.Event()
    join(store, "ada")
    frozen(store, subject="weekly-2", at=NOON + WEEK)
    assert asyncio.run(tidy(store, clock, stop)) == 0
    waiting = mailing(store, 2)
    people = take(store, waiting, at=NOON + WEEK).people
    done = [LetterSettlement(letter=to.letter, state=SENT) for to in people]
    take(store, waiting, settled=done, limit=0)
    assert asyncio.run(tidy(store, clock, stop)) == 1


def test_two_that_tidy_at_once_move_each_letter_once(database: Database) -> None:
    stores = [database.open(), database.open()]
    mailed(stores[0], *[SENT] * 20)

    async def both() -> list[int]:
        stop, clock = asyncio.Event(), StillClock(NOON + WEEK)
        return list(await asyncio.gather(*(tidy(store, clock, stop) for store in stores)))

    assert sum(asyncio.run(both())) == 20
    assert len(rows(stores[0], letters_past)) == 20


# --- unique for ever --------------------------------------------------------------------------------------------------


def test_retry_finds_past_letters_that_failed_and_leaves_the_others(store: Store) -> None:
    delivery = mailed(store, SENT, FAILED, EXPIRED)
    fold(store)
    later = NOON + 30 * DAY
    assert store.write_now(deliveries.retry, delivery, later) == f"2 letters of delivery {delivery} are due again"
    assert [row.state for row in rows(store, letters_past)] == ["sent"]
    again = take(store, mailing(store, delivery), at=later).people
    assert [to.email for to in again] == ["p1@example.net", "p2@example.net"]
    assert {to.domain for to in again} == {"example.net"}
    assert store.read_now(letters.counts) == {"sent": 1, "claimed": 2}


def test_an_article_sent_again_goes_to_nobody_who_has_a_past_letter(store: Store) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    join(store, "p0", "p1")
    article = {"id": "id-1", "title": "x"}
    delivery = store.write_now(deliveries.put, "email", article, NOON, NOON, again=False).delivery
    store.write_now(freezing.freeze_planned, delivery, PAYLOAD, NOON)
    finish(store, delivery, SENT, FAILED, digest=None)
    fold(store)
    as_failed = mailings.update().values(state="failed")
    store.write_now(lambda connection: connection.execute(as_failed))
    store.write_now(deliveries.put, "email", article, NOON, NOON, again=False)
    assert store.write_now(freezing.freeze_planned, delivery, PAYLOAD, NOON) == 1
    assert [to.email for to in take(store, mailing(store, delivery, digest=None)).people] == ["p1@example.net"]
    assert store.read_now(retention.counts_of, [delivery]) == {delivery: {"claimed": 1, "sent": 1}}


def test_who_was_erased_is_never_written_to_by_the_number_he_had(store: Store) -> None:
    delivery = mailed(store, SENT, FAILED)
    gone = person(store, "p1@example.net")["id"]
    fold(store)
    store.write_now(subscribers.erase, "p1@example.net")
    join(store, "new")
    assert person(store, "new@example.net")["id"] > gone
    store.write_now(deliveries.retry, delivery, NOON + 30 * DAY)
    assert take(store, mailing(store, delivery), at=NOON + 30 * DAY).people == ()
    assert {row.state for row in rows(store, at_hand)} == {"suppressed"}


# --- counted for ever -------------------------------------------------------------------------------------------------


def test_counts_are_those_of_all_rows_at_every_step(store: Store) -> None:
    first = mailed(store, SENT, FAILED, EXPIRED)
    assert store.read_now(letters.counts) == recounted(store) == {"expired": 1, "failed": 1, "sent": 1}
    fold(store, limit=2)
    second, _ = frozen(store, subject="weekly-2")
    assert store.read_now(letters.counts) == recounted(store) == {"due": 3, "expired": 1, "failed": 1, "sent": 1}
    finish(store, second, SENT, SENT, SENT)
    store.write_now(deliveries.retry, first, NOON + 30 * DAY)
    assert store.read_now(letters.counts) == recounted(store) == {"due": 2, "sent": 4}
    finish(store, first, SENT, SENT, at=NOON + 30 * DAY)
    fold(store)
    assert store.read_now(letters.counts) == recounted(store) == {"sent": 6}
    assert store.read_now(retention.counts_of, [first, second]) == {first: {"sent": 3}, second: {"sent": 3}}
    assert [json.loads(row.people) for row in rows(store, mailings)] == [{"sent": 3}, {"sent": 3}]


def test_a_mailing_that_ended_before_there_were_sums_is_counted_when_it_moves(store: Store) -> None:
    delivery = mailed(store, SENT, FAILED)

    def as_of_old(connection: Connection) -> None:
        connection.execute(mailings.update().values(people=None))
        connection.execute(settings.delete().where(settings.c.key == "letters"))

    store.write_now(as_of_old)
    assert store.read_now(letters.counts) == {"failed": 1, "sent": 1}
    fold(store, limit=1)
    assert store.read_now(letters.counts) == {"failed": 1, "sent": 1}
    assert store.read_now(retention.counts_of, [delivery]) == {delivery: {"failed": 1, "sent": 1}}


# --- doubts and a person's word ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "people"), [("https://x.test/1", {"sent": 2}), (None, {"failed": 2})])
def test_a_person_says_what_became_of_letters_in_doubt(store: Store, url: str | None, people: dict[str, int]) -> None:
    delivery = mailed(store, LetterState.UNKNOWN, LetterState.UNKNOWN)
    assert store.read_now(vitals.quarantined, NOON - DAY) == {delivery: 2}
    assert mailing_row(store, delivery).state == "failed"
    assert store.write_now(deliveries.resolve, delivery, url, NOON).startswith(f"2 letters of delivery {delivery} are ")
    assert store.read_now(vitals.quarantined, NOON - DAY) == {}
    assert store.read_now(letters.counts) == recounted(store) == people
    assert mailing_row(store, delivery).state == ("sent" if url else "failed")
    with pytest.raises(UsageError, match="no letter in doubt"):
        store.write_now(deliveries.resolve, delivery, url, NOON)


# --- one person -------------------------------------------------------------------------------------------------------


def everything(store: Store, email: str) -> dict[str, Any] | None:
    return store.read_now(people.everything, email, subscribers.address_hash(SECRET, email))


def test_everything_of_one_person_holds_letters_at_hand_and_past(store: Store) -> None:
    first = mailed(store, FAILED, SENT)
    fold(store)
    second, _ = frozen(store, subject="weekly-2")
    finish(store, second, FAILED, SENT)
    found = everything(store, "p0@example.net")
    assert found is not None
    assert (found["state"], found["digests"], found["suppressed"]) == ("active", ["weekly"], None)
    told = [(one["delivery"], one["subject"], one["state"], len(one["tries"])) for one in found["letters"]]
    assert told == [(second, "weekly-2", "failed", 1), (first, "weekly-1", "failed", 0)]
    assert found["letters"][0]["tries"][0]["status"] == 550
    assert everything(store, "nobody@example.net") is None


def test_the_story_of_a_person_tells_past_letters_too(store: Store) -> None:
    mailed(store, FAILED)
    fold(store)
    events = store.read_now(stories.of_person, "p0@example.net", "")
    assert events is not None
    assert [event.text for event in events if event.what == "letter"] == ["The week: failed (failed, )"]


def test_erasure_takes_everything_that_letters_say_of_a_person(store: Store) -> None:
    first = mailed(store, FAILED, FAILED)
    fold(store)
    second, _ = frozen(store, subject="weekly-2")
    finish(store, second, FAILED, FAILED)
    kept, gone = (person(store, f"p{number}@example.net")["id"] for number in (0, 1))
    store.write_now(subscribers.erase, "p1@example.net")
    for table in (at_hand, letters_past):
        told = {row.subscriber: row.answer for row in rows(store, table)}
        assert told[gone] is None
        assert told[kept]
    assert {row.subscriber: row.domain for row in rows(store, at_hand)} == {kept: "example.net", gone: ""}
    assert sorted(bool(row.answer) for row in rows(store, attempts)) == [False, True]
    assert store.read_now(retention.counts_of, [first])[first] == {"failed": 2}  # he counts for ever


def test_what_comes_in_of_somebody_who_was_erased_meanwhile_is_not_noted(store: Store) -> None:
    begin(store, channels=("email",))
    add(store, "ada@example.net")
    one = mailing(store, frozen(store)[0])
    [to] = take(store, one).people
    store.write_now(subscribers.erase, "ada@example.net")
    words = LetterSettlement(letter=to.letter, state=FAILED, code=550, answer="550 no mailbox ada here")
    take(store, one, settled=[words], limit=0)
    assert [(row.state, row.answer) for row in rows(store, at_hand)] == [("failed", None)]
    assert [row.answer for row in rows(store, attempts)] == [""]


def test_of_who_was_erased_only_what_keeps_him_out_is_told(store: Store) -> None:
    mailed(store, SENT)
    found = person(store, "p0@example.net")
    store.write_now(subscribers.leave, found["id"], State.UNSUBSCRIBED, "x", SECRET, NOON)
    store.write_now(subscribers.erase, "p0@example.net")
    assert everything(store, "p0@example.net") == {
        "email": "p0@example.net",
        "suppressed": {"reason": "unsubscribed", "since": NOON},
        "asked": [],
    }
