"""The SMTP transport against real servers on loopback: one that obeys the standard, one that breaks it on request."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from aiosmtpd.smtp import Envelope as Received
from aiosmtpd.smtp import Session as Conversation

from syndicate.clock import SystemClock
from syndicate.config import SmtpSettings
from syndicate.config.values import Secret
from syndicate.transports.base import Connection, Envelope, Fate, Transport, Verdict
from syndicate.transports.dialogue import Limits
from syndicate.transports.smtp import Smtp
from tests.doubles.smtp import DROP, HANG, SmtpDouble

QUICK = Limits(connect=5, command=5, dot=5, quit=1)
HASTY = Limits(connect=5, command=0.3, dot=0.3, quit=0.2)  # where silence is the point
MESSAGE = (b"Subject: hello\r\nMessage-ID: <", b">\r\n\r\nwords\r\n..dotted\r\nend\r\n")


def envelope(letter: int, recipient: str | None = None, *, sender: str = "news@example.org") -> Envelope:
    return Envelope(
        letter=letter,
        sender=sender,
        recipient=recipient or f"p{letter}@example.com",
        pieces=[MESSAGE[0], b"%d@example.org" % letter, MESSAGE[1]],
    )


def smtp(port: int, *, limits: Limits = QUICK, **settings: object) -> Smtp:
    values: dict[str, object] = {"security": "none", **settings}
    return Smtp(SmtpSettings(host="127.0.0.1", port=port, **values), SystemClock(), limits=limits)  # type: ignore[arg-type]


async def send(transport: Smtp, *groups: Iterable[Envelope]) -> list[Verdict]:
    async with transport.connect() as line:
        return [verdict for group in groups for verdict in await over(line, *group)]


async def over(line: Connection, *group: Envelope) -> list[Verdict]:
    verdicts: list[Verdict] = []

    def hear(verdict: Verdict) -> bool:
        verdicts.append(verdict)
        return True

    await line.send(group, hear)
    return verdicts


def fates(verdicts: Iterable[Verdict]) -> list[Fate]:
    return [verdict.fate for verdict in verdicts]


# --- a real server -------------------------------------------------------------------------------------------------


class Mailbox:
    """aiosmtpd's handler: keeps what it is given, and who logged in."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.secured: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Conversation, received: Received) -> str:
        self.received.append(received)
        self.secured.append(session.ssl is not None)
        return "250 2.0.0 kept"


@pytest.fixture
async def mailbox() -> Mailbox:
    return Mailbox()


async def serve(mailbox: Mailbox, **options: object) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    context = options.pop("implicit_tls", None)
    return await loop.create_server(
        lambda: SMTP(mailbox, hostname="mail.test", loop=loop, **options),
        "127.0.0.1",
        0,
        ssl=context,  # type: ignore[arg-type]
    )


@pytest.fixture
async def real(mailbox: Mailbox) -> AsyncIterator[int]:
    server = await serve(mailbox)
    yield server.sockets[0].getsockname()[1]
    server.close()


