"""Letters: frozen with their text in one transaction, claimed in groups, one for each person who is still there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import IntegrityError

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.errors import UsageError
from syndicate.store import deliveries, freezing, groups, ledger, letters, pauses, retention, subscribers, vitals
from syndicate.store.database import Store
from syndicate.store.groups import Done, Group, Trouble
from syndicate.store.letters import Mailing
from syndicate.store.schema import deliveries as table
from syndicate.store.schema import subscriptions
from syndicate.subscriber import State
from tests.store.conftest import Database
from tests.store.rows import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    PAYLOAD,
    SECOND,
    SECRET,
    add,
    begin,
    frozen,
    join,
    leave,
    letter_rows,
    letter_states,
    mailing,
    mailing_row,
    open_mailings,
    person,
    put_articles,
    set_article,
    take,
)

SENT, FAILED, EXPIRED, DUE = LetterState.SENT, LetterState.FAILED, LetterState.EXPIRED, LetterState.DUE
PEOPLE = ("ada", "bo", "cy")


def settlement(letter: int, state: LetterState = SENT, **more: object) -> LetterSettlement:
    due = NOON + HOUR if state is DUE else None
    return LetterSettlement(**({"letter": letter, "state": state, "due_at": due} | more))  # type: ignore[arg-type]


def edition(store: Store, *names: str) -> int:
    """A frozen edition to these people."""
    begin(store, channels=("email",))
    join(store, *names)
    return frozen(store)[0]


def send_all(store: Store, delivery: int, state: LetterState = SENT) -> None:
    group = take(store, mailing(store, delivery))
    take(store, mailing(store, delivery), settled=[settlement(one.letter, state) for one in group.people], limit=0)


def close(store: Store) -> list[int]:
    return store.write_now(letters.close, NOON + DAY)


# --- freezing ---------------------------------------------------------------------------------------------------------


def test_the_audience_is_frozen_with_the_text(store: Store) -> None:
    begin(store, channels=("email",))
    join(store, *PEOPLE)
    join(store, "dee", digests=("daily",))
    join(store, "left")
    leave(store, "left@example.net")
    delivery, people = frozen(store)
    row = mailing_row(store, delivery)
    assert people == 3
    assert letter_states(store, delivery) == ["due"] * 3
    assert (row.state, row.owner, row.kind, row.subject) == ("claimed", None, "edition", "weekly-1")
    join(store, "late")
    assert len(letter_rows(store, delivery)) == 3


def test_an_edition_is_frozen_once(store: Store) -> None:
    first = edition(store, "ada")
    with pytest.raises(IntegrityError):
        frozen(store)
    assert letter_states(store, first) == ["due"]


def test_with_nobody_to_write_to_it_is_skipped_and_says_so(store: Store) -> None:
    delivery = edition(store)
    row = mailing_row(store, delivery)
    assert (row.state, row.reason) == ("skipped", "nobody: no active subscriber of weekly")
    assert open_mailings(store) == []


def test_an_article_sent_by_hand_goes_to_everybody_active(store: Store) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    join(store, "ada")
    join(store, "bo", digests=())
    found = store.write_now(deliveries.put, "email", {"id": "id-1", "title": "x"}, NOON, NOON, again=False)
    assert store.read_now(freezing.planned, NOON - SECOND, True) == []
    assert store.read_now(freezing.planned, NOON, False) == []
    assert store.read_now(freezing.planned, NOON, True) == [(found.delivery, "id-1")]
    assert store.write_now(freezing.freeze_planned, found.delivery, PAYLOAD, NOON) == 2
    assert store.write_now(freezing.freeze_planned, found.delivery, PAYLOAD, NOON) == 0  # somebody else was first
    assert letter_states(store, found.delivery) == ["due", "due"]


@pytest.mark.parametrize("values", [{"state": "rejected"}, {"missed_at": NOON}, {"state": "gone"}])
def test_an_article_that_went_meanwhile_is_not_frozen(store: Store, values: dict[str, object]) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    store.write_now(deliveries.put, "email", {"id": "id-1", "title": "x"}, NOON, NOON, again=False)
    set_article(store, 1, **values)
    assert store.read_now(freezing.planned, NOON, True) == []


def test_nothing_is_frozen_while_email_is_paused(store: Store) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    store.write_now(deliveries.put, "email", {"id": "id-1", "title": "x"}, NOON, NOON, again=False)
    store.write_now(pauses.pause, "email", "holiday", NOON)
    assert store.read_now(freezing.planned, NOON, True) == []


def test_taken_up_again_an_article_goes_to_those_it_did_not_reach(store: Store) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    join(store, "ada", "bo")
    delivery = store.write_now(deliveries.put, "email", {"id": "id-1", "title": "x"}, NOON, NOON, again=False).delivery
    store.write_now(freezing.freeze_planned, delivery, PAYLOAD, NOON)
    one = mailing(store, delivery, digest=None)
    first, second = take(store, one).people
    take(store, one, settled=[settlement(first.letter), settlement(second.letter, FAILED)], limit=0)
    close(store)

    store.write_now(lambda connection: connection.execute(update(table).values(state="failed")))
    store.write_now(deliveries.put, "email", {"id": "id-1", "title": "x"}, NOON, NOON, again=False)
    assert store.write_now(freezing.freeze_planned, delivery, PAYLOAD, NOON) == 1
    assert [person.email for person in take(store, one).people] == ["bo@example.net"]


# --- claiming in groups -----------------------------------------------------------------------------------------------


def test_groups_are_no_larger_than_asked_for_and_in_order(store: Store) -> None:
    delivery = edition(store, *(f"p{number:02}" for number in range(7)))
    one = mailing(store, delivery)
    sizes, seen = [], []
    settled: list[LetterSettlement] = []
    while people := take(store, one, settled=settled, limit=3).people:
        sizes.append(len(people))
        seen += [to.email for to in people]
        settled = [settlement(to.letter) for to in people]
    assert sizes == [3, 3, 1]
    assert seen == sorted(seen)
    assert len(set(seen)) == 7
    assert letter_states(store, delivery) == ["sent"] * 7


def test_two_connections_never_claim_the_same_letter(database: Database) -> None:
    stores = [database.open(), database.open()]
    delivery = edition(stores[0], *(f"p{number}" for number in range(60)))
    seen: list[int] = []

    def pump(store: Store, owner: str) -> None:
        one, settled = mailing(store, delivery), []
        while people := take(store, one, owner, settled, limit=4).people:
            seen.extend(to.letter for to in people)
            settled = [settlement(to.letter) for to in people]

    threads = [threading.Thread(target=pump, args=(stores[n % 2], f"w{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(set(seen)) == 60
    assert letter_states(stores[0], delivery) == ["sent"] * 60


def test_who_left_between_freeze_and_claim_gets_nothing(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    leave(store, "ada@example.net")
    leave(store, "bo@example.net", State.COMPLAINED)
    group = take(store, mailing(store, delivery))
    assert [one.email for one in group.people] == ["cy@example.net"]
    assert letter_states(store, delivery) == ["suppressed", "suppressed", "claimed"]


def test_who_was_erased_or_left_only_this_digest_gets_nothing(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    store.write_now(subscribers.erase, "ada@example.net")

    bo = person(store, "bo@example.net")["id"]
    chosen = subscriptions.delete().where(subscriptions.c.subscriber == bo)
    store.write_now(lambda connection: connection.execute(chosen))
    assert [one.email for one in take(store, mailing(store, delivery)).people] == ["cy@example.net"]


def test_a_whole_group_that_left_does_not_end_the_mailing(store: Store) -> None:
    delivery = edition(store, *(f"p{number}" for number in range(6)))
    for number in range(4):
        leave(store, f"p{number}@example.net")
    assert [one.email for one in take(store, mailing(store, delivery), limit=2).people] == [
        "p4@example.net",
        "p5@example.net",
    ]


def test_settling_and_claiming_is_one_transaction(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    [first] = take(store, one, limit=1).people
    [second] = take(store, one, settled=[settlement(first.letter)], limit=1).people
    assert letter_states(store, delivery) == ["sent", "claimed", "due"]
    assert second.letter != first.letter
    assert take(store, one, settled=[settlement(second.letter)], limit=0).people == ()
    assert letter_states(store, delivery) == ["sent", "sent", "due"]


def test_letters_taken_back_meanwhile_are_left_as_they_are(store: Store) -> None:
    delivery = edition(store, "ada")
    one = mailing(store, delivery)
    [letter] = take(store, one, "dead").people
    assert store.write_now(letters.take_back, ["dead"], NOON) == 1
    take(store, one, "dead", [settlement(letter.letter, FAILED)], limit=0)
    assert letter_states(store, delivery) == ["due"]
    [again] = take(store, one, "alive", alone=True).people
    assert (again.letter, again.attempt, again.crashes) == (letter.letter, 2, 1)


def test_what_is_put_off_waits_and_its_answer_is_noted(store: Store) -> None:
    delivery = edition(store, "ada")
    one = mailing(store, delivery)
    [letter] = take(store, one).people
    take(store, one, settled=[settlement(letter.letter, DUE, code=450, answer="try later")])
    [row] = letter_rows(store, delivery)
    assert (row.state, row.due_at, row.attempts, row.answer, row.owner) == ("due", NOON + HOUR, 1, "try later", None)
    assert take(store, one, at=NOON + 59 * MINUTE).people == ()
    assert take(store, one, at=NOON + HOUR).people[0].attempt == 2


def test_what_was_never_tried_counts_no_attempt(store: Store) -> None:
    delivery = edition(store, "ada")
    one = mailing(store, delivery)
    for _ in range(3):
        [letter] = take(store, one).people
        assert letter.attempt == 1
        take(store, one, settled=[settlement(letter.letter, DUE, due_at=NOON, tried=False)], limit=0)
    assert letter_rows(store, delivery)[0].attempts == 0


# --- what it costs ----------------------------------------------------------------------------------------------------


def test_a_group_takes_six_statements_made_once_however_large_it_is(store: Store) -> None:
    one = mailing(store, edition(store, *(f"reader{number}" for number in range(40))))
    said: list[list[tuple[str, object]]] = []

    def note(_connection: object, _cursor: object, statement: str, _told: object, context: Any, _many: bool) -> None:
        said[-1].append((statement, context.invoked_statement))

    first = take(store, one, limit=5).people
    last = take(store, one, settled=[settlement(to.letter) for to in first], limit=5).people
    event.listen(store._writer, "before_cursor_execute", note)
    for limit in (1, 25):
        said.append([])
        last = take(store, one, settled=[settlement(to.letter) for to in last], limit=limit).people
    event.remove(store._writer, "before_cursor_execute", note)
    small, large = ([spoken for spoken in group if "set_config" not in spoken[0]] for group in said)
    assert len(last) == 25
    assert len(small) == 6
    assert [statement for statement, _ in small] == [statement for statement, _ in large]
    assert all(ours is same for (_, ours), (_, same) in zip(small, large, strict=True))


def test_eight_connections_that_wait_together_take_no_more_statements_than_one(store: Store) -> None:
    one = mailing(store, edition(store, *(f"reader{number}" for number in range(60))))
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    def ask(told: Sequence[Done]) -> list[Group]:
        return store.write_now(groups.exchange, "me", told, [5] * 8, [one], NOON, SECRET)[1]

    sent = [Done(one, [to.letter for to in group.people]) for group in ask([])]
    event.listen(store._writer, "before_cursor_execute", note)
    found = ask(sent)
    event.remove(store._writer, "before_cursor_execute", note)
    assert [len(group.people) for group in found] == [5, 5, 5, 5, 0, 0, 0, 0]
    assert len([statement for statement in said if "set_config" not in statement]) <= 9  # with the mark of its speed
    assert Counter(letter_states(store, one.delivery)) == {"sent": 40, "claimed": 20}


def test_a_small_mailing_waits_for_no_large_one(store: Store) -> None:
    large = mailing(store, edition(store, *(f"reader{number:02}" for number in range(40))))
    join(store, "ada", digests=("daily",))
    small = mailing(store, frozen(store, subject="daily-1", digest="daily")[0], digest="daily")
    _, found = store.write_now(groups.exchange, "me", [], [5, 5, 5], [large, small], NOON, SECRET)
    assert [(group.mailing, len(group.people)) for group in found] == [(large, 5), (small, 1), (large, 5)]


# --- pauses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["email", "digest:weekly", pauses.EVERYTHING])
def test_a_pause_stops_the_next_group_and_keeps_the_queue(store: Store, key: str) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    people = take(store, one, limit=1).people
    store.write_now(pauses.pause, key, "holiday", NOON)
    assert take(store, one, settled=[settlement(people[0].letter)]).people == ()
    assert letter_states(store, delivery) == ["sent", "due", "due"]
    store.write_now(pauses.resume, key)
    assert len(take(store, one).people) == 2


def test_trouble_pauses_the_channel_until_one_probe_got_through(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    trouble = Trouble("535: check the password", 15 * MINUTE)
    people = take(store, one).people
    back = [settlement(to.letter, DUE, due_at=NOON, tried=False) for to in people]
    assert take(store, one, settled=back, trouble=trouble).people == ()
    assert store.read_now(pauses.standing) == {"email": "535: check the password"}
    assert take(store, one, at=NOON + 14 * MINUTE).people == ()
    probe = take(store, one, at=NOON + 15 * MINUTE)
    assert probe.probe
    assert len(probe.people) == 1
    assert take(store, one, "other", at=NOON + 15 * MINUTE).people == ()  # while it is out, nobody else
    rest = take(store, one, settled=[settlement(probe.people[0].letter)], at=NOON + 16 * MINUTE)
    assert store.read_now(pauses.standing) == {}
    assert (rest.probe, len(rest.people)) == (False, 2)


def test_a_probe_is_not_used_up_by_a_mailing_with_nothing_due(store: Store) -> None:
    empty = edition(store)
    full = frozen(store, subject="weekly-2", digest="daily")[0]
    assert full
    join(store, "ada", digests=("daily",))
    second = frozen(store, subject="daily-1", digest="daily")[0]
    store.write_now(pauses.by_fault, "email", "535", NOON)
    assert take(store, mailing(store, empty), at=NOON + HOUR).people == ()
    assert len(take(store, mailing(store, second, digest="daily"), at=NOON + HOUR).people) == 1


def test_a_domain_that_takes_no_more_rests_and_the_others_go_on(store: Store) -> None:
    begin(store, channels=("email",))
    for name in ("ada@slow.example", "bo@slow.example", "cy@fast.example"):
        add(store, name)
    delivery, _ = frozen(store)
    one = mailing(store, delivery)
    [letter] = take(store, one, limit=1).people
    put_off = settlement(letter.letter, DUE, due_at=NOON + MINUTE, code=421)
    group = take(store, one, settled=[put_off], resting={"slow.example": "421 4.7.28 too fast"})
    assert [to.email for to in group.people] == ["cy@fast.example"]
    assert store.read_now(pauses.standing) == {"email:slow.example": "421 4.7.28 too fast"}
    waiting = [row.due_at for row in letter_rows(store, delivery) if row.state == "due"]
    assert waiting == [NOON + MINUTE, NOON + 10 * MINUTE]  # the untried one is in no claim's way meanwhile
    at = NOON + 9 * MINUTE
    assert (take(store, one, at=at).people, store.read_now(groups.waiting, at, True, 9).letters) == ((), 0)
    [probe] = take(store, one, at=NOON + 10 * MINUTE).people
    assert probe.domain == "slow.example"
    assert take(store, one, "other", at=NOON + 11 * MINUTE).people == ()  # all workers wait for what becomes of it
    [rest] = take(store, one, settled=[settlement(probe.letter)], at=NOON + 11 * MINUTE).people
    assert {probe.email, rest.email} == {"ada@slow.example", "bo@slow.example"}
    assert store.read_now(pauses.standing) == {}


# --- closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "state", "reason"),
    [
        ([SENT, FAILED, EXPIRED], "sent", None),
        ([LetterState.REHEARSED] * 3, "rehearsed", None),
        ([FAILED, FAILED, EXPIRED], "failed", "2 letters failed, none sent"),
        ([EXPIRED, EXPIRED, EXPIRED], "expired", "3 letters expired, none sent"),
    ],
)
def test_a_mailing_ends_as_its_letters_did(
    store: Store, ended: list[LetterState], state: str, reason: str | None
) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery, live=state != "rehearsed")
    people = take(store, one).people
    settled = [settlement(to.letter, how) for to, how in zip(people, ended, strict=True)]
    take(store, one, settled=settled, limit=0)
    assert store.read_now(letters.ended) == [delivery]
    assert close(store) == [delivery]
    row = mailing_row(store, delivery)
    assert (row.state, row.reason) == (state, reason)
    assert (row.sent_at is not None) == (state == "sent")
    assert close(store) == []


def test_a_mailing_everybody_left_is_skipped(store: Store) -> None:
    delivery = edition(store, "ada")
    leave(store, "ada@example.net")
    take(store, mailing(store, delivery))
    close(store)
    assert mailing_row(store, delivery).state == "skipped"


@pytest.mark.parametrize("claimed", [False, True])
def test_a_mailing_with_a_letter_due_or_claimed_is_not_closed(store: Store, claimed: bool) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    first, *rest = take(store, one, "dead").people
    back = [settlement(to.letter, DUE) for to in rest] if not claimed else []
    take(store, one, "dead", [settlement(first.letter), *back], limit=0)
    assert close(store) == []
    assert mailing_row(store, delivery).state == "claimed"


def test_a_dead_ones_letters_are_due_again_and_the_mailing_ends_after_all(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    take(store, mailing(store, delivery), "dead")
    assert store.read_now(letters.claimants) == {"dead"}
    assert store.write_now(letters.take_back, ["dead"], NOON) == 3
    assert take(store, mailing(store, delivery)).people == ()  # no group holds them any more
    settled: list[LetterSettlement] = []
    while people := take(store, mailing(store, delivery), settled=settled, alone=True).people:
        settled = [settlement(to.letter) for to in people]
        assert len(settled) == 1
    assert close(store) == [delivery]


# --- what kills the program -------------------------------------------------------------------------------------------


def die(store: Store, one: Mailing, **how: bool) -> list[str]:
    """A process claims and is killed; returns whose letters it had in hand."""
    people = take(store, one, "dead", **how).people
    store.write_now(letters.take_back, ["dead"], NOON)
    return [to.email.partition("@")[0] for to in people]


def test_what_was_in_hand_at_a_crash_goes_alone_and_after_the_others(store: Store) -> None:
    delivery = edition(store, "ada", "bo", "cy", "dee")
    one = mailing(store, delivery)
    assert len(take(store, one, "dead", limit=2).people) == 2
    store.write_now(letters.take_back, ["dead"], NOON - MINUTE)
    group = take(store, one)
    assert [to.email for to in group.people] == ["cy@example.net", "dee@example.net"]
    assert take(store, one, "other").people == ()
    assert [to.email for to in take(store, one, "other", alone=True).people] == ["ada@example.net"]


def test_the_third_crash_sets_a_letter_aside_for_a_person(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    assert die(store, one) == list(PEOPLE)
    assert die(store, one, alone=True) == ["ada"]
    assert die(store, one, alone=True) == ["ada"]
    ada, *rest = letter_rows(store, delivery)
    assert (ada.state, ada.crashes, ada.owner, ada.due_at) == ("unknown", 3, None, None)
    assert ada.answer == "quarantined: the program died 3 times with it in hand; it may have arrived"
    assert [(row.state, row.crashes) for row in rest] == [("due", 1), ("due", 1)]
    assert store.read_now(letters.failed_since, NOON) == {delivery: 1}  # so that the pass says so, and ends with 1
    assert store.read_now(retention.counts_of, [delivery]) == {delivery: {"due": 2, "unknown": 1}}
    for name in ("bo", "cy"):
        [to] = take(store, one, alone=True).people
        assert to.email == f"{name}@example.net"
        take(store, one, settled=[settlement(to.letter)], limit=0)
    assert close(store) == [delivery]
    assert mailing_row(store, delivery).state == "sent"
    assert store.read_now(vitals.quarantined, NOON - DAY) == {delivery: 1}


def test_a_person_may_have_a_quarantined_letter_sent_after_all(store: Store) -> None:
    delivery = edition(store, "ada")
    one = mailing(store, delivery)
    for alone in (False, True, True):
        die(store, one, alone=alone)
    close(store)
    row = mailing_row(store, delivery)
    assert (row.state, row.reason) == ("failed", "1 letters unknown, none sent")
    store.write_now(deliveries.retry, delivery, NOON)
    [to] = take(store, one).people
    assert (to.attempt, to.crashes) == (1, 0)


def test_who_leaves_in_order_or_lost_count_has_not_crashed(store: Store) -> None:
    delivery = edition(store, "ada")
    for _ in range(5):
        take(store, mailing(store, delivery), "me")
        assert store.write_now(letters.take_back, ["me"], NOON, crashed=False) == 1
    assert [(row.state, row.crashes) for row in letter_rows(store, delivery)] == [("due", 0)]


def test_an_answer_that_never_came_counts_like_a_crash(store: Store) -> None:
    delivery = edition(store, "ada")
    one = mailing(store, delivery)
    [to] = take(store, one).people
    take(store, one, settled=[settlement(to.letter, DUE, due_at=NOON, in_doubt=True)], limit=0)
    assert take(store, one).people == ()
    assert take(store, one, alone=True).people[0].crashes == 1


# --- a persons hand ---------------------------------------------------------------------------------------------------


def test_retry_makes_the_failed_due_again_and_gives_them_time(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    people = take(store, one).people
    kinds = [SENT, FAILED, EXPIRED]
    take(store, one, settled=[settlement(to.letter, kind) for to, kind in zip(people, kinds, strict=True)], limit=0)
    close(store)
    told = store.write_now(deliveries.retry, delivery, NOON + 5 * DAY)
    assert told == f"2 letters of delivery {delivery} are due again"
    assert letter_states(store, delivery) == ["sent", "due", "due"]
    [opened] = open_mailings(store, NOON + 5 * DAY)
    assert opened.frozen_at == NOON + 5 * DAY  # `retry_for` begins anew
    with pytest.raises(UsageError, match="no failed letter"):
        store.write_now(deliveries.retry, delivery, NOON)


def test_cancel_ends_what_is_due_and_leaves_what_is_out(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    [first] = take(store, one, limit=1).people
    assert store.write_now(deliveries.cancel, delivery) == f"2 letters of delivery {delivery} will not go out"
    assert letter_states(store, delivery) == ["claimed", "expired", "expired"]
    take(store, one, settled=[settlement(first.letter)])
    close(store)
    assert mailing_row(store, delivery).state == "sent"


# --- seeing -----------------------------------------------------------------------------------------------------------


def test_open_mailings_are_those_of_the_transport_that_is_there(store: Store) -> None:
    delivery = edition(store, "ada")
    assert open_mailings(store, live=False) == []
    assert [one.delivery for one in open_mailings(store)] == [delivery]
    assert open_mailings(store, NOON - timedelta(seconds=1)) == []


def test_a_live_mailing_waits_while_we_rehearse_and_goes_on_afterwards(store: Store) -> None:
    delivery = edition(store, "ada")
    store.write_now(ledger.sync_channels, {"email": False}, NOON)
    store.write_now(ledger.sync_channels, {"email": True}, NOON + HOUR)
    assert [one.delivery for one in open_mailings(store, NOON + HOUR)] == [delivery]


def test_counts_are_those_of_the_rows(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    take(store, mailing(store, delivery), limit=1)
    assert store.read_now(letters.counts) == {"claimed": 1, "due": 2}
    assert store.read_now(retention.counts_of, [delivery]) == {delivery: {"claimed": 1, "due": 2}}
    assert store.read_now(groups.waiting, NOON, True, 50).letters == 2
    assert store.read_now(letters.oldest_due, NOON + HOUR) == NOON


def test_failed_letters_of_a_pass_are_counted(store: Store) -> None:
    delivery = edition(store, *PEOPLE)
    one = mailing(store, delivery)
    people = take(store, one).people
    take(store, one, settled=[settlement(to.letter, FAILED, code=550) for to in people], limit=0)
    assert store.read_now(letters.failed_since, NOON) == {delivery: 3}
    assert store.read_now(letters.failed_since, NOON + SECOND) == {}
