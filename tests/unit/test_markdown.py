"""Markdown to words, safe HTML and plain text: dialects, hostile bodies, cutting."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import mjml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.dialects import to_commonmark
from syndicate.markdown import (
    LONGEST,
    count_words,
    cut,
    grapheme_count,
    graphemes,
    lead,
    plain,
    sentences,
    summary,
    to_html,
    to_text,
    utf16_len,
)

BASE = "https://news.example/boats/dawn/"
FAMILY = "👩‍👩‍👧‍👦"


def html(body: str, title: str = "") -> str:
    return to_html(body, base_url=BASE, title=title).strip()


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", 0),
        ("Boats leave at dawn.", 4),
        ("# Boats\n\n- leave **early**\n- at `dawn`", 5),
        ("don't re-count 3.5 e.g. here", 5),
        ("wind—and waves … * | ---", 3),
        ('[the harbour](https://a.example/some/long-path "A title") ![a boat](b.png)', 4),
        ("see https://a.example/x?y=z now", 2),
        ("<p class='a b'>one</p> <!-- two three --> four", 2),
        ("before\n```\nlet boats = 3\n```\nafter", 2),
        ("before\n~~~~\n~~~\nnot yet\n~~~~\nafter", 2),
        ('{{< figure src="a.png" >}} {% include x %} {{ page.title }} sea', 1),
        ("我们在黎明出发", 4),
        ("東京 Tokyo タワー", 4),
        ("안녕하세요 여러분", 2),
        ("Добрый день", 2),
    ],
)
def test_words_are_what_a_person_reads(body: str, words: int) -> None:
    assert count_words(body) == words


# --- safe HTML --------------------------------------------------------------------------------------------------------


def test_tables_keep_their_alignment_without_styles() -> None:
    made = html("| a | b | c |\n| :-- | --: | :-: |\n| 1 | 2 | 3 |")
    assert '<th align="left">a</th><th align="right">b</th><th align="center">c</th>' in made
    assert "style" not in made


def test_task_lists_show_boxes_nobody_can_tick() -> None:
    assert html("- [x] tar\n- [ ] rope") == (
        '<ul>\n<li><input type="checkbox" checked="" disabled="">\ntar</li>\n'
        '<li><input type="checkbox" disabled="">\nrope</li>\n</ul>'
    )


def test_other_fields_and_forms_are_gone() -> None:
    made = html('<form action="/x">Name <input type="text" name="n"><button>Go</button></form>')
    assert made == "Name Go"


def test_footnotes_point_to_their_place_on_the_page() -> None:
    made = html("Tide[^1].\n\n[^1]: Twice a day.")
    assert f'<sup class="footnote-reference"><a href="{BASE}#fn-1" rel="noopener">1</a></sup>' in made
    assert '<div class="footnote-definition" id="fn-1">' in made


def test_strikethrough_is_there_and_punctuation_stays_as_written() -> None:
    assert html('~~old~~ "new" -- it\'s...') == '<p><del>old</del> "new" -- it\'s...</p>'


@pytest.mark.parametrize(
    ("written", "href"),
    [
        ("/a", "https://news.example/a"),
        ("b.html?x=1&y=2", BASE + "b.html?x=1&amp;y=2"),
        ("../c", "https://news.example/boats/c"),
        ("#top", BASE + "#top"),
        ("//cdn.example/d", "https://cdn.example/d"),
        ("https://other.example/e", "https://other.example/e"),
        ("mailto:a@b.example", "mailto:a@b.example"),
    ],
)
def test_links_and_images_are_absolute(written: str, href: str) -> None:
    assert html(f"[x]({written})") == f'<p><a href="{href}" rel="noopener">x</a></p>'
    if not written.startswith("mailto"):
        assert f'src="{href}"' in html(f"![x]({written})")
        assert f'href="{href}"' in html(f"text <A HREF='{written}'>x</A>")


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "file:///etc/passwd", "ftp://a/b"]
)
def test_other_schemes_lose_their_target(target: str) -> None:
    made = html(f"[x]({target}) ![y]({target}) <a href='{target}'>z</a>")
    assert "href" not in made and "<img" not in made
    assert "x" in made and "z" in made


def test_without_a_usable_base_relative_links_go_and_absolute_ones_stay() -> None:
    for base in ("", "nonsense"):
        made = to_html("[x](/a) [y](https://b.example/c)", base_url=base)
        assert '<a rel="noopener">x</a> <a href="https://b.example/c" rel="noopener">y</a>' in made


def test_pictures_keep_what_readers_use() -> None:
    made = html(
        '<figure><img src="/a.png" srcset="/b.png 2x" width="3" height="4" alt="A < B" loading="lazy" onerror="x">'
        "<figcaption>Sea</figcaption></figure>"
    )
    assert made == (
        '<figure><img src="https://news.example/a.png" width="3" height="4" alt="A &lt; B">'
        "<figcaption>Sea</figcaption></figure>"
    )


def test_what_is_no_text_is_gone_with_its_content() -> None:
    made = html(
        "a <script>alert(1)</script><style>p {}</style><iframe src='https://x.example'>f</iframe>"
        "<svg><text>s</text></svg> b"
    )
    assert made == "<p>a  b</p>"


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        ("# Boats, at *dawn*!\n\nText", "<p>Text</p>"),
        ("Boats at dawn\n====\n\nText", "<p>Text</p>"),
        ("![](a.png)\n\n## boats at dawn\n\nText", f'<p><img src="{BASE}a.png" alt=""></p>\n<p>Text</p>'),
        ("# Other\n\n# Boats at dawn\n\nText", "<h1>Other</h1>\n<h1>Boats at dawn</h1>\n<p>Text</p>"),
        ("One.\n\nTwo.\n\n## Boats at dawn\n\nText", "<p>One.</p>\n<p>Two.</p>\n<h2>Boats at dawn</h2>\n<p>Text</p>"),
    ],
)
def test_a_first_heading_that_repeats_the_title_is_dropped(body: str, rest: str) -> None:
    assert html(body, title="Boats at Dawn") == rest


def test_characters_that_feeds_cannot_hold_are_dropped() -> None:
    made = html("a\x00b\x0bc\ud800d\ufffee &#1;f &#xFFFF;g\r\nh\ri")
    assert re.search("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", made) is None
    assert made.startswith("<p>abcde f ") and made.endswith("g\nh\ni</p>")


# --- dialects ---------------------------------------------------------------------------------------------------------

DIALECTS = [
    ("comments and marks", "One <!-- more -->\n\n<!--\nhidden\n\nstill -->\nTwo", "<p>One </p>\n\n<p>Two</p>"),
    ("MDX imports", "import A from './a'\nimport {\n  B,\n  C\n} from \"d\";\nimport 'x.css'\n\nText", "<p>Text</p>"),
    ("MDX exports", "export const meta = {\n  a: [1],\n\n  b: 2\n}\n\nText", "<p>Text</p>"),
    (
        "sentences that begin alike",
        "import this idea from the sea\n\nexport your boats now",
        "<p>import this idea from the sea</p>\n<p>export your boats now</p>",
    ),
    (
        "components keep their text",
        "<Note type='a' on={() => x > 1}>\n  Mind the **tide**\n</Note>",
        "<p>Mind the <strong>tide</strong></p>",
    ),
    (
        "nested components in a list",
        "1. Go\n\n    <Tabs>\n      <Tab>\n      ```sh\n      sail  on\n      ```\n      </Tab>\n    </Tabs>\n2. Stop",
        "<ol>\n<li>\n<p>Go</p>\n<pre><code>sail  on\n</code></pre>\n</li>\n<li>\n<p>Stop</p>\n</li>\n</ol>",
    ),
    (
        "picture components",
        '<Image src="/a.png" alt="Boat" width={5} />',
        '<img src="https://news.example/a.png" alt="Boat">',
    ),
    ("self-closing components", "a <Badge text='x' /> b{/* no */}{' '}c", "<p>a  b c</p>"),
    ("lower-case JSX", '<div className="x" style={{ color: 1 }}>a</div>', "<div>a</div>"),
    (
        "HTML in capitals",
        "one<BR>two <A HREF='/x'><B>y</B></A>",
        '<p>one<br>two <a href="https://news.example/x" rel="noopener"><b>y</b></a></p>',
    ),
    ("comments of Nunjucks", "One{# - [two](/x#y) #} three", "<p>One three</p>"),
    ("an id is no comment", "## One {#two}\n\nThree #} {#four}", "<h2>One</h2>\n<p>Three #} {#four}</p>"),
    (
        "alerts",
        "> [!WARNING]\n> Mind the tide",
        "<blockquote>\n<p><strong>Warning</strong><br>\nMind the tide</p>\n</blockquote>",
    ),
    (
        "Markdown pictures inside HTML",
        "<div>\n  ![A boat](/a.png)\n</div>",
        '<div>\n<img src="https://news.example/a.png" alt="A boat">\n</div>',
    ),
    ("types in prose", "A Vec<String> and Box\\<T\\>", "<p>A Vec&lt;String&gt; and Box&lt;T&gt;</p>"),
    (
        "Hugo shortcodes",
        "{{< note >}}Mind **it**{{< /note >}} {{% tip %}}x{{% /tip %}}",
        "<p>Mind <strong>it</strong> x</p>",
    ),
    (
        "Hugo figures",
        '{{< figure src="/a.png" alt="A" caption="By <me>" >}}',
        '<figure><img src="https://news.example/a.png" alt="A"><figcaption>By &lt;me&gt;</figcaption></figure>',
    ),
    ("Hugo pictures", "{{< img /a.png >}}", '<img src="https://news.example/a.png" alt="">'),
    ("Hugo references", '[here]({{< ref "a.md" >}}) and ![]({{ .Image }})', "<p>here and</p>"),
    ("Hugo escapes", "Write {{</* note */>}}.", "<p>Write {{&lt; note &gt;}}.</p>"),
    (
        "Hugo highlight",
        "{{< highlight go >}}\nx := `{{ y }}`\n{{< /highlight >}}",
        "<pre><code>x := `{{ y }}`\n</code></pre>",
    ),
    ("Liquid tags", "{% if x %}A{% endif %} {{ page.title | upcase }}B{% comment %}no{% endcomment %}", "<p>A B</p>"),
    (
        "Liquid literals",
        "[x]({{ '/a' | relative_url }}) {{ site.url }}/b",
        '<p><a href="https://news.example/a" rel="noopener">x</a> /b</p>',
    ),
    ("Liquid raw", "{% raw %}{{ x }}{% endraw %}", "<p>{{ x }}</p>"),
    ("Liquid raw in code", "```\n{% raw %}\n{{ x }}\n{% endraw %}\n```", "<pre><code>{{ x }}\n</code></pre>"),
    ("Liquid highlight", "{% highlight ruby %}\n{{ x }}\n{% endhighlight %}", "<pre><code>{{ x }}\n</code></pre>"),
    (
        "Liquid includes of pictures",
        '{% include figure.html url="/a.png" title="T" %}',
        '<figure><img src="https://news.example/a.png" alt="T"><figcaption>T</figcaption></figure>',
    ),
    (
        "code spans",
        "`{{ x }}` ``{% y %} ` <Z>`` \\`{{ gone }}\\`",
        "<p><code>{{ x }}</code> <code>{% y %} ` &lt;Z&gt;</code> ``</p>",
    ),
    (
        "fences",
        "```jsx\nimport A from 'a'\n<A b={c} />\n{{ x }}\n```",
        "<pre><code>import A from 'a'\n&lt;A b={c} /&gt;\n{{ x }}\n</code></pre>",
    ),
    (
        "indented code",
        "Text {{ x }}\n\n    {{ y }}\n    <Z />\n\nEnd",
        "<p>Text</p>\n<pre><code>{{ y }}\n&lt;Z /&gt;\n</code></pre>\n<p>End</p>",
    ),
    (
        "formulas",
        "\\[ x_1 * y^{2} * z_1 \\] and $$\\frac{{a}}{{b}}$$ but \\[1\\]",
        "<p>\\[ x_1 * y^{2} * z_1 \\] and $$\\frac{{a}}{{b}}$$ but [1]</p>",
    ),
    (
        "braces of authors",
        "{curly} {{two words here}} ${{ secrets.X }} f{a: 1}",
        "<p>{curly} {{two words here}} ${{ secrets.X }} f{a: 1}</p>",
    ),
    (
        "kramdown attributes",
        "{:toc}\n# H {#h}\n\nText\n{: .note}\n\n*x*{: .y}",
        "<h1>H</h1>\n<p>Text</p>\n<p><em>x</em></p>",
    ),
    ("directives", ":::tip[Mind]\nthe tide\n:::", "<p><strong>Mind</strong></p>\n<p>the tide</p>"),
    ("tables of contents", "[TOC]\n\nText", "<p>Text</p>"),
]


@pytest.mark.parametrize(("body", "made"), [case[1:] for case in DIALECTS], ids=[case[0] for case in DIALECTS])
def test_dialects_become_plain_html(body: str, made: str) -> None:
    assert html(body) == made


# --- hostile bodies ---------------------------------------------------------------------------------------------------

N = 100_000
HOSTILE = {
    "quotes in quotes": ">" * N,
    "lists in lists": "1. " * N,
    "unclosed elements": "<div>" * N,
    "ends of others": "<div></b>" * N,
    "emphasis": "*a **b _c " * N,
    "brackets": "[" * N + "](" * N,
    "pictures": "![a](" * N,
    "ticks": "`a``b```c" * N,
    "one line": "x" * (LONGEST - 1),
    "tables": "|a" * N + "\n" + "|-" * N + "\n|b",
    "references": "[a]: " + "x" * 9_000 + "\n\n" + "[a]" * N,
    "components": "<A {" * N,
    "component ends": "<A>" * N + "\n" + "</A>" * N,
    "attributes": '<A b="' * N,
    "braces": "{{" * N + "{%" * N,
    "shortcodes": "{{<" * N + ">}}",
    "highlights": "{% highlight x %}\n" * N,
    "exports": "export const a = {\n\n" * N,
    "imports": "import {\n" * N,
    "formulas": "\\[" * N + "\\]",
    "blanks": ":::" + " " * N + "x\n# " + " " * N + "{#\n" + " " * N + "{{",
    "comments": "<!--" * N,
    "tags of tables": "<table>" * N,
    "template comments": "{# " * N + "#}",
    "alerts": "> [!note] " * N,
    "pictures in HTML": "<p>\n" + " " * N + "![" * N + ">\n ![a](" * N,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_end_in_time_and_safe(name: str) -> None:
    body = HOSTILE[name][: LONGEST - 1]
    made = to_html(body, base_url=BASE, title="T")
    assert len(made) < 10 * LONGEST
    assert deepest(made) <= 200
    count_words(body)
    plain(body)
    summary(to_text(body), 300)


def test_what_is_too_long_or_too_deep_is_shown_as_it_stands() -> None:
    assert html("<b>&\n\n" + "x" * LONGEST).startswith("<p>&lt;b&gt;&amp;</p>\n<p>xxx")
    assert html("<div>" * 300 + "deep") == f"<p>{'&lt;div&gt;' * 300}deep</p>"
    assert html("<div>" * 50 + "deep" + "</div>" * 50) == "<div>" * 50 + "deep" + "</div>" * 50


class Seen(HTMLParser):
    """What a browser would make of it: every tag with its attributes, and how deep it stands."""

    VOID = ("br", "hr", "img", "input", "col")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.deepest = self.depth = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.depth += tag not in self.VOID
        self.deepest = max(self.deepest, self.depth)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def deepest(text: str) -> int:
    return Seen(text).deepest


_SAFE = """
    a b blockquote br center code del details div em figcaption figure h1 h2 h3 h4 h5 h6 hr i img input li ol p pre q s
    span strong summary sup table tbody td th thead tr tt u ul
