"""From bytes to fields: how a file is decoded, and where its front matter ends in each dialect.

Owns encodings and fences. Never judges, never maps a field to a meaning (`manuscript` does), never touches a disk.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from syndicate import yamlish
from syndicate.errors import ContentError
from syndicate.yamlish import Value

MAX_TEXT = 2 * 1024 * 1024  # bytes of UTF-8; a long article has 0.05 of that
MAX_BLOCK = 64 * 1024  # characters of front matter
MAX_DOTS = 500

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_PLAIN = bytes(code for code in range(0x7F) if code >= 0x20 or code in b"\t\n")
_CONTROL = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff"
_CONTROLS = re.compile(rf"[{_CONTROL}]")
# UTF-8 read as Windows-1252 or Latin-1: a lead byte's letter, then the letter of a continuation byte; then as MacRoman,
# code page 437 and Windows-1251, by their commonest pairs.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201e"
    "\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]|\u201a\u00c4|\u0393\u00c7|\u0432\u0402"
)
_SUSPECT = re.compile(rf"[{_CONTROL}\u00c2-\u00f4\u201a\u0393\u0432]")  # how any of both begins; most texts have none
_CLOSINGS = {
    fence: re.compile(rf"^(?:{pattern})[ \t\xa0]*$", re.MULTILINE)
    for fence, pattern in (("---", r"---|\.\.\."), ("+++", r"\+\+\+"), (";;;", ";;;"))
}
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)*")
_HEADER = re.compile(r"([A-Za-z][\w -]{0,40}?)[ \t]*:(?:[ \t]+(.*)|)$")
_HEADER_NAMES = frozenset({"title", "date", "slug"})
_TOML_LINE = re.compile(r"\(at line (\d+), column")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """What stands before the text.

    Values are text as written, None, lists or mappings of these ("true", "2025-03-03", "1.0"), whatever the dialect.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1  # the file's line on which `body` starts
    repairs: tuple[str, ...] = ()  # "line 4: description: unescaped apostrophe"
    dialect: str = "none"  # or yaml, toml, json, header


# --- bytes -----------------------------------------------------------------------------------------------------------


def _windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are no UTF-8 as Windows-1252, and only those."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252"), error.end


codecs.register_error("syndicate.windows-1252", _windows_1252)


def decode(raw: bytes) -> tuple[str, tuple[str, ...]]:
    r"""The text of a file with \n newlines, and a note for each repair.

    UTF-8, UTF-16 with a byte order mark, else Windows-1252. Raises ContentError for what is no text or too long.
    """
    encoding, wide = "utf-8", 1
    for bom, name in _BOMS:
        if raw.startswith(bom):
            encoding, wide, raw = name, 1 if name == "utf-8" else 2, raw[len(bom) :]
            break
    if len(raw) > MAX_TEXT * wide:
        raise ContentError(f"more than {MAX_TEXT >> 20} MB of text: no article", code="too-large")
    if encoding == "utf-8" and not raw.translate(None, _PLAIN):
        return raw.decode("ascii"), ()
    notes: list[str] = []
    if wide == 1 and (nul := raw.find(b"\0")) >= 0:
        raise ContentError("a NUL byte: this is no text file", raw.count(b"\n", 0, nul) + 1)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        text = _decoded_anyway(raw, encoding, line)
        notes.append(f"line {line}: read as Windows-1252")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _SUSPECT.search(text):
        if not text.isascii() and _MOJIBAKE.search(text):
            text = _decoded_once_more(text, notes)
        if _CONTROLS.search(text):
            text = _without_controls(text, notes)
    return text, tuple(notes)


def _decoded_anyway(raw: bytes, encoding: str, line: int) -> str:
    if encoding != "utf-8":
        raise ContentError(f"broken {encoding.upper()} text", 1)
    try:
        return raw.decode("utf-8", "syndicate.windows-1252")
    except UnicodeDecodeError as worse:
        raise ContentError("neither UTF-8 nor Windows-1252: save the file as UTF-8", line) from worse


def _decoded_once_more(text: str, notes: list[str]) -> str:
    """Undo a wrong decoding, line by line, and nothing else: typographic quotes, ligatures and widths stay."""
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_encoding=True,
        restore_byte_a0=True,
        replace_lossy_sequences=True,
        decode_inconsistent_utf8=True,
        fix_c1_controls=True,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    lines = text.split("\n")
    first = 0
    for number, line in enumerate(lines, 1):
        if not line.isascii() and _MOJIBAKE.search(line):
            fixed = ftfy.fix_encoding(line, config)
            if fixed != line:
                lines[number - 1] = fixed.replace("\r", " ").replace("\n", " ")
                first = first or number
    if first:
        notes.append(f"line {first}: text that was decoded wrongly once")
    return "\n".join(lines)


