"""Lists of people as CSV: ours, and those that Mailchimp, Ghost, listmonk, Substack and Buttondown write.

Pure: lines in, rows out, one by one, whatever their number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from syndicate.subscriber import Address, State, clean_name, parse_address

if TYPE_CHECKING:
    from _csv import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person of a list. What the list does not say is None, or empty."""

    line: int  # counts from 1, the header included
    address: Address
    name: str = ""
    tags: tuple[str, ...] = ()
    state: State | None = None
    digests: tuple[str, ...] | None = None  # only our own lists name them
    agreed: datetime | None = None  # when he did, by the list
    stated: str = ""  # the same as the list says it, where that is not understood
    ip: str = ""  # from where he did
    rest: datetime | None = None  # up to when he wants nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A list that was begun: who wrote it, what its owner should know of it, and its rows, to be read once."""

    tool: str  # "" where nothing tells
    remark: str
    rows: Iterator[Row | BadRow]


# Headers of our own export, Mailchimp, Ghost, listmonk, Substack and Buttondown; compared without case, _ and -.
# The leftmost says first: who confirmed is asked for that moment, not for when he filled in the form.
_COLUMNS = {
    "email": "email emailaddress mail mailaddress",
    "name": "name fullname",
    "first": "firstname fname",
    "last": "lastname lname",
    "tags": "tags labels",
    "state": "state status subscriptionstatus",
    "type": "type subscribertype subscriptiontype",
    "wanted": "subscribedtoemails subscribed",
    "unwanted": "emaildisabled",
    "left": "unsubtime unsubscriptiondate unsubscribedat deletedat",
    "dead": "cleantime undeliverabilitydate",
    "digests": "digests",
    "agreed": "confirmtime optintime subscriptiondate subscribedat createdat creationdate since",
    "ip": "confirmip optinip ipaddress",
    "rest": "pauseduntil",
}
_PLACES = {header: (what, rank) for what, names in _COLUMNS.items() for rank, header in enumerate(names.split())}

_TOOLS = (  # what only their headers hold; the first that fits
    ("Mailchimp", {"leid", "euid"}),
    ("Ghost", {"subscribedtoemails"}),
    ("listmonk", {"uuid", "status"}),
    ("Substack", {"emaildisabled"}),
    ("Buttondown", {"emailaddress", "type"}),
    ("Buttondown", {"email", "subscribertype"}),
)
_REMARKS = {
    "listmonk": "listmonk's file does not tell who left one of its lists: export those by their subscription status"
    " too, and import them with --as unsubscribed"
}

