"""Plain text as people count it: graphemes, sentences, summaries. Never cuts a character or an emoji in half."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

ELLIPSIS = "…"

TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""For `str.translate`: without what turns the text after it around, unclosed; emoji keep their joiners."""

_CLUSTER_CAP = 64  # code points; only a piled-up "zalgo" letter or a hostile file has more (stream-safe text: 31)
_ZWJ = "\u200d"
_JOINED_ABOVE = frozenset("\u200c\u200d") | {chr(c) for c in range(0x1F3FB, 0x1F400)}  # joiners, skin tones
_VIRAMAS = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d")  # GB9c: consonants they join are one letter
_HANGUL = {"L": "LVSX", "V": "VT", "T": "T", "S": "VT", "X": "T"}  # what may follow what inside a syllable
_ENOUGH = 0.4  # a summary that ends with a sentence must fill this share of the room, else a cut word is the better end

_ABBREVIATIONS = """
    mr mrs ms dr prof st sr jr hon rev gen col capt lt sgt messrs mme mlle fr
    e.g i.e eg ie cf vs viz al ca approx est esp incl excl resp
    inc ltd co corp llc bros dept univ assn ave blvd
    no nos vol vols pp ed eds fig figs eq sec ch art para ver
    jan feb mar apr jun jul aug sept sep oct nov dec mon tue tues wed thu thur thurs fri sat sun
    z.b d.h u.a bzw nr str dipl ing p.ex m
"""
_DOTTED = frozenset(_ABBREVIATIONS.split())
_NUMBERED = frozenset(
    {"no", "nos", "art", "sec", "ed", "fig", "figs", "ch", "sat", "sun", "mar", "m", "fr", "co", "st"}
)
_STOP = re.compile(
    r"""(?<![.!?…])(?P<mark>[.!?…]+)(?P<close>["'”’»)\]]*)(?P<gap>\s+)(?=(?P<next>\S))|[。！？]+[」』”’）]*""",
    re.VERBOSE,
)
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_LAST_WORD = re.compile(r"(?:[^\W_]|[.'’])+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")


def graphemes(text: str) -> Iterator[str]:
    """The characters a person sees: extended grapheme clusters (UAX #29), as far as `unicodedata` tells them apart.

    Emoji sequences, flags, skin tones, combining marks, Hangul syllables and Indic conjuncts stay whole. A cluster is
    ended after 64 code points.
    """
    if text.isascii() and "\r" not in text:
        yield from text
        return
    start = flags = 0
    for at in range(1, len(text)):
        before, here = text[at - 1], text[at]
        flags = flags + 1 if _is_flag(before) else 0
        if at - start >= _CLUSTER_CAP or _breaks(text, at, before, here, flags):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _breaks(text: str, at: int, before: str, here: str, flags: int) -> bool:
    """Whether a new cluster starts at `at`; `flags` counts the regional indicators right before it."""
    if before < "\u0300" and here < "\u0300":
        return not (before == "\r" and here == "\n")
    kind = unicodedata.category(before)
    if kind in ("Cc", "Zl", "Zp") or unicodedata.category(here) in ("Cc", "Zl", "Zp"):
        return True
    if _extends(here):
        return False
    if before == _ZWJ:
        return not _is_pictograph(here) or at < 2 or not _after_pictograph(text, at - 2)
    if _is_flag(here):
        return flags % 2 == 0
    if before in _VIRAMAS:
        return unicodedata.category(here) != "Lo"
    return not _hangul(before, here)


def _extends(char: str) -> bool:
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in _JOINED_ABOVE
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_pictograph(char: str) -> bool:
    return char > "\u2000" and unicodedata.category(char) in ("So", "Sm", "Po", "Cn", "Pd")


def _after_pictograph(text: str, at: int) -> bool:
    for back in range(at, max(-1, at - _CLUSTER_CAP), -1):
        if not _extends(text[back]):
            return _is_pictograph(text[back])
    return False


