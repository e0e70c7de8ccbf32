"""YAML front matter as people and machines write it: strict where it is sound, mended line by line where it is not.

Every scalar stays the text that was written ("2025-03-03", "007", "yes"); only an empty value, `~` and `null` are None.
Nothing here builds objects, follows aliases or recurses over input: libyaml's events are read in one loop with caps.
What `flat` can read, it reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from syndicate import flat
from syndicate.errors import ContentError

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"
Note: TypeAlias = Callable[[str], None]

MAX_DEPTH = 30
MAX_VALUES = 20_000
MAX_NOTES = 50
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_QUOTES = "'\""
_MARKS = _QUOTES + "`‘’“”"  # what a machine escapes although nothing asks for it
_TABBED = re.compile(r"^[ ]*\t[ \t]*", re.MULTILINE)
_KEY = re.compile(
    r"""(?:"(?P<double>[^"\n]{1,80})"|'(?P<single>[^'\n]{1,80})'|(?P<plain>[^\W\d][\w.$@/-]{0,79}))[ \t\xa0]*:(?!//)"""
)
_WORDY_KEY = re.compile(r"(?P<plain>[^\W\d][\w.-]{0,40}(?: [\w.-]{1,40}){1,3})[ \t]*:(?=[\s\xa0]|$)")
_BLOCK_SCALAR = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#.*)?")
_NEEDS_QUOTES = re.compile(r"^[-@`%&*!|>?\[\]{},]|:(?:\s|$)")
_REMARK = re.compile(r"(?:#|//|<!--|/\*)")
_ELISION = re.compile(r"'(?:twas|tis|til|em|cause|n|\d0s)\b", re.IGNORECASE)
_BACKSLASHED = re.compile(r"\\(['`‘’“”])")
_DOUBLED = re.compile(r"(?<=\w)''(?!['(])|(?<!')''(?=\w)")
_ESCAPE = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))|("")""")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\n", "\\": "\\", "/": "/", "_": "\xa0", " ": " ", "0": ""}


class _UnsoundError(Exception):
    """Valid YAML that cannot be what the author meant."""


def read(block: str, first_line: int = 1) -> tuple[dict[str, Value] | None, tuple[str, ...]]:
    """The fields of a YAML block and a note for each repair; None for a block that is no mapping.

    `first_line` is the line of the file on which the block starts. Raises ContentError with the line and the reason.
    """
    notes: list[str] = []
    try:
        found = _sound(block, first_line, notes)
    except (yaml.YAMLError, _UnsoundError, UnicodeError):
        notes = []
        if tab := _TABBED.search(block):
            notes.append(f"line {block.count(chr(10), 0, tab.start()) + first_line}: tab used as indentation")
            block = _TABBED.sub(lambda tabs: tabs[0].expandtabs(2), block)
        found = _forgiving(block, first_line, notes)
    if found is None and not block.strip():
        return {}, ()
    return (found if isinstance(found, dict) else None), tuple(dict.fromkeys(notes))[:MAX_NOTES]


# --- sound YAML ------------------------------------------------------------------------------------------------------


def _sound(block: str, first_line: int, notes: list[str]) -> Value:
    """Raises YAMLError or _UnsoundError for what needs mending, ContentError for what no mending helps."""
    return dict(found) if (found := flat.read(block)) else _strict(block, first_line, notes)


@dataclass(slots=True)
class _Tree:
    """What the events built so far; a dict waits for a value while `keys` holds its key."""

    root: Value = None
    open: list[list[Value] | dict[str, Value]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    count: int = 0

    def add(self, value: Value, line: int) -> None:
        self.count += 1
        if self.count > MAX_VALUES:
            raise ContentError(f"more than {MAX_VALUES} values in the front matter", line)
        if not self.open:
            self.root = value
            return
        holder = self.open[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif (key := self.keys[-1]) is None:
            if isinstance(value, (list, dict)):
                raise _UnsoundError("a list or a map as the name of a field")
            self.keys[-1] = value or ""
        else:
            holder[key] = value
            self.keys[-1] = None

    def enter(self, holder: list[Value] | dict[str, Value], line: int) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise ContentError(f"nested more than {MAX_DEPTH} deep", line)
        self.add(holder, line)
        self.open.append(holder)
        self.keys.append(None)

    def leave(self) -> None:
        self.open.pop()
        self.keys.pop()

    @property
    def field(self) -> str | None:
        """The top-level field being filled."""
        return self.keys[0] if self.keys else None


def _strict(block: str, first_line: int, notes: list[str]) -> Value:
    """The same by libyaml, whatever the block holds."""
    tree = _Tree()
    lines: list[str] = []
    loader = _LOADER(block)
    while (event := loader.get_event()) is not None:
        start = event.start_mark.line if event.start_mark else 0
        line = first_line + start
        if isinstance(event, yaml.ScalarEvent):
            value: Value = event.value
            if not event.style and value in flat.NULLS:
                value = None
            elif tree.field is not None:
                end = event.end_mark.line if event.end_mark else start
                if end > start and event.style in ("'", '"') and len(tree.open) == 1:
                    lines = lines or block.split("\n")
                    _refuse_swallowed_fields(lines[start + 1 : end + 1])
                value = _mended(event.value, event.style, _noter(notes, line, tree.field))
            tree.add(value, line)
        elif isinstance(event, yaml.MappingStartEvent):
            tree.enter({}, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            tree.enter([], line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            tree.leave()
        elif isinstance(event, yaml.AliasEvent):
            raise ContentError("a YAML alias (*name) is not read: write the value out", line)
    return tree.root


def _refuse_swallowed_fields(lines: list[str]) -> None:
    """A quote left open ends at the next field's quote and is valid YAML: two fields in one value."""
    if any(_KEY.match(line) for line in lines):
        raise _UnsoundError("a quoted value holds the line of another field")


