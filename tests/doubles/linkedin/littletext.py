"""Little text, read as LinkedIn reads it."""

from __future__ import annotations

import re

RESERVED = frozenset("|{}@[]()<>#\\*_~")


def parse_commentary(text: str) -> tuple[str, str]:
    """Read little text as LinkedIn does: (stored, shown). What follows a bare reserved character is lost."""
    stored: list[str] = []
    shown: list[str] = []
    at = 0
    while at < len(text):
        character = text[at]
        if character not in RESERVED:
            stored.append(character)
            shown.append(character)
            at += 1
        elif character == "\\" and text[at + 1 : at + 2] in RESERVED and at + 1 < len(text):
            stored.append(text[at + 1])
            shown.append(text[at + 1])
            at += 2
        elif template := re.compile(r"\{hashtag\|\\?[#\uff03]\|((?:[^\\|{}@\[\]()<>#*_~]|\\.)+)\}").match(text, at):
            stored.append(template[0].replace("|#|", "|\\#|"))
            shown.append("#" + re.sub(r"\\(.)", r"\1", template[1]))
            at = template.end()
        elif word := re.compile(r"#([^\W_]+)").match(text, at):
            stored.append(f"{{hashtag|\\#|{word[1]}}}")
            shown.append(word[0])
            at = word.end()
        elif mention := re.compile(r"@\[([^\[\]()\\]+)\]\((urn:li:\w+:[\w-]+)\)").match(text, at):
            stored.append(mention[0])
            shown.append(mention[1])
            at = mention.end()
        else:
            break
    return "".join(stored), "".join(shown)
