"""Overrides from the environment, laid over the table of the file before anything is checked.

`SYNDICATE_` and the path of a key with `__` between its parts, in any case: SYNDICATE_EMAIL__SMTP__PORT=587,
SYNDICATE_SOURCES__0__PATH=content. Lists and tables are JSON; everything else is plain text, read as the key's type.
The number of an entry may be one past the last, which appends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from syndicate.config.fields import FromEnvironment
from syndicate.config.models import Settings
from syndicate.config.rules import nearest
from syndicate.config.values import Secret, shown
from syndicate.errors import Problem

PREFIX = "SYNDICATE_"
_EXEMPT = ("SYNDICATE_CONFIG", "SYNDICATE_CRASH")
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class _Misnamed(Exception):
    """An override that fits nowhere; the text says why."""


def overlay(table: dict[str, Any], environ: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """Lay the overrides over `table`, in place.

    Returns which variable set which dotted key, and a problem for each variable that fits nowhere.
    """
    origins: dict[str, str] = {}
    problems = []
    for name, parts in _overrides(environ):
        try:
            _put(Settings, table, parts, environ[name])
        except _Misnamed as error:
            problems.append(Problem(name, str(error)))
        else:
            origins[".".join(parts)] = name
    return origins, problems


def _overrides(environ: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Variables and their paths: wholes before parts of them, entries by their number."""
    names = [name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in _EXEMPT]
    paths = [(name, name[len(PREFIX) :].lower().split("__")) for name in names]
    return sorted(paths, key=lambda path: [(part.isdecimal(), part.zfill(9)) for part in path[1]])


def _put(model: type[BaseModel], table: dict[str, Any], parts: list[str], text: str) -> None:
    key, rest = parts[0], parts[1:]
    field = model.model_fields.get(key)
    if field is None:
        raise _Misnamed(f"there is no key {shown(key)}{nearest(key, set(model.model_fields))}: remove this variable")
    kind, entry = _kind(field)
    if not rest:
        table[key] = _read(kind, text)
    elif entry is not None:
        _put_entry(entry, table, field, key, rest, text)
    elif issubclass(kind, BaseModel):
        below = table.setdefault(key, {})
        if isinstance(below, dict):  # else the file is wrong there, and is told so
            _put(kind, below, rest, text)
    elif issubclass(kind, Secret) and rest in (["env"], ["file"]):
        table[key] = {rest[0]: text}
    else:
        raise _Misnamed(f"{shown(key)} is a single value and has nothing below it: remove __{'__'.join(rest).upper()}")


def _put_entry(entry: Any, table: dict[str, Any], field: FieldInfo, key: str, rest: list[str], text: str) -> None:
    if not re.fullmatch(r"[0-9]{1,6}", rest[0]):
        raise _Misnamed(f"{shown(key)} is a list: write the number of the entry, counted from 0, after {key.upper()}__")
    index = int(rest[0])
    entries = table.setdefault(key, [] if field.is_required() else list(field.default))
    if not isinstance(entries, list):
        return  # the file is wrong there, and is told so
    if index > len(entries):
        raise _Misnamed(f"leaves a gap: {shown(key)} has {len(entries)} entries, so the next is number {len(entries)}")
    is_table = isinstance(entry, type) and issubclass(entry, BaseModel)
    if index == len(entries):
        entries.append({} if is_table else "")
    if len(rest) == 1:
        entries[index] = _read(entry, text)
    elif not is_table:
        raise _Misnamed(f"{shown(key)} is a list of single values: remove __{'__'.join(rest[1:]).upper()}")
    elif isinstance(entries[index], dict):
        _put(entry, entries[index], rest[1:], text)


def _kind(field: FieldInfo) -> tuple[Any, Any]:
    """The type a key has, and for a list that of its entries."""
    kind: Any = field.annotation
    if len(rest := [part for part in get_args(kind) if part is not NoneType]) == 1:
        kind = rest[0]
    if get_origin(kind) is tuple:
        return tuple, get_args(kind)[0]
    return (kind, None) if isinstance(kind, type) else (str, None)  # a choice of texts


def _read(kind: Any, text: str) -> Any:
    """A text as the file would state it. What cannot be read stays text, and the key's own check says what is wrong."""
    if issubclass(kind, Secret):
        return _secret(text)
    if issubclass(kind, BaseModel | tuple):
        return _json(text)
    if kind is bool:
        return _TRUTH.get(text.strip().lower(), text)
    if kind is int and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        return int(text)
    if kind is float:
        return _float(text)
    return text


def _secret(text: str) -> Any:
    """Plain, unless it is a JSON table that says where the secret is."""
    where = _json(text)
    if isinstance(where, dict) and len(where) == 1 and where.keys() <= {"env", "file"}:
        return where
    return FromEnvironment(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table a key stands for, or its list is made of; None for single values."""
    kind, entry = _kind(field)
    below = entry or kind
    return below if isinstance(below, type) and issubclass(below, BaseModel) else None


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted keys of all single values and plain lists, without the numbers of entries."""
    for key, field in model.model_fields.items():
        if below := table_of(field):
            yield from keys(below, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
