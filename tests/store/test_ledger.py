"""Deliveries: owed once, claimed once, settled by whoever holds the claim, and put right after every kind of death."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syndicate import pacing
from syndicate.delivery import Claim, DeliveryState, Settlement
from syndicate.errors import UsageError
from syndicate.pacing import Choice
from syndicate.store import claims, deliveries, ledger, letters, pauses
from syndicate.store.database import Store
from tests.store.conftest import Database
from tests.store.rows import (
    DAY,
    HOUR,
    LINKEDIN,
    MIDNIGHT,
    MINUTE,
    NOON,
    SECOND,
    attempts,
    begin,
    change,
    claim,
    delivery,
    end,
    frozen,
    join,
    letter_states,
    mailing_row,
    must_claim,
    offer,
    paced,
    plan,
    planned,
    put_articles,
    send,
    sent,
    set_article,
    start,
    states,
)
from tests.store.rows import deliveries as rows

UNAVAILABLE = Settlement(state=DeliveryState.PLANNED, outcome="unavailable", due_at=NOON + MINUTE, reason="down")
DOUBT = Settlement(state=DeliveryState.UNKNOWN, outcome="in-doubt", due_at=NOON + 10 * SECOND, reason="no answer")
REFUSED = Settlement(state=DeliveryState.FAILED, outcome="refused", reason="no")
PAUSED = Settlement(state=DeliveryState.PLANNED, outcome="unavailable", due_at=NOON, reason="401", pauses="log in")


def take_back(store: Store, *owners: str, at: datetime = NOON, crashed: bool = True) -> int:
    return store.write_now(claims.take_back, list(owners), at, crashed=crashed)


def past(store: Store, at: datetime = NOON) -> pacing.Past:
    return store.read_now(ledger.past, LINKEDIN, at.replace(hour=0, minute=0))


# --- owed once --------------------------------------------------------------------------------------------------------


def test_an_article_is_owed_to_a_channel_once(store: Store) -> None:
    begin(store)
    offer(store, 1)
    owed = [{"id": "id-1", "title": "Number 1", "entered": NOON}]
    store.write_now(ledger.offer, owed, LINKEDIN, NOON + HOUR)
    assert len(store.read_now(deliveries.listing)) == 1


def test_nothing_is_owed_to_a_channel_that_is_not_known(store: Store) -> None:
    offer(store, 1)
    assert rows(store) == {}


# --- claimed once -----------------------------------------------------------------------------------------------------


def test_one_delivery_goes_out_and_is_sent(store: Store) -> None:
    planned(store, 1)
    one = send(store, NOON + MINUTE)
    row = delivery(store)
    assert (row.state, row.sent_at, row.owner, row.attempts) == ("sent", NOON + MINUTE, None, 1)
    assert (row.external_id, row.url) == ("urn:li:share:1", "https://example.org/post")
    assert [(a.number, a.outcome, a.status) for a in attempts(store)] == [(1, "sent", 201)]
    assert one.key == f"linkedin-{row.id}"


def test_nothing_is_claimed_before_its_moment_nor_what_has_none(store: Store) -> None:
    begin(store)
    offer(store, 1, 2)
    plan(store, 1, at=NOON + SECOND)
    assert claim(store) is None
    assert must_claim(store, at=NOON + SECOND).subject == "id-1"


def test_a_channel_has_one_in_flight(store: Store) -> None:
    planned(store, 1, 2)
    first = must_claim(store, "one")
    assert claim(store, "two") is None
    start(store, first)
    end(store, first, sent())
    assert must_claim(store, "two").subject == "id-2"


def test_two_processes_never_claim_the_same(database: Database) -> None:
    stores = [database.open(), database.open()]
    planned(stores[0], *range(1, 21))
    seen: list[tuple[int, str]] = []
    barrier = threading.Barrier(4)

    def work(store: Store, owner: str) -> None:
        barrier.wait()
        while any(state == "planned" for state in states(store).values()):
            one = claim(store, owner)
            if one is not None:
                seen.append((one.id, owner))
                assert start(store, one)
                assert end(store, one, sent())

    threads = [threading.Thread(target=work, args=(stores[n % 2], f"w{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len({one for one, _ in seen}) == 20
    assert set(states(stores[0]).values()) == {"sent"}


def test_pacing_is_asked_once_more_at_the_claim(store: Store) -> None:
    planned(store, 1, 2)
    rule = {"min_gap": 2 * HOUR}
    one = must_claim(store, allows=paced(**rule))
    start(store, one)
    end(store, one, sent())
    assert claim(store, allows=paced(NOON + HOUR, **rule), at=NOON + HOUR) is None
    assert claim(store, allows=paced(NOON + 2 * HOUR, **rule), at=NOON + 2 * HOUR) is not None


def test_by_hand_passes_the_pace_by_and_goes_first(store: Store) -> None:
    planned(store, 1, 2)
    plan(store, 2, by_hand=True, at=NOON)
    one = must_claim(store, allows=paced(max_per_day=1, hours=None))
    assert one.subject == "id-2"
    start(store, one)
    end(store, one, sent())
    assert claim(store, allows=paced(max_per_day=1)) is None  # and it counts towards the day


def test_only_those_asked_for_are_claimed(store: Store) -> None:
    planned(store, 1, 2)
    wanted = rows(store)["id-2"].id
    assert must_claim(store, only=[wanted]).subject == "id-2"
    assert claim(store, only=[]) is None


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("values", [{"missed_at": NOON}, {"state": "rejected"}, {"state": "gone", "missed_at": NOON}])
def test_what_was_missed_once_or_is_no_longer_ready_is_not_claimed(
    store: Store, by_hand: bool, values: dict[str, object]
) -> None:
    planned(store, 1)
    plan(store, 1, by_hand=by_hand)
    set_article(store, 1, **values)
    assert claim(store) is None
    set_article(store, 1, state="ready", missed_at=None)
    assert claim(store) is not None


# --- late workers -----------------------------------------------------------------------------------------------------


def test_a_late_worker_overwrites_nothing(store: Store) -> None:
    planned(store, 1)
    late = must_claim(store, "late")
    assert take_back(store, "late") == 1
    assert not start(store, late)
    current = must_claim(store, "current")
    assert not end(store, late, REFUSED)
    assert start(store, current)
    assert not end(store, late, sent())
    assert end(store, current, sent())
    assert not end(store, late, REFUSED)
    assert delivery(store).state == "sent"


def test_the_same_owner_with_an_older_attempt_is_late_too(store: Store) -> None:
    planned(store, 1)
    first = must_claim(store)
    take_back(store, first.owner)
    second = must_claim(store)
    assert (first.attempt, second.attempt) == (1, 2)
    assert not start(store, first)
    assert start(store, second)


def test_a_claim_given_back_is_as_it_was(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    store.write_now(claims.give_back, one, NOON)
    row = delivery(store)
    assert (row.state, row.owner, row.attempts, attempts(store)) == ("planned", None, 0, [])


def test_a_doubt_given_back_is_still_a_doubt(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, DOUBT)
    again = must_claim(store, at=NOON + MINUTE)
    store.write_now(claims.give_back, again, NOON + MINUTE)
    assert delivery(store).state == "unknown"
    assert must_claim(store, at=NOON + MINUTE).doubtful_since == NOON


# --- settled ----------------------------------------------------------------------------------------------------------


def test_what_is_put_off_is_claimed_again_when_it_is_due(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, UNAVAILABLE)
    assert claim(store, at=NOON + 59 * SECOND) is None
    again = must_claim(store, at=NOON + MINUTE)
    assert (again.attempt, again.doubtful_since) == (2, None)
    assert again.payload == {"v": 1, "body": "id-1"}  # frozen with the first attempt


def test_a_doubt_is_repeated_first_and_past_its_pace(store: Store) -> None:
    planned(store, 1, 2)
    one = must_claim(store)
    start(store, one)
    end(store, one, DOUBT)
    closed = paced(NOON + 10 * SECOND, min_gap=HOUR)
    assert claim(store, at=NOON + 9 * SECOND, allows=paced(NOON, min_gap=HOUR)) is None
    again = must_claim(store, at=NOON + 10 * SECOND, allows=closed)
    assert (again.id, again.doubtful_since) == (one.id, NOON)


def test_a_doubt_without_a_repeat_is_left_to_a_person(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, Settlement(state=DeliveryState.UNKNOWN, outcome="in-doubt", reason="no answer"))
    assert claim(store, at=NOON + 9 * DAY) is None


def test_a_receipt_settles_the_doubt_of_earlier_attempts(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    take_back(store, "me")
    again = must_claim(store, "other")
    start(store, again)
    end(store, again, sent())
    assert [a.outcome for a in attempts(store)] == ["in-doubt", "sent"]


def test_what_concerns_the_channel_pauses_it_and_a_success_heals_it(store: Store) -> None:
    planned(store, 1, 2)
    one = must_claim(store)
    start(store, one)
    end(store, one, PAUSED)
    assert store.read_now(pauses.standing) == {LINKEDIN: "log in"}
    assert claim(store, at=NOON + 14 * MINUTE) is None
    send(store, NOON + 15 * MINUTE)
    assert store.read_now(pauses.standing) == {}


# --- pauses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [LINKEDIN, pauses.EVERYTHING])
def test_a_persons_pause_stands_until_he_resumes(store: Store, key: str) -> None:
    planned(store, 1)
    store.write_now(pauses.pause, key, "holiday", NOON)
    assert claim(store, at=NOON + 99 * DAY) is None
    store.write_now(pauses.by_fault, key, "401", NOON)
    store.write_now(pauses.heal, key)
    assert store.read_now(pauses.standing) == {key: "holiday"}
    assert store.write_now(pauses.resume, key) == [key]
    assert claim(store) is not None


def test_another_channels_pause_stops_nobody_here(store: Store) -> None:
    planned(store, 1)
    store.write_now(pauses.pause, "email", "holiday", NOON)
    assert claim(store) is not None


def test_a_probe_that_finds_nothing_due_is_not_used_up(store: Store) -> None:
    planned(store, 1, at=NOON + 20 * MINUTE)
    store.write_now(pauses.by_fault, LINKEDIN, "401", NOON)
    assert claim(store, at=NOON + 16 * MINUTE) is None
    assert claim(store, at=NOON + 20 * MINUTE) is not None


def test_a_probe_lets_one_row_through(store: Store) -> None:
    planned(store, 1, 2)
    store.write_now(pauses.by_fault, LINKEDIN, "401", NOON)
    one = must_claim(store, at=NOON + 15 * MINUTE)
    start(store, one)
    end(store, one, UNAVAILABLE)
    assert claim(store, at=NOON + 29 * MINUTE) is None
    assert claim(store, at=NOON + 30 * MINUTE) is not None


# --- deaths -----------------------------------------------------------------------------------------------------------


def test_a_death_before_the_attempt_plans_it_again(store: Store) -> None:
    planned(store, 1)
    must_claim(store)
    assert take_back(store, "me", at=NOON + MINUTE) == 1
    row = delivery(store)
    assert (row.state, row.owner, row.crashes, row.due_at) == ("planned", None, 1, NOON + MINUTE)


def test_a_death_in_the_attempt_leaves_a_doubt_whose_repeat_is_due(store: Store) -> None:
    planned(store, 1)
    start(store, must_claim(store))
    take_back(store, "me", at=NOON + MINUTE)
    row = delivery(store)
    assert (row.state, row.crashes, row.due_at) == ("unknown", 1, NOON + MINUTE)
    assert must_claim(store, at=NOON + MINUTE).doubtful_since == NOON


def test_a_death_in_a_rehearsed_attempt_is_no_doubt(store: Store) -> None:
    planned(store, 1, live=False)
    start(store, must_claim(store, live=False))
    take_back(store, "me")
    assert delivery(store).state == "planned"
    again = must_claim(store, live=False)
    assert again.doubtful_since is None
    assert start(store, again)


def test_a_death_between_two_attempts_after_a_doubt_leaves_the_doubt(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, DOUBT)
    must_claim(store, at=NOON + MINUTE)
    take_back(store, "me", at=NOON + MINUTE)
    assert delivery(store).state == "unknown"


def test_three_deaths_hold_it_for_a_person_and_approval_lets_it_go(store: Store) -> None:
    planned(store, 1)
    for _ in range(3):
        must_claim(store)
        take_back(store, "me")
    row = delivery(store)
    assert (row.state, row.crashes) == ("held", 3)
    assert row.reason.startswith("quarantined:")
    assert claim(store) is None
    store.write_now(ledger.approve_held, ["id-1"], NOON)
    assert (delivery(store).state, delivery(store).crashes) == ("waiting", 0)


def test_three_deaths_in_the_attempt_end_the_repeats_and_the_doubt_stays(store: Store) -> None:
    planned(store, 1)
    for _ in range(3):
        start(store, must_claim(store))
        take_back(store, "me")
    row = delivery(store)
    assert (row.state, row.due_at) == ("unknown", None)
    assert row.reason.startswith("quarantined:")
    assert claim(store, at=NOON + DAY) is None


def test_leaving_in_order_counts_no_crash(store: Store) -> None:
    planned(store, 1)
    for _ in range(5):
        must_claim(store)
        take_back(store, "me", crashed=False)
    assert (delivery(store).state, delivery(store).crashes) == ("planned", 0)


def test_only_the_claims_of_the_named_are_taken_back(store: Store) -> None:
    planned(store, 1)
    must_claim(store, "alive")
    assert take_back(store, "dead") == 0
    assert store.read_now(claims.claimants) == {"alive"}
    assert delivery(store).state == "claimed"


def test_ones_own_half_done_claim_is_put_right(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    store.write_now(claims.put_right, one, NOON)
    assert (delivery(store).state, delivery(store).crashes) == ("planned", 0)
    two = must_claim(store)
    start(store, two)
    store.write_now(claims.put_right, one, NOON)  # of a claim that is no longer ours nothing is touched
    assert delivery(store).state == "claimed"
    store.write_now(claims.put_right, two, NOON)
    assert delivery(store).state == "unknown"


# --- channels come and go live ----------------------------------------------------------------------------------------


def go(store: Store, live: bool, at: datetime) -> list[str]:
    return store.write_now(ledger.sync_channels, {LINKEDIN: live}, at)


def test_what_is_open_when_a_channel_goes_live_is_skipped(store: Store) -> None:
    begin(store, live=False)
    offer(store, 1, 2, 3, 4)
    plan(store, 2, 4)
    change(store, 3, state="held", reason="approve: x")
    must_claim(store, live=False)
    assert go(store, True, NOON + HOUR) == [LINKEDIN]
    assert set(states(store).values()) == {"skipped"}
    assert delivery(store).reason.startswith("before-live:")
    assert go(store, True, NOON + 2 * HOUR) == []


def test_what_was_rehearsed_stays_so_and_may_be_sent_once_live(store: Store) -> None:
    planned(store, 1, live=False)
    send(store, live=False)
    assert (delivery(store).state, delivery(store).sent_at) == ("rehearsed", None)
    go(store, True, NOON + HOUR)
    assert delivery(store).state == "rehearsed"
    put(store, 1, at=NOON + HOUR)
    one = must_claim(store, at=NOON + HOUR)
    assert (one.live, one.doubtful_since, one.payload) == (True, None, None)
    assert start(store, one, NOON + HOUR)  # the rehearsal's attempt has its own number
    assert end(store, one, sent(), NOON + HOUR)
    assert [a.outcome for a in attempts(store)] == ["rehearsed", "sent"]


def test_what_was_live_is_settled_only_while_live(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, DOUBT)
    go(store, False, NOON + MINUTE)
    assert claim(store, at=NOON + HOUR, live=False) is None
    go(store, True, NOON + HOUR)
    assert delivery(store).state == "unknown"
    assert must_claim(store, at=NOON + HOUR).doubtful_since == NOON


def test_a_live_retry_does_not_block_a_rehearsal(store: Store) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    go(store, False, NOON)
    end(store, one, UNAVAILABLE)
    assert past(store).under_way == 0


def test_to_rehearsal_and_back_skips_what_was_open(store: Store) -> None:
    planned(store, 1)
    go(store, False, NOON)
    assert not delivery(store).live
    go(store, True, NOON + MINUTE)
    assert delivery(store).state == "skipped"


def test_what_a_rehearsal_cancelled_does_not_come_back_to_a_live_channel(store: Store) -> None:
    """It would wait for ever, and everything else behind it."""
    planned(store, 1, live=False)
    store.write_now(ledger.cancel_open, ["id-1"], "gone: its file was removed")
    go(store, True, NOON)
    store.write_now(ledger.wait_again, ["id-1"])
    assert delivery(store).state == "cancelled"


def test_the_letters_of_a_rehearsal_end_with_it(store: Store) -> None:
    begin(store, live=False, channels=("email",))
    join(store, "ada", "bo")
    edition, _ = frozen(store, live=False)
    store.write_now(ledger.sync_channels, {"email": True}, NOON + HOUR)
    assert mailing_row(store, edition).state == "skipped"
    assert letter_states(store, edition) == ["expired", "expired"]
    assert store.read_now(letters.oldest_due, NOON + DAY) is None


# --- following the article --------------------------------------------------------------------------------------------


def test_an_article_that_goes_takes_what_has_not_begun_with_it_and_brings_it_back(store: Store) -> None:
    begin(store)
    offer(store, 1, 2)
    plan(store, 2)
    store.write_now(ledger.cancel_open, ["id-1", "id-2"], "gone: its file was removed")
    assert states(store) == {1: "cancelled", 2: "cancelled"}
    store.write_now(ledger.wait_again, ["id-1", "id-2"])
    assert states(store) == {1: "waiting", 2: "waiting"}
    assert delivery(store, 2).planned_for is None


@pytest.mark.parametrize("state", ["claimed", "unknown", "sent", "failed", "expired", "rehearsed", "skipped"])
def test_what_has_begun_or_ended_is_not_cancelled(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state)
    store.write_now(ledger.cancel_open, ["id-1"], "gone: its file was removed")
    assert delivery(store).state == state


def test_what_a_person_cancelled_stays_cancelled(store: Store) -> None:
    planned(store, 1)
    store.write_now(deliveries.cancel, delivery(store).id)
    store.write_now(ledger.wait_again, ["id-1"])
    assert delivery(store).state == "cancelled"


def test_what_was_to_be_sent_by_hand_competes_when_it_comes_back(store: Store) -> None:
    planned(store, 1)
    plan(store, 1, by_hand=True)
    store.write_now(ledger.cancel_open, ["id-1"], "gone: its file was removed")
    store.write_now(ledger.wait_again, ["id-1"])
    assert [one.delivery for one in store.read_now(ledger.candidates, LINKEDIN)] == [delivery(store).id]


def test_letters_to_everybody_do_not_start_by_themselves_when_a_file_comes_back(store: Store) -> None:
    begin(store, channels=("email",))
    put_articles(store, 1)
    put(store, 1, channel="email", at=NOON + DAY)
    store.write_now(ledger.cancel_open, ["id-1"], "gone: its file was removed")
    store.write_now(ledger.wait_again, ["id-1"])
    assert delivery(store).state == "cancelled"


def test_planning_withdraws_what_was_planned_and_may_not_go_out_any_more(store: Store) -> None:
    planned(store, 1, 2, 3)
    set_article(store, 1, state="gone", missed_at=NOON)
    set_article(store, 2, entered=NOON - 9 * DAY)
    placed = store.read_now(ledger.placed, LINKEDIN)
    rules = pacing.Pacing(zone=ZoneInfo("UTC"), max_age=2 * DAY)
    store.write_now(ledger.write_decisions, pacing.withdraw(placed, rules, NOON))
    assert states(store) == {1: "cancelled", 2: "expired", 3: "planned"}


def test_a_row_that_somebody_moved_meanwhile_is_not_decided_about(store: Store) -> None:
    begin(store)
    offer(store, 1)
    [candidate] = store.read_now(ledger.candidates, LINKEDIN)
    change(store, 1, state="sent")
    decision = pacing.Decision(candidate=candidate, choice=Choice.EXPIRE, reason="max-age: x")
    store.write_now(ledger.write_decisions, [decision])
    assert delivery(store).state == "sent"


def test_a_candidate_bears_what_planning_asks(store: Store) -> None:
    begin(store)
    offer(store, 1, 2, 3)
    set_article(store, 2, state="held")
    set_article(store, 3, missed_at=NOON)
    first, second, third = store.read_now(ledger.candidates, LINKEDIN)
    assert (first.title, first.authors, first.entered, first.unwanted) == ("Number 1", ("Ada Lindqvist",), NOON, None)
    assert second.unwanted == "not-ready: its article is held"
    assert third.missing


def test_the_author_of_an_article_may_not_want_it_on_a_channel(store: Store) -> None:
    begin(store)
    put_articles(store, 1, said={"channels": ("email",)})
    store.write_now(ledger.offer, [{"id": "id-1", "title": "x", "entered": NOON}], LINKEDIN, NOON)
    [candidate] = store.read_now(ledger.candidates, LINKEDIN)
    assert candidate.unwanted is not None
    assert candidate.unwanted.startswith("front-matter:")


# --- what pacing knows ------------------------------------------------------------------------------------------------


def test_of_a_channel_without_a_past_nothing_is_known(store: Store) -> None:
    begin(store)
    assert past(store) == pacing.Past()


@pytest.mark.parametrize("by_hand", [False, True])
def test_sent_counts_by_hand_too(store: Store, by_hand: bool) -> None:
    planned(store, 1)
    plan(store, 1, by_hand=by_hand)
    send(store, NOON + MINUTE)
    found = past(store)
    assert (found.last, found.today, found.under_way) == (NOON + MINUTE, 1, 0)
    assert (found.titles, found.authors) == (("Number 1",), ("Ada Lindqvist",))


def test_what_is_on_the_wire_or_in_doubt_counts_from_its_attempt(store: Store) -> None:
    planned(store, 1, at=NOON - 5 * HOUR)
    one = must_claim(store, at=NOON)
    start(store, one, NOON)
    assert (past(store).last, past(store).today, past(store).under_way) == (NOON, 1, 1)
    end(store, one, Settlement(state=DeliveryState.UNKNOWN, outcome="in-doubt", reason="no answer"))
    found = past(store)
    assert (found.last, found.last_slot, found.today, found.under_way) == (NOON, NOON - 5 * HOUR, 1, 0)


@pytest.mark.parametrize("settlement", [UNAVAILABLE, REFUSED])
def test_what_certainly_did_not_go_out_does_not_count(store: Store, settlement: Settlement) -> None:
    planned(store, 1)
    one = must_claim(store)
    start(store, one)
    end(store, one, settlement)
    assert (past(store).last, past(store).today) == (None, 0)


def test_what_waits_for_a_persons_hand_counts_and_other_held_ones_do_not(store: Store) -> None:
    planned(store, 1)
    begin(store)
    offer(store, 2)
    change(store, 2, state="held", reason="approve: waits")
    store.write_now(claims.hold_for_hand, must_claim(store), {"v": 1}, NOON + MINUTE)
    assert delivery(store).attempts == 0
    found = past(store)
    assert (found.last, found.today) == (NOON + MINUTE, 1)


def test_yesterday_does_not_count_towards_today(store: Store) -> None:
    planned(store, 1, at=MIDNIGHT - SECOND)
    send(store, MIDNIGHT - SECOND)
    found = past(store)
    assert (found.last, found.today) == (MIDNIGHT - SECOND, 0)


def test_a_rehearsal_is_paced_by_itself_and_does_not_pace_what_is_live(store: Store) -> None:
    planned(store, 1, live=False)
    send(store, live=False)
    assert (past(store).last, past(store).today) == (NOON, 1)
    go(store, True, NOON)
    assert (past(store).last, past(store).today) == (None, 0)


def test_only_the_newest_are_remembered_and_all_of_the_day_are_counted(store: Store) -> None:
    planned(store, *range(1, 26))
    for minute in range(25):
        send(store, NOON + minute * MINUTE)
    found = past(store)
    assert (found.today, found.last) == (25, NOON + 24 * MINUTE)
    assert len(found.titles) == ledger.RECENT


@pytest.mark.parametrize(
    ("values", "counts_from"),
    [
        pytest.param({"state": "sent", "sent_at": NOON - DAY}, NOON - DAY, id="sent"),
        pytest.param({"state": "sent", "sent_at": NOON - 2 * DAY}, None, id="sent two days ago"),
        pytest.param({"state": "sent", "sent_at": NOON - DAY, "retracted_at": NOON}, None, id="taken back"),
        pytest.param({"state": "planned", "due_at": NOON - DAY}, NOON, id="planned, and late: it may go any moment"),
        pytest.param({"state": "planned", "due_at": NOON + DAY}, NOON + DAY, id="planned by hand for tomorrow"),
        pytest.param({"state": "planned", "due_at": NOON + 3 * DAY}, None, id="planned by hand for much later"),
        pytest.param({"state": "unknown", "due_at": NOON - HOUR}, NOON - HOUR, id="in doubt"),
        pytest.param({"state": "claimed", "due_at": NOON - HOUR}, NOON - HOUR, id="on the wire"),
        pytest.param({"state": "failed", "due_at": NOON - HOUR}, None, id="failed"),
        pytest.param({"state": "waiting"}, None, id="waiting"),
        pytest.param({"state": "rehearsed", "due_at": NOON - HOUR, "live": False}, None, id="of a rehearsal"),
    ],
)
def test_what_rules_out_a_near_twin(store: Store, values: dict[str, Any], counts_from: datetime | None) -> None:
    begin(store)
    offer(store, 1)
    change(store, 1, **values)
    found = store.read_now(ledger.recent, LINKEDIN, NOON)
    assert [(one.title, one.moment) for one in found] == ([("Number 1", counts_from)] if counts_from else [])


def test_a_rehearsal_is_told_apart_by_its_own_past(store: Store) -> None:
    planned(store, 1, live=False)
    send(store, live=False)
    assert [one.title for one in store.read_now(ledger.recent, LINKEDIN, NOON)] == ["Number 1"]


def test_why_it_was_chosen_stays_whatever_becomes_of_it(store: Store) -> None:
    begin(store)
    offer(store, 1)
    [candidate] = store.read_now(ledger.candidates, LINKEDIN)
    chosen = pacing.Decision(candidate=candidate, choice=Choice.PLAN, reason="score 90", planned_for=NOON)
    store.write_now(ledger.write_decisions, [chosen])
    assert (delivery(store).why, delivery(store).reason) == ("score 90", None)
    one = must_claim(store)
    start(store, one)
    end(store, one, REFUSED)
    assert (delivery(store).state, delivery(store).why) == ("failed", "score 90")
    assert delivery(store).reason


# --- by hand ----------------------------------------------------------------------------------------------------------


def put(
    store: Store, number: int = 1, *, channel: str = LINKEDIN, at: datetime = NOON, again: bool = False
) -> deliveries.Put:
    article = {"id": f"id-{number}", "title": f"Number {number}"}
    return store.write_now(deliveries.put, channel, article, at, NOON, again=again)


def end_as(state: str) -> Callable[[Store], None]:
    return lambda store: change(store, 1, state=state)


def test_sending_by_hand_makes_a_row_that_is_due(store: Store) -> None:
    begin(store)
    put_articles(store, 1)
    found = put(store)
    row = delivery(store)
    assert (found.delivery, found.already, row.state, row.by_hand, row.live) == (row.id, None, "planned", True, True)


@pytest.mark.parametrize(
    "state", ["waiting", "held", "planned", "rehearsed", "skipped", "expired", "cancelled", "failed"]
)
def test_what_reached_nobody_is_taken_up_in_its_own_row(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state, payload="{}", crashes=2)
    found = put(store, at=NOON + HOUR)
    row = delivery(store)
    assert found.delivery == row.id
    assert (row.state, row.round, row.due_at, row.payload, row.crashes) == ("planned", 1, NOON + HOUR, None, 0)


def test_what_was_sent_is_said_so_and_only_again_makes_a_new_round(store: Store) -> None:
    planned(store, 1)
    send(store)
    found = put(store)
    assert found.already == "sent to linkedin on 2026-11-23 12:00 UTC: https://example.org/post"
    assert put(store, again=True).already is None
    assert [row["state"] for row in store.read_now(deliveries.listing)] == ["planned", "sent"]
    one = must_claim(store)
    assert (one.doubtful_since, one.payload) == (None, None)


@pytest.mark.parametrize("state", ["claimed", "unknown"])
def test_what_is_under_way_or_in_doubt_is_not_sent_beside_it(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state)
    for again in (False, True):
        with pytest.raises(UsageError, match=state):
            put(store, again=again)


def fail(store: Store) -> Claim:
    one = must_claim(store)
    start(store, one)
    end(store, one, REFUSED)
    return one


def test_a_failed_row_can_be_tried_again_and_again_and_every_attempt_stays(store: Store) -> None:
    planned(store, 1)
    fail(store)
    store.write_now(deliveries.retry, delivery(store).id, NOON)
    fail(store)
    put(store)
    fail(store)
    assert [(a.number, a.outcome) for a in attempts(store)] == [(1, "refused"), (2, "refused"), (3, "refused")]
    assert delivery(store).attempts == 3


def test_a_rehearsed_row_is_retried_as_its_channel_is_now(store: Store) -> None:
    planned(store, 1, live=False)
    send(store, live=False)
    go(store, True, NOON)
    store.write_now(deliveries.retry, delivery(store).id, NOON)
    assert must_claim(store).live


@pytest.mark.parametrize("state", ["waiting", "planned", "claimed", "sent", "unknown"])
def test_only_what_did_not_go_out_is_retried(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state)
    with pytest.raises(UsageError, match=state):
        store.write_now(deliveries.retry, delivery(store).id, NOON)


@pytest.mark.parametrize("state", ["claimed", "sent", "unknown", "failed"])
def test_only_what_has_not_begun_is_cancelled(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state)
    with pytest.raises(UsageError, match=state):
        store.write_now(deliveries.cancel, delivery(store).id)


def test_a_person_resolves_a_doubt(store: Store) -> None:
    planned(store, 1, 2)
    for number in (1, 2):
        one = must_claim(store)
        start(store, one)
        end(store, one, Settlement(state=DeliveryState.UNKNOWN, outcome="in-doubt", reason="no answer"))
        assert one.subject == f"id-{number}"
    store.write_now(deliveries.resolve, delivery(store, 1).id, "https://example.org/there", NOON)
    store.write_now(deliveries.resolve, delivery(store, 2).id, None, NOON)
    assert states(store) == {1: "sent", 2: "failed"}
    assert delivery(store, 1).url == "https://example.org/there"
    store.write_now(deliveries.retry, delivery(store, 2).id, NOON)
    assert must_claim(store).doubtful_since is None  # the person said that it is not there


@pytest.mark.parametrize("state", ["waiting", "planned", "claimed", "sent", "failed"])
def test_only_doubts_and_what_waits_for_a_hand_are_resolved(store: Store, state: str) -> None:
    planned(store, 1)
    change(store, 1, state=state)
    with pytest.raises(UsageError, match=state):
        store.write_now(deliveries.resolve, delivery(store).id, None, NOON)


def test_an_address_that_is_none_resolves_nothing(store: Store) -> None:
    planned(store, 1)
    change(store, 1, state="unknown")
    with pytest.raises(UsageError, match="no address"):
        store.write_now(deliveries.resolve, delivery(store).id, "there", NOON)


def test_a_number_that_is_none_is_said_so(store: Store) -> None:
    for act in (deliveries.cancel, lambda c, d: deliveries.retry(c, d, NOON)):
        with pytest.raises(UsageError, match="no delivery 7"):
            store.write_now(act, 7)


# --- seeing -----------------------------------------------------------------------------------------------------------


def test_what_a_pass_left_failed_or_in_doubt_is_told(store: Store) -> None:
    planned(store, 1)
    fail(store)
    [line] = store.read_now(deliveries.troubled_since, NOON)
    assert "linkedin" in line
    assert "no" in line
    assert store.read_now(deliveries.troubled_since, NOON + SECOND) == []


def test_the_oldest_that_is_due_is_told(store: Store) -> None:
    planned(store, 1)
    assert store.read_now(deliveries.oldest_due, NOON - SECOND) is None
    assert store.read_now(deliveries.oldest_due, NOON + HOUR) == NOON


def test_counts_are_those_of_the_rows(store: Store) -> None:
    planned(store, 1, 2, 3)
    send(store)
    assert store.read_now(deliveries.counts) == {LINKEDIN: {"planned": 2, "sent": 1}}
