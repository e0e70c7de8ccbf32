"""What a mail that came back says: delivery reports (RFC 3464), complaints (RFC 5965), and what is neither.

Pure: bytes in, values out; never stores, never believes. Everything in such a mail may be forged or broken: nothing
here raises for what it holds, and its time grows with its length alone.
"""

from __future__ import annotations

import binascii
import hashlib
import quopri
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_string
from email.header import decode_header, make_header
from email.message import Message
from enum import StrEnum
from typing import BinaryIO

LARGEST = 10_000_000  # bytes of one mail that are looked at; the rest is read and let go
MOST_PARTS = 50
MOST_PEOPLE = 50  # whom one report may be about
DEEPEST = 6  # parts within parts
_LONGEST_HEAD = 256_000  # bytes of a header block that are looked at
_WORDS = 300  # characters of a server's answer

_UNSUBSCRIBE = re.compile(r"/unsubscribe/([A-Za-z0-9_-]{23,32})(?![A-Za-z0-9_-])")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+=-]{1,100}@[A-Za-z0-9.-]{1,255}>")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@[^\s<>,;:\"()\[\]]{1,255}")
_CODE = re.compile(r"(?<![\d.])([245]\d\d)(?![\d.])")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_QUOTED = re.compile(r"(?:(?<!\d)[45]\d\d[ -]+\(?#?|\(#)([45]\.\d{1,3}\.\d{1,3})(?![\d.])")  # by qmail, Exim
_SEPARATOR = re.compile(rb"From [^\r\n]{0,400} \d\d:\d\d[^\r\n]{0,40}\d{4}")  # of an mbox (RFC 4155 appendix A)
_PASSED_ON = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
_SPEAKS_OF_ITSELF = ("to", "delivered-to", "x-original-to", "envelope-to", "x-failed-recipients")
_BY_MACHINE = re.compile(r"mailer-daemon|postmaster|mail delivery|<>", re.IGNORECASE)
_COMPLAINTS = ("abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "miscategorized")


class Sort(StrEnum):
    """What a mail is."""

    FAILED = "failed"  # could not be delivered, and will not be
    PASSING = "passing"  # delayed, relayed, delivered: nothing has ended
    COMPLAINT = "complaint"
    NO_COMPLAINT = "no complaint"  # not-spam (RFC 6430), auth-failure (RFC 6591)
    ANSWER = "answer"  # out of office, and other answers of a machine
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What may tell whose letter it was, as it stands there: whether it is ours is for others to say."""

    paths: str = ""  # text that may hold a return path of ours
    tokens: Sequence[str] = ()  # of links that unsubscribe
    message_ids: Sequence[str] = ()
    addresses: Sequence[str] = ()  # the original recipient first, then the final one


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one mail says of one person."""

    sort: Sort
    provider: str  # dsn | arf | ses | postmark
    event: str  # the same for the same report, however often and wherever it comes
    marks: Marks
    code: int | None = None  # of SMTP
    status: str = ""  # enhanced (RFC 3463), "5.1.1"
    words: str = ""  # on one line, without control characters
    kind: str = ""  # what the provider calls it, in the words of `store.returns`; "": the codes tell
    at: datetime | None = None  # when the letter was sent, as the provider says


@dataclass(slots=True)
class _Part:
    head: Message
    body: bytes
    kind: str = ""
    inner: list[_Part] = field(default_factory=list)

    def text(self) -> str:
        """The body, decoded as far as it says how it was encoded."""
        encoding = _field(self.head, "content-transfer-encoding").strip().lower()
        body = self.body
        try:
            if encoding == "base64":
                body = binascii.a2b_base64(re.sub(rb"[^A-Za-z0-9+/=]", b"", body))
            elif encoding == "quoted-printable":
                body = quopri.decodestring(body)
        except ValueError:
            pass
        return body.decode("utf-8", "replace")


def messages(file: BinaryIO) -> Iterator[bytes]:
    """The mails of a file: one, or those of an mbox. What is longer than LARGEST is cut; empty files have none."""
    mail, size, boxed, blank = bytearray(), 0, False, True
    while line := file.readline(65_536):
        if line.startswith(b"From ") and blank and (not size or (boxed and _SEPARATOR.match(line))):
            if mail.strip():
                yield bytes(mail)
            mail, size, boxed = bytearray(), 0, True
            continue
        blank = line in (b"\n", b"\r\n")
        size += len(line)
        if len(mail) < LARGEST:
            mail += line[1:] if boxed and line.startswith(b">From ") else line
    if mail.strip():
        yield bytes(mail)


def read(raw: bytes) -> list[Report]:
    """What a mail says, of each person it names: at least one report."""
    top = _part(raw[:LARGEST], 0)
    parts = list(_walk(top))
    passed_on = [_passed_on(part) for part in parts if part.kind in _PASSED_ON]
    if feedback := next((part for part in parts if part.kind == "message/feedback-report"), None):
        return [_complaint(top, _block(feedback.text()), passed_on, raw)]
    told = next((part for part in parts if part.kind in _STATUS_KINDS), None)
    if told:
        return _delivery_report(top, told.text(), passed_on, raw)
    return [_without_report(top, parts, passed_on, raw)]


_STATUS_KINDS = ("message/delivery-status", "message/global-delivery-status")


# --- reports ----------------------------------------------------------------------------------------------------------


def _delivery_report(top: _Part, text: str, passed_on: Sequence[Message], raw: bytes) -> list[Report]:
    """RFC 3464 section 2: a block about the message, then one about each recipient."""
    blocks = [_block(one) for one in re.split(r"\r?\n[ \t]*\r?\n", text.strip())[: MOST_PEOPLE + 1]]
    people = [one for one in blocks if one["final-recipient"] or one["original-recipient"] or one["action"]]
    reports = [_of_recipient(top, one, passed_on, raw) for one in people]
    return reports or [_made(top, Sort.UNKNOWN, "dsn", _marks(top, passed_on), raw)]


def _of_recipient(top: _Part, told: Message, passed_on: Sequence[Message], raw: bytes) -> Report:
    names = [_typed(_field(told, name)) for name in ("original-recipient", "final-recipient")]
    marks = _marks(top, passed_on, addresses=[name for name in names if name])
    sort = Sort.FAILED if _field(told, "action").strip().lower() == "failed" else Sort.PASSING
    diagnosis = _field(told, "diagnostic-code")
    kind, _, answer = diagnosis.partition(";")
    answer = answer if kind.strip().lower() in ("smtp", "x-unix", "x400", "lmtp", "x-postfix") else diagnosis
    status = _first(_STATUS, _field(told, "status"))
    exact = _first(_STATUS, answer)
    if exact and (not status or status.endswith(".0.0")):  # the vague one says only that it is over
        status = exact
    code = _first(_CODE, answer.strip()[:12])
    return _made(top, sort, "dsn", marks, raw, int(code) if code else None, status, answer or f"status {status}")


def _complaint(top: _Part, told: Message, passed_on: Sequence[Message], raw: bytes) -> Report:
    """RFC 5965 section 3."""
    kind = _field(told, "feedback-type").strip().lower()
    paths = " ".join(_field(told, name) for name in ("original-mail-from", "original-envelope-id", "removal-recipient"))
    addresses = [_typed(value) for name in ("original-rcpt-to", "removal-recipient") for value in _fields(told, name)]
    marks = _marks(top, passed_on, paths=paths, addresses=[one for one in addresses if one])
    if kind in _COMPLAINTS:
        return _made(top, Sort.COMPLAINT, "arf", marks, raw, words=f"reported as {kind}")
    sort = Sort.NO_COMPLAINT if kind else Sort.UNKNOWN
    return _made(top, sort, "arf", marks, raw, words=f"reported as {kind or 'nothing'}")


def _without_report(top: _Part, parts: Sequence[_Part], passed_on: Sequence[Message], raw: bytes) -> Report:
    """A mail without a part for programs: an answer of a machine, a bounce of an old kind, or anything.

    A bounce is believed to be one only where a machine wrote it and quotes an enhanced code: never guess hard.
    """
    head = top.head
    if _is_answer(head):
        return _made(top, Sort.ANSWER, "dsn", _marks(top, passed_on), raw)
    text = "\n".join(part.text() for part in parts if not part.inner)
    marks = _marks(top, passed_on, text=text, addresses=_ADDRESS.findall(_field(head, "x-failed-recipients"))[:1])
    writers = " ".join(_field(head, name) for name in ("from", "return-path", "sender"))
    ours = text.partition("Message-I")[0]  # the letter itself, quoted below, names codes of its own
    status = _first(_QUOTED, ours)
    if not _BY_MACHINE.search(writers) or not status:
        return _made(top, Sort.UNKNOWN, "dsn", marks, raw, words=_field(head, "subject"))
    at = ours.index(status)
    line = ours[ours.rfind("\n", 0, at) + 1 : at + _WORDS].partition("\n")[0]
    code = _first(_CODE, line)
    return _made(top, Sort.FAILED, "dsn", marks, raw, int(code) if code else None, status, line)


def _is_answer(head: Message) -> bool:
    """RFC 3834 section 5, and what responders did before it."""
    automatic = _field(head, "auto-submitted").strip().lower()
    if automatic.startswith(("auto-replied", "auto-notified")):
        return True
    if _field(head, "x-autoreply") or _field(head, "x-autorespond") or _field(head, "x-auto-reply"):
        return True
    subject = _field(head, "subject").strip().lower()
    return subject.startswith(("out of office", "automatic reply", "auto:", "autoreply", "automatische antwort"))


def _made(
    top: _Part,
    sort: Sort,
    provider: str,
    marks: Marks,
    raw: bytes,
    code: int | None = None,
    status: str = "",
    words: str = "",
) -> Report:
    """A report with its id: of what it says, so that a forger who guesses a Message-ID keeps no true report out."""
    itself = _field(top.head, "message-id").strip()
    said = "\n".join([itself, sort, *marks.tokens, *marks.message_ids, *marks.addresses, status, marks.paths])
    event = hashlib.sha256(said.encode("utf-8", "replace") + (b"" if itself else raw)).hexdigest()[:40]
    words = one_line(words)
    return Report(sort=sort, provider=provider, event=event, marks=marks, code=code, status=status, words=words)


def one_line(text: str) -> str:
    """Somebody's words fit to be kept and shown: on one line, cut, nothing that no database or terminal takes."""
    flat = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * _WORDS]).split())
    return flat.encode("utf-8", "replace").decode()[:_WORDS]


