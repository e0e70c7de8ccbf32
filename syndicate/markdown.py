"""Markdown in, safe HTML and plain words out. Owns what a body means to a reader; never reads a file or the web."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from html import escape, unescape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from syndicate.dialects import to_commonmark
from syndicate.prose import cut, grapheme_count, graphemes, sentences, summary, utf16_len

if TYPE_CHECKING:
    import nh3

__all__ = [
    "count_words",
    "cut",
    "folded_words",
    "grapheme_count",
    "graphemes",
    "lead",
    "plain",
    "sentences",
    "summary",
    "text_of",
    "to_html",
    "to_text",
    "utf16_len",
]

LONGEST = 1_000_000  # characters of a body that are still parsed; longer ones become escaped paragraphs
DEEPEST = 100  # elements inside each other; browsers stop at 512, the sanitiser's time grows with the square
GROWTH = 8  # times its length that a body's HTML may be: references and unclosed tags can multiply it

# --- words ------------------------------------------------------------------------------------------------------------

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")
_SHORTCODE = re.compile(r"\{\{[<%][^{}]*[>%]\}\}|\{%[^{}]*%\}|\{\{[^{}]*\}\}")
_TARGET = re.compile(r"\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\]\[[^\[\]\n]*\]")
_URL = re.compile(r"(?:https?|ftp|mailto):[^\s<>)\]]+|www\.[^\s<>)\]]+")
# Scripts written without blanks between words; two of their characters make about one word.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_LETTER = re.compile(r"[^\W_]")
# What most texts have beside ASCII: marks between words that are written without blanks, and quotes.
_MARKS = dict.fromkeys("—–…", " ") | dict.fromkeys("’‘“”", "")
_ASCII = [chr(code) for code in range(128)]
_ASCII_MARKS = "".join(char for char in _ASCII if not char.isalnum() and not char.isspace()).encode()
_TO_LETTERS = bytes(ord("a" if char.isalnum() else " ") for char in _ASCII) + bytes(128)
_FOLDED = re.compile(r"\w+(?:['’]\w+)*")


def count_words(body: str) -> int:
    """Words a person would read in a Markdown body: no markup, code blocks, addresses, tags, shortcodes, comments.

    Text written without blanks (Chinese, Japanese, Thai) counts one word for two characters. Linear in `body`.
    """
    text = _without_fences(_without(body, "<!--", "-->") if "<" in body else body)
    for hint, pattern in (("{", _SHORTCODE), ("](", _TARGET), ("][", _TARGET), ("://", _URL), ("<", _MARKUP)):
        if hint[0] in text and hint in text:  # one character is looked for 40 times as fast as two
            text = pattern.sub(" ", text)
    if not text.isascii():
        for mark, instead in _MARKS.items():
            text = text.replace(mark, instead)
    characters = 0
    if not text.isascii():
        text, characters = _CHARACTER.subn(" ", text)
    return _runs(text) + (characters + 1) // 2


def _runs(text: str) -> int:
    """How many pieces between blanks have a letter or a digit."""
    if not text.isascii():
        return sum(1 for word in text.split() if word[0].isalnum() or _LETTER.search(word))
    return (b" " + text.encode("ascii").translate(_TO_LETTERS, _ASCII_MARKS)).count(b" a")


def folded_words(text: str) -> str:
    """The words alone, case-folded and NFKC, one blank between them: equal for texts that read the same."""
    import unicodedata

    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(word.replace("’", "'") for word in _FOLDED.findall(folded))


def _without(text: str, opening: str, closing: str) -> str:
    """`text` without what stands between the two marks; an opening that is never closed stays."""
    kept, at = [], 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start + len(opening))) >= 0:
        kept.append(text[at:start])
        at = end + len(closing)
    return "".join((*kept, text[at:])) if kept else text


def _without_fences(body: str) -> str:
    if not ("`" in body and "```" in body) and not ("~" in body and "~~~" in body):
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


# --- HTML -------------------------------------------------------------------------------------------------------------

# Not allowed in XML 1.0, so not in a feed (facts/feeds.md 7); lone surrogates cannot even be encoded.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ALLOWED = """
    a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption
    figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q rp rt ruby s samp small span strike strong sub
    summary sup table tbody td tfoot th thead time tr tt u ul var