def _without_controls(text: str, notes: list[str]) -> str:
    first = _CONTROLS.search(text)
    assert first is not None
    line = text.count("\n", 0, first.start()) + 1
    found = sum(1 for _ in _CONTROLS.finditer(text))
    if "\0" in text or found > 8 + len(text) // 100:
        raise ContentError("control characters throughout: this is no text file", line)
    if found == 1 and first[0] == "\ufeff":  # a byte order mark between two joined files
        return text.replace("\ufeff", "")
    notes.append(f"line {line}: control characters removed")
    return _CONTROLS.sub(lambda match: " " if match[0] in "\x0b\x0c\x85" else "", text)


# --- text ------------------------------------------------------------------------------------------------------------


def parse(text: str) -> FrontMatter:
    """Part the front matter from the body. Raises ContentError(line, reason), and nothing else, for what is broken."""
    start = len(text) - len(text.lstrip(" \t\n")) if text[:1] in ("\n", " ", "\t") else 0
    if start and "\n" not in text[:start]:
        start = 0  # an indented first line is code, no fence
    start = text.rfind("\n", 0, start) + 1
    head = text[start : start + 1]
    if head == "-":
        return _fenced(text, start, "---")
    if head == "+":
        return _fenced(text, start, "+++")
    if head == ";" or (head == '"' and "\n;;;" in text[:MAX_BLOCK]):
        return _semicolons(text, start)
    if head == "{":
        return _braces(text, start)
    if head.isalpha() and head.isascii():
        return _header(text, start)
    return FrontMatter(body=text)


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _closing(text: str, start: int, fence: str) -> tuple[int, int] | None:
    """Where the closing fence starts, and where the line after it does; None if it is not near."""
    if start <= 0 or not (match := _CLOSINGS[fence].search(text, start, start + MAX_BLOCK)):
        return None
    return match.start(), min(match.end() + 1, len(text))


def _rest(text: str, position: int, **what: Any) -> FrontMatter:
    """The front matter `what`, with the body that starts at the first line after `position` that is not blank."""
    blank = _BLANK_LINES.match(text, position)
    begin = blank.end() if blank else position
    return FrontMatter(body=text[begin:], body_line=_line_of(text, begin), **what)


def _fenced(text: str, start: int, fence: str) -> FrontMatter:
    opening_end = text.find("\n", start)
    opening = text[start : opening_end if opening_end >= 0 else len(text)].rstrip()
    language = opening[3:].strip().lower()
    if opening[:3] != fence or language not in ("", "yaml", "toml", "json"):
        return FrontMatter(body=text)
    line = _line_of(text, start)
    found = _closing(text, opening_end + 1, fence)
    if found is None:
        if fence == "+++" or _looks_like_fields(text[len(opening) + start :]):
            raise ContentError(_unclosed(fence), line)
        return FrontMatter(body=text)
    block = text[opening_end + 1 : found[0]]
    dialect = language or ("toml" if fence == "+++" else "yaml")
    repairs: tuple[str, ...] = ()
    fields: Mapping[str, Any] | None
    if dialect == "toml":
        fields = _toml(block, line + 1)
    elif dialect == "json":
        fields, repairs = _json(block, line + 1)
    else:
        fields, repairs = yamlish.read(block, line + 1)
        if fields is None:  # a text between two rules
            return FrontMatter(body=text)
    return _rest(text, found[1], fields=fields, repairs=repairs, dialect=dialect)


def _unclosed(fence: str) -> str:
    return f"the front matter opened here is not closed: a line {fence} is missing in {MAX_BLOCK >> 10} KB"


def _looks_like_fields(text: str) -> bool:
    first = text.lstrip().partition("\n")[0]
    return bool(re.match(r"[\w.-]+:(?:\s|$)", first))


def _toml(block: str, line: int) -> Mapping[str, Any]:
    glued = block.replace(" ", "").replace("\t", "")
    if any(name.count(".") > MAX_DOTS for name in re.findall(r"[\w.'\"-]+", glued)):
        raise ContentError(
            f"a name of more than {MAX_DOTS} parts in TOML", line
        )  # tomllib's time grows with the square
    try:
        found = tomllib.loads(block)
    except tomllib.TOMLDecodeError as exc:
        where = _TOML_LINE.search(str(exc))
        reason = str(exc).partition(" (at ")[0]
        raise ContentError(f"broken TOML: {reason}", line + (int(where[1]) - 1 if where else 0)) from exc
    except (RecursionError, ValueError, OverflowError) as exc:
        raise ContentError("TOML that cannot be read: nested too deep or a value out of range", line) from exc
    return _table(found, line)


