"""From a file and an environment to `Settings`, or to every problem at once.

It is the only place that reads the file; the environment is passed in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from syndicate.config.channels import ChannelSettings, ListedSettings
from syndicate.config.environment import keys, overlay, table_of
from syndicate.config.models import EmailSettings, Settings
from syndicate.config.rules import nearest
from syndicate.config.values import shown
from syndicate.errors import ConfigError, Problem

_CHANNELS = {
    key: kind
    for key, field in Settings.model_fields.items()
    if (kind := table_of(field)) and issubclass(kind, ChannelSettings | EmailSettings)
}
CHANNEL_TABLES = tuple(key for key, kind in _CHANNELS.items() if not issubclass(kind, ListedSettings))
"""The tables whose presence makes a channel of the same name."""

_HOW_TO_START = "`syndicate init` writes one; or name it with --config or SYNDICATE_CONFIG"


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the configuration.

    `path` None: the file named by SYNDICATE_CONFIG, else syndicate.toml, else config.toml in the working directory.
    Raises ConfigError with all problems, each under its dotted key or the name of its environment variable.
    """
    path = path or find(environ)
    table = read(path)
    origins, problems = overlay(table, environ)
    table.setdefault("site", {})  # so that what is missing in it is named key by key
    table.setdefault("sources", [])
    context = {"folder": path.absolute().parent, "environ": environ, "path": path.absolute()}
    try:
        settings = Settings.model_validate(table, context=context)
    except ValidationError as error:
        problems = [*_problems(error, origins), *problems]
    problems += _same_names(table)
    if problems:
        raise ConfigError(problems) from None
    return settings


def _same_names(table: Mapping[str, Any]) -> Iterator[Problem]:
    """Entries that cannot be told apart. Looked for in the table, so that other mistakes do not hide them."""
    listed = [key for key, kind in _CHANNELS.items() if issubclass(kind, ListedSettings)]
    named = {key: f"the channel [{key}]" for key in CHANNEL_TABLES}
    for lists, seen in ((["sources"], dict[str, str]()), (["digests", *listed], named)):
        for key, name in _names(table, lists):
            if name.casefold() in seen:
                yield Problem(key, f"{shown(name)} is the name of {seen[name.casefold()]} too: choose another")
            seen.setdefault(name.casefold(), key.removesuffix(".name"))


def _names(table: Mapping[str, Any], lists: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in lists:
        model = table_of(Settings.model_fields[key])
        assert model
        entries = table.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get("name", model.model_fields["name"].default) if isinstance(entry, dict) else None
            if isinstance(name, str):
                yield f"{key}.{index}.name", name


def find(environ: Mapping[str, str]) -> Path:
    """The file to read where none was named. ConfigError where there is none."""
    if named := environ.get("SYNDICATE_CONFIG"):
        return Path(named)
    for name in ("syndicate.toml", "config.toml"):
        if Path(name).is_file():
            return Path(name)
    raise ConfigError([Problem("", f"there is no syndicate.toml or config.toml here: {_HOW_TO_START}")])


def read(path: Path) -> dict[str, Any]:
    """The table of a TOML file. ConfigError with file, line and reason."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        text = f"there is no file {shown(str(path))}: {_HOW_TO_START}"
    except (OSError, ValueError) as error:
        text = f"{path}: {_reason(error)}"
    except RecursionError:
        text = f"{path}: is nested too deeply"
    raise ConfigError([Problem("", text)])


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or 'unreadable'}"
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line}: holds a byte that is not UTF-8: save the file as UTF-8"
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column (\d+)|(.*))\)", str(error), re.DOTALL)
    if not found:
        return f"is not valid TOML: {error}"
    place = f"line {found[2]}, column {found[3]}" if found[2] else found[4]
    return f"{place}: is not valid TOML: {found[1][:1].lower()}{found[1][1:]}"


def _problems(error: ValidationError, origins: Mapping[str, str]) -> list[Problem]:
    """What pydantic found, in our own words."""
    problems = []
    for found in error.errors(include_url=False):
        key = ".".join(str(part) for part in found["loc"])
        text = _sentence(found)
        if variable := _origin(key, origins):
            text = f"{text} (set by {variable})"
        problems.append(Problem(key, text))
    return problems


def _origin(key: str, origins: Mapping[str, str]) -> str | None:
    """The variable that set a key, or the whole it is in."""
    while key not in origins and key:
        key = key.rpartition(".")[0]
    return origins.get(key)


_SENTENCES = {
    "missing": "is missing: add it",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "string_type": "must be a text in quotation marks",
    "tuple_type": "must be a list in brackets",
    "model_type": "must be a table",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
}


def _sentence(found: Any) -> str:
    kind, loc, context = found["type"], found["loc"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(loc)
    if kind == "value_error":
        return str(context["error"])
    if kind == "tuple_type" and _model(loc):
        return f"must be a list of tables: write [[{loc[-1]}]], with two brackets"
    text = _SENTENCES.get(kind, str(found["msg"]).lower()).format(**context).replace("'", '"')
    return text if kind == "missing" else f"{text}; it is {_described(found['input'], bool(_model(loc)))}"


def _described(value: object, in_place_of_table: bool) -> str:
    """What stands there, but never what might hold a secret: the inside of a table, or what should have been one."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if in_place_of_table:
        return "a single value"
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _model(loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The table, or the kind of tables, at a place; None for single values and unknown places."""
    model: type[BaseModel] | None = Settings
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if model else None
        model = field and table_of(field)
    return model


def _unknown(loc: Sequence[str | int]) -> str:
    """An unknown key, with the key that was probably meant or the table where it belongs."""
    key, siblings = str(loc[-1]), _model(loc[:-1])
    hint = nearest(key, set(siblings.model_fields)) if siblings else ""
    homes = [_place(name.rpartition(".")[0]) for name in keys() if name.rpartition(".")[2] == key]
    if not hint and len(homes) == 1:
        hint = f" here (it belongs {homes[0]})"
    return f"is not a known key{hint}: correct or remove it"


def _place(table: str) -> str:
    if not table:
        return "at the top of the file, before the first table"
    return f"in [[{table}]]" if table in ("sources", "digests", "webhooks") else f"in [{table}]"
