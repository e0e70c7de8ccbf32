"""Our own signature under a message (RFC 6376): rsa-sha256 or ed25519-sha256, relaxed/simple.

Pure: the same message and moment give the same bytes, at every attempt and on every machine. It never looks into DNS.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

SMALLEST = 1024  # bits of an RSA key that anybody may still take (RFC 8301 section 3.2)
ADVISED = 2048  # bits; longer ones no longer fit one string of a DNS record

# What a reader sees or acts on. Return-Path, Received and Bcc must not be signed (RFC 6376 section 5.4.1).
_SIGNED = (
    "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "List-Id", "List-Help", "List-Archive",
    "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "Precedence", "Auto-Submitted",
)  # fmt: skip
# Named once more than they occur, so that nobody adds a second one that a mail program shows (section 5.4.2).
_ALONE = ("From", "To", "Subject", "Date", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post")
_NAMES = {name.lower(): name for name in _SIGNED}
_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_WIDTH = 74  # characters of a line of `h=` and `b=`
_FOLD = b"\r\n "


class Dkim:
    """A domain's key, ready to sign."""

    def __init__(self, domain: str, selector: str, pem: str) -> None:
        """Raise ValueError with a sentence for a name that cannot be one, or a key that cannot sign.

        `domain` and `selector` are A-labels, `pem` a private key without a passphrase (PKCS #1 or #8).
        """
        self.domain, self.selector = domain.lower(), selector.lower()
        for what, name in (("domain", self.domain), ("selector", self.selector)):
            if not _LABELS.fullmatch(name):
                raise ValueError(f"{name[:80]!r} is no {what} of a signature: letters, digits, hyphens and dots only")
        self.algorithm, self.bits, self.public, self._sign = _key(pem)

    @property
    def kind(self) -> str:
        """`rsa` or `ed25519`, the `k=` of the record (RFC 8463 section 3)."""
        return self.algorithm.partition("-")[0]

    @property
    def place(self) -> str:
        """Where in DNS the public key stands (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The text that must stand there."""
        return f"v=DKIM1; k={self.kind}; p={self.public}"

    def sign(self, pieces: Sequence[bytes], at: datetime) -> bytes:
        """The field that must stand first in this message, its CRLF included.

        `pieces` joined are the message as it goes over the wire. `at` is the moment the message was made, not now: a
        repeat repeats its bytes. Raise ValueError for what is no message, or has a line that begins with a dot.
        """
        head, border, body = b"".join(pieces).partition(b"\r\n\r\n")
        if not border or b"\n." in body:
            raise ValueError("this cannot be signed: it has no body, or a line of it begins with a dot")
        fields = _fields(head + b"\r\n")
        template = _Template(self, [name for name, _ in fields], at)
        signed = hashlib.sha256(b"".join(line for _, line in fields))
        return template.signature(signed, hashlib.sha256(_simple(body)))

    def raw(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest."""
        return self._sign(digest)


def may_stand_for(domain: str, sender: str) -> bool:
    """Whether a signature of `domain` can count for mail from `sender`: one stands above the other, or both have the
    end of a name in common. Where DNS sees two organisations in them it still does not (RFC 9989 section 4.10).
    """
    ours, theirs = domain.lower().split("."), sender.lower().split(".")
    return ours[-2:] == theirs[-2:] or (min(len(ours), len(theirs)) == 1 and ours[-1] == theirs[-1])


class Cut(Protocol):
    """A message cut at what is each reader's own: `letter.Stencil`."""

    @property
    def pieces(self) -> Sequence[bytes]:
        """The whole message; at a slot is nothing yet."""
        ...

    @property
    def slots(self) -> Sequence[tuple[int, str]]:
        """Indexes of the slots, in order. One in the head takes whole fields."""
        ...

    @property
    def date(self) -> datetime:
        """The moment of freezing."""
        ...


class Seal:
    """Signs the letters of one edition: what they share is read and hashed once."""

    def __init__(self, dkim: Dkim, stencil: Cut) -> None:
        """Raise ValueError when the message cannot be signed piece by piece."""
        pieces, slots = stencil.pieces, [index for index, _ in stencil.slots]
        border = next(index for index, piece in enumerate(pieces) if b"\r\n\r\n" in piece)
        self._own = [index for index in slots if index < border]
        self._first = next((index for index in slots if index > border), len(pieces))
        head = [*pieces[:border], pieces[border].partition(b"\r\n\r\n")[0] + b"\r\n"]
        body = b"".join([pieces[border].partition(b"\r\n\r\n")[2], *pieces[border + 1 : self._first]])
        if (
            any(piece and not piece.endswith(b"\r\n") for piece in head)
            or not pieces[-1].endswith(b"--\r\n")
            or b"\n." in b"".join(pieces)
        ):
            raise ValueError("the letters of this edition cannot be signed: their fields are cut in two")
        shared = _fields(b"".join(head))
        own = [_OWN[name] for _, name in stencil.slots if name in _OWN]
        assert len(own) == len(self._own), "a slot in the head that no signature knows"
        self._template = _Template(dkim, [*(name for name, _ in shared), *own], stencil.date)
        self._head = hashlib.sha256(b"".join(line for _, line in shared))
        self._body = hashlib.sha256(body)
        sample = [b"To: a@b\r\n" if index in self._own else piece for index, piece in enumerate(pieces)]
        self.size = len(self.sign(sample))  # octets of every field that this makes

    def sign(self, pieces: Sequence[bytes]) -> bytes:
        """The field that must stand first in this letter. `pieces` as the stencil filled them.

        Takes the time of one signature; may be called in any thread.
        """
        head, body = self._head.copy(), self._body.copy()
        for index in self._own:
            head.update(_relaxed(pieces[index]))
        body.update(b"".join(pieces[self._first :]))
        return self._template.signature(head, body)


_OWN = {"to": "To", "message_id": "Message-ID", "list_unsubscribe": "List-Unsubscribe"}  # slots of the head


class _Template:
    """The signature's own field, but for its two hashes."""

    def __init__(self, dkim: Dkim, names: Sequence[str], at: datetime) -> None:
        self._raw = dkim.raw
        said = (
            f"v=1; a={dkim.algorithm}; c=relaxed/simple; d={dkim.domain};\r\n s={dkim.selector};"
            f" t={int(at.timestamp())};\r\n h={_folded_names([*names, *_ALONE])};\r\n bh="
        ).encode()
        self._before = b"DKIM-Signature: " + said
        self._as_signed = b"dkim-signature:" + said.replace(_FOLD, b" ")

    def signature(self, head: hashlib._Hash, body: hashlib._Hash) -> bytes:
        """The field, CRLF included. `head` has taken the signed fields, `body` the body."""
        body_hash = b64encode(body.digest())
        head.update(b"%b%b; b=" % (self._as_signed, body_hash))
        text = b2a_base64(self._raw(head.digest()), newline=False)
        lines = [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
        return b"%b%b;\r\n b=%b\r\n" % (self._before, body_hash, _FOLD.join(lines))


def _fields(head: bytes) -> list[tuple[str, bytes]]:
    """The fields that are signed, with their names, in the order of the message; each as relaxed (section 3.4.2).

    Of a field that occurs more than once a verifier reads the last first.
    """
    found = re.findall(rb"([^\r\n:]+):((?:[^\r]|\r\n[ \t])*)\r\n", head)
    known = [
        (_NAMES[key], name + b":" + value) for name, value in found if (key := name.decode().strip().lower()) in _NAMES
    ]
    once = [entry for entry in known if sum(name == entry[0] for name, _ in known) == 1]
    again = [entry for entry in known if entry not in once]
    return [(name, _relaxed(field)) for name, field in (*once, *reversed(again))]


def _relaxed(field: bytes) -> bytes:
    """Name in lower case, folds undone, each run of blanks one blank (section 3.4.2)."""
    name, _, value = field.partition(b":")
    return b"%b:%b\r\n" % (name.rstrip().lower(), b" ".join(value.split()))


def _simple(body: bytes) -> bytes:
    """The body without the empty lines at its end; CRLF for none at all (section 3.4.3)."""
    return body.rstrip(b"\r\n") + b"\r\n"


def _folded_names(names: Iterable[str]) -> str:
    lines, row = [], ""
    for name in names:
        if row and len(row) + len(name) + 4 > _WIDTH:
            lines.append(row)
            row = ""
        row += f"{name}:"
    return "\r\n ".join([*lines, row]).removesuffix(":")


def _key(pem: str) -> tuple[str, int, str, Callable[[bytes], bytes]]:
    """Algorithm, bits, the public key as a record holds it, and what signs a digest."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    text = pem if "\n" in pem.strip() else pem.replace("\\n", "\n")  # as environments carry it
    try:
        key = load_pem_private_key(text.encode(), None)
    except TypeError:
        raise ValueError(
            "the key is locked by a passphrase: write it out without one (openssl pkey -in … -out …)"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        what = "a public key" if "PUBLIC KEY" in text else "no private key in PEM"
        raise ValueError(f'the key is {what}: it begins with "-----BEGIN PRIVATE KEY-----"') from None
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < SMALLEST:
            raise ValueError(
                f"the key has {key.key_size} bits: nobody takes fewer than {SMALLEST}, {ADVISED} are advised"
            )
        rsa_key, scheme, digest = key, padding.PKCS1v15(), Prehashed(SHA256())
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "rsa-sha256", key.key_size, b64encode(spki).decode(), lambda seen: rsa_key.sign(seen, scheme, digest)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "ed25519-sha256", 256, b64encode(public).decode(), key.sign
    raise ValueError("the key is neither RSA nor Ed25519: no other kind signs mail")
