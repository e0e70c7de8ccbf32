"""From a rendered edition to bytes on the wire: the frozen payload, and the stencil that addresses it to each person.

An RFC 5322 message is built once an edition and cut into pieces at its marks; a person costs six short strings.
Quoted-printable is done between the marks, so that no soft line break can ever cut one: a mark that went missing
would give somebody another one's unsubscribe link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, parseaddr
from typing import Any

from syndicate.dkim import Dkim
from syndicate.quoted import quoted_link, quoted_printable
from syndicate.signer import Keyed

UNSUBSCRIBE = "https://unsubscribe.mark.invalid/"
PREFERENCES = "https://preferences.mark.invalid/"
_MARK = re.compile(f"({re.escape(UNSUBSCRIBE)}|{re.escape(PREFERENCES)})")

_URL = re.compile(r"https?://[A-Za-z0-9!#$%()*+,./:;=?@\[\]_~-]+")  # needs no escaping in a header or in HTML
_ADDRESS = re.compile(r"[^\s<>\"(),:;\\@\[\]\x00-\x1f\x7f]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+>")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]{1,60}")  # atoms of RFC 5322 section 3.2.3
_PAIRS = [bytes(pair) for pair in itertools.product(b"abcdefghijklmnopqrstuvwxyz234567", repeat=2)]  # RFC 4648 sect. 6
_BAD_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An edition as it will be read; the two links of each person are still marks."""

    subject: str  # one line
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One subscriber as a letter needs him."""

    letter: int
    subscriber: int
    email: str  # local part as given, A-label domain
    name: str = ""
    message_id: str  # with its angle brackets
    unsubscribe_url: str
    preferences_url: str


def message_id(secret: bytes, delivery: int, subscriber: int, domain: str) -> str:
    """The Message-ID of one person's letter: the same at every attempt, another for everybody else."""
    mac = hmac.digest(secret, b"syndicate message 1 %d %d" % (delivery, subscriber), hashlib.sha256)
    return f"<{base64.b32encode(mac[:15]).decode().lower()}@{domain}>"


class MessageIds:
    """The Message-IDs of one mailing: the bytes of `message_id`, in half the time."""

    def __init__(self, secret: bytes, delivery: int, domain: str) -> None:
        self._digest, self._begin = Keyed(secret).digest, b"syndicate message 1 %d " % delivery
        self._end = f"@{domain}>".encode()

    def of(self, subscriber: int) -> bytes:
        """The Message-ID of one person's letter, with its angle brackets."""
        pair = _PAIRS
        bits = int.from_bytes(self._digest(self._begin + b"%d" % subscriber)[:15], "big")
        return b"<%b%b%b%b%b%b%b%b%b%b%b%b%b" % (
            pair[bits >> 110], pair[bits >> 100 & 1023], pair[bits >> 90 & 1023], pair[bits >> 80 & 1023],
            pair[bits >> 70 & 1023], pair[bits >> 60 & 1023], pair[bits >> 50 & 1023], pair[bits >> 40 & 1023],
            pair[bits >> 30 & 1023], pair[bits >> 20 & 1023], pair[bits >> 10 & 1023], pair[bits & 1023], self._end,
        )  # fmt: skip


def fill_marks(text: str, *, unsubscribe_url: str, preferences_url: str) -> str:
    """A rendered text with its links set: for previews and the archive."""
    return text.replace(UNSUBSCRIBE, unsubscribe_url).replace(PREFERENCES, preferences_url)


def mailbox(text: str) -> tuple[str, str]:
    """The name and the address (A-label domain) of `News <news@example.org>`. Raise ValueError with a sentence."""
    from syndicate.subscriber import parse_address

    name, address = parseaddr(text)
    return name, parse_address(address or text).email


def list_id(name: str, domain: str) -> str:
    """The stable identifier of a digest: `weekly.news.example.org` (RFC 2919 section 2)."""
    return f"{_label(name, 60) or 'news'}.{domain}"


def compose(
    rendered: Rendered,
    *,
    sender: str,
    reply_to: str = "",
    list_id: str,
    list_name: str = "",
    date: datetime,
    slug: str,
    archive: str = "",
) -> dict[str, Any]:
    """Freeze an edition: all that its letters have in common, as JSON. Raise ValueError for what no header may hold.

    `date` is the moment of freezing: a letter that is repeated repeats its bytes. `archive` is the page of all
    editions; only an https address is told (RFC 2369 section 3.6).
    """
    name, address = mailbox(sender)
    domain = address.rpartition("@")[2]
    payload = {
        "v": 1,
        "slug": slug,
        "subject": _header_safe("subject", rendered.subject),
        "preheader": rendered.preheader,
        "html": rendered.html,
        "text": rendered.text,
        "from": [_header_safe("sender", name), address],
        "reply_to": list(mailbox(reply_to)) if reply_to else None,
        "list_id": _header_safe("list id", list_id),
        "list_name": _header_safe("list name", list_name),
        "archive": archive if archive.startswith("https://") and _URL.fullmatch(archive) else "",
        "date": date.astimezone(UTC).replace(microsecond=0).isoformat(),
        "domain": domain,
        "marks": {part: _count(getattr(rendered, part)) for part in ("html", "text")},
    }
    Stencil(payload)
    return payload


