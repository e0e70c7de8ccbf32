"""What is said for a group of letters, in one breath where the server takes that, one by one where it does not."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from syndicate.clock import SystemClock
from syndicate.config import SmtpSettings
from syndicate.transports.base import Connection, Envelope, Fate, Verdict, always
from syndicate.transports.dialogue import AT_ONCE, Limits
from syndicate.transports.smtp import Smtp
from tests.doubles.smtp import DROP, HANG, Answer, SmtpDouble

QUICK = Limits(connect=5, command=5, dot=5, quit=1)
HASTY = Limits(connect=5, command=0.3, dot=0.3, quit=0.2)  # where silence is the point
PLAIN = ("8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10485760")
PIPED = ("PIPELINING", *PLAIN)


def envelope(letter: int, recipient: str | None = None, *, sender: str = "n@example.org", more: int = 0) -> Envelope:
    to = recipient or f"p{letter}@example.com"
    own = b"Subject: yours alone\r\nMessage-ID: <%d@example.org>\r\n\r\nfor " % letter
    return Envelope(
        letter=letter, sender=sender, recipient=to,
        pieces=[own, to.encode("utf-8", "replace"), b"\r\n", b"more words for the whole world\r\n" * more],
    )  # fmt: skip


def smtp(server: SmtpDouble, *, limits: Limits = QUICK, rate: float = 0) -> Smtp:
    settings = SmtpSettings(host="127.0.0.1", port=server.port, security="none", rate=rate)
    return Smtp(settings, SystemClock(), limits=limits)


class Ear:
    """Hears until letter `stop` was judged; may write until `last` was asked for so often."""

    def __init__(self, *, stop: int = -1, last: int = 1_000_000) -> None:
        self.verdicts: list[Verdict] = []
        self.stop = stop
        self.left = last

    def hear(self, verdict: Verdict) -> bool:
        self.verdicts.append(verdict)
        return verdict.letter != self.stop

    def may(self) -> bool:
        self.left -= 1
        return self.left >= 0

    @property
    def fates(self) -> list[str]:
        return [
            f"{verdict.letter} {verdict.fate}{' in doubt' if verdict.in_doubt else ''}" for verdict in self.verdicts
        ]


async def over(line: Connection, letters: Sequence[Envelope], **ear: int) -> Ear:
    heard = Ear(**ear)
    await line.send(letters, heard.hear, heard.may)
    return heard


async def send(transport: Smtp, letters: Sequence[Envelope], **ear: int) -> Ear:
    async with transport.connect() as line:
        return await over(line, letters, **ear)


def reached(server: SmtpDouble) -> list[str]:
    """Whom, in order. Everybody got what is his alone."""
    for entry in server.world:
        assert f"for {entry['to']}\r\n" in entry["data"]
        assert entry["data"].startswith("Subject: yours alone\r\n")
    return [entry["to"].partition("@")[0] for entry in server.world]


# --- the number of round trips -----------------------------------------------------------------------------------


async def test_a_letter_costs_one_round_trip_in_one_breath_and_four_without() -> None:
    for offers, turns in ((PIPED, 13), (PLAIN, 42)):
        async with SmtpDouble(offers=offers) as server:
            assert len((await send(smtp(server), [envelope(n) for n in range(10)])).fates) == 10
            assert server.turns == turns  # two of them EHLO and QUIT


async def test_letters_that_have_their_pace_are_not_announced_before_their_turn() -> None:
    async with SmtpDouble() as server:
        assert len((await send(smtp(server, rate=1000), [envelope(n) for n in range(5)])).fates) == 5
        assert server.turns == 2 + 2 * 5


@pytest.mark.parametrize("drip", [False, True])
@pytest.mark.parametrize("offers", [PIPED, PLAIN])
async def test_a_group_arrives_whole_however_its_answers_are_cut(offers: Sequence[str], drip: bool) -> None:
    async with SmtpDouble(offers=offers, drip=drip) as server:
        heard = await send(smtp(server), [envelope(n) for n in range(6)])
        assert heard.fates == [f"{n} accepted" for n in range(6)]
        assert reached(server) == [f"p{n}" for n in range(6)]
        assert len(server.conversations) == 1


async def test_many_connections_mix_up_nobody() -> None:
    async with SmtpDouble() as server:
        transport = smtp(server)
        everybody = [envelope(n) for n in range(240)]
        heard = await asyncio.gather(*(send(transport, everybody[n::8]) for n in range(8)))
        assert all(len(ear.fates) == 30 for ear in heard)
        assert sorted(reached(server)) == sorted(f"p{n}" for n in range(240))


# --- every answer within the window ------------------------------------------------------------------------------

SECOND_OF_THREE: list[tuple[str, str, str, int]] = [
    # what, answered with, then fates, over so many connections
    ("MAIL", "451 4.3.0 later", "0 accepted, 1 channel", 1),
    ("MAIL", "421 4.3.2 closing", "0 accepted, 1 accepted, 2 accepted", 2),
    ("MAIL", DROP, "0 accepted, 1 accepted, 2 accepted", 2),
    ("MAIL", "354 what", "0 accepted, 1 channel", 1),
    ("MAIL", "no answer", "0 accepted, 1 accepted, 2 accepted", 2),
    ("RCPT", "550 5.1.1 nobody", "0 accepted, 1 rejected, 2 accepted", 1),
    ("RCPT", "450 4.2.1 grey", "0 accepted, 1 deferred, 2 accepted", 1),
    ("RCPT", "421 4.7.28 too fast", "0 accepted, 1 deferred, 2 accepted", 2),
    ("RCPT", "421 4.3.2 closing", "0 accepted, 1 accepted, 2 accepted", 2),
    ("RCPT", "530 5.7.0 log in", "0 accepted, 1 channel", 1),
    ("RCPT", "354 what", "0 accepted, 1 accepted, 2 accepted", 2),
    ("RCPT", DROP, "0 accepted, 1 accepted, 2 accepted", 2),
    ("DATA", "451 4.3.0 disk", "0 accepted, 1 deferred, 2 accepted", 1),
    ("DATA", "554 5.7.1 no", "0 accepted, 1 blamed, 2 accepted", 1),
    ("DATA", "421 4.7.28 too fast", "0 accepted, 1 deferred, 2 accepted", 2),
    ("DATA", "421 4.3.2 closing", "0 accepted, 1 accepted, 2 accepted", 2),
    ("DATA", "250 what", "0 accepted, 1 accepted, 2 accepted", 2),
    ("DATA", DROP, "0 accepted, 1 accepted, 2 accepted", 2),
    (".", "550 5.1.1 nobody", "0 accepted, 1 rejected, 2 accepted", 1),
    (".", "450 4.2.0 later", "0 accepted, 1 deferred, 2 accepted", 1),
    (".", "421 4.7.28 too fast", "0 accepted, 1 deferred, 2 accepted", 2),
    (".", "550 5.4.5 daily limit", "0 accepted, 1 channel", 1),
    (".", "354 what", "0 accepted, 1 deferred in doubt, 2 accepted", 2),
    (".", DROP, "0 accepted, 1 deferred in doubt, 2 accepted", 2),
    (".", "no answer", "0 accepted, 1 deferred in doubt, 2 accepted", 2),
]


@pytest.mark.parametrize(("verb", "answer", "fates", "connections"), SECOND_OF_THREE)
@pytest.mark.parametrize("offers", [PIPED, PLAIN], ids=["piped", "plain"])
async def test_an_answer_to_the_second_letter_decides_about_it_alone(
    offers: Sequence[str], verb: str, answer: str, fates: str, connections: int
) -> None:
    times = iter([None, answer if answer != "no answer" else b"well, maybe\r\n"])
    async with SmtpDouble(offers=offers, faults={verb: lambda _: next(times, None)}) as server:
        heard = await send(smtp(server), [envelope(n) for n in range(3)])
        assert ", ".join(heard.fates) == fates
        assert reached(server) == [f"p{fate[0]}" for fate in heard.fates if fate.endswith("accepted")]
        assert len(server.conversations) == connections


FIRST_OF_TWO: list[tuple[str, Answer, str, int]] = [
    ("MAIL", "421 4.7.0 suspicious", "0 channel", 1),
    ("MAIL", DROP, "0 channel", 1),
    ("RCPT", "421 4.3.2 closing", "0 deferred, 1 accepted", 2),
    ("RCPT", DROP, "0 deferred, 1 accepted", 2),
    ("DATA", "250 what", "0 deferred, 1 accepted", 2),
    ("DATA", DROP, "0 deferred, 1 accepted", 2),
    (".", DROP, "0 deferred in doubt, 1 accepted", 2),
]


@pytest.mark.parametrize(("verb", "answer", "fates", "connections"), FIRST_OF_TWO)
@pytest.mark.parametrize("offers", [PIPED, PLAIN], ids=["piped", "plain"])
async def test_a_fresh_connection_that_breaks_is_not_tried_twice_for_the_same_letter(
    offers: Sequence[str], verb: str, answer: Answer, fates: str, connections: int
) -> None:
    async with SmtpDouble(offers=offers, faults={verb: [answer]}) as server:
        heard = await send(smtp(server), [envelope(n) for n in range(2)])
        assert ", ".join(heard.fates) == fates
        assert len(server.conversations) == connections


async def test_a_refused_sender_leaves_the_connection_as_it_was() -> None:
    async with SmtpDouble(faults={"MAIL": ["451 4.3.0 later"]}) as server, smtp(server).connect() as line:
        assert (await over(line, [envelope(0), envelope(1)])).fates == ["0 channel"]
        assert (await over(line, [envelope(0), envelope(1)])).fates == ["0 accepted", "1 accepted"]
        assert len(server.conversations) == 1


@pytest.mark.parametrize("end", [None, "250 2.0.0 thank you for nothing", "450 4.0.0 later", "421 4.0.0 bye", DROP])
async def test_who_was_refused_and_is_asked_for_his_message_gets_an_empty_one_that_counts_for_nothing(
    end: str | None,
) -> None:
    for letters in (1, 2, 4):
        faults = {"RCPT": ["550 5.1.1 nobody"], ".": [end]} if end else {"RCPT": ["550 5.1.1 nobody"]}
        async with SmtpDouble(faults=faults, nobody="354 go on") as server:
            heard = await send(smtp(server), [envelope(n) for n in range(letters)])
            assert heard.fates == ["0 rejected", "1 accepted", "2 accepted", "3 accepted"][:letters]
            assert reached(server) == ["p1", "p2", "p3"][: letters - 1]


async def test_an_answer_too_many_loses_nobody_and_doubles_nobody() -> None:
    async with SmtpDouble(accept_then="250 2.0.0 queued\r\n250 2.0.0 queued") as server:
        heard = await send(smtp(server), [envelope(n) for n in range(5)])
        assert heard.fates == [f"{n} accepted" for n in range(5)]
        assert reached(server) == [f"p{n}" for n in range(5)]


async def test_what_no_server_takes_is_judged_in_its_turn() -> None:
    letters = [
        envelope(0, "no body@example.com"), envelope(1), envelope(2, "x"), envelope(3, more=40_000), envelope(4),
        envelope(5, "jürgen@example.com"), envelope(6, "a>@example.com"),
    ]  # fmt: skip
    async with SmtpDouble(offers=["PIPELINING", "SIZE 100000"]) as server:
        assert (await send(smtp(server), letters)).fates == [
            "0 rejected", "1 accepted", "2 rejected", "3 blamed", "4 accepted", "5 rejected", "6 rejected",
        ]  # fmt: skip
        assert reached(server) == ["p1", "p4"]
        assert len(server.conversations) == 1


async def test_a_sender_that_could_break_out_stops_the_channel_in_its_turn() -> None:
    letters = [envelope(0), envelope(1, sender="a@x.org>\r\nRCPT TO:<b@x.org"), envelope(2)]
    async with SmtpDouble() as server:
        assert (await send(smtp(server), letters)).fates == ["0 accepted", "1 channel"]
        assert reached(server) == ["p0"]


# --- stopping ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offers", [PIPED, PLAIN], ids=["piped", "plain"])
@pytest.mark.parametrize("answer", [None, "550 5.1.1 nobody", "451 4.3.0 later"])
async def test_told_to_stop_no_further_letter_leaves_not_even_an_empty_one(
    offers: Sequence[str], answer: str | None
) -> None:
    async with SmtpDouble(offers=offers, faults={".": [answer] if answer else []}) as server:
        heard = await send(smtp(server), [envelope(n) for n in range(3)], stop=0)
        assert len(heard.fates) == 1
        await asyncio.sleep(0.02)
        assert reached(server) == ([] if answer else ["p0"])


async def test_stopped_while_answers_are_on_their_way_the_connection_is_left() -> None:
    async with SmtpDouble(drip=True) as server, smtp(server).connect() as line:
        assert (await over(line, [envelope(0), envelope(1)], stop=0)).fates == ["0 accepted"]
        assert (await over(line, [envelope(1)])).fates == ["1 accepted"]
        assert reached(server) == ["p0", "p1"]
        assert len(server.conversations) == 2


@pytest.mark.parametrize("offers", [PIPED, PLAIN], ids=["piped", "plain"])
async def test_whoever_may_not_go_on_says_no_content(offers: Sequence[str]) -> None:
    for last in range(3):
        async with SmtpDouble(offers=offers) as server:
            heard = await send(smtp(server), [envelope(n) for n in range(3)], last=last)
            assert heard.fates == [f"{n} accepted" for n in range(last)]
            await asyncio.sleep(0.02)
            assert reached(server) == [f"p{n}" for n in range(last)]


async def test_who_may_not_go_on_sends_no_empty_message_to_nobody_either() -> None:
    async with SmtpDouble(faults={"RCPT": ["550 5.1.1 no"]}, nobody="354 go on") as server:
        assert (await send(smtp(server), [envelope(0), envelope(1)], stop=0)).fates == ["0 rejected"]
        assert server.world == []


async def test_what_hear_raises_comes_out_and_ends_the_connection() -> None:
    def hear(verdict: Verdict) -> bool:
        raise LookupError(verdict.letter)

    async with SmtpDouble() as server, smtp(server).connect() as line:
        with pytest.raises(LookupError):
            await line.send([envelope(0), envelope(1)], hear, always)
        await asyncio.sleep(0.02)
        assert reached(server) == ["p0"]
        assert (await over(line, [envelope(1)])).fates == ["1 accepted"]


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "."])
async def test_cancelled_anywhere_no_half_letter_stays_behind(verb: str) -> None:
    times = iter([None, HANG])
    async with SmtpDouble(faults={verb: lambda _: next(times, None)}) as server:
        task = asyncio.create_task(send(smtp(server), [envelope(n) for n in range(3)]))
        while sum(line.startswith("DATA") for said in server.conversations for line in said) < 2 and verb != "MAIL":
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reached(server) == ["p0"]


# --- time and size -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "fates"), [
    ("MAIL", ["0 channel"]), ("RCPT", ["0 deferred", "1 accepted"]), ("DATA", ["0 deferred", "1 accepted"]),
    (".", ["0 deferred in doubt", "1 accepted"]),
])  # fmt: skip
async def test_silence_has_its_limit_at_each_answer(verb: str, fates: list[str]) -> None:
    async with SmtpDouble(faults={verb: [HANG]}) as server:
        heard = await send(smtp(server, limits=HASTY), [envelope(0), envelope(1)])
        assert heard.fates == fates
        assert "no answer within 0.3 s" in heard.verdicts[0].answer


async def test_a_slow_server_that_goes_on_is_waited_for() -> None:
    async with SmtpDouble(latency=0.12) as server:
        heard = await send(smtp(server, limits=HASTY), [envelope(n) for n in range(4)])
        assert heard.fates == [f"{n} accepted" for n in range(4)]


async def test_a_server_that_loses_what_is_said_in_one_breath_is_talked_to_more_slowly_from_then_on() -> None:
    limits = Limits(connect=5, command=0.3, dot=30, quit=0.2)
    async with SmtpDouble(deaf=True) as server, asyncio.timeout(10):
        transport = smtp(server, limits=limits)
        assert (await send(transport, [envelope(n) for n in range(5)])).fates == [f"{n} accepted" for n in range(5)]
        assert (await send(transport, [envelope(n) for n in (5, 6)])).fates == ["5 accepted", "6 accepted"]
        assert reached(server) == [f"p{n}" for n in range(7)]
        assert len(server.conversations) == 3


@pytest.mark.parametrize("offers", [PIPED, PLAIN], ids=["piped", "plain"])
async def test_a_message_that_takes_its_time_is_known_not_to_have_left(offers: Sequence[str]) -> None:
    big, middling = envelope(0, more=500_000), envelope(0, more=60_000)
    async with SmtpDouble(offers=[*offers[:-1], "SIZE"], before_dot=1) as server:
        assert (await send(smtp(server), [big, envelope(1)])).fates == ["0 deferred", "1 accepted"]
        heard = await send(smtp(server), [envelope(2), middling, envelope(3)])
        assert heard.fates == ["2 accepted", "0 accepted", "3 accepted"]
        assert middling.size > AT_ONCE
        assert reached(server) == ["p1", "p2", "p0", "p3"]


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "tls"])
async def test_behind_tls_all_of_it_is_the_same(certificate: tuple[Path, ssl.SSLContext], implicit: bool) -> None:
    ca, context = certificate
    offers = PIPED if implicit else ("STARTTLS", *PIPED)
    times = iter([None, None, None, "550 5.1.1 nobody", DROP])
    letters = [*(envelope(n) for n in range(3)), envelope(3, more=30_000), *(envelope(n) for n in range(4, 7))]
    async with SmtpDouble(
        offers=offers, tls=context, implicit_tls=implicit, faults={".": lambda _: next(times, None)}
    ) as server:
        settings = SmtpSettings(
            host="127.0.0.1", port=server.port, security="tls" if implicit else "starttls", ca_file=ca
        )
        heard = await send(Smtp(settings, SystemClock(), limits=QUICK), letters)
        assert heard.fates == [
            "0 accepted", "1 accepted", "2 accepted", "3 rejected", "4 deferred in doubt", "5 accepted", "6 accepted",
        ]  # fmt: skip
        assert reached(server) == ["p0", "p1", "p2", "p5", "p6"]
        assert len(server.conversations) == 2


# --- reuse -------------------------------------------------------------------------------------------------------


async def test_while_a_line_is_held_the_next_ones_find_its_connection_open() -> None:
    async with SmtpDouble() as server:
        transport = smtp(server)
        async with transport.connect():
            for n in range(3):
                assert (await send(transport, [envelope(n)])).fates == [f"{n} accepted"]
            assert server.conversations[0][-1] != "QUIT"
        assert [said[-1] for said in server.conversations] == ["QUIT"]


async def test_a_line_that_was_told_to_stop_keeps_no_connection_for_others() -> None:
    async with SmtpDouble() as server:
        transport = smtp(server)
        async with transport.connect():
            assert (await send(transport, [envelope(0)], stop=0)).fates == ["0 accepted"]
            assert [said[-1] for said in server.conversations] == ["QUIT"]


async def test_a_connection_that_lay_idle_is_asked_before_it_is_trusted() -> None:
    limits = Limits(connect=5, command=5, dot=5, quit=1, idle=0, probe=0.2)
    answers = iter([None, HANG, "421 4.4.2 idle too long"])
    async with SmtpDouble(faults={"NOOP": lambda _: next(answers, None)}) as server:
        async with smtp(server, limits=limits).connect() as line:
            for n in range(4):
                assert (await over(line, [envelope(n)])).fates == [f"{n} accepted"]
        assert reached(server) == ["p0", "p1", "p2", "p3"]
        assert [sum(line == "NOOP" for line in said) for said in server.conversations] == [2, 1, 0]


async def test_what_was_said_while_nobody_asked_ends_the_connection() -> None:
    async with SmtpDouble() as server, smtp(server).connect() as line:
        assert (await over(line, [envelope(0)])).fates == ["0 accepted"]
        server.say("421 4.4.2 idle too long")
        await asyncio.sleep(0.02)
        assert (await over(line, [envelope(1)])).fates == ["1 accepted"]
        assert len(server.conversations) == 2


# --- whatever happens --------------------------------------------------------------------------------------------

WEATHER: list[Answer | None] = [
    None, None, None, None, None, None, "450 4.2.0 later", "550 5.1.1 nobody", "421 4.3.2 closing", "421 4.7.28 slow",
    DROP, b"nonsense\r\n", "354 what", "554 5.7.1 no", b"250-2.0.0 many\r\n250 words\r\n",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_a_server_does_the_verdicts_tell_what_it_has(seed: int) -> None:
    """Each letter is judged once, in order; accepted is what the server has, and it has nothing else but doubts."""
    chance = random.Random(seed)
    faults = {verb: lambda _: chance.choice(WEATHER) for verb in ("MAIL", "RCPT", "DATA", ".")}
    judged: dict[int, Verdict] = {}
    async with SmtpDouble(
        offers=PIPED if seed % 4 else PLAIN, faults=faults, drip=seed % 3 == 0,
        nobody="354 go on" if seed % 2 else "503 5.5.1 no valid recipients",
    ) as server:  # fmt: skip
        transport = smtp(server)
        async with transport.connect() as line:
            for _ in range(200):
                rest = [envelope(n) for n in range(25) if n not in judged]
                if not rest:
                    break
                heard = await over(line, rest)
                told = [verdict for verdict in heard.verdicts if verdict.fate is not Fate.CHANNEL]
                assert [verdict.letter for verdict in heard.verdicts] == [e.letter for e in rest[: len(heard.verdicts)]]
                judged |= {verdict.letter: verdict for verdict in told}
        assert sorted(judged) == list(range(25))
        has = reached(server)
        assert len(set(has)) == len(has)
        accepted = {f"p{n}" for n, verdict in judged.items() if verdict.fate is Fate.ACCEPTED}
        in_doubt = {f"p{n}" for n, verdict in judged.items() if verdict.in_doubt}
        assert accepted <= set(has) <= accepted | in_doubt
