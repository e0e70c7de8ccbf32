"""`column IN (many values)` as one parameter, so that a statement stays the same however many there are.

What SQLAlchemy makes of `in_` is spelled out anew for every group of letters, which takes longer than to carry it out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, Column, Dialect, bindparam
from sqlalchemy import Text as PlainText
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Many(TypeDecorator[Iterable[Any]]):
    """Values of one kind: an array on PostgreSQL, a JSON list on SQLite."""

    impl = PlainText
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.kind) if dialect.name == "postgresql" else PlainText())

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> Any:
        many = list(value or ())
        return many if dialect.name == "postgresql" else json.dumps(many)


class among(FunctionElement[Any]):  # noqa: N801 - named as the functions of SQLAlchemy are
    """Whether a column's value is among those given as the parameter `name`.

    It has no type: of a Boolean SQLite would be asked whether it `= 1`, and that no index answers.
    """

    inherit_cache = True

    def __init__(self, column: Column[Any], name: str) -> None:
        super().__init__(column, bindparam(name, type_=_Many(column.type)))


@compiles(among)
def _in_json(element: among, compiler: SQLCompiler, **how: Any) -> str:
    column, many = (compiler.process(one, **how) for one in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({many}))"  # noqa: S608 - both are what SQLAlchemy made of them


@compiles(among, "postgresql")
def _in_array(element: among, compiler: SQLCompiler, **how: Any) -> str:
    column, many = (compiler.process(one, **how) for one in element.clauses)
    return f"{column} = ANY ({many})"
