"""Passwords as hashes: scrypt (RFC 7914) written as `$scrypt$ln=…,r=…,p=…$SALT$HASH`, base64 without padding."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import unicodedata

COST, BLOCK, PARALLEL = 15, 8, 1  # 32 MB and some 0.1 s a try
_HASH = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_MEMORY = 256 << 20  # bytes that one check may take


def hashed(password: str, salt: bytes) -> str:
    """The hash as it stands in the configuration. `salt`: 16 random bytes."""
    key = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    return f"$scrypt$ln={COST},r={BLOCK},p={PARALLEL}${_written(salt)}${_written(key)}"


def matches(stored: str, given: str) -> bool:
    """Whether what was typed is the password that `stored` is, or is the hash of. Takes its time for a hash."""
    found = _HASH.fullmatch(stored)
    if found is None:
        return hmac.compare_digest(stored.encode(), given.encode("utf-8", "surrogatepass"))
    cost, block, parallel = (int(number) for number in found.groups()[:3])
    try:
        key = _scrypt(given, _read(found[4]), cost, block, parallel)
    except ValueError:  # numbers that nobody would choose
        return False
    return hmac.compare_digest(key, _read(found[5]))


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    text = unicodedata.normalize("NFC", password)  # keyboards differ in how they make an accent (RFC 8265 section 4.2)
    return hashlib.scrypt(
        text.encode("utf-8", "surrogatepass"), salt=salt, n=1 << cost, r=block, p=parallel, maxmem=_MEMORY, dklen=32
    )


def _written(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=")


def _read(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
