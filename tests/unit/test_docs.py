"""The documents say what the program is: every command, option, key, default and link in them is held to it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from syndicate import config
from syndicate.cli import app
from syndicate.config.environment import keys, table_of
from syndicate.config.models import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = ["README.md", "CHANGELOG.md", "docs/operating.md", "docs/front-matter.md", "docs/growing.md"]
DOCUMENTS += ["docs/linkedin.md", "docs/channels.md", "docs/letters.md", "docs/subscribing.md"]
DOCUMENTS += ["docs/feeds.md", "docs/troubles.md", "docs/safety.md", "docs/bounces.md", "docs/newsroom.md"]
DOCUMENTS += ["docs/container.md", "docs/leaving.md"]
LISTS = ("sources", "digests", "webhooks")
REQUIRED = {"site.title": "Harbour", "site.url": "https://harbour.example"}
REQUIRED |= {"webhooks.name": "hook", "webhooks.url": "https://hooks.example/articles"}


def section(title: str) -> str:
    """The text of README below a heading, up to the next of its rank."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"README has no section {title!r}"
    return found[1]


# --- commands ---------------------------------------------------------------------------------------------------------


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that are typed for it."""
    below = getattr(command, "commands", {})
    if path and (not below or command.invoke_without_command):
        yield path, command
    for name, child in below.items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(typer.main.get_command(app)))


def rows_of(path: tuple[str, ...]) -> str:
    """The row of the table of commands that begins with these words and no more."""
    typed = " ".join(("syndicate", *path))
    rows = [row for row in section("Commands").splitlines() if re.match(rf"\| `{re.escape(typed)}(?=[ `])", row)]
    longer = [" ".join(("syndicate", *other)) for other in COMMANDS if other[: len(path)] == path and other != path]
    mine = [row for row in rows if not any(row.startswith(f"| `{other}") for other in longer)]
    assert len(mine) == 1, f"README has {len(mine)} rows for `{typed}`"
    return mine[0]


def long_options(command: Any) -> list[str]:
    found = [name for option in command.params for name in option.opts if name.startswith("-")]
    return [name for name in found if name not in ("-h", "--help")]


def test_there_are_commands_to_compare() -> None:
    assert {("run",), ("articles",), ("articles", "show"), ("db", "backup")} <= COMMANDS.keys()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_stands_in_the_readme_with_its_options(path: tuple[str, ...]) -> None:
    row = rows_of(path)
    missing = [option for option in long_options(COMMANDS[path]) if not re.search(rf"`?{option}\b", row)]
    assert not missing, f"README says nothing of {missing} of `syndicate {' '.join(path)}`"


def test_the_readme_invents_no_option() -> None:
    known = {option for command in COMMANDS.values() for option in long_options(command)}
    known |= set(long_options(typer.main.get_command(app))) | {"--help", "-h"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", section("Commands")))
    assert named - known == set()


def test_the_readme_invents_no_command() -> None:
    known = {" ".join(path[:1]) for path in COMMANDS} | {"db", "subscribers"}
    texts = [(ROOT / name).read_text("utf-8") for name in DOCUMENTS]
    named = {word for text in texts for word in re.findall(r"(?:`|^\$ |bin/)syndicate ([a-z]+)", text, re.MULTILINE)}
    assert named
    assert named - known == set()


def test_options_of_every_command_stand_in_the_readme() -> None:
    assert all(f"`{option}" in section("Commands") for option in long_options(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_each_command_on_one_line_and_explains_each_option(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    summary = command.get_short_help_str(80 - 6 - len("subscribers"))  # what an 80 column terminal leaves
    assert summary.endswith("."), summary
    assert not summary.endswith("..."), f"cut: {summary}"
    assert [option.name for option in command.params if not option.help] == []


@pytest.mark.parametrize(("code", "meaning"), [(0, "done"), (1, "left something"), (2, "wrong usage or configuration")])
def test_the_exit_codes_are_told(code: int, meaning: str) -> None:
    paragraph = next(part for part in section("Commands").split("\n\n") if "Exit codes" in part)
    assert re.search(rf"\b{code} means [^.]*{meaning}", paragraph.replace("\n", " "))


# --- configuration ----------------------------------------------------------------------------------------------------

KEYS = dict(re.findall(r"^\| `([a-z_.]+)` \| (?:`(.*?)`|required) \| ", section("Configuration"), re.MULTILINE))


def test_every_key_stands_in_the_readme_and_no_other() -> None:
    assert list(KEYS) == list(dict.fromkeys(KEYS))
    assert set(KEYS) == set(keys())


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys as the tables of a file."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, last = key.split(".")
        below = tree
        for table in tables:
            below = below.setdefault(table, {})
        below[last] = value
    return {key: [value] if key in LISTS else value for key, value in tree.items()}


def test_every_default_in_the_readme_is_the_program_s() -> None:
    told = {key: REQUIRED[key] if not text else tomllib.loads(f"value = {text}")["value"] for key, text in KEYS.items()}
    empty: dict[str, Any] = {
        table: [{}] if table in LISTS else {} for table in ("sources", "digests", "email", "linkedin")
    }
    empty |= nested(REQUIRED)
    left, right = (Settings.model_validate(table) for table in (nested(told), empty))
    assert {key for key in REQUIRED if not KEYS[key]} == set(REQUIRED)
    for name in Settings.model_fields:
        assert getattr(left, name) == getattr(right, name), f"a default of {name} is told wrongly"


def test_no_key_is_announced_for_later() -> None:
    assert "°" not in section("Configuration")
    assert "later version" not in (ROOT / "config.toml").read_text("utf-8")


def test_every_table_is_reached_by_the_keys() -> None:
    tables = [name for name, field in Settings.model_fields.items() if table_of(field)]
    assert all(any(key.startswith(f"{table}.") for key in KEYS) for table in tables)


BLOCKS = [
    (name, text)
    for name in DOCUMENTS
    for text in re.findall(r"^```toml\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("name", "text"), BLOCKS, ids=lambda value: value if value in DOCUMENTS else "block")
def test_every_configuration_in_the_documents_loads(name: str, text: str, tmp_path: Path) -> None:
    site = '[site]\ntitle = "T"\nurl = "https://t.example"\n[[sources]]\n'
    whole = text if "[site]" in text else text + site if text.startswith("secret") else site + text
    (tmp_path / "syndicate.toml").write_text(whole, "utf-8")
    secrets = dict.fromkeys(re.findall(r'\{ env = "(\w+)" \}', text), "a secret of the environment")
    settings = config.load(tmp_path / "syndicate.toml", secrets)
    assert config.problems_at_start(settings) == []


# --- troubles ---------------------------------------------------------------------------------------------------------

TROUBLES = re.findall(
    r"^\| (?!message)([^|]*) \| [^|]+ \|$", (ROOT / "docs/troubles.md").read_text("utf-8"), re.MULTILINE
)


def said() -> str:
    """All that the program can say: its source, with texts that span lines joined."""
    source = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "syndicate").rglob("*.py")))
    return re.sub(r"\"\s*\n\s*f?\"", "", source).replace("`", "")


def test_every_trouble_quotes_what_the_program_says() -> None:
    source = said()
    quoted = [span for row in TROUBLES for span in re.findall(r"`([^`]+)`", row) if not span.startswith("syndicate ")]
    assert len(quoted) > 15
    parts = [part.strip(" :") for span in quoted for part in re.split(r"…|\b\d+\b|: ", span)]
    assert [part for part in parts if part and part not in source] == []


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    texts = [(ROOT / name).read_text("utf-8") for name in DOCUMENTS]
    named = {word for text in texts for word in re.findall(r"(?:`|^)make ([a-z]+)\b", text, re.MULTILINE)}
    assert named >= {"demo", "test", "lint", "bench", "lock"}
    assert named <= targets
    assert {word for word in targets if f"`make {word}`" not in README and f"make {word} " not in README} == set()


def anchors(text: str) -> set[str]:
    """The anchors of its headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_and_picture_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{name} links to {link}, a heading that is not there"


def test_every_picture_is_shown_and_described() -> None:
    texts = [(ROOT / name).read_text("utf-8") for name in DOCUMENTS]
    picture = re.compile(r'<img src="(?:docs/)?images/([^"]+)"[^>]* alt="[^"]{10,}"')
    shown = {name for text in texts for name in picture.findall(text)}
    assert sorted(shown) == sorted(file.name for file in (ROOT / "docs/images").iterdir())


def test_the_pictures_of_letters_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in (ROOT / "docs/images").iterdir()}
    assert {name: size for name, size in sizes.items() if size > 60_000} == {}


@pytest.mark.parametrize("name", [*DOCUMENTS, "config.toml", "Makefile"])
def test_no_document_names_a_place_of_one_machine_or_a_package_registry(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    unnamed = r"/wor[k]/|/tm[p]/|/roo[t]/|/hom[e]/|py[p]i|pythonhoste[d]|npm[j]s|artifactor[y]|localhost:\d+/simple"
    assert re.findall(unnamed, text) == []


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 520
