"""Who gets letters: addresses, consent states, signed links, and the lists people bring along.

Pure: no database, no DNS. Whoever asks for an `Address` gets one that is safe in a header and in an SMTP command.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import hmac
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from syndicate.prose import one_line

NAME_LIMIT = 100  # characters of a name; nobody's real one is cut, and no header line grows too long
_RESERVED = re.compile(r"(?<=[@.])(?:test|invalid|localhost|local)$", re.IGNORECASE)  # RFC 6761, RFC 6762


class State(StrEnum):
    """Where a person stands; only `active` gets letters."""

    PENDING = "pending"  # asked to confirm, has not yet
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"  # left
    BOUNCED = "bounced"  # the mailbox does not exist
    COMPLAINED = "complained"  # called it spam: only the person can come back


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mail address: `email` to send to (local part as given, A-label domain), `key` to compare by."""

    email: str
    key: str
    domain: str


def parse_address(text: str) -> Address:
    """Read one address, without asking the network. Raise ValueError with a sentence.

    RFC 5321 section 4.5.3.1 (lengths), RFC 6531 (non-ASCII local parts), IDNA 2008 for the domain. Reserved domains
    (.test, .invalid ...) are fine: rehearsals use them.
    """
    from email_validator import EmailNotValidError, validate_email

    shown = text.strip()
    quoted = repr(shown if len(shown) <= 80 else shown[:80] + "…")
    if not shown:
        raise ValueError("there is no mail address")
    if not shown.isprintable():
        raise ValueError(f"{quoted} is no mail address: it holds a control character")
    # The library refuses reserved domains whatever it is asked: it sees .example in their place.
    reserved = _RESERVED.search(shown)
    seen = _RESERVED.sub("example", shown) if reserved else shown
    try:
        found = validate_email(seen, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as exc:
        raise ValueError(f"{quoted} is no mail address: {exc}") from None
    domain = (found.ascii_domain or found.domain).lower()
    if reserved:
        domain = domain.removesuffix("example") + reserved[0].lower()
    if "." not in domain and domain != "localhost":
        raise ValueError(f"{quoted} is no mail address: {domain} is not a full domain name")
    local = found.local_part
    email = f"{local}@{domain}"
    if len(email.encode()) > 254 or len(local.encode()) > 64:
        raise ValueError(f"{quoted} is no mail address: it is longer than 254 octets, or 64 before the @")
    return Address(email=email, key=f"{local.casefold()}@{domain}", domain=domain)


def clean_name(text: str) -> str:
    """A person's name fit for a header and a page; "" for one that is an advertisement.

    A "name" that holds an address of a web page turns our letters into somebody's spam: it is dropped.
    """
    name = one_line(text)
    if "://" in name or "www." in name.casefold():
        return ""
    return name[:NAME_LIMIT].rstrip()


class Signer:
    """Links that need no row and never expire (rule 22): a MAC of 128 bits and the person's number.

    Each purpose has a key of its own, so that the link that unsubscribes opens nothing else.
    """

    _MAC = 16  # bytes

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret is shorter than 16 bytes")
        self._secret = secret

    def token(self, purpose: str, subscriber: int) -> str:
        """The token for one person and purpose: 23 to 32 characters of base64url."""
        number = subscriber.to_bytes(max(1, (subscriber.bit_length() + 7) // 8), "big")
        return base64.urlsafe_b64encode(self._mac(purpose, number) + number).rstrip(b"=").decode()

    def read(self, purpose: str, token: str) -> int | None:
        """The person's number, or None for a token that this secret did not sign for this purpose."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{23,32}", token):
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except binascii.Error:
            return None
        mac, number = raw[: self._MAC], raw[self._MAC :]
        if not hmac.compare_digest(mac, self._mac(purpose, number)):
            return None
        subscriber = int.from_bytes(number, "big")
        # One person, one token: base64 has spare bits that decode alike.
        return subscriber if hmac.compare_digest(self.token(purpose, subscriber), token) else None

    def _mac(self, purpose: str, number: bytes) -> bytes:
        key = hmac.digest(self._secret, b"syndicate link 1 " + purpose.encode(), hashlib.sha256)
        return hmac.digest(key, number, hashlib.sha256)[: self._MAC]


# --- lists of people: CSV in and out -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person of a list. `state` is None where the list does not say."""

    line: int  # counts from 1, the header included
    address: Address
    name: str = ""
    tags: tuple[str, ...] = ()
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


# Headers of our own export, Mailchimp, Ghost, listmonk, Substack and Buttondown; compared without case, _ and -.
_COLUMNS = {
    "email": "email", "emailaddress": "email", "mail": "email", "mailaddress": "email",
    "name": "name", "fullname": "name", "firstname": "first", "fname": "first", "lastname": "last", "lname": "last",
    "tags": "tags", "labels": "tags",
    "state": "state", "status": "state", "type": "state", "subscribertype": "state",
    "subscribedtoemails": "wanted", "subscribed": "wanted", "emaildisabled": "unwanted",
    "unsubtime": "left", "unsubscriptiondate": "left", "unsubscribedat": "left",
    "cleantime": "dead",
}  # fmt: skip

_STATES = {
    State.ACTIVE: "active subscribed enabled confirmed regular premium free paid comp comped gifted gift trialed trial"
    " founding author",
    State.PENDING: "pending unconfirmed unactivated",
    State.UNSUBSCRIBED: "unsubscribed disabled removed inactive paused archived blocklisted cancelled churned",
    State.BOUNCED: "bounced cleaned undeliverable",
    State.COMPLAINED: "complained spam spammy abuse",
}
_STATE_WORDS = {word: state for state, words in _STATES.items() for word in words.split()}
_MARKED = re.compile(r"^'(?=[=+\-@])")  # our own export's mark
_YES = {"true", "yes", "1", "t", "y"}
_NO = {"false", "no", "0", "f", "n", ""}


def read_csv(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    """Read a list of people, row by row, whatever its size. Raise ValueError when there is no column of addresses.

    Commas, semicolons or tabs; a byte order mark is passed over. A bad row is named and costs nobody else anything.
    """
    source = iter(lines)
    header = next((line for line in source if line.strip("\ufeff \t\r\n") and not line.startswith("sep=")), "")
    delimiter, columns = _header(header.lstrip("\ufeff"))
    # csv's own quoting is kept; a field longer than its limit is an error of that row alone.
    reader = csv.reader(chain([header], source), delimiter=delimiter)
    next(reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield BadRow(line=line, reason=f"not readable up to line {reader.line_num}: {exc}: a quote is not closed")
            continue
        if any(cell.strip() for cell in cells):
            yield _row(line, cells, columns)


def _header(line: str) -> tuple[str, list[str]]:
    best: tuple[str, list[str]] | None = None
    for delimiter in ",;\t":
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        columns = [_COLUMNS.get(re.sub(r"[\s_-]", "", cell).casefold(), "") for cell in cells]
        if "email" in columns and (best is None or len(columns) > len(best[1])):
            best = delimiter, columns
    if best is None:
        raise ValueError("the first line names no column of mail addresses: a header with `email` is needed")
    return best


def _row(line: int, cells: Sequence[str], columns: Sequence[str]) -> Row | BadRow:
    if any("\0" in cell for cell in cells):
        return BadRow(line=line, reason="it holds a NUL character")
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        return BadRow(line=line, reason=f"{len(cells)} fields where the header has {len(columns)}")
    short = len(cells) < len(columns)
    if any("\n" in cell and (column or short) for column, cell in zip(columns, cells, strict=False)):
        lines = sum(cell.count("\n") for cell in cells)
        return BadRow(line=line, reason=f"a quoted field runs on to line {line + lines}: a quote is not closed")
    found: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        if column and not found.get(column):
            found[column] = _MARKED.sub("", cell.strip())
    try:
        return Row(
            line=line,
            address=parse_address(found.get("email", "")),
            name=clean_name(found.get("name") or f"{found.get('first', '')} {found.get('last', '')}"),
            tags=tuple(dict.fromkeys(tag for part in re.split(r"[,;|]", found.get("tags", "")) if (tag := _tag(part)))),
            state=_state(found),
        )
    except ValueError as exc:
        return BadRow(line=line, reason=str(exc))


def _tag(text: str) -> str:
    return clean_name(text.strip("\"[]{} '"))


def _state(found: Mapping[str, str]) -> State | None:
    """The strictest of what the row says: a list that contradicts itself must not win anybody back."""
    said: list[State] = []
    if word := found.get("state", "").casefold():
        if word not in _STATE_WORDS:
            raise ValueError(f"unknown state {word[:40]!r}: one of {', '.join(State)} is meant")
        said.append(_STATE_WORDS[word])
    for column, wanted in (("wanted", True), ("unwanted", False)):
        if column in found and (column == "wanted" or found[column]):
            word = found[column].casefold()
            if word not in _YES | _NO:
                raise ValueError(f"{word[:40]!r} is neither true nor false")
            if word or column == "unwanted":
                said.append(State.ACTIVE if (word in _YES) == wanted else State.UNSUBSCRIBED)
    if found.get("left"):
        said.append(State.UNSUBSCRIBED)
    if found.get("dead"):
        said.append(State.BOUNCED)
    order = [State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
    return max(said, key=order.index) if said else None


EXPORTED = ("email", "name", "state", "tags", "digests", "since", "reason")


def write_csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str] = EXPORTED) -> Iterator[str]:
    """The list as CSV (RFC 4180), line by line; cells a spreadsheet would run as a formula are defused."""
    header: list[object] = [*columns]
    for cells in chain([header], ([row.get(column) for column in columns] for row in rows)):
        out = io.StringIO()
        csv.writer(out).writerow([_defused(cell) for cell in cells])
        yield out.getvalue()


def _defused(cell: object) -> str:
    if isinstance(cell, (list, tuple)):
        cell = ", ".join(str(part) for part in cell)
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
