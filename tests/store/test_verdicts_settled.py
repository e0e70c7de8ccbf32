"""From a server's answer to the ledger and back: whole passes of mail whose verdicts tell of more than letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from syndicate.store import letters, mailings, pauses, subscribers, suppressing
from syndicate.store.database import Store
from syndicate.store.schema import editions
from syndicate.transports.base import Envelope, Fate, Verdict
from tests.doubles.clock import TwoClocks
from tests.store.conftest import Database
from tests.store.rows import HOUR, MINUTE, NOON, SECOND, SECRET
from tests.store.test_sending import Office, StageTransport, accept, edition, office_of

KEY = "digest:weekly"


@pytest.fixture
def in_office(store: Store, clock: TwoClocks) -> Iterator[Callable[..., Office]]:
    with ExitStack() as open_ones:
        yield lambda answer=accept, *, connections=2, at=store: open_ones.enter_context(
            office_of(at, clock, StageTransport(answer, connections))
        )


def weekly(store: Store, count: int) -> int:
    """An edition of the weekly digest to so many people."""
    made = {"slug": "weekly-1", "digest": "weekly", "until": NOON, "state": "frozen", "live": True, "made_at": NOON}
    store.write_now(lambda c: c.execute(editions.insert().values(made)))
    return edition(store, count)


def nobody(envelope: Envelope) -> Verdict:
    return Verdict(
        letter=envelope.letter, fate=Fate.REJECTED, code=550, status="5.1.1", answer="5.1.1 no such user", person="hard"
    )


def refused(envelope: Envelope) -> Verdict:
    return Verdict(letter=envelope.letter, fate=Fate.BLAMED, code=554, status="5.7.1", answer="5.7.1 blocked")


async def test_a_server_that_knows_nobody_stops_the_edition_and_costs_nobody_his_place(
    store: Store, in_office: Callable[..., Office]
) -> None:
    delivery = weekly(store, 200)
    office = in_office(nobody)
    await office.mail()
    people = store.read_now(subscribers.counts)
    assert 20 <= people["bounced"] <= 20 + 2 * 25  # what was in hand when it stopped
    assert store.read_now(letters.counts) == {"due": people["active"], "failed": people["bounced"]}
    assert store.read_now(mailings.counts, [delivery]) == store.read_now(mailings.count, [delivery])
    await office.mail(HOUR)
    assert set(store.read_now(pauses.standing)) == {KEY}
    assert store.read_now(subscribers.counts) == people

    office.transport.answer = accept  # the server was mended, and a person said so
    done = store.write_now(suppressing.resume, KEY, office.clock.now(), SECRET)
    assert done.forgiven == people["bounced"]
    await office.mail()
    assert Counter(office.reached) == Counter({f"p{number:03}": 1 for number in range(200)})
    assert store.read_now(subscribers.counts) == {"active": 200}
    assert store.read_now(letters.counts) == {"sent": 200}


async def test_an_old_list_goes_on_without_those_who_are_gone_once_a_person_says_so(
    store: Store, in_office: Callable[..., Office]
) -> None:
    weekly(store, 120)
    office = in_office(lambda one: nobody(one) if one.letter % 2 else accept(one))
    await office.mail()
    assert set(store.read_now(pauses.standing)) == {KEY}
    store.write_now(suppressing.resume, KEY, office.clock.now())
    await office.mail()
    assert store.read_now(pauses.standing) == {}
    assert store.read_now(subscribers.counts) == {"active": 60, "bounced": 60}
    assert store.read_now(letters.counts) == {"failed": 60, "sent": 60}


async def test_a_few_who_are_always_refused_for_what_we_are_do_not_pause_the_channel_for_everybody(
    store: Store, in_office: Callable[..., Office]
) -> None:
    weekly(store, 40)
    office = in_office(lambda one: refused(one) if one.letter % 10 == 1 else accept(one), connections=1)
    for _ in range(6):
        await office.mail(HOUR)
        assert store.read_now(pauses.standing) == {}
    assert store.read_now(letters.counts) == {"due": 4, "sent": 36}


async def test_two_workers_together_find_that_the_channel_is_refused(
    database: Database, store: Store, in_office: Callable[..., Office]
) -> None:
    weekly(store, 40)
    tried: list[int] = []

    def once(envelope: Envelope) -> Verdict:
        tried.append(envelope.letter)
        office.stop.set()  # each ends after its first letter
        other.stop.set()
        return refused(envelope)

    office, other = in_office(once, connections=1), in_office(once, connections=1, at=database.open())
    for one in (office, other, office):
        office.stop.clear()
        other.stop.clear()
        await one.mail()
    assert len(set(tried)) >= 3
    assert "check email.sender" in store.read_now(pauses.standing)["email"]


async def test_a_domain_that_was_too_fast_gets_one_letter_from_all_workers_until_it_takes_one(
    database: Database, store: Store, in_office: Callable[..., Office]
) -> None:
    weekly(store, 30)
    tried: list[str] = []

    def too_fast(envelope: Envelope) -> Verdict:
        tried.append(envelope.recipient)
        return Verdict(
            letter=envelope.letter, fate=Fate.DEFERRED, code=421, status="4.7.28", answer="4.7.28 unusual rate"
        )

    office, other = in_office(too_fast, connections=1), in_office(too_fast, connections=1, at=database.open())
    await office.mail()
    in_hand = len(tried)
    assert 1 <= in_hand <= 25
    await other.mail(5 * MINUTE)
    assert len(tried) == in_hand
    assert set(store.read_now(pauses.standing)) == {"email:example.net"}
    for tries in range(1, 4):  # one in ten minutes, whoever makes it
        await office.mail(10 * MINUTE + SECOND)
        await other.mail()
        assert len(tried) == in_hand + tries
    office.transport.answer = other.transport.answer = accept
    await other.mail(10 * MINUTE + SECOND)
    assert store.read_now(pauses.standing) == {}
    for _ in range(2):  # those that were told to wait have their own moments
        await office.mail(HOUR)
    assert sorted(office.reached + other.reached) == [f"p{number:03}" for number in range(30)]
