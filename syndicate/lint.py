"""What mailbox providers, mail programs and readers would object to in a letter, found before it leaves.

Pure: it looks at a frozen payload alone. What it says comes from RFC 5322, 2045, 8058 and the providers' own pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses
from html.parser import HTMLParser
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from syndicate.config.values import host_of, is_loopback_host
from syndicate.letter import Person, Stencil, fill_marks

CLIPPED = 102_400  # octets of HTML from which Gmail hides the rest, and with it the way out
LARGE = 80 * 1024
LONGEST_SUBJECT = 150  # characters
LARGEST_STYLE = 8_192  # characters
LEAST_TEXT = 20  # the text part has at least a word for so many of the HTML

_ONCE = (
    "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version", "content-type",
    "list-id", "list-unsubscribe", "list-unsubscribe-post", "list-archive", "feedback-id",
)  # fmt: skip
_NEEDED = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Id", "List-Unsubscribe", "Feedback-ID")
_NEVER = {"script", "form", "iframe", "object", "embed"}
_HARDLY = {"input", "button", "select", "textarea", "video", "audio", "svg", "canvas"}  # shown by few programs
_TOKEN = "A" * 26  # as long as a token is


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One objection. `fail`: the letter should not go out so."""

    code: str  # fixed, for programs
    level: Literal["warn", "fail"]
    text: str


def lint(payload: Mapping[str, Any], public_url: str, *, postal_address: str = "") -> list[Remark]:
    """All objections to the letters of an edition, each kind once, the grave ones first.

    `postal_address` is what both parts must show; "" where none is told.
    """
    base = public_url.rstrip("/")
    links = {"unsubscribe_url": f"{base}/unsubscribe/{_TOKEN}", "preferences_url": f"{base}/preferences/{_TOKEN}"}
    html, text = fill_marks(payload["html"], **links), fill_marks(payload["text"], **links)
    markup = _Markup(set(links.values()))
    markup.feed(html)
    markup.close()
    found = [
        *_subject(payload),
        *_size(html),
        *markup.remarks,
        *_structure(markup),
        *_text(text, markup, links["unsubscribe_url"]),
        *_postal(postal_address, text, markup),
        *_message(payload, base, links),
    ]
    return sorted(_merged(found), key=lambda remark: remark.level != "fail")


def _warn(code: str, text: str) -> Remark:
    return Remark(code=code, level="warn", text=text)


def _fail(code: str, text: str) -> Remark:
    return Remark(code=code, level="fail", text=text)


def _merged(remarks: list[Remark]) -> list[Remark]:
    """Of each kind the first, with how many more there are."""
    kinds: dict[tuple[str, str], list[Remark]] = {}
    for remark in remarks:
        kinds.setdefault((remark.code, remark.level), []).append(remark)
    return [
        replace(first, text=f"{first.text} (and {len(more)} more)") if more else first
        for first, *more in kinds.values()
    ]


# --- what is seen first ---------------------------------------------------------------------------------------------


def _subject(payload: Mapping[str, Any]) -> Iterator[Remark]:
    subject = payload["subject"].strip()
    if not subject:
        yield _fail("subject-empty", "the subject is empty")
    if len(subject) > LONGEST_SUBJECT:
        yield _warn("subject-long", f"the subject has {len(subject)} characters: phones show some 40")
    if re.match(r"(?i)(?:re|fwd?|aw|wg)\s*:", subject):
        yield _warn("subject-bait", f"the subject begins like an answer ({subject[:10]!r}): Gmail takes that for bait")
    if len(subject) > 8 and subject.isupper():
        yield _warn("subject-capitals", "the subject is all capitals: filters take that for shouting")
    if re.search(r"\{\{|\{%", subject + payload["preheader"]):
        yield _warn("template-left", "the subject or preheader holds {{ or {%: was a template not filled in?")
    if not payload["preheader"].strip():
        yield _warn("preheader-empty", "there is no preheader: inboxes show the first words of the letter instead")


def _size(html: str) -> Iterator[Remark]:
    size = len(html.encode())
    if size > CLIPPED:
        yield _fail("size", f"the HTML has {size:,} octets: Gmail hides what is beyond {CLIPPED:,}, the footer first")
    elif size > LARGE:
        yield _warn("size", f"the HTML has {size:,} octets: Gmail hides what is beyond {CLIPPED:,}")


