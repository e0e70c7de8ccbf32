"""From the articles of an edition to what people read: subject, preheader, HTML and text.

Templates are the operator's (Jinja in a sandbox, rendered before MJML); what articles say is data and never a template.
Asks neither the network nor the clock: the same input gives the same bytes.
"""

from __future__ import annotations

import os.path
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from html import escape
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

from syndicate.article import Article
from syndicate.cards import Card, call_to_action, card, clean, one_line, wrap, written
from syndicate.colour import palette
from syndicate.config import DigestSettings, EmailSettings, Site
from syndicate.edition import Contents
from syndicate.errors import SyndicateError
from syndicate.language import direction
from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered
from syndicate.markdown import to_html
from syndicate.phrases import words

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from jinja2.sandbox import SandboxedEnvironment

SIZE_LIMIT = 100_000  # bytes of HTML; Gmail hides what comes after 102,400, the way out first of all

_ARTICLE_HERE = "https://article.mark.invalid/"  # set in after MJML, whose parser is strict in the wrong places


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The two links in every letter: marks, filled in for each person, unless a preview wants real ones."""

    unsubscribe: str = UNSUBSCRIBE
    preferences: str = PREFERENCES


MARKS = Links()


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
        if not contents.cards:
            raise SyndicateError(f"edition {contents.slug} has no articles")
        cards = [card(article, self.image_ok) for article in (*contents.cards, *contents.headlines)]
        tried: dict[int, tuple[Contents, Rendered]] = {}

        def fits(given_up: int) -> bool:
            fitted = _without(contents, given_up)
            rendered = self._digest(fitted, cards, site, settings, email, links)
            tried[given_up] = fitted, rendered
            return len(rendered.html.encode()) <= SIZE_LIMIT

        if fits(0):
            return tried[0]
        most = 2 * (len(contents.cards) - 1) + len(contents.headlines)
        fewest = min(1 + bisect_left(range(1, most + 1), True, key=fits), most)
        return tried[fewest]

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

    def render_notice(self, name: str, **context: Any) -> str:
        """A plain text of the program itself to one person, as NAME.txt has it."""
        return _file(self._plain, f"{name}.txt", context)

    def _digest(
        self, contents: Contents, shown: Sequence[Card], site: Site, settings: DigestSettings, email: EmailSettings,
        links: Links,
    ) -> Rendered:  # fmt: skip
        """`shown` are the cards of all that was to be in it, in its order."""
        both = shown[: len(contents.cards) + len(contents.headlines)]
        cards, headlines = both[: len(contents.cards)], both[len(contents.cards) :]
        issue = Issue(
            slug=contents.slug,
            title=one_line(contents.title),
            date=contents.date,
            covered=contents.covered,
            shown=len(both),
            more=contents.more,
            period=_period(settings.schedule),
        )
        context = {**self._around(site, email, links), "articles": both, "cards": cards, "headlines": headlines}
        context |= {"edition": issue}
        others = max(len(both) - 2, 0) + contents.more
        preheader = [both[1].title if len(both) > 1 else cards[0].sentence or cards[0].subtitle]
        if others and len(both) > 1:
            with _blaming("words.jinja"):
                preheader.append(context["w"].say("and_more", n=context["w"].count(others)))
        key = f"digests.{settings.name}.subject"
        return self._letter(settings.template, settings.subject, key, " · ".join(preheader), context)

    def _article(
        self, article: Article, body: str, site: Site, email: EmailSettings, date: datetime, template: str,
        subject: str, links: Links,
    ) -> Rendered:  # fmt: skip
        shown = replace(
            card(article, self.image_ok),
            html=_ARTICLE_HERE,
            text=written(body, base_url=article.url, title=article.title),
            cut=body != article.manuscript.body,
        )
        issue = Issue(slug=article.slug, title=shown.title, date=date, covered=1, shown=1, more=0, period="")
        context = {**self._around(site, email, links), "articles": [shown], "cards": [shown], "headlines": []}
        context |= {"article": shown, "edition": issue}
        rendered = self._letter(template, subject, "subject", shown.sentence or shown.subtitle, context)
        html = clean(to_html(body, base_url=article.url, title=article.title))
        return replace(rendered, html=rendered.html.replace(_ARTICLE_HERE, html))

    def _around(self, site: Site, email: EmailSettings, links: Links) -> dict[str, Any]:
        """What every template sees beside the articles."""
        way = direction(site.language)
        address = "\n".join(map(one_line, email.postal_address.splitlines()))
        here = {
            "site": site.model_copy(update={"title": one_line(site.title), "author": one_line(site.author)}),
            "sender": email.model_copy(update={"postal_address": address}),
            "links": links,
            "colour": palette(site.accent),
            "language": site.language.lower().partition("-")[0],
            "dir": way,
            "start": "left" if way == "ltr" else "right",
            "end": "right" if way == "ltr" else "left",
        }
        return {**here, "w": self._words(here)}

    def _letter(
        self, template: str, subject_source: str, subject_key: str, preheader: str, context: dict[str, Any]
    ) -> Rendered:
        cta = call_to_action(context["cards"], context["site"].cta_url)
        every = {**context, "cta": cta, "preheader": preheader}
        with _blaming(subject_key):
            subject = one_line(_compiled(self._plain, subject_source).render(every)) or context["cards"][0].title
        every["subject"] = subject
        html = _named(_mjml(_file(self._markup, f"{template}.mjml", every), f"{template}.mjml"), subject)
        text = re.sub(r"\n{4,}", "\n\n\n", _file(self._plain, f"{template}.txt", every)).strip() + "\n"
        for name, part in ((f"{template}.mjml", html), (f"{template}.txt", text)):
            if context["links"].unsubscribe not in part:
                raise SyndicateError(f"template {name}: nobody could leave: put {{{{ links.unsubscribe }}}} into it")
        return Rendered(subject=subject, preheader=preheader, html=html, text=text)

    def _words(self, context: Mapping[str, Any]) -> Any:
        """The words of the letters; what a words.jinja of the owner's defines goes before them."""
        spoken = words(self._folders(), context["site"].language)
        if not any((folder / "words.jinja").exists() for folder in self._folders()):
            return spoken
        with _blaming("words.jinja"):
            made = vars(self._plain.get_template("words.jinja").make_module({**context, "w": spoken}))
        own = {name: _said(value) if callable(value) else value for name, value in made.items() if name[0] != "_"}
        ours = {name: getattr(spoken, name) for name in dir(spoken) if name[0] != "_"}
        return SimpleNamespace(**{**ours, **own})

    @property
    def _markup(self) -> SandboxedEnvironment:
        return _environment(self._folders(), autoescape=True)

    @property
    def _plain(self) -> SandboxedEnvironment:
        return _environment(self._folders(), autoescape=False)

    def _folders(self) -> tuple[Path, ...]:
        own = (self.folder / "email", self.folder) if self.folder else ()
        return (*own, shipped_templates())


