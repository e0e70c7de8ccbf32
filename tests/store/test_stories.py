"""The whole story of an article: seen, judged, chosen, held, tried, sent where, taken back, and by whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from syndicate.delivery import DeliveryState, Receipt, Settlement
from syndicate.store import acts, claims, deliveries, stories, subscribers
from syndicate.store.stories import Event
from syndicate.subscriber import State, parse_address
from tests.store.room import DAY, HOUR, MINUTE, Room
from tests.store.rows import sent

Make = Callable[..., Room]


def story(room: Room, path: str = "a.md") -> list[Event]:
    return room.store.read_now(stories.of_article, room.article(path).id)


def told(room: Room, path: str = "a.md") -> list[str]:
    return [f"{event.what}: {event.text}" for event in story(room, path)]


def attempt(room: Room, settlement: Settlement, after: timedelta = MINUTE) -> None:
    """One try at what is due on LinkedIn, and what was answered."""
    room.now += after
    claim = room.store.write_now(
        claims.claim_one, "linkedin", "me", True, room.now, room.now.replace(hour=0), lambda _past: room.now
    )
    assert claim is not None
    assert room.store.write_now(claims.begin_attempt, claim, {"v": 1}, room.now)
    assert room.store.write_now(claims.record, claim, settlement, room.now)


async def test_from_the_file_to_the_post(make_room: Make) -> None:
    room = make_room(approve=True)
    await room.scan()
    room.write("a.md", "The ferry returns", description="x" * 80)
    room.write("b.md", "Bees swarm")
    await room.look(HOUR)
    assert "state: linkedin held: approve: waits for a person's approval" in told(room)
    room.now += MINUTE
    room.store.write_now(room.desk.rule, [room.article("a.md").id], "approved", None, room.now, who="ada")
    room.approve("b.md")
    await room.plan(MINUTE)
    busy = Settlement(
        state=DeliveryState.PLANNED, outcome="unavailable", due_at=room.now + 2 * MINUTE, reason="LinkedIn is busy",
        status=503, answer="try later",
    )  # fmt: skip
    attempt(room, busy)
    assert told(room)[-1] == "state: linkedin planned: LinkedIn is busy"
    attempt(room, sent(room.now + 3 * MINUTE), 3 * MINUTE)
    lines = told(room)
    assert lines[0].startswith("seen: a.md in source articles")
    order = ["seen", "verdict", "released", "owed", "person", "planned", "attempt", "attempt", "state"]
    assert [line.split(":")[0] for line in lines] == order
    assert lines[4:] == [
        "person: approved by ada",
        "planned: linkedin: score 85 = freshness 40 + image 0 + description 20 + author 10 + topic 15;"
        " hours, gap and day allow it; ahead of 1 other, of 'Bees swarm' by 20: description +20",
        "attempt: linkedin 1: unavailable 503: try later",
        "attempt: linkedin 2: sent 201",
        "state: linkedin sent: https://example.org/post: urn:li:share:1",
    ]
    assert [event.at for event in story(room)][4] == room.now - 5 * MINUTE
    assert "is ahead by 20: description +20" not in " ".join(told(room, "b.md"))  # it waits: the forecast tells why


async def test_a_person_who_settles_or_sends_is_named_with_what_he_did(room: Room) -> None:
    room.write("a.md")
    await room.look(HOUR)
    attempt(room, Settlement(state=DeliveryState.UNKNOWN, outcome="in-doubt", reason="no answer"))
    delivery = room.row("a.md")["id"]
    room.store.write_now(
        acts.change, "resolved", "bo", room.now, deliveries.resolve, delivery, "https://example.org/p", room.now
    )
    lines = told(room)
    assert f"person: resolved by bo: linkedin: delivery {delivery} is sent" in lines
    assert lines[-1].startswith("state: linkedin sent: https://example.org/p")


async def test_sent_by_hand_it_was_chosen_by_nobody(room: Room) -> None:
    room.write("a.md")
    await room.look(HOUR)
    one = {"id": room.article("a.md").id, "title": "a"}
    room.store.write_now(deliveries.put, "linkedin", one, room.now, room.now, again=False)
    assert "planned: linkedin: by hand" in told(room)
    attempt(room, Settlement(state=DeliveryState.SENT, outcome="sent", sent_at=room.now + MINUTE, receipt=Receipt()))
    assert told(room)[-1] == "state: linkedin sent"


async def test_what_expired_keeps_why_it_was_once_chosen(room: Room) -> None:
    room.write("a.md")
    await room.look(HOUR)
    await room.look(3 * DAY)
    lines = told(room)
    assert any(line == "state: linkedin expired: max-age: waited longer than 2d for its turn" for line in lines)


async def test_a_verdict_from_before_it_was_noted_who_gave_it_is_told_without_a_name(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.store.write_now(lambda connection: connection.exec_driver_sql("UPDATE articles SET verdict = 'approved'"))
    assert "person: approved" in told(room)
    room.reject("a.md", because="a mistake")
    assert [line for line in told(room) if line.startswith("person")] == ["person: rejected by a person: a mistake"]


async def test_a_verdict_is_said_once(room: Room) -> None:
    room.write("a.md")
    await room.scan()
    room.reject("a.md", because="a mistake")
    assert [line for line in told(room) if line.startswith("verdict")] == ["verdict: rejected: a mistake"]


def test_consent_is_told_at_its_moment_and_with_the_words_that_were_shown(room: Room) -> None:
    noted = {"at": room.now.isoformat(), "from": "import of old.csv", "shown": "the owner vouches"}
    room.store.write_now(
        subscribers.add, parse_address("ada@r.example"), name="", tags="", state=State.ACTIVE, digests=["weekly"],
        consent=noted, hashed="x", now=room.now, lifts=False,
    )  # fmt: skip
    events = room.store.read_now(stories.of_person, "ada@r.example", "")
    assert events is not None
    assert events[0] == Event(room.now, "consent", "from import of old.csv: the owner vouches")
