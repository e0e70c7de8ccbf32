"""Links that were sent years ago must open their door still: what a secret signs never changes by a bit."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.signer import ReturnPaths, Signer

SECRET = b"an old secret of 32 bytes, to be"
NEWER = b"the secret of a year later, long enough"


@pytest.mark.parametrize(
    ("secret", "purpose", "subscriber", "token"),
    [
        (SECRET, "unsubscribe", 0, "m-_dUtTE8F5OwkJf0MiOaAA"),
        (SECRET, "unsubscribe", 1, "Z7SPusBm01hggdxov0s98AE"),
        (SECRET, "unsubscribe", 255, "t8wgBLRFtQJNt86FiIdk0P8"),
        (SECRET, "unsubscribe", 256, "cVw_KT5rOIGR_R90MpYvUAEA"),
        (SECRET, "unsubscribe", 77777, "7aBip4aQzJK5wnSVZbcS8QEv0Q"),
        (SECRET, "unsubscribe", 2**40, "2EcrILvKwDdDsB4ji28NZwEAAAAAAA"),
        (SECRET, "preferences", 256, "31CkWQsV2C3O1qjDrQveJAEA"),
        (SECRET, "confirm", 255, "Z2kMbPDYLI6KIlEFCqt0O_8"),
        (b"long " * 20, "unsubscribe", 5, "w9zjXbkPW7Vq0SHg9_NoGgU"),
        (b"sixteen bytes ok", "preferences", 3_000_000, "J-N2F5u_Dh5xco-my22Tzy3GwA"),
    ],
)
def test_a_token_is_what_it_always_was(secret: bytes, purpose: str, subscriber: int, token: str) -> None:
    signer = Signer(secret)
    assert signer.token(purpose, subscriber) == token
    assert signer.token_bytes(purpose, subscriber) == token.encode()
    assert signer.read(purpose, token) == subscriber


@given(st.binary(min_size=16, max_size=200), st.text(max_size=20), st.integers(0, 2**63 - 1))
def test_a_token_is_an_hmac_of_the_number_under_the_purposes_key(secret: bytes, purpose: str, subscriber: int) -> None:
    number = subscriber.to_bytes(max(1, (subscriber.bit_length() + 7) // 8), "big")
    key = hmac.digest(secret, b"syndicate link 1 " + purpose.encode(), "sha256")
    plain = urlsafe_b64encode(hmac.digest(key, number, "sha256")[:16] + number).rstrip(b"=")
    signer = Signer(secret)
    assert signer.token_bytes(purpose, subscriber) == plain
    link = b"https://post.example/%b/%b" % (purpose.encode(), plain)
    assert signer.links(b"https://post.example", ("other", purpose))(subscriber)[1] == link


def test_the_newest_secret_signs_and_what_any_of_them_signed_is_read() -> None:
    old, new, ring = Signer(SECRET), Signer(NEWER), Signer(NEWER, SECRET)
    assert ring.token("unsubscribe", 7) == new.token("unsubscribe", 7)
    both = ("unsubscribe", "preferences")
    assert ring.links(b"https://post.example", both)(7) == new.links(b"https://post.example", both)(7)
    assert ring.mac("newsroom", "said") == new.mac("newsroom", "said")
    assert ring.macs("newsroom", "said") == (new.mac("newsroom", "said"), old.mac("newsroom", "said"))
    for one in (old, new):
        token = one.token("unsubscribe", 2**40)
        assert ring.read("unsubscribe", token) == 2**40
        assert ring.read("preferences", token) is None
        alike = token[:-1] + ("B" if token[-1] == "A" else chr(ord(token[-1]) + 1))
        assert ring.read("unsubscribe", alike) is None, "its spare bits decode alike"
    assert ring.read("unsubscribe", Signer(b"that of somebody else").token("unsubscribe", 7)) is None
    assert new.read("unsubscribe", old.token("unsubscribe", 7)) is None


def test_a_return_path_of_before_is_read() -> None:
    box = "bounce@news.example.net"
    old, ring = ReturnPaths(box, SECRET), ReturnPaths(box, NEWER, SECRET)
    assert ring.of(12, 7) == ReturnPaths(box, NEWER).of(12, 7)
    assert ring.read(ring.of(12, 7)) == ring.read(old.of(12, 7)) == (12, 7)
    assert ring.read(ReturnPaths(box, b"that of somebody else").of(12, 7)) is None