def shipped_templates() -> Path:
    """The folder of the shipped templates: beside the package in a wheel, else in the repository."""
    here = Path(__file__).parent
    for folder in (here / "templates" / "email", here.parent / "templates" / "email"):
        if folder.is_dir():
            return folder
    raise SyndicateError("the shipped templates are missing: install syndicate again")


# --- Jinja ------------------------------------------------------------------------------------------------------------


@lru_cache(8)
def _environment(folders: tuple[Path, ...], *, autoescape: bool) -> SandboxedEnvironment:
    """Compiled templates are kept for the process; a file that changed, came or went is noticed."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    class FirstOfFolders(FileSystemLoader):
        def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
            source, found, fresh = super().get_source(environment, template)
            paths = (folder / template for folder in folders)
            ahead = list(takewhile(lambda file: os.path.normpath(file) != found, paths))
            return source, found, lambda: fresh() and not any(file.exists() for file in ahead)

    environment = SandboxedEnvironment(
        loader=FirstOfFolders([str(folder) for folder in folders]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        optimized=False,  # folding constants, of which templates have few, is a tenth of compiling
        trim_blocks=not autoescape,
        keep_trailing_newline=True,
    )
    environment.filters["wrap"] = wrap
    return environment


@lru_cache(32)
def _compiled(environment: SandboxedEnvironment, source: str) -> Template:
    return environment.from_string(source)


def _file(environment: SandboxedEnvironment, name: str, context: Mapping[str, Any]) -> str:
    with _blaming(name):
        return environment.get_template(name).render(context)


def _said(macro: Callable[..., str]) -> Callable[..., str]:
    # Called straight from a template that escapes, a macro would answer markup, whatever is in it.
    return lambda *given, **named: str(macro(*given, **named))


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


def _without(contents: Contents, given_up: int) -> Contents:
    """The edition after that many steps down: first cards become headlines, then headlines are only counted."""
    kept = max(len(contents.cards) - given_up, 1)
    headlines = (*contents.cards[kept:], *contents.headlines)
    dropped = given_up - (len(contents.cards) - kept)
    return replace(
        contents,
        cards=contents.cards[:kept],
        headlines=headlines[: len(headlines) - dropped],
        more=contents.more + dropped,
    )


def _first_half(body: str) -> str:
    """The first half of a Markdown body, whole paragraphs."""
    paragraphs = body.split("\n\n")
    if len(paragraphs) > 1:
        return "\n\n".join(paragraphs[: len(paragraphs) // 2])
    return body[: len(body) // 2]
