"""Site generators' own markup, reduced to plain Markdown: MDX, Hugo shortcodes, Liquid, kramdown. Never touches code.

What a generator would fill in is not known here, so its tags go and the text between them stays.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from html import escape

_WINDOW = 4_000  # characters one tag, comment or formula may span; beyond, its opening mark is text
_PATIENCE = 500  # marks without an end (and exports) looked at in one text; beyond, they stay
_OPEN, _CLOSE = "\x01", "\x02"  # where a component's children begin and end, until their indentation is cut
_PRIVATE = ("\0", _OPEN, _CLOSE)

# Most bodies hold none of the hints and are done after a few substring searches; the marks are sure.
_HINTS = ("{", "<", "\\", "$$", ":::", "import ", "export ", "[TOC]", "[[toc]]", "[!")
_MARKS = re.compile(
    r"\{[{%:/#\"'`]|^(?:import|export)\b|</?[A-Z]|<[a-z][^<>]*\{|^[ \t]*+:::|\$\$|\\[(\[]|\[TOC\]|\[\[toc\]\]"
    r"|^[ \t]*+>[ \t]*+\[!|>\n[ \t]++!\[",
    re.M,
)
_FENCE = re.compile(
    r"(?P<indent>[ \t]*+)(?P<prefix>(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*+)*+)(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)$"
)
_HIGHLIGHT = re.compile(r"[ \t]*+\{[%{][%<-]?\s*+highlight\s++(?P<lang>[\w+#-]*)[^{}]*[%>]?[%}]\}?\s*$")
_END_HIGHLIGHT = re.compile(r"\{[%{][%<-]?\s*+(?:endhighlight|/\s*+highlight)\s*+[->%]?[%>}]\}?")
_LIST_ITEM = re.compile(r"[ \t]*+(?:[-*+]|\d{1,9}[.)])[ \t]")
_TICKS = re.compile(r"`+")
_TEX = re.compile(r"\\[A-Za-z]|[_^]\{|[=^]")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

_RAW = re.compile(r"(?<![ \t])[ \t]*+\{%-?\s*+(?:end)?raw\s*+-?%\}[ \t]*+\n?")
_SPACED = re.compile(r"\{%-?\s*+((?:end)?(?:raw|comment))\s*+-?%\}")
_ARGUMENT = re.compile(
    r"""(?:(?P<name>[\w-]++)\s*+=\s*+)?(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|`(?P<tick>[^`]*)`|(?P<bare>[^\s"'`]+))"""
)
_EXPRESSION = re.compile(
    r"""(?<![$^_}\\{])\{\{[-~]?\s*+
        (?:(?P<literal>"[^"{}]*"|'[^'{}]*')|[\w$.][\w.\[\]$'"-]*(?:\([^(){}]*\))?)
        (?:\s++(?:[.$][\w.$]*|"[^"{}]*"|\d+|:?=|eq|ne|not|and|or|if|with|where))*
        \s*(?:\|[^{}]*)?[-~]?\}\}(?!\})""",
    re.VERBOSE,
)
_PICTURES = ("figure", "img", "image")
_PICTURE_FILE = re.compile(r"fig|im(?:g|age)|pic|photo", re.I)
_COMMAND_BEFORE = re.compile(r"\\[A-Za-z]{1,20}\Z")
_EMPTY_IMAGE = re.compile(r"!\[[^\[\]\n]*\]\([ \t]*+\)")
_EMPTY_LINK = re.compile(r"\[([^\[\]\n]*)\]\([ \t]*+\)")

_NAMES = r"""\{[^{};"'`]{0,2000}\}"""
_IMPORT = re.compile(
    rf"""^import[ ]+(?:type[ ]+)?(?:(?:[\w*$][^;"'\n{{}}]{{0,300}}?[ ]|(?:[\w$]+,[ ]*)?{_NAMES}\s?)from[ ]+)?"""
    r"""["'][^"'\n]+["'];?[ \t]*+$\n?""",
    re.M,
)
_EXPORT = re.compile(
    r"""^export[ ]+(?:
        (?:const|let|var)[ ]+[\w${\[][^\n]*=
        | (?:default[ ]+)?(?:async[ ]+)?function\b[^\n]*\(
        | (?:default[ ]+)?class[ ]+\w[^.\n]*\{
        | default[ ]+(?:[({\[]|\w+;?[ ]*+$)
        | (?:type|interface)[ ]+\w+[ ]*[={<]
        | \{[^{}\n]*\} | \*[ ]
    )""",
    re.MULTILINE | re.VERBOSE,
)
_DIRECTIVE = re.compile(
    r"^[ \t]*+:{3,}[ \t]*+(?:\w[\w-]*+)?[ \t]*+(?:\[(?P<label>[^\]\n]*)\])?[ \t]*+(?:\{[^{}\n]*\})?[ \t]*+$", re.M
)
_KRAMDOWN = re.compile(r"^[ \t]*+\{:[^{}\n]*\}[ \t]*+$|(?<=[)\]*_`\w\0])\{:[^{}\n]*\}", re.M)
_HEADING_ID = re.compile(r"^(#{1,6}[ \t][^\n{]*)\{#[^{}\n]*\}[ \t]*+$", re.M)
_CONTENTS = re.compile(r"^[ \t]*+(?:\[TOC\]|\[\[toc\]\])[ \t]*+$", re.M | re.I)
_ALERT = re.compile(
    r"^(?P<quote>[ \t]*+>[ \t]*+)\[!(?P<kind>note|tip|important|warning|caution)\][ \t]*+$", re.M | re.I
)
# Alone on a line inside HTML, where Markdown sleeps and MDX does not.
_PICTURE_LINE = re.compile(r"(?<=>\n)[ \t]++!\[(?P<alt>[^\[\]\n]*)\]\((?P<src>[^()\s<>]+)\)[ \t]*+$", re.M)
_BLANK_STRING = re.compile(r"\{(['\"`])([ \t\n]*+)\1\}")
_TAG = re.compile(r"<(?P<slash>/?)(?P<name>[A-Za-z][\w.:-]*+)")
_CLOSED_COMPONENT = re.compile(r"</([A-Z][\w.:-]*+)")
_UNCLOSED = frozenset({"BR", "HR", "IMG", "P", "LI", "DT", "DD", "TR", "TD", "TH"})
_PLAIN_ATTRIBUTE = re.compile(r"""([\w:@-]++)=("[^"<>]*"|'[^'<>]*')""")


_LEFTOVERS = (
    ("{:", _KRAMDOWN, ""),
    ("{#", _HEADING_ID, r"\1"),
    ("toc]", _CONTENTS, ""),
    ("TOC]", _CONTENTS, ""),
    ("](", _EMPTY_IMAGE, ""),
    ("](", _EMPTY_LINK, r"\1"),
)


def to_commonmark(body: str) -> str:
    """`body` as plain Markdown and HTML. Code blocks and code spans come out as they went in. Linear."""
    if not any(hint in body for hint in _HINTS) or not _MARKS.search(body):
        return body
    for mark in _PRIVATE:
        body = body.replace(mark, "")
    shelf = _Shelf()
    text = _liquid(shelf, shelf.take_code(body))
    text = _components(_modules(text))
    if ":::" in text:
        text = _DIRECTIVE.sub(lambda m: f"\n**{m['label']}**\n" if m["label"] else "\n", text)
    if "[!" in text:
        text = _ALERT.sub(lambda m: f"{m['quote']}**{m['kind'].capitalize()}**  ", text)
    if ">\n" in text and "![" in text:
        text = _PICTURE_LINE.sub(lambda m: f'<img src="{escape(m["src"])}" alt="{escape(m["alt"])}">', text)
    for hint, pattern, left in _LEFTOVERS:
        if hint in text:
            text = pattern.sub(left, text)
    return shelf.restore(text)


class _Shelf:
    """Code and formulas, put aside under numbers while the text around them is changed."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, bool]] = []

    def put(self, text: str, *, block: bool = False) -> str:
        self.kept.append((text, block))
        return f"\0{len(self.kept) - 1}\0"

    def restore(self, text: str) -> str:
        parts = text.split("\0")  # text, number, text, number, …, text
        for index in range(1, len(parts) - 1, 2):
            kept, block = self.kept[int(parts[index])]
            if block:
                before = parts[index - 1]
                indent = before[before.rfind("\n") + 1 :]
                kept = kept.replace("\n", "\n" + indent) if indent.isspace() else kept
            parts[index] = self.restore(kept) if "\0" in kept else kept
        return "".join(parts)

    def take_code(self, body: str) -> str:
        """Lines in fences, in highlight tags and in indented blocks, then what stands between backticks."""
        lines, out, at = body.split("\n"), list[str](), 0
        highlighted = [index for index, line in enumerate(lines) if "highlight" in line and _END_HIGHLIGHT.search(line)]
        while at < len(lines):
            end = _fenced(lines, at) or _highlighted(lines, at, highlighted) or _indented(lines, at, out)
            if end:
                out.append(self._block(lines[at:end]))
                at = end
            else:
                out.append(lines[at])
                at += 1
        return self._spans("\n".join(out))

    def _block(self, lines: list[str]) -> str:
        if _highlight := _HIGHLIGHT.match(lines[0]):
            inner = "\n".join(lines[1:-1])
            mark = "`" * max(3, 1 + max(map(len, _TICKS.findall(inner)), default=0))
            return self.put(f"{mark}{_highlight['lang']}\n{inner}\n{mark}", block=True)
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip(" \t"))]
        fence = _FENCE.match(lines[0])
        if fence is None or fence["prefix"]:
            return self.put(_unraw("\n".join(lines)))
        flush = [line.removeprefix(indent) if line.startswith(indent) else line.lstrip(" \t") for line in lines]
        return indent + self.put(_unraw("\n".join(flush)), block=True)

    def _spans(self, text: str) -> str:
        if "`" not in text:
            return text
        runs = list(_TICKS.finditer(text))
        following: dict[int, int] = {}  # length of a run -> index of the next such run
        closers = [0] * len(runs)
        for index in range(len(runs) - 1, -1, -1):
            length = len(runs[index][0])
            closers[index] = following.get(length, -1)
            following[length] = index
        out: list[str] = []
        at = index = 0
        while index < len(runs):
            start, closer = runs[index].start(), closers[index]
            end = runs[closer].end() if closer >= 0 else -1
            if end < 0 or text.find("\n\n", start, end) >= 0 or text[start - 1 : start] == "\\":
                index += 1
                continue
            out += (text[at:start], self.put(text[start:end]))
            at, index = end, closer + 1
        return "".join((*out, text[at:]))


def _unraw(code: str) -> str:
    """Code without the raw tags that only kept Liquid away from it."""
    return _RAW.sub("", code) if "raw" in code and len(_RAW.findall(code)) >= 2 else code


def _fenced(lines: list[str], at: int) -> int:
    """Index after the fenced block that begins at line `at`; 0 when none does."""
    fence = _FENCE.match(lines[at])
    if fence is None:
        return 0
    mark = fence["mark"]
    for index in range(at + 1, len(lines)):
        line = lines[index].strip(" \t>\r")
        if line.startswith(mark) and not line.strip(mark[0]):
            return index + 1
    return len(lines)


def _highlighted(lines: list[str], at: int, ends: list[int]) -> int:
    """The same for a highlight tag; `ends` are the lines that close one."""
    if "highlight" not in lines[at] or not _HIGHLIGHT.match(lines[at]):
        return 0
    following = bisect_right(ends, at)
    return ends[following] + 1 if following < len(ends) else 0


def _indented(lines: list[str], at: int, before: list[str]) -> int:
    """Index after a block of code indented by four; text that goes on inside a list is none."""
    if not lines[at].startswith(("    ", "\t")) or (before and before[-1].strip()) or not lines[at].strip():
        return 0
    for line in reversed(before[-40:]):
        if line.strip() and not line.startswith(("  ", "\t")):
            if _LIST_ITEM.match(line) or line.startswith(("<", "{", ":")):
                return 0
            break
    end = at
    while end < len(lines) and (lines[end].startswith(("    ", "\t")) or not lines[end].strip()):
        end += 1
    return end


def _between(text: str, opening: str, closing: str, replace: Callable[[str], str | None]) -> str:
    """`text` with each span between the two marks replaced; None keeps it. Spans of more than a window are text."""
    out: list[str] = []
    at = look = failures = 0
    last = text.rfind(closing)
    while failures < _PATIENCE and 0 <= (start := text.find(opening, look)) < last:
        inner = start + len(opening)
        end = text.find(closing, inner, inner + _WINDOW)
        new = replace(text[inner:end]) if end >= 0 else None
        if new is None:
            failures += end < 0
            look = inner
            continue
        out += (text[at:start], new)
        at = look = end + len(closing)
    return "".join((*out, text[at:])) if at else text


def _formula(shelf: _Shelf, opening: str, closing: str) -> Callable[[str], str | None]:
    def keep(inner: str) -> str | None:
        if "\n\n" in inner or not _TEX.search(inner):
            return None  # brackets that are only escaped
        return shelf.put(_PUNCTUATION.sub(r"\\\1", opening + inner + closing))

    return keep


def _liquid(shelf: _Shelf, text: str) -> str:
    """Formulas, raw text put aside; Hugo's shortcodes, Liquid's and Jinja's tags, comments and output gone."""
    for opening, closing in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)")):
        if opening in text:
            text = _between(text, opening, closing, _formula(shelf, opening, closing))
    if "{%" in text:
        text = _SPACED.sub(r"{%\1%}", text)
        text = _between(text, "{%raw%}", "{%endraw%}", shelf.put)
        text = _between(text, "{%comment%}", "{%endcomment%}", lambda _: "")
    if "{#" in text:  # a comment in Jinja, Nunjucks, Twig; without a blank it is a heading's id
        text = _between(text, "{#", "#}", lambda inner: "" if inner[:1] in (" ", "\n", "-") else None)
    if "{{" in text:
        for opening, closing in (("{{<", ">}}"), ("{{%", "%}}")):
            text = _between(text, opening, closing, _shortcode(shelf, opening, closing))
        text = _between(text, "{{/*", "*/}}", lambda _: "")
    if "{%" in text:
        text = _between(text, "{%", "%}", _tag)
    return _EXPRESSION.sub(_expression, text) if "{{" in text else text


def _tag(inner: str) -> str:
    words = inner.strip(" -").split(None, 2)
    if len(words) > 2 and words[0] == "include" and _PICTURE_FILE.search(words[1]):
        return _picture(words[2])
    return _picture(" ".join(words[1:])) if words and words[0] in _PICTURES else ""


def _expression(found: re.Match[str]) -> str:
    """Nothing for a name; a text in quotes is itself, whatever filters follow; what a formula holds stays."""
    if _COMMAND_BEFORE.search(found.string, max(0, found.start() - 22), found.start()):
        return found[0]
    return found["literal"][1:-1] if found["literal"] else ""


def _shortcode(shelf: _Shelf, opening: str, closing: str) -> Callable[[str], str | None]:
    def replace(inner: str) -> str:
        if inner.startswith("/*") and inner.endswith("*/"):  # how Hugo's own docs show a shortcode
            return shelf.put(escape(opening + inner[2:-2] + closing, quote=False))
        words = inner.strip().rstrip("/").split(None, 1)
        if len(words) < 2 or words[0].lower() not in _PICTURES:
            return ""
        return _picture(words[1])

    return replace


def _picture(arguments: str) -> str:
    """An image from a shortcode's arguments: `src="…" alt="…" caption="…"`, or the address alone."""
    named: dict[str, str] = {}
    for found in _ARGUMENT.finditer(arguments):
        value = next(v for v in (found["double"], found["single"], found["tick"], found["bare"]) if v is not None)
        name = (found["name"] or "src").lower()
        if found["name"] or "/" in value or "." in value:
            named.setdefault("src" if name in ("url", "path", "image_path") else name, value)
    if not named.get("src"):
        return ""
    caption = named.get("caption") or named.get("title") or ""
    image = f'<img src="{escape(named["src"])}" alt="{escape(named.get("alt") or caption)}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>\n" if caption else image


def _modules(text: str) -> str:
    """MDX: imports, exports and comments gone."""
    if "import" in text:
        text = _IMPORT.sub("", text)
    if "export" in text:
        out: list[str] = []
        at = 0
        for found in _EXPORT.finditer(text):
            if found.start() >= at and len(out) < _PATIENCE:
                out.append(text[at : found.start()])
                at = _end_of_export(text, found.start())
        text = "".join((*out, text[at:]))
    if "{/*" in text:
        text = _between(text, "{/*", "*/}", lambda _: "")
    return _BLANK_STRING.sub(r"\2", text)


def _end_of_export(text: str, start: int) -> int:
    """The first line end where all brackets are closed; the first blank line when they never are."""
    depth = 0
    for at in range(start, min(len(text), start + _WINDOW)):
        char = text[at]
        if char in "{([":
            depth += 1
        elif char in "})]":
            depth -= 1
        elif char == "\n" and depth <= 0:
            return at + 1
    blank = text.find("\n\n", start)
    return len(text) if blank < 0 or (depth <= 0 and len(text) - start < _WINDOW) else blank


def _components(text: str) -> str:
    """JSX: a component's tags go and its children stay; a picture stays a picture; `{…}` attributes go."""
    out: list[str] = []
    at, tries, nested = 0, 0, False
    closed = set(_CLOSED_COMPONENT.findall(text))
    for found in _TAG.finditer(text):
        if found.start() < at or tries > _PATIENCE:
            continue
        name, before = found["name"], text[max(0, found.start() - 1)]
        component = name[0].isupper() and not name.isupper()  # <A>, <TABLE> are HTML of the old school
        if before == "\\":
            continue
        if name[0].isupper() and name not in closed and name not in _UNCLOSED and before.isalnum():
            out += (text[at : found.start()], "&lt;")  # a type like Vec<String>, not a component
            at = found.start() + 1
            continue
        end, braces = _end_of_tag(text, found.end())
        if end < 0:
            tries += 1
        if end < 0 or not (component or braces):
            continue
        attributes = text[found.end() : end - 1]
        out += (text[at : found.start()], _replaced(found["slash"], name, attributes))
        nested = nested or component
        at = end
    text = "".join((*out, text[at:])) if at else text
    return _dedented(text) if nested else text


def _replaced(slash: str, name: str, attributes: str) -> str:
    plain = {key.lower(): value[1:-1] for key, value in _PLAIN_ATTRIBUTE.findall(attributes)}
    if name.lower() in ("image", "img", "figure", "picture", "staticimage") and plain.get("src"):
        return f'<img src="{plain["src"]}" alt="{escape(plain.get("alt", ""))}">'
    if name[0].islower() or name.isupper():
        kept = "".join(f' {key}="{value}"' for key, value in plain.items())
        return f"<{slash}{name}{kept}>" if name != "img" else ""
    if attributes.endswith("/"):
        return ""
    return _CLOSE if slash else _OPEN


def _end_of_tag(text: str, at: int) -> tuple[int, bool]:
    """Index after the `>` that ends a tag whose name ends at `at`, and whether `{` was met; -1 when it never ends."""
    depth, quote, braces = 0, "", False
    for index in range(at, min(len(text), at + _WINDOW)):
        char = text[index]
        if quote:
            if char == quote:
                quote = ""
        elif char in "\"'" and (depth or text[index - 1] in "= \t\n"):
            quote = char
        elif char == "{":
            depth, braces = depth + 1, True
        elif char == "}":
            depth -= 1
        elif char == ">" and depth <= 0:
            return index + 1, braces
        elif char == "<" and depth <= 0:
            break
    return -1, braces


def _dedented(text: str) -> str:
    """Children of components without the indentation that would make code of them."""
    out: list[str] = []
    cuts: list[int | None] = []  # of each open component; None until its first line is seen
    margin = 0  # of the line that opened the last one
    for line in text.split("\n"):
        opened, closed = line.count(_OPEN), line.count(_CLOSE)
        bare = line.replace(_OPEN, "").replace(_CLOSE, "")
        width = _width(line)
        if cuts and bare.strip():
            if cuts[-1] is None:
                cuts[-1] = max(0, width - margin)
            bare = bare[min(width, cuts[-1] or 0) :]
        out.append(bare)
        if opened > closed:
            margin = max(0, width - next((cut for cut in reversed(cuts) if cut is not None), 0))
            cuts += [None] * (opened - closed)
        elif closed > opened:
            del cuts[max(0, len(cuts) - (closed - opened)) :]
    return "\n".join(out)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
