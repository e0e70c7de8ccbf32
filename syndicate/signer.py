"""Signed links: a MAC and a number. They need no row and never expire (rule 22); each purpose has a key of its own."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re


class Signer:
    """Links that need no row and never expire (rule 22): a MAC of 128 bits and the person's number.

    Each purpose has a key of its own, so that the link that unsubscribes opens nothing else.
    """

    _MAC = 16  # bytes

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret is shorter than 16 bytes")
        self._secret = secret

    def token(self, purpose: str, subscriber: int) -> str:
        """The token for one person and purpose: 23 to 32 characters of base64url."""
        number = subscriber.to_bytes(max(1, (subscriber.bit_length() + 7) // 8), "big")
        return base64.urlsafe_b64encode(self._mac(purpose, number) + number).rstrip(b"=").decode()

    def read(self, purpose: str, token: str) -> int | None:
        """The person's number, or None for a token that this secret did not sign for this purpose."""
        if not re.fullmatch(r"[A-Za-z0-9_-]{23,32}", token):
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except binascii.Error:
            return None
        mac, number = raw[: self._MAC], raw[self._MAC :]
        if not hmac.compare_digest(mac, self._mac(purpose, number)):
            return None
        subscriber = int.from_bytes(number, "big")
        # One person, one token: base64 has spare bits that decode alike.
        return subscriber if hmac.compare_digest(self.token(purpose, subscriber), token) else None

    def _mac(self, purpose: str, number: bytes) -> bytes:
        key = hmac.digest(self._secret, b"syndicate link 1 " + purpose.encode(), hashlib.sha256)
        return hmac.digest(key, number, hashlib.sha256)[: self._MAC]
