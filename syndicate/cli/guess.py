"""What a site's folder tells of it: its generator, its title and address, where its articles are. Asks nobody."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syndicate.errors import ContentError, SourceError
from syndicate.survey import Piece

if TYPE_CHECKING:
    from syndicate.article import Manuscript

NOWHERE = "https://www.example.org"
_LARGEST = 200_000  # characters of a settings file

# The settings of site generators, most telling first; a name shared by two is decided by what stands in it.
_GENERATORS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Astro", ("astro.config.mjs", "astro.config.ts", "astro.config.js", "astro.config.mts")),
    ("Hugo", ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config/_default/hugo.toml",
              "config/_default/config.toml", "config.toml", "config.yaml", "config.yml")),
    ("Jekyll", ("_config.yml", "_config.yaml", "_config.toml")),
    ("Eleventy", (".eleventy.js", "eleventy.config.js", "eleventy.config.mjs", "eleventy.config.cjs",
                  "_data/metadata.json", "_data/site.json", "src/_data/metadata.json", "src/_data/site.json")),
    ("Pelican", ("pelicanconf.py",)),
    ("Docusaurus", ("docusaurus.config.js", "docusaurus.config.ts")),
    ("MkDocs", ("mkdocs.yml",)),
    ("Gatsby", ("gatsby-config.js", "gatsby-config.ts")),
    ("Next.js", ("next.config.js", "next.config.mjs", "next.config.ts", "next-sitemap.config.js")),
)  # fmt: skip
_TITLES = ("title", "site_name", "SITENAME")
_ADDRESSES = ("baseURL", "base_url", "url", "site", "site_url", "siteUrl", "SITEURL", "homepage")
_LANGUAGES = (
    "languageCode",
    "default_language",
    "defaultContentLanguage",
    "lang",
    "language",
    "locale",
    "DEFAULT_LANG",
)
_ZONES = ("timezone", "timeZone", "TIMEZONE")

# Where articles are, best first; below a name with a slash at its end the collection with most of them.
_CONTENT = ("_posts", "src/content/", "src/data/", "content/", "src/posts", "posts", "articles", "blog", "src/pages/",
            "data/", "docs")  # fmt: skip
_COLLECTIONS = frozenset(
    {
        "news",
        "blog",
        "blogs",
        "post",
        "posts",
        "article",
        "articles",
        "stories",
        "journal",
        "writing",
        "essays",
        "notes",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What the folder tells; empty where it tells nothing."""

    generator: str = ""
    title: str = ""
    url: str = ""
    language: str = ""
    timezone: str = ""
    content: str = "."


def guess(folder: Path) -> Guess:
    """Read the settings of the site's generator and look where the articles are."""
    generator, said = _settings(folder)
    if not said.get("url") and (homepage := _flat(_table(folder / "package.json")).get("homepage")):
        said = {**said, "homepage": homepage}
    address = _address(said) or _domain(folder / "CNAME")
    return Guess(
        generator=generator,
        title=_stated(said, *_TITLES),
        url=address,
        language=_stated(said, *_LANGUAGES).replace("_", "-"),
        timezone=_zone(_stated(said, *_ZONES)),
        content=content_of(folder),
    )


def patterns(found: Guess) -> tuple[str, ...]:
    """How such sites form the addresses of articles, likeliest first."""
    section = PurePosixPath(found.content).name
    if found.generator == "Jekyll":
        dated = "{site_url}/{year}/{month}/{day}/{slug}"
        return f"{dated}.html", f"{dated}/", "{site_url}/{slug}/", "{site_url}/blog/{slug}/", "{site_url}/posts/{slug}/"
    own = [f"{{site_url}}/{section}/{{{name}}}/" for name in ("slug", "path") if section.lower() in _COLLECTIONS]
    plain = ("{site_url}/{slug}/", "{site_url}/{path}/")
    others = tuple(f"{{site_url}}/{name}/{{slug}}/" for name in ("blog", "posts", "news", "articles"))
    first = (*own, *plain) if found.generator else (*plain[:1], *own, *plain[1:])
    return tuple(dict.fromkeys((*first, *others, "{site_url}/{year}/{month}/{slug}/")))


def _settings(folder: Path) -> tuple[str, dict[str, str]]:
    """The generator and everything its settings state at the top."""
    generator, said = "", dict[str, str]()
    for name, files in _GENERATORS:
        present = [folder / file for file in files if (folder / file).is_file()]
        if not present:
            continue
        for file in present:
            said = {**_flat(_table(file)), **said}
        if name == "Hugo" and "base_url" in said:
            return "Zola", said
        if name == "Hugo" and present[0].name.startswith("config.") and not (
            "baseURL" in said or (folder / "archetypes").is_dir()
        ):  # fmt: skip
            said = {}  # a name that many programs use, this one too
            continue
        generator = name
        break
    return generator, said


