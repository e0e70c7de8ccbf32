"""Lists of people as CSV: ours, and those that Mailchimp, Ghost, listmonk, Substack and Buttondown write.

Pure: lines in, rows out, one by one, whatever their number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from syndicate.subscriber import Address, State, clean_name, parse_address


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
