# ruff: noqa: E501  (sample words on one line each)
"""Renders sample letters and, where Chromium is, photographs them: python examples/letters.py OUT [--chromium PATH]."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from paint import picture

from syndicate.article import Article, Manuscript, State
from syndicate.config import DigestSettings, EmailSettings, Site
from syndicate.edition import Contents
from syndicate.letter import Rendered, fill_marks
from syndicate.render import Templates

SITE = Site(
    title="Harbour & Hinterland",
    url="https://harbour.example.org",
    timezone="Europe/Oslo",
    cta_url="https://harbour.example.org/follow",
)
EMAIL = EmailSettings(
    sender="Harbour & Hinterland <news@harbour.example.org>", postal_address="Quay 4\n5003 Bergen\nNorway"
)
WEEKLY = DigestSettings(name="weekly", max_articles=8)
DAY = datetime(2026, 11, 20, 9, 0, tzinfo=ZoneInfo("Europe/Oslo"))

STORIES = [
    ("The ferry that runs on the tide", "For nine years a small crew has moved people across the sound without burning a litre of fuel. Now two more towns want to know how it is done.", "Ingrid Solheim", 1150),
    ("Why the bakery on Pier Street opens at three", "Night workers wanted bread before their bus. One baker changed her clock for them.", "Tomas Reyes", 640),
    ("A map of every bench in town", "A retired surveyor counted 412 of them, and marked the ones with a view.", "Ada Lindqvist", 480),
    ("What the new timetable forgets", "The last train now leaves before the concert ends. We asked the planners why.", "Jonas Berg", 900),
    ("The orchard behind the power station", "Warm water that once went to waste keeps figs alive through the winter.", "Mei Tanaka", 730),
    ("Learning to read the weather from a window", "Three signs that rain is twenty minutes away, from people who fish for a living.", "Ola Nilsen", 560),
    ("The library that lends out tools", "Drills, ladders and one very popular pasta machine.", "Ada Lindqvist", 450),
    ("How the old rope works became a school", "The long hall was made for walking backwards. Children took to it at once.", "Ruth Amadi", 1020),
    ("Counting swifts on a Tuesday evening", "", "Ola Nilsen", 300),
    ("A short history of the green ticket", "", "Jonas Berg", 300),
    ("Six questions for the new harbour master", "", "Ingrid Solheim", 300),
    ("The soup that closes the season", "", "Tomas Reyes", 300),
]  # fmt: skip

ARABIC = [
    ("العبّارة التي تسير مع المد", "منذ تسع سنوات ينقل طاقم صغير الناس عبر المضيق دون حرق لتر واحد من الوقود. واليوم تريد مدينتان أخريان أن تعرفا كيف.", "إنغريد سولهايم", 1150),
    ("لماذا يفتح المخبز في الثالثة فجرًا", "أراد عمال الليل خبزًا قبل حافلتهم. فغيّرت خبّازة ساعتها من أجلهم.", "توماس رييس", 640),
    ("خريطة لكل مقعد في المدينة", "أحصى مسّاح متقاعد أربعمئة واثني عشر مقعدًا.", "آدا ليندكفيست", 480),
    ("ما ينساه جدول القطارات الجديد", "", "يوناس بيرغ", 900),
]  # fmt: skip

BODY = """\
The first crossing leaves at **ten past six**, when the current turns. Nobody on board looks at a clock: they look at the
water.

## How it works

A cable lies on the bottom of the sound. The hull is turned a few degrees into the stream, and the river does the rest:

- no engine, so no noise and no oil;
- a rudder the height of a door;
- one person who knows the tide by heart.

> On a good day we are faster than the bridge. On a bad day we are at least quieter.

| Route | Minutes | Crossings |
| --- | --- | --- |
| North quay | 11 | 18 |
| Mill landing | 16 | 12 |