def _noter(notes: list[str], line: int, name: str) -> Note:
    return lambda what: notes.append(f"line {line}: {name}: {what}")


def _mended(value: str, style: str | None, note: Note) -> str:
    """Escapes that were meant for another kind of quotes and stayed in a value that YAML took as it is."""
    if "\\" in value:
        plain = _BACKSLASHED.sub(r"\1", value)
        if style != '"' and value.count('\\"') % 2 == 0:  # an odd one is somebody's TeX
            plain = plain.replace('\\"', '"')
        if plain != value:
            note("backslash before a quotation mark")
            value = plain
    if "''" in value:
        plain = _DOUBLED.sub("'", value)
        if plain != value:
            note("doubled apostrophe")
            value = plain
    return value


# --- broken YAML -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Entry:
    """One field of a broken block: its own line, and the lines that belong to it."""

    name: str
    head: str  # after the colon
    line: int
    lines: list[str]  # as written, the first one too

    @property
    def rest(self) -> list[str]:
        return self.lines[1:]

    def is_quoted(self) -> bool:
        return self.head[:1] in ("'", '"')

    def is_closed(self) -> bool:
        """Whether a quote was opened and closed again."""
        last = (self.lines[-1] if self.rest else self.head).rstrip()
        return self.is_quoted() and last != self.head[0] and last[-1:] in (self.head[0], *"’”,")


def _forgiving(block: str, first_line: int, notes: list[str], depth: int = 0) -> dict[str, Value] | None:
    """Field by field: what is sound on its own is read by YAML, the others are mended. None: no field in it."""
    if depth > MAX_DEPTH:
        raise ContentError(f"nested more than {MAX_DEPTH} deep", first_line)
    fields: dict[str, Value] = {}
    for entry in _entries(block.split("\n"), first_line):
        found: list[str] = []
        try:
            tree = _sound("\n".join(entry.lines) + "\n", entry.line, found)
            if not (isinstance(tree, dict) and len(tree) == 1):
                raise _UnsoundError("not the one field that stands here")
            fields.update(tree)
        except (yaml.YAMLError, _UnsoundError, UnicodeError):
            found = []
            fields[entry.name] = _recovered(entry, found, depth)
        notes += found
    return fields or None


