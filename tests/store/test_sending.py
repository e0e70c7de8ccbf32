"""deliver and mail against a real ledger: what reaches the world is what the ledger says, whatever fails between.

The channel and the transport are stand-ins that do as they are told; the ledger is locked by another connection where
it must fail.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import text

from syndicate.channels.base import Announcement, Shown
from syndicate.deliver import PublicChannel, deliver
from syndicate.delivery import Receipt, RetryPolicy
from syndicate.dkim import Dkim
from syndicate.errors import InDoubt, Refused, StoreError, Unavailable
from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered, compose, list_id
from syndicate.mail import Post, mail
from syndicate.pacing import Pacing
from syndicate.signer import Signer
from syndicate.store import claims, freezing, letters, pauses
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.transports.base import Envelope, Fate, Hear, May, Verdict, always
from tests.doubles.clock import TwoClocks
from tests.store.conftest import only
from tests.store.rows import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECRET,
    attempts,
    begin,
    delivery,
    join,
    letter_rows,
    letter_states,
    mailing_row,
    must_claim,
    open_mailings,
    planned,
    start,
    states,
    take,
)

POLICY = RetryPolicy(retry_for=2 * DAY, repeat_within=10 * MINUTE)
RECEIPT = Receipt(external_id="urn:li:share:1", url="https://example.org/post", status=201)
Act = Callable[[], Receipt | None] | Receipt | Exception


class StageChannel:
    """Does what the next act says, and remembers what reached it."""

    name = "linkedin"

    def __init__(self, *acts: Act, live: bool = True, by_hand: bool = False) -> None:
        self.live = live
        self.by_hand = by_hand
        self.acts = list(acts)
        self.world: list[tuple[str, str, Mapping[str, Any]]] = []

    def compose(self, announcement: Announcement) -> Mapping[str, Any]:
        return {"v": 1, "title": announcement.article.title}

    async def prepare(self, key: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return payload

    def preview(self, payload: Mapping[str, Any]) -> Shown:
        return Shown(text=str(payload), html="")

    async def send(self, key: str, payload: Mapping[str, Any]) -> Receipt:
        return self._act("send", key, payload)

    async def reconcile(self, key: str, payload: Mapping[str, Any]) -> Receipt:
        return self._act("reconcile", key, payload)

    def _act(self, verb: str, key: str, payload: Mapping[str, Any]) -> Receipt:
        self.world.append((verb, key, payload))
        act = self.acts.pop(0) if self.acts else RECEIPT
        if callable(act):
            act = act() or RECEIPT
        if isinstance(act, Exception):
            raise act
        return act

    async def retract(self, external_id: str) -> Receipt:
        return self._act("retract", external_id, {})

    async def unable(self) -> str | None:
        return None

    async def aclose(self) -> None:
        """Nothing is held."""


class Desk:
    """One process at its desk."""

    def __init__(self, store: Store, owner: Owner, clock: TwoClocks, channel: StageChannel) -> None:
        self.store, self.owner, self.clock, self.channel = store, owner, clock, channel
        self.public = PublicChannel(channel=channel, pacing=Pacing(zone=ZoneInfo("UTC")), policy=POLICY)
        self.stop = asyncio.Event()

    async def deliver(self, after: timedelta = timedelta(0)) -> int:
        self.clock.pass_by(after.total_seconds())
        self.owner.renew()
        return await deliver(self.public, self.store, self.owner, self.clock, random.Random(1), self.stop)


@pytest.fixture
def at_desk(store: Store, owner: Owner, clock: TwoClocks) -> Callable[..., Desk]:
    return lambda *acts, **more: Desk(store, owner, clock, StageChannel(*acts, **more))


class Locked:
    """Another program that takes the database's lock and does not let go."""

    def __init__(self, store: Store) -> None:
        store.write_now(lambda connection: connection.execute(text("PRAGMA busy_timeout = 1")))
        self._other = sqlite3.connect(store.where, isolation_level=None, check_same_thread=False)

    def lock(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        if self._other.in_transaction:
            self._other.execute("ROLLBACK")

    def close(self) -> None:
        self.unlock()
        self._other.close()


@pytest.fixture
def other_program(store: Store) -> Iterator[Locked]:
    made = Locked(store)
    yield made
    made.close()


# --- deliver ----------------------------------------------------------------------------------------------------------


async def test_what_is_due_is_sent_once(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1, 2)
    desk = at_desk()
    assert await desk.deliver() == 2
    assert await desk.deliver() == 0
    assert [(verb, payload["title"]) for verb, _, payload in desk.channel.world] == [
        ("send", "Number 1"),
        ("send", "Number 2"),
    ]
    assert states(store) == {1: "sent", 2: "sent"}


async def test_what_nobody_foresaw_is_a_doubt_and_its_repeat_settles_it(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1)
    desk = at_desk(RuntimeError("surprise"))
    await desk.deliver()
    assert delivery(store).state == "unknown"
    await desk.deliver(MINUTE)
    assert delivery(store).state == "sent"
    (first, key, payload), (second, again, same) = desk.channel.world
    assert (first, second) == ("send", "reconcile")
    assert (key, payload) == (again, same)


async def test_a_doubt_is_not_repeated_when_the_provider_has_forgotten_it(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1)
    desk = at_desk(InDoubt("no answer"))
    await desk.deliver()
    assert delivery(store).due_at is not None  # a repeat was meant, and the machine was off meanwhile
    await desk.deliver(11 * MINUTE)
    assert len(desk.channel.world) == 1
    row = delivery(store)
    assert (row.state, row.due_at) == ("unknown", None)
    assert "too late to repeat it" in row.reason
    assert await desk.deliver(DAY) == 0


async def test_a_crash_long_ago_is_not_repeated_either(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1)
    start(store, must_claim(store, "dead"))
    store.write_now(claims.take_back, ["dead"], NOON + 3 * DAY)
    desk = at_desk()
    await desk.deliver(3 * DAY)
    assert desk.channel.world == []
    assert delivery(store).state == "unknown"


async def test_without_a_way_to_post_it_waits_for_a_persons_hand(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1)
    desk = at_desk(by_hand=True)
    await desk.deliver()
    assert desk.channel.world == []
    assert delivery(store).state == "held"
    assert delivery(store).reason.startswith("by-hand:")


async def test_what_cannot_be_composed_fails_and_says_why(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1, 2)
    desk = at_desk()

    def failing(announcement: Announcement) -> Mapping[str, Any]:
        if announcement.article.title == "Number 1":
            raise ZeroDivisionError
        return {"v": 1, "title": announcement.article.title}

    desk.channel.compose = failing  # type: ignore[method-assign]  # a stage does as it is told
    await desk.deliver()
    assert states(store) == {1: "failed", 2: "sent"}
    assert attempts(store, 1) == []


@pytest.mark.parametrize(("error", "state"), [(Refused("no"), "failed"), (Unavailable("down"), "planned")])
async def test_answers_end_where_they_belong(
    store: Store, at_desk: Callable[..., Desk], error: Exception, state: str
) -> None:
    planned(store, 1)
    await at_desk(error).deliver()
    assert delivery(store).state == state
    assert delivery(store).owner is None


async def test_who_lost_his_lease_claims_nothing_and_does_not_spin(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1)
    desk = at_desk()
    desk.clock.pass_by(60)
    found = await asyncio.wait_for(
        deliver(desk.public, store, desk.owner, desk.clock, random.Random(1), desk.stop), timeout=5
    )
    assert (found, desk.channel.world, delivery(store).attempts) == (0, [], 0)


async def test_a_stop_claims_nothing_more(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1, 2)
    desk = at_desk()
    desk.channel.acts = [lambda: desk.stop.set()]
    assert await desk.deliver() == 1
    assert states(store) == {1: "sent", 2: "planned"}


# --- a provider that is down, and one that counts ---------------------------------------------------------------------

DOWN = InDoubt("LinkedIn answered 500", status=500)
QUOTA = Unavailable("LinkedIn answered 429", status=429, retry_after=5 * HOUR, rests=True)


async def test_nothing_new_is_begun_while_a_doubt_waits_for_its_repeat(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2, 3)
    desk = at_desk(DOWN)
    assert await desk.deliver() == 1
    assert await desk.deliver(timedelta(seconds=1)) == 0
    assert states(store) == {1: "unknown", 2: "planned", 3: "planned"}
    assert await desk.deliver(timedelta(seconds=15)) == 3
    assert [verb for verb, _, _ in desk.channel.world] == ["send", "reconcile", "send", "send"]


async def test_who_sends_one_by_hand_settles_the_doubt_before_it_and_only_on_its_channel(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2)
    desk = at_desk(DOWN)
    await desk.deliver()
    desk.clock.pass_by(DAY.total_seconds())
    desk.owner.renew()
    by_hand = partial(deliver, desk.public, store, desk.owner, desk.clock, random.Random(1), desk.stop)
    assert await by_hand([]) == 0
    assert states(store) == {1: "unknown", 2: "planned"}
    assert await by_hand([2]) == 2
    assert states(store) == {1: "unknown", 2: "sent"}  # it was too late for the first: a person's
    assert (delivery(store, 1).due_at, len(desk.channel.world)) == (None, 2)


async def test_a_doubt_of_an_article_that_was_rejected_holds_up_nothing(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2)
    desk = at_desk(DOWN)
    await desk.deliver()
    store.write_now(
        lambda connection: connection.execute(text("UPDATE articles SET verdict = 'rejected' WHERE id = 'id-1'"))
    )
    await desk.deliver(timedelta(seconds=15))
    assert states(store) == {1: "unknown", 2: "sent"}


@pytest.mark.parametrize("error", [DOWN, InDoubt("no answer"), Unavailable("cannot be reached")])
async def test_an_outage_costs_few_requests_and_ends_by_itself(
    store: Store, at_desk: Callable[..., Desk], error: Exception
) -> None:
    planned(store, 1, 2, 3, 4)
    desk = at_desk(*[error] * 100)
    for _ in range(60):  # 10 minutes
        await desk.deliver(timedelta(seconds=10))
    assert len(desk.channel.world) <= 5
    assert "it is tried again by itself" in store.read_now(pauses.standing)["linkedin"]
    desk.channel.acts.clear()
    for _ in range(30):
        await desk.deliver(MINUTE)
    # The first, whose doubt is older than what a repeat can tell, is a person's; nobody else was drawn into it.
    assert states(store) == {1: "sent" if isinstance(error, Unavailable) else "unknown"} | dict.fromkeys(
        (2, 3, 4), "sent"
    )
    assert store.read_now(pauses.standing) == {}


async def test_in_a_long_outage_each_doubt_is_repeated_before_it_is_a_persons(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2, 3, 4)
    desk = at_desk(*[DOWN] * 100)
    for _ in range(60):
        await desk.deliver(MINUTE)
    verbs: dict[str, list[str]] = {}
    for verb, key, _ in desk.channel.world:
        verbs.setdefault(key, []).append(verb)
    assert [told[:2] for told in verbs.values()] == [["send", "reconcile"]] * len(verbs)
    assert (len(verbs), len(desk.channel.world)) == (2, 7)


async def test_the_third_failure_in_a_row_trips_and_any_answer_counts_anew(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2, 3, 4, 5, 6)
    gone = Unavailable("cannot be reached")
    desk = at_desk(gone, gone, Refused("too long", status=400), gone, gone, gone)
    await desk.deliver()
    assert len(desk.channel.world) == 6
    assert store.read_now(pauses.standing)["linkedin"].startswith("it does not work (cannot be reached)")


async def test_an_answer_to_a_probe_ends_the_rest_even_where_it_is_a_refusal(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2, 3, 4, 5)
    gone = Unavailable("cannot be reached")
    desk = at_desk(gone, gone, gone, Refused("too long", status=400))
    assert await desk.deliver() == 3
    assert await desk.deliver(MINUTE) == 0
    assert await desk.deliver(MINUTE) == 5
    assert store.read_now(pauses.standing) == {}
    assert sorted(states(store).values()) == ["failed", "sent", "sent", "sent", "sent"]


async def test_a_rehearsal_that_cannot_be_written_is_no_provider_that_is_down(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2, 3, 4, live=False)
    desk = at_desk(*[Unavailable("the disk is full")] * 4, live=False)
    assert await desk.deliver() == 4
    assert store.read_now(pauses.standing) == {}


async def test_a_used_up_day_is_asked_once_and_rests_the_channel(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1, 2, 3, 4)
    desk = at_desk(QUOTA, QUOTA)
    assert await desk.deliver() == 1
    assert await desk.deliver(4 * HOUR) == 0
    at = store.read_now(pauses.quotas, desk.clock.now())["linkedin"]
    assert at == "its quota is used up; it goes on by itself after 2026-11-23 17:00 UTC"
    assert (store.read_now(pauses.standing), store.read_now(pauses.faults)) == ({}, [])
    assert await desk.deliver(HOUR) == 1  # used up still: one request more
    assert await desk.deliver(5 * HOUR) == 4
    assert set(states(store).values()) == {"sent"}
    assert store.read_now(pauses.quotas, NOON) == {}


async def test_a_person_may_end_the_rest_of_a_quota(store: Store, at_desk: Callable[..., Desk]) -> None:
    planned(store, 1, 2)
    desk = at_desk(QUOTA)
    await desk.deliver()
    assert store.write_now(pauses.resume, "linkedin") == ["linkedin"]
    assert await desk.deliver() == 1
    assert states(store) == {1: "planned", 2: "sent"}


async def test_a_quota_met_by_a_repeat_rests_the_channel_and_leaves_the_doubt_to_a_person(
    store: Store, at_desk: Callable[..., Desk]
) -> None:
    planned(store, 1, 2)
    desk = at_desk(DOWN, QUOTA)
    await desk.deliver()
    await desk.deliver(timedelta(seconds=15))
    assert (states(store), delivery(store, 1).due_at) == ({1: "unknown", 2: "planned"}, None)
    assert len(desk.channel.world) == 2


@only("sqlite")
async def test_a_ledger_that_cannot_be_told_is_told_later_and_nothing_is_sent_before(
    store: Store, at_desk: Callable[..., Desk], other_program: Locked
) -> None:
    planned(store, 1, 2)
    desk = at_desk(lambda: other_program.lock())
    with pytest.raises(StoreError, match="locked"):
        await desk.deliver()
    other_program.unlock()
    assert delivery(store).state == "claimed"
    other_program.lock()
    with pytest.raises(StoreError, match="locked"):
        await deliver(desk.public, store, desk.owner, desk.clock, random.Random(1), desk.stop)
    assert len(desk.channel.world) == 1
    other_program.unlock()
    await desk.deliver()
    assert states(store) == {1: "sent", 2: "sent"}
    assert [verb for verb, _, _ in desk.channel.world] == ["send", "send"]


@only("sqlite")
async def test_a_ledger_that_fails_before_the_first_byte_leaves_a_claim_that_is_put_right(
    store: Store, at_desk: Callable[..., Desk], other_program: Locked
) -> None:
    planned(store, 1)
    desk = at_desk()
    usual = desk.channel.compose

    def locking(announcement: Announcement) -> Mapping[str, Any]:
        other_program.lock()
        return usual(announcement)

    desk.channel.compose = locking  # type: ignore[method-assign]  # a stage does as it is told
    with pytest.raises(StoreError, match="locked"):
        await desk.deliver()
    assert desk.channel.world == []
    other_program.unlock()
    desk.channel.compose = usual  # type: ignore[method-assign]
    await desk.deliver()
    assert (delivery(store).state, delivery(store).crashes) == ("sent", 0)
    assert len(desk.channel.world) == 1


async def test_cancelled_on_the_wire_it_is_a_doubt_once_its_owner_leaves(store: Store, clock: TwoClocks) -> None:
    planned(store, 1)
    owner = Owner(store, clock, "run")
    owner.open()
    channel, on_the_wire = StageChannel(), asyncio.Event()

    async def hanging(key: str, payload: Mapping[str, Any]) -> Receipt:
        on_the_wire.set()
        await asyncio.sleep(60)
        raise AssertionError("never")

    channel.send = hanging  # type: ignore[method-assign]  # a stage does as it is told
    desk = Desk(store, owner, clock, channel)
    task = asyncio.create_task(desk.deliver())
    await on_the_wire.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    owner.close()
    assert delivery(store).state == "unknown"


# --- mail -------------------------------------------------------------------------------------------------------------

Answer = Callable[[Envelope], Verdict]


def accept(envelope: Envelope) -> Verdict:
    return Verdict(letter=envelope.letter, fate=Fate.ACCEPTED, code=250, answer="ok")


class StageTransport:
    """Answers each letter as told; `world` is whom it reached, with the bytes."""

    live = True

    def __init__(self, answer: Answer = accept, connections: int = 2) -> None:
        self.answer = answer
        self.connections = connections
        self.world: list[tuple[str, bytes]] = []
        self.groups: list[int] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[StageTransport]:
        yield self

    async def send(self, group: Sequence[Envelope], hear: Hear, may: May = always) -> None:
        self.groups.append(len(group))
        for envelope in group:
            await asyncio.sleep(0)
            if not may():
                return
            verdict = self.answer(envelope)
            if verdict.fate is Fate.ACCEPTED:
                self.world.append((envelope.recipient, b"".join(envelope.pieces)))
            if not hear(verdict):
                return


class Office:
    """One process that mails."""

    def __init__(self, store: Store, owner: Owner, clock: TwoClocks, transport: StageTransport) -> None:
        self.store, self.owner, self.clock, self.transport = store, owner, clock, transport
        self.post = Post(
            transport=transport, policy=RetryPolicy(retry_for=2 * DAY, repeat_within=2 * DAY), signer=Signer(SECRET),
            secret=SECRET, public_url="https://post.example",
        )  # fmt: skip
        self.stop = asyncio.Event()

    async def mail(self, after: timedelta = timedelta(0)) -> int:
        self.clock.pass_by(after.total_seconds())
        self.owner.renew()
        return await mail(self.post, self.store, self.owner, self.clock, random.Random(1), self.stop)

    @property
    def reached(self) -> list[str]:
        return [recipient.split("@")[0] for recipient, _ in self.transport.world]


def edition(store: Store, count: int) -> int:
    begin(store, channels=("email",))
    join(store, *(f"p{number:03}" for number in range(count)))
    links = f"{UNSUBSCRIBE} {PREFERENCES}"
    rendered = Rendered(subject="The week", preheader="", html=f"<p>Hello {links}</p>", text=f"Hello {links}")
    payload = compose(
        rendered, sender="News <news@example.net>", reply_to="", list_id=list_id("weekly", "example.net"),
        list_name="weekly", date=NOON, slug="weekly-1",
    )  # fmt: skip
    delivery, people = store.write_now(
        freezing.freeze, subject="weekly-1", digest="weekly", payload=payload, live=True, by_hand=False,
        planned_for=NOON, now=NOON,
    )  # fmt: skip
    assert people == count
    return delivery


@contextmanager
def office_of(store: Store, clock: TwoClocks, transport: StageTransport) -> Iterator[Office]:
    owner = Owner(store, clock, "run")
    owner.open()
    try:
        yield Office(store, owner, clock, transport)
    finally:
        owner.close()


@pytest.fixture
def in_office(store: Store, owner: Owner, clock: TwoClocks) -> Callable[..., Office]:
    return lambda *acts, **more: Office(store, owner, clock, StageTransport(*acts, **more))


async def test_everybody_gets_it_once_and_it_is_closed(store: Store, in_office: Callable[..., Office]) -> None:
    mailing = edition(store, 60)
    office = in_office()
    assert await office.mail() == 60
    assert sorted(office.reached) == [f"p{number:03}" for number in range(60)]
    assert mailing_row(store, mailing).state == "sent"
    assert await office.mail() == 0
    assert max(office.transport.groups) <= 25


async def test_each_letter_bears_its_own_readers_links_and_no_others(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 300)
    office = in_office(connections=8)
    await office.mail()
    for recipient, message in office.transport.world:
        who = int(recipient[1:4]) + 1
        links = {office.post.link(purpose, who).encode() for purpose in ("unsubscribe", "preferences")}
        text = message.replace(b"=\r\n", b"").replace(b"=3D", b"=")
        found = re.findall(rb"https://post\.example/[a-z]+/[A-Za-z0-9_-]+", text)
        assert set(found) == links
        assert len(found) == 5  # a header, two bodies
        assert f"\r\nTo: {recipient}\r\n".encode() in message
    assert len(office.reached) == len(set(office.reached)) == 300


async def test_letters_are_signed_as_they_leave_and_a_repeat_repeats_the_signature(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 30)
    office = in_office()
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    office.post.dkim = Dkim("example.net", "news", pem.decode())
    put_off: list[bytes] = []

    def answer(envelope: Envelope) -> Verdict:
        if envelope.letter != 1 or put_off:
            return accept(envelope)
        put_off.append(b"".join(envelope.pieces))
        assert len(put_off[0]) == envelope.size
        return Verdict(letter=envelope.letter, fate=Fate.DEFERRED, code=451, answer="later")

    office.transport.answer = answer
    await office.mail()
    messages = [message for _, message in office.transport.world]
    assert all(message.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256;") for message in messages)
    assert len({message.partition(b"\r\nFrom: ")[0] for message in messages}) == 29
    await office.mail(HOUR)
    assert office.transport.world[-1][1] == put_off[0]


async def test_a_mailing_that_is_frozen_while_another_goes_out_is_taken_along(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 100)
    join(store, "dora", digests=("daily",))
    office = in_office(connections=1)

    def freezing_another(envelope: Envelope) -> Verdict:
        if not office.reached:
            payload = json.loads(mailing_row(store, 1).payload) | {"slug": "daily-1"}
            store.write_now(
                freezing.freeze, subject="daily-1", digest="daily", payload=payload, live=True, by_hand=False,
                planned_for=NOON, now=NOON,
            )  # fmt: skip
            time.sleep(0.6)
            office.clock.pass_by(1)
        return accept(envelope)

    office.transport.answer = freezing_another
    await office.mail()
    assert len(office.reached) == 101
    assert office.reached.index("dora") < 100


async def test_an_answer_that_the_ledger_cannot_keep_costs_its_words_alone(
    store: Store, in_office: Callable[..., Office]
) -> None:
    mailing = edition(store, 30)
    office = in_office(
        lambda envelope: (
            Verdict(letter=envelope.letter, fate=Fate.REJECTED, code=550, answer="no \ud800")
            if envelope.recipient.startswith("p003")
            else accept(envelope)
        )
    )
    await office.mail()
    await office.mail()
    assert Counter(letter_states(store, mailing)) == {"sent": 29, "failed": 1}
    assert len(office.reached) == 29
    assert letter_rows(store, mailing)[3].answer is None


async def test_a_server_that_finds_us_too_many_gets_fewer_of_us_and_one_more_later(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 200)
    office = in_office(connections=8)
    crowded = [True, True]

    def answer(envelope: Envelope) -> Verdict:
        if crowded:
            crowded.pop()
            return Verdict(
                letter=envelope.letter, fate=Fate.DEFERRED, code=451, status="4.7.652", answer="too many connections"
            )
        return accept(envelope)

    office.transport.answer = answer
    await office.mail()
    assert office.post.connections < 5
    assert store.read_now(pauses.standing) == {}
    before = office.post.connections
    await office.mail(HOUR)
    assert office.post.connections == before + 1
    assert len(set(office.reached)) == 200


async def test_groups_are_as_large_as_five_seconds_allow(store: Store, in_office: Callable[..., Office]) -> None:
    edition(store, 30)
    office = in_office(connections=1)

    def slow(envelope: Envelope) -> Verdict:
        office.clock.pass_by(1)
        office.owner.renew()
        return accept(envelope)

    office.transport.answer = slow
    await office.mail()
    assert set(office.transport.groups) == {5}
    assert len(office.reached) == 30


async def test_a_stop_settles_what_is_known_and_gives_nothing_more_out(
    store: Store, in_office: Callable[..., Office]
) -> None:
    mailing = edition(store, 60)
    office = in_office(connections=1)

    def stopping(envelope: Envelope) -> Verdict:
        office.stop.set()
        return accept(envelope)

    office.transport.answer = stopping
    await office.mail()
    counts = store.read_now(letters.counts)
    assert counts["sent"] == len(office.reached) == 5
    assert counts["due"] == 55
    assert mailing_row(store, mailing).state == "claimed"


async def test_a_refused_password_pauses_at_once_and_blames_nobody(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 60)
    tried = []

    def refusing(envelope: Envelope) -> Verdict:
        tried.append(envelope.letter)
        return Verdict(letter=envelope.letter, fate=Fate.CHANNEL, code=535, answer="535 no", pauses="check it")

    office = in_office(refusing, connections=1)
    await office.mail()
    assert len(tried) == 1
    assert store.read_now(letters.counts) == {"due": 60}
    assert store.read_now(pauses.standing) == {"email": "535 no: check it"}
    await office.mail(14 * MINUTE)
    assert len(tried) == 1
    await office.mail(MINUTE)
    assert len(tried) == 2  # the probe
    office.transport.answer = accept
    await office.mail(15 * MINUTE)
    await office.mail(HOUR)
    assert store.read_now(letters.counts) == {"sent": 60}


async def test_a_used_up_day_rests_and_goes_on(store: Store, in_office: Callable[..., Office]) -> None:
    edition(store, 3)
    office = in_office(
        lambda envelope: Verdict(letter=envelope.letter, fate=Fate.CHANNEL, code=550, answer="550 5.4.5", quota=True)
    )
    await office.mail()
    assert list(store.read_now(pauses.quotas, office.clock.now())) == ["email"]
    assert store.read_now(pauses.standing) == {}  # nobody has to do anything
    office.transport.answer = accept
    await office.mail(11 * HOUR + 59 * MINUTE)
    assert office.reached == []
    await office.mail(16 * MINUTE)  # after midnight
    assert len(office.reached) == 3


async def test_three_in_a_row_refused_for_what_we_are_pause_the_channel(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 20)
    tried = []

    def blaming(envelope: Envelope) -> Verdict:
        tried.append(envelope.letter)
        return Verdict(letter=envelope.letter, fate=Fate.BLAMED, code=554, status="5.7.1", answer="blocked")

    office = in_office(blaming, connections=1)
    await office.mail()
    assert len(tried) == 3
    assert store.read_now(letters.counts) == {"due": 20}
    assert "check email.sender" in store.read_now(pauses.standing)["email"]


@only("sqlite")
async def test_a_ledger_that_cannot_be_told_is_told_later_and_nobody_gets_two(
    store: Store, in_office: Callable[..., Office], other_program: Locked
) -> None:
    mailing = edition(store, 12)
    office = in_office(connections=1)

    def locking(envelope: Envelope) -> Verdict:
        other_program.lock()
        office.transport.answer = accept
        return accept(envelope)

    office.transport.answer = locking
    with pytest.raises(BaseExceptionGroup) as failed:
        await office.mail()
    assert failed.group_contains(StoreError, match="locked")
    sent_before = list(office.reached)
    assert len(sent_before) == 5
    with pytest.raises(StoreError, match="locked"):  # not told yet: nothing more is claimed
        await mail(office.post, store, office.owner, office.clock, random.Random(1), office.stop)
    assert office.reached == sent_before
    other_program.unlock()
    await office.mail()
    assert len(office.reached) == len(set(office.reached)) == 12
    assert letter_states(store, mailing) == ["sent"] * 12


async def test_a_transport_that_breaks_gives_back_what_it_did_not_send(
    store: Store, in_office: Callable[..., Office]
) -> None:
    edition(store, 10)
    office = in_office(connections=1)

    def breaking(envelope: Envelope) -> Verdict:
        if len(office.reached) == 2:
            raise RuntimeError("a defect of ours")
        return accept(envelope)

    office.transport.answer = breaking
    with pytest.raises(BaseExceptionGroup):
        await office.mail()
    office.transport.answer = accept
    await office.mail()
    assert sorted(office.reached) == [f"p{number:03}" for number in range(10)]


async def test_a_letter_that_breaks_what_sends_it_is_found_and_set_aside(
    store: Store, in_office: Callable[..., Office]
) -> None:
    mailing = edition(store, 60)
    office = in_office(connections=4)

    def poisoned(envelope: Envelope) -> Verdict:
        if envelope.recipient.startswith("p007"):
            raise RuntimeError("a defect of ours")
        return accept(envelope)

    office.transport.answer = poisoned
    for _ in range(3):
        with pytest.raises((BaseExceptionGroup, RuntimeError)):  # of a group, then of itself alone
            await office.mail()
    await office.mail()
    states = letter_states(store, mailing)
    assert (states.pop(7), set(states)) == ("unknown", {"sent"})
    assert len(office.reached) == len(set(office.reached)) == 59
    assert mailing_row(store, mailing).state == "sent"


async def test_what_was_in_hand_at_a_crash_is_sent_alone_once_the_others_are_out(
    store: Store, in_office: Callable[..., Office]
) -> None:
    mailing = edition(store, 40)
    one = next(iter(open_mailings(store)))
    take(store, one, "dead", limit=10)
    store.write_now(letters.take_back, ["dead"], NOON)
    office = in_office(connections=2)
    await office.mail()
    assert office.transport.groups[-10:] == [1] * 10
    assert sorted(office.reached[-10:]) == [f"p{number:03}" for number in range(10)]
    assert letter_states(store, mailing) == ["sent"] * 40


async def test_letters_claimed_in_a_commit_whose_answer_got_lost_are_given_back(
    store: Store, in_office: Callable[..., Office]
) -> None:
    mailing = edition(store, 6)
    office = in_office(connections=1)
    one = next(iter(open_mailings(store)))
    take(store, one, office.owner.id, limit=4)  # the ledger knows of it, the process does not
    await office.mail()
    assert len(office.reached) == len(set(office.reached)) == 6
    assert {row.crashes for row in letter_rows(store, mailing)} == {0}


async def test_no_word_that_is_kept_names_the_person(store: Store, in_office: Callable[..., Office]) -> None:
    mailing = edition(store, 1)
    office = in_office()

    def quoting(envelope: Envelope) -> Verdict:
        return Verdict(
            letter=envelope.letter, fate=Fate.REJECTED, code=550, answer=f"<{envelope.recipient}>: no such user"
        )

    office.transport.answer = quoting
    await office.mail()
    assert [row.answer for row in letter_rows(store, mailing)] == ["<…>: no such user"]


async def test_who_was_suspended_past_his_lease_sends_nothing_more_of_his_group(store: Store, clock: TwoClocks) -> None:
    """Another one has taken the letters back meanwhile and sent them."""
    mailing = edition(store, 5)
    transport = StageTransport(connections=1)
    with office_of(store, clock, transport) as sleeper:

        def suspended(envelope: Envelope) -> Verdict:
            clock.pass_by(60)
            store.write_now(letters.take_back, [sleeper.owner.id], clock.now())
            sleeper.owner.renew()  # awake again, the lease begins anew
            transport.answer = accept
            return accept(envelope)

        transport.answer = suspended
        await sleeper.mail()
    assert sleeper.reached.count("p000") == 2  # accepted, and taken back before the ledger was told
    assert {name: sleeper.reached.count(name) for name in sleeper.reached if name != "p000"} == {
        "p001": 1,
        "p002": 1,
        "p003": 1,
        "p004": 1,
    }
    assert letter_states(store, mailing) == ["sent"] * 5


async def test_a_letter_sent_again_is_the_same_to_the_byte(store: Store, in_office: Callable[..., Office]) -> None:
    edition(store, 1)
    office = in_office(connections=1)
    seen: list[bytes] = []

    def in_doubt(envelope: Envelope) -> Verdict:
        seen.append(b"".join(envelope.pieces))
        return Verdict(letter=envelope.letter, fate=Fate.DEFERRED, answer="no answer to the dot", in_doubt=True)

    office.transport.answer = in_doubt
    await office.mail()
    office.transport.answer = accept
    await office.mail(HOUR)
    assert [bytes_ for _, bytes_ in office.transport.world] == seen


async def test_a_bad_address_fails_alone(store: Store, in_office: Callable[..., Office]) -> None:
    mailing = edition(store, 4)
    office = in_office(
        lambda envelope: (
            accept(envelope)
            if not envelope.recipient.startswith("p002")
            else Verdict(letter=envelope.letter, fate=Fate.REJECTED, code=550, answer="no such user")
        )
    )
    await office.mail()
    assert letter_states(store, mailing) == ["sent", "sent", "failed", "sent"]
    assert mailing_row(store, mailing).state == "sent"
