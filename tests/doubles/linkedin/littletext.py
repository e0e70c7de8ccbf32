"""Little text, read as LinkedIn reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

RESERVED = frozenset("|{}@[]()<>#\\*_~")
NAMES = {"urn:li:organization:2414183": ("Devtestco",), "urn:li:person:1234": ("Eddy", "Merckx", "Eddy Merckx")}
"""Who may be mentioned, by which names: an organisation by its whole name, a member by one of his."""

_TEMPLATE = re.compile(r"\{hashtag\|\\?[#\uff03]\|((?:[^\\|{}@\[\]()<>#*_~]|\\.)+)\}")
_HASHTAG = re.compile(r"#([^\W_]+)")
_MENTION = re.compile(r"@\[([^\[\]()\\]+)\]\((urn:li:\w+:[\w-]+)\)")


@dataclass(frozen=True)
class Reading:
    """`stored` is what a reader of the interface gets, `shown` what people see; `lost` is what both lack."""

    stored: str
    shown: str
    lost: str


def read(text: str, names: Mapping[str, tuple[str, ...]] = NAMES) -> Reading:
    """Read little text: what follows a bare reserved character is lost, silently."""
    stored: list[str] = []
    shown: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character not in RESERVED:
            stored.append(character)
            shown.append(character)
            at += 1
        elif character == "\\" and at + 1 < len(text) and text[at + 1] in RESERVED:
            stored.append(text[at + 1])
            shown.append(text[at + 1])
            at += 2
        elif template := _TEMPLATE.match(text, at):
            stored.append(template[0].replace("|#|", "|\\#|"))
            shown.append("#" + re.sub(r"\\(.)", r"\1", template[1]))
            at = template.end()
        elif word := _HASHTAG.match(text, at):
            stored.append(f"{{hashtag|\\#|{word[1]}}}")
            shown.append(word[0])
            at = word.end()
        elif mention := _MENTION.match(text, at):
            stored.append(mention[0] if mention[1] in names.get(mention[2], ()) else mention[1])
            shown.append(mention[1])
            at = mention.end()
        else:
            break
    return Reading("".join(stored), "".join(shown), text[at:])


def parse_commentary(text: str) -> tuple[str, str]:
    """(stored, shown)."""
    reading = read(text)
    return reading.stored, reading.shown
