"""Whether SNS signed a message: the certificate, its dates, the signature. Pure; fetches nothing.

AWS, "Verifying the signatures of Amazon SNS messages": RSA with PKCS #1 v1.5 padding, SHA-1 for SignatureVersion 1 and
SHA-256 for 2. That the certificate is Amazon's is proved by where it was read from, over HTTPS with that host's own
certificate checked up to its root.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syndicate.notices import Envelope


def is_signed(envelope: Envelope, pem: bytes, now: datetime) -> bool:
    """Whether this certificate, which must be good at `now`, signed the message."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        return False
    at = now.astimezone(UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return False
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        return False
    digest = SHA256() if envelope.digest == "sha256" else SHA1()  # noqa: S303 - what version 1 is made with
    try:
        key.verify(envelope.signature, envelope.signed, PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True