_STATES = {
    State.ACTIVE: "active subscribed enabled confirmed regular premium free paid comp comped gifted gift trialed trial"
    " founding author unpaid past_due churning upgraded yearly monthly annual lifetime",
    State.PENDING: "pending unconfirmed unactivated nonsubscribed transactional",
    State.UNSUBSCRIBED: "unsubscribed disabled removed inactive paused archived blocklisted blocked cancelled canceled"
    " churned spammy",
    State.BOUNCED: "bounced cleaned undeliverable",
    State.COMPLAINED: "complained spam abuse",
}
_STATE_WORDS = {word: state for state, words in _STATES.items() for word in words.split()}
# In a column of what a reader pays, who pays no more, or not for a while, still reads what is free.
_TYPE_WORDS = _STATE_WORDS | dict.fromkeys(("paused", "churned", "cancelled", "canceled"), State.ACTIVE)
_WORDS = (("state", _STATE_WORDS), ("type", _TYPE_WORDS))
_LEAVERS = {State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED}
_MARKED = re.compile(r"^'(?=[=+\-@])")  # our own export's mark
_YES = {"true", "yes", "1", "t", "y"}
_NO = {"false", "no", "0", "f", "n", ""}
_ORDER = [State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
_IP = re.compile(r"[0-9A-Fa-f.:]{3,45}")
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? ([+-]\d{4})( \w+)?")  # as listmonk writes it

Layout = Mapping[str, tuple[int, ...]]
"""Where in a row each thing stands, the place that says first before the others."""


def begin(lines: Iterable[str]) -> People:
    """Read the header of a list. Raise ValueError when there is no column of addresses.

    Commas, semicolons or tabs; a byte order mark is passed over. A bad row is named and costs nobody else anything.
    """
    source = iter(lines)
    header = next((line for line in source if line.strip("\ufeff \t\r\n") and not line.startswith("sep=")), "")
    delimiter, names = _header(header.lstrip("\ufeff"))
    tool = next((tool for tool, marks in _TOOLS if marks <= set(names)), "")
    # csv's own quoting is kept; a field longer than its limit is an error of that row alone.
    reader = csv.reader(chain([header], source), delimiter=delimiter)
    next(reader)
    return People(tool=tool, remark=_REMARKS.get(tool, ""), rows=_rows(reader, names))


def _rows(reader: Reader, names: Sequence[str]) -> Iterator[Row | BadRow]:
    layout, width = _layout(names), len(names)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            last = reader.line_num
            yield BadRow(line=line, reason=f"not readable up to line {last}: {exc}: a quote is not closed")
            continue
        whole = "".join(cells)
        if not whole or whole.isspace():
            continue
        try:
            if len(cells) != width or "\n" in whole or "\0" in whole:
                _refuse_broken(line, cells, names)
            yield _row(line, cells, layout)
        except ValueError as exc:
            yield BadRow(line=line, reason=str(exc))


def _header(line: str) -> tuple[str, list[str]]:
    """The delimiter, and the names of the columns without case, blanks, _ and -."""
    best: tuple[str, list[str]] | None = None
    for delimiter in ",;\t":
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            continue
        names = [re.sub(r"[\s_-]", "", cell).casefold() for cell in cells]
        known = any(_PLACES.get(name, ("", 0))[0] == "email" for name in names)
        if known and (best is None or len(names) > len(best[1])):
            best = delimiter, names
    if best is None:
        raise ValueError("the first line names no column of mail addresses: a header with `email` is needed")
    return best


def _layout(names: Sequence[str]) -> Layout:
    found: dict[str, list[tuple[int, int]]] = {}
    for place, name in enumerate(names):
        if name in _PLACES:
            what, rank = _PLACES[name]
            found.setdefault(what, []).append((rank, place))
    return {what: tuple(place for _, place in sorted(ranked)) for what, ranked in found.items()}


def _refuse_broken(line: int, cells: Sequence[str], names: Sequence[str]) -> None:
    """Raise ValueError for a row whose cells are not where they belong."""
    if any("\0" in cell for cell in cells):
        raise ValueError("it holds a NUL character")
    if len(cells) > len(names) and any(cell.strip() for cell in cells[len(names) :]):
        raise ValueError(f"{len(cells)} fields where the header has {len(names)}")
    short = len(cells) < len(names)
    if any("\n" in cell and (name in _PLACES or short) for name, cell in zip(names, cells, strict=False)):
        lines = sum(cell.count("\n") for cell in cells)
        raise ValueError(f"a quoted field runs on to line {line + lines}: a quote is not closed")


def _said(cells: Sequence[str], places: tuple[int, ...]) -> str:
    """The first of these cells that says something."""
    for place in places:
        if place < len(cells) and (text := cells[place].strip()):
            return _MARKED.sub("", text) if text[0] == "'" else text
    return ""


def _row(line: int, cells: Sequence[str], layout: Layout) -> Row:
    said = {what: text for what, places in layout.items() if (text := _said(cells, places))}
    name = said.get("name") or f"{said.get('first', '')} {said.get('last', '')}"
    state = _state(said)
    when = "" if state in _LEAVERS else said.get("agreed", "")  # of who left, no list tells when he agreed
    agreed = _moment(when) if when else None
    return Row(
        line=line,
        address=parse_address(said.get("email", "")),
        name=clean_name(name) if name != " " else "",
        tags=_tags(said["tags"]) if "tags" in said else (),
        state=state,
        digests=tuple(_words(said.get("digests", ""))) if "digests" in layout else None,
        agreed=agreed,
        stated=clean_name(when) if when and agreed is None else "",
        ip=said["ip"] if when and "ip" in said and _IP.fullmatch(said["ip"]) else "",
        rest=_rest(said["rest"]) if "rest" in said else None,
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


@lru_cache(1000)  # of a million people most have the same ones
def _tags(text: str) -> tuple[str, ...]:
    tags = (clean_name(part.strip("\"[]{} '")) for part in re.split(r"[,;|]", text))
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _moment(text: str) -> datetime | None:
    """A moment, in UTC where it names no zone; None: it is not understood."""
    if go := _GO_TIME.fullmatch(text):
        text = f"{go[1]}{go[2]}"
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _rest(text: str) -> datetime:
    moment = _moment(text)
    if moment is None:
        raise ValueError(f"{text[:40]!r} is no moment up to which somebody is paused")
    return moment


def _state(said: Mapping[str, str]) -> State | None:
    """The strictest of what the row says: a list that contradicts itself must not win anybody back."""
    found = [_called(said[column], words) for column, words in _WORDS if column in said]
    for column, wanted in (("wanted", True), ("unwanted", False)):
        if column in said:
            word = said[column].casefold()
            if word not in _YES | _NO:
                raise ValueError(f"{word[:40]!r} is neither true nor false")
            found.append(State.ACTIVE if (word in _YES) == wanted else State.UNSUBSCRIBED)
    if "left" in said:
        found.append(State.UNSUBSCRIBED)
    if "dead" in said:
        found.append(State.BOUNCED)
    return max(found, key=_ORDER.index) if found else None


def _called(text: str, words: Mapping[str, State]) -> State:
    word = text.casefold()
    if word not in words:  # "Paid - yearly": how often comes behind
        word = re.sub(r"[\s-]+", "_", word)
    state = words.get(word) or (words.get(word.partition("_")[0]) if words is _TYPE_WORDS else None)
    if state is None:
        raise ValueError(f"unknown state {text[:40]!r}: one of {', '.join(State)} is meant")
    return state


EXPORTED = ("email", "name", "state", "tags", "digests", "since", "paused_until", "reason")


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
