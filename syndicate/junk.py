"""What a machine leaves where an article should be: refusals, error notices, requests, placeholders.

Each rule has a fixed code and quotes its evidence. All are about a text that speaks of its own making; a text *about*
refusals, errors or prompts is an article. In doubt nothing is said: a wrong rejection is worse than a missed one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from syndicate.article import Manuscript
from syndicate.markdown import count_words, cut, folded_words, plain, to_text

SHORT = 260  # words; phrases that a real article may hold as well count only in a text no longer than this
STUB = 12  # words; a body that small which only promises content has none
OPENING = 400  # characters: where a machine says so that the rest is none
_LOOKED_AT = 6_000  # characters of a short body
_BEGINNING = 1_000  # characters of a long body that are parsed to find its opening


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which rule, and what it rests on."""

    code: str
    where: str
    quote: str

    def __str__(self) -> str:
        return f"{self.code}: the {self.where} says “{cut(self.quote, 90)}”"


class When(IntEnum):
    """What a phrase must be found in to count; each kind of text admits the phrases of those before it too."""

    ALWAYS = 0  # the title, or the opening of description or body: nobody but a machine begins so
    SHORT = 1  # a text too short to be the article that merely quotes it
    TASK = 2  # a short text that also speaks of generating, creating, writing content


# --- phrases ----------------------------------------------------------------------------------------------------------
# In angle brackets: words of the table below. <start> is the start of a sentence, so never inside quotation marks.