def check_login(server: SMTP, session: Conversation, envelope: Received, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ann", b"s3cret")
    return AuthResult(success=good, handled=not good and False)


async def test_letters_arrive_byte_for_byte_over_one_connection(mailbox: Mailbox, real: int) -> None:
    verdicts = await send(smtp(real), [envelope(n) for n in range(1, 4)])
    assert fates(verdicts) == [Fate.ACCEPTED] * 3
    assert [v.letter for v in verdicts] == [1, 2, 3]
    assert verdicts[0].code == 250
    assert verdicts[0].answer == "2.0.0 kept"
    assert [r.rcpt_tos for r in mailbox.received] == [[f"p{n}@example.com"] for n in (1, 2, 3)]
    assert mailbox.received[0].mail_from == "news@example.org"
    content = mailbox.received[0].content
    assert isinstance(content, bytes)
    assert content.endswith(b"\r\n\r\nwords\r\n.dotted\r\nend\r\n")


async def test_starttls_secures_and_logs_in(mailbox: Mailbox, certificate: tuple[Path, ssl.SSLContext]) -> None:
    ca, context = certificate
    server = await serve(
        mailbox, tls_context=context, require_starttls=True, auth_require_tls=True, auth_required=True,
        authenticator=check_login,
    )  # fmt: skip
    port = server.sockets[0].getsockname()[1]
    login = {"username": "ann", "password": Secret("s3cret"), "ca_file": ca, "security": "starttls"}
    assert fates(await send(smtp(port, **login), [envelope(1)])) == [Fate.ACCEPTED]
    assert mailbox.secured == [True]
    wrong = await send(smtp(port, **{**login, "password": Secret("guess")}), [envelope(2), envelope(3)])
    assert fates(wrong) == [Fate.CHANNEL]
    assert wrong[0].code == 535
    assert "email.smtp.password" in (wrong[0].pauses or "")
    server.close()


async def test_tls_from_the_first_byte(mailbox: Mailbox, certificate: tuple[Path, ssl.SSLContext]) -> None:
    ca, context = certificate
    server = await serve(mailbox, implicit_tls=context)
    port = server.sockets[0].getsockname()[1]
    assert fates(await send(smtp(port, security="tls", ca_file=ca), [envelope(1)])) == [Fate.ACCEPTED]
    server.close()


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_nobody_vouches_for_stops_the_channel(
    certificate: tuple[Path, ssl.SSLContext], security: str
) -> None:
    _, context = certificate
    async with SmtpDouble(offers=["STARTTLS"], tls=context, implicit_tls=security == "tls") as server:
        verdicts = await send(smtp(server.port, security=security), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.CHANNEL]
        assert "ca_file" in (verdicts[0].pauses or "")
        assert server.world == []


# --- the channel ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "answer", "code", "pauses"),
    [
        ("CONNECT", "421 4.7.0 too many connections", 421, None),
        ("CONNECT", "554 5.7.1 you are listed", 554, None),
        ("EHLO", "550 5.7.1 who are you", 550, None),
        ("MAIL", "451 4.3.0 try later", 451, None),
        ("MAIL", "550 5.7.1 not your address", 550, "email.sender"),
        ("MAIL", "530 5.7.0 authentication required", 530, "email.smtp.username"),
        ("MAIL", "552 5.3.4 too big", 552, "max_articles"),
        ("RCPT", "530 5.7.0 authentication required", 530, "email.smtp.username"),
        (".", "534 5.7.9 application password needed", 534, "email.smtp.username"),
    ],
)
async def test_what_concerns_the_channel_costs_nobody_anything(
    verb: str, answer: str, code: int, pauses: str | None
) -> None:
    async with SmtpDouble(faults={verb: lambda _: answer}) as server:
        verdicts = await send(smtp(server.port), [envelope(n) for n in (1, 2, 3)])
        assert fates(verdicts) == [Fate.CHANNEL]
        assert verdicts[0].code == code
        assert (pauses is None) == (verdicts[0].pauses is None)
        assert (pauses or "") in (verdicts[0].pauses or "")
        assert server.world == []


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        (".", "550 5.4.5 Daily user sending limit exceeded"),
        (".", "454 Throttling failure: Daily message quota exceeded."),
        ("RCPT", "452 4.5.3 You have reached your limit of 500 messages per day"),
        ("MAIL", "550 5.4.5 Daily SMTP relay limit exceeded"),
    ],
)
async def test_a_days_quota_rests_the_channel(verb: str, answer: str) -> None:
    async with SmtpDouble(faults={verb: [answer]}) as server:
        verdict = (await send(smtp(server.port), [envelope(1)]))[0]
        assert (verdict.fate, verdict.quota, verdict.pauses) == (Fate.CHANNEL, True, None)


async def test_a_server_that_is_not_there_is_trouble_with_the_channel() -> None:
    async with SmtpDouble() as server:
        port = server.port
    verdicts = await send(smtp(port), [envelope(1), envelope(2)])
    assert fates(verdicts) == [Fate.CHANNEL]
    assert "cannot reach" in verdicts[0].answer


