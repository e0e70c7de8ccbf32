"""Numbers as a line: the points of an SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence

INSET = 3  # so that the pen is not cut off at the edge


def line(values: Sequence[tuple[str, int]], width: int, height: int) -> str:
    """The `points` of a polyline, from left to right and the least at the bottom; "" for fewer than two."""
    if len(values) < 2:
        return ""
    numbers = [number for _, number in values]
    least, most = min(numbers), max(numbers)
    across, up = (width - 2 * INSET) / (len(numbers) - 1), (height - 2 * INSET) / ((most - least) or 1)
    middle = height / 2 if most == least else None
    return " ".join(
        f"{INSET + index * across:.1f},{middle or height - INSET - (number - least) * up:.1f}"
        for index, number in enumerate(numbers)
    )
