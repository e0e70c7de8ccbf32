"""The mail that asks, against a real server and either ledger: what it says, how often it comes, and what stops it."""

from __future__ import annotations

import asyncio
import email
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from syndicate import health
from syndicate.asking import GROUP, ask_due, judged
from syndicate.config import SmtpSettings
from syndicate.delivery import RetryPolicy
from syndicate.post import Post
from syndicate.render import Templates
from syndicate.signer import Signer
from syndicate.store import confirmations, limits, pauses, subscribers
from syndicate.store.confirmations import CROWD, CROWD_MOST, HOUR, Owed, Settled, Step
from syndicate.store.owners import Owner
from syndicate.subscriber import parse_address
from syndicate.transports.base import Fate, Verdict
from syndicate.transports.outbox import Outbox
from syndicate.transports.smtp import Smtp
from syndicate.web.signup_program import FROM_ONE_NETWORK, ProgramSignup
from tests.doubles.clock import TwoClocks
from tests.doubles.smtp import SmtpDouble
from tests.store.room import Room
from tests.store.rows import NOON

SECRET = b"a secret of the tests, long enough"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ANN = "ann@harbour.example"


class Desk:
    """Everything that a sign-up goes through but the web."""

    def __init__(self, room: Room, owner: Owner, clock: TwoClocks, port: int) -> None:
        self.store, self.owner, self.clock = room.store, owner, clock
        self.press, self.settings = room.press, room.settings
        self.signup = ProgramSignup(room.settings, room.store, clock, SECRET)
        smtp = SmtpSettings(host="127.0.0.1", port=port, security="none")
        self.post = Post(
            transport=Smtp(smtp, clock), policy=RetryPolicy(retry_for=2 * DAY, repeat_within=DAY),
            signer=Signer(SECRET), secret=SECRET, public_url="https://news.example.org",
        )  # fmt: skip

    async def ask(self, address: str = ANN, digests: Sequence[str] = ("weekly",), network: str | None = None) -> bool:
        told = {"from": "the form", "ip": "203.0.113.7", "shown": "Get it by mail"}
        return await self.signup.ask(parse_address(address), digests, told, network)

    async def mail(self) -> int:
        return await ask_due(self.post, self.press, self.store, self.owner, self.clock)


@pytest.fixture
def desk(make_room: Callable[..., Room], owner: Owner, clock: TwoClocks) -> Callable[..., Desk]:
    def made(port: int, **settings: Any) -> Desk:
        return Desk(make_room(**{"email": True} | settings), owner, clock, port)

    return made


def letter(world: dict[str, Any]) -> EmailMessage:
    message = email.message_from_string(world["data"], policy=default)
    assert isinstance(message, EmailMessage)
    return message


