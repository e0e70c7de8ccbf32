"""One colour, in every scheme one that can be read."""

from __future__ import annotations

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.colour import AA, DARK_PAPER, LIGHT_PAPER, contrast, palette

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colours)
def test_every_accent_can_be_read_in_both_schemes_and_so_can_words_on_it(accent: str) -> None:
    made = palette(accent)
    for ink, papers in ((made.light, LIGHT_PAPER), (made.dark, DARK_PAPER)):
        assert all(contrast(ink, paper) >= AA for paper in papers)
    assert contrast(made.on_light, made.light) >= AA
    assert contrast(made.on_dark, made.dark) >= AA


@given(colours)
def test_a_colour_that_can_be_read_is_left_as_it_is(accent: str) -> None:
    made = palette(accent)
    if all(contrast(accent, paper) >= AA for paper in LIGHT_PAPER):
        assert made.light == accent
    if all(contrast(accent, paper) >= AA for paper in DARK_PAPER):
        assert made.dark == accent


@pytest.mark.parametrize("accent", ["#0b5d86", "#ffd400", "#d02030", "#1a7f37", "#5b2d8e"])
def test_only_its_lightness_moves(accent: str) -> None:
    hue = _hue(accent)
    assert _hue(palette(accent).light) == pytest.approx(hue, abs=0.02)
    assert _hue(palette(accent).dark) == pytest.approx(hue, abs=0.02)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == contrast("#ffffff", "#000000") == 21
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def _hue(colour: str) -> float:
    return colorsys.rgb_to_hls(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]
