"""Our signature as received: through a real mail server, and from a file of the outbox."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Received
from aiosmtpd.smtp import Session as Conversation

from syndicate.clock import SystemClock
from syndicate.config import SmtpSettings
from syndicate.delivery import RetryPolicy
from syndicate.dkim import Seal
from syndicate.letter import Stencil, notice
from syndicate.mail import send_test
from syndicate.post import Post
from syndicate.signer import Signer
from syndicate.transports.base import Envelope, Fate, Transport, Verdict, ask
from syndicate.transports.outbox import Outbox
from syndicate.transports.smtp import Smtp
from tests.unit.test_dkim import FROZEN, frozen, holds, person, signer

DAY = timedelta(days=1)


class Mailbox:
    """aiosmtpd's handler: keeps the bytes of what it is given."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Conversation, received: Received) -> str:
        assert isinstance(received.original_content, bytes)
        self.received.append(received.original_content)
        return "250 2.0.0 kept"


async def through(envelopes: list[Envelope]) -> list[bytes]:
    """The messages as a server that obeys the standard received them."""
    box = Mailbox()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(box, enable_SMTPUTF8=True, hostname="mail.test"), "127.0.0.1", 0
    )
    async with server:
        settings = SmtpSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], security="none")
        verdicts: list[Verdict] = []

        def hear(verdict: Verdict) -> bool:
            verdicts.append(verdict)
            return True

        async with Smtp(settings, SystemClock()).connect() as line:
            await line.send(envelopes, hear)
    assert [verdict.fate for verdict in verdicts] == [Fate.ACCEPTED] * len(envelopes), verdicts
    return box.received


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_a_receiver_believes_every_letter_of_an_edition(kind: str, tmp_path: Path) -> None:
    dkim, stencil = signer(kind), Stencil(frozen("Grüße aus dem Hafen – „schön“", "Hello.\n.\n..two\n \n\ttab "))
    seal = Seal(dkim, stencil)
    readers = [
        person("Ann", "ann@example.com", 1),
        person("Jürgen O'Hara, Dr.", "jo@example.com", 2),
        person("", "jürgen@example.com", 3),
    ]
    envelopes = [
        Envelope(letter=reader.letter, sender=stencil.sender, recipient=reader.email, edition="weekly-1", pieces=pieces)
        for reader in readers
        for filled in [stencil.fill(reader)]
        for pieces in [[seal.sign(filled), *filled]]
    ]
    received = await through(envelopes)
    assert len(received) == 3
    assert [holds(message, dkim) for message in received] == [True] * 3
    assert not holds(received[0].replace(b"Hello", b"Hallo"), dkim)
    for envelope in envelopes:
        await ask(Outbox(tmp_path), envelope)
    files = sorted(tmp_path.glob("*.eml"))
    assert [holds(path.read_bytes(), dkim) for path in files] == [True] * 3
    assert [path.read_bytes() for path in files] == received


async def test_notices_and_tests_are_signed_too(tmp_path: Path) -> None:
    dkim = signer("ed25519")
    asked = notice(
        sender="News <news@news.example.org>", to="ann@example.com", subject="Bitte bestätigen", text="Ja?\n.\n",
        date=FROZEN, message_id="<x@news.example.org>", dkim=dkim,
    )  # fmt: skip
    letter = Envelope(letter=1, sender="news@news.example.org", recipient="ann@example.com", pieces=asked)
    assert [holds(message, dkim) for message in await through([letter])] == [True]
    outbox: Transport = Outbox(tmp_path)
    post = Post(
        transport=outbox, policy=RetryPolicy(retry_for=DAY, repeat_within=DAY), signer=Signer(b"s" * 32),
        secret=b"s" * 32, public_url="https://news.example.org", dkim=dkim,
    )  # fmt: skip
    await send_test(post, frozen(), "ann@example.com", datetime(2026, 11, 20, tzinfo=UTC))
    assert [holds(path.read_bytes(), dkim) for path in tmp_path.glob("*.eml")] == [True]