def _address(said: Mapping[str, str]) -> str:
    """The stated address; Jekyll and Astro state the folder below the host apart."""
    from syndicate.config.values import base_address

    stated = _stated(said, *_ADDRESSES).rstrip("/")
    below = _stated(said, "baseurl", "base", "baseUrl").strip("/")
    if stated and below and "/" not in stated.partition("://")[2] and "://" not in below:
        stated += f"/{below}"
    with suppress(ValueError):
        return base_address(stated)
    return ""


def _domain(file: Path) -> str:
    """GitHub Pages: a file with the domain and nothing else."""
    text = _text(file).strip()
    return f"https://{text.lower()}" if re.fullmatch(r"[A-Za-z0-9.-]{3,253}", text) and "." in text else ""


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key if name else ""
    except (ValueError, KeyError, OSError):
        return ""


def _stated(said: Mapping[str, str], *names: str) -> str:
    return next((said[name] for name in names if said.get(name)), "")


def _table(file: Path) -> Mapping[str, Any] | str:
    """A settings file as its table, or as its text where it is a program or broken."""
    text = _text(file)
    try:
        if file.suffix == ".toml":
            return tomllib.loads(text)
        if file.suffix == ".json":
            return _as_table(json.loads(text))
        if file.suffix in (".yml", ".yaml"):
            import yaml

            return _as_table(yaml.safe_load(text))
    except (ValueError, RecursionError, LookupError, TypeError):
        pass
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "yaml":
            raise
    return text


def _as_table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_LINE = re.compile(r"""(?:^|[{,(])[ \t]*["']?(\w{2,20})["']?[ \t]*[:=][ \t]*(["'])([^"'\n]{1,500})\2""", re.M)


def _flat(table: Mapping[str, Any] | str) -> dict[str, str]:
    """The single values at the top; of a program what looks like them."""
    if isinstance(table, str):
        pairs: Iterator[tuple[Any, Any]] = ((found[1], found[3]) for found in reversed(list(_LINE.finditer(table))))
    else:
        pairs = iter(table.items())
    return {str(name): " ".join(value.split()) for name, value in pairs if isinstance(value, str) and value.strip()}


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_LARGEST)
    except OSError:
        return ""


# --- articles ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The articles of a folder: how many files, those that may be public by what addresses are made of, all days."""

    files: int
    pieces: tuple[Piece, ...] = ()
    days: tuple[date, ...] = ()


def content_of(folder: Path) -> str:
    """The folder of the articles, relative to the site's; "." where none of the usual ones holds any."""
    for name in _CONTENT:
        path = folder / name
        if not path.is_dir():
            continue
        counts: dict[str, int] = {}
        if name.endswith("/"):
            below = sorted(child.name for child in path.iterdir() if child.name.lower() in _COLLECTIONS)
            counts = {f"{name}{child}": _files_in(path / child) for child in below if (path / child).is_dir()}
        if not any(counts.values()):
            counts = {name.rstrip("/"): _files_in(path)}
        best = max(counts, key=lambda one: (counts[one], one))
        if counts[best]:
            return best
    return "."


def _files_in(path: Path) -> int:
    from syndicate.config import SourceSettings
    from syndicate.sources.folder import Folder

    try:
        return len(Folder(SourceSettings(path=path)).look())
    except SourceError:
        return 0


def read_articles(path: Path, zone: ZoneInfo, now: datetime) -> Shelf:
    """Read every file of the articles' folder. Raises SourceError for a folder that cannot be read."""
    from syndicate import manuscript
    from syndicate.config import SourceSettings
    from syndicate.sources.folder import Folder, written

    folder = Folder(SourceSettings(path=path))
    seen = folder.look()
    pieces: list[Piece] = []
    days: list[date] = []
    for name, stat in seen.items():
        try:
            said = manuscript.read(folder.read(name, stat), name, zone)
        except ContentError:
            continue
        born = _moment(said.created or said.published, zone)
        if born is not None:
            days.append(_day(born, zone))
        if not _is_later(said, zone, now) and said.words:
            pieces.append(_piece(said, name, zone, born or datetime.fromtimestamp(written(stat), UTC)))
    return Shelf(files=len(seen), pieces=tuple(pieces), days=tuple(days))


def _piece(said: Manuscript, path: str, zone: ZoneInfo, at: datetime) -> Piece:
    stated = _moment(said.published or said.created, zone)
    return Piece(
        slug=said.slug,
        path=str(PurePosixPath(path).with_suffix("")),
        day=_day(stated, zone) if stated else None,
        at=at,
        link=said.link,
    )


def _is_later(said: Manuscript, zone: ZoneInfo, now: datetime) -> bool:
    """Whether nobody can have seen it yet."""
    stated = _moment(said.published, zone)
    return said.draft or (stated is not None and stated > now)


def _moment(text: str | None, zone: ZoneInfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=zone) if moment and moment.tzinfo is None else moment


def _day(moment: datetime, zone: ZoneInfo) -> date:
    try:
        return moment.astimezone(zone).date()
    except OverflowError:  # year 1 or 9999 in a zone that crosses it
        return moment.date()