"""
_DROPPED = """
    embed head iframe math noembed noframes noscript object script select style svg template textarea title
"""
_TAGS, _CONTENT_GOES = frozenset(_ALLOWED.split()), frozenset(_DROPPED.split())
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "input": {"checked"},
    "ol": {"start"},
    "li": {"value"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "div": {"id"},
    "abbr": {"title"},
    "time": {"datetime"},
    "details": {"open"},
    "*": {"lang"},
}
_ALIGN = {"align": {"left", "right", "center"}}
_DIRECTION = {"dir": {"ltr", "rtl", "auto"}}
_VALUES = {
    "td": _ALIGN | _DIRECTION,
    "th": _ALIGN | _DIRECTION,
    "input": {"type": {"checkbox"}},
    **dict.fromkeys(("p", "div", "span", "blockquote", "ul", "ol", "li", "table", "h1", "h2", "h3", "h4"), _DIRECTION),
}
_CLASSES = {"div": {"footnote-definition"}, "sup": {"footnote-reference", "footnote-definition-label"}}

_CELL_STYLE = re.compile(r'<(t[dh]) style="text-align: (left|right|center)">')
_ABSOLUTE = ("http://", "https://", "mailto:")
_MAYBE_USELESS = re.compile(r'<(img|input)((?: [\w-]+="[^"]*")*+)>')
_HEADING = re.compile(r"<(h[1-6])(?: [^<>]*)?>(.*?)</\1>\s*", re.S)
_INSIDE_HEADING = re.compile(r"<[^<>]*>")
_NESTING = re.compile(
    r"<(/?)(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|p|li|dt|dd|tr|td|th|option)\b)([a-zA-Z][\w:-]*+)[^<>]*>"
)


def to_html(body: str, *, base_url: str, title: str = "") -> str:
    """A body as safe HTML: tables, footnotes, task lists, strikethrough; site generators' markup reduced.

    Every link and image is absolute against `base_url`, the article's own address (relative ones go without it). A
    first heading that says the `title` again is dropped. Attributes are quoted, elements closed, characters legal in
    XML 1.0: mrml and feeds take it as it is. Deterministic; what is too long or too deep becomes escaped paragraphs.
    """
    body = _clean(body)
    if len(body) > LONGEST:
        return _escaped(body)
    html = _rendered(to_commonmark(body))
    if len(html) > GROWTH * len(body) + 1_000 or _depth(html) > DEEPEST:
        return _escaped(body)
    html = _cleaner(base_url if _has_relative(html, body) else "").clean(html)
    if "<img" in html or "<input" in html:
        html = _MAYBE_USELESS.sub(_useful, html)
    if "&#" in body:
        html = _ILLEGAL.sub("", html)
    return _without_heading(html, title) if title else html


def _clean(body: str) -> str:
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    return _ILLEGAL.sub("", body.removeprefix("\ufeff"))


def _rendered(markdown: str) -> str:
    import pyromark

    html: str = pyromark.html(markdown, options=_options())
    if "<t" in html:
        html = _CELL_STYLE.sub(r'<\1 align="\2">', html)
    if 'class="footnote-' in html:
        html = html.replace(
            '<sup class="footnote-reference"><a href="#', '<sup class="footnote-reference"><a href="#fn-'
        )
    return html


@cache
def _options() -> Any:
    from pyromark import Options

    return Options.ENABLE_TABLES | Options.ENABLE_FOOTNOTES | Options.ENABLE_TASKLISTS | Options.ENABLE_STRIKETHROUGH


def _has_relative(html: str, body: str) -> bool:
    """Whether an address may need the base; asked because the one sanitiser without a base is ready made."""
    if "<" in body:
        return True  # HTML of the author's own, written in any way
    parts = html.split('="')
    return any(name.endswith(("href", "src")) and not value.startswith(_ABSOLUTE) for name, value in pairwise(parts))


@lru_cache(maxsize=16)
def _cleaner(base_url: str) -> nh3.Cleaner:
    """A sanitiser for one address; takes twice as long to make as to use."""
    import nh3

    settings: dict[str, Any] = {
        "tags": set(_TAGS),
        "clean_content_tags": set(_CONTENT_GOES),
        "attributes": _ATTRIBUTES,
        "tag_attribute_values": _VALUES,
        "set_tag_attribute_values": {"input": {"disabled": ""}},
        "allowed_classes": _CLASSES,
        "url_schemes": {"http", "https", "mailto"},
        "link_rel": "noopener",
        "id_prefix": "fn-",
    }
    try:
        return nh3.Cleaner(url_relative=("rewrite_with_base", base_url), **settings)
    except ValueError:  # no address to go by
        return nh3.Cleaner(url_relative="deny", **settings)


def _useful(found: re.Match[str]) -> str:
    """A picture without an address and a field that is no check box show nothing a reader can use."""
    needed = ' src="http' if found[1] == "img" else ' type="checkbox"'
    return found[0] if needed in found[2] else ""


def _depth(html: str) -> int:
    """How deep elements stand inside each other, at most; unclosed ones count, as the sanitiser closes them."""
    if html.count("<") <= DEEPEST:
        return 0
    deepest = depth = 0
    opened: dict[str, int] = {}
    for found in _NESTING.finditer(html):
        name, change = found[2].lower(), -1 if found[1] else 1
        if change > 0 or opened.get(name):  # an end without a beginning ends nothing
            opened[name] = opened.get(name, 0) + change
            depth += change
            deepest = max(deepest, depth)
    return deepest


def _escaped(body: str) -> str:
    """The text as it stands, blank lines between paragraphs."""
    paragraphs = (part.strip() for part in re.split(r"\n[ \t]*+\n\s*+", body))
    return "\n".join(f"<p>{escape(part, quote=False)}</p>" for part in paragraphs if part)


def _without_heading(html: str, title: str) -> str:
    """`html` without its first heading when that has the title's words; below text only a first-level one counts."""
    first = _HEADING.search(html)
    if first is None or (first[1] != "h1" and html[: first.start()].strip().count("<p>") > 1):
        return html
    words = folded_words(unescape(_INSIDE_HEADING.sub("", first[2])))
    return html[: first.start()] + html[first.end() :] if words and words == folded_words(title) else html


