"""Who gets letters: addresses, names and consent states.

Pure: no database, no DNS. Whoever asks for an `Address` gets one that is safe in a header and in an SMTP command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from syndicate.prose import one_line

_LONGEST, _LONGEST_LOCAL = 254, 64  # octets
NAME_LIMIT = 100  # characters of a name; nobody's real one is cut, and no header line grows too long
# The usual kind of address, 99 in 100; whatever else there may be is left to the library, which takes 30 times as long.
_PLAIN = re.compile(
    r"(?P<local>[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@"
    r"(?P<domain>(?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?!(?:arpa|onion|test|invalid|localhost|local)$)(?!..--)[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9])",
    re.IGNORECASE | re.ASCII,
)
_ROLES = {  # RFC 2142: the same in either case, so that the library writes them small
    "abuse", "ftp", "hostmaster", "info", "marketing", "news", "noc", "postmaster", "sales", "security", "support",
    "usenet", "uucp", "webmaster", "www",
}  # fmt: skip
_RESERVED = re.compile(r"(?<=[@.])(?:test|invalid|localhost|local)$", re.IGNORECASE)  # RFC 6761, RFC 6762


class State(StrEnum):
    """Where a person stands; only `active` gets letters."""

    PENDING = "pending"  # asked to confirm, has not yet
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"  # left
    BOUNCED = "bounced"  # the mailbox does not exist
    COMPLAINED = "complained"  # called it spam: only the person can come back


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mail address: `email` to send to (local part as given, A-label domain), `key` to compare by."""

    email: str
    key: str
    domain: str


def parse_address(text: str) -> Address:
    """Read one address, without asking the network. Raise ValueError with a sentence.

    RFC 5321 section 4.5.3.1 (lengths), RFC 6531 (non-ASCII local parts), IDNA 2008 for the domain. Reserved domains
    (.test, .invalid ...) are fine: rehearsals use them.
    """
    shown = text.strip()
    plain = _PLAIN.fullmatch(shown)
    if plain and len(shown) <= _LONGEST and len(plain["local"]) <= _LONGEST_LOCAL:
        local, domain = plain["local"], plain["domain"].lower()
        key = local.lower()
        return Address(email=f"{key if key in _ROLES else local}@{domain}", key=f"{key}@{domain}", domain=domain)
    return _parse_any(shown)


def _parse_any(shown: str) -> Address:
    """Read an address of whatever kind. Raise ValueError with a sentence."""
    from email_validator import EmailNotValidError, validate_email

    quoted = repr(shown if len(shown) <= 80 else shown[:80] + "…")
    if not shown:
        raise ValueError("there is no mail address")
    if not shown.isprintable():
        raise ValueError(f"{quoted} is no mail address: it holds a control character")
    # The library refuses reserved domains whatever it is asked: it sees .example in their place.
    reserved = _RESERVED.search(shown)
    seen = _RESERVED.sub("example", shown) if reserved else shown
    try:
        found = validate_email(seen, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as exc:
        raise ValueError(f"{quoted} is no mail address: {exc}") from None
    domain = (found.ascii_domain or found.domain).lower()
    if reserved:
        domain = domain.removesuffix("example") + reserved[0].lower()
    if "." not in domain and domain != "localhost":
        raise ValueError(f"{quoted} is no mail address: {domain} is not a full domain name")
    local = found.local_part
    email = f"{local}@{domain}"
    if len(email.encode()) > _LONGEST or len(local.encode()) > _LONGEST_LOCAL:
        raise ValueError(f"{quoted} is no mail address: it is longer than 254 octets, or 64 before the @")
    return Address(email=email, key=f"{local.casefold()}@{domain}", domain=domain)


def clean_name(text: str) -> str:
    """A person's name fit for a header and a page; "" for one that is an advertisement.

    A "name" that holds an address of a web page turns our letters into somebody's spam: it is dropped.
    """
    name = one_line(text)
    if "://" in name or "www." in name.casefold():
        return ""
    return name[:NAME_LIMIT].rstrip()