async def test_starttls_is_never_given_up() -> None:
    async with SmtpDouble() as server:
        verdict = (await send(smtp(server.port, security="starttls"), [envelope(1)]))[0]
        assert verdict.fate is Fate.CHANNEL
        assert "offers no STARTTLS" in (verdict.pauses or "")
        assert not any(line.startswith("MAIL") for line in server.conversations[0])


async def test_a_refused_starttls_stops_before_anything_is_said_in_clear() -> None:
    async with SmtpDouble(offers=["STARTTLS"], faults={"STARTTLS": ["454 4.7.0 no TLS today"]}) as server:
        verdict = (await send(smtp(server.port, security="starttls"), [envelope(1)]))[0]
        assert (verdict.fate, verdict.code, verdict.pauses) == (Fate.CHANNEL, 454, None)
        assert [line.split()[0] for line in server.conversations[0]] == ["EHLO", "STARTTLS"]


async def test_words_slipped_in_after_starttls_are_refused() -> None:
    slipped = b"220 2.0.0 go ahead\r\n250 2.0.0 injected\r\n"
    async with SmtpDouble(offers=["STARTTLS"], faults={"STARTTLS": [slipped]}) as server:
        verdict = (await send(smtp(server.port, security="starttls"), [envelope(1)]))[0]
        assert verdict.fate is Fate.CHANNEL
        assert "spoke on" in verdict.answer


@pytest.mark.parametrize("offered", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
async def test_a_password_goes_in_clear_to_loopback_only_and_is_never_repeated(offered: str) -> None:
    faults = {"AUTH": ["535 5.7.8 bad AGFubgBzM2NyZXQ= and czNjcmV0 and s3cret"]}
    async with SmtpDouble(offers=[offered], faults=faults) as server:
        transport = smtp(server.port, username="ann", password=Secret("s3cret"))
        verdicts = await send(transport, [envelope(1)])
        assert (verdicts[0].fate, verdicts[0].code) == (Fate.CHANNEL, 535)
        assert "s3cret" not in verdicts[0].answer
        assert "czNjcmV0" not in verdicts[0].answer
        assert "AGFub" not in verdicts[0].answer
        assert fates(await send(transport, [envelope(1)])) == [Fate.ACCEPTED]


async def test_a_login_that_fails_for_now_pauses_nothing() -> None:
    async with SmtpDouble(offers=["AUTH PLAIN"], faults={"AUTH": ["454 4.7.0 later"]}) as server:
        verdict = (await send(smtp(server.port, username="ann", password=Secret("x")), [envelope(1)]))[0]
        assert (verdict.fate, verdict.code, verdict.pauses) == (Fate.CHANNEL, 454, None)


async def test_a_server_without_a_way_to_log_in_says_what_to_do() -> None:
    async with SmtpDouble(offers=["AUTH CRAM-MD5"]) as server:
        verdict = (await send(smtp(server.port, username="ann", password=Secret("x")), [envelope(1)]))[0]
        assert verdict.fate is Fate.CHANNEL
        assert "email.smtp" in (verdict.pauses or "")


# --- the person ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "answer", "fate"),
    [
        ("RCPT", "550 5.1.1 no such user", Fate.REJECTED),
        ("RCPT", "550 no such user", Fate.REJECTED),
        ("RCPT", "551 not local", Fate.REJECTED),
        ("RCPT", "552 5.2.2 mailbox full", Fate.REJECTED),
        ("RCPT", "553 5.1.3 bad address", Fate.REJECTED),
        ("RCPT", "554 no", Fate.REJECTED),
        ("RCPT", "556 5.1.10 takes no mail", Fate.REJECTED),
        ("RCPT", "450 4.2.1 receiving too fast", Fate.DEFERRED),
        ("RCPT", "451 4.7.1 greylisted", Fate.DEFERRED),
        ("RCPT", "452 4.2.2 mailbox full", Fate.DEFERRED),
        ("RCPT", "421 4.7.28 unusual rate", Fate.DEFERRED),
        ("RCPT", "554 5.7.1 relay access denied", Fate.BLAMED),
        ("RCPT", "550 5.7.515 access denied", Fate.BLAMED),
        ("RCPT", "550 5.3.4 too big", Fate.BLAMED),
        ("DATA", "451 4.3.0 disk", Fate.DEFERRED),
        ("DATA", "554 no valid recipients", Fate.BLAMED),
        (".", "550 5.1.1 no such user", Fate.REJECTED),
        (".", "552 5.2.2 mailbox full", Fate.REJECTED),
        (".", "550 rejected", Fate.REJECTED),
        (".", "554 rejected", Fate.BLAMED),
        (".", "554 5.6.0 malformed", Fate.BLAMED),
        (".", "550 5.7.1 content refused", Fate.BLAMED),
        (".", "550 4.7.1 listed", Fate.BLAMED),
        (".", "421 4.7.28 unusual rate", Fate.DEFERRED),
        (".", "450 4.2.0 later", Fate.DEFERRED),
        (".", "451", Fate.DEFERRED),
    ],
)
async def test_every_answer_has_its_verdict_and_the_next_person_gets_his_mail(
    verb: str, answer: str, fate: Fate
) -> None:
    async with SmtpDouble(faults={verb: [answer]}) as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [fate, Fate.ACCEPTED]
        assert verdicts[0].code == int(answer[:3])
        assert verdicts[0].answer == answer[4:]
        assert not verdicts[0].in_doubt
        assert [entry["to"] for entry in server.world] == ["p2@example.com"]


