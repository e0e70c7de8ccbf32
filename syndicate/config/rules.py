"""What a value must be beyond its type. Every rule takes a value and returns it, or raises ValueError with a sentence
for the owner.
"""

from __future__ import annotations

import base64
import os.path
import re
import string
import warnings
import zoneinfo
from collections.abc import Sequence
from difflib import get_close_matches
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from syndicate.config.schedule import cron
from syndicate.config.values import Secret, shown

RESERVED = ("webhook", "webhooks", "channels", "clock", "all", "none", "true", "false")
"""Words of the command line, of front matter and of the ledger that nothing may be called; nor may it be called like a
channel's table: `loading` looks for those."""

MOST_OLD_SECRETS = 4
PLACEHOLDERS = ("site_url", "slug", "path", "year", "month", "day")


def one_line(text: str) -> str:
    if not not_empty(text).isprintable():
        raise ValueError("holds a line break or control character: write it on one line")
    return text


def not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is missing: add it")
    return text


def label(text: str) -> str:
    """A name that is only shown."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a name of visible characters")
    return text


def name(text: str) -> str:
    """A name that is typed on command lines and becomes part of addresses and file names."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError(
            f"{shown(text)} is not a usable name: use letters, digits, dot, dash and underscore, 64 at most"
        )
    return text


def texts(entries: tuple[str, ...]) -> tuple[str, ...]:
    if not all(entry.strip() for entry in entries):
        raise ValueError("holds an empty text: remove it")
    return entries


def patterns(entries: tuple[str, ...]) -> tuple[str, ...]:
    """File patterns relative to the source's folder."""
    for entry in texts(entries):
        if entry.startswith(("/", "~")) or ".." in entry.split("/"):
            raise ValueError(f"{shown(entry)} leads out of the source's folder: patterns are relative to `path`")
    return entries


def expressions(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(entry)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{shown(entry)} is not a regular expression: {error}") from None
    return entries


def language(text: str) -> str:
    """The shape of a language tag (RFC 5646 section 2.1)."""
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", text):
        raise ValueError(f'{shown(text)} is not a language: write "en", "de" or "pt-BR"')
    return text


def timezone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, KeyError, OSError):
        known = zoneinfo.available_timezones()
        raise ValueError(
            f'{shown(text)} is not a time zone{nearest(text, known)}: write one like "Europe/Berlin"'
        ) from None
    return text


def colour(text: str) -> str:
    """A colour as CSS writes it in full, in small letters."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ValueError(f'{shown(text)} is not a colour: write # and six digits, like "#0b5d86"')
    return text.lower()


def host(text: str) -> str:
    if not re.fullmatch(r"[^\s/@\x00-\x1f]+", text):
        raise ValueError(f'{shown(text)} is not a host: write a name or an address, like "127.0.0.1"')
    return text


def hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(host(entry) for entry in entries)


def networks(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks (RFC 4632 section 3.1), as Python writes them; none that is everybody's."""
    return tuple(_network(entry.strip()) for entry in entries)


def _network(text: str) -> str:
    import ipaddress

    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{shown(text)} is no address or network: write 192.0.2.7 or 192.0.2.0/24") from None
    if found.prefixlen == 0:
        raise ValueError(f"{shown(text)} is everybody: name your proxies")
    return str(found)


def existing_file(path: Path | None) -> Path | None:
    if path is not None and not os.path.isfile(path):  # noqa: PTH113 - never raises, as is_file does for long names
        raise ValueError(f"there is no file {shown(str(path))}")
    return path


def existing_folder(path: Path | None) -> Path | None:
    if path is not None and not os.path.isdir(path):  # noqa: PTH112 - never raises
        raise ValueError(f"there is no folder {shown(str(path))}: make it with `syndicate init --templates`")
    return path


