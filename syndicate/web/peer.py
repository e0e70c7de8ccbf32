"""Who asks, as far as that can be known: an address for the record of consent, a network to count by."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.requests import Request

HOUSE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
"""Loopback and private networks: this machine and what stands beside it."""

_BROAD = {4: 24, 6: 64}  # bits of what one customer of a provider may have to himself

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def address(request: Request, proxies: Sequence[str] = ()) -> str:
    """Whose request it is; "" where it cannot be told.

    `proxies`: addresses and networks whose X-Forwarded-For is believed. Each of them added who asked it at the right
    end, so it is read from there up to the first that is none of them. Without a list one hop is believed, of a proxy
    of this house. To nobody else that header is believed, and nothing but counting and the record of consent goes by
    it.
    """
    found = _address(request, tuple(proxies))
    return str(found) if found else ""


def network(request: Request, proxies: Sequence[str] = ()) -> str | None:
    """The network to count by. None: this house's own, or a proxy that names nobody: everybody would be one."""
    found = _address(request, tuple(proxies))
    if found is None or found.is_loopback or _is_in(found, tuple(proxies) or HOUSE):
        return None
    return _network(found)


def crowd(host: str, uncounted: Sequence[str] = HOUSE) -> str | None:
    """The network to count connections by, of whoever is at their other end. None: one of `uncounted`."""
    found = _parsed(host)
    return None if found is None or _is_in(found, tuple(uncounted)) else _network(found)


def _network(found: Ip) -> str:
    return str(ipaddress.ip_network((found, _BROAD[found.version]), strict=False))


def _address(request: Request, proxies: tuple[str, ...]) -> Ip | None:
    peer = _parsed(request.client.host if request.client else "")
    if peer is None or not _is_in(peer, proxies or HOUSE):
        return peer
    told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    if not proxies:
        return _parsed(told[-1]) or peer
    for text in reversed(told):
        found = _parsed(text)
        if found is None or not _is_in(found, proxies):
            return found or peer
        peer = found
    return peer


def _is_in(address: Ip, networks: tuple[str, ...]) -> bool:
    return any(address in one for one in _networks(networks))


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Net, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


def _parsed(text: str) -> Ip | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # an IPv4 address with its port
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if found.version == 6 else None
    return mapped or found
