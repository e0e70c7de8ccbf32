"""What is found in a folder of articles, and what is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syndicate.config import SourceSettings
from syndicate.errors import ContentError, SourceError
from syndicate.sources.folder import LARGEST, Folder, written


def folder(path: Path, **settings: object) -> Folder:
    return Folder(SourceSettings(path=path, **settings))  # type: ignore[arg-type]  # keywords of one test


def write(path: Path, text: str = "Text.\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(path: Path, **settings: object) -> set[str]:
    return set(folder(path, **settings).look())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.md", True),
        ("a.mdx", True),
        ("a.markdown", True),
        ("deep/er/still/a.md", True),
        (".md", True),
        ("[Needs topic/a.md", True),
        ("a [1].md", True),
        ("blank name.md", True),
        ("ünïcode/名前.md", True),
        (".hidden.md", True),
        ("a.MD", False),
        ("a.md~", False),
        ("a.txt", False),
        ("a.md.bak", False),
        ("README.md", False),
        ("deep/README.md", False),
        ("deep/_index.md", False),
        ("404.md", False),
        ("READMEmore.md", True),
        (".git/a.md", False),
        (".obsidian/deep/a.md", False),
        ("node_modules/package/a.md", False),
    ],
)
def test_the_usual_patterns(tmp_path: Path, name: str, wanted: bool) -> None:
    write(tmp_path / name)
    assert found(tmp_path) == ({name} if wanted else set())


@pytest.mark.parametrize(
    ("include", "name", "wanted"),
    [
        ("*.md", "a.md", True),
        ("*.md", "deep/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "deep/er/a.md", True),
        ("posts/**", "posts/deep/a.txt", True),
        ("posts/**", "posted/a.txt", False),
        ("posts/*/index.md", "posts/one/index.md", True),
        ("posts/*/index.md", "posts/one/two/index.md", False),
        ("20??-*.md", "2026-a.md", True),
        ("20??-*.md", "206-a.md", False),
        ("[abc].md", "b.md", True),
        ("[abc].md", "d.md", False),
        ("[!abc].md", "d.md", True),
        ("[!abc].md", "a.md", False),
        ("[0-9].md", "7.md", True),
        ("[0-9].md", "-.md", False),
        ("[Needs.md", "[Needs.md", True),
        ("a.md", "axmd", False),
        ("a+(b).md", "a+(b).md", True),
    ],
)
def test_globs_are_those_of_a_shell(tmp_path: Path, include: str, name: str, wanted: bool) -> None:
    write(tmp_path / name)
    assert found(tmp_path, include=(include,)) == ({name} if wanted else set())


def test_what_is_excluded_is_not_wanted(tmp_path: Path) -> None:
    for name in ("keep/a.md", "drafts/a.md", "drafts/deep/b.md"):
        write(tmp_path / name)
    assert found(tmp_path, exclude=("drafts/**",)) == {"keep/a.md"}
    assert found(tmp_path, exclude=()) == {"keep/a.md", "drafts/a.md", "drafts/deep/b.md"}


def test_an_empty_folder_is_no_outage(tmp_path: Path) -> None:
    assert found(tmp_path) == set()


def test_a_folder_named_like_an_article_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "trap.md" / "inside.md")
    assert found(tmp_path) == {"trap.md/inside.md"}


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_link_to_a_file_inside_is_followed_and_one_that_leads_out_is_not(tmp_path: Path) -> None:
    inside, outside = tmp_path / "content", tmp_path / "secret.md"
    write(outside, "secret")
    write(inside / "a.md")
    (inside / "alias.md").symlink_to("a.md")
    (inside / "out.md").symlink_to(outside)
    (inside / "chain.md").symlink_to("out.md")
    assert found(inside) == {"a.md", "alias.md"}


def test_linked_folders_loops_and_dangling_links_are_left_alone(tmp_path: Path) -> None:
    inside = tmp_path / "content"
    write(inside / "deep" / "a.md")
    write(tmp_path / "elsewhere" / "b.md")
    (inside / "deep" / "loop").symlink_to(inside)
    (inside / "itself.md").symlink_to("itself.md")
    (inside / "dangling.md").symlink_to("nowhere.md")
    (inside / "elsewhere").symlink_to(tmp_path / "elsewhere")
    assert found(inside) == {"deep/a.md"}


def test_a_source_that_is_itself_a_link_is_read(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.md")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "alias.md").symlink_to("a.md")
    assert found(tmp_path / "link") == {"a.md", "alias.md"}


def test_a_file_replaced_by_a_link_that_leads_out_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "content"
    article = write(inside / "a.md")
    source = folder(inside)
    seen = source.look()["a.md"]
    article.unlink()
    article.symlink_to(write(tmp_path / "secret.md", "secret"))
    with pytest.raises(ContentError):
        source.read("a.md", seen)


def test_what_is_no_file_is_not_read_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    write(tmp_path / "a.md")
    source = folder(tmp_path)
    seen = source.look()
    assert set(seen) == {"a.md"}
    with pytest.raises(ContentError):
        source.read("pipe.md", seen["a.md"])


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_utf8_stops_nobody(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    with open(os.fsencode(tmp_path) + b"/caf\xe9.md", "wb") as file:
        file.write(b"Text.\n")
    source = folder(tmp_path)
    seen = source.look()
    assert set(seen) == {"a.md", r"caf\xe9.md"}
    assert source.read(r"caf\xe9.md", seen[r"caf\xe9.md"]) == b"Text.\n"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_stat_of_a_file_tells_whether_it_was_touched(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md")
    source = folder(tmp_path)
    first = source.look()["a.md"]
    assert source.look()["a.md"] == first
    assert written(first) == pytest.approx(path.stat().st_mtime, abs=1e-6)
    os.utime(path, ns=(1, 1))
    assert source.look()["a.md"] != first
    path.unlink()
    write(path)
    os.utime(path, ns=(1, 1))
    assert source.look()["a.md"].split(":")[0] == first.split(":")[0]


def test_the_bytes_are_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbf\x00\xff\r\n")
    source = folder(tmp_path)
    assert source.read("a.md", source.look()["a.md"]) == b"\xef\xbb\xbf\x00\xff\r\n"


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    with (tmp_path / "a.md").open("ab") as file:
        file.truncate(LARGEST + 1)
    source = folder(tmp_path)
    for seen in (source.look()["a.md"], "1:1:1 as it was before it grew"):
        with pytest.raises(ContentError, match="5 MB") as refused:
            source.read("a.md", seen)
        assert refused.value.code == "too-large"


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.md")
    source = folder(tmp_path)
    seen = source.look()["a.md"]
    path.unlink()
    with pytest.raises(ContentError, match="no such file") as refused:
        source.read("a.md", seen)
    assert isinstance(refused.value.__cause__, FileNotFoundError)


# --- outages ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sources\.articles\.path: .*no such file"):
        folder(tmp_path / "nowhere").look()


def test_a_file_where_the_folder_should_be_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a directory"):
        folder(write(tmp_path / "a.md")).look()


def test_a_folder_further_down_that_cannot_be_listed_is_an_outage_of_the_whole(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everything, and read it")
    write(tmp_path / "a.md")
    locked = write(tmp_path / "locked" / "b.md").parent
    locked.chmod(0)
    try:
        with pytest.raises(SourceError, match="permission denied"):
            folder(tmp_path).look()
    finally:
        locked.chmod(0o700)