"""
SAFE = frozenset(_SAFE.split())
PIECES = st.sampled_from(
    [
        "<script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:x'>",
        "<svg onload=x>",
        '<p title="',
        '">',
        "<style>",
        "<!--",
        "-->",
        "<iframe srcdoc='<p>'>",
        "<math><mi//xlink:href=",
        "[a](javascript:x)",
        "![b](data:x)",
        "`",
        "```\n",
        "{{",
        "}}",
        "{%",
        "%}",
        "<A b={",
        "}>",
        "</A>",
        "\n\n",
        "\n    ",
        "- ",
        "> ",
        "|a|b|\n|-|-|\n",
        "[^1]",
        "\n[^1]: x",
        "**",
        "\\",
        "&lt;script&gt;",
        "&#106;avascript:",
        "<noscript><p title='</noscript><img src=x onerror=x>'>",
        "<input type=text>",
        "$$",
        "\x00",
        '{{< figure src="javascript:x" >}}',
        '<Image src="javascript:x" />',
        "<details open ontoggle=x>",
        "é",
        "👍",
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES | st.text(max_size=8), max_size=30).map("".join))
def test_whatever_goes_in_safe_html_comes_out(body: str) -> None:
    made = html(body, title="T")
    for tag, attributes in Seen(made).tags:
        assert tag in SAFE
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "srcset")]
        for name in ("href", "src"):
            if name in attributes:
                assert urlsplit(attributes[name] or "").scheme in ("http", "https", "mailto")
    assert html(body, title="T") == made
    assert "\n\n\n" not in to_text(body)
    assert "\n" not in plain(body)
    assert count_words(body) >= 0


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60))
def test_code_comes_out_as_it_went_in(text: str) -> None:
    code = "`" + text.replace("`", "").replace("\n", " ").replace("\r", " ").translate({0: "", 1: "", 2: ""}) + "x`"
    assert code in to_commonmark(f"{{{{ y }}}} {code} {{% z %}}")


# --- for mail and feeds -----------------------------------------------------------------------------------------------

RICH = """
# Heading