async def test_the_letter_says_who_asks_and_holds_one_link(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        await at.ask()
        assert await at.mail() == 1
        assert await at.mail() == 0
    (world,) = server.world
    message = letter(world)
    assert world["to"] == ANN
    assert message["To"] == ANN
    assert message["Subject"] == "Please confirm: The Courier"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    assert [name for name in message if name.lower().startswith(("list-", "precedence", "feedback"))] == []
    text = message.get_content()
    assert text.count("https://") == 3  # the site twice, and the link
    assert "https://news.example.org/confirm/" in text
    assert "Quay 1" in text
    assert "23 November 2026" in text
    token = text.split("/confirm/")[1].split()[0]
    number = Signer(SECRET).read("confirm", token)
    assert number is not None
    assert await at.signup.confirm(number, {}) is Step.CONFIRMED


async def test_a_name_that_was_typed_goes_nowhere(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        await at.ask("o'neil+{{7*7}}@harbour.example")
        await at.mail()
    (world,) = server.world
    assert world["to"] == "o'neil+{{7*7}}@harbour.example"
    assert "49" not in letter(world).get_content()
    assert "{{" not in letter(world).get_content()


async def test_a_flood_from_one_network_stops_before_it_reaches_anybody(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        asked = [await at.ask(f"p{n}@harbour.example", network="203.0.113.0/24") for n in range(FROM_ONE_NETWORK + 3)]
        assert asked == [True] * FROM_ONE_NETWORK + [False] * 3
        assert await at.ask("q@harbour.example", network="198.51.100.0/24")
        assert await at.mail() == FROM_ONE_NETWORK + 1
        assert len(server.world) == FROM_ONE_NETWORK + 1


async def test_a_flood_from_everywhere_stops_too_and_the_owner_hears(desk: Callable[..., Desk]) -> None:
    at = desk(1)
    for _ in range(CROWD_MOST - 1):
        await at.store.write(limits.take, CROWD, HOUR, CROWD_MOST, at.clock.now())
    assert _problems(at) == []
    assert [await at.ask(network=network) for network in (None, "198.51.100.0/24")] == [True, False]
    assert ["sign-up: 200 asked within the hour" in text for text in _problems(at)] == [True]
    at.clock.pass_by(HOUR)
    assert _problems(at) == []
    assert await at.ask("bo@harbour.example")


def _problems(at: Desk) -> list[str]:
    found = at.store.read_now(health.problems, at.settings, at.clock.now())
    return [problem.text for problem in found if problem.key == "signup"]


async def test_fifty_askers_at_once_cost_one_letter(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        assert all(await asyncio.gather(*(at.ask() for _ in range(50))))
        await at.mail()
        await at.mail()
        assert len(server.world) == 1


async def test_more_than_a_group_goes_out_in_turns(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        for n in range(GROUP + 2):
            await at.ask(f"p{n}@harbour.example")
        assert [await at.mail() for _ in range(3)] == [GROUP, 2, 0]


async def test_no_answer_for_now_is_tried_again_with_the_same_bytes(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(faults={"RCPT": ["450 4.2.0 greylisted"]}) as server:
        at = desk(server.port)
        await at.ask()
        assert [await at.mail(), await at.mail()] == [1, 0]
        assert server.world == []
        at.clock.pass_by(301)
        at.owner.renew()
        assert await at.mail() == 1
    assert len(server.world) == 1


async def test_a_dot_without_an_answer_is_repeated_once_with_the_same_message_id(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(accept_then="<drop>") as server:
        at = desk(server.port)
        await at.ask()
        for _ in range(4):
            await at.mail()
            at.clock.pass_by(7200)
            at.owner.renew()
    assert len(server.world) == 2
    assert server.world[0]["data"] == server.world[1]["data"]


async def test_who_is_refused_for_good_is_not_written_to_again(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(faults={"RCPT": [f"550 5.1.1 <{ANN}> is unknown here"]}) as server:
        at = desk(server.port)
        await at.ask()
        await at.mail()
        at.clock.pass_by(36_000)
        at.owner.renew()
        assert await at.mail() == 0
    assert server.world == []
    assert await at.store.read(pauses.standing) == {}


async def test_a_pause_holds_it_and_a_fault_of_the_server_makes_one(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(faults={"MAIL": ["421 4.3.2 closing down"]}) as server:
        at = desk(server.port)
        await at.ask()
        await at.store.write(pauses.pause, "email", "by hand", at.clock.now())
        assert await at.mail() == 0
        await at.store.write(pauses.resume, None)
        await at.mail()
        assert "email" in await at.store.read(pauses.standing)
        assert await at.mail() == 0
        at.clock.pass_by(61)
        at.owner.renew()
        assert await at.mail() == 1  # the probe
        assert await at.store.read(pauses.standing) == {}
    assert len(server.world) == 1


async def test_a_quota_that_is_used_up_rests_it_till_midnight_and_counts_anew(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(faults={"RCPT": [f"452 4.3.2 {ANN}: daily quota exceeded"]}) as server:
        at = desk(server.port)
        await at.ask()
        await at.mail()
        (reason,) = (await at.store.read(pauses.quotas, at.clock.now())).values()
        assert "2026-11-24 00:00 UTC" in reason
        at.clock.pass_by(6 * 3600)
        at.owner.renew()
        assert await at.mail() == 0
        at.clock.pass_by(6 * 3600)
        at.owner.renew()
        await at.ask("bo@harbour.example")
        assert [await at.mail(), await at.mail()] == [1, 1]  # the probe, and all the others
    assert len(server.world) == 2


async def test_what_pauses_the_channel_names_nobody(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble(faults={"RCPT": [f"535 5.7.8 log in first, then write to {ANN}"]}) as server:
        at = desk(server.port)
        await at.ask()
        await at.mail()
    reasons = await at.store.read(pauses.standing)
    assert list(reasons) == ["email"] and "…" in reasons["email"] and "ann" not in reasons["email"]


async def test_an_owners_broken_template_costs_nobody_the_letter(desk: Callable[..., Desk], tmp_path: Path) -> None:
    (tmp_path / "own" / "email").mkdir(parents=True)
    own = tmp_path / "own" / "email" / "confirm.txt"
    async with SmtpDouble() as server:
        for n, text in enumerate(("Subject: {{ oops", "no subject {{ link }}", "Subject: without a link\n")):
            own.write_text(text)
            at = desk(server.port)
            at.press = replace(at.press, templates=Templates(folder=tmp_path / "own"))
            await at.ask(f"p{n}@harbour.example")
            await at.mail()
        own.write_text("Subject: Bitte bestätigen\n\nHier: {{ link }}\n")
        await at.ask()
        await at.mail()
    subjects = [letter(one)["Subject"] for one in server.world]
    assert subjects == ["Please confirm: The Courier"] * 3 + ["Bitte bestätigen"]


async def test_in_rehearsal_it_lies_in_the_outbox(desk: Callable[..., Desk], tmp_path: Path) -> None:
    at = desk(1, live=False)
    assert at.signup.is_rehearsal
    assert at.signup.is_open  # public_url is on this machine
    at.post = replace(at.post, transport=Outbox(tmp_path / "outbox"))
    await at.ask()
    await at.mail()
    assert [file.name for file in (tmp_path / "outbox").iterdir()] == ["confirm.1.eml"]


async def test_what_nobody_answers_ends_by_itself(desk: Callable[..., Desk]) -> None:
    async with SmtpDouble() as server:
        at = desk(server.port)
        await at.ask()
        await at.mail()
        at.clock.pass_by(confirmations.GOOD_FOR.total_seconds())
        at.owner.renew()
        await at.mail()
    assert await at.store.read(subscribers.by_key, ANN) is None


OWED = Owed(
    id=1, email=ANN, digests=["weekly"], asked_at=NOON, until=NOON + 2 * DAY, attempts=1, crashes=0
)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "settled"),
    [
        (None, Settled(id=1, due_at=NOON, tried=False)),
        (Verdict(letter=1, fate=Fate.ACCEPTED, answer="ok"), Settled(id=1, mailed=True, answer="ok")),
        (Verdict(letter=1, fate=Fate.REJECTED, answer=f"no {ANN}"), Settled(id=1, answer="no …")),
        (Verdict(letter=1, fate=Fate.DEFERRED), Settled(id=1, due_at=NOON + 5 * MINUTE, answer="")),
        (Verdict(letter=1, fate=Fate.BLAMED), Settled(id=1, due_at=NOON + 5 * MINUTE, answer="")),
        (Verdict(letter=1, fate=Fate.CHANNEL), Settled(id=1, due_at=NOON, tried=False, answer="")),
        (
            Verdict(letter=1, fate=Fate.DEFERRED, in_doubt=True),
            Settled(id=1, due_at=NOON + 5 * MINUTE, in_doubt=True, answer=""),
        ),
    ],
)
def test_what_a_verdict_makes_of_it(verdict: Verdict | None, settled: Settled) -> None:
    assert judged(OWED, verdict, NOON) == settled


def test_it_is_given_up_when_its_link_would_be_dead() -> None:
    late = judged(OWED, Verdict(letter=1, fate=Fate.DEFERRED, answer="later"), NOON + 2 * DAY - MINUTE)
    assert late == Settled(id=1, answer="later")
