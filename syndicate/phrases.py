"""The fixed words of letters in the reader's language: the phrases of words.toml, and the lines made of them.

The owner's words.toml is laid over the shipped one, phrase by phrase. Never sees an article's text but its authors.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from syndicate.cards import Card
from syndicate.errors import SyndicateError


class Counted(Protocol):
    """What of an edition is spoken of; `period` is "day", "week", "month" or ""."""

    @property
    def covered(self) -> int: ...
    @property
    def shown(self) -> int: ...
    @property
    def period(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Words:
    """What templates have as `w`: plain text, which they escape where they need to."""

    phrases: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """A phrase with its gaps filled. Raises SyndicateError naming the phrase where that cannot be done."""
        try:
            return self.phrases[key].format_map(values).strip()
        except (KeyError, IndexError, ValueError, AttributeError) as exc:
            gaps = ", ".join(f"{{{name}}}" for name in values) or "no gaps"
            raise SyndicateError(f"template words.toml: {key} may have {gaps}, not {exc}") from exc

    def count(self, n: int) -> str:
        return f"{n:,}".replace(",", self.phrases["comma"])

    def day(self, date: datetime) -> str:
        months = self.phrases["months"].split()
        if len(months) != 12:
            raise SyndicateError(f"template words.toml: months are twelve words, not {len(months)}")
        return self.say("date", day=date.day, month=months[date.month - 1], year=date.year)

    def tally(self, edition: Counted) -> str:
        """ "12 of 1,263 this week"; nothing for a letter with a single article and nothing beside it."""
        if edition.covered > edition.shown:
            return self.say("of", shown=edition.shown, all=self.count(edition.covered), period=self._period(edition))
        return self.say("only", all=edition.shown, period=self._period(edition)) if edition.shown > 1 else ""

    def also(self, edition: Counted) -> str:
        return self.say("also", period=self._period(edition)) if edition.period else self.say("also_plain")

    def more(self, n: int, site: str) -> str:
        return self.say("one_more_on", site=site) if n == 1 else self.say("more_on", n=self.count(n), site=site)

    def credit(self, article: Card) -> str:
        """ "By Ann Lee · 4 min read"."""
        said = [self.say("by", author=", ".join(article.authors))] if article.authors else []
        if article.reading_time:
            said.append(self.say("minutes", n=article.reading_time))
        return " · ".join(said)

    def _period(self, edition: Counted) -> str:
        return self.phrases[edition.period] if edition.period else ""


def words(folders: Sequence[Path], language: str) -> Words:
    """The words for a language tag ("pt-BR"), in English where there are none; the first folder wins.

    Raises SyndicateError for a words.toml that cannot be read.
    """
    tables = [_tables(folder / "words.toml") for folder in reversed(folders)]
    tag = language.lower()
    order = [table.get(name, {}) for name in ("en", tag.partition("-")[0], tag) for table in tables]
    return Words({key: phrase for table in order for key, phrase in table.items()})


def _tables(file: Path) -> Mapping[str, Mapping[str, str]]:
    try:
        stamp = file.stat()
        return _tables_of(file, stamp.st_mtime_ns, stamp.st_size)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise SyndicateError(f"template {file}: {exc}") from exc


@lru_cache(8)
def _tables_of(file: Path, changed: int, size: int) -> Mapping[str, Mapping[str, str]]:
    """Kept until the file is another (`changed`, `size`); raises ValueError for anything but tables of texts."""
    read = tomllib.loads(file.read_text("utf-8"))
    for language, table in read.items():
        if not isinstance(table, dict):
            raise ValueError(f"{language} is no table: write [{language}] above the phrases of that language")
        for key, phrase in table.items():
            if not isinstance(phrase, str):
                raise ValueError(f"{language}.{key} is no text: put it in quotation marks")
    return {language.lower(): table for language, table in read.items()}
