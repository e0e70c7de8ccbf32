"""Whether a form was sent from a page of ours: what a browser says of where a request began. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from syndicate.config import is_loopback_host


def is_ours(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether the request began on a page at `public_url`, or at this machine's own address as it was asked for.

    Browsers send Origin with every POST (Fetch standard, "append a request `Origin` header"), "null" from a page whose
    referrer policy is no-referrer; where there is none at all, Sec-Fetch-Site must say same-origin. The second case is
    for who comes through a tunnel: a page elsewhere cannot bear a loopback origin, nor one of our port.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "same-origin"
    host = headers.get("host", "")
    return origin == origin_of(public_url) or (is_loopback_host(host_name(host)) and origin == f"http://{host}".lower())


def origin_of(url: str) -> str:
    """The origin of an address (RFC 6454 section 6.2): no port where it is the scheme's own."""
    parts = urlsplit(url.lower())
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


def host_name(header: str) -> str:
    """The name in a Host header; "" where it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
