"""Quoted-printable, RFC 2045 section 6.7: any text in lines that every server carries and no mail program damages."""

from __future__ import annotations

import re

_PRINTABLE = [chr(byte) if 32 <= byte < 127 and byte != 61 else f"={byte:02X}" for byte in range(256)]
_AS_IT_IS = re.compile(r"(?!\.|From )[ -<>-~]{0,75}(?<! )")  # nothing to encode, nothing to break


def quoted_printable(text: str) -> bytes:
    """Lines of at most 76, CRLF. A dot or "From " at the start of a line is encoded: no stuffing, no mbox damage."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\r\n".join(line if _AS_IT_IS.fullmatch(line) else _quoted_line(line) for line in lines).encode()


def _quoted_line(line: str) -> str:
    out: list[str] = []
    row = ""
    for byte in line.encode("utf-8", "replace"):
        token = _PRINTABLE[byte]
        if len(row) + len(token) > 75:
            out.append(row + "=")
            row = ""
        if not row and token in (".", "F"):
            token = f"={byte:02X}"
        row += token
    if row.endswith(" "):
        last = row[:-1]
        if len(last) + 3 > 76:
            out.append(last + "=")
            last = ""
        row = last + "=20"
    return "\r\n".join([*out, row])


def quoted_link(url: bytes) -> bytes:
    """An ASCII address that begins a line of its own, between soft line breaks."""
    return url if len(url) <= 75 and b"=" not in url else quoted_printable(url.decode())
