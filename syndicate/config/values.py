"""The kinds of values a configuration is made of: secrets, durations, hours, addresses.

Each reader takes what the file says and returns a value, or raises ValueError with a sentence for the owner that says
what is wrong and what would be right. It never reads the file or the environment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from email.utils import getaddresses
from ipaddress import IPv6Address, ip_address
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit, urlunsplit

STARS = "********"
_HIDDEN_PARAMETER = r"([?&][^=&]*password[^=&]*=)([^&]*)"


class Secret:
    """Text that shows itself only when asked. Falsy when empty; cannot be pickled, formatted or dumped in clear."""

    __slots__ = ("__text",)

    def __init__(self, text: str = "") -> None:
        self.__text = text

    def reveal(self) -> str:
        """The text itself: for the wire and for hashing, never for a screen or a log."""
        return self.__text

    def __bool__(self) -> bool:
        return bool(self.__text)

    def __eq__(self, other: object) -> bool:
        return self.__text == other.__text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self.__text))

    def __str__(self) -> str:
        return STARS if self.__text else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")


class DatabaseUrl(Secret):
    """Where the database is. Shown with its password masked."""

    __slots__ = ()

    def __str__(self) -> str:
        url = re.sub(r"(?<=://)([^/@:?]*):[^?]*@", rf"\1:{STARS}@", self.reveal())
        return re.sub(rf"(?i){_HIDDEN_PARAMETER}", rf"\1{STARS}", url)

    def passwords(self) -> list[Secret]:
        """What must not be shown of it, as written and as meant."""
        user = re.search(r"://([^?]*)@", self.reveal())
        written = [user[1].partition(":")[2]] if user else []
        written += [found[2] for found in re.finditer(rf"(?i){_HIDDEN_PARAMETER}", self.reveal())]
        return [Secret(text) for text in dict.fromkeys([*written, *map(unquote, written)]) if text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The part of the day in which something may happen, local time. It begins with `start` and `end` is outside."""

    start: time
    end: time  # not after `start`: on the next day

    def contains(self, moment: time) -> bool:
        """Whether a local time of day lies inside."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=36_500)


def duration(text: str) -> timedelta:
    """Read "90s", "10m", "3h", "2d", "1w" or several in a row ("1h30m")."""
    if not re.fullmatch(r"(?:[0-9]{1,12}[smhdw])+", text):
        raise ValueError(f'{shown(text)} is not a duration: write a number and s, m, h, d or w, like "90s" or "1h30m"')
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([smhdw])", text))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{shown(text)} is too long: a hundred years at most")
    return timedelta(seconds=seconds)


def time_of_day(text: str) -> time:
    """Read "HH:MM"."""
    if not re.fullmatch(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError(f'{shown(text)} is not a time of day: write "HH:MM", from "00:00" to "23:59"')
    hour, minute = text.split(":")
    return time(int(hour), int(minute))


def hours(text: str) -> Hours | None:
    """Read "08:00-20:00", also over midnight ("22:00-02:00"). None: the whole day ("" or "00:00-24:00")."""
    if not text:
        return None
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        start = time_of_day(first)
        end = time(0) if last == "24:00" else time_of_day(last)
    except ValueError:
        dash = ""
    if not dash:
        raise ValueError(f'{shown(text)} is not a span of hours: write "08:00-20:00", or "" for the whole day')
    if start == end and last != "24:00":
        raise ValueError(f'{shown(text)} has no length: write "" for the whole day')
    return None if start == end else Hours(start=start, end=end)


def web_address(text: str) -> str:
    """Read an absolute http(s) address (RFC 3986 section 3), as it is."""
    seen = shown(re.sub(r"\?.+", f"?{STARS}", re.sub(r"//[^/]*@", f"//{STARS}@", text), flags=re.DOTALL))
    if re.search(r"[\s\x00-\x1f\x7f<>\"\\]", text):
        raise ValueError(f"{seen} is not a web address: it holds a space or another character that cannot be there")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{seen} is not a web address") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(f'{seen} is not a web address: write it in full, like "https://www.example.org/page"')
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password: write the address without it")
    return text


def base_address(text: str) -> str:
    """Read an absolute http(s) address that others are appended to: no query, no fragment, no slash at the end."""
    parts = urlsplit(web_address(text))
    if "?" in text or "#" in text:
        raise ValueError(f"{shown(text)} holds a ? or #: write the plain address of the start page")
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def public_address(text: str) -> str:
    """Read a base address as it may stand in mail headers: an A-label host, a path without what must be escaped."""
    parts = urlsplit(base_address(text))
    host, colon, port = parts.netloc, "", ""
    if re.search(r":[0-9]*$", host):
        host, colon, port = host.rpartition(":")
    host = a_label(host)
    if not re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", host):
        raise ValueError(f"{shown(text)} is not a web address: {shown(host)} is no host")
    path = quote(parts.path, safe="/%:@!$()*+,;=~")
    return urlunsplit((parts.scheme, f"{host}{colon}{port}", path, "", ""))


def a_label(domain: str) -> str:
    """A domain as DNS and mail servers know it, lower-case (IDNA 2008, UTS #46)."""
    if domain.isascii():
        return domain.lower()
    import idna

    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(f"{shown(domain)} is no domain name: it cannot be written in A-labels (xn--)") from None


def domain_name(text: str) -> str:
    """Read a domain, or a part of one, in A-labels (RFC 1123 section 2.1; the underscore is DNS's own)."""
    name = a_label(text.strip().rstrip("."))
    label = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    if len(name) > 253 or not re.fullmatch(rf"{label}(?:\.{label})*", name):
        raise ValueError(f'{shown(text)} is not a name in DNS: write it plainly, like "news.example.org"')
    return name


def own_mailbox(text: str) -> str:
    """Read a mailbox that letters bear for everybody: only readers with a server of the newest kind could get one whose
    part before the @ is not ASCII (RFC 6531 section 3.2).
    """
    box = mailbox(text)
    local, _, domain = getaddresses([box])[0][1].rpartition("@")
    a_label(domain)
    if not local.isascii():
        raise ValueError(f"{shown(local)} has letters that many mail servers refuse: use a-z before the @")
    return box


def mailbox(text: str) -> str:
    """Read one "Name <user@host>" or "user@host" (RFC 5322 section 3.4)."""
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("holds a line break or control character: write one address on one line")
    found = getaddresses([text])
    local, at, domain = found[0][1].rpartition("@") if len(found) == 1 else ("", "", "")
    if not at or not local or not re.fullmatch(r"[^\s@<>,;:\"()\[\]]+", domain) or re.search(r"[\s<>,;]", local):
        raise ValueError(
            f'{shown(text)} is not one mail address: write "Name <user@host>", a name with a comma in quotation marks'
        )
    return text.strip()


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address stays on this machine, by its spelling (nothing is looked up)."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def is_loopback_url(url: str) -> bool:
    """Whether the host of an address stays on this machine."""
    return is_loopback_host(host_of(url))


def host_of(url: str) -> str:
    """The host in an address; empty where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_reserved_domain(domain: str) -> bool:
    """Whether a domain can never be anybody's: .test, .example, .invalid, .localhost (RFC 2606 section 2)."""
    return domain.rstrip(".").lower().rpartition(".")[2] in ("test", "example", "invalid", "localhost")


def is_example_domain(domain: str) -> bool:
    """Whether a domain is at example.com, .net or .org (RFC 2606 section 3)."""
    return bool(re.fullmatch(r"(?:.*\.)?example\.(?:com|net|org)\.?", domain, re.IGNORECASE))


def is_password_hash(text: str) -> bool:
    """Whether a text is a hash as `syndicate password` makes it ("$scrypt$…"), not a password."""
    return bool(re.fullmatch(r"\$[a-z0-9-]{2,32}\$\S{16,}", text))


def shown(value: object, *, limit: int = 80) -> str:
    """A value from the file as it may stand in a sentence: quoted, cut, control characters escaped."""
    text = repr(value) if not isinstance(value, str) else '"' + "".join(map(_printable, value)) + '"'
    return text if len(text) <= limit else text[: limit - 4] + "…" + text[-1]


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