_WORDS = {
    "start": r"(?:^|(?<=[.!?:]\s)|(?<=\n))[*_#>\s-]{0,6}",
    "near": r"[^.\n]{0,60}",
    "few": r"(?:[\w'/-]+,? ){0,6}?",
    "piece": r"(?:content|articles?|(?:blog )?posts?|text|summary|subtitles?|titles?|headlines?|descriptions?|"
    r"previews?|story|stories|responses?|newsletters?|drafts?)",
    "given": r"(?:topics?|subject matter|prompts?|source (?:material|content|text|article)s?|reference material|"
    r"(?:main |actual |original |full |existing )?article(?:'s)? (?:text|content|details|topics?|title|"
    r"specifications?)|focus areas?|topic (?:information|specification|details|guidance)|"
    r"(?:additional|more|further|specific) (?:information|details|context) (?:about|on) (?:the|what|your))",
    "make": r"(?:generat|creat|writ|produc|craft|compos|draft|develop|extract|summari[sz])(?:e|es|ing|ed|ten)?",
    "cannot": r"(?: can(?:'t|not| not)|(?: am|'m) (?:not able|unable) to| (?:won't|will not) be able to|"
    r"(?: am|'m) not (?:comfortable|programmed to|allowed to)| must decline to| was unable to)",
    "sorry": r"(?:i(?: am|'m)(?: very| really| so)? (?:sorry|afraid)|sorry|(?:my )?apologies|i (?:do |must |"
    r"sincerely )?apologi[sz]e|unfortunately)",
    "model": r"(?:(?:an? )?(?:ai|artificial intelligence)(?: language)?(?: model| assistant| chatbot| system)|"
    r"an? (?:large )?language model|an ai(?=,))",
}
_Rule = tuple[str, When, str]
_TEXT: tuple[_Rule, ...] = (  # in description and body; in the title too when they count always
    ("junk-refusal", When.ALWAYS,
     r"<start><sorry>[^.\n]{0,25}?\bi<cannot> (?:\w+ ){0,2}?(?:assist|help|fulfil\w*|comply|engage|complete|"
     r"process)(?: you)?(?: with)? (?:that|this|your|the request)\b"),
    ("junk-refusal", When.ALWAYS,
     r"<start><sorry>[^.\n]{0,25}?\bi<cannot> (?:\w+ ){0,2}?(?:<make>|provide) "
     r"<few><piece>\b<near>\b(?:without|about|based|because|due|since|provided|that|from|source|topic|request|"
     r"material)\b"),
    ("junk-refusal", When.ALWAYS,
     r"<start>(?:<sorry>,? (?:but )?)?as <model>,?[^.\n]{0,40}?\bi(?:<cannot>| don't| do not|'m not| am not| "
     r"lack)\b"),
    ("junk-refusal", When.ALWAYS,
     r"<start>i(?:'m| am) (?:just |only )?<model><near>\b(?:can't|cannot|unable|not able)\b"),
    ("junk-refusal", When.ALWAYS,
     r"<start>i(?:'m| am) (?:claude|chatgpt|gemini|copilot)\b<near>\b(?:can't|cannot|won't|made by|developed "
     r"by)\b"),
    ("junk-refusal", When.SHORT,
     r"<start>i<cannot> (?:\w+ ){0,2}?(?:assist|help|fulfil\w*|comply)(?: you)?(?: with)? (?:that|this|your) "
     r"request\b"),
    ("junk-refusal", When.TASK,
     r"<start>i<cannot> (?:\w+ ){0,2}?(?:<make>|provide) <few><piece>\b<near>\b(?:without|because|due|since|"
     r"provided|source|topic|request|material|guidelines|policy|policies)\b"),
    ("junk-refusal", When.TASK,
     r"<start>i (?:currently )?(?:don't|do not) have (?:\w+ ){0,2}?(?:access|the ability|enough|sufficient|"
     r"real-time)\b"),
    ("junk-refusal", When.SHORT,
     r"<start>(?:error\W+)?(?:unable to|cannot) (?:<make>|provide|process) <few>(?:<piece>|inputs?|requests?)\b"),
    ("junk-refusal", When.SHORT,
     r"<start>(?:[\w-]+ ){0,3}?(?:content|article|text|summary|story|response) (?:can(?:not|'t| not)|could(?: "
     r"not|n't)) be (?:generated|written|created|produced|extracted)\b(?: (?:without|as|because|due to|"
     r"since)\b<near>\b(?:<given>|input|provided|subject|source)|[^.\n]{0,12}$)"),
    ("junk-refusal", When.SHORT,
     r"<start>(?:this|your|the requested) (?:content|request|prompt) (?:has been|was|is being) (?:filtered|"
     r"blocked|flagged|refused|declined) (?:for|as|because|due|by (?:our|the) (?:content|safety))\b"),
    ("junk-refusal", When.SHORT,
     r"<start>(?:this|your|the) (?:request|prompt|topic)\b[^.\n]{0,40}\b(?:violates?|goes against|conflicts? "
     r"with)\b[^.\n]{0,40}\b(?:policy|policies|guidelines)\b"),
    ("junk-error", When.ALWAYS,
     r"<start>error\W+(?:source|article|reference) (?:material|content|text|topic)? ?(?:is |was )?(?:needed|"
     r"required|missing|not provided)\b"),
    ("junk-error", When.SHORT,
     r"<start>error\W+(?:no|invalid|missing|insufficient|empty) (?:(?:input|source|valid|main) "
     r"){0,2}(?:article|content|topic|prompt|text|source material|subject)\b<near>\b(?:provided|given|supplied|"
     r"request|needed|received)\b"),
    ("junk-error", When.SHORT,
     r"<start>an (?:unexpected )?error (?:has )?occurred (?:while|during|when) (?:processing|generating|"
     r"creating|writing) (?:this|the|your) (?:content|article|request|text|summary)\b"),
    ("junk-error", When.TASK,
     r"\b(?:<given>|content|text|input) (?:was|were|is|are) not (?:provided|included|supplied|given)\b"),
    ("junk-error", When.SHORT,
     r"<start>no (?:(?:article|source|input|valid|main) )+(?:text|content|material|topic|data)? ?(?:was|were|"
     r"has been|is) (?:provided|given|supplied|included|received)\b"),
    ("junk-error", When.TASK,
     r"<start>(?:we |i )?received an? (?:invalid|empty|incomplete|malformed) (?:\w+ )?(?:request|input|"
     r"prompt)\b"),
    ("junk-error", When.SHORT,
     r"\b(?:provided|current|given|requested|submitted) (?:input|content|topic|text|prompt)(?: "
     r"\(?['\"`][^'\"`\n]{1,60}['\"`]\)?)? (?:appears?|seems?) (?:to be|like)\b[^.\n]{0,30}\b(?:random|invalid|"
     r"meaningless|gibberish|nonsens\w+|empty|incomplete)\b"),
    ("junk-error", When.TASK,
     r"\b(?:the|your) (?:provided |current |given )?(?:input|prompt|topic)(?: \(?['\"`][^'\"`\n]{1,60}['\"`]\)?)? "
     r"(?:(?:does not|doesn't) (?:contain|provide|include)|is (?:insufficient|too (?:vague|short)|unclear))\b"),
    ("junk-error", When.SHORT,
     r"^\W{0,4}(?:traceback \(most recent call last\)|\{\s{0,4}\"error\"|(?:error |http |status )?(?:429|500|502|"
     r"503|504)\W{1,3}(?:too many requests|internal server|bad gateway|service|gateway)|internal server "
     r"error\W*$|rate limit (?:exceeded|reached)\b)"),
    ("junk-request", When.TASK,
     r"\b(?:please|kindly|could you|can you)(?: please| kindly)? (?:provide|specify|supply|submit|share|give|"
     r"enter|paste|clarify)(?: (?:me|us))?(?: with)? <few>(?:<given>|subject)\b"),
    ("junk-request", When.SHORT,
     r"\bplease (?:provide|paste|share|specify) <few>(?:text|article|content|details|"
     r"information)\b[^.\n]{0,30}\b(?:you'd|you would) (?:like|want) (?:me to|(?:the|this|your) (?:article|"
     r"content|post|text))\b"),
    ("junk-request", When.TASK,
     r"\b<given>(?: \w+){0,4}? (?:is|are)(?: \w+)? (?:required|needed|necessary|essential|missing)\b"),
    ("junk-request", When.TASK,
     r"\b(?:to|before) (?:<make>|provide) <few><few><piece>\b[^.\n]{0,80}\b(?:<given>|parameters|additional "
     r"information)\b[^.\n]{0,40}\b(?:is|are|must be|would be) (?:required|needed|necessary|essential|"
     r"provided)\b"),
    ("junk-request", When.TASK,
     r"\b(?:we|i)(?: would)? (?:need|require) <few><given>\b<near>\b(?:to work (?:from|with)|within|before|in "
     r"order|such as)\b"),
    ("junk-request", When.TASK,
     r"<start>(?:[\w ]{1,20}: )?(?:still )?(?:awaiting|waiting for) <few><given>\b"),
    ("junk-request", When.TASK,
     r"\bonce (?:we have|i have|you(?:'ve| have)? provided?|provided|you share)\b<near>\b(?:i|we|can|will|"
     r"'ll)\b"),
    ("junk-request", When.TASK,
     r"\b(?:what|which) (?:topic|subject) would you like\b|\bwould you like (?:me )?to (?:proceed|<make>)\b"),
    ("junk-request", When.SHORT,
     r"\bi(?:'d| would|'ll| will) be (?:happy|glad|delighted) to (?:help|write|create|assist|"
     r"generate)\b[^\n]{0,80}\b(?:please (?:provide|share|specify)|(?:if|once) you (?:can |could )?(?:provide|"
     r"share|specify)|could you)\b"),
    ("junk-placeholder", When.SHORT,
     r"<start>(?:this|the)(?: is an?)? (?:\w+ ){0,2}?placeholder (?:(?:entry|article|response|text) "
     r")?(?:indicat|await|for )\w*"),
    ("junk-placeholder", When.SHORT,
     r"\[(?:insert|(?:add|enter) your)\b[^\]\n]{1,60}\](?![(\[])"),
)  # fmt: skip
_TITLE: tuple[_Rule, ...] = (
    ("junk-refusal", When.SHORT,
     r"<start>(?:error\W+)?(?:unable to|(?:i )?cannot|i can't) (?:<make>|provide|process) <few>(?:<piece>|"
     r"inputs?|requests?)\b"),
    ("junk-refusal", When.SHORT,
     r"<start>(?:content|article) cannot be (?:generated|written|created)\b"),
    ("junk-error", When.TASK,
     r"^\W*(?:error|system (?:notice|error|message)|(?:content|article) (?:generation|creation|request|"
     r"processing) (?:error|failed|failure)|generation (?:error|failed))\s*(?:[:–—-]|$)"),
    ("junk-error", When.TASK,
     r"^\W*(?:invalid|missing|empty|insufficient) (?:topic|input|content|prompt|source)(?: (?:material|"
     r"provided|request))*\W*$"),
    ("junk-request", When.ALWAYS,
     r"^\W*(?:please )?(?:provide|specify|enter|supply) (?:(?:a|an|the|your|some|valid|specific|clear) "
     r"){0,3}(?:topic|prompt|source (?:material|content)|article (?:topic|text))\W*$"),
    ("junk-request", When.TASK,
     r"^\W*(?:(?:article|content|ai|valid|specific|clear|input) ){0,3}(?:<given>|content|article|topic|"
     r"input)\b[^.]{0,25}\b(?:required|needed|awaited|missing|pending|not provided)\b"),
    ("junk-request", When.TASK,
     r"^\W*(?:content|article) (?:request|generation|creation)\b.{0,12}\b(?:required|needed|pending|requires?|"
     r"clarification)\b"),
    ("junk-request", When.TASK,
     r"^\W*(?:request for|awaiting|needs?|waiting for) (?:[\w-]+ ){0,2}?(?:<given>|topic|information)\b"),
    ("junk-placeholder", When.ALWAYS,
     r"^\W*(?:untitled(?: (?:post|article|document|draft))?(?: \d+)?|(?:your|article|post|page|insert|blog)(?: "
     r"post)? title(?: here)?|title(?: here)?|placeholder(?: (?:title|article|post))?|todo|tbd|tba|null|"
     r"undefined|nan|lorem ipsum(?: dolor.*)?|needs? (?:a )?(?:topic|title)|topic needed)\W*$"),
    ("junk-placeholder", When.ALWAYS,
     r"\[(?:insert|your|enter|add your|needs?)\b[^\]]{1,60}\]?|^\W*\[(?:topic|title|subject|article "
     r"title)\]\W*$|^\W*\{\{.{0,60}\}\}\W*$"),
)  # fmt: skip
_LOREM = re.compile(r"^\W{0,6}lorem ipsum dolor", re.IGNORECASE)
# What Astro's starter says of itself, never replaced.
_SAMPLE = re.compile(r"^\W{0,6}here is a sample of some basic markdown syntax", re.IGNORECASE)
_STUB = re.compile(
    r"^\W{0,6}(?:[\w' ]{0,40}\b)?(?:coming soon|goes here|to (?:come|follow)|to be (?:added|written|"
    r"completed|announced)|under construction|todo|tbd|tba)\W*$",
    re.IGNORECASE,
)
_NOTICE_TITLE = re.compile(r"^\W*(?:technical difficulties|(?:service|outage|system) notice)\b", re.IGNORECASE)
_OWN_TROUBLE = re.compile(
    r"\bour (?:image|content|article|text) (?:generation|creation|production) (?:system|tool|service|pipeline)\b",
    re.IGNORECASE,
)


