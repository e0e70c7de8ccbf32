"""What a letter shows of an article: its card, the words of its button, its text as one would write it by hand.

Pure. Never a template, never HTML of a letter; whatever leaves here can neither forge a mark nor break a parser.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape, unescape

from syndicate.article import Article
from syndicate.markdown import lead, plain, text_of, to_html
from syndicate.prose import TURNS, cut, grapheme_count, sentences

WIDTH = 72  # characters of a line of text

_MARK_HOST = re.compile(r"mark\.invalid", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MOST_SAID = 420  # characters below the title of the lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a template sees of an article."""

    title: str
    subtitle: str = ""
    url: str
    summary: str = ""  # two whole sentences
    sentence: str = ""  # one
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    reading_time: int = 0  # minutes
    image: str = ""
    cta: str = ""
    html: str = ""  # the whole article, in a letter of its own
    text: str = ""
    cut: bool = False  # the letter holds its beginning only


@dataclass(frozen=True, slots=True, kw_only=True)
class CallToAction:
    """The one button. `text` is what the lead article says, whole; `label` fits on a button, "" where nothing does."""

    text: str
    label: str
    url: str


def card(article: Article, image_ok: Callable[[str], bool]) -> Card:
    """The card of an article; `image_ok` may refuse its picture."""
    said = article.manuscript
    title = one_line(said.title)
    words = (
        one_line(plain(said.description or said.subtitle))[:4000]
        or one_line(lead(said.body[:8000], title=said.title))[:2000]
    )
    image = said.hero_image or ""
    good = bool(re.fullmatch(r"https?://[^\s\"'<>]+", image)) and image_ok(image)
    return Card(
        title=title,
        subtitle=one_line(said.subtitle),
        url=clean(article.url),
        summary=_summary(words, room=_room(title) if good else _MOST_SAID),
        sentence=first_sentences(words, 1, limit=180),
        authors=tuple(one_line(author) for author in said.authors),
        tags=tuple(one_line(tag) for tag in said.tags),
        reading_time=article.reading_time,
        image=clean(image) if good else "",
        cta=first_sentences(one_line(plain(said.cta)), 2, limit=300),
    )


def _summary(words: str, *, room: int) -> str:
    """Two sentences; one where two leave no room."""
    two = first_sentences(words, 2, limit=_MOST_SAID)
    return two if grapheme_count(two) <= room else first_sentences(words, 1, limit=_MOST_SAID)