# --- whose letter it was ----------------------------------------------------------------------------------------------


def _marks(
    top: _Part, passed_on: Sequence[Message], *, paths: str = "", text: str = "", addresses: Iterable[str] = ()
) -> Marks:
    """Of the letter that came back, where it did, and of the address this mail was sent to."""
    sent_to = [value for name in _SPEAKS_OF_ITSELF for value in _fields(top.head, name)]
    letter = [value for one in passed_on for value in _fields(one, "return-path")]
    links = " ".join(value for one in passed_on for value in _fields(one, "list-unsubscribe"))
    ids = " ".join(value for one in passed_on for value in _fields(one, "message-id"))
    return marks_in(f"{links} {ids} {text}", paths=" ".join([*sent_to, *letter, paths]), addresses=addresses)


def marks_in(text: str, *, paths: str = "", addresses: Iterable[str] = ()) -> Marks:
    """The marks that stand in the text of a letter, or in its header."""
    return Marks(
        paths=paths[:4000],
        tokens=tuple(dict.fromkeys(_UNSUBSCRIBE.findall(text)))[:5],
        message_ids=tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))[:5],
        addresses=tuple(dict.fromkeys(addresses)),
    )


def _passed_on(part: _Part) -> Message:
    """The header of the letter that came back."""
    raw = part.text().encode("utf-8", "replace").lstrip(b"\r\n")
    return _head(raw)[0]


