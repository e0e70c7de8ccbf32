"""Letters: what a mail program reads in them, and that nobody can ever get another's link."""

from __future__ import annotations

import email
import email.policy
import json
import quopri
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.letter import (
    PREFERENCES,
    UNSUBSCRIBE,
    Person,
    Rendered,
    Stencil,
    compose,
    list_id,
    message_bytes,
    message_id,
    notice,
)
from syndicate.quoted import quoted_printable

FROZEN = datetime(2026, 11, 20, 9, 0, 0, 123, tzinfo=UTC)
HTML = f'<p>Grüße, é, 日本.</p><a href="{UNSUBSCRIBE}">Unsubscribe</a> <a href="{PREFERENCES}">P</a>'
TEXT = f"Hello.\n.a dot\nFrom here on\n\nUnsubscribe: {UNSUBSCRIBE}\nPreferences: {PREFERENCES}\n"


def rendered(**values: str) -> Rendered:
    return Rendered(
        **{"subject": "The keeper retires", "preheader": "And 3 more", "html": HTML, "text": TEXT, **values}
    )


def payload(content: Rendered | None = None, **values: Any) -> dict[str, Any]:
    settings = {
        "sender": "Harbour News <news@example.org>",
        "reply_to": "editor@example.org",
        "list_id": list_id("weekly", "example.org"),
        "list_name": "Harbour News: weekly",
        "date": FROZEN,
        "slug": "weekly-2026-11-20",
    }
    return compose(content or rendered(), **{**settings, **values})


def person(number: int = 7, **values: Any) -> Person:
    settings: dict[str, Any] = {
        "letter": number,
        "subscriber": number,
        "email": f"p{number}@example.com",
        "name": f"Person {number}",
        "message_id": message_id(b"secret", 1, number, "example.org"),
        "unsubscribe_url": f"https://news.example.org/unsubscribe/token-of-{number}",
        "preferences_url": f"https://news.example.org/preferences/other-token-of-{number}",
    }
    return Person(**{**settings, **values})


def letter(frozen: dict[str, Any], to: Person) -> bytes:
    return message_bytes(Stencil(frozen).fill(to))


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_program_reads_what_was_meant() -> None:
    message = read(letter(payload(), person()))
    assert message["From"] == "Harbour News <news@example.org>"
    assert message["To"] == "Person 7 <p7@example.com>"
    assert message["Reply-To"] == "editor@example.org"
    assert message["Subject"] == "The keeper retires"
    assert message["Date"] == "Fri, 20 Nov 2026 09:00:00 +0000"
    assert message["List-Id"] == '"Harbour News: weekly" <weekly.example.org>'
    assert message["List-Unsubscribe"] == "<https://news.example.org/unsubscribe/token-of-7>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Feedback-ID"] == "weekly-2026-11-20:weekly-example-org:newsletter:exampleorg"
    assert message["Precedence"] == "bulk"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["MIME-Version"] == "1.0"
    assert "Auto-Submitted" not in message
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert [p["Content-Transfer-Encoding"] for p in message.iter_parts()] == ["quoted-printable"] * 2
    links = person()
    for kind, source in (("plain", TEXT), ("html", HTML)):
        wanted = source.replace(UNSUBSCRIBE, links.unsubscribe_url).replace(PREFERENCES, links.preferences_url)
        assert part(message, kind).strip() == wanted.strip()


def test_every_header_stands_once() -> None:
    names = [name.lower() for name, _ in read(letter(payload(), person())).items()]
    assert len(names) == len(set(names))


def test_a_long_link_stays_raw_in_its_header_and_whole_in_the_bodies() -> None:
    long = "https://news.example.org/" + "path/" * 40 + "unsubscribe/abc=def"
    raw = letter(payload(), person(unsubscribe_url=long))
    head = raw.partition(b"\r\n\r\n")[0]
    assert f"\r\nList-Unsubscribe: <{long}>\r\n".encode() in head
    for field in re.findall(rb"(?im)^(?:List-[a-z-]+|Feedback-ID|Message-ID):.*(?:\r\n[ \t].*)*", head):
        assert b"=?" not in field
    message = read(raw)
    assert long in part(message, "plain")
    assert long in part(message, "html")
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76


