"""Whose request it is: a header is believed from the right, and only from proxies that were named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from starlette.requests import Request

from syndicate.web import peer

LISTED = ("198.51.100.0/24", "2001:db8:1::/48", "10.0.0.0/8")


def asked(by: str, told: Sequence[str]) -> Request:
    headers = [(b"x-forwarded-for", text.encode("latin-1")) for text in told]
    return Request({"type": "http", "client": (by, 4711), "headers": headers})


@pytest.mark.parametrize(
    ("by", "told", "proxies", "whose", "counted"),
    [
        pytest.param("203.0.113.7", [], (), "203.0.113.7", "203.0.113.0/24", id="nobody in between"),
        pytest.param("203.0.113.7", ["1.2.3.4"], (), "203.0.113.7", "203.0.113.0/24", id="a stranger is not believed"),
        pytest.param("127.0.0.1", ["1.2.3.4"], (), "1.2.3.4", "1.2.3.0/24", id="a proxy here, without a list"),
        pytest.param("127.0.0.1", ["6.6.6.6, 10.0.0.9"], (), "10.0.0.9", None, id="one hop, without a list"),
        pytest.param("127.0.0.1", [], (), "127.0.0.1", None, id="this machine"),
        pytest.param("127.0.0.1", ["rubbish"], (), "127.0.0.1", None, id="a proxy here that names nobody"),
        pytest.param("10.0.0.1", ["1.2.3.4"], ("198.51.100.0/24",), "10.0.0.1", "10.0.0.0/24", id="not on the list"),
        pytest.param("127.0.0.1", ["1.2.3.4"], LISTED, "127.0.0.1", None, id="this machine is not on the list"),
        pytest.param("198.51.100.2", ["1.2.3.4"], LISTED, "1.2.3.4", "1.2.3.0/24", id="one proxy"),
        pytest.param("198.51.100.2", ["6.6.6.6, 1.2.3.4"], LISTED, "1.2.3.4", "1.2.3.0/24", id="one, and a forgery"),
        pytest.param("10.0.0.1", ["6.6.6.6, 1.2.3.4, 198.51.100.2"], LISTED, "1.2.3.4", "1.2.3.0/24", id="two"),
        pytest.param("10.0.0.1", ["6.6.6.6", "1.2.3.4", "198.51.100.2"], LISTED, "1.2.3.4", "1.2.3.0/24", id="lines"),
        pytest.param("198.51.100.2", ["2001:db8:9::1"], LISTED, "2001:db8:9::1", "2001:db8:9::/64", id="IPv6"),
        pytest.param("2001:db8:1::1", ["[2001:db8:9::1]:443"], LISTED, "2001:db8:9::1", "2001:db8:9::/64", id="ports"),
        pytest.param("::ffff:198.51.100.2", ["1.2.3.4:80"], LISTED, "1.2.3.4", "1.2.3.0/24", id="IPv4 in IPv6"),
        pytest.param("198.51.100.2", ["1.2.3.4, unknown"], LISTED, "198.51.100.2", None, id="garbage at the right"),
        pytest.param("198.51.100.2", ["1.2.3.4, x, 10.0.0.5"], LISTED, "10.0.0.5", None, id="garbage behind a proxy"),
        pytest.param("198.51.100.2", [], LISTED, "198.51.100.2", None, id="a proxy that names nobody"),
        pytest.param("198.51.100.2", ["10.0.0.5"], LISTED, "10.0.0.5", None, id="proxies alone"),
        pytest.param("/run/web.sock", ["1.2.3.4"], LISTED, "", None, id="no address at all"),
    ],
)
def test_a_header_is_believed_up_to_the_first_that_was_not_named(
    by: str, told: Sequence[str], proxies: Sequence[str], whose: str, counted: str | None
) -> None:
    request = asked(by, told)
    assert peer.address(request, proxies) == whose
    assert peer.network(request, proxies) == counted


@pytest.mark.parametrize(
    ("host", "uncounted", "counted"),
    [
        ("203.0.113.7", peer.HOUSE, "203.0.113.0/24"),
        ("::ffff:203.0.113.7", peer.HOUSE, "203.0.113.0/24"),
        ("2001:db8:9::1", peer.HOUSE, "2001:db8:9::/64"),
        ("203.0.113.7", (*peer.HOUSE, "203.0.113.7/32"), None),
        ("203.0.113.8", (*peer.HOUSE, "203.0.113.7/32"), "203.0.113.0/24"),
        ("127.0.0.1", peer.HOUSE, None),
        ("::1", peer.HOUSE, None),
        ("10.1.2.3", peer.HOUSE, None),
        ("192.168.1.1", peer.HOUSE, None),
        ("fd00::1", peer.HOUSE, None),
        ("fe80::1%eth0", peer.HOUSE, None),
        ("", peer.HOUSE, None),
    ],
)
def test_connections_are_counted_by_network_but_not_of_this_house_or_a_proxy(
    host: str, uncounted: Sequence[str], counted: str | None
) -> None:
    assert peer.crowd(host, uncounted) == counted
