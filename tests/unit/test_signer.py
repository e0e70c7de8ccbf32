"""Links that were sent years ago must open their door still: what a secret signs never changes by a bit."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.signer import Signer

SECRET = b"an old secret of 32 bytes, to be"


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