@pytest.mark.parametrize(
    "subject",
    [
        "Ein Gruß aus Köln – „schön“ " * 8,
        "日本語の見出しがとても長い場合" * 6,
        "x" * 300,
        "=?utf-8?q?not_what_it_seems?=",
        "Plain words, many of them, " * 9 + "end",
        "🎉 party",
        "مرحبا بالعالم",
    ],
)
def test_any_subject_comes_out_as_it_went_in(subject: str) -> None:
    raw = letter(payload(rendered(subject=subject.strip())), person())
    assert read(raw)["Subject"] == subject.strip()
    assert raw.partition(b"\r\n\r\n")[0].isascii()
    assert all(len(line) <= 78 for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ann",
        "O'Hara, Ann",
        'Ann "the boss" B',
        "Jürgen Groß",
        "渡辺",
        "a@b.example",
        "A (B)",
        "x" * 100,
        "ü" * 100,
        "=?x?=",
    ],
)
def test_any_name_comes_out_as_it_went_in(name: str) -> None:
    # The new parser of the library joins adjacent encoded words with a blank (RFC 2047 section 6.2 says none).
    field = email.message_from_bytes(letter(payload(), person(name=name)))["To"]
    shown, address = parseaddr("".join(field.splitlines()))
    assert (str(make_header(decode_header(shown))) if shown else "", address) == (name, "p7@example.com")


def test_an_address_beyond_ascii_stands_raw_as_smtputf8_wants_it() -> None:
    raw = letter(payload(), person(email="jürgen@xn--bcher-kva.example", name="Jürgen"))
    assert "<jürgen@xn--bcher-kva.example>".encode() in raw
    assert b"=?" not in re.search(rb"<j.*?>", raw)[0]  # type: ignore[index]


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@example.com", "a\nb", "a\0b", "a\rb", "a\x85b", "a\u2028b"])
def test_nothing_breaks_out_of_a_header(bad: str) -> None:
    for field in ("list_name", "list_id"):
        with pytest.raises(ValueError, match="line break"):
            payload(**{field: bad})
    with pytest.raises(ValueError, match="line break"):
        payload(rendered(subject=bad))
    assert read(letter(payload(), person(name=bad)))["To"] == "p7@example.com"
    for field in ("email", "message_id", "unsubscribe_url", "preferences_url"):
        with pytest.raises(ValueError):
            Stencil(payload()).fill(person(**{field: bad}))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", 'https://x.example/"><b>', "https://x.example/&", "https://a b/"]
)
def test_a_link_that_needs_escaping_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no link of ours"):
        Stencil(payload()).fill(person(unsubscribe_url=url))


def test_a_link_to_another_site_than_ours_is_refused() -> None:
    stencil = Stencil(payload(), "https://news.example.org")
    assert stencil.fill(person())
    with pytest.raises(ValueError, match="no link of ours"):
        stencil.fill(person(preferences_url="https://elsewhere.example/preferences/t"))


def test_a_letter_without_a_way_out_is_never_made() -> None:
    for values in ({"html": "<p>no link</p>"}, {"text": "no link"}):
        with pytest.raises(ValueError, match="marks"):
            payload(rendered(**values))


def test_marks_that_changed_after_freezing_are_noticed() -> None:
    frozen = payload()
    with pytest.raises(ValueError, match="marks"):
        Stencil({**frozen, "html": frozen["html"].replace(UNSUBSCRIBE, "https://gone.example/", 1)})
    with pytest.raises(ValueError, match="marks"):
        Stencil({**frozen, "text": frozen["text"] + UNSUBSCRIBE})


def test_the_same_input_gives_the_same_bytes_through_the_database_too() -> None:
    frozen = payload()
    again = json.loads(json.dumps(payload()))
    assert letter(frozen, person()) == letter(again, person())
    stencil = Stencil(frozen)
    first = b"".join(stencil.fill(person(1)))
    stencil.fill(person(2))
    assert b"".join(stencil.fill(person(1))) == first


