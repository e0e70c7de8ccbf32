"""The site's one colour, made readable: the same hue on light paper and on dark, with ink for what stands on it.

Pure. Knows the papers of the letters; never reads a template.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import lru_cache

AA = 4.5  # WCAG 2.2, 1.4.3: contrast of text with its ground
AT_EASE = 7.5  # a colour that must be lightened anyway is taken past the edge of what can be read on dark,
CALM = 0.8  # and with less of its saturation, which would glow there
LIGHT_PAPER = ("#ffffff", "#eef0f2")  # the letter, its footer
DARK_PAPER = ("#181d22", "#101418")
INKS = ("#ffffff", "#0c1a24")


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Four colours, each `#rrggbb`: links and buttons in both schemes, and the ink of words on such a button."""

    light: str
    dark: str
    on_light: str
    on_dark: str


@lru_cache(16)
def palette(accent: str) -> Palette:
    """The accent (`#rrggbb`) where it can be read as it stands, else darkened or lightened until it can."""
    light = _until(accent, LIGHT_PAPER, towards=0.0, wanted=AA)
    dark = _until(accent, DARK_PAPER, towards=1.0, wanted=AT_EASE, calm=CALM)
    return Palette(light=light, dark=dark, on_light=_ink(light), on_dark=_ink(dark))


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, from 1 to 21; whichever comes first."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _until(accent: str, papers: tuple[str, ...], *, towards: float, wanted: float, calm: float = 1.0) -> str:
    """Move the lightness in hundredths of its way to black or white; there it ends, readable in any case."""
    if _readable(accent, papers, AA):
        return accent
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(accent))
    steps = (lightness + (towards - lightness) * n / 100 for n in range(1, 101))
    colours = (_written(*colorsys.hls_to_rgb(hue, step, saturation * calm)) for step in steps)
    return next(colour for colour in colours if _readable(colour, papers, wanted))


def _readable(colour: str, papers: tuple[str, ...], wanted: float) -> bool:
    return all(contrast(colour, paper) >= wanted for paper in papers)


def _ink(ground: str) -> str:
    return max(INKS, key=lambda ink: contrast(ink, ground))


def _luminance(colour: str) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _written(red: float, green: float, blue: float) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in (red, green, blue))