async def test_a_half_done_transaction_is_reset_before_the_next() -> None:
    async with SmtpDouble(faults={"RCPT": ["550 5.1.1 no"]}) as server:
        await send(smtp(server.port), [envelope(1), envelope(2)])
        verbs = [
            line.split()[0] for line in server.conversations[0] if line.split()[0] in ("MAIL", "RSET", "RCPT", "DATA")
        ]
        assert verbs == ["MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA"]


@pytest.mark.parametrize("recipient", ["a b@example.com", "a>@example.com", "a@x.com>\r\nRCPT TO:<b@x.com", "x"])
async def test_an_address_that_could_break_out_never_reaches_the_server(recipient: str) -> None:
    async with SmtpDouble() as server:
        verdicts = await send(smtp(server.port), [envelope(1, recipient), envelope(2)])
        assert fates(verdicts) == [Fate.REJECTED, Fate.ACCEPTED]
        assert [entry["to"] for entry in server.world] == ["p2@example.com"]


async def test_a_utf8_address_is_spoken_where_it_is_understood_and_nowhere_else() -> None:
    async with SmtpDouble() as server:
        assert fates(await send(smtp(server.port), [envelope(1, "jürgen@example.com")])) == [Fate.ACCEPTED]
        mail = next(line for line in server.conversations[0] if line.startswith("MAIL"))
        assert mail.endswith("BODY=8BITMIME SMTPUTF8")
        assert server.world[0]["to"] == "jürgen@example.com"
    async with SmtpDouble(offers=["8BITMIME"]) as server:
        verdict = (await send(smtp(server.port), [envelope(1, "jürgen@example.com")]))[0]
        assert (verdict.fate, verdict.status) == (Fate.REJECTED, "5.6.7")


async def test_size_is_declared_and_a_letter_over_the_limit_is_not_even_begun() -> None:
    async with SmtpDouble(offers=["SIZE 1000"]) as server:
        big = Envelope(letter=2, sender="news@example.org", recipient="b@example.com", pieces=[b"x" * 2000])
        verdicts = await send(smtp(server.port), [envelope(1), big])
        assert fates(verdicts) == [Fate.ACCEPTED, Fate.BLAMED]
        size = sum(map(len, envelope(1).pieces))
        assert f"MAIL FROM:<news@example.org> SIZE={size}" in server.conversations[0]


# --- lines that break ----------------------------------------------------------------------------------------------