def article_url(text: str) -> str:
    """A pattern for addresses with {site_url}, {slug}, {path}, {year}, {month}, {day}."""
    allowed = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
    try:
        found = [(field, spec, how) for _, field, spec, how in string.Formatter().parse(text) if field is not None]
    except ValueError:
        raise ValueError(f"{shown(text)} has a single brace: placeholders are {allowed}") from None
    for field, spec, how in found:
        if field not in PLACEHOLDERS or spec or how:
            raise ValueError(f"{{{field}}} is not known{nearest(field, PLACEHOLDERS)}: placeholders are {allowed}")
    if not text.startswith(("{site_url}", "http://", "https://")) or re.search(r"\s", text):
        raise ValueError(f"{shown(text)} is not a web address: begin it with {{site_url}} or https://")
    if not {"slug", "path"} & {field for field, _, _ in found}:
        raise ValueError("gives all articles the same address: it needs {slug} or {path}")
    return text


def url_of_kind(url: str, kind: str | None) -> str:
    """A feed has an address, a folder has none."""
    if kind == "feed" and not url:
        raise ValueError('is missing: a source of kind "feed" needs the address of the feed')
    if kind == "folder" and url:
        raise ValueError('is only for kind = "feed": remove it, or change the kind')
    return url


def schedule(text: str) -> str:
    cron(text)
    return text


def author(urn: str) -> str:
    """Who a post is by: a person or an organization."""
    if urn and not re.fullmatch(r"urn:li:(?:person|organization):[A-Za-z0-9_-]+", urn):
        raise ValueError(f'{shown(urn)} is not an author: write "urn:li:person:…" or "urn:li:organization:…"')
    return urn


def version(text: str) -> str:
    if not re.fullmatch(r"20[0-9]{2}(?:0[1-9]|1[0-2])", text):
        raise ValueError(f'{shown(text)} is not a version: write year and month as six digits, like "202609"')
    return text


def sources(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    if not entries:
        raise ValueError("there is none: add a table [[sources]] with the path of a folder of articles")
    return entries


def free_name(text: str) -> str:
    """A name beside those of the channels."""
    if name(text).lower() in RESERVED:
        raise ValueError(f"{shown(text)} is a word that means something else here: choose another")
    return text


def webhook_secret(secret: Secret) -> Secret:
    """One secret, or two with a blank between them while it is changed; what follows `whsec_` is base64."""
    for one in secret.reveal().split():
        try:
            whole = not one.startswith("whsec_") or bool(base64.b64decode(one.removeprefix("whsec_"), validate=True))
        except ValueError:
            whole = False
        if not whole:
            raise ValueError("is damaged: what follows whsec_ must be base64")
    return secret


def list_of_secrets(value: Any) -> Any:
    """A list; anything else is not repeated, for it may be a secret."""
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list, newest first")
    return value


def old_secrets(secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
    """Each of them is tried at every link that a stranger makes up."""
    if len(secrets) > MOST_OLD_SECRETS:
        raise ValueError(f"holds {len(secrets)} secrets: {MOST_OLD_SECRETS} at most, and the oldest stays the last")
    if not all(secrets):
        raise ValueError("holds an empty text: remove it")
    return tuple(map(strong_secret, secrets))


def strong_secret(secret: Secret) -> Secret:
    """Strangers may guess at it as often as they like."""
    if secret and len(secret.reveal()) < 16:
        raise ValueError("is shorter than 16 characters: anybody may try to guess it")
    return secret


def topics(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Names of SNS topics."""
    for entry in entries:
        if not re.fullmatch(r"arn:aws(-[a-z-]+)?:sns:[a-z0-9-]{1,30}:\d{12}:[A-Za-z0-9_.-]{1,256}", entry):
            raise ValueError(f'{shown(entry)} is no topic: write its ARN, "arn:aws:sns:REGION:ACCOUNT:NAME"')
    return entries


def bounce_address(text: str) -> str:
    """Before its @ each letter puts a mark of up to 40 octets; 64 is the most (RFC 5321 section 4.5.3.1.1)."""
    name, address = parseaddr(text)
    if name or len(address.rpartition("@")[0]) > 24:
        raise ValueError("must be an address alone, with at most 24 characters before the @")
    return text


def nearest(word: str, known: Sequence[str] | set[str]) -> str:
    """A hint at the known word that was probably meant, or nothing."""
    close = get_close_matches(word.lower(), [*known], n=1) or get_close_matches(word, [*known], n=1)
    return f" (did you mean {close[0]}?)" if close else ""
