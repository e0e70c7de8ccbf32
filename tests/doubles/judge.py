"""The judge of signatures: dkimpy, which reads a message as a receiver would.

For Ed25519 it wants PyNaCl. Where that is not installed it is lent the arithmetic of `cryptography` under the three
names it asks for; what is hashed, and in which order, stays its own judgement.
"""

from __future__ import annotations

import base64
import importlib.util
import sys
from types import ModuleType
from typing import Any


def _lend_ed25519() -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    class VerifyKey:
        def __init__(self, key: bytes, encoder: Any) -> None:
            self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key))

        def verify(self, digest: bytes, signature: bytes) -> None:
            self._key.verify(signature, digest)

    names: dict[str, dict[str, Any]] = {
        "nacl": {},
        "nacl.signing": {"VerifyKey": VerifyKey},
        "nacl.encoding": {"Base64Encoder": None},
        "nacl.exceptions": {"BadSignatureError": InvalidSignature, "ValueError": ValueError},
    }
    for name, content in names.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(content)
        if "." in name:
            setattr(sys.modules["nacl"], name.partition(".")[2], sys.modules[name])


if importlib.util.find_spec("nacl") is None:
    _lend_ed25519()

import dkim  # noqa: E402


def holds(message: bytes, place: str, record: str) -> bool:
    """Whether the first signature of a message is believed by who finds `record` at `place`, and nothing elsewhere."""

    def look(name: bytes, timeout: int = 5) -> bytes | None:
        return record.encode() if name == f"{place}.".encode() else None

    try:
        return bool(dkim.verify(message, dnsfunc=look))
    except dkim.DKIMException:  # a field that is no signature
        return False
