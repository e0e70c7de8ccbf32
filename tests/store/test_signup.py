"""The pages of sign-up over a real ledger: what is told to whom, what is kept, and what two at once make of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from syndicate.store import confirmations, subscribers, wishes
from syndicate.store.confirmations import Step
from syndicate.store.database import Store
from syndicate.store.schema import confirmations as rows
from syndicate.subscriber import Address, State, parse_address
from syndicate.web.app import build
from syndicate.web.office import Choices
from syndicate.web.signup_program import NOT_BEFORE, ProgramSignup, leave
from tests.doubles.clock import TwoClocks
from tests.doubles.office import SmallOffice
from tests.store.conftest import Database
from tests.store.room import Room
from tests.store.rows import HOUR, MINUTE, NOON, SECRET

TOLD = {"from": "the page", "ip": "203.0.113.7"}
TWO = '[[digests]]\nname = "monthly"\nschedule = "0 9 1 * *"\n'


@pytest.fixture
def signup(make_room: Callable[..., Room], store: Store, clock: TwoClocks) -> ProgramSignup:
    settings = make_room(email=True, more=TWO).settings
    return ProgramSignup(settings, store, clock, SECRET)


def add(store: Store, email: str, state: State = State.ACTIVE, *digests: str) -> Address:
    address = parse_address(email)
    hashed = subscribers.address_hash(SECRET, address.key)
    for wanted in dict.fromkeys((State.ACTIVE, state)):
        store.write_now(
            subscribers.add, address, name="", tags="", state=wanted, digests=digests or ["weekly"], consent={},
            hashed=hashed, now=NOON, lifts=False,
        )  # fmt: skip
    return address


def person(store: Store, address: Address) -> dict[str, Any]:
    found = store.read_now(subscribers.by_key, address.key)
    assert found is not None
    return found


async def test_nobody_learns_from_the_answer_who_gets_our_mail(
    signup: ProgramSignup, store: Store, clock: TwoClocks, tmp_path: Path
) -> None:
    states = [State.ACTIVE, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
    for state in states:
        add(store, f"{state}@harbour.example", state)
    await signup.ask(parse_address("pending@harbour.example"), ["weekly"], TOLD, None)
    gone = add(store, "gone@harbour.example", State.UNSUBSCRIBED)
    store.write_now(subscribers.erase, gone.key)
    transport = httpx.ASGITransport(build(SmallOffice(feed_folder=tmp_path, signup=signup)))  # type: ignore[arg-type]
    answers: set[tuple[int, str, str]] = set()
    clock.slept.clear()
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        page = (await client.get("/subscribe")).text
        (stamp,) = re.findall(r'name="stamp" value="([^"]+)"', page)
        assert "on day 1 of each month" in page
        clock.pass_by(5)
        for who in (*states, "pending", "gone", "new", "new"):
            data = {"email": f"{who}@harbour.example", "digest": "weekly", "stamp": stamp}
            answer = await client.post("/subscribe", data=data)
            headers = str(sorted(answer.headers.items())).replace(answer.headers["content-length"], "")
            answers.add((answer.status_code, headers, answer.text.replace(who, "WHO")))
    assert len(answers) == 1
    assert clock.slept == [NOT_BEFORE] * 8  # however little there was to do


async def test_what_a_person_chooses_is_kept_with_what_is_not_on_offer_any_more(
    signup: ProgramSignup, store: Store
) -> None:
    address = add(store, "ann@harbour.example", State.ACTIVE, "weekly", "of old")
    number = person(store, address)["id"]
    assert await signup.choices(number) == Choices(digests=["of old", "weekly"])
    until = signup.now() + timedelta(days=7)
    assert await signup.choose(number, Choices(digests=["monthly"], paused_until=until), TOLD)
    assert await signup.choices(number) == Choices(digests=["monthly", "of old"], paused_until=until)
    assert await signup.choose(number, Choices(digests=["monthly"]), TOLD)
    said = [(wish["what"], wish["told"]["digests"] if wish["what"] == "chose" else None) for wish in
            store.read_now(wishes.of_person, number)]  # fmt: skip
    assert said == [("chose", ["monthly"]), ("paused", None), ("chose", ["monthly"]), ("resumed", None)]


async def test_who_gets_no_mail_has_nothing_to_choose(signup: ProgramSignup, store: Store) -> None:
    left = person(store, add(store, "left@harbour.example", State.UNSUBSCRIBED))["id"]
    for number in (0, left, 99):
        assert await signup.choices(number) is None
        assert not await signup.choose(number, Choices(digests=["weekly"]), TOLD)
    assert person(store, parse_address("left@harbour.example"))["state"] == State.UNSUBSCRIBED


def test_leaving_is_a_wish_that_is_kept_once(store: Store) -> None:
    number = person(store, add(store, "ann@harbour.example"))["id"]
    assert [store.write_now(leave, number, SECRET, NOON) for _ in range(2)] == [True, True]
    assert [wish["what"] for wish in store.read_now(wishes.of_person, number)] == ["left"]
    assert not store.write_now(leave, 99, SECRET, NOON)


@pytest.mark.parametrize("other", ["confirm", "erase", "import", "leave", "expire"])
def test_whatever_meets_a_press_of_the_button_one_of_both_comes_first(database: Database, other: str) -> None:
    store, second = database.open(), database.open()
    address = parse_address("ann@harbour.example")
    hashed = subscribers.address_hash(SECRET, address.key)
    store.write_now(
        confirmations.ask, address=address, hashed=hashed, digests=["monthly"], consent={}, now=NOON
    )  # fmt: skip
    number = store.read_now(lambda connection: connection.scalar(select(func.max(rows.c.id))))
    who = person(store, address)["id"]
    assert number is not None

    def meet() -> Any:
        match other:
            case "confirm":
                return second.write_now(confirmations.confirm, number, TOLD, NOON + MINUTE)
            case "erase":
                return second.write_now(subscribers.erase, address.key)
            case "import":
                return add(second, address.email, State.ACTIVE, "weekly")
            case "leave":
                return second.write_now(leave, who, SECRET, NOON + MINUTE)
            case _:
                return second.write_now(confirmations.expire, NOON + 48 * HOUR)

    with ThreadPoolExecutor(2) as threads:
        pressed = threads.submit(store.write_now, confirmations.confirm, number, TOLD, NOON + MINUTE)
        met = threads.submit(meet)
        step, told = pressed.result(30), met.result(30)
    found = store.read_now(subscribers.by_key, address.key)
    match other:
        case "confirm":
            assert {step, told} == {Step.CONFIRMED, Step.AGAIN}
            assert found is not None
        case "erase":
            assert found is None
            assert step in (Step.CONFIRMED, Step.STALE)
        case "import":
            assert step is Step.CONFIRMED
            assert found is not None
            assert "monthly" in found["digests"]
        case "leave":
            assert step is Step.CONFIRMED
            assert found is not None
        case _:
            assert (found is None) is (step is Step.STALE)
    if found is not None and other != "leave":
        assert found["state"] == State.ACTIVE
