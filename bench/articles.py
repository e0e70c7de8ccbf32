"""Writes articles in the style of the first owner, always the same ones; a fifth has front matter that is not YAML.

python bench/articles.py FOLDER [COUNT]
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

BROKEN = 5  # each so manieth file has an apostrophe that ends its value too early
LONG_AGO = 1_760_000_000  # seconds since 1970: no file is so young that a scan waits for it
FIRST_DAY = date(2025, 2, 1)
A_DAY = 180

_SUBJECTS = (
    "Harbour",
    "Turbine",
    "Orchard",
    "Ledger",
    "Glacier",
    "Compiler",
    "Viaduct",
    "Archive",
    "Reservoir",
    "Loom",
)
_VERBS = (
    "Reshapes",
    "Outgrows",
    "Revives",
    "Measures",
    "Challenges",
    "Rebuilds",
    "Quietly Joins",
    "Questions",
    "Unlocks",
)
_OBJECTS = ("Old Habits", "Small Towns", "Slow Software", "Night Shifts", "River Trade", "Public Maps", "Spare Parts")
_AUTHORS = ("Ines Kaltenbach", "Tomasz Wren", "Priya Halloran", "Mateo Lindqvist", "Oluchi Brandt")
_PROSE = """\
engineers found that a patient survey of the northern plant told them more than any model could while the town council
asked for numbers and got a story about steam copper grain and the price of waiting another winter before anyone repairs
what everybody can see is leaking into the cellar of the only library within forty kilometres"""
_WORDS = _PROSE.split()


def texts(count: int, *, broken: bool = True) -> Iterator[tuple[str, str]]:
    """(name, text) of so many articles, 5 to 6 KB each."""
    chance = random.Random("bench")
    for number in range(count):
        yield _article(number, chance, broken=broken and number % BROKEN == 0)


def _article(number: int, chance: random.Random, *, broken: bool) -> tuple[str, str]:
    subject, verb, thing = chance.choice(_SUBJECTS), chance.choice(_VERBS), chance.choice(_OBJECTS)
    title = f"The {subject} {verb} {thing}: Report {number}"
    written = FIRST_DAY + timedelta(days=number // A_DAY)
    stated = written.replace(year=2024) if number % 4 == 0 else written  # the year a model knows
    apostrophe = chance.choice(("'", "\\'")) if broken else "''"
    front = (
        f"---\ntitle: '{title}'\n"
        f"subtitle: 'What the {subject.lower()}{apostrophe}s keepers learned, and at what cost'\n"
        f"description: |\n  {_sentence(chance, 24)} {_sentence(chance, 22)}\nauthor: '{chance.choice(_AUTHORS)}'\n"
        f"read_time: '{chance.randint(2, 9)} mins'\npublish_date: '{stated}'\ncreated_date: '{written}'\n"
        f"heroImage: https://images.bench.example/{number}.jpg\n"
        f"cta: |\n  {_sentence(chance, 9)} Follow us on LinkedIn for more!\n---\n"
    )
    parts = [_paragraph(chance)]
    for _ in range(6):
        parts += [f"## {_sentence(chance, 5)}", _paragraph(chance), _paragraph(chance)]
    parts.append("\n".join(f"- **{_sentence(chance, 2)}** {_sentence(chance, 8)}" for _ in range(4)))
    name = f"{subject} {verb} {thing} report {number}.md".lower().replace(" ", "-")
    return name, front + "\n" + "\n\n".join(parts) + "\n"


def _sentence(chance: random.Random, words: int) -> str:
    text = " ".join(chance.choices(_WORDS, k=words))
    return f"{text[0].upper()}{text[1:]}."


def _paragraph(chance: random.Random) -> str:
    return " ".join(_sentence(chance, chance.randint(10, 20)) for _ in range(4))


def write(folder: Path, count: int, *, broken: bool = True) -> None:
    """Write so many articles into one folder; without `broken` all of them are valid YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts(count, broken=broken):
        path = folder / name
        path.write_text(text, encoding="utf-8")
        os.utime(path, (LONG_AGO, LONG_AGO))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300)
