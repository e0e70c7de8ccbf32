"""Sealing what must not stand in the database in clear: encrypted and signed, with the place it belongs to inside.

The algorithm is Fernet (specification: fernet/spec, version 0x80): AES-128-CBC and HMAC-SHA256. Nothing here is shown.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence

_PURPOSE = b"syndicate tokens 1"  # another key than the one that signs links


def seal(secret: bytes, place: str, content: Mapping[str, str]) -> str:
    """Encrypt `content` for `place`; the same content gives another text each time."""
    from cryptography.fernet import Fernet

    document = json.dumps({"place": place, "content": dict(content)})
    return Fernet(_key(secret)).encrypt(document.encode()).decode("ascii")


def unseal(secrets: Sequence[bytes], place: str, sealed: str) -> dict[str, str]:
    """What was sealed for `place` with one of these. Raises ValueError, without a word of it, for another secret, place
    or text.
    """
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    ring = MultiFernet([Fernet(_key(secret)) for secret in secrets])
    try:
        document = json.loads(ring.decrypt(sealed.encode("ascii", "replace")))
    except InvalidToken:
        raise ValueError("it was sealed with another secret, or is damaged") from None
    if document["place"] != place:
        raise ValueError("it was sealed for another place")
    content: dict[str, str] = document["content"]
    return content


def _key(secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(secret, _PURPOSE, "sha256"))
