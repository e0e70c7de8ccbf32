"""The facts of sending newsletters right, line by line: what standards and providers demand -> what our bytes hold.

Each line is asked of every sample: a plain letter, one whose every text is hostile, one in another script with an
address beyond ASCII, and one whose every text is too long.
"""

from __future__ import annotations

import email
import email.policy
import functools
import json
import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.header import decode_header
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path

import pytest

from syndicate.app import press
from syndicate.config import Settings, load
from syndicate.dkim import Seal
from syndicate.letter import Person, Stencil, message_id, notice
from syndicate.press import render_edition
from syndicate.sample import sample_contents, sample_moment
from syndicate.signer import Signer
from tests.unit.test_dkim import holds, signer

SECRET = b"facts" * 8
HOSTILE = 'A "quoted" <b>Title</b> {{ 7*7 }} {% raw %} =?utf-8?q?x?= é–“” \u202e\u0627 &amp; .\u0001\u00ad, From x'
BASE = "https://news.example-press.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One sample, in all the forms a line may ask for."""

    raw: bytes
    reader: Person

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def all(self, name: str) -> list[str]:
        """The raw values of a field, as they stand."""
        pattern = rb"(?im)^" + name.encode() + rb":[ ]?((?:[^\r]|\r\n[ \t])*)\r\n"
        return [value.decode() for value in re.findall(pattern, self.head)]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def part(self, kind: str) -> str:
        (found,) = [part for part in self.message.iter_parts() if part.get_content_type() == f"text/{kind}"]
        return str(found.get_content())

    @property
    def signed(self) -> list[str]:
        found = re.search(r"\bh=([^;]*)", self.one("DKIM-Signature"))
        assert found
        return re.sub(r"\s", "", found[1]).lower().split(":")


@functools.cache
def settings(folder: Path, title: str) -> Settings:
    path = folder / f"{abs(hash(title))}.toml"
    path.write_text(
        f'[site]\ntitle = {json.dumps(title)}\nurl = "https://www.example-press.org"\n[[sources]]\npath = "."\n'
        "[[digests]]\n"
        f'[web]\npublic_url = "{BASE}"\n[email]\nsender = "\\"Köln, News\\" <news@news.example-press.org>"\n'
        'reply_to = "editor@example-press.org"\npostal_address = "The Press, 1 Quay Road, Harbour"\n',
        encoding="utf-8",
    )
    return load(path, {})


def letter(
    folder: Path, *, title: str = "The Press", text: str = "", name: str = "Ann", address: str = "a@x.test"
) -> Letter:
    """A letter as it is frozen, filled and signed, rendered by the templates that we ship."""
    loaded = settings(folder, title)
    made = press(loaded)
    assert made is not None
    contents = sample_contents(loaded, "weekly")
    if text:
        said = [
            replace(one, manuscript=replace(one.manuscript, title=text, description=text)) for one in contents.cards
        ]
        contents = replace(contents, cards=tuple(said))
    _, payload = render_edition(made, loaded.digests[0], contents, sample_moment())
    stencil = Stencil(payload, BASE)
    links = Signer(SECRET)
    reader = Person(
        letter=7, subscriber=1234, email=address, name=name,
        message_id=message_id(SECRET, 9, 1234, str(payload["domain"])),
        unsubscribe_url=f"{BASE}/unsubscribe/{links.token('unsubscribe', 1234)}",
        preferences_url=f"{BASE}/preferences/{links.token('preferences', 1234)}",
    )  # fmt: skip
    pieces = stencil.fill(reader)
    return Letter(raw=b"".join([Seal(signer(), stencil).sign(pieces), *pieces]), reader=reader)


SAMPLES: dict[str, dict[str, str]] = {
    "plain": {},
    "hostile": {"title": "Press {{ x }} <b> =?utf-8?q?y?=", "text": HOSTILE, "name": "Ann\r\nBcc: x@evil.example"},
    "another script": {
        "title": "新聞 العربية",
        "text": "日本語の見出し " * 30,
        "name": "渡辺",
        "address": "渡辺@x.test",
    },
    "long": {"text": "Wordsworth " * 40 + "x" * 300, "name": "N" * 100},
}


def lines(raw: bytes) -> list[bytes]:
    return raw.split(b"\r\n")


ONCE = (
    "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
    "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Archive", "Feedback-ID", "Precedence",
    "DKIM-Signature",
)  # fmt: skip
SHOULD_BE_SIGNED = {
    "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type", "list-id",
    "list-unsubscribe", "list-unsubscribe-post", "list-archive", "feedback-id", "precedence",
}  # fmt: skip
OVERSIGNED = ("from", "subject", "date", "to", "reply-to", "list-unsubscribe", "list-unsubscribe-post")

