"""LinkedIn's little text format, the language of a post's `commentary` (Learn: shares/little-text-format).

An unescaped reserved character does not fail: the post is accepted and silently cut off there. So everything is
escaped exactly once, by one pass, after all cutting. Titles and descriptions of cards are plain: never escape them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

RESERVED = "|{}@[]()<>#\\*_~"
HASHTAG_LENGTH = 40  # characters; a longer tag is a sentence

_ESCAPES = str.maketrans({character: f"\\{character}" for character in RESERVED})
_ESCAPED = re.compile(rf"\\([{re.escape(RESERVED)}])")
_TEMPLATE = re.compile(r"\{hashtag\|\\?[#\uff03]\|((?:[^\\|{}]|\\.)*)\}", re.DOTALL)
# A hashtag as people write it: not glued to a word or address before it, letters and digits, one letter at least.
_HASHTAG = re.compile(r"(?<!\S)#((?=[^\W_]*[^\W\d_])[^\W_]+)(?![\w#])")
_TAG = re.compile(r"#?[^\W_]+(?:[\s\-_./&'’]+[^\W_]+)*")  # "C#" and "C++" are not: without their sign they mean C
_WORD = re.compile(r"[^\W_]+")


def escape(text: str) -> str:
    """Escape every reserved character."""
    return text.translate(_ESCAPES)


def unescape(text: str) -> str:
    """Undo `escape`."""
    return _ESCAPED.sub(r"\1", text)


def encode(text: str, hashtags: Collection[str] = ()) -> str:
    """Plain text to little text: the `#words` named become hashtags, all else is escaped."""
    pieces, at = [], 0
    for match in _HASHTAG.finditer(text) if hashtags else ():
        if match[1] in hashtags:
            pieces += [escape(text[at : match.start()]), f"{{hashtag|\\#|{match[1]}}}"]
            at = match.end()
    return "".join([*pieces, escape(text[at:])])


def decode(text: str) -> str:
    """Little text to what people see (mentions, which are never made here, aside)."""
    pieces, at = [], 0
    for match in _templates(text):
        pieces += [unescape(text[at : match.start()]), f"#{unescape(match[1])}"]
        at = match.end()
    return "".join([*pieces, unescape(text[at:])])


def tagged(text: str) -> frozenset[str]:
    """The words that are hashtags in little text, without their sign."""
    return frozenset(unescape(match[1]) for match in _templates(text))


def _templates(text: str) -> Iterator[re.Match[str]]:
    return (match for match in _TEMPLATE.finditer(text) if not _is_escaped(text, match.start()))


def hashtags_in(text: str) -> frozenset[str]:
    """The words written as hashtags in a text, without their sign."""
    return frozenset(match[1] for match in _HASHTAG.finditer(text))


def hashtags(tags: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The first tags that can be hashtags, in camel case without sign: "machine learning" gives MachineLearning."""
    found: dict[str, str] = {}
    for tag in tags:
        tag = unicodedata.normalize("NFC", tag).strip()
        if len(tag) > HASHTAG_LENGTH or not _TAG.fullmatch(tag):
            continue
        words = _WORD.findall(tag)
        name = "".join(word[0].upper() + word[1:] for word in words)
        if _HASHTAG.fullmatch(f"#{name}"):
            found.setdefault(name.casefold(), name)
        if len(found) == most:
            break
    return tuple(found.values())


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