# --- plain text -------------------------------------------------------------------------------------------------------

_PIECE = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [\w-]+="[^"]*")*+)>|[^<]+|<')
_BLOCK_TAGS = """
    blockquote caption center details div dl figcaption figure h1 h2 h3 h4 h5 h6 hr ol p pre summary table ul
"""
_BLOCKS, _LINES = frozenset(_BLOCK_TAGS.split()), frozenset({"br", "tr", "dt", "dd"})
_PARAGRAPH, _LINE, _SPACE = "\x01", "\x02", "\x03"  # breaks and hard blanks, until white space is collapsed
_MARKER = re.compile(rf"({_LINE}{_SPACE}*(?:-|\d+\.))\s*+{_PARAGRAPH}\s*+")
_FOOTNOTE_MARK = re.compile(r'<sup class="footnote-reference"><a[^<>]*>([^<]*)</a></sup>')
_FOOTNOTE = re.compile(r'<sup class="footnote-definition-label">([^<]*)</sup>\s*(?:<p>)?')
_ASIDE = re.compile(r"<(h[1-6]|pre|table|figcaption)(?: [^<>]*)?>.*?</\1>", re.S)
_SAID = re.compile(r"[*_`\[<&\\~!#>]")
_NO_TAG = re.compile(
    rf"<(?!/?(?:{'|'.join(sorted(_TAGS | _CONTENT_GOES))})(?:[\s/][^<>]*)?>|!--|https?:|mailto:)", re.I
)
_DUNDER = re.compile(r"(?<!\w)__(?=\w+__(?!\w))|(?<=\w)__(?!\w)")
_LONGEST_STATED = 20_000