def _room(title: str) -> int:
    """Characters for the sentences of a lead with a picture, so that the next title shows on 375 x 740 pixels.

    That stands between the smallest phones (667) and the usual (812). A line of the title is 30 pixels and 26
    characters, one of the sentences 24 and 38; 330 pixels are for both.
    """
    lines = -(-grapheme_count(title) // 26)
    return max((330 - 30 * lines) // 24, 4) * 38


_BUTTON = 48  # characters that fit
# Whom to follow: us, or a whole name up to where it is found; one cut short would be nobody's.
_NAME = r"(?-i:[^\W\d_a-zß-ÿ][\w'’&-]*(?: (?:&|[^\W\d_a-zß-ÿ][\w'’&-]*)){0,5})"
_FOLLOW = re.compile(
    rf"\b(?:follow(?:ing)?(?P<whom> (?:us|me)\b(?: on \w+)?| {_NAME} on \w+)|(?:join|connect with) us(?: on \w+)?"
    r"|síguenos(?: en \w+)?|folgen? (?:sie )?uns(?: auf \w+)?|suivez-nous(?: sur \w+)?)",
    re.IGNORECASE,
)


def call_to_action(cards: Sequence[Card], url: str) -> CallToAction:
    """The first card's words that has any; of a long sentence the button says only what to do."""
    text = next((card.cta for card in cards if card.cta), "")
    label = text
    if len(text) > _BUTTON:
        found = _FOLLOW.search(text)
        label = found[0][:1].upper() + found[0][1:] if found else ""
        if found and found["whom"]:
            label = f"Follow{found['whom']}"
    return CallToAction(text=text, label=label if len(label) <= _BUTTON else "", url=url)


def first_sentences(text: str, count: int, *, limit: int) -> str:
    """The first whole sentences that fit into `limit` characters; one too long is cut at a word, with an ellipsis."""
    kept = sentences(text[: 8 * limit])[:count]
    while kept and grapheme_count(" ".join(kept)) > limit:
        kept.pop()
    return " ".join(kept) or cut(text, limit)


def clean(text: str) -> str:
    """Text that can neither forge a mark nor break a parser."""
    return _CONTROL.sub(" ", _MARK_HOST.sub("mark-invalid", text))


def one_line(text: str) -> str:
    """Clean, without line breaks and without what would turn the words after it around."""
    return " ".join(clean(text).translate(TURNS).split())


# --- an article as text -----------------------------------------------------------------------------------------------

_LINK = re.compile(r'<a (?:[^<>]*? )?href="((?:https?:|mailto:)[^"]*)"[^<>]*>(.*?)</a>', re.DOTALL)
_HEADING = re.compile(r"<(h[12])(?: [^<>]*)?>(.*?)</\1>", re.DOTALL)
_QUOTE = re.compile(r"<blockquote(?: [^<>]*)?>((?:(?!</?blockquote\b).)*+)</blockquote>", re.DOTALL)
_NUMBER = re.compile(r'<sup class="footnote-definition-label">(\d{1,4})</sup>')
_DEEPEST_QUOTE = 8
_LISTED = re.compile(r"\[\d+\] (?:https?:|mailto:)\S+$")
_PREFIX = re.compile(r"(\s*)((?:> ?)*)((?:[-*] |\d{1,4}\. )?)")


def written(body: str, *, base_url: str, title: str) -> str:
    """A Markdown body as one would write it by hand: headings underlined, quotes behind ">", links numbered below."""
    html = to_html(body, base_url=base_url, title=title)
    links: dict[str, int] = {}
    taken = max((int(number) for number in _NUMBER.findall(html)), default=0)

    def numbered(found: re.Match[str]) -> str:
        address, words = unescape(found[1]), text_of(found[2])
        if not words or words in (address, address.removeprefix("mailto:")) or address.startswith(f"{base_url}#"):
            return found[0]
        return f"{found[2]} [{links.setdefault(address, taken + len(links) + 1)}]"

    html = _HEADING.sub(_underlined, _LINK.sub(numbered, html))
    for _ in range(_DEEPEST_QUOTE):
        html, changed = _QUOTE.subn(_quoted, html)
        if not changed:
            break
    listed = "\n".join(f"[{number}] {address}" for address, number in links.items())
    return clean(f"{text_of(html)}\n\n{listed}".strip())


def _underlined(found: re.Match[str]) -> str:
    words = text_of(found[2])
    return f"<{found[1]}>{found[2]}<br>{'-' * min(len(words), WIDTH)}</{found[1]}>" if words else ""


def _quoted(found: re.Match[str]) -> str:
    lines = (f"> {line}" if line else ">" for line in wrap(text_of(found[1]), width=WIDTH - 2).split("\n"))
    return f"<pre>{escape(chr(10).join(lines), quote=False)}</pre>"


def wrap(text: str, first: str = "", rest: str = "", *, width: int = WIDTH) -> str:
    """Lines of at most `width`, addresses whole, lines that were broken on purpose kept.

    What follows a line of a list stands below its words, what follows a quoted one is quoted.
    """
    out = []
    for line in str(text).split("\n"):
        if _LISTED.match(line):
            out.append(line)
            continue
        found = _PREFIX.match(line)
        hung = f"{found[1]}{found[2]}{' ' * len(found[3])}" if found else ""
        out.append(
            textwrap.fill(
                line, width, initial_indent=first, subsequent_indent=rest or hung, break_long_words=False,
                break_on_hyphens=False,
            )
        )  # fmt: skip
    return "\n".join(out)