Text with **bold**, [link](/a?b=1&c=2 "a 'title' > b"), <br> a < b & c, `x < y`, &nbsp; and a\\
break. ![a "quoted" <alt>](/i.png)

| a | b |
|:--|--:|
| 1 | 2 < 3 |

1. one
   - [x] done
2. two

> quote[^1]

<details open><summary>More</summary>hidden</details>

<p>unclosed <li>item <b>bold

---

[^1]: note
"""


def test_mjml_takes_it_as_it_is() -> None:
    made = html(RICH)
    page = mjml.mjml2html(
        f"<mjml><mj-body><mj-section><mj-column><mj-text>{made}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    for part in ('<th align="right">b</th>', "<strong>bold</strong>", 'src="https://news.example/i.png"', "x &lt; y"):
        assert part in page


@pytest.mark.corpus
def test_every_body_of_the_corpus_is_taken_by_mjml_and_is_well_formed(corpus: Path) -> None:
    files = [path for path in sorted(corpus.rglob("*")) if path.suffix in (".md", ".mdx", ".markdown")]
    assert len(files) > 500
    for path in files:
        body = path.read_text(encoding="utf-8", errors="replace").split("\n---\n", 1)[-1]
        made = to_html(body, base_url=BASE, title="T")
        mjml.mjml2html(
            f"<mjml><mj-body><mj-section><mj-column><mj-text>{made}</mj-text></mj-column></mj-section></mj-body></mjml>"
        )
        closed = re.sub(r"<(br|hr|img|input|col)((?: [\w-]+=\"[^\"]*\")*)>", r"<\1\2/>", made).replace("&nbsp;", " ")
        ET.fromstring(f"<div>{closed}</div>")


# --- plain text -------------------------------------------------------------------------------------------------------


def test_text_has_paragraphs_lists_and_no_markup() -> None:
    body = (
        "# Boats\n\nThey [leave](x) **at\ndawn**.  \nEvery day[^1].\n\n- a\n- b\n  1. c\n  2. d\n\n3. e\n\n- loose\n\n"
        "- list\n\n> said\n\n| h | i |\n|-|-|\n| 1 | 2 |\n\n```\nlet  x\n```\n\n- [x] tar\n\n"
        "![alt](a.png) &amp; <b>raw</b>\n\n[^1]: Not Sunday."
    )
    assert to_text(body) == (
        "Boats\n\nThey leave at dawn.\nEvery day[1].\n\n- a\n- b\n  1. c\n  2. d\n\n3. e\n\n- loose\n\n- list\n\n"
        "said\n\n"
        "h | i\n1 | 2\n\nlet  x\n\n- [x] tar\n\n& raw\n\n[1] Not Sunday."
    )


def test_text_does_not_say_the_title_again() -> None:
    assert to_text("# Two *boats*\n\nThey leave.", title="Two boats") == "They leave."
    assert to_text("# Two boats\n\nThey leave.", title="Three boats") == "Two boats\n\nThey leave."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("# Boats\n\nThey leave.", "They leave."),
        ("They leave:\n\n```sh\nsail --on\n```\n\n## How\n\nBy night[^1].\n\n[^1]: On Sunday.", "By night."),
        ("|a|b|\n|-|-|\n|1|2|\n\nThey leave.", "They leave."),
        ("<figure><img src='https://x.example/a.png'><figcaption>A boat</figcaption></figure>\n\nThey leave.",
         "They leave."),
        ("# Boats\n\n```\nsail\n```", "sail"),
        ("## Only\n\n### Headings", "Only"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_lead_is_made_of_sentences_where_there_are_any(body: str, expected: str) -> None:
    made = lead(body, title="Boats")
    assert expected in made
    assert "Boats" not in made
    if "leave" in body:
        assert not re.search(r"sail|How|\||A boat|\[1\] ?\.", made)


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("  Two \n lines ", "Two lines"),
        ("**Bold** [link](https://a.example) & `code`", "Bold link & code"),
        ("<p>One</p><p>Two &amp; three</p><script>x</script>", "One Two & three"),
        ("Vec<String> in C# & C++", "Vec<String> in C# & C++"),
        ("__init__ and snake_case_name", "__init__ and snake_case_name"),
        ("2 * 3 * 4 = 24", "2 * 3 * 4 = 24"),
        ("Use {{ var }} and {% tag %}", "Use {{ var }} and {% tag %}"),
        ("It\\'s here", "It's here"),
        ("1. First of all", "1. First of all"),
        ("# Heading", "Heading"),
        ("a < b > c", "a < b > c"),
        ("<" * 300, "<" * 300),
    ],
)
def test_stated_text_becomes_one_line_of_what_is_read(stated: str, read: str) -> None:
    assert plain(stated) == read


# --- graphemes, sentences, cutting ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ab", ["a", "b"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("e\u0301u\u0308", ["e\u0301", "u\u0308"]),
        (FAMILY + "x", [FAMILY, "x"]),
        ("🇩🇪🇫🇷🇮", ["🇩🇪", "🇫🇷", "🇮"]),
        ("a🇩🇪", ["a", "🇩🇪"]),
        ("👍🏽👍", ["👍🏽", "👍"]),
        ("❤️‍🔥1️⃣2", ["❤️‍🔥", "1️⃣", "2"]),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f!", ["\U0001f3f4\U000e0067\U000e0062\U000e007f", "!"]),
        (
            "\u1112\u1161\u11ab\u1100\uac00\u11a8\uac01\uac00",
            ["\u1112\u1161\u11ab", "\u1100\uac00\u11a8", "\uac01", "\uac00"],
        ),
        ("क्षि", ["क्षि"]),
        ("a\u200db", ["a\u200d", "b"]),
    ],
)
def test_graphemes_are_what_a_person_sees(text: str, parts: list[str]) -> None:
    assert list(graphemes(text)) == parts
    assert grapheme_count(text) == len(parts)


def test_utf16_counts_as_javascript_does() -> None:
    assert utf16_len("aé€") == 3
    assert utf16_len("👍🏽") == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("Dr. Ada met Mr. B. at 3.5 km, e.g. by the U.S. Navy. Then she left.",
         ["Dr. Ada met Mr. B. at 3.5 km, e.g. by the U.S. Navy.", "Then she left."]),
        ('"Why?" she asked. (Nobody knew.) "So."', ['"Why?" she asked.', "(Nobody knew.)", '"So."']),
        ("See No. 5 and Fig. 2. He said no. They left.", ["See No. 5 and Fig. 2.", "He said no.", "They left."]),
        ("J. R. Hartley wrote it. So did I. We know.", ["J. R. Hartley wrote it.", "So did I.", "We know."]),
        ("1. First. 2. Second.", ["1. First.", "2. Second."]),
        ("Heading\n\nText\nruns on.", ["Heading", "Text runs on."]),
        ("今日は。元気？はい！", ["今日は。", "元気？", "はい！"]),
        ("Das ist z.B. so. Und nun?", ["Das ist z.B. so.", "Und nun?"]),
        ("Wait... what? yes", ["Wait... what? yes"]),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_stops(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "limit", "made"),
    [
        ("One two. Three four. Five six seven.", 40, "One two. Three four. Five six seven."),
        ("One two. Three four. Five six seven.", 25, "One two. Three four."),
        ("Hi. This sentence is much too long for the room.", 30, "Hi. This sentence is much too…"),
        ("No sentence ends in this text at all", 20, "No sentence ends in…"),
        ("First paragraph.\n\nSecond paragraph.", 20, "First paragraph."),
        ("Dr. Ada went away and never came back", 20, "Dr. Ada went away…"),
        (FAMILY * 9, 3, FAMILY * 2 + "…"),
        ("abc", 0, ""),
        ("abc def", 1, "…"),
    ],
)
def test_a_summary_ends_with_a_sentence_or_else_a_word(text: str, limit: int, made: str) -> None:
    assert summary(text, limit) == made


@pytest.mark.parametrize(
    ("text", "limit", "made"),
    [
        ("short", 5, "short"),
        ("two  words\n here", 14, "two words here"),
        ("two words, here", 12, "two words…"),
        ("two words here", 10, "two words…"),
        ("incomprehensibilities", 10, "incompreh…"),
        ("a incomprehensibilities", 10, "a incompr…"),
        ("🇩🇪🇫🇷🇮🇹🇪🇸", 3, "🇩🇪🇫🇷…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("", 3, ""),
        ("x", -1, ""),
    ],
)
def test_a_cut_line_keeps_words_and_characters_whole(text: str, limit: int, made: str) -> None:
    assert cut(text, limit) == made


CHARACTERS = st.text(
    st.characters()
    | st.sampled_from(["\u200d", "\u0301", "🇩", "🇪", "👩", "🏽", "\ufe0f", "각", "ᆨ", "क", "्", ".", "A", " "]),
    max_size=120,
)


@settings(deadline=None, max_examples=300)
@given(CHARACTERS, st.integers(0, 40))
def test_nothing_cut_is_ever_longer_than_its_limit(text: str, limit: int) -> None:
    assert "".join(graphemes(text)) == text
    for made in (cut(text, limit), summary(text, limit)):
        assert grapheme_count(made) <= limit
    line = " ".join(text.split())
    whole = list(graphemes(line))
    kept = cut(text, limit).removesuffix("…") if len(whole) > limit else cut(text, limit)
    assert line.startswith(kept)
    assert list(graphemes(kept)) == whole[: grapheme_count(kept)]