async def test_a_line_lost_before_the_dot_defers_and_is_not_in_doubt() -> None:
    async with SmtpDouble(before_dot=1, offers=[]) as server:
        big = Envelope(
            letter=1, sender="n@example.org", recipient="a@example.com", pieces=[b"x" * 78 + b"\r\n"] * 400_000
        )
        verdict = (await send(smtp(server.port, limits=Limits(dot=5)), [big]))[0]
        assert (verdict.fate, verdict.in_doubt) == (Fate.DEFERRED, False)


@pytest.mark.parametrize("after", [DROP, HANG])
async def test_a_line_lost_after_the_dot_is_in_doubt(after: str) -> None:
    async with SmtpDouble(accept_then=after) as server:
        verdict = (await send(smtp(server.port, limits=HASTY), [envelope(1)]))[0]
        assert (verdict.fate, verdict.in_doubt) == (Fate.DEFERRED, True)
        assert len(server.world) == 1


async def test_a_nonsense_answer_to_the_dot_is_in_doubt() -> None:
    async with SmtpDouble(faults={".": [b"well, maybe\r\n"]}) as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.DEFERRED, Fate.ACCEPTED]
        assert verdicts[0].in_doubt


async def test_a_connection_the_server_closed_in_between_costs_nobody_anything() -> None:
    async with SmtpDouble() as server, smtp(server.port).connect() as line:
        first = await over(line, envelope(1))
        server.hang_up()
        second = await over(line, envelope(2))
        assert fates(first + second) == [Fate.ACCEPTED, Fate.ACCEPTED]
        assert [entry["to"] for entry in server.world] == ["p1@example.com", "p2@example.com"]


async def test_a_server_that_closes_without_a_word_after_some_letters_loses_none() -> None:
    async with SmtpDouble(close_after=2) as server:
        verdicts = await send(smtp(server.port), [envelope(n) for n in range(7)])
        assert fates(verdicts) == [Fate.ACCEPTED] * 7
        assert len({entry["message_id"] for entry in server.world}) == len(server.world) == 7


async def test_a_used_connection_that_breaks_in_the_middle_of_a_letter_is_retried_once() -> None:
    drops = iter([None, DROP])
    async with SmtpDouble(faults={"DATA": lambda _: next(drops, None)}) as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.ACCEPTED, Fate.ACCEPTED]
        assert len(server.conversations) == 2


async def test_a_farewell_said_while_we_were_idle_is_understood() -> None:
    said = iter([None, "421 4.4.2 idle too long"])
    async with SmtpDouble(faults={"MAIL": lambda _: next(said, None)}) as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.ACCEPTED, Fate.ACCEPTED]


async def test_a_fresh_connection_that_breaks_is_reported_not_hammered() -> None:
    async with SmtpDouble(faults={"MAIL": lambda _: DROP}) as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.CHANNEL]
        assert len(server.conversations) == 1
    async with SmtpDouble(faults={"RCPT": [DROP]}) as server:
        assert fates(await send(smtp(server.port), [envelope(1), envelope(2)])) == [Fate.DEFERRED, Fate.ACCEPTED]


@pytest.mark.parametrize(
    ("verb", "fate"),
    [("CONNECT", Fate.CHANNEL), ("EHLO", Fate.CHANNEL), ("MAIL", Fate.CHANNEL), ("RCPT", Fate.DEFERRED)],
)
async def test_a_silent_server_is_left_after_the_time_limit(verb: str, fate: Fate) -> None:
    async with SmtpDouble(faults={verb: [HANG]}) as server:
        verdict = (await send(smtp(server.port, limits=HASTY), [envelope(1)]))[0]
        assert verdict.fate is fate
        assert "no answer within" in verdict.answer


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n", b"\x16\x03\x01\x02\x00\r\n", b"99\r\n", b"250+x\r\n", b"2" * 70_000,
                b"220-and so on\r\n" * 1000]
)  # fmt: skip
async def test_a_server_of_another_kind_is_recognised(garbage: bytes) -> None:
    async with SmtpDouble(faults={"CONNECT": [garbage]}) as server:
        verdict = (await send(smtp(server.port), [envelope(1)]))[0]
        assert verdict.fate is Fate.CHANNEL
        assert "not an SMTP reply" in verdict.answer


