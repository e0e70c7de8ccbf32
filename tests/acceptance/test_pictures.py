"""Pictures from outside: a broken one never stops its post, and none is uploaded twice for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image

import tests.acceptance.newsroom as make
from tests.acceptance.newsroom import FRIDAY, Newsroom
from tests.doubles.linkedin import LinkedInDouble
from tests.doubles.website import Website, said

Make = Callable[..., Newsroom]
LATER = FRIDAY + timedelta(minutes=2)


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (60, 30), "navy").save(out, "WEBP")
    return out.getvalue()


@pytest.fixture
def room(newsroom: Make, linkedin: LinkedInDouble, site: Website) -> Newsroom:
    """Its articles and their pictures are on a site that can be asked."""
    site.pages["/hero.webp"] = said(200, picture(), Content_Type="image/webp")
    site.pages["/broken.webp"] = said(200, picture()[:50], Content_Type="image/webp")
    return newsroom(
        site={"url": site.url}, linkedin=make.linkedin(linkedin.url), review={"first_run": "announce"}
    )  # fmt: skip


def test_posts_with_broken_pictures_go_out_without_them_and_explain_says_why(
    room: Newsroom, linkedin: LinkedInDouble, site: Website
) -> None:
    for n, hero in enumerate(("/hero.webp", "/broken.webp", "/missing.webp")):
        room.write(n, heroImage=hero)
    done = room.ask("run", "--once", now=FRIDAY)
    assert done["deliveries"] == {"linkedin": {"sent": 3}}
    cards = {post.card["source"]: post.card.get("thumbnail") for post in linkedin.posts if post.card}
    whole, broken, missing = (f"{site.url}/{n:03}-walk/" for n in range(3))
    (image,) = linkedin.images.taken
    assert cards == {whole: image.urn, broken: None, missing: None}
    assert "picture left out" not in room.run("explain", "000-walk").out
    assert f"picture left out: {site.url}/broken.webp: it cannot be read" in room.run("explain", "001-walk").out
    assert "picture left out: /missing.webp was not there" in room.run("explain", "002-walk").out
    assert f"picture: {site.url}/hero.webp" in room.run("preview", "000-walk", "--channel", "linkedin").out
    assert "picture left out: /missing.webp" in room.run("preview", "002-walk", "--channel", "linkedin").out


def test_a_second_attempt_uploads_nothing_again(room: Newsroom, linkedin: LinkedInDouble) -> None:
    linkedin.faults.extend(["503", "429", ""])
    room.write(0, heroImage="hero.webp", raw="permalink: /")
    for minutes in (0, 1, 9):
        room.command("run", "--once", now=FRIDAY + timedelta(minutes=minutes))
    (post,) = linkedin.posts
    assert len([one for one in linkedin.requests if one.path == "/rest/posts"]) == 3
    assert len(linkedin.images.given) == 1
    assert post.card is not None
    assert post.card["thumbnail"] == linkedin.images.taken[0].urn


def test_a_crash_after_the_upload_leaves_one_post_with_its_picture(room: Newsroom, linkedin: LinkedInDouble) -> None:
    room.write(0, heroImage="/hero.webp")
    room.crash("image.uploaded", "run", "--once", now=FRIDAY)
    assert linkedin.posts == []
    done = room.ask("run", "--once", now=LATER)
    assert done["deliveries"] == {"linkedin": {"sent": 1}}
    (post,) = linkedin.posts
    assert post.card is not None
    assert post.card["thumbnail"] == linkedin.images.taken[-1].urn


def test_a_rehearsal_shows_the_picture_that_would_be_there(room: Newsroom, linkedin: LinkedInDouble) -> None:
    room.configure(linkedin={"live": False})
    room.write(0, heroImage="/hero.webp")
    room.run("run", "--once", now=FRIDAY)
    (file,) = room.outbox("linkedin")
    assert '"thumbnail": "urn:li:image:REHEARSAL"' in file.read_text("utf-8")
    assert linkedin.requests == []
    room.configure(linkedin={"live": True})
    room.run("send", "000-walk", "--to", "linkedin", "--yes", now=LATER)
    (post,) = linkedin.posts
    assert post.card is not None
    assert post.card["thumbnail"] == linkedin.images.taken[0].urn
