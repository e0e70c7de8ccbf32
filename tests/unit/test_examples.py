"""The sample articles show what they are there to show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from syndicate import review
from syndicate.article import Manuscript, State
from syndicate.config.models import ReviewRules
from syndicate.manuscript import read

FOLDER = Path(__file__).parents[2] / "examples" / "articles"
PATHS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.md"))
FRIDAY = datetime(2026, 3, 6, 9, tzinfo=UTC)
ZONE = ZoneInfo("UTC")

BROKEN = {"last-boat-to-skerra.md", "lighthouse-library.md", "market/night-market-returns.md"}
NOT_READY = {
    "first-month-in-cold-water.md": State.SCHEDULED,
    "harbour-fire-anniversary.md": State.REJECTED,
    "topic-needed.md": State.REJECTED,
}


def manuscript(path: str) -> Manuscript:
    return read((FOLDER / path).read_bytes(), path, ZONE)


def is_yaml(path: str) -> bool:
    try:
        yaml.safe_load((FOLDER / path).read_text("utf-8").split("---\n")[1])
    except yaml.YAMLError:
        return False
    return True


def test_there_are_a_dozen_and_three_are_not_valid_yaml() -> None:
    assert len(PATHS) == 12
    assert {path for path in PATHS if not is_yaml(path)} == BROKEN


@pytest.mark.parametrize("path", PATHS)
def test_every_field_is_read_and_the_verdict_is_the_intended_one(path: str) -> None:
    said = manuscript(path)
    judgement = review.judge(said, ReviewRules(), FRIDAY, ZONE)
    assert judgement.state == NOT_READY.get(path, State.READY), judgement.reasons
    assert all((said.title, said.subtitle, said.description, said.authors, said.cta, said.published, said.created))
    assert said.hero_image is not None
    assert said.hero_image.startswith("https://harbourlamp.example/")
    assert "LinkedIn" in said.cta
    assert "://" not in said.cta
    assert "\\" not in said.title + said.subtitle + said.description


def test_two_share_a_title_and_the_later_one_stands_behind_in_the_folder() -> None:
    titles = [review.title_key(manuscript(path).title) for path in PATHS]
    twins = [path for path, title in zip(PATHS, titles, strict=True) if titles.count(title) > 1]
    assert twins == ["bees-on-the-customs-house.md", "roof-honey.md"]


def test_only_the_broken_ones_and_the_wrongly_decoded_one_are_repaired() -> None:
    assert {path for path in PATHS if manuscript(path).repairs} == BROKEN | {"bees-on-the-customs-house.md"}
    assert "up here — wind first" in manuscript("bees-on-the-customs-house.md").body


def test_typographic_quotes_stay_as_they_are() -> None:
    said = manuscript("ovens-at-four.md")
    assert said.subtitle.startswith("“The dough doesn’t know it’s dark,”")
    assert "“Hear that? Like a door with nobody behind it. That’s done.”" in said.body


def test_a_folder_gives_its_name_to_the_index_in_it() -> None:
    assert manuscript("repair-cafe-hundredth-toaster/index.md").slug == "repair-cafe-hundredth-toaster"