def _entries(lines: list[str], first_line: int) -> Iterator[_Entry]:
    entry: _Entry | None = None
    after_blank = False
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            after_blank = True
            if entry:
                entry.lines.append("")
            continue
        started = _started(line, number, entry)
        if started:
            if entry:
                yield entry
            entry = started
        elif line.startswith("#"):
            pass
        elif entry is None or (not line[0].isspace() and line[0] != "-" and (after_blank or entry.is_closed())):
            if entry is None and first_line == 2 and not any(_KEY.match(other) for other in lines):
                return
            raise ContentError("neither a field (name: value) nor part of one; is the closing --- missing?", number)
        else:
            entry.lines.append(line)
        after_blank = False
    if entry:
        yield entry


def _started(line: str, number: int, before: _Entry | None) -> _Entry | None:
    match = _KEY.match(line)
    if match is None or (match["plain"] and line[match.end() : match.end() + 1] not in ("", " ", "\t", "\xa0")):
        # "name:value" and "Two words: value" may as well be text, so not while a quote is open
        match = match or _WORDY_KEY.match(line)
        if match is None or (before is not None and before.is_quoted() and not before.is_closed()):
            return None
    groups = match.groupdict()
    name = groups.get("double") or groups.get("single") or groups["plain"]
    return _Entry(name, line[match.end() :].strip(), number, [line])


def _recovered(entry: _Entry, notes: list[str], depth: int) -> Value:
    note = _noter(notes, entry.line, entry.name)
    rest = entry.rest
    while rest and not rest[-1]:
        rest.pop()
    if _BLOCK_SCALAR.fullmatch(entry.head):
        note("block text not indented as it must be")
        return (" " if entry.head[0] == ">" else "\n").join(line.strip() for line in rest).strip()
    if entry.head or not rest:
        if rest:
            if entry.head[0] not in "[{" + _QUOTES and any(line.startswith("-") for line in rest):
                raise ContentError(f"{entry.name}: a list stands below a value", entry.line)
            note("value broken over several lines")
        return _value(" ".join([entry.head, *(line.strip() for line in rest if line)]), note, entry.line)
    indent = min(len(line) - len(line.lstrip()) for line in rest if line)
    inner = [line[indent:] for line in rest]
    first = next(line for line in inner if line)
    if first.startswith("-"):
        return _list_items(inner, note, entry.line, notes, depth)
    if _KEY.match(first) and (indent or not entry.head):
        return _forgiving("\n".join(inner), entry.line + 1, notes, depth + 1)
    note("value below its name")
    return _value(" ".join(line.strip() for line in inner if line), note, entry.line)


def _list_items(lines: list[str], note: Note, line: int, notes: list[str], depth: int) -> list[Value]:
    items: list[list[str]] = []
    for text in lines:
        if text.startswith("-"):
            items.append([text[1:].lstrip()])
        elif text:
            items[-1].append(text)
    values: list[Value] = []
    for item in items:
        if len(item) > 1 and _KEY.match(item[0]) and item[0][:1] not in _QUOTES:
            block = "\n".join(part.strip() for part in item)
            values.append(_forgiving(block, line + 1, notes, depth + 1))
        else:
            values.append(_value(" ".join(part.strip() for part in item), note, line))
    return values


def _value(text: str, note: Note, line: int, *, nested: bool = False) -> Value:
    """A value that YAML refuses, as its author meant it."""
    if text.startswith("[") and not nested:
        if text.endswith("]"):
            return [_value(item, note, line, nested=True) for item in _split(text[1:-1])]
        if "]" not in text:
            raise ContentError("a list that is opened with [ and never closed", line)
    if text.startswith("{") and not nested and not text.startswith(("{{", "{%")):
        if text.endswith("}"):
            pairs = (item.partition(":") for item in _split(text[1:-1]))
            return {name.strip(" '\""): _value(value.strip(), note, line, nested=True) for name, _, value in pairs}
        if "}" not in text:
            raise ContentError("a map that is opened with { and never closed", line)
    return _scalar(text, note)