def _typed(value: str) -> str:
    """The address of `rfc822; ann@example.org` (RFC 3464 section 2.3.1), also without its type."""
    found = _ADDRESS.search(value.rpartition(";")[2])
    return found[0] if found else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


# --- the mail itself --------------------------------------------------------------------------------------------------
#
# The standard library's parser walks every line once for each part around it, and raises RecursionError for a mail of a
# few thousand nested ones: here a part is cut at its boundary, and what lies deeper than anybody needs stays whole.


def _walk(part: _Part) -> Iterator[_Part]:
    yield part
    for inner in part.inner:
        yield from _walk(inner)


def _part(raw: bytes, depth: int) -> _Part:
    head, body = _head(raw)
    part = _Part(head, body, _kind(head))
    if part.kind.startswith("multipart/") and depth < DEEPEST and (boundary := _boundary(head)):
        cut = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(?:--)?[ \t]*(?=\r?\n|\Z)")
        pieces = cut.split(body, MOST_PARTS)[1:]
        part.inner = [_part(one.removeprefix(b"\r").removeprefix(b"\n"), depth + 1) for one in pieces if one.strip()]
    return part


def _head(raw: bytes) -> tuple[Message, bytes]:
    """The header of a mail or part, and what follows it."""
    if raw.startswith((b"\n", b"\r\n")):
        return _block(""), raw
    found = re.search(rb"\r?\n\r?\n", raw)
    end, begin = (found.start(), found.end()) if found else (len(raw), len(raw))
    return _block(raw[: min(end, _LONGEST_HEAD)].decode("utf-8", "replace")), raw[begin:]


def _block(text: str) -> Message:
    """A block of fields."""
    return message_from_string(text.replace("\0", "").strip("\r\n") + "\n\n")


def _kind(head: Message) -> str:
    return _field(head, "content-type").partition(";")[0].strip().lower()


def _boundary(head: Message) -> bytes:
    """RFC 2046 section 5.1.1."""
    found = re.search(r"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", _field(head, "content-type"), re.I)
    return (found[1] or found[2]).encode("utf-8", "replace") if found else b""


def _fields(head: Message, name: str) -> list[str]:
    return [re.sub(r"[\r\n]+", "", str(value)) for value in head.get_all(name, [])[:20]]


def _field(head: Message, name: str) -> str:
    """The first field of that name, unfolded, its encoded words read (RFC 2047); "" where there is none."""
    value = next(iter(_fields(head, name)), "")
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value[:2000])))
    except (ValueError, LookupError, UnicodeError):
        return value
