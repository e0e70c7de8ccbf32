"""The rehearsal's transport: files instead of letters."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Person, Rendered, Stencil, compose
from syndicate.transports.base import Envelope, Fate, Verdict
from syndicate.transports.outbox import Outbox, forget

PAYLOAD = compose(
    Rendered(subject="The week", preheader="", html=f"<p>{UNSUBSCRIBE} {PREFERENCES}</p>", text=UNSUBSCRIBE),
    sender="News <news@example.net>", reply_to="", list_id="weekly.example.net", list_name="weekly",
    date=datetime(2026, 11, 20, tzinfo=UTC), slug="weekly-1",
)  # fmt: skip


def envelope(letter: int, edition: str = "weekly-2026-11-20") -> Envelope:
    return Envelope(
        letter=letter,
        sender="news@example.org",
        recipient=f"p{letter}@example.com",
        pieces=[b"To: p%d@example.com\r\n" % letter, b"\r\n..dot\r\n"],
        edition=edition,
    )


async def send(outbox: Outbox, *envelopes: Envelope) -> list[Verdict]:
    verdicts: list[Verdict] = []

    def hear(verdict: Verdict) -> bool:
        verdicts.append(verdict)
        return True

    async with outbox.connect() as line:
        await line.send(envelopes, hear)
    return verdicts


async def test_each_letter_is_a_file_a_mail_program_opens(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox" / "email")
    verdicts = await send(outbox, envelope(1), envelope(2))
    assert [verdict.fate for verdict in verdicts] == [Fate.ACCEPTED] * 2
    assert not outbox.live
    files = sorted(path.name for path in outbox.folder.iterdir())
    assert files == ["weekly-2026-11-20.1.eml", "weekly-2026-11-20.2.eml"]
    raw = (outbox.folder / files[0]).read_bytes()
    assert email.message_from_bytes(raw)["To"] == "p1@example.com"
    assert raw.endswith(b"\r\n.dot\r\n")


async def test_the_first_letters_of_an_edition_are_written_and_the_rest_accepted(tmp_path: Path) -> None:
    verdicts = await send(Outbox(tmp_path, limit=2), *map(envelope, range(1, 6)))
    assert [verdict.fate for verdict in verdicts] == [Fate.ACCEPTED] * 5
    # Another process counts what is there; the same letter may be written again, another edition has its own count.
    await send(Outbox(tmp_path, limit=2), envelope(2), envelope(7), envelope(1, "weekly-2026-11-27"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "weekly-2026-11-20.1.eml",
        "weekly-2026-11-20.2.eml",
        "weekly-2026-11-27.1.eml",
    ]


async def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    await send(Outbox(folder), envelope(1, "../../etc/passwd"), envelope(2, ""))
    assert sorted(path.name for path in folder.iterdir()) == ["etc-passwd.1.eml", "letter.2.eml"]
    assert list(tmp_path.iterdir()) == [folder]


async def test_a_folder_that_cannot_be_written_is_trouble_with_the_channel(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    verdicts = await send(Outbox(tmp_path / "file" / "email"), envelope(1), envelope(2))
    assert [verdict.fate for verdict in verdicts] == [Fate.CHANNEL]
    assert "make room" in (verdicts[0].pauses or "")


@pytest.mark.parametrize("limit", [0, 1])
async def test_nothing_half_written_is_left(tmp_path: Path, limit: int) -> None:
    await send(Outbox(tmp_path, limit=limit), envelope(1), envelope(2))
    assert len(list(tmp_path.glob("*.eml"))) == limit
    assert not list(tmp_path.glob(".*"))


async def test_the_letters_to_one_person_are_deleted_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "outbox" / "email"
    assert forget(folder, lambda address: True) == 0  # there was no rehearsal yet
    stencil = Stencil(PAYLOAD)
    people = [("Ada", "ada@example.net"), ("Ädä " * 12, "Ada@example.net"), ("", "öda@example.net"), ("x", "bo@x.test")]
    for number, (name, address) in enumerate(people):
        pieces = stencil.fill(
            Person(
                letter=number, subscriber=number, email=address, name=name, message_id="<1@x>",
                unsubscribe_url="https://x.test/u", preferences_url="https://x.test/p",
            )
        )  # fmt: skip
        await send(Outbox(folder), replace(envelope(number), pieces=pieces))
    left = (folder / "weekly-2026-11-20.0.eml").rename(folder / ".weekly-2026-11-20.0.eml.77.part")  # by a kill
    assert forget(folder, lambda address: address.lower() == "ada@example.net") == 2
    assert forget(folder, lambda address: address == "öda@example.net") == 1
    assert [path.name for path in folder.glob("*.eml")] == ["weekly-2026-11-20.3.eml"] and not left.exists()
