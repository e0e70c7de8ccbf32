"""Passwords and their hashes."""

from __future__ import annotations

import pytest

from syndicate import password
from syndicate.config import is_password_hash

SALT = bytes(range(16))
GOOD = password.hashed("open sesame ü", SALT)


def test_a_hash_is_one_that_the_configuration_takes() -> None:
    assert is_password_hash(GOOD)
    assert "sesame" not in GOOD
    assert password.hashed("open sesame ü", bytes(16)) != GOOD


@pytest.mark.parametrize(
    ("stored", "given", "fits"),
    [
        (GOOD, "open sesame ü", True),
        (GOOD, "open sesame u", False),
        (GOOD, "", False),
        (GOOD, GOOD, False),
        ("plain", "plain", True),
        ("plain", "plains", False),
        ("plain", "\ud800", False),
        (GOOD.replace("ln=15", "ln=63"), "open sesame ü", False),
        (GOOD.replace("r=8", "r=0"), "open sesame ü", False),
        (GOOD.replace("$scrypt", "$argon2id"), "open sesame ü", False),
    ],
)
def test_only_the_password_fits(stored: str, given: str, fits: bool) -> None:
    assert password.matches(stored, given) is fits


def test_the_key_is_that_of_rfc_7914() -> None:
    """Section 12: P "pleaseletmein", S "SodiumChloride", N 16384, r 8, p 1; the first half of its 64 octets."""
    stored = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yyPByfLaHUb9qthIO3nbRQto4bHVWkjt7fuGVO0"
    key = bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    import base64

    assert password.matches(
        stored.rpartition("$")[0] + "$" + base64.b64encode(key).decode().rstrip("="), "pleaseletmein"
    )
