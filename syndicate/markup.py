"""HTML that others wrote, as a body of ours: one block that Markdown leaves alone. Cleans nothing; `markdown` does."""

from __future__ import annotations

import re
from html import escape, unescape
from urllib.parse import urljoin, urlsplit

_PRE = re.compile(r"(<pre\b[^<>]*>)(.*?)(</pre\s*>|\Z)", re.I | re.S)
_BLANKS = re.compile(r"[ \t\n\r\f]+")
# A tag; "<!" and "<?" begin what no reader sees; any other "<" is text.
_OPENING = re.compile(r"<(/?)([A-Za-z][^\s<>/]*)([^<>]*)>|<(?![!?/])")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[!?][^<>]*>")
_ADDRESS = re.compile(r"""(?<![\w-])(href|src)\s*=\s*("[^"]*"|'[^']*')""", re.I)
_SOURCES = re.compile(r"""(?<![\w-])src\s*=\s*("[^"]*"|'[^']*')""", re.I)
_PICTURE = re.compile(r"<img\b([^<>]*)>", re.I)
_DOT = re.compile(r"""\b(?:width|height)\s*=\s*["']?[01](?:px)?["'\s/>]|display\s*:\s*none""", re.I)
# What a site generator's tags are made of: as references they are letters to every reader of HTML and to no generator.
_REFERENCES = str.maketrans({mark: f"&#{ord(mark)};" for mark in "{}[]\\$"})


def as_body(html: str, base: str) -> str:
    """An HTML fragment as a Markdown body: `markdown.to_html` gives the same HTML back, cleaned.

    A raw block ends at a blank line, and a line of its own may mean something to a site generator; so it becomes one
    line. Links and images are made absolute against `base`; images inside the page ("data:") are left out.
    """
    parts, at = [], 0
    for found in _PRE.finditer(html):
        kept = found[2].replace("\r\n", "\n").replace("\r", "\n")
        parts += [_BLANKS.sub(" ", html[at : found.start()]), found[1], kept.replace("\n", "&#10;"), found[3]]
        at = found.end()
    parts.append(_BLANKS.sub(" ", html[at:]))
    line = _OPENING.sub(lambda tag: _tag(tag, base), "".join(parts)).translate(_REFERENCES)
    return f"<div>{line.strip()}</div>" if line.strip() else ""


def from_text(text: str) -> str:
    """Plain text as HTML: blank lines part paragraphs, other breaks stay."""
    paragraphs = (part.strip() for part in re.split(r"\n[ \t]*+\n\s*+", text.replace("\r\n", "\n")))
    return "".join(f"<p>{escape(part, quote=False).replace(chr(10), '<br>')}</p>" for part in paragraphs if part)


def without_tags(html: str) -> str:
    """The text of inline HTML (a title): no tags, references read, blanks single."""
    return " ".join(unescape(_TAG.sub("", html)).split())


def first_picture(html: str, base: str) -> str | None:
    """The absolute address of the first picture a reader would see; counting dots are none."""
    for found in _PICTURE.finditer(html):
        source = _SOURCES.search(found[1])
        if source and not _DOT.search(found[1]):
            address = absolute(unescape(source[1][1:-1]), base)
            if address:
                return address
    return None


def absolute(address: str, base: str) -> str | None:
    """An address on the web, made absolute; None for what is none."""
    try:
        stated = urlsplit(address.strip())
        whole = urljoin(base, address.strip())
        usable = urlsplit(whole).scheme in ("http", "https") and bool(urlsplit(whole).hostname)
    except ValueError:
        return None
    return whole if usable and address.strip() and (stated.netloc or not stated.scheme) else None


def _tag(found: re.Match[str], base: str) -> str:
    if found[2] is None:
        return "&lt;"
    attributes = found[3]
    if "=" in attributes:
        attributes = _ADDRESS.sub(lambda one: _attribute(one, base), attributes)
    return f"<{found[1]}{found[2].lower()}{attributes}>"


def _attribute(found: re.Match[str], base: str) -> str:
    name, quoted = found[1].lower(), found[2]
    value = unescape(quoted[1:-1]).strip()
    if name == "src" and value.lower().startswith("data:"):
        return ""
    if re.match(r"[a-z][a-z0-9+.-]*:", value, re.I) or value.startswith("#"):
        return found[0]
    whole = absolute(value, base)
    return f'{name}="{escape(whole)}"' if whole else found[0]
