"""HTML of other sites as a body of ours."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate import markdown, markup

BASE = "https://example.org/blog/post"


def shown(html: str) -> str:
    whole = markdown.to_html(markup.as_body(html, BASE), base_url="https://elsewhere.example/")
    return whole.removeprefix("<div>").removesuffix("</div>")


@pytest.mark.parametrize(
    ("html", "out"),
    [
        ("<p>One</p>\n\n\n<p>two</p>", "<p>One</p> <p>two</p>"),
        ("<P CLASS=x>One<BR>two</P>", "<p>One<br>two</p>"),
        ("plain\n\n    indented\n\n# no heading\n\n- no list", "plain indented # no heading - no list"),
        ("<p>2 * 3 * 4, __init__, `tick`, [x](y), [x]()</p>", "<p>2 * 3 * 4, __init__, `tick`, [x](y), [x]()</p>"),
        ("<p>{{ x }} {% y %} {: .z} $$a_b$$ \\(c\\)</p>", "<p>{{ x }} {% y %} {: .z} $$a_b$$ \\(c\\)</p>"),
        ("<p>a < b <3 and 1<2</p>", "<p>a &lt; b &lt;3 and 1&lt;2</p>"),
        ("<p>AT&amp;T &copy; &#169; &lt;b&gt;</p>", "<p>AT&amp;T © © &lt;b&gt;</p>"),
        ("<p>x</p><script>\n\nalert(1)\n\n</script><p>y</p>", "<p>x</p><p>y</p>"),
        ("<p>x</p><!-- a\n\n<b> comment --><p>y</p>", "<p>x</p><p>y</p>"),
        ("<?xml:namespace prefix = o /><p>x</p>", "<p>x</p>"),
        ("import os\nexport default 7\n::: note\n[TOC]", "import os export default 7 ::: note [TOC]"),
        ("<p>x</div><p>y", "<p>x</p></div><p>y</p>"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_html_is_shown_as_it_was_meant(html: str, out: str) -> None:
    assert shown(html) == out


def test_preformatted_text_keeps_its_lines() -> None:
    code = "<pre><code>def f():\n\n    return {{ 1 }}\r\n\nimport os\n</code></pre>"
    assert shown(f"<p>a\nb</p>\n{code}\n<p>c\nd</p>") == (
        "<p>a b</p> <pre><code>def f():\n\n    return {{ 1 }}\n\nimport os\n</code></pre> <p>c d</p>"
    )
    assert markdown.to_text(markup.as_body(code, BASE)).splitlines()[-1] == "import os"
    assert shown("<pre>never\n\nclosed") == "<pre>never\n\nclosed</pre>"


@pytest.mark.parametrize(
    ("html", "out"),
    [
        ('<a href="/x?a=1&amp;b=2">y</a>', 'href="https://example.org/x?a=1&amp;b=2"'),
        ("<A HREF='other'>y</A>", 'href="https://example.org/blog/other"'),
        ('<a href="//cdn.example/x">y</a>', 'href="https://cdn.example/x"'),
        ('<a href="http://a.example/">y</a>', 'href="http://a.example/"'),
        ('<a href="mailto:a@b.example">y</a>', 'href="mailto:a@b.example"'),
        ('<img src="pic.png" alt="href=&quot;/no&quot;">', 'src="https://example.org/blog/pic.png"'),
    ],
)
def test_addresses_are_absolute_against_the_feed_not_the_article(html: str, out: str) -> None:
    assert out in shown(html)


def test_pictures_inside_the_page_are_left_out() -> None:
    body = markup.as_body(f'<p>x</p><img alt="y" src="data:image/png;base64,{"A" * 5_000}">', BASE)
    assert len(body) < 100
    assert shown('<p>x</p><img src="DATA:image/png;base64,AAAA">') == "<p>x</p>"


def test_words_are_counted_as_they_are_read() -> None:
    body = markup.as_body("<p>One two\nthree</p>\n<p>four <b>five</b> {{six}}</p>", BASE)
    assert markdown.to_text(body) == "One two three\n\nfour five {{six}}"
    assert markdown.count_words(body) == 6


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ('<p>x</p><img class="a" src="/p.png"><img src="/q.png">', "https://example.org/p.png"),
        ('<img width="1" height="1" src="/dot.gif"><img src="/q.png">', "https://example.org/q.png"),
        ("<img style='display: none' src='/dot.gif'><img src='q.png?a=1&amp;b=2'>", "https://example.org/blog/q.png?a=1&b=2"),
        ('<img width="100" src="data:image/png;base64,AA">', None),
        ('<img src="javascript:x"><img src="https://">', None),
        ('<img width="1200" src="/wide.png">', "https://example.org/wide.png"),
        ('<img data-src="/lazy.png" src="">', None),
        ("<p>none</p>", None),
    ],
)  # fmt: skip
def test_the_first_picture_is_one_that_is_seen(html: str, address: str | None) -> None:
    assert markup.first_picture(html, BASE) == address


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One <b>\n\nTwo & three\nfour\n", "<p>One &lt;b&gt;</p><p>Two &amp; three<br>four</p>"),
        ("\n \n", ""),
    ],
)
def test_plain_text_becomes_paragraphs(text: str, html: str) -> None:
    assert markup.from_text(text) == html


@pytest.mark.parametrize(
    "html",
    ["<" * 300_000, "<a " * 100_000, "<pre>" * 60_000, "<!--" * 60_000, "<a href='" * 40_000, '<img src="' * 40_000,
     "<img " + "src=' " * 50_000 + ">", "&" * 300_000, "</pre" + " " * 300_000, "<pre></pre" * 30_000, "\n" * 300_000],
)  # fmt: skip
def test_no_html_takes_long(html: str) -> None:
    began = time.process_time()
    markup.as_body(html, BASE)
    markup.first_picture(html, BASE)
    markup.without_tags(html)
    assert time.process_time() - began < 3


@given(st.text(alphabet="<>/!-\"' =\n\tapreimgsch{}&;#1[]()*x", max_size=200))
def test_no_html_leaves_the_block_or_does_harm(html: str) -> None:
    body = markup.as_body(html, BASE)
    assert "\n" not in body
    assert body == "" or body.startswith("<div>")
    markdown.to_text(body)
