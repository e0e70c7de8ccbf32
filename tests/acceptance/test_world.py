"""What is asked of the world before anything is said: the article's page, its picture; other sources than a folder."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

from tests.acceptance.newsroom import FRIDAY, NO_PACE, Newsroom, front, until
from tests.doubles.website import Website, said

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6300010000"
                    "0500010d0a2db40000000049454e44ae426082")  # fmt: skip


def announcing(folder: Path, site: Website, **settings: object) -> Newsroom:
    """A newsroom whose site is the double; its first scan is over."""
    room = Newsroom(
        folder,
        site={"title": "The Quay Courier", "url": site.url},
        linkedin={"live": False, **NO_PACE},
        **settings,
    )
    room.write(900)
    room.run("run", "--once", now=FRIDAY)
    return room


def article(room: Newsroom, path: str) -> dict:
    return next(one for one in room.ask("articles") if one["path"] == path)


def test_an_article_waits_until_its_page_answers(tmp_path, site):
    room = announcing(tmp_path, site, review={"settle": "0s", "delay": "0s", "check_url": True})
    room.write(1, "one.md")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    waiting = article(room, "one.md")
    assert waiting["state"] == "scheduled"
    assert waiting["reasons"][0].startswith("not-live: ")
    assert room.ask("deliveries") == []

    site.pages["/one/"] = said(200, b"<h1>Here</h1>", Content_Type="text/html")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1, seconds=30))
    assert article(room, "one.md")["state"] == "scheduled", "asked again before a minute was over"
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=3))
    assert article(room, "one.md")["state"] == "ready"
    assert [one["state"] for one in room.ask("deliveries")] == ["rehearsed"]


def test_a_page_that_stays_dark_is_a_problem_and_a_person_may_overrule_it(tmp_path, site):
    room = announcing(tmp_path, site, review={"settle": "0s", "delay": "0s", "check_url": True})
    room.write(1, "one.md")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    early = room.ask("status", now=FRIDAY + timedelta(minutes=30))
    late = room.ask("status", now=FRIDAY + timedelta(hours=3))
    assert early["problems"] == []
    assert any("review.check_url" in problem and "/one/" in problem for problem in late["problems"])
    room.run("approve", "one", now=FRIDAY + timedelta(hours=3))
    assert article(room, "one.md")["state"] == "ready"


def test_a_page_that_nobody_waits_for_any_more_is_no_problem_and_is_not_asked_for(tmp_path, site):
    room = announcing(tmp_path, site, review={"settle": "0s", "delay": "0s", "check_url": True})
    for number, name in enumerate(("one.md", "two.md", "three.md"), 1):
        room.write(number, name)
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    room.run("approve", "one", now=FRIDAY + timedelta(minutes=2))
    room.run("reject", "two", "--because", "not ours", now=FRIDAY + timedelta(minutes=2))
    (room.content / "three.md").unlink()
    for minutes in (180, 181, 182):
        room.run("run", "--once", now=FRIDAY + timedelta(minutes=minutes))
    asked = len(site.asked)
    assert [article(room, name)["state"] for name in ("one.md", "two.md", "three.md")] == ["ready", "rejected", "gone"]
    assert room.ask("status", now=FRIDAY + timedelta(hours=4))["problems"] == []
    room.run("run", "--once", now=FRIDAY + timedelta(hours=5))
    assert len(site.asked) == asked


def test_the_baseline_is_not_asked_for(tmp_path, site):
    room = announcing(tmp_path, site, review={"settle": "0s", "delay": "0s", "check_url": True})
    assert article(room, "900-walk.md")["state"] == "ready"
    assert not [one for one in site.asked if "walk" in one.path]


def test_only_pictures_that_exist_are_shown(tmp_path, site):
    site.pages["/there.png"] = said(200, PNG, Content_Type="image/png")
    site.pages["/page.png"] = said(200, b"<p>Sorry</p>", Content_Type="text/html")
    room = announcing(tmp_path, site, email={"live": False}, digests=[{"name": "weekly", "schedule": "FRI 09:00"}])
    room.run("subscribers", "add", "ada@readers.example")
    room.write(1, "one.md", heroImage=f"{site.url}/there.png")
    room.write(2, "two.md", heroImage=f"{site.url}/missing.png")
    room.write(3, "three.md", heroImage=f"{site.url}/page.png")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    room.run("digest", "weekly", now=FRIDAY + timedelta(minutes=2))
    letter = next((room.data / "outbox" / "email").glob("*.eml")).read_text().replace("=\n", "")
    feed = (room.data / "public" / "feed.xml").read_text()
    for text in (letter, feed):
        assert "there.png" in text
        assert "missing.png" not in text
        assert "page.png" not in text
    assert f'length="{len(PNG)}"' in feed
    assert article(room, "two.md")["hero_image"] == f"{site.url}/missing.png", "as stated"


def test_another_picture_is_looked_at_anew(tmp_path, site):
    site.pages["/there.png"] = said(200, PNG, Content_Type="image/png")
    room = announcing(tmp_path, site)

    def feed(minutes: int) -> str:
        room.run("run", "--once", now=FRIDAY + timedelta(minutes=minutes))
        return (room.data / "public" / "feed.xml").read_text()

    room.write(1, "one.md", heroImage=f"{site.url}/missing.png")
    assert ".png" not in feed(1)
    room.write(1, "one.md", heroImage=f"{site.url}/there.png")
    assert "there.png" in feed(120)
    room.write(1, "one.md", heroImage=f"{site.url}/missing-too.png")
    assert ".png" not in feed(180)


def test_a_picture_that_comes_with_a_later_deploy_is_shown(tmp_path, site):
    room = announcing(tmp_path, site)
    room.write(1, "one.md", heroImage=f"{site.url}/late.png")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    site.pages["/late.png"] = said(200, PNG, Content_Type="image/png")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=3))
    assert "late.png" in (room.data / "public" / "feed.xml").read_text()
    asked = len(site.asked)
    room.write(2, "two.md", heroImage=f"{site.url}/never.png")
    for minutes in range(4, 240, 20):
        room.run("run", "--once", now=FRIDAY + timedelta(minutes=minutes))
    assert [one.method for one in site.asked[asked:] if one.path == "/never.png"].count("HEAD") == 4


def test_a_picture_whose_address_is_none_stops_nobody(tmp_path, site):
    room = announcing(tmp_path, site)
    room.write(1, "one.md", heroImage="https://[image]/one.png")
    room.write(2, "two.md", heroImage="//[")
    room.write(3, "three.md")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert [article(room, name)["state"] for name in ("one.md", "two.md", "three.md")] == ["ready"] * 3
    assert (room.data / "public" / "feed.xml").read_text().count("<item>") == 4


def test_another_sites_feed_is_a_source_beside_the_folder(tmp_path, site):
    def feed(*numbers: int) -> bytes:
        items = "".join(
            f"<item><title>From afar {n}</title><link>{site.url}/far/{n}</link><guid>far-{n}</guid>"
            f"<description>{'A plain sentence about the far shore. ' * 12}</description></item>"
            for n in numbers
        )
        return said(
            200,
            f'<rss version="2.0"><channel><title>Far</title>{items}</channel></rss>'.encode(),
            Content_Type="application/rss+xml",
            ETag=f'"{numbers}"',
        )

    site.pages["/far.xml"] = feed(1, 2)
    room = Newsroom(
        tmp_path,
        sources=[
            {"name": "articles", "path": "content"},
            {"name": "far", "kind": "feed", "url": f"{site.url}/far.xml", "poll": "1s"},
        ],
        linkedin={"live": False, **NO_PACE},
    )
    room.write(1)
    room.run("run", "--once", now=FRIDAY)
    assert room.ask("deliveries") == [], "the first look at a feed is a baseline"
    site.pages["/far.xml"] = feed(2, 3)
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    posted = room.ask("deliveries")
    assert [(one["title"], one["state"]) for one in posted] == [("From afar 3", "rehearsed")]
    assert {one["title"] for one in room.ask("articles", "--state", "ready")} >= {
        "From afar 1",
        "From afar 2",
        "From afar 3",
    }, "an item that the feed no longer shows is not gone"
    assert article(room, next(one["path"] for one in room.ask("articles") if one["source"] == "far"))["url"].startswith(
        f"{site.url}/far/"
    )

    site.pages["/far.xml"] = said(500)
    broken = room.command("run", "--once", now=FRIDAY + timedelta(minutes=2))
    assert broken.code == 1
    assert "sources.far.url" in broken.err
    assert any("sources.far" in problem for problem in room.ask("status")["problems"])


def test_a_checkout_is_fast_forwarded_before_its_scan(tmp_path):
    origin = tmp_path / "origin"
    git("init", "-q", "-b", "main", str(origin))
    (origin / "old.md").write_text(front(1), encoding="utf-8")
    commit(origin)
    folder = tmp_path / "site"
    folder.mkdir()
    git("clone", "-q", str(origin), str(folder / "content"))
    room = Newsroom(folder, sources=[{"path": "content", "pull": True}], linkedin={"live": False, **NO_PACE})
    room.run("run", "--once", now=FRIDAY)
    (origin / "new.md").write_text(front(2), encoding="utf-8")
    commit(origin)
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert [one["state"] for one in room.ask("deliveries")] == ["rehearsed"]

    origin.rename(tmp_path / "moved")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=2))
    states = {one["path"]: one["state"] for one in room.ask("articles")}
    assert states == {"old.md": "ready", "new.md": "ready"}, "a pull that fails is no deletion"
    assert room.ask("status", now=FRIDAY + timedelta(minutes=10))["problems"] == []
    late = room.ask("status", now=FRIDAY + timedelta(minutes=40))["problems"]
    assert any("pull" in problem for problem in late)


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True, capture_output=True)


def commit(folder: Path) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    git("-C", str(folder), "add", "-A")
    git("-C", str(folder), *who, "commit", "-q", "-m", "more")


def test_many_files_missing_at_once_are_an_outage_until_a_person_says_otherwise(tmp_path):
    room = Newsroom(tmp_path)
    paths = [room.write(n) for n in range(8)]
    room.run("run", "--once", now=FRIDAY)
    for path in paths[:5]:
        path.unlink()
    for minute in (1, 2, 3):
        room.run("run", "--once", now=FRIDAY + timedelta(minutes=minute), code=1)
    assert {one["state"] for one in room.ask("articles")} == {"ready"}
    assert any("syndicate articles forget articles" in problem for problem in room.ask("status")["problems"])
    room.run("articles", "forget", "articles")
    for minute in (4, 5, 6):
        room.run("run", "--once", now=FRIDAY + timedelta(minutes=minute))
    states = [one["state"] for one in room.ask("articles")]
    assert (states.count("gone"), states.count("ready")) == (5, 3)
    assert room.ask("status")["problems"] == []
    for path in paths[5:]:
        path.unlink()
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=7), code=1)


def test_explain_tells_the_story_of_an_article_and_of_a_person(tmp_path):
    room = Newsroom(tmp_path, email={"live": False}, digests=[{"name": "weekly"}], linkedin={"live": False, **NO_PACE})
    room.write(900)
    room.run("run", "--once", now=FRIDAY)
    room.run("subscribers", "add", "ada@readers.example", now=FRIDAY)
    room.write(1, "one.md", title="The mill's last winter", raw="note: 'lone' apostrophe's here'")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    room.run("digest", "weekly", now=FRIDAY + timedelta(minutes=2))
    story = room.ask("explain", "one")
    assert {one["what"] for one in story} >= {"seen", "repaired", "released", "verdict", "owed", "attempt", "edition"}
    assert any(one["what"] == "state" and one["text"] == "linkedin rehearsed" for one in story)
    assert any("baseline" in one["what"] for one in room.ask("explain", "900-walk"))
    person = room.ask("explain", "ada@readers.example")
    assert any(one["what"] == "letter" and "rehearsed" in one["text"] for one in person)
    assert "subscribers add" in next(one["text"] for one in person if one["what"] == "consent")
    nobody = room.run("explain", "nobody@readers.example", code=2)
    assert "there is no subscriber" in nobody.err
    assert "there is no article" in room.run("explain", "nothing", code=2).err


def test_the_daemon_hears_of_a_new_file_long_before_its_next_look(tmp_path):
    room = Newsroom(tmp_path, sources=[{"path": "content", "poll": "1h"}], linkedin={"live": False, **NO_PACE})
    room.write(900)
    with room.daemon():
        until(lambda: room.articles().get("900-walk.md"), "the first look", within=20)
        room.write(1, "one.md")
        until(lambda: room.outbox("linkedin"), "a post of the new file", within=10)


def test_a_broken_subject_holds_up_its_digest_and_nothing_else(tmp_path):
    weekly = {"name": "weekly", "schedule": "0 9 * * FRI"}
    room = Newsroom(
        tmp_path,
        email={"live": False},
        digests=[weekly | {"subject": "{{ articles[0].nosuch.deeper }}"}],
        linkedin={"live": False, **NO_PACE},
    )
    room.run("run", "--once", now=FRIDAY)
    room.run("subscribers", "add", "ada@readers.example", now=FRIDAY)
    room.write(1)
    late = FRIDAY + timedelta(minutes=30)
    room.run("run", "--once", now=late)
    room.write(2)
    after = FRIDAY + timedelta(minutes=61)
    broken = room.run("run", "--once", now=after, code=1)
    assert "nosuch" in broken.err
    assert {one["state"] for one in room.deliveries("linkedin")} == {"rehearsed"}
    status = room.ask("status", now=after)
    assert any(problem.startswith("digests.weekly") for problem in status["problems"])
    assert status["paused"] == {}
    room.configure(digests=[weekly])
    room.run("run", "--once", now=after + timedelta(minutes=1))
    assert [one["state"] for one in room.deliveries("email")] == ["rehearsed"]
    assert room.ask("status", now=after)["problems"] == []


def test_a_required_field_that_does_not_exist_is_a_wrong_configuration(tmp_path):
    room = Newsroom(tmp_path, review={"require": ["title", "nonsense"]})
    refused = room.run("run", "--once", now=FRIDAY, code=2)
    assert "review.require" in refused.err and "nonsense" in refused.err
    assert room.command("check").code == 2


def test_a_pause_is_told_by_the_pass_that_keeps_to_it(tmp_path):
    room = Newsroom(tmp_path, linkedin={"live": False, **NO_PACE})
    room.run("run", "--once", now=FRIDAY)
    room.run("pause", "linkedin", "--because", "the office moves", now=FRIDAY)
    room.write(1)
    told = room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert "paused: linkedin: the office moves" in told.out


def test_a_dry_run_with_nothing_to_send_is_no_mistake(tmp_path):
    room = Newsroom(tmp_path, email={"live": False}, digests=[{"name": "weekly"}])
    room.run("run", "--once", now=FRIDAY)
    assert "nothing to send" in room.run("digest", "weekly", "--dry-run", now=FRIDAY).err
    assert room.ask("digest", "weekly", "--dry-run", now=FRIDAY) == []


def test_a_pass_tells_of_all_that_it_wrote(tmp_path, site):
    site.pages["/there.png"] = said(200, PNG, Content_Type="image/png")
    room = announcing(tmp_path, site)
    room.write(1, "one.md", heroImage=f"{site.url}/there.png")
    told = room.ask("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert told["feed_items"] == 2
    assert set(told["feeds_written"]) == {"feed.xml", "atom.xml", "feed.json"}


def test_a_preview_shows_the_picture_that_would_be_sent_and_no_other(tmp_path, site):
    site.pages["/there.png"] = said(200, PNG, Content_Type="image/png")
    room = announcing(tmp_path, site, email={"live": False})
    room.write(1, "one.md", heroImage=f"{site.url}/there.png")
    room.write(2, "two.md", heroImage=f"{site.url}/missing.png")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    assert "there.png" in room.ask("preview", "one", "--channel", "email")["html"]
    assert "missing.png" not in room.ask("preview", "two", "--channel", "email")["html"]


def test_a_letter_that_cannot_be_written_fails_alone(tmp_path):
    templates = tmp_path / "own"
    templates.mkdir()
    (templates / "article.mjml").write_text("<mjml>{{ nothing.of.the.kind }}</mjml>", encoding="utf-8")
    room = Newsroom(
        tmp_path, templates="own", email={"live": False}, digests=[{"name": "weekly", "schedule": "0 9 * * FRI"}],
        linkedin={"live": False, **NO_PACE},
    )  # fmt: skip
    room.run("run", "--once", now=FRIDAY)
    room.run("subscribers", "add", "ada@readers.example", now=FRIDAY)
    room.write(1, "one.md")
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=1))
    failed = room.run("send", "one", "--to", "email", now=FRIDAY + timedelta(minutes=2), code=1)
    assert "cannot be written" in failed.out and "article.mjml" in failed.out
    room.run("run", "--once", now=FRIDAY + timedelta(minutes=61))
    assert {one["kind"]: one["state"] for one in room.deliveries("email")} == {
        "article": "failed",
        "edition": "rehearsed",
    }
