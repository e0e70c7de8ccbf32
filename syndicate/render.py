"""From the articles of an edition to what people read: subject, preheader, HTML and text.

Templates are the operator's (Jinja in a sandbox, rendered before MJML); what articles say is data and never a template.
Asks neither the network nor the clock: the same input gives the same bytes.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from syndicate.article import Article
from syndicate.config import DigestSettings, EmailSettings, Site
from syndicate.edition import Contents
from syndicate.errors import SyndicateError
from syndicate.language import direction
from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered
from syndicate.markdown import lead, plain, to_html, to_text
from syndicate.prose import cut, grapheme_count, sentences

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

SIZE_LIMIT = 100_000  # bytes of HTML; Gmail hides what comes after 102,400, the way out first of all

_ARTICLE_HERE = "article-html-goes-here"  # set in after MJML, whose parser is strict in the wrong places
_MARK_HOST = re.compile(r"mark\.invalid", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The two links in every letter: marks, filled in for each person, unless a preview wants real ones."""

    unsubscribe: str = UNSUBSCRIBE
    preferences: str = PREFERENCES


MARKS = Links()


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
class Issue:
    """What a template sees of the edition."""

    slug: str
    title: str
    date: datetime
    covered: int
    shown: int
    more: int
    period: Literal["day", "week", "month", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallToAction:
    """The one button. `text` is what the lead article says, whole; `label` fits on a button, "" where nothing does."""

    text: str
    label: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Templates:
    """The owner's templates over the shipped ones, file by file.

    `image_ok` may refuse an image that is known to be missing. Every method raises SyndicateError, naming file and
    line, for a template that is broken or gives nobody a way out.
    """

    folder: Path | None = None
    image_ok: Callable[[str], bool] = field(default=lambda url: True)

    def render_digest(
        self, contents: Contents, site: Site, settings: DigestSettings, email: EmailSettings, links: Links = MARKS
    ) -> tuple[Contents, Rendered]:
        """Render an edition; returns what is in it then, and its text.

        Where the HTML grows too big the last cards become headlines, then the last headlines are only counted.
        """
        cards, headlines, more = list(contents.cards), list(contents.headlines), contents.more
        if not cards:
            raise SyndicateError(f"edition {contents.slug} has no articles")
        while True:
            fitted = replace(contents, cards=tuple(cards), headlines=tuple(headlines), more=more)
            rendered = self._digest(fitted, site, settings, email, links)
            if len(rendered.html.encode()) <= SIZE_LIMIT or not (cards[1:] or headlines):
                return fitted, rendered
            if len(cards) > 1:
                headlines.insert(0, cards.pop())
            else:
                headlines.pop()
                more += 1

    def render_article(
        self, article: Article, site: Site, email: EmailSettings, *, date: datetime, template: str = "article",
        subject: str = "{{ articles[0].title }}", links: Links = MARKS,
    ) -> Rendered:  # fmt: skip
        """Render one article as a letter of its own, whole; a very long one is cut between paragraphs."""
        body = article.manuscript.body
        for _ in range(12):
            rendered = self._article(article, body, site, email, date, template, subject, links)
            if len(rendered.html.encode()) <= SIZE_LIMIT:
                break
            body = _first_half(body)
        return rendered

    def _digest(
        self, contents: Contents, site: Site, settings: DigestSettings, email: EmailSettings, links: Links
    ) -> Rendered:
        cards = [self._card(article) for article in contents.cards]
        headlines = [self._card(article) for article in contents.headlines]
        both = [*cards, *headlines]
        issue = Issue(
            slug=contents.slug,
            title=_one_line(contents.title),
            date=contents.date,
            covered=contents.covered,
            shown=len(both),
            more=contents.more,
            period=_period(settings.schedule),
        )
        context = {"articles": both, "cards": cards, "headlines": headlines, "edition": issue}
        others = max(len(both) - 2, 0) + contents.more
        preheader = [both[1].title if len(both) > 1 else cards[0].sentence or cards[0].subtitle]
        if others and len(both) > 1:
            preheader.append(self._and_more(site, others))
        return self._letter(
            settings.template, settings.subject, f"digests.{settings.name}.subject", " · ".join(preheader), context,
            site=site, email=email, links=links,
        )  # fmt: skip

    def _article(
        self, article: Article, body: str, site: Site, email: EmailSettings, date: datetime, template: str,
        subject: str, links: Links,
    ) -> Rendered:  # fmt: skip
        card = replace(
            self._card(article),
            html=_ARTICLE_HERE,
            text=_clean(to_text(body, title=article.title)),
            cut=body != article.manuscript.body,
        )
        issue = Issue(slug=article.slug, title=card.title, date=date, covered=1, shown=1, more=0, period="")
        context = {"articles": [card], "cards": [card], "headlines": [], "article": card, "edition": issue}
        rendered = self._letter(
            template, subject, "subject", card.sentence or card.subtitle, context, site=site, email=email, links=links
        )
        html = _clean(to_html(body, base_url=article.url, title=article.title))
        return replace(rendered, html=rendered.html.replace(_ARTICLE_HERE, html))

    def _letter(
        self, template: str, subject_source: str, subject_key: str, preheader: str, context: Mapping[str, Any], *,
        site: Site, email: EmailSettings, links: Links,
    ) -> Rendered:  # fmt: skip
        every: dict[str, Any] = {
            **context,
            "site": site,
            "sender": email,
            "links": links,
            "language": site.language.lower().replace("_", "-").partition("-")[0],
            "dir": direction(site.language),
            "start": "left" if direction(site.language) == "ltr" else "right",
            "end": "right" if direction(site.language) == "ltr" else "left",
            "cta": _call_to_action(context["cards"], site),
            "preheader": preheader,
        }
        subject = _one_line(self._run(self._plain, subject_source, every, subject_key)) or context["cards"][0].title
        every["subject"] = subject
        source = self._file(self._markup, f"{template}.mjml", every)
        html = _named(_mjml(source, f"{template}.mjml"), subject)
        text = re.sub(r"\n{3,}", "\n\n", self._file(self._plain, f"{template}.txt", every)).strip() + "\n"
        for name, part in ((f"{template}.mjml", html), (f"{template}.txt", text)):
            if links.unsubscribe not in part:
                raise SyndicateError(f"template {name}: nobody could leave: put {{{{ links.unsubscribe }}}} into it")
        return Rendered(subject=subject, preheader=preheader, html=html, text=text)

    def _card(self, article: Article) -> Card:
        said = article.manuscript
        words = (
            _one_line(plain(said.description or said.subtitle))[:4000]
            or _one_line(lead(said.body[:8000], title=said.title))[:2000]
        )
        image = said.hero_image or ""
        good = bool(re.fullmatch(r"https?://[^\s\"'<>]+", image)) and self.image_ok(image)
        return Card(
            title=_one_line(said.title),
            subtitle=_one_line(said.subtitle),
            url=_clean(article.url),
            summary=first_sentences(words, 2, limit=420),
            sentence=first_sentences(words, 1, limit=180),
            authors=tuple(_one_line(author) for author in said.authors),
            tags=tuple(_one_line(tag) for tag in said.tags),
            reading_time=article.reading_time,
            image=_clean(image) if good else "",
            cta=first_sentences(_one_line(plain(said.cta)), 2, limit=300),
        )

    # --- Jinja ---

    @cached_property
    def _markup(self) -> SandboxedEnvironment:
        return _environment(self._folders(), autoescape=True)

    @cached_property
    def _plain(self) -> SandboxedEnvironment:
        return _environment(self._folders(), autoescape=False)

    def _folders(self) -> list[Path]:
        own = [self.folder / "email", self.folder] if self.folder else []
        return [*own, shipped_templates()]

    def _file(self, environment: SandboxedEnvironment, name: str, context: Mapping[str, Any]) -> str:
        with _blaming(name):
            return environment.get_template(name).render(context)

    def _run(self, environment: SandboxedEnvironment, source: str, context: Mapping[str, Any], key: str) -> str:
        with _blaming(key):
            return environment.from_string(source).render(context)

    def _and_more(self, site: Site, n: int) -> str:
        language = site.language.lower().replace("_", "-").partition("-")[0]
        source = "{%- import 'words.jinja' as w with context -%}{{ w.say('and_more', n=w.count(n)) }}"
        return self._run(self._plain, source, {"language": language, "n": n}, "words.jinja")


def shipped_templates() -> Path:
    """The folder of the shipped templates: beside the package in a wheel, else in the repository."""
    here = Path(__file__).parent
    for folder in (here / "templates" / "email", here.parent / "templates" / "email"):
        if folder.is_dir():
            return folder
    raise SyndicateError("the shipped templates are missing: install syndicate again")


def _environment(folders: Sequence[Path], *, autoescape: bool) -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader([str(folder) for folder in folders]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=not autoescape,
        keep_trailing_newline=True,
    )
    environment.filters["wrap"] = _wrap
    return environment


class _blaming:  # noqa: N801  (reads as a phrase: with _blaming(name))
    """Turns whatever a template raises into an error that names its file and line."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: Any) -> None:
        from jinja2 import TemplateNotFound, TemplateSyntaxError

        if not isinstance(exc, Exception) or isinstance(exc, SyndicateError):
            return
        where, line = self._name, 0
        while trace:  # Jinja puts the template's own file and line into the traceback
            if trace.tb_frame.f_code.co_filename.endswith((".mjml", ".txt", ".jinja")):
                where, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            trace = trace.tb_next
        if isinstance(exc, TemplateSyntaxError):
            where, line = exc.filename or where, exc.lineno
        words = f"there is no template {exc.name}" if isinstance(exc, TemplateNotFound) else str(exc)
        at = f"{where}, line {line}" if line else where
        raise SyndicateError(f"template {at}: {words or type(exc).__name__}") from exc


def _mjml(source: str, name: str) -> str:
    from mjml import mjml2html

    try:
        # Empty fonts and no icon host: a letter asks nothing of third parties.
        return str(mjml2html(source, fonts={}, social_icon_origin="", include_loader=None))
    except ValueError as exc:
        raise SyndicateError(f"template {name}: not MJML after it was filled in: {exc}") from exc


def _named(html: str, subject: str) -> str:
    """The letter's name for screen readers: mrml writes it as a Rust literal, with \\u{301} for an accent."""
    label = f'aria-label="{escape(subject, quote=True)}" aria-roledescription="email"'
    return re.sub(r'aria-label="[^"]*" aria-roledescription="email"', lambda _: label, html, count=1)


# --- words ---------------------------------------------------------------------------------------------------------


def first_sentences(text: str, count: int, *, limit: int) -> str:
    """The first whole sentences that fit into `limit` characters; one too long is cut at a word, with an ellipsis."""
    kept = sentences(text)[:count]
    while kept and grapheme_count(" ".join(kept)) > limit:
        kept.pop()
    return " ".join(kept) or cut(text, limit)


_FOLLOW = re.compile(
    r"\b(?:follow(?:ing)?(?P<whom> (?:us|me|\w+)(?: on \w+)?)|(?:join|connect with) us(?: on \w+)?|síguenos(?: en \w+)?"
    r"|folgen? (?:sie )?uns(?: auf \w+)?|suivez-nous(?: sur \w+)?)",
    re.IGNORECASE,
)


def _call_to_action(cards: Sequence[Card], site: Site) -> CallToAction:
    """The first card's words that has any; of a long sentence the button says only what to do."""
    text = next((card.cta for card in cards if card.cta), "")
    label = text if len(text) <= 48 else ""
    if not label and (found := _FOLLOW.search(text)):
        label = f"Follow{found['whom']}" if found["whom"] else found[0][:1].upper() + found[0][1:]
    return CallToAction(text=text, label=label, url=site.cta_url)


def _period(schedule: str) -> Literal["day", "week", "month", ""]:
    """What an edition speaks of, from its calendar: crontab(5), "FRI 09:00", "daily 09:00", "each"."""
    words = schedule.lower().split()
    if len(words) == 5:
        day, _, weekday = words[2:]
        if weekday not in ("*", "?"):
            return "day" if re.search(r"[-,/]", weekday) else "week"
        return "day" if day in ("*", "?") or re.search(r"[-,/]", day) else "month"
    if len(words) == 2:
        return "day" if words[0] == "daily" else "week"
    return ""


def _clean(text: str) -> str:
    """Text that can neither forge a mark nor break a parser."""
    return _CONTROL.sub(" ", _MARK_HOST.sub("mark-invalid", text))


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    """Lines of at most 72, addresses whole, lines that were broken on purpose kept."""
    out = []
    for line in str(text).split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        out.append(
            textwrap.fill(
                line, 72, initial_indent=first, subsequent_indent=rest or indent, break_long_words=False,
                break_on_hyphens=False,
            )
        )  # fmt: skip
    return "\n".join(out)


def _first_half(body: str) -> str:
    """The first half of a Markdown body, whole paragraphs."""
    paragraphs = body.split("\n\n")
    if len(paragraphs) > 1:
        return "\n\n".join(paragraphs[: len(paragraphs) // 2])
    return body[: len(body) // 2]