def _semicolons(text: str, start: int) -> FrontMatter:
    """JSON between lines `;;;`, the braces left out if the author likes, and the first fence too (Hexo)."""
    opened = text.startswith(";;;", start)
    if opened and text[start:].partition("\n")[0].strip() != ";;;":
        return FrontMatter(body=text)
    begin = text.find("\n", start) + 1 if opened else start
    found = _closing(text, max(begin, 1), ";;;")
    if found is None:
        if opened and _looks_like_fields(text[begin:].replace('"', "", 2)):
            raise ContentError(_unclosed(";;;"), _line_of(text, start))
        return FrontMatter(body=text)
    block = text[begin : found[0]].strip()
    if not opened and not re.match(r'"[^"\n]+"\s*:', block):
        return FrontMatter(body=text)
    if not block.startswith("{"):
        block = "{" + block.rstrip(",") + "}"
    fields, repairs = _json(block, _line_of(text, begin))
    return _rest(text, found[1], fields=fields, repairs=repairs, dialect="json")


def _braces(text: str, start: int) -> FrontMatter:
    if not re.compile(r'\{\s*(?:"|\}\s*(?:\n|$))').match(text, start):
        return FrontMatter(body=text)
    line = _line_of(text, start)
    try:
        found, end = _DECODER.raw_decode(text[: start + MAX_BLOCK], start)
        return _rest(text, end, fields=_table(found, line), dialect="json")
    except RecursionError as exc:
        raise ContentError("JSON nested too deep", line) from exc
    except json.JSONDecodeError as exc:
        closing = re.compile(r"^\}[ \t]*$", re.MULTILINE).search(text, start, start + MAX_BLOCK)
        if closing is None:
            raise ContentError(f"broken JSON: {exc.msg}", exc.lineno) from exc
        fields, repairs = _json(text[start : closing.end()], line)
        return _rest(text, closing.end(), fields=fields, repairs=repairs, dialect="json")


_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)


def _json(block: str, line: int) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """One JSON object; commas missing at the ends of lines, or one too many before a bracket, are mended."""
    try:
        try:
            return _table(_DECODER.decode(block), line), ()
        except json.JSONDecodeError as exc:
            mended = re.sub(r'(["\]}\w])([ \t]*\n\s*")', r"\1,\2", block)
            mended = re.sub(r",(\s*[\]}])", r"\1", mended)
            try:
                found = _DECODER.decode(mended)
            except json.JSONDecodeError:
                raise ContentError(f"broken JSON: {exc.msg}", line + exc.lineno - 1) from exc
            return _table(found, line), (f"line {line + exc.lineno - 1}: comma in JSON missing or one too many",)
    except RecursionError as exc:
        raise ContentError("JSON nested too deep", line) from exc


def _table(found: object, line: int) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise ContentError("the front matter is a list or a value, not fields with names", line)
    return {str(key): _as_text(value, line) for key, value in found.items()}


def _as_text(value: object, line: int, depth: int = 0) -> Value:
    """Every value of TOML and JSON as the text that was written."""
    if depth > yamlish.MAX_DEPTH:
        raise ContentError(f"nested more than {yamlish.MAX_DEPTH} deep", line)
    if isinstance(value, dict):
        return {str(key): _as_text(item, line, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item, line, depth + 1) for item in value]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value)


def _header(text: str, start: int) -> FrontMatter:
    """Pelican's (Python-Markdown's) header lines: `Name: value` up to the first empty line, or a line of dashes."""
    found: dict[str, list[str]] = {}
    last = ""
    position = start
    while position < min(len(text), start + MAX_BLOCK):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end]
        position = end + 1
        if not line.strip() or line.strip() in ("---", "..."):
            break
        match = _HEADER.match(line)
        if match and match[1].count(" ") < 3:
            last = match[1].strip()
            found[last] = [(match[2] or "").strip()]
        elif last and line[0] in " \t":
            found[last].append(line.strip())
        else:
            return FrontMatter(body=text)
    if not _HEADER_NAMES & {name.casefold() for name in found}:
        return FrontMatter(body=text)
    fields = {name: "\n".join(lines).strip() or None for name, lines in found.items()}
    return _rest(text, min(position, len(text)), fields=fields, dialect="header")
