"""The bytes of a feed -> text, and text -> well-formed XML of a size that can be read. Pure.

feedparser takes time with the square of a long name or of many tags, and holds everybody up meanwhile; and no parser
should see a DTD. So XML loses its DOCTYPE here (one that declares anything is refused) and is mended and cut first.
"""

from __future__ import annotations

import codecs
import html
import re
from typing import Any

from syndicate import markup
from syndicate.errors import SourceError

MOST = 1000  # items of one feed, the first
LONGEST_LINE = 2_000  # characters of everything but texts
LONGEST_NAME = 200
MOST_CHILDREN = 100  # elements of one item, or of the feed itself beside its items
_MOST_PEOPLE = 20  # of them, people
_MOST_ATTRIBUTES = 30
_MOST_ELEMENTS = 300_000


def one_line(text: object, limit: int = LONGEST_LINE) -> str:
    """A text of one line, without characters that no XML may hold."""
    return " ".join(legal(text[: 4 * limit]).split())[:limit] if isinstance(text, str) else ""


def legal(text: str) -> str:
    """Text without the characters that XML 1.0 section 2.2 leaves out."""
    return _ILLEGAL.sub("", text)


# --- text -------------------------------------------------------------------------------------------------------------

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0 section 2.2
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.I)
_CODECS = re.compile(
    r"(?:us-)?ascii|utf-?(?:8|16|32)(?:-?[lb]e)?|iso-?|latin|windows-?|cp\d|koi8|big5|gb|hz$|euc|shift|sjis|mac", re.I
)


def decoded(body: bytes, content_type: str) -> str:
    """The text: by its byte order mark, as UTF-8 where it is that, as declared, as the server says, else Windows-1252.

    UTF-8 goes first, as servers and templates go on declaring what a site left behind long ago.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for zeros, name in ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"), (b"{\0", "utf-16-le"), (b"\0{", "utf-16-be")):
        if body.startswith(zeros):
            return body.decode(name, "replace")
    declared, told = _DECLARED.search(body[:1_000]), _CHARSET.search(content_type)
    names = [declared[1].decode("ascii", "replace") if declared else "", told[1] if told else ""]
    seven_bit = [name for name in names if name.lower().startswith(("iso-2022", "hz"))]
    for name in (*seven_bit, "utf-8", *filter(_CODECS.match, names)):
        try:
            return body.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("cp1252", "replace")


# --- XML --------------------------------------------------------------------------------------------------------------

_PROLOG = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->)", re.S)
_DOCTYPE = re.compile(
    r"""<!DOCTYPE\s+[\w:.-]+(?:\s+(?:PUBLIC\s+)?(?:SYSTEM\s+)?(?:(?:"[^"]*"|'[^']*')\s*){1,2})?\s*>""", re.I
)
_REFERENCE = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|&(?:#(?:(\d{1,7})|x([0-9A-Fa-f]{1,6}));|(?!(?:amp|lt|gt|quot|apos);)(?:([A-Za-z]\w{1,31});)?)",
    re.S,
)
_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.I)
_LINK_TO_FEED = re.compile(r"<link\b[^<>]*>", re.I)
_ATOM, _OLD_ATOM, _RSS_1 = "{http://www.w3.org/2005/Atom}", "{http://purl.org/atom/ns#}", "{http://purl.org/rss/1.0/}"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_USUAL = {
    "content": _CONTENT,
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "feedburner": "http://rssnamespace.org/feedburner/ext/1.0",
}
# What holds the text of an item: feedparser takes everything inside for text, so that its length does no harm.
_TEXTS = frozenset(
    {
        *(space + name for space in ("", _ATOM, _OLD_ATOM) for name in ("description", "summary", "content")),
        f"{_RSS_1}description",
        f"{{{_CONTENT}}}encoded",
        "{http://www.w3.org/1999/xhtml}body",
    }
)
_TEXT_TYPES = frozenset({"", "text", "html", "xhtml", "text/plain", "text/html", "application/xhtml+xml"})
_PEOPLE = frozenset(
    {
        "{*}author", "{*}creator", "{*}contributor", "{*}publisher", "{*}owner", "{*}name", "{*}email",
        "{*}managingEditor", "{*}webMaster",
    }
)  # fmt: skip


_EMAIL = re.compile(r"<?[^\s<>()@]+@[^\s<>()@]+>?")


def tidied(text: str, base: str, notes: list[str]) -> bytes:
    """Well-formed XML of a size that can be read. Raises SourceError for what is no XML, or no feed."""
    from lxml import etree

    text = _without_prolog(legal(text))
    if _PAGE.match(text):
        raise SourceError(_no_feed_but_a_page(text, base))
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(_REFERENCE.sub(_as_xml, text).encode(), parser)
    except etree.XMLSyntaxError:
        root = None
    kind = "" if root is None else root.tag.rpartition("}")[2].lower()
    if root is None or kind not in ("rss", "feed", "rdf"):
        raise SourceError("not a feed: neither RSS, Atom nor JSON Feed" + (f" but <{kind[:40]}>" if kind else ""))
    if parser.error_log:
        fault = parser.error_log[0]
        notes.append(f"broken XML, read as far as it goes: line {fault.line}: {one_line(fault.message, 120)}")
    _declare(root)
    _cut_to_size(root)
    tidy: bytes = etree.tostring(root, encoding="utf-8")
    return tidy