# --- the HTML part --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Link:
    href: str
    words: str = ""


class _Markup(HTMLParser):
    """Reads the HTML part once: links, pictures, words, and what has no place in mail."""

    def __init__(self, own: set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.own = own  # links of each reader's own, whose host is web.public_url
        self.remarks: list[Remark] = []
        self.words: list[str] = []
        self.root: dict[str, str] = {}
        self.dirs = 0  # elements below the root that say their direction
        self._links: list[_Link] = []
        self._silent: list[str] = []  # open elements whose text nobody reads

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.root = told
        elif "dir" in told:
            self.dirs += 1
        if tag in _NEVER:
            self.remarks.append(
                _fail("element", f"<{tag}> has no place in a letter: mail programs drop it or the mail")
            )
        if tag in _HARDLY:
            self.remarks.append(_warn("element", f"<{tag}> is shown by few mail programs: say it in words"))
        if tag == "a":
            self._links.append(_Link(told.get("href", "")))
        elif tag == "img":
            self._picture(told)
        elif tag == "link":
            self.remarks.append(_warn("third-party", f"{told.get('href', '')[:80]} is fetched from elsewhere"))
        elif tag in ("style", "title"):
            self._silent.append(tag)
        if any(name.startswith("on") for name in told):
            self.remarks.append(_fail("element", f"<{tag}> holds a script: mail programs drop it or the mail"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._links:
            self._link(self._links.pop())
        elif self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if self._silent:
            if self._silent[-1] == "style" and len(data) > LARGEST_STYLE:
                self.remarks.append(_warn("style", f"a style block has {len(data):,} characters: Gmail drops it whole"))
            if self._silent[-1] == "style" and re.search(r"@import|@font-face|url\(", data):
                self.remarks.append(_warn("third-party", "a style fetches from elsewhere (@import, @font-face, url)"))
            return
        self.words += re.findall(r"\w+", data)
        if self._links:
            self._links[-1].words += data

    def _picture(self, told: dict[str, str]) -> None:
        source = told.get("src", "")
        if "alt" not in told:
            self.remarks.append(_warn("alt", f"a picture has no alt text: {source[:80]}"))
        elif self._links:
            self._links[-1].words += told["alt"]
        if not source.startswith("https://"):
            kind = "data: is not shown by Gmail" if source.startswith("data:") else "only https is shown everywhere"
            self.remarks.append(_warn("picture", f"{kind}: {source[:80]}"))
        elif re.search(r"\.(?:svg|webp|avif)$", urlsplit(source).path, re.IGNORECASE):
            self.remarks.append(_warn("picture", f"Outlook shows no {source[-4:].lstrip('.').upper()}: {source[:80]}"))

    def _link(self, link: _Link) -> None:
        shown = link.href[:80]
        if "{{" in link.href or "{%" in link.href:
            self.remarks.append(_fail("link", f"a link holds template marks: {shown}"))
        elif not re.match(r"(?i)https?://[^/\s]|mailto:\S+@", link.href):
            self.remarks.append(_fail("link", f"a link leads nowhere outside of a web page: {shown or 'it is empty'}"))
        elif link.href not in self.own and link.href[:4].lower() == "http" and _is_private(host_of(link.href)):
            self.remarks.append(_warn("link-private", f"a link leads to a machine that readers cannot reach: {shown}"))
        if not link.words.strip():
            self.remarks.append(_warn("link-silent", f"a link has no words: {shown}"))


def _is_private(host: str) -> bool:
    try:
        return is_loopback_host(host) or not ip_address(host.strip("[]")).is_global
    except ValueError:
        return "." not in host


def _structure(markup: _Markup) -> Iterator[Remark]:
    for name in ("lang", "dir"):
        if not markup.root.get(name) or markup.root[name] == "und":
            yield _warn("language", f'<html> says no {name}="…": screen readers and right-to-left text need it')
    if not markup.dirs:
        yield _warn("language", "no element below <html> says its direction: some mail programs drop <html>")


# --- the text part --------------------------------------------------------------------------------------------------


def _text(text: str, markup: _Markup, unsubscribe_url: str) -> Iterator[Remark]:
    words = len(re.findall(r"\w+", text))
    if unsubscribe_url not in text:
        yield _fail("text-way-out", "the text part has no link to unsubscribe")
    if words * LEAST_TEXT < len(markup.words):
        yield _warn(
            "text-short", f"the text part has {words} words, the HTML {len(markup.words)}: filters compare them"
        )


def _postal(address: str, text: str, markup: _Markup) -> Iterator[Remark]:
    wanted = re.findall(r"\w+", address)
    parts = {"text": re.findall(r"\w+", text), "HTML": markup.words}
    for name, words in parts.items():
        if wanted and f" {' '.join(wanted)} " not in f" {' '.join(words)} ":
            yield _fail("postal-address", f"the {name} part does not show email.postal_address (CAN-SPAM, 15 USC 7704)")


# --- the message ----------------------------------------------------------------------------------------------------


def _message(payload: Mapping[str, Any], base: str, links: Mapping[str, str]) -> Iterator[Remark]:
    """A sample letter, as a server would see it."""
    person = Person(
        letter=0, subscriber=0, email="reader@reader.example", name="Ann Reader", message_id=f"<a@{payload['domain']}>",
        **links,
    )  # fmt: skip
    try:
        raw = b"".join(Stencil(payload, base).fill(person))
    except ValueError as error:
        yield _fail("message", str(error))
        return
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    head, _, body = raw.partition(b"\r\n\r\n")
    yield from _fields(message, head)
    yield from _one_click(message)
    yield from _lines(head, body)
    kinds = [part.get_content_type() for part in message.iter_parts()]
    if kinds != ["text/plain", "text/html"] or message.get_content_type() != "multipart/alternative":
        yield _fail("parts", f"the parts are {kinds}: plain text comes first, HTML last (RFC 2046 section 5.1.4)")
    if len(message.get_boundary() or "") not in range(1, 71):
        yield _fail("parts", "the boundary is longer than 70 characters (RFC 2046 section 5.1.1)")


def _fields(message: EmailMessage, head: bytes) -> Iterator[Remark]:
    names = [name.lower() for name in message]
    for name in _ONCE:
        if names.count(name) > 1:
            yield _fail("field-twice", f"{name} stands {names.count(name)} times (RFC 5322 section 3.6)")
    for name in _NEEDED:
        if name.lower() not in names:
            yield _fail("field-missing", f"{name} is missing")
    for name in ("bcc", "return-path"):
        if name in names:
            yield _fail("field-never", f"{name} must not stand in a letter")
    if len(getaddresses([str(message["From"])])) != 1:
        yield _fail("from", "From holds more than one address: Gmail refuses that")
    for line in re.findall(rb"(?im)^((?:list-[a-z-]+|feedback-id|message-id):(?:[^\r]|\r\n[ \t])*)", head):
        kept = line.rpartition(b"<")[2] if line.lower().startswith(b"list-id") else line  # its phrase may be encoded
        if b"=?" in kept:
            yield _fail("encoded", f"{line[:40].decode('ascii', 'replace')} holds an encoded word (RFC 2047 section 5)")
    sender = str(message["Feedback-ID"] or "").rpartition(":")[2]
    if not 5 <= len(sender) <= 15:
        yield _fail("feedback-id", f"the last part of Feedback-ID is {sender!r}: Gmail wants 5 to 15 characters")


def _one_click(message: EmailMessage) -> Iterator[Remark]:
    found = re.findall(r"<([^>]*)>", str(message["List-Unsubscribe"] or ""))
    secure = [url for url in found if url.startswith("https://")]
    if len(secure) != 1:
        yield _warn("one-click", "List-Unsubscribe has no https link: set web.public_url to one, else no mail program"
                    " shows its own button (RFC 8058 section 3.1)")  # fmt: skip
    if message["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click":
        yield _fail("one-click", "List-Unsubscribe-Post is not as RFC 8058 section 3.1 wants it")


def _lines(head: bytes, body: bytes) -> Iterator[Remark]:
    longest = max(map(len, head.split(b"\r\n")))
    if longest > 998:
        yield _fail("line", f"a line of the head has {longest} octets: 998 at most (RFC 5322 section 2.1.1)")
    if any(len(line) > 76 for line in body.split(b"\r\n")):
        yield _fail("line", "a line of the body has more than 76 characters (RFC 2045 section 6.7)")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", head + body):
        yield _fail("line", "a line does not end with CRLF (RFC 5321 section 2.3.8)")