class Stencil:
    """One edition's message, cut at its marks. `fill` addresses it; the pieces between are shared by everybody."""

    def __init__(self, payload: Mapping[str, Any], public_url: str = "") -> None:
        """Raise ValueError when the marks are not those that were frozen, or a header cannot be written."""
        self._public_url = public_url.rstrip("/")
        self.sender: str = payload["from"][1]  # of the envelope too
        boundary = "=_" + hashlib.sha256(f"syndicate {payload['slug']}".encode()).hexdigest()[:24]
        pieces: list[bytes] = []
        slots: list[tuple[int, str]] = []
        for part in _message(payload, boundary):
            if isinstance(part, _Slot):
                slots.append((len(pieces), part.name))
                pieces.append(b"")
            elif pieces and (not slots or slots[-1][0] != len(pieces) - 1):
                pieces[-1] += part
            else:
                pieces.append(part)
        self.pieces, self.slots = tuple(pieces), tuple(slots)
        self.date = datetime.fromisoformat(payload["date"])
        self.size = sum(map(len, pieces))  # octets of what all share, which is ASCII
        self._places = {name: tuple(index for index, slot in slots if slot == name) for _, name in slots}
        counts = {part: _count(payload[part]) for part in ("html", "text")}
        total = sum(sum(count) for count in counts.values())
        if (
            counts != payload["marks"]
            or len(slots) != total + 3
            or not all(unsubscribe for unsubscribe, _ in counts.values())
        ):
            raise ValueError(f"edition {payload['slug']}: the marks of its links were lost: {counts}")

    def fill(self, person: Person) -> Sequence[bytes]:
        """The message for one person, as it goes over the wire: CRLF, no line begins with a dot.

        Raise ValueError for an address or a link that could break out of its place. A name that could is left out:
        it is decoration, and holds up nobody's mail.
        """
        for url in (person.unsubscribe_url, person.preferences_url):
            if not _URL.fullmatch(url) or not url.startswith(self._public_url):
                raise ValueError(f"letter {person.letter}: {url!r} is no link of ours")
        if not _MESSAGE_ID.fullmatch(person.message_id):
            raise ValueError(f"letter {person.letter}: {person.message_id!r} is no Message-ID")
        name = "" if _BAD_IN_HEADER.search(person.name) else person.name
        unsubscribe, preferences = person.unsubscribe_url.encode(), person.preferences_url.encode()
        return self.address(person.email, name, person.message_id.encode(), unsubscribe, preferences)

    def address(self, email: str, name: str, message_id: bytes, unsubscribe: bytes, preferences: bytes) -> list[bytes]:
        """As `fill`, for links and a Message-ID of our own making, which nobody need look at again.

        Raise ValueError for an address that could break out of its place, as `fill` does.
        """
        pieces = list(self.pieces)
        if not name and _ADDRESS.fullmatch(email):
            to = b"To: %b\r\n" % email.encode()
        else:
            to = _field("To", _mailbox("" if _BAD_IN_HEADER.search(name) else name, email))
        link, choice, places = quoted_link(unsubscribe), quoted_link(preferences), self._places
        for index in places["to"]:
            pieces[index] = to
        for index in places["message_id"]:
            pieces[index] = b"Message-ID: %b\r\n" % message_id
        for index in places["list_unsubscribe"]:
            # One raw line, however long: an encoded word or a fold here costs the one-click button (RFC 8058).
            pieces[index] = b"List-Unsubscribe: <%b>\r\n" % unsubscribe
        for index in places["unsubscribe"]:
            pieces[index] = link
        for index in places.get("preferences", ()):
            pieces[index] = choice
        return pieces


def message_bytes(pieces: Iterable[bytes]) -> bytes:
    """The message as a file: dots as they were before stuffing (RFC 5321 section 4.5.2)."""
    message = b"".join(pieces)
    return re.sub(rb"(?m)^\.\.", b".", message) if b"\n.." in message else message