def to_text(body: str, *, title: str = "") -> str:
    """A body as plain text: paragraphs parted by blank lines, links as their text, lists with dashes or numbers.

    A first heading that says the `title` again is dropped.
    """
    return text_of(to_html(body, base_url="", title=title))


def lead(body: str, *, title: str = "") -> str:
    """The sentences of a body as plain text, for a summary: no headings, code, tables, captions, footnote marks.

    All of its text where it has no sentences.
    """
    html = to_html(body, base_url="", title=title)
    return text_of(_FOOTNOTE_MARK.sub("", _ASIDE.sub("", html))) or text_of(html)


def plain(text: str) -> str:
    """One line of stated text (a title, a description): Markdown and HTML reduced to what is read, blanks single.

    Braces and tags that HTML does not know are the author's words and stay.
    """
    line = " ".join(_clean(text).split())
    if not _SAID.search(line) or len(line) > _LONGEST_STATED:
        return line
    line = _DUNDER.sub(r"\_\_", _NO_TAG.sub("&lt;", line))
    html = _rendered(line)
    if _depth(html) > DEEPEST:
        return line
    return " ".join(text_of(_cleaner("").clean(html)).split())


def text_of(html: str) -> str:
    """Sanitised HTML as plain text."""
    if "footnote" in html:
        html = _FOOTNOTE.sub(r"[\1] ", _FOOTNOTE_MARK.sub(r"[\1]", html))
    lists: list[int] = []  # of each open list the number of its next item; 0 in one without numbers
    verbatim = 0
    out = []
    for found in _PIECE.finditer(html):
        slash, name, attributes = found.groups()
        if name is None:
            out.append(found[0].replace(" ", _SPACE).replace("\n", _LINE) if verbatim else found[0])
        elif name in _BLOCKS:
            verbatim = max(0, verbatim + (-1 if slash else 1)) if name == "pre" else verbatim
            nested = name in ("ul", "ol") and _list(lists, slash, name, attributes)
            out.append(_LINE if nested else _PARAGRAPH)
        elif name == "li" and not slash:
            out.append(_LINE + _SPACE * 2 * (len(lists) - 1) + _item(lists))
        elif name in _LINES:
            out.append("" if slash else _LINE)
        elif name in ("td", "th"):
            out.append(" " if slash else " | ")
        elif name == "input":
            out.append("[x] " if "checked" in attributes else "[ ] ")
    return _collapsed(unescape("".join(out)))


def _list(lists: list[int], slash: str, name: str, attributes: str) -> bool:
    """Keep count of open lists; whether this one stands inside another."""
    if slash:
        if lists:
            lists.pop()
        return bool(lists)
    start = re.search(r' start="(\d{1,9})"', attributes)
    lists.append((int(start[1]) if start else 1) if name == "ol" else 0)
    return len(lists) > 1


def _item(lists: list[int]) -> str:
    if not lists or not lists[-1]:
        return "- "
    lists[-1] += 1
    return f"{lists[-1] - 1}. "


def _collapsed(text: str) -> str:
    text = _MARKER.sub(r"\1 ", text).replace(f"{_LINE} | ", _LINE)
    paragraphs = ("\n".join(filter(None, map(_single, part.split(_LINE)))) for part in text.split(_PARAGRAPH))
    return "\n\n".join(filter(None, paragraphs)).replace(_SPACE, " ").strip()


def _single(line: str) -> str:
    return " ".join(line.split())
