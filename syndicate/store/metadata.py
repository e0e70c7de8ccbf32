"""What all tables are made of: the naming of their keys, and the two kinds of index that databases spell apart."""

from __future__ import annotations

from sqlalchemy import Index, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over some rows. `postgres` tells its own the same: naming that dialect here would load it."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


def unbounded(column: str) -> Index:
    """An index over texts of any length, of which PostgreSQL's trees keep no more than 2,704 bytes: there it hashes."""
    return Index(None, column, info={"hash": True})