def _hangul(before: str, here: str) -> bool:
    """Whether two characters belong to one Korean syllable (GB6 to GB8)."""
    if not ("\u1100" <= before <= "\u11ff" or "\ua960" <= before <= "\ud7ff"):
        return False
    leads, follows = _hangul_kind(before), _hangul_kind(here)
    return bool(follows) and follows in _HANGUL.get(leads, "")


def _hangul_kind(char: str) -> str:
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "T"
    if "\uac00" <= char <= "\ud7a3":
        return "S" if (ord(char) - 0xAC00) % 28 == 0 else "X"
    return ""


def grapheme_count(text: str) -> int:
    """How many characters a person sees."""
    return len(text) if text.isascii() and "\r" not in text else sum(1 for _ in graphemes(text))


def utf16_len(text: str) -> int:
    """UTF-16 code units: what LinkedIn and JavaScript call length. Linear."""
    return len(text) + sum(1 for char in text if char > "\uffff")


def one_line(text: str) -> str:
    """One line of what can be printed, its blanks made single: for a name or words that a stranger chose."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def cut(text: str, limit: int) -> str:
    """One line of at most `limit` graphemes, its blanks made single; cut at a word, marked by an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= limit or limit <= 0:
        return line if limit > 0 else ""
    room = list(islice(graphemes(line), limit + 1))
    if len(room) <= limit:
        return line
    return _end_at_word("".join(room[: limit - 1]), room[limit - 1])


def _end_at_word(head: str, following: str) -> str:
    """`head` up to its last whole word, with an ellipsis; a word longer than half of it is cut inside instead."""
    if not following.isspace():
        blank = head.rfind(" ")
        if blank >= len(head) // 2:
            head = head[:blank]
    return head.rstrip(" ,;:–—-(“\"'«") + ELLIPSIS


def sentences(text: str) -> list[str]:
    """The sentences of plain text, blanks made single.

    Abbreviations, initials and numbers end none; a paragraph does.
    """
    return list(_each_sentence(text))


def _each_sentence(text: str) -> Iterator[str]:
    for paragraph in _PARAGRAPH.split(text):
        line, start = " ".join(paragraph.split()), 0
        for stop in _STOP.finditer(line):
            if stop["mark"] is None or _ends_sentence(line, start, stop):
                yield line[start : stop.end("close") if stop["mark"] else stop.end()].strip()
                start = stop.end()
        if rest := line[start:].strip():
            yield rest


def _ends_sentence(line: str, start: int, stop: re.Match[str]) -> bool:
    following = stop["next"]
    if following.islower():
        return False  # "e.g. this", "yahoo! news", "so … it went"
    if stop["mark"] != "." or stop["close"]:
        return True
    word = _LAST_WORD.search(line, max(0, stop.start() - 24), stop.start())
    if not word:
        return True
    last = word[0].lower().lstrip("'’.")
    if last in _NUMBERED:
        return not (following.isdigit() or last in ("st", "fr", "m"))
    if last in _DOTTED:
        return False
    if last.isdigit() and len(last) <= 2:
        return line[start : stop.start()].strip() != last  # "1. First": a list's number
    return last == "i" or not _INITIALS.fullmatch(last)


def summary(text: str, limit: int) -> str:
    """At most `limit` graphemes from the start of `text`, as one paragraph.

    Whole sentences where they fill two fifths of the room, else cut at a word with an ellipsis.
    """
    line = " ".join(text.split())
    if limit <= 0 or len(line) <= limit:
        return line if limit > 0 else ""
    window = text.lstrip()[: limit * _CLUSTER_CAP]
    kept: list[str] = []
    used = 0
    for sentence in _each_sentence(window):
        used += grapheme_count(sentence) + bool(kept)
        if used > limit:
            break
        kept.append(sentence)
    whole = " ".join(kept)
    if whole and (whole == line or grapheme_count(whole) >= limit * _ENOUGH):
        return whole
    return cut(line, limit)
