"""Signed links and return paths: a MAC and a number or two. They need no row and never expire (rule 22); each purpose
has a key of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Signer:
    """Links that need no row and never expire (rule 22): a MAC of 128 bits and the person's number.

    Each purpose has a key of its own, so that the link that unsubscribes opens nothing else. Every letter bears two:
    what depends on the key alone is done once a purpose.
    """

    _MAC = 16  # bytes

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret is shorter than 16 bytes")
        self._secret = secret
        self._keyed: dict[str, _Keyed] = {}

    def token(self, purpose: str, subscriber: int) -> str:
        """The token for one person and purpose: 23 to 32 characters of base64url."""
        return self.token_bytes(purpose, subscriber).decode()

    def token_bytes(self, purpose: str, subscriber: int) -> bytes:
        """The same as it stands in a letter."""
        number = _number(subscriber)
        return binascii.b2a_base64(self._mac(purpose, number) + number, newline=False).translate(_URL_SAFE, b"=")

    def links(self, base: bytes, purposes: tuple[str, str]) -> Callable[[int], tuple[bytes, bytes]]:
        """What makes one person's two links, `base/purpose/token`: every letter bears them."""
        size, text, safe = self._MAC, binascii.b2a_base64, _URL_SAFE
        first, second = (self._key(purpose).digest for purpose in purposes)
        before, other = (base + b"/%b/" % purpose.encode() for purpose in purposes)

        def of(subscriber: int) -> tuple[bytes, bytes]:
            number = _number(subscriber)
            return (
                before + text(first(number)[:size] + number, newline=False).translate(safe, b"="),
                other + text(second(number)[:size] + number, newline=False).translate(safe, b"="),
            )

        return of

    def mac(self, purpose: str, text: str) -> str:
        """32 hex digits over a text, for one purpose; nobody else can make them."""
        return self._key(purpose).digest(text.encode("utf-8", "surrogatepass"))[: self._MAC].hex()

    def read(self, purpose: str, token: str) -> int | None:
        """The person's number, or None for a token that this secret did not sign for this purpose."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{23,32}", token):
            return None
        try:
            raw = binascii.a2b_base64(token.replace("-", "+").replace("_", "/") + "=" * (-len(token) % 4))
        except binascii.Error:
            return None
        mac, number = raw[: self._MAC], raw[self._MAC :]
        if not hmac.compare_digest(mac, self._mac(purpose, number)):
            return None
        subscriber = int.from_bytes(number, "big")
        # One person, one token: base64 has spare bits that decode alike.
        return subscriber if hmac.compare_digest(self.token(purpose, subscriber), token) else None

    def _mac(self, purpose: str, number: bytes) -> bytes:
        return self._key(purpose).digest(number)[: self._MAC]

    def _key(self, purpose: str) -> _Keyed:
        keyed = self._keyed.get(purpose)
        if keyed is None:
            keyed = _Keyed(hmac.digest(self._secret, b"syndicate link 1 " + purpose.encode(), hashlib.sha256))
            self._keyed[purpose] = keyed
        return keyed


class ReturnPaths:
    """The address to which one letter's delivery reports go: `bounce+DELIVERY.SUBSCRIBER.MAC@news.example.org`.

    The MAC (80 bits) keeps strangers from speaking in somebody's name; lower-case letters and digits alone survive
    servers that change case. The same at each attempt, or greylisting never ends (RFC 6647).
    """

    _FOUND = re.compile(r"(?<![0-9])([0-9]{1,19})\.([0-9]{1,19})\.([a-z2-7]{16})(?![a-z2-7])", re.IGNORECASE)
    _MOST = 50  # that are looked at in one text

    def __init__(self, secret: bytes, address: str) -> None:
        """`address`: what was made for bounces, with an A-label domain; "" where none was: `read` alone is of use."""
        local, _, domain = address.rpartition("@")
        self._begin, self._end = f"{local}+", f"@{domain}"
        self._keyed = _Keyed(hmac.digest(secret, b"syndicate return path 1", hashlib.sha256))

    def of(self, delivery: int, subscriber: int) -> str:
        """The envelope sender of one person's letter."""
        return f"{self._begin}{delivery}.{subscriber}.{self._mark(delivery, subscriber)}{self._end}"

    def read(self, text: str) -> tuple[int, int] | None:
        """Delivery and subscriber of the first return path of ours in a text, also one that a forwarder packed into an
        address of his own (SRS); None where there is none.
        """
        for number, found in enumerate(self._FOUND.finditer(text)):
            delivery, subscriber = int(found[1]), int(found[2])
            if hmac.compare_digest(self._mark(delivery, subscriber), found[3].lower()):
                return delivery, subscriber
            if number >= self._MOST:
                break
        return None

    def _mark(self, delivery: int, subscriber: int) -> str:
        return base64.b32encode(self._keyed.digest(b"%d %d" % (delivery, subscriber))[:10]).decode().lower()


def _number(subscriber: int) -> bytes:
    return subscriber.to_bytes((subscriber.bit_length() + 7) // 8 or 1, "big")


class _Keyed:
    """HMAC-SHA-256 (RFC 2104 section 2) with a key of at most 64 bytes, whose two blocks are hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