def _split(text: str) -> list[str]:
    """The items of a flow list: a comma inside quotes parts nothing, an apostrophe inside a word opens nothing."""
    items: list[str] = []
    pending: list[str] = []
    for piece in text.split(","):
        pending.append(piece)
        opening = pending[0].lstrip()[:1]
        closing = piece.rstrip()[-1:]
        if opening in ("'", '"') and (closing != opening or (len(pending) == 1 and len(piece.strip()) == 1)):
            continue
        items.append(",".join(pending).strip())
        pending = []
    if pending:  # a quote never closed: take the commas at their word
        items += [piece.strip() for piece in pending]
    return [item for item in items if item]


def _scalar(text: str, note: Note) -> str | None:
    text = text.strip(" \t\xa0\n")
    if text[:1] not in ("'", '"') or len(text) == 1:
        text = re.split(r"[ \t]#", text, maxsplit=1)[0].rstrip() if not text.startswith("#") else ""
        if text in flat.NULLS:
            return None
        if _NEEDS_QUOTES.search(text):
            note("unquoted value with a character that needs quotes")
        return _mended(text, None, note)
    quote = text[0]
    if text[-2:] in (quote + ",", quote + ";") and len(text) > 3:
        note("comma after the closing quote")
        text = text[:-1]
    inner = _within(text, quote, note)
    if inner is None:
        note("quotation marks are part of the value")
        return _mended(text, None, note)
    if len(inner) > 2 and inner[0] == inner[-1] == quote and not _is_quoted_within(inner[1:-1], quote):
        note("quoted twice")
        inner = inner[1:-1]
    return _unescaped_double(inner, note) if quote == '"' else _unescaped_single(inner, note)


def _within(text: str, quote: str, note: Note) -> str | None:
    """What stands between the quotes of a value; None when they are its own, as in: "Big O" explained."""
    fact = False
    for number, match in enumerate(re.finditer(quote + r"(?P<gap>[ \t]+)(?P<after>\S)", text[1:])):
        end = 1 + match.start()
        if not number:  # an address, a date, a number: nothing that goes on after its quote
            fact = end > 1 and not re.search(r"\s", text[1:end]) and bool(re.search(r"[:/]|^\d", text[1:end]))
        remark = _REMARK.match(text, 1 + match.start("after"))
        closed = text[-1] == quote
        if (remark and (fact or not closed)) or (not closed and (fact or len(match["gap"]) > 1)):
            note("remark after the closing quote")
            return text[1:end]
    if text[-1] == quote:
        return text[1:-1]
    if text[-1] in "’‘" or (text[-1] in "”“" and "“" not in text[:-1]):
        note("typographic closing quote")
        return text[1:-1]
    if _ELISION.match(text) or re.search(quote + r"(?:\s|[.,;:!?)])", text[1:]):
        return None
    note("quote never closed")
    return text[1:]


def _is_quoted_within(text: str, quote: str) -> bool:
    """Whether the outer quotes belong to words at both ends: 'this' and 'that'."""
    closing = re.search(r"\S" + quote + r"(?=\s|[.,;:!?)])", text)
    return bool(closing and re.search(r"(?:\s|\()" + quote + r"(?=\S)", text[closing.end() :]))


def _unescaped_single(inner: str, note: Note) -> str:
    plain = inner.replace("'\\''", "'").replace("\\''", "'")
    if plain != inner:
        note("apostrophe escaped as for a shell")
    elif "'" in plain.replace("''", "").replace("\\'", ""):
        note("unescaped apostrophe")
    return _mended(plain.replace("''", "'"), "'", note)


def _unescaped_double(inner: str, note: Note) -> str:
    plain = inner.replace("'\\''", "'")
    if '"' in plain.replace('""', "").replace('\\"', ""):
        note("unescaped quotation mark")

    def unescape(match: re.Match[str]) -> str:
        if match[4]:
            return '"'
        if match[1] or match[2]:
            return chr(int(match[1] or match[2], 16))
        if match[3] in _MARKS:
            return match[3]
        return _ESCAPED.get(match[3], match[0])

    unescaped = _ESCAPE.sub(unescape, plain)
    if unescaped != inner and "\\" in inner:
        note("backslash that YAML does not know")
    return _mended(unescaped, '"', note)
