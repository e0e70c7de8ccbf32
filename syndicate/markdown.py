"""Markdown in, words and safe HTML out. Owns what an article's body means; never reads a file, never asks the web."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}|\{%[^{}]*%\}|\{\{[^{}]*\}\}")
_TARGET = re.compile(r"\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\]\[[^\[\]\n]*\]")
_URL = re.compile(r"(?:https?|ftp|mailto):[^\s<>)\]]+|www\.[^\s<>)\]]+")
# Scripts written without blanks between words; two of their characters make about one word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[^\W_{_UNSPACED}](?:[^\W{_UNSPACED}]|['’.,-](?=[^\W_]))*")


def count_words(body: str) -> int:
    """Words a person would read in a Markdown body: no markup, code blocks, addresses, tags, shortcodes, comments.

    Text written without blanks (Chinese, Japanese, Thai) counts one word for two characters. Linear in `body`.
    """
    text = _without(_without_fences(body), "<!--", "-->")
    for pattern in (_SHORTCODE, _TARGET, _URL, _TAG):
        text = pattern.sub(" ", text)
    return sum(1 for _ in _WORD.finditer(text)) + (len(_CHARACTER.findall(text)) + 1) // 2


def _without(text: str, opening: str, closing: str) -> str:
    """`text` without what stands between the two marks; an opening that is never closed stays."""
    kept, at = [], 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start + len(opening))) >= 0:
        kept.append(text[at:start])
        at = end + len(closing)
    return "".join((*kept, text[at:])) if kept else text


def _without_fences(body: str) -> str:
    if "```" not in body and "~~~" not in body:
        return body
    kept, fence = [], ""
    for line in body.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        else:
            kept.append(line)
    return "\n".join(kept)