def test_people_share_everything_but_their_own_lines() -> None:
    stencil = Stencil(payload())
    one, two = stencil.fill(person(1)), stencil.fill(person(2))
    assert sum(a is b for a, b in zip(one, two, strict=True)) >= len(one) // 2
    assert all(piece for piece in one)


hostile = st.text(
    alphabet=st.one_of(st.sampled_from("=. \n\r\tF-_?<>&\"'"), st.characters(exclude_categories=["Cs"])), max_size=400
)


@settings(deadline=None)  # two dozen letters are read back each time
@given(  # numbers of nine digits: what follows a link in the text then lengthens nobody's into another's
    before=hostile, between=hostile, after=hostile,
    numbers=st.lists(st.integers(10**8, 10**9 - 1), min_size=2, unique=True),
)  # fmt: skip
def test_nobody_can_get_anothers_link(before: str, between: str, after: str, numbers: list[int]) -> None:
    text = f"{before}{UNSUBSCRIBE}{between}{PREFERENCES}{after}\n{UNSUBSCRIBE}"
    stencil = Stencil(payload(rendered(html=text, text=text)))
    people = [person(number) for number in numbers]
    letters = [b"".join(stencil.fill(one)) for one in people]
    for one, raw in zip(people, letters, strict=True):
        bodies = re.findall(rb"quoted-printable\r\n\r\n(.*?)\r\n--=_", raw, re.DOTALL)
        decoded = [quopri.decodestring(body.replace(b"\r\n", b"\n")).decode("utf-8", "replace") for body in bodies]
        assert len(decoded) == 2
        for body in decoded:
            assert body.count(one.unsubscribe_url) == 2
            assert body.count(one.preferences_url) == 1
            assert "mark.invalid" not in body
            for other in people:
                if other is not one:
                    tokens = re.findall(r"token-of-(\d{9})", body)
                    assert str(other.subscriber) not in tokens
        assert raw.count(f"<{one.unsubscribe_url}>".encode()) >= 1
        assert f"To: {one.name} <{one.email}>\r\n".encode() in raw


@given(hostile)
def test_quoted_printable_is_read_back_and_keeps_its_limits(text: str) -> None:
    encoded = quoted_printable(text)
    lines = encoded.split(b"\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    assert not any(line.startswith((b".", b"From ")) or line.endswith((b" ", b"\t")) for line in lines)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert quopri.decodestring(encoded.replace(b"\r\n", b"\n")).decode() == plain


def test_no_line_begins_with_a_dot_so_nothing_needs_stuffing() -> None:
    wire = b"".join(Stencil(payload()).fill(person()))
    assert not re.search(rb"(?m)^\.", wire)
    assert message_bytes([wire]) == wire
    assert message_bytes([b"a\r\n..b\r\n", b"..\r\n"]) == b"a\r\n.b\r\n.\r\n"


def test_a_message_id_is_the_same_for_each_attempt_and_another_for_each_letter() -> None:
    one = message_id(b"secret", 1, 2, "example.org")
    assert one == message_id(b"secret", 1, 2, "example.org")
    assert re.fullmatch(r"<[a-z2-7]{24}@example\.org>", one)
    assert len({one, message_id(b"secret", 2, 1, "example.org"), message_id(b"other", 1, 2, "example.org")}) == 3
    assert message_id(b"secret", 1, 12, "example.org") != message_id(b"secret", 11, 2, "example.org")


def test_a_notice_is_plain_and_says_that_a_machine_wrote_it() -> None:
    raw = message_bytes(
        notice(
            sender="News <news@example.org>", to="ann@example.com", subject="Bitte bestätigen", text="Ja?\n.\nGrüße",
            date=FROZEN, message_id="<x@example.org>",
        )
    )  # fmt: skip
    message = read(raw)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "Bitte bestätigen"
    assert message.get_content().split() == ["Ja?", ".", "Grüße"]
    assert "List-Unsubscribe" not in message


def test_a_domain_beyond_ascii_is_written_in_a_labels() -> None:
    frozen = payload(sender="Bücher <news@Bücher.example>", reply_to="")
    assert frozen["domain"] == "xn--bcher-kva.example"
    assert Stencil(frozen).sender == "news@xn--bcher-kva.example"
    assert "Reply-To" not in read(letter(frozen, person()))