def _without_prolog(text: str) -> str:
    """`text` from its first element on: a DTD is never read. One that declares entities is refused."""
    at = 0
    while found := _PROLOG.match(text, at):
        at = found.end()
    text = text[at:].lstrip()
    if text[:9].upper() != "<!DOCTYPE" or _PAGE.match(text):
        return text
    doctype = _DOCTYPE.match(text)
    if doctype is None:
        raise SourceError("a feed that declares entities of its own in a DOCTYPE: such a one is not read")
    return _without_prolog(text[doctype.end() :])


def _as_xml(found: re.Match[str]) -> str:
    """HTML's names for characters are none of XML's; a bare "&" is a slip, and some numbers are no characters."""
    whole, (decimal, hexadecimal, name) = found[0], found.groups()
    if whole.startswith("<"):  # CDATA
        return whole
    if decimal or hexadecimal:
        number = int(decimal or hexadecimal, 10 if decimal else 16)
        return whole if number <= 0x10FFFF and legal(chr(number)) else ""
    known = html.unescape(f"&{name};") if name else ""
    return html.escape(known) if known and len(known) < 3 else whole.replace("&", "&amp;")


def _no_feed_but_a_page(text: str, base: str) -> str:
    for link in _LINK_TO_FEED.findall(text[:200_000]):
        if re.search(r"application/(?:rss|atom|feed)\+", link) and (place := re.search(r'href="([^"]+)"', link)):
            feed = markup.absolute(html.unescape(place[1]), base)
            if feed:
                return f"a web page, not a feed; the page says that its feed is {one_line(feed, 300)}"
    return "a web page, not a feed: write the address of the feed itself"


def _declare(root: Any) -> None:
    """Give prefixes that nobody declared their usual meaning: feedparser would read the feed as broken, slowly."""
    for element in root.xpath("//*[namespace-uri() = '' and contains(name(), ':')]"):
        prefix, _, name = element.tag.rpartition(":")
        element.tag = f"{{{_USUAL.get(prefix, 'urn:undeclared')}}}{name or 'nameless'}"


def _cut_to_size(root: Any) -> None:
    """Leave of everything but texts what a feed may need, and no more."""
    if root.xpath("count(//*)") > _MOST_ELEMENTS:
        raise SourceError(f"more than {_MOST_ELEMENTS} elements: no feed is that long")
    for element in root.xpath(f"//*[count(@*) > {_MOST_ATTRIBUTES}]"):
        element.attrib.clear()
    entries = list(root.iter("{*}item", "{*}entry"))
    for extra in entries[MOST + 1 :]:
        extra.getparent().remove(extra)
    for person in root.iter(*_PEOPLE):
        _cut_person(person)
    for holder in (root, *root.iterchildren("{*}channel"), *entries[: MOST + 1]):
        room, people = MOST_CHILDREN, _MOST_PEOPLE
        for child in list(holder):
            name = child.tag.rpartition("}")[2]
            if name in ("item", "entry", "channel"):
                continue
            room, people = room - 1, people - ("{*}" + name in _PEOPLE)
            if min(room, people) < 0:
                holder.remove(child)
            elif child.tag not in _TEXTS or child.get("type", "").strip().lower() not in _TEXT_TYPES:
                _cut(child)
            if name == "id" or (name == "guid" and not _is_address(child.text)):
                child.set("isPermaLink", "false")  # else it would change with the address of the feed


def _cut(element: Any) -> None:
    for count, inner in enumerate(list(element.iter())):
        if count > MOST_CHILDREN:
            if inner.getparent() is not None:
                inner.getparent().remove(inner)
            continue
        inner.text, inner.tail = (inner.text or "")[:LONGEST_LINE], (inner.tail or "")[:LONGEST_LINE]
        for key, value in inner.attrib.items():
            if len(value) > LONGEST_LINE:
                del inner.attrib[key]


def _is_address(text: str | None) -> bool:
    return (text or "").strip().lower().startswith(("http://", "https://"))


def _cut_person(person: Any) -> None:
    """A name of bearable length, without the e-mail address that RSS wants there: it is nobody's to publish."""
    name = _EMAIL.sub("", (person.text or "")[:LONGEST_NAME])
    person.text = name.strip().removeprefix("(").removesuffix(")") if name != person.text else name
    for count, child in enumerate(list(person)):
        child.tail = None
        if count >= 5 or len(child):
            person.remove(child)