def _compiled(pattern: str) -> re.Pattern[str]:
    for _ in range(2):  # words may hold words
        pattern = re.sub(r"<([a-z]+)>", lambda m: _WORDS[m[1]], pattern)
    return re.compile(pattern, re.IGNORECASE)


_RULES = tuple((code, when, _compiled(pattern)) for code, when, pattern in _TEXT)
_TITLE_RULES = tuple((code, when, _compiled(pattern)) for code, when, pattern in _TITLE)
_TASK = _compiled(
    r"\b(?:<make>|provide) <few><few><piece>\b|\b<piece> (?:\w+ )?be <make>\b|"
    r"\b(?:article|content|topic) (?:creation|generation)\b"
)

# What every phrase that counts always holds, in Markdown too: a machine that refuses says "I", and an error says so.
_SPEAKS_OF_ITSELF = re.compile(r"i(?<![^\W_].)(?![^\W_]|\.)")  # not "i.example.org"
_HINTS = ("error", "lorem", "sample")

# --- judging ----------------------------------------------------------------------------------------------------------


def evidence(manuscript: Manuscript) -> tuple[Evidence, ...]:
    """What speaks for junk, at most one piece for each code; empty for an article. Bounded work for any body."""
    title, words = _straight(plain(manuscript.title)), manuscript.words or count_words(manuscript.body)
    body = manuscript.body if words <= SHORT else manuscript.body[:_BEGINNING]
    found: dict[str, Evidence] = {}
    pieces = _phrases(When.ALWAYS, "title", title, _TITLE_RULES)
    if words <= SHORT or _is_hinted(f"{title}\n{manuscript.description}\n{body}"):
        pieces = _looked_through(manuscript, title, body, words)
    for one in pieces:
        found.setdefault(one.code, one)
    return tuple(found.values())


