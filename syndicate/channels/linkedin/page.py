"""A LinkedIn post as people will see it, in a terminal and as a page. Pure: it shows what a payload says, no more.

The page holds no script, and asks for nothing but the picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from syndicate.channels.base import Payload, Shown
from syndicate.channels.linkedin import littletext
from syndicate.channels.linkedin.compose import COMMENTARY_LIMIT, REHEARSAL_AUTHOR, whole_words
from syndicate.markdown import graphemes, utf16_len

FOLD_LINES = 3  # before "…more", as seen; LinkedIn writes down neither
FOLD_CHARACTERS = 210
_MARKED = re.compile(r"(?<!\S)#(\w+)|https?://[^\s<>\"]+")


def show(payload: Payload) -> Shown:
    """Both forms of one post."""
    return Shown(text=as_text(payload), html=as_html(payload))


def fold(text: str) -> tuple[str, str]:
    """What is seen at once, and what only after a click on "…more"; "" where all is seen."""
    seen = "\n".join(text.split("\n", FOLD_LINES)[:FOLD_LINES])
    first = "".join(islice(graphemes(seen), FOLD_CHARACTERS))
    if first == text:
        return text, ""
    first = (whole_words(first) if len(first) < len(seen) else first).rstrip()
    return first, text[len(first) :]


def as_text(payload: Payload) -> str:
    """Text to copy, then the card as it will be, then what stands above the fold."""
    body = _body(payload)
    text, card = littletext.decode(body["commentary"]), body["content"]["article"]
    lines = [card["title"], _domain(card["source"]), card.get("description", ""), *_picture_lines(payload)]
    shown = f"{text}\n\n[ " + "\n  ".join(_printable(line) for line in lines if line) + " ]"
    first, rest = fold(text)
    return f"{shown}\n\nBefore “…more”: {' '.join(first.split())}" if rest else shown


def as_html(payload: Payload) -> str:
    """The page: post, card, and beneath them what is known of both."""
    body = _body(payload)
    text, card = littletext.decode(body["commentary"]), body["content"]["article"]
    first, rest = fold(text)
    tags = littletext.tagged(body["commentary"])
    below = _marked(rest.lstrip(" ").removeprefix("\n"), tags)
    more = f"<details><summary>…more</summary>{below}</details>" if rest else ""
    facts = [f"{utf16_len(body['commentary']):,} of {COMMENTARY_LIMIT:,} characters", *_picture_lines(payload)]
    return _PAGE.format(
        style=_STYLE,
        author=escape(_author(body["author"])),
        text=_marked(first, tags) + more,
        card=_card(card, payload.get("picture") or {}),
        facts="".join(f'<li dir="auto">{escape(_printable(fact))}</li>' for fact in facts),
    )


def _body(payload: Payload) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(payload["body"])
    return body


def _author(urn: str) -> str:
    return "whoever is logged in" if urn == REHEARSAL_AUTHOR else urn


def _picture_lines(payload: Payload) -> Iterator[str]:
    picture = payload.get("picture") or {}
    size = f" ({picture['width']} x {picture['height']})" if "width" in picture else ""
    if picture.get("url"):
        yield f"picture: {picture['url']}{size}"
    elif "note" not in payload:
        yield "no picture: neither the article nor site.image has one"
    if picture.get("alt"):
        yield f"described for those who cannot see it as: {picture['alt']}"
    if note := payload.get("note"):
        yield note


def _card(card: dict[str, Any], picture: dict[str, Any]) -> str:
    source, url = _address(card["source"]), _address(picture.get("url", ""))
    image = ""
    if url:
        alt = escape(_printable(picture.get("alt", "")))
        image = f'<img src="{url}" alt="{alt}" referrerpolicy="no-referrer">'
    words = f'<strong dir="auto">{escape(card["title"])}</strong>'
    words += f"<span>{escape(_printable(_domain(card['source'])))}</span>"
    if description := card.get("description"):
        words += f'<small dir="auto">{escape(description)}</small>'
    href = f' href="{source}" rel="noopener noreferrer"' if source else ""
    return f'<a class="card"{href}>{image}<div class="words">{words}</div></a>'


def _marked(text: str, tags: Collection[str]) -> str:
    """Hashtags and addresses in blue, line by line: each begins from the side of its own script."""
    return "".join(f'<p dir="auto">{"".join(_pieces(line, tags)) or "<br>"}</p>' for line in text.split("\n"))


def _pieces(line: str, tags: Collection[str]) -> Iterator[str]:
    at = 0
    for match in _MARKED.finditer(line):
        if match[1] is not None and match[1] not in tags:
            continue
        yield escape(line[at : match.start()])
        yield f"<b>{escape(match[0])}</b>"
        at = match.end()
    yield escape(line[at:])


def _address(url: str) -> str:
    """An address as an attribute; "" where it is none of the web."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return escape(_printable(url)) if parts.scheme in ("http", "https") and parts.netloc else ""


def _domain(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c in "\u200c\u200d")  # joiners make one emoji of many


_STYLE = """
:root { color-scheme: light dark; --back: #f4f2ee; --paper: #fff; --ink: #1f1f1f; --soft: #5e5e5e; --line: #dfdeda;
  --link: #0a66c2; --card: #eef3f8 }
@media (prefers-color-scheme: dark) { :root { --back: #000; --paper: #1b1f23; --ink: #e9e9ea; --soft: #a9acae;
  --line: #38434f; --link: #71b7fb; --card: #293138 } }
* { box-sizing: border-box; margin: 0 }
body { background: var(--back); color: var(--ink); font: 14px/1.43 system-ui, sans-serif; padding: 16px }
main { max-width: 555px; margin: 0 auto; overflow-wrap: anywhere }
article { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; overflow: hidden }
header { padding: 12px 16px 8px; color: var(--soft); font-size: 12px }
.text { padding: 0 16px 12px }
.text p { white-space: pre-wrap }
b { color: var(--link); font-weight: 600 }
summary { color: var(--soft); cursor: pointer; list-style: none; text-align: end }
summary::-webkit-details-marker { display: none }
details[open] summary { display: none }
.card { display: block; background: var(--card); color: inherit; text-decoration: none }
.card img { display: block; width: 100%; aspect-ratio: 1.91; object-fit: cover; background: var(--line) }
.words { display: grid; gap: 4px; padding: 12px 16px }
.words span, .words small { color: var(--soft); font-size: 12px }
.words small { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden }
ul { color: var(--soft); font-size: 12px; list-style: none; padding: 12px 16px }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src http: https:; base-uri 'none'; form-action 'none'">
<title>LinkedIn post</title>
<style>{style}</style>
</head>
<body>
<main>
<article>
<header>{author}</header>
<div class="text">{text}</div>
{card}
</article>
<ul>{facts}</ul>
</main>
</body>
</html>
"""
