"""What is true of every channel, whatever its provider: judged by what the doubles got to see."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syndicate import publics
from syndicate.channels.base import Announcement, Payload, Receipt
from syndicate.channels.outbox import Outbox
from syndicate.errors import DeliveryError, InDoubt, Refused, Unavailable
from syndicate.fetch import Fetcher
from tests.channels.conformance import EXAMPLE, RIGS, Rig, until
from tests.doubles.clock import StillClock
from tests.factories import make_article

KEY = "delivery-1"
ORDINARY = Announcement(article=make_article(), summary="One (1). Two.")
HOSTILE = {
    "nothing": {"title": "", "subtitle": "", "description": "", "authors": (), "tags": (), "cta": ""},
    "signs": {"title": "()[]{}<>@|\\~_*#", "cta": 'Buy <b>now</b> & "here" (@all)', "tags": ("c#", "<script>")},
    "long": {"title": "word " * 2_000, "description": "Sentence one. " * 2_000, "tags": ("t" * 500,) * 100},
    "wide": {"title": "🎉" * 5_000, "description": "👩‍👩‍👧‍👦 שלום العربية " * 500, "cta": "漢" * 10_000},
    "joined": {"title": "👩‍👩‍👧‍👦" * 3_000, "description": "👩‍👩‍👧‍👦" * 3_000},
    "lines": {"title": "a\u2028b\u2029c\x85d\x0be", "description": "a\r\nb\x00c\x1b[31m", "subtitle": "\u202eevil"},
    "halves": {"title": "half \ud800 a character", "description": "\udfff"},
}


def test_every_kind_of_channel_has_a_rig() -> None:
    assert {kind.table for kind in publics.KINDS} == set(RIGS)


@pytest.fixture(params=[*RIGS.values(), EXAMPLE], ids=lambda make: make.__name__)
def rig(request: pytest.FixtureRequest, fetcher: Fetcher) -> Iterator[Rig]:
    assert isinstance(fetcher.clock, StillClock)
    with request.param(fetcher.clock) as made:
        yield made


async def outcome(rig: Rig, fetcher: Fetcher, verb: str = "send", **how: Any) -> Receipt | DeliveryError:
    channel = rig.channel(fetcher, **how)
    try:
        receipt: Receipt = await getattr(channel, verb)(KEY, channel.compose(ORDINARY))
    except DeliveryError as error:
        return error
    return receipt


def bodies(rig: Rig) -> set[bytes]:
    return {request.body for request in rig.requests()}


# --- accepted ---------------------------------------------------------------------------------------------------------


async def test_what_is_sent_arrives_once_and_to_the_byte(rig: Rig, fetcher: Fetcher) -> None:
    channel = rig.channel(fetcher)
    payload = channel.compose(ORDINARY)
    receipt = await channel.send(KEY, payload)
    assert (channel.name, channel.live, channel.by_hand) == (rig.name, True, False)
    assert receipt.external_id
    assert receipt.status is not None and 200 <= receipt.status < 300
    assert (rig.world(), bodies(rig)) == (1, {payload["body"].encode()})


async def test_a_slow_answer_is_waited_for(rig: Rig, fetcher: Fetcher) -> None:
    rig.faults.append(rig.script["slow"])
    assert isinstance(await outcome(rig, fetcher), Receipt)


async def test_composing_is_pure_and_its_result_outlives_the_process(rig: Rig, fetcher: Fetcher) -> None:
    first, second = (rig.channel(fetcher).compose(ORDINARY) for _ in range(2))
    assert first == second == json.loads(json.dumps(first))
    await rig.channel(fetcher).send(KEY, json.loads(json.dumps(first)))
    assert (rig.world(), bodies(rig)) == (1, {first["body"].encode()})


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
async def test_whatever_an_article_holds_it_is_accepted(rig: Rig, fetcher: Fetcher, said: dict[str, Any]) -> None:
    for number, own in enumerate((None, said["title"] or None)):
        article = make_article(slug=f"article-{number}", **said)
        channel = rig.channel(fetcher)
        payload = channel.compose(Announcement(article=article, summary=said.get("description", ""), own_words=own))
        assert (await channel.send(f"delivery-{number}", payload)).external_id
        shown = channel.preview(payload)
        assert all(c.isprintable() or c in "\n\u200c\u200d" for c in shown.text), "but for what joins emoji"
        assert "<script" not in shown.html
    assert rig.world() == 2


# --- not accepted -----------------------------------------------------------------------------------------------------


async def test_a_refusal_is_final_and_asked_once(rig: Rig, fetcher: Fetcher) -> None:
    rig.faults.append(rig.script["refuse"])
    error = await outcome(rig, fetcher)
    assert isinstance(error, Refused)
    assert "400" in error.reason or "bad" in error.reason
    assert (error.status, rig.world(), len(rig.requests())) == (400, 0, 1)


@pytest.mark.parametrize("fault", ["pause", "redirect"])
async def test_what_concerns_the_channel_pauses_it_with_the_key_to_mend(rig: Rig, fetcher: Fetcher, fault: str) -> None:
    rig.faults.append(rig.script[fault])
    error = await outcome(rig, fetcher)
    assert isinstance(error, Unavailable)
    assert error.pauses
    assert "." in error.pauses
    assert (rig.world(), len(rig.requests())) == (0, 1)


async def test_retry_after_is_handed_on(rig: Rig, fetcher: Fetcher) -> None:
    rig.faults.append(rig.script["later"])
    error = await outcome(rig, fetcher)
    assert isinstance(error, Unavailable)
    assert error.retry_after is not None
    assert timedelta(seconds=300) <= error.retry_after <= timedelta(seconds=310)
    assert (error.pauses, rig.world(), len(rig.requests())) == (None, 0, 1)


# --- doubt ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "hang", "drop", "stall", "broken"])
@pytest.mark.parametrize("times", [1, 3])
async def test_whatever_becomes_of_an_exchange_the_repeat_leaves_one(
    rig: Rig, fetcher: Fetcher, hasty: Fetcher, fault: str, times: int
) -> None:
    rig.faults.extend([rig.script[fault]] * times)
    got = await outcome(rig, hasty if fault in ("hang", "stall") else fetcher)
    assert not isinstance(got, Refused)
    await until(lambda: len(rig.requests()) >= 1)
    rig.faults.clear()
    if not isinstance(got, Receipt):
        got = await outcome(rig, fetcher, "reconcile")
    assert isinstance(got, Receipt)
    assert got.external_id
    assert (rig.world(), len(bodies(rig))) == (1, 1)


async def test_a_repeat_that_finds_trouble_refuses_nothing(rig: Rig, fetcher: Fetcher) -> None:
    rig.faults.extend([rig.script["drop"]] * 3)
    await outcome(rig, fetcher)
    rig.faults.clear()
    rig.faults.append(rig.script["later"])
    assert isinstance(await outcome(rig, fetcher, "reconcile"), Unavailable | InDoubt)
    assert rig.world() == 1


async def test_the_same_delivery_is_seen_once_however_often_it_is_sent(rig: Rig, fetcher: Fetcher) -> None:
    first = await outcome(rig, fetcher)
    await outcome(rig, fetcher)
    again = await outcome(rig, fetcher, "reconcile")
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.external_id, rig.world()) == (first.external_id, 1)


async def test_another_delivery_is_another_message(rig: Rig, fetcher: Fetcher) -> None:
    channel = rig.channel(fetcher)
    for number in (1, 2):
        article = make_article(slug=f"article-{number}", title=f"Number {number}")
        await channel.send(f"delivery-{number}", channel.compose(Announcement(article=article, summary=f"{number}.")))
    assert rig.world() == 2


async def test_a_cancelled_send_stays_cancelled(rig: Rig, fetcher: Fetcher) -> None:
    rig.faults.append(rig.script["stall"])
    sending = asyncio.create_task(outcome(rig, fetcher))
    await until(lambda: rig.world() == 1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(rig.requests()) == 1


async def test_a_payload_of_another_version_is_left_alone(rig: Rig, fetcher: Fetcher) -> None:
    channel = rig.channel(fetcher)
    for verb in (channel.send, channel.reconcile):
        with pytest.raises(Unavailable):
            await verb(KEY, {**channel.compose(ORDINARY), "v": 99})
    assert rig.requests() == []


async def test_taking_back_is_never_in_doubt(rig: Rig, fetcher: Fetcher) -> None:
    channel = rig.channel(fetcher)
    for name in ("", "../../etc/passwd", "https://elsewhere.test/1"):
        with pytest.raises((Refused, Unavailable)):
            await channel.retract(name)
    assert rig.requests() == []


# --- rehearsal --------------------------------------------------------------------------------------------------------

CONNECTED: list[object] = []
WATCHING = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if WATCHING and event in ("socket.connect", "socket.getaddrinfo"):
        CONNECTED.append(arguments)


sys.addaudithook(_watch)


async def test_a_rehearsal_writes_one_file_and_opens_no_socket(rig: Rig, fetcher: Fetcher, tmp_path: Path) -> None:
    global WATCHING
    (public,) = publics.public_channels(rig.parts(fetcher, tmp_path, live=False), rig.kinds)
    channel = public.channel
    assert isinstance(channel, Outbox)
    assert (channel.name, channel.live, channel.by_hand) == (rig.name, False, False)
    CONNECTED.clear()
    WATCHING = True
    try:
        payload = channel.compose(ORDINARY)
        assert await channel.send(KEY, payload) == await channel.reconcile(KEY, payload) == Receipt()
        await channel.retract("anything")
    finally:
        WATCHING = False
    (file,) = (tmp_path / "outbox" / rig.name).iterdir()
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written.keys() == {"method", "url", "headers", "body"}
    assert written["body"] == json.loads(payload["body"])
    assert any("***" in value for value in written["headers"].values())
    assert (CONNECTED, rig.requests()) == ([], [])
    assert rig.secret not in file.read_text(encoding="utf-8")


async def test_a_channel_that_is_not_live_sends_nothing(rig: Rig, fetcher: Fetcher) -> None:
    for verb in ("send", "reconcile"):
        assert isinstance(await outcome(rig, fetcher, verb, live=False), Unavailable)
    assert rig.requests() == []


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["", "refuse", "later", "pause", "reset", "drop", "broken", "echo", "late echo"])
async def test_the_secret_stands_nowhere(
    rig: Rig, fetcher: Fetcher, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echoes = {"echo": f"400:you said {rig.secret}", "late echo": f"422:{'x' * 280}{rig.secret}"}
    if fault:
        rig.faults.extend([echoes.get(fault) or rig.script[fault]] * 3)
    channel = rig.channel(fetcher)
    payload: Payload = channel.compose(ORDINARY)
    got = await outcome(rig, fetcher)
    raised = traceback.format_exception(got) if isinstance(got, DeliveryError) else []
    shown = channel.preview(payload)
    told = [*raised, repr(got), repr(getattr(got, "__dict__", "")), repr(payload), repr(vars(channel)), repr(shown)]
    told += [record.getMessage() for record in caplog.records]
    assert rig.secret not in "\n".join(told)
    assert rig.secret[:12] not in got.answer
    assert len(got.answer) <= 500
    assert rig.requests()