def _looked_through(manuscript: Manuscript, title: str, source: str, words: int) -> Iterator[Evidence]:
    description, body = _straight(plain(manuscript.description))[:_LOOKED_AT], _straight(to_text(source))[:_LOOKED_AT]
    kind = When.ALWAYS
    if words <= SHORT:
        told = (title, _straight(manuscript.subtitle), description, body)
        kind = When.TASK if any(map(_TASK.search, told)) else When.SHORT
    yield from _phrases(kind, "title", title, _TITLE_RULES)
    yield from _phrases(When.ALWAYS, "title", title, _RULES)
    yield from _phrases(kind, "description", description, _RULES)
    yield from _phrases(kind, "body", body, _RULES)
    yield from _leftovers(title, body, words)


def _is_hinted(text: str) -> bool:
    low = text.casefold()
    return any(hint in low for hint in _HINTS) or bool(_SPEAKS_OF_ITSELF.search(low))


_Compiled = tuple[tuple[str, When, re.Pattern[str]], ...]


def _phrases(kind: When, where: str, text: str, rules: _Compiled) -> Iterator[Evidence]:
    opening = text[:OPENING]
    hinted = rules is _TITLE_RULES or _is_hinted(opening)
    if kind is When.ALWAYS and not hinted:
        return
    for code, needed, pattern in rules:
        if needed > kind or (needed is When.ALWAYS and not hinted):
            continue
        if said := pattern.search(opening if needed is When.ALWAYS else text):
            yield Evidence(code=code, where=where, quote=_quoted(text, said))