FACTS: dict[str, Callable[[Letter], object]] = {
    # 2.1 One-click, RFC 8058
    "exactly one https URI, in one raw line": lambda it: (
        it.all("List-Unsubscribe") == [f"<{it.reader.unsubscribe_url}>"]
    ),
    "the URI is https": lambda it: it.reader.unsubscribe_url.startswith("https://"),
    "the Post field has exactly that key and value": lambda it: it.all("List-Unsubscribe-Post")
    == ["List-Unsubscribe=One-Click"],
    "the URI names the reader by an opaque part that is hard to forge": lambda it: (
        Signer(SECRET).read("unsubscribe", it.reader.unsubscribe_url.rpartition("/")[2]) == 1234
        and "1234" not in it.reader.unsubscribe_url
        and it.reader.email not in it.reader.unsubscribe_url
    ),
    "the token of one purpose opens no other": lambda it: Signer(SECRET).read(
        "preferences", it.reader.unsubscribe_url.rpartition("/")[2]
    )
    is None,
    "both fields are inside h=": lambda it: {"list-unsubscribe", "list-unsubscribe-post"} <= set(it.signed),
    "the way out stands in both bodies too": lambda it: all(
        it.reader.unsubscribe_url in it.part(kind) for kind in ("plain", "html")
    ),
    # 2.2 Fields
    "each field stands at most once (RFC 5322 section 3.6)": lambda it: all(len(it.all(name)) <= 1 for name in ONCE),
    "From is one mailbox of the aligned domain": lambda it: (
        [address.addr_spec for address in it.message["From"].addresses] == ["news@news.example-press.org"]
    ),
    "Reply-To is a box that is read": lambda it: it.one("Reply-To") == "editor@example-press.org",
    "To is the one reader, never many": lambda it: (
        re.findall(r"[^\s<>]+@[^\s<>]+", it.one("To")) == [it.reader.email]
        and [address for _, address in getaddresses([it.one("To")])] == [it.reader.email]
    ),
    "Date is of RFC 5322 with a zone of +0000": lambda it: (
        it.one("Date").endswith(" +0000")
        and parsedate_to_datetime(it.one("Date")) == sample_moment()
        and sample_moment().utcoffset() == timedelta(0)
    ),
    "Message-ID is in the From domain": lambda it: re.fullmatch(
        r"<[a-z2-7]{24}@news\.example-press\.org>", it.one("Message-ID")
    ),
    "MIME-Version is 1.0": lambda it: it.one("MIME-Version") == "1.0",
    "List-Id is stable, under our domain (RFC 2919)": lambda it: it.one("List-Id").endswith(
        "<weekly.news.example-press.org>"
    ),
    "List-Archive is an https page": lambda it: it.one("List-Archive") == f"<{BASE}/editions/>",
    "Precedence is bulk": lambda it: it.one("Precedence") == "bulk",
    "a newsletter bears no Auto-Submitted": lambda it: it.all("Auto-Submitted") == [],
    "out-of-office answers stop, reports do not": lambda it: it.one("X-Auto-Response-Suppress") == "OOF, AutoReply",
    "Feedback-ID ends in a constant sender of 5 to 15 characters": lambda it: re.fullmatch(
        r"[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]+:newsexamplepres", it.one("Feedback-ID")
    ),
    "no part of Feedback-ID is a reader's own": lambda it: "1234" not in it.one("Feedback-ID"),
    "Return-Path is the server's to write, Bcc nobody's": lambda it: it.all("Return-Path") + it.all("Bcc") == [],
    # 2.3 Message-ID
    "Message-ID is the same at every attempt": lambda it: it.reader.message_id
    == message_id(SECRET, 9, 1234, "news.example-press.org"),
    "Message-ID is another for every reader and edition": lambda it: (
        len({message_id(SECRET, a, b, "x") for a in range(3) for b in range(3)}) == 9
    ),
    # 2.4 MIME
    "alternative, plain first, richest last": lambda it: (
        it.message.get_content_type() == "multipart/alternative"
        and [part.get_content_type() for part in it.message.iter_parts()] == ["text/plain", "text/html"]
    ),
    "both are utf-8": lambda it: {part.get_content_charset() for part in it.message.iter_parts()} == {"utf-8"},
    "the boundary has at most 70 characters": lambda it: len(it.message.get_boundary() or "x" * 99) <= 70,
    "the boundary occurs in no part": lambda it: it.body.count(f"--{it.message.get_boundary()}".encode()) == 3,
    "a parser finds no defect": lambda it: not it.message.defects
    and not any(part.defects for part in it.message.iter_parts()),
    # 2.5 Lengths and encodings
    "no line has more than 998 octets": lambda it: max(map(len, lines(it.raw))) <= 998,
    "no line of the head but links, ids and addresses has more than 78": lambda it: all(
        len(line) <= 78 or re.match(rb"List-|Message-ID|Feedback-ID|DKIM| ?<", line) for line in lines(it.head)
    ),
    "no line of the body has more than 76": lambda it: max(map(len, lines(it.body))) <= 76,
    "every line ends in CRLF": lambda it: not re.search(rb"(?<!\r)\n|\r(?!\n)", it.raw),
    "quoted-printable, never 8bit, binary or base64": lambda it: re.findall(
        rb"(?i)Content-Transfer-Encoding: (\S+)", it.raw
    )
    == [b"quoted-printable"] * 2,
    "the body is seven bits": lambda it: it.body.isascii(),
    "the head is small": lambda it: len(it.head) < 8_000,
    "an encoded word has at most 75 characters (RFC 2047 section 2)": lambda it: all(
        len(word) <= 75 for word in re.findall(rb"=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=", it.head)
    ),
    "no encoded word in an address, id or link (RFC 2047 section 5)": lambda it: (
        not any("=?" in it.one(name) for name in ("List-Unsubscribe", "List-Archive", "Message-ID", "Feedback-ID"))
        and not re.search(r"<[^>]*=\?", it.one("From") + it.one("To") + it.one("List-Id"))
    ),
    "no encoded word cuts a character in two": lambda it: all(
        isinstance(said, bytes) and said.decode("utf-8")
        for word in re.findall(rb"=\?utf-8\?[bqBQ]\?[^?\s]*\?=", it.head)
        for said, _ in decode_header(word.decode())
    ),
    "Gmail's limit counts the decoded HTML": lambda it: len(it.part("html").encode()) < 102_400,
    # 2.6 Addresses
    "the local part stays as given, raw": lambda it: it.reader.email in it.one("To"),
    "the domain is an A-label": lambda it: it.reader.email.rpartition("@")[2].isascii(),
    "only an address beyond ASCII makes the head need SMTPUTF8": lambda it: it.head.isascii()
    == it.reader.email.isascii(),
    # 2.7 Injection
    "no value ends its field": lambda it: (
        not re.search(rb"(?im)^(?:bcc|from x)", it.head)
        and not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", it.head)
    ),
    "no line begins with a dot, nothing needs stuffing": lambda it: not re.search(rb"(?m)^\.", it.raw),
    "no line begins with From": lambda it: not re.search(rb"(?m)^From ", it.body),
    "a reader's name stands in no body": lambda it: it.reader.name not in it.part("plain") + it.part("html")
    or it.reader.name == "Ann",
    "markup and templates of a title are text": lambda it: not re.search(r"<b>Title|>49<", it.part("html")),
    "no mark is left": lambda it: "mark.invalid" not in it.part("plain") + it.part("html"),
    # 3 DKIM
    "rsa-sha256, of 2048 bits": lambda it: "a=rsa-sha256;" in it.one("DKIM-Signature") and signer().bits == 2048,
    "relaxed/simple": lambda it: "c=relaxed/simple;" in it.one("DKIM-Signature"),
    "neither a length nor an end is signed": lambda it: not re.search(r"[;\s][lx]=", it.one("DKIM-Signature")),
    "all that tells a reader anything is signed": lambda it: set(it.signed) >= SHOULD_BE_SIGNED,
    "Return-Path, Received, Bcc and itself are not": lambda it: not {
        "return-path", "received", "bcc", "dkim-signature",
    }
    & set(it.signed),
    "what must stand alone is named once more than it stands": lambda it: all(
        it.signed.count(name) == len(it.all(name)) + 1 for name in OVERSIGNED
    ),
    "the signature stands first": lambda it: it.raw.startswith(b"DKIM-Signature: "),
    "a receiver believes it": lambda it: holds(it.raw, signer()),
}  # fmt: skip


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Letter]:
    folder = tmp_path_factory.mktemp("facts")
    return {name: letter(folder, **said) for name, said in SAMPLES.items()}


