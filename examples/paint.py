"""Pictures for samples, whose sites are not on the web."""

from __future__ import annotations

PAINT = ["#27496d", "#c26a3d", "#4c7a5a", "#8a5a83", "#b58b2a", "#3f7f8c", "#7b4b3a", "#5a6f9c"]


def picture(number: int) -> str:
    """A harbour by somebody who cannot draw."""
    sky, sea = PAINT[number % 8], PAINT[(number + 3) % 8]
    waves = "".join(
        f'<path d="M0 {560 + 60 * n} q100 -{30 + 5 * n} 200 0 t200 0 t200 0 t200 0 t200 0 t200 0 t200 0 t200 0" '
        f'fill="none" stroke="#fff" stroke-opacity="{0.5 - 0.08 * n}" stroke-width="8"/>'
        for n in range(5)
    )
    left = number * 40 % 300
    boat = f"M{700 + left} 500 l260 0 l-50 80 l-170 0 z M{820 + left} 490 l0 -240 l110 200 z"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="1600" height="900" viewBox="0 0 1600 900">'
        f'<rect width="1600" height="900" fill="{sky}"/>'
        f'<circle cx="{300 + number * 130 % 1000}" cy="260" r="120" fill="#ffe3b0" fill-opacity=".9"/>'
        f'<rect y="520" width="1600" height="380" fill="{sea}"/>'
        f'<path d="{boat}" fill="#fff" fill-opacity=".92"/>{waves}</svg>'
    )