def _leftovers(title: str, body: str, words: int) -> Iterator[Evidence]:
    """What was to be replaced by a text, and a title that is a notice of the house."""
    if _LOREM.search(body) and "lorem" not in title.lower():
        yield Evidence(code="junk-placeholder", where="body", quote=body[:200])
    if _SAMPLE.search(body) and "markdown" not in title.lower():
        yield Evidence(code="junk-placeholder", where="body", quote=body[:200])
    if 0 < words <= STUB and _STUB.search(body):
        yield Evidence(code="junk-placeholder", where="body", quote=body[:200])
    if words <= SHORT and _NOTICE_TITLE.search(title) and (said := _OWN_TROUBLE.search(body)):
        yield Evidence(code="junk-error", where="body", quote=_quoted(body, said))


def _quoted(text: str, said: re.Match[str]) -> str:
    """The line from where it was said on."""
    return text[said.start() : said.end() + 60].strip(" \n*_#>-").split("\n")[0]


def _straight(text: str) -> str:
    return text.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')


# --- a title over another text ----------------------------------------------------------------------------------------

_FREQUENT = """
    a about above after again all also am an and any are as at be because been before being between both but by
    can could did do does doing down during each few for from further get had has have having he her here hers
    him his how i if in into is it its just like make many may me might more most much must my new no nor not
    now of off on once one only or other our out over own same she should so some such than that the their them
    then there these they this those through to too under until up us use very was we were what when where which
    while who why will with would you your
"""
_COMMON = frozenset(_FREQUENT.split())
_SUBJECT_LEAST, _BODY_LEAST = 6, 200


def mismatch(manuscript: Manuscript) -> str | None:
    """Why title and description seem to belong to another text: no word in common with a long body; else None.

    Told only where both are in English and long enough that a chance is small.
    """
    said, body = f"{manuscript.description} {manuscript.title}", manuscript.body
    telling = (word for word in said.casefold().split() if len(word) > 3 and word.isalpha() and word not in _COMMON)
    if any(word[:5] in body for word in telling):
        return None  # as nearly all
    stated = folded_words(plain(said)).split()
    subject = {word[:5] for word in stated if len(word) > 3 and word not in _COMMON}
    if len(subject) < _SUBJECT_LEAST or sum(word in _COMMON for word in stated) < 2:
        return None
    low = body.casefold()
    if any(word in low for word in subject):
        return None
    told = folded_words(to_text(body)).split()
    if len(told) < _BODY_LEAST or sum(word in _COMMON for word in told) < len(told) // 4:
        return None
    if subject & {word[:5] for word in told}:
        return None
    return f"title and description share no word with a body of {len(told)} words"