The next town up the coast has asked for drawings. They will get them [for nothing](https://harbour.example.org/drawings/).
"""


def article(number: int, title: str, description: str, author: str, words: int, **more: Any) -> Article:
    slug = f"story-{number}"
    image = more.pop("image", f"https://images.example.org/{number}.svg")
    return Article(
        id=f"00000000-0000-0000-0000-{number:012d}",
        source="articles",
        path=f"{slug}.md",
        slug=slug,
        url=f"https://harbour.example.org/{slug}/",
        manuscript=Manuscript(
            title=title, description=description, authors=(author,), words=words, hero_image=image, slug=slug, body=BODY,
            subtitle=more.pop("subtitle", ""), cta=more.pop("cta", "Follow us for the next crossing"),
        ),
        state=State.READY,
        first_seen=datetime(2026, 11, 20, tzinfo=UTC),
        updated=datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip


def contents(cards: list[Article], headlines: list[Article] | None = None, covered: int = 1263) -> Contents:
    rest = headlines or []
    return Contents(
        slug="weekly-2026-11-20", digest="weekly", title="weekly", date=DAY, cards=tuple(cards), headlines=tuple(rest),
        covered=covered, more=max(covered - len(cards) - len(rest), 0),
    )  # fmt: skip


def samples() -> dict[str, Rendered]:
    """Each case the letters must look meant in."""
    templates = Templates()
    every = [article(n, *story) for n, story in enumerate(STORIES, 1)]
    bare = [replace(a, manuscript=replace(a.manuscript, hero_image=None)) for a in every]
    mixed = [a if n in (0, 2, 3, 6) else bare[n] for n, a in enumerate(every)]
    long = "A title that a machine made far too long, with a colon: and a second half that nobody has asked for, at least not so soon"
    endless = [replace(a, manuscript=replace(a.manuscript, title=long)) for a in mixed]
    arabic = [article(n, *story, cta="تابعونا حتى العبور التالي") for n, story in enumerate(ARABIC, 1)]
    wide = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenverordnung"
    words = [replace(a, manuscript=replace(a.manuscript, title=f"{wide} {n}")) for n, a in enumerate(mixed)]
    ar = SITE.model_copy(update={"title": "الميناء وما وراءه", "language": "ar"})

    def digest(what: Contents, site: Site = SITE) -> Rendered:
        return templates.render_digest(what, site, WEEKLY, EMAIL)[1]

    return {
        "digest": digest(contents(mixed[:8], mixed[8:])),
        "images": digest(contents(every[:5], every[8:10])),
        "bare": digest(contents(bare[:5], bare[8:10])),
        "one": digest(contents(every[:1], covered=1)),
        "one-bare": digest(contents(bare[:1], covered=1)),
        "long": digest(contents(endless[:4], endless[8:10])),
        "accent": digest(contents(every[:3], every[8:10]), SITE.model_copy(update={"accent": "#e4b400"})),
        "words": digest(contents(words[:3], words[8:10]), SITE.model_copy(update={"language": "de"})),
        "rtl": digest(contents(arabic[:3], arabic[3:]), ar),
        "article": templates.render_article(every[0], SITE, EMAIL, date=DAY),
    }


def number_of(url: str) -> int:
    return int(urlsplit(url).path.strip("/").partition(".")[0])


LOOKS = (("phone", 375, 667, "light"), ("desk", 760, 900, "light"), ("phone-dark", 375, 667, "dark"), ("desk-dark", 760, 900, "dark"))  # fmt: skip
SHOWN = {
    "digest-phone": "digest-phone", "digest-desk": "digest-desk", "digest-dark": "digest-phone-dark",
    "one-phone": "one-phone", "plain-phone": "bare-phone", "long-phone": "long-phone", "rtl-dark": "rtl-phone-dark",
    "article-phone": "article-phone", "accent-dark": "accent-phone-dark",
}  # fmt: skip
TALLEST = 1400  # pixels of a picture in the documents


def photograph(out: Path, chromium: str) -> None:
    """Every letter in every look: whole, and what shows before anybody scrolls (NAME-fold.png)."""
    from playwright.sync_api import sync_playwright

    quiet = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=quiet.split())
        for look, width, height, scheme in LOOKS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.route(
                "https://images.example.org/**",
                lambda route: route.fulfill(body=picture(number_of(route.request.url)), content_type="image/svg+xml"),
            )
            for file in sorted(out.glob("*.html")):
                page.goto(file.resolve().as_uri())
                page.screenshot(path=out / f"{file.stem}-{look}.png", full_page=True)
                page.screenshot(path=out / f"{file.stem}-{look}-fold.png")
        browser.close()


def show(out: Path, docs: Path) -> None:
    """The pictures of the documents, in 128 colours."""
    from PIL import Image

    for name, shot in SHOWN.items():
        with Image.open(out / f"{shot}.png") as image:
            top = image.convert("RGB").crop((0, 0, image.width, min(image.height, TALLEST)))
        top.quantize(128, dither=Image.Dither.NONE).save(docs / f"{name}.png", optimize=True)


PAGES = ("words", "one-bare", "rtl", "article")  # pictures and none, one card and more, both directions, prose
TEXTS = (*PAGES, "digest", "long")


def golden() -> dict[str, str]:
    """The letters that tests hold byte for byte, by file name; the HTML broken between its tags, to be compared by eye."""
    made = samples()
    pages = {f"{name}.html": made[name].html.replace("><", ">\n<") for name in PAGES}
    return pages | {f"{name}.txt": made[name].text for name in TEXTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--chromium", default="", help="where Chromium is: photograph the letters too")
    parser.add_argument("--docs", type=Path, help="write the pictures of the documents there")
    parser.add_argument("--golden", action="store_true", help="write only the letters that tests hold byte for byte")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.golden:
        for name, text in golden().items():
            (options.out / name).write_text(text, encoding="utf-8")
        return
    for name, rendered in samples().items():
        links = {"unsubscribe_url": "https://harbour.example.org/u", "preferences_url": "https://harbour.example.org/p"}
        (options.out / f"{name}.html").write_text(fill_marks(rendered.html, **links), encoding="utf-8")
        (options.out / f"{name}.txt").write_text(fill_marks(rendered.text, **links), encoding="utf-8")
        print(f"{name}: {rendered.subject} | {rendered.preheader} | {len(rendered.html.encode()):,} bytes")
    if options.chromium:
        photograph(options.out, options.chromium)
    if options.docs:
        show(options.out, options.docs)


if __name__ == "__main__":
    main()
