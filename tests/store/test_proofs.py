"""Proofs: the coming edition is shown to its owner once, uses nothing up, and can be stopped by him."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import Connection, select

from syndicate import proof
from syndicate.delivery import RetryPolicy
from syndicate.freeze import release_due
from syndicate.letter import message_bytes
from syndicate.post import Post
from syndicate.signer import Signer
from syndicate.store import holding, letters, pauses, proofs
from syndicate.store.database import open_store
from syndicate.store.owners import Owner
from syndicate.store.proofs import TRIES
from syndicate.store.schema import proofs as table
from syndicate.transports.base import Envelope, Fate, Verdict
from tests.doubles.clock import TwoClocks
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import SECRET, join
from tests.store.test_editions import MONDAY, SLOTS, add, at, held, slots
from tests.store.test_sending import StageTransport

Make = Callable[..., Room]
ALERTS = '[alerts]\nemail = "Me <me@example.net>"\n'


class Show:
    """A newsroom that shows its editions, and the mailbox of its owner."""

    def __init__(self, room: Room, owner: Owner, clock: TwoClocks) -> None:
        self.room, self.owner, self.clock = room, owner, clock
        self.transport = StageTransport()
        self.post = Post(
            transport=self.transport, policy=RetryPolicy(retry_for=DAY, repeat_within=DAY), signer=Signer(SECRET),
            secret=SECRET, public_url="https://post.example",
        )  # fmt: skip

    async def send(self, moment: datetime | None = None) -> int:
        self.room.now = moment or self.room.now
        self.clock.moment = self.room.now
        self.owner.renew()
        return await proof.send_due(self.post, self.room.press, self.room.store, self.owner, self.clock)

    @property
    def mails(self) -> list[EmailMessage]:
        assert {to for to, _ in self.transport.world} <= {"me@example.net"}
        return [message_from_bytes(message_bytes([raw]), policy=policy.default) for _, raw in self.transport.world]

    def stop_token(self, mail: EmailMessage) -> int:
        part = mail.get_body(("plain",))
        assert part is not None
        [line] = [line for line in part.get_content().splitlines() if line.startswith("Stop it: ")]
        number = Signer(SECRET).read("stop", line.rpartition("/")[2])
        assert number is not None
        return number


@pytest.fixture
async def show(make_room: Make, owner: Owner, clock: TwoClocks) -> Show:
    return await opened(make_room, owner, clock)


async def opened(
    make_room: Make, owner: Owner, clock: TwoClocks, keys: str = "", ahead: str = "2h", **more: object
) -> Show:
    room = make_room(email=True, keys=f'proof = "{ahead}"\n{keys}', more=ALERTS, **more)
    join(room.store, "ada", "ben")
    room.now = MONDAY
    await room.look()
    return Show(room, owner, clock)


def rows(room: Room) -> list[tuple[int, str | None, datetime | None, datetime | None]]:
    def read(connection: Connection) -> list[tuple[int, str | None, datetime | None, datetime | None]]:
        found = connection.execute(select(table).order_by(table.c.id))
        return [(row.attempts, row.owner, row.due_at, row.sent_at) for row in found]

    return room.store.read_now(read)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_it_comes_once_that_long_before_the_slot_with_all_that_must_be_known(show: Show) -> None:
    await add(show.room, "a")
    before = SLOTS[0] - 2 * HOUR
    assert await show.send(before - MINUTE) == 0
    assert await show.send(before) == 1
    assert await show.send(SLOTS[0] - MINUTE) == 0
    [mail] = show.mails
    assert mail["Subject"] == "[Proof] The Courier"
    assert text_of(mail).startswith(
        "Proof of weekly-2026-11-24: it goes to 2 people on Tuesday 24 November 09:00.\n"
        "You need not do anything. Edits of its articles until then still count.\n"
    )
    assert "https://post.example/stop/" in text_of(mail, "html")
    assert "Note: " in text_of(mail)  # what lint says of it
    assert show.room.store.read_now(letters.counts) == {}
    assert await at(show.room, SLOTS[0]) == ["weekly-2026-11-24"]
    assert held(show.room) == {"weekly-2026-11-24": ["a"]}
    assert [row[0] for row in rows(show.room)] == [1]


async def test_what_is_edited_and_what_is_new_after_it_is_in_the_edition_all_the_same(show: Show) -> None:
    await add(show.room, "a")
    await show.send(SLOTS[0] - HOUR)
    show.room.write("a.md", "Another title")
    await add(show.room, "b")
    await at(show.room, SLOTS[0])
    assert sorted(held(show.room)["weekly-2026-11-24"]) == ["Another title", "b"]


async def test_there_is_none_of_too_little_and_it_comes_when_there_is_enough(show: Show) -> None:
    assert await show.send(SLOTS[0] - HOUR) == 0
    assert rows(show.room) == []
    await add(show.room, "a")
    assert await show.send() == 1


async def test_a_slot_that_was_missed_has_none_and_its_edition_goes_out(show: Show) -> None:
    await add(show.room, "a")
    assert await show.send(SLOTS[0]) == 0
    assert await at(show.room, SLOTS[0]) == ["weekly-2026-11-24"]


@pytest.mark.parametrize(("zone_day", "slot"), [("2027-03-27", "2027-03-28T07:00"), ("2027-10-30", "2027-10-31T08:00")])
async def test_on_the_nights_of_a_clock_change_it_comes_that_many_real_hours_before(
    make_room: Make, owner: Owner, clock: TwoClocks, zone_day: str, slot: str
) -> None:
    show = await opened(make_room, owner, clock, ahead="8h")  # the clock is changed between the proof and the slot
    show.room.now = datetime.fromisoformat(f"{zone_day}T12:00+00:00")
    await show.room.look()
    await add(show.room, "a")
    moment = datetime.fromisoformat(f"{slot}+00:00")
    assert await show.send(moment - 8 * HOUR - MINUTE) == 0
    assert await show.send(moment - 8 * HOUR) == 1
    assert " 09:00." in text_of(show.mails[0])


# --- stopping ---------------------------------------------------------------------------------------------------------


async def test_its_link_stops_the_digest_until_somebody_resumes_it_within_late_limit(show: Show) -> None:
    await add(show.room, "a")
    await show.send(SLOTS[0] - HOUR)
    number = show.stop_token(show.mails[0])
    assert show.room.store.read_now(proofs.get, number) is not None
    assert show.room.store.write_now(proofs.stop, number, show.room.now) is not None
    assert await at(show.room, SLOTS[0]) == []
    assert slots(show.room) == {}
    show.room.store.write_now(pauses.resume, "digest:weekly")
    assert await at(show.room, SLOTS[0] + 7 * HOUR) == []
    assert slots(show.room)[SLOTS[0]][0] == "expired"
    assert show.room.store.write_now(proofs.stop, number, SLOTS[0] + 3 * DAY) is None  # a link of long ago
    assert show.room.store.read_now(pauses.standing) == {}


async def test_a_pause_of_a_persons_own_keeps_its_reason(show: Show) -> None:
    await add(show.room, "a")
    await show.send(SLOTS[0] - HOUR)
    show.room.store.write_now(pauses.pause, "digest:weekly", "my own", show.room.now)
    show.room.store.write_now(proofs.stop, show.stop_token(show.mails[0]), show.room.now)
    assert show.room.store.read_now(pauses.standing) == {"digest:weekly": "my own"}


# --- with approval ----------------------------------------------------------------------------------------------------


async def test_with_approval_it_shows_the_very_text_that_waits_and_how_to_approve(
    make_room: Make, owner: Owner, clock: TwoClocks
) -> None:
    show = await opened(make_room, owner, clock, "approve = true")
    await add(show.room, "a")
    assert await show.send(SLOTS[0] - 2 * HOUR) == 0  # nothing is held yet
    await show.room.freeze()
    assert await show.send() == 1
    assert "`syndicate approve weekly-2026-11-24`" in text_of(show.mails[0])
    assert await at(show.room, SLOTS[0]) == []
    assert await release_due(show.room.press, show.room.store, show.room.now) == []


async def test_one_that_was_approved_before_it_came_is_not_asked_for_again(
    make_room: Make, owner: Owner, clock: TwoClocks
) -> None:
    show = await opened(make_room, owner, clock, "approve = true")
    await add(show.room, "a")
    await at(show.room, SLOTS[0] - 2 * HOUR)
    [one] = show.room.store.read_now(holding.waiting)
    assert show.room.store.write_now(holding.approve, one, show.room.now)
    assert await show.send(show.room.now) == 1
    assert "It is approved." in text_of(show.mails[0])
    assert "`syndicate approve" not in text_of(show.mails[0])


# --- answers, deaths, machines ----------------------------------------------------------------------------------------


def answering(fate: Fate, **more: bool) -> Callable[[Envelope], Verdict]:
    return lambda one: Verdict(letter=one.letter, fate=fate, answer="451 later", **more)


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (answering(Fate.DEFERRED), 12),
        (answering(Fate.CHANNEL), 12),
        (answering(Fate.REJECTED), 1),
        (answering(Fate.DEFERRED, in_doubt=True), TRIES),
    ],
)
async def test_one_that_is_not_taken_is_tried_again_until_its_slot_and_never_holds_it_up(
    show: Show, answer: Callable[[Envelope], Verdict], tries: int
) -> None:
    await add(show.room, "a")
    show.transport.answer = answer
    done = [await show.send(SLOTS[0] - HOUR + number * timedelta(minutes=5)) for number in range(13)]
    assert sum(done) == tries
    assert await at(show.room, SLOTS[0]) == ["weekly-2026-11-24"]


async def test_who_dies_with_it_in_hand_leaves_it_to_another_who_repeats_its_message_id(show: Show) -> None:
    await add(show.room, "a")
    await show.send(SLOTS[0] - HOUR)
    [first] = show.mails

    def forget(connection: Connection) -> None:  # as a death before the answer was written leaves it
        connection.execute(table.update().values(owner="the dead", sent_at=None))

    show.room.store.write_now(forget)
    assert await show.send() == 0
    show.room.store.write_now(proofs.take_back, ["the dead"], show.room.now)
    assert await show.send() == 1
    assert [one["Message-ID"] for one in show.mails] == [first["Message-ID"]] * 2
    show.room.store.write_now(forget)
    show.room.store.write_now(proofs.take_back, ["the dead"], show.room.now)
    await show.send()
    show.room.store.write_now(forget)
    show.room.store.write_now(proofs.take_back, ["the dead"], show.room.now)
    assert await show.send() == 0  # three deaths: it may be what kills
    assert len(show.mails) == 3


async def test_two_machines_show_one_slot_once(show: Show, clock: TwoClocks) -> None:
    await add(show.room, "a")
    show.room.now = clock.moment = SLOTS[0] - HOUR
    beside = open_store(show.room.store.house, upgrade=False)
    other = Owner(beside, clock, "worker")
    other.open()
    show.owner.renew()
    press = show.room.press
    both = [
        proof.send_due(show.post, press, store, owner, clock)
        for store, owner in ((show.room.store, show.owner), (beside, other))
    ]
    assert sorted(await asyncio.gather(*both)) == [0, 1]
    other.close()
    beside.close()
    assert len(show.mails) == 1


async def test_a_rehearsal_says_so(make_room: Make, owner: Owner, clock: TwoClocks) -> None:
    show = await opened(make_room, owner, clock, live=False)
    await add(show.room, "a")
    await show.send(SLOTS[0] - HOUR)
    assert "This is a rehearsal" in text_of(show.mails[0])


async def test_markup_in_what_is_said_of_it_is_shown_as_text(show: Show) -> None:
    lines = proof._above("<html><body style='x'><p>letter</p></body></html>", ["<b>bold</b> https://a.test/?x=1&y=2"])
    assert lines == (
        "<html><body style='x'>"
        '<div dir="ltr" lang="en" style="background:#fff7d6;color:#1a1a1a;font:14px/20px sans-serif;padding:16px">'
        '<p style="margin:0 0 8px 0">&lt;b&gt;bold&lt;/b&gt; <a href="https://a.test/?x=1&amp;y=2">'
        "https://a.test/?x=1&amp;y=2</a></p></div><p>letter</p></body></html>"
    )
