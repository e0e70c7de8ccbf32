"""Signed links and return paths: a MAC and a number or two. They need no row and never expire (rule 22); each purpose
has a key of its own. Of several secrets the newest signs, and what any of them signed is read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of one installation: what each is for once there is more than one."""

    reading: tuple[bytes, ...]  # newest first: what any of them signed or sealed is good

    @property
    def signing(self) -> bytes:
        """The newest: links, return paths, forms, sealed logins."""
        return self.reading[0]

    @property
    def lasting(self) -> bytes:
        """The oldest: what is compared with what was made long ago, and cannot be read back and made anew. By it
        people who left are known, letters have their Message-IDs, and tries are counted.
        """
        return self.reading[-1]


class Signer:
    """Links that need no row and never expire (rule 22): a MAC of 128 bits and the person's number.

    Each purpose has a key of its own, so that the link that unsubscribes opens nothing else. Every letter bears two:
    what depends on the key alone is done once a purpose. Older secrets are only read with.
    """

    _MAC = 16  # bytes

    def __init__(self, *secrets: bytes) -> None:
        """Newest first."""
        if not secrets or any(len(secret) < 16 for secret in secrets):
            raise ValueError("the secret is shorter than 16 bytes")
        self._secrets = secrets
        self._keyed: dict[str, tuple[Keyed, ...]] = {}

    def token(self, purpose: str, subscriber: int) -> str:
        """The token for one person and purpose: 23 to 32 characters of base64url."""
        return self.token_bytes(purpose, subscriber).decode()

    def token_bytes(self, purpose: str, subscriber: int) -> bytes:
        """The same as it stands in a letter."""
        number = _number(subscriber)
        return _token(self._ring(purpose)[0].digest(number)[: self._MAC] + number)

    def links(self, base: bytes, purposes: tuple[str, str]) -> Callable[[int], tuple[bytes, bytes]]:
        """What makes one person's two links, `base/purpose/token`: every letter bears them."""
        size, text, safe = self._MAC, binascii.b2a_base64, _URL_SAFE
        first, second = (self._ring(purpose)[0].digest for purpose in purposes)
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
        return self.macs(purpose, text)[0]

    def macs(self, purpose: str, text: str) -> tuple[str, ...]:
        """The same by each secret, newest first."""
        said = text.encode("utf-8", "surrogatepass")
        return tuple(keyed.digest(said)[: self._MAC].hex() for keyed in self._ring(purpose))

    def read(self, purpose: str, token: str) -> int | None:
        """The person's number, or None for a token that none of the secrets signed for this purpose."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{23,32}", token):
            return None
        try:
            raw = binascii.a2b_base64(token.replace("-", "+").replace("_", "/") + "=" * (-len(token) % 4))
        except binascii.Error:
            return None
        mac, number = raw[: self._MAC], raw[self._MAC :]
        if not any(hmac.compare_digest(mac, one.digest(number)[: self._MAC]) for one in self._ring(purpose)):
            return None
        subscriber = int.from_bytes(number, "big")
        # One person, one token of a secret: base64 has spare bits that decode alike.
        return subscriber if _token(mac + _number(subscriber)).decode() == token else None

    def _ring(self, purpose: str) -> tuple[Keyed, ...]:
        ring = self._keyed.get(purpose)
        if ring is None:
            ring = _ring(self._secrets, b"syndicate link 1 " + purpose.encode())
            self._keyed[purpose] = ring
        return ring


class ReturnPaths:
    """The address to which one letter's delivery reports go: `bounce+DELIVERY.SUBSCRIBER.MAC@news.example.org`.

    The MAC (80 bits) keeps strangers from speaking in somebody's name; lower-case letters and digits alone survive
    servers that change case. The same at each attempt, or greylisting never ends (RFC 6647).
    """

    _FOUND = re.compile(r"(?<![0-9])([0-9]{1,19})\.([0-9]{1,19})\.([a-z2-7]{16})(?![a-z2-7])", re.IGNORECASE)
    _MOST = 50  # that are looked at in one text

    def __init__(self, address: str, *secrets: bytes) -> None:
        """`address`: what was made for bounces, with an A-label domain; "" where none was: `read` alone is of use.
        `secrets`: newest first.
        """
        local, _, domain = address.rpartition("@")
        self._begin, self._end = f"{local}+", f"@{domain}"
        self._ring = _ring(secrets, b"syndicate return path 1")

    def of(self, delivery: int, subscriber: int) -> str:
        """The envelope sender of one person's letter."""
        return f"{self._begin}{delivery}.{subscriber}.{_mark(self._ring[0], delivery, subscriber)}{self._end}"

    def read(self, text: str) -> tuple[int, int] | None:
        """Delivery and subscriber of the first return path of ours in a text, also one that a forwarder packed into an
        address of his own (SRS); None where there is none.
        """
        for number, found in enumerate(self._FOUND.finditer(text)):
            delivery, subscriber = int(found[1]), int(found[2])
            given = found[3].lower()
            if any(hmac.compare_digest(_mark(one, delivery, subscriber), given) for one in self._ring):
                return delivery, subscriber
            if number >= self._MOST:
                break
        return None


def _mark(keyed: Keyed, delivery: int, subscriber: int) -> str:
    return base64.b32encode(keyed.digest(b"%d %d" % (delivery, subscriber))[:10]).decode().lower()


def _token(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=")


def _number(subscriber: int) -> bytes:
    return subscriber.to_bytes((subscriber.bit_length() + 7) // 8 or 1, "big")


def _ring(secrets: tuple[bytes, ...], purpose: bytes) -> tuple[Keyed, ...]:
    return tuple(Keyed(hmac.digest(secret, purpose, hashlib.sha256)) for secret in secrets)


class Keyed:
    """HMAC-SHA-256 (RFC 2104 section 2) for many messages: what depends on the key alone is hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        """The whole MAC, 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