async def test_an_answer_too_many_is_never_taken_for_the_next_one() -> None:
    async with SmtpDouble(accept_then="250 2.0.0 queued\r\n250 2.0.0 queued") as server:
        verdicts = await send(smtp(server.port), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.ACCEPTED, Fate.ACCEPTED]
        assert [entry["to"] for entry in server.world] == ["p1@example.com", "p2@example.com"]
        assert len(server.conversations) == 2


async def test_answers_may_come_a_byte_at_a_time_and_in_many_lines() -> None:
    faults = {"RCPT": ["250-2.1.5 one\r\n250-two\r\n250 three"]}
    async with SmtpDouble(drip=True, faults=faults) as server:
        verdicts = await send(smtp(server.port, limits=Limits()), [envelope(1), envelope(2)])
        assert fates(verdicts) == [Fate.ACCEPTED] * 2


async def test_a_server_without_ehlo_is_greeted_the_old_way() -> None:
    async with SmtpDouble(faults={"EHLO": ["502 5.5.1 what?"]}) as server:
        assert fates(await send(smtp(server.port), [envelope(1)])) == [Fate.ACCEPTED]
        assert server.conversations[0][1].startswith("HELO ")


async def test_a_connection_is_recycled_after_a_hundred_letters_or_as_few_as_the_server_likes() -> None:
    async with SmtpDouble() as server:
        await send(smtp(server.port), [envelope(n) for n in range(205)])
        assert len(server.world) == 205
        assert [sum(line.startswith("MAIL") for line in said) for said in server.conversations] == [100, 100, 5]
        assert server.conversations[0][-1] == "QUIT"
    async with SmtpDouble(offers=["LIMITS MAILMAX=3 RCPTMAX=100"]) as server:
        await send(smtp(server.port), [envelope(n) for n in range(7)])
        assert [sum(line.startswith("MAIL") for line in said) for said in server.conversations] == [3, 3, 1]


async def test_a_cancelled_send_leaves_no_half_letter_behind() -> None:
    async with SmtpDouble(faults={"RCPT": [HANG]}) as server:
        transport = smtp(server.port, limits=Limits())
        task = asyncio.create_task(send(transport, [envelope(1)]))
        while not any(line.startswith("RCPT") for said in server.conversations for line in said):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.world == []


class PatientClock(SystemClock):
    """Counts how long it was asked to wait, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds


async def test_the_rate_is_kept_over_all_connections_together() -> None:
    async with SmtpDouble() as server:
        clock = PatientClock()
        settings = SmtpSettings(host="127.0.0.1", port=server.port, security="none", rate=4)
        transport = Smtp(settings, clock, limits=QUICK)
        async with transport.connect() as one, transport.connect() as other:
            for n in range(4):
                for line in (one, other):
                    assert fates(await over(line, envelope(n))) == [Fate.ACCEPTED]
        assert clock.slept == pytest.approx(7 / 4)


def test_smtp_is_a_transport() -> None:
    transport: Transport = smtp(25)
    assert transport.live
    assert transport.connections == 8
    assert Connection


def test_the_double_runs_in_a_process_of_its_own_and_keeps_the_record(tmp_path: Path) -> None:
    port_file, world = tmp_path / "port", tmp_path / "world"
    command = [sys.executable, "-m", "tests.doubles.smtp", "--port-file", str(port_file), "--world", str(world)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as process:
        try:
            for _ in range(400):
                if port_file.exists():
                    break
                asyncio.run(asyncio.sleep(0.02))
            verdicts = asyncio.run(send(smtp(int(port_file.read_text())), [envelope(1), envelope(2)]))
        finally:
            process.terminate()
    assert fates(verdicts) == [Fate.ACCEPTED] * 2
    entries = [json.loads(line) for line in world.read_text().splitlines()]
    assert [(e["from"], e["to"], e["message_id"]) for e in entries] == [
        ("news@example.org", "p1@example.com", "<1@example.org>"),
        ("news@example.org", "p2@example.com", "<2@example.org>"),
    ]
