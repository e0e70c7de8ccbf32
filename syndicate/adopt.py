"""Which items of the site's former feed are which articles: by their link, whatever is alike about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

LONGEST = 1_000  # bytes of an id or a link that is kept; PostgreSQL's trees hold 2,704

_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 section 2.3
_RESERVED = "!#$%&'()*+,/:;=?@[]"  # as they stand: another site may mean something else by their escapes


def key(url: str) -> str:
    """What two addresses of one page have in common; "" for what is no address of a page.

    http and https, a default port, the case of the host, a fragment, utm_ parameters, a slash or `index.html` at the
    end and escapes that need none tell no pages apart; the case of the path, other parameters and their order do.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not host:
        return ""
    where = _host(host) if port in (None, *_PORTS.values()) else f"{_host(host)}:{port}"
    path = _plain(parts.path).removesuffix("/index.html").rstrip("/")
    query = "&".join(one for one in parts.query.split("&") if one and not one.lower().startswith("utm_"))
    return where + path + (f"?{_plain(query)}" if query else "")


def pairs(items: Iterable[tuple[str, str]]) -> tuple[dict[str, str], int]:
    """From (link, id) of a feed's items, newest first, to the id of each link's key; and how many ids cannot be kept.

    Of two items with one link, and of two links with one id, the first counts. Ids are without line breaks and
    characters that XML cannot hold; readers know nothing of spaces around one.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    unfit = 0
    for link, known in items:
        where, known = key(link), known.strip()
        if not where or not known or max(len(where.encode()), len(known.encode())) > LONGEST:
            unfit += 1
        elif where not in found and known not in taken:
            found[where] = known
            taken.add(known)
    return found, unfit


def _host(host: str) -> str:
    host = host.rstrip(".").lower()
    if not host.isascii():
        try:
            return host.encode("idna").decode("ascii")
        except UnicodeError:
            pass
    return host


def _plain(text: str) -> str:
    """One spelling: unreserved characters as they are, all others but the reserved as escapes in capitals."""
    return quote(_ESCAPE.sub(_unescaped, text), safe=_RESERVED)


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()
