"""Who asks, as far as that can be known: an address for the record of consent, a network to count by."""

from __future__ import annotations

import ipaddress

from starlette.requests import Request

_HOUSE = [
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
]
_BROAD = {4: 24, 6: 64}  # bits of what one customer of a provider may have to himself

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def address(request: Request) -> str:
    """Whose request it is; "" where it cannot be told.

    A proxy of this house says so at the right end of X-Forwarded-For, which it added itself; to nobody else that header
    is believed, and nothing but counting and the record of consent goes by it.
    """
    found = _address(request)
    return str(found) if found else ""


def network(request: Request) -> str | None:
    """The network to count by. None: this house's own, or a proxy of it that names nobody: everybody would be one."""
    found = _address(request)
    if found is None or _at_home(found):
        return None
    return str(ipaddress.ip_network((found, _BROAD[found.version]), strict=False))


def _address(request: Request) -> Ip | None:
    peer = _parsed(request.client.host if request.client else "")
    if peer is None or not _at_home(peer):
        return peer
    told = ",".join(request.headers.getlist("x-forwarded-for"))
    return _parsed(told.rpartition(",")[2]) or peer


def _at_home(address: Ip) -> bool:
    return any(address in net for net in _HOUSE)


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