@pytest.mark.parametrize("fact", FACTS)
def test_every_letter_keeps_to_the_fact(letters: dict[str, Letter], fact: str) -> None:
    assert [name for name, sample in letters.items() if not FACTS[fact](sample)] == []


NOTICE = notice(
    sender="News <news@example.org>", to="ann@example.com", subject="Bitte bestätigen", text=f"{HOSTILE}\n.\nFrom x\n",
    date=datetime(2026, 1, 1, tzinfo=UTC), message_id="<a@example.org>",
)  # fmt: skip

OF_A_NOTICE: dict[str, Callable[[Letter], object]] = {
    "says that a machine wrote it (RFC 3834 section 5)": lambda it: it.one("Auto-Submitted") == "auto-generated",
    "is of no list": lambda it: not re.search(rb"(?im)^(?:list-|precedence|feedback-id)", it.head),
    "is plain text alone": lambda it: it.message.get_content_type() == "text/plain",
    "no line has more than 76 characters": lambda it: max(map(len, lines(it.body))) <= 76,
    "no line begins with a dot or From": lambda it: not re.search(rb"(?m)^(?:\.|From )", it.body),
    "says what was meant": lambda it: quopri.decodestring(it.body).decode().split("\r\n")[1:3] == [".", "From x"],
}


@pytest.mark.parametrize("fact", OF_A_NOTICE)
def test_a_message_of_the_program_itself_keeps_to_the_fact(letters: dict[str, Letter], fact: str) -> None:
    assert OF_A_NOTICE[fact](Letter(raw=b"".join(NOTICE), reader=letters["plain"].reader))