def notice(
    *,
    sender: str,
    to: str,
    subject: str,
    text: str,
    date: datetime,
    message_id: str,
    reply_to: str = "",
    dkim: Dkim | None = None,
) -> Sequence[bytes]:
    """A short message of the program itself to one person (confirmation, alert): plain text, no list, no tracking.

    Bears `Auto-Submitted: auto-generated` (RFC 3834 section 5).
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError(f"{message_id!r} is no Message-ID")
    pieces = [
        _field("From", _mailbox(*mailbox(sender))),
        _field("Reply-To", _mailbox(*mailbox(reply_to))) if reply_to else b"",
        _field("To", _mailbox(*mailbox(to))),
        _field("Subject", _words(_header_safe("subject", subject), "Subject")),
        _field("Date", format_datetime(date.astimezone(UTC))),
        _field("Message-ID", message_id),
        b"Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\nMIME-Version: 1.0\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
        quoted_printable(text.rstrip("\n") + "\n"),
    ]
    return [dkim.sign(pieces, date), *pieces] if dkim else pieces


# --- the message ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


def _message(payload: Mapping[str, Any], boundary: str) -> Iterable[bytes | _Slot]:
    yield _field("From", _mailbox(*payload["from"]))
    yield _Slot("to")
    if payload["reply_to"]:
        yield _field("Reply-To", _mailbox(*payload["reply_to"]))
    yield _field("Subject", _words(payload["subject"], "Subject"))
    yield _field("Date", format_datetime(datetime.fromisoformat(payload["date"])))
    yield _Slot("message_id")
    name = _phrase(payload["list_name"], "List-Id")
    yield _field("List-Id", f"{name} <{payload['list_id']}>" if name else f"<{payload['list_id']}>")
    if payload.get("archive"):  # no edition frozen before there were pages has one
        yield f"List-Archive: <{payload['archive']}>\r\n".encode()
    yield _Slot("list_unsubscribe")
    yield _field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    yield _field("Feedback-ID", _feedback_id(payload))
    yield _field("Precedence", "bulk")
    # Not `All`: that would silence the reports of mailboxes that do not exist.
    yield _field("X-Auto-Response-Suppress", "OOF, AutoReply")
    yield _field("MIME-Version", "1.0")
    yield _field("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"')
    for kind in ("text", "html"):
        subtype = "plain" if kind == "text" else kind
        # The boundary begins with =_, which quoted-printable cannot produce (RFC 2045 section 6.7).
        yield (
            f"\r\n--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        ).encode()
        yield from _body(payload[kind])
    yield f"\r\n--{boundary}--\r\n".encode()


def _body(text: str) -> Iterable[bytes | _Slot]:
    """Quoted-printable, each mark on a line of its own between soft line breaks."""
    for index, part in enumerate(_MARK.split(text)):
        if index % 2:
            yield b"=\r\n"
            yield _Slot("unsubscribe" if part == UNSUBSCRIBE else "preferences")
            yield b"=\r\n"
        elif part:
            yield quoted_printable(part)


def _count(text: str) -> list[int]:
    """How many unsubscribe and how many preferences marks."""
    return [text.count(UNSUBSCRIBE), text.count(PREFERENCES)]


def _feedback_id(payload: Mapping[str, Any]) -> str:
    """`campaign:list:kind:sender` for Gmail's statistics; the sender's part, 5 to 15 characters, never changes."""
    sender = re.sub(r"[^a-z0-9]", "", payload["domain"].lower())[:15].ljust(5, "0")
    return f"{_label(payload['slug'], 60) or 'edition'}:{_label(payload['list_id'], 60) or 'list'}:newsletter:{sender}"


def _label(text: str, limit: int) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-")


# --- fields --------------------------------------------------------------------------------------------------------


def _field(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _header_safe(what: str, value: str) -> str:
    if _BAD_IN_HEADER.search(value):
        raise ValueError(f"the {what} holds a line break or a control character: {value[:80]!r}")
    return value


def _words(value: str, field: str) -> str:
    """Unstructured text, folded at 76; encoded words where it is not plain ASCII or only looks encoded (RFC 2047)."""
    plain = value.isascii() and "=?" not in value and all(len(word) <= 60 for word in value.split(" "))
    charset = "us-ascii" if plain else "utf-8"
    return Header(value, charset, maxlinelen=76, header_name=field).encode(linesep="\r\n")


def _phrase(name: str, field: str = "To") -> str:
    if not name or _PLAIN_NAME.fullmatch(name):
        return name.strip()
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return Header(name, "utf-8", maxlinelen=76, header_name=field).encode(linesep="\r\n")


def _mailbox(name: str, email: str) -> str:
    """`name <address>`. The address stays raw: an encoded word in it is illegal, UTF-8 is for SMTPUTF8 (RFC 6532)."""
    if not _ADDRESS.fullmatch(email):
        raise ValueError(f"{email!r} cannot stand in a header")
    phrase = _phrase(_header_safe("name", name))
    if not phrase:
        return email
    return f"{phrase}{' ' if len(phrase) + len(email) < 68 else chr(13) + chr(10) + ' '}<{email}>"
