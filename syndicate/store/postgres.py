"""The database on a PostgreSQL server: connections that notice when it is gone, limits, its copies and its words.

Nothing here outlives a transaction (no session settings, no session locks, no LISTEN), so that a pooler which hands
each transaction to another connection can be lived with.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from syndicate.errors import StoreError, UsageError
from syndicate.store.copies import refuse_newer, unused, whole
from syndicate.store.schema import APPLICATION_ID, metadata

try:
    import psycopg
except ImportError as error:
    raise StoreError("PostgreSQL needs its driver, which is not installed: pip install 'psycopg[binary]'") from error

LEAST = 14
LOCK_WAIT = 10  # seconds for a row that another holds; then the transaction is begun again
LIMITS = {
    "statement_timeout": "60s",
    "lock_timeout": f"{LOCK_WAIT}s",
    "idle_in_transaction_session_timeout": "60s",  # a stopped process must not hold a row for ever
    "synchronous_commit": "on",  # what was told to be kept is kept, whatever the server's default
}
_LIMITS = text("SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in LIMITS.items()))

WIRE = {  # libpq's: a server that is gone without a word is noticed in seconds
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "syndicate",
    "client_encoding": "utf8",
}

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BROKEN = {"57P01", "57P02", "57P03", "57P05", "25P03"}  # shut down, crashed, starting; idle too long
_BEHIND_ANOTHER = {"40001", "40P01", "55P03"}  # not serialisable, deadlock, lock not to be had
_TAKEN = "23505"  # somebody inserted the same key first; the second run sees his row

_STEP = re.compile(r"^(?:COPY .*\n|INSERT INTO .*\(')(\w+)", re.MULTILINE)  # the one row of alembic_version, dumped


class Postgres:
    """One database of a server; `data` is this machine's folder for what lies beside it."""

    writers = 4
    shared = True

    def __init__(self, url: str, data: Path) -> None:
        self._url = _parsed(url)
        self.where = _shown(self._url)
        self.folder = data
        self._pooled = False
        self._unsafe: list[str] = []
        _dress()

    # --- connections -------------------------------------------------------------------------------------------------

    def engine(self, *, writes: bool) -> Engine:
        # One connection more than writers' threads, so that a lease is renewed although all of them are busy.
        engine = self._engine(pool_size=self.writers + 1, max_overflow=0, pool_pre_ping=True, pool_recycle=3600)
        event.listen(engine, "begin", _limit)
        return engine if writes else engine.execution_options(postgresql_readonly=True)

    def _engine(self, **pooling: Any) -> Engine:
        wire: dict[str, Any] = {name: value for name, value in WIRE.items() if name not in self._url.query}
        if self._pooled:
            wire["prepare_threshold"] = None  # the next transaction may come to a server that never heard of it
        return create_engine(self._url, connect_args=wire, use_native_hstore=False, hide_parameters=True, **pooling)

    def committed(self) -> None:
        """Nothing is left to do."""

    # --- what it is --------------------------------------------------------------------------------------------------

    def version(self) -> str | None:
        engine = self._engine(poolclass=NullPool)
        try:
            with engine.connect() as connection:
                self._look(connection)
                return _version(connection, self.where)
        except (DBAPIError, psycopg.Error) as error:
            raise StoreError(f"the database {self.where} {self.meaning(error) or _first_line(error)}") from error
        finally:
            engine.dispose()

    def _look(self, connection: Connection) -> None:
        """See what server this is. Raises StoreError: it cannot be used."""
        raw: Any = connection.connection.driver_connection
        said = connection.execute(
            text(
                "SELECT pg_backend_pid(), current_setting('server_version_num')::int, current_setting('fsync'),"
                " current_setting('server_encoding'), current_setting('full_page_writes')"
            )
        ).one()
        pid, number, fsync, encoding, full_pages = said
        # A pooler invents the numbers that it gives to its clients; a server states its own.
        self._pooled = raw.info.backend_pid != pid
        if number < LEAST * 10_000:
            raise StoreError(f"{self.where} is PostgreSQL {number // 10_000}: {LEAST} is the least")
        if encoding != "UTF8":
            raise StoreError(
                f"{self.where} keeps texts as {encoding}: make one with `createdb --encoding UTF8 --template template0`"
            )
        off = [name for name, value in (("fsync", fsync), ("full_page_writes", full_pages)) if value == "off"]
        self._unsafe = [f"the server runs with {name} = off: a power cut may damage the database" for name in off]

    def remarks(self) -> list[str]:
        pooled = ["it is reached through a pooler: no statement is prepared, which costs little; all else is the same"]
        return [*(pooled if self._pooled else []), *self._unsafe]

    def prepare(self, connection: Connection) -> None:
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text("SELECT set_config(:limit, '0', true)"), {"limit": limit})
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPLICATION_ID})

    # --- errors ------------------------------------------------------------------------------------------------------

    def meaning(self, error: Exception) -> str | None:
        cause = getattr(error, "orig", None) or error
        words, state = _first_line(error), getattr(cause, "sqlstate", None)
        for mark, meaning in _MEANINGS:
            if mark == state or mark in words:
                return meaning.format(words=words)
        if state is None or _is_broken(cause):
            return f"cannot be reached: {words}" if isinstance(cause, psycopg.OperationalError) else None
        return f"refuses: {words}" if isinstance(cause, psycopg.OperationalError) else None

    def repeats(self, error: DBAPIError) -> int:
        state = getattr(error.orig, "sqlstate", None)
        if state == _TAKEN:
            return 2
        return 5 if state in _BEHIND_ANOTHER or self.lost(error) else 0

    def lost(self, error: DBAPIError) -> bool:
        return error.connection_invalidated or _is_broken(error.orig)

    # --- copies ------------------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """A server's copies are its owner's business: an upgrade of his database is never done unasked."""

    def backup(self, target: Path) -> None:
        call = self._tools("pg_dump")
        with whole(target):
            call("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}", self._address())

    def restore(self, backup: Path, kept: str) -> str | None:
        """All or nothing: one transaction drops our tables and makes those of the copy."""
        call = self._tools("pg_dump", "pg_restore", "psql")
        no_backup = f"{backup} is no backup of a syndicate database"
        listed = call("pg_restore", "--list", str(backup), failing=no_backup)
        if not all(f" {name} " in listed for name in ("alembic_version", "settings", "deliveries", "letters")):
            raise StoreError(no_backup)
        step = call("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(backup))
        if (found := _STEP.search(step)) is None:
            raise StoreError(no_backup)
        refuse_newer(backup, found[1])
        former = None
        if self.version() is not None:
            former = unused(self.folder / f"{self._url.database}.{kept}.dump")
            self.folder.mkdir(parents=True, exist_ok=True)
            self.backup(former)
        tables = call("pg_restore", "--no-owner", "--no-privileges", "--file=-", str(backup))
        ours = ", ".join(f'"{name}"' for name in (*metadata.tables, "alembic_version"))
        script = f"DROP TABLE IF EXISTS {ours} CASCADE;\n{tables}"
        once = ("--single-transaction", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
        call("psql", *once, f"--dbname={self._address()}", words=script)
        return str(former) if former else None

    def check(self, connection: Connection) -> list[str]:
        """Indexes that a broken build left useless; the server itself sees to keys and references."""
        bad = connection.scalars(
            text(
                "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n"
                " ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready)"
            )
        )
        return [f"index {name} is not valid: REINDEX INDEX {name}" for name in bad]

    def _address(self) -> str:
        """For the server's own tools, without the password: arguments are for all to see."""
        query = {name: value for name, value in self._url.query.items() if name != "password"}
        bare = URL.create(
            "postgresql", self._url.username, None, self._url.host, self._url.port, self._url.database, query
        )
        return bare.render_as_string(hide_password=False)

    def _tools(self, *names: str) -> Callable[..., str]:
        """What calls the server's own programs. Raises UsageError where they are not installed."""
        missing = [name for name in names if shutil.which(name) is None]
        if missing:
            line = shlex.join(["pg_dump", "--format=custom", "--file=FILE", self._address()])
            raise UsageError(
                f"{missing[0]} is not installed here: install the client of PostgreSQL, or type where it is: {line}"
            )
        password = self._url.password or self._url.query.get("password")
        environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})

        def call(*line: str, words: str | None = None, failing: str = "") -> str:
            done = subprocess.run(  # noqa: S603 - no shell, and no word of a stranger
                line, env=environment, input=words, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise StoreError(f"{failing or f'{line[0]} failed'}: {done.stderr.strip()[-500:]}")
            return done.stdout

        return call


_MEANINGS = (
    # SQLSTATE or words of the driver    what it means to the owner
    ("53100", "cannot grow: the server's disk is full"),
    ("25006", "is read-only: name the server that may be written in database.url, not a copy of it"),
    ("28P01", "refuses this user or password: look at database.url"),
    ("password authentication failed", "refuses this user or password: look at database.url"),
    ("no password supplied", "asks for a password: write it into database.url"),
    ("no pg_hba.conf entry", "does not let this user in from this machine: {words}"),
    (
        "statement pooling mode",
        "is behind a pooler that keeps no transaction together: set its mode to transaction",
    ),
    ('FATAL:  database "', "is not there: {words}; make it with `createdb --encoding UTF8 NAME`"),
    ('FATAL:  role "', "does not know this user: {words}; look at database.url"),
    ("42501", "does not allow that: {words}; give its user the right to make tables in its schema"),
    ("57014", "took too long to answer, and was stopped: {words}"),
    ("55P03", "holds a row that another transaction does not let go"),
    ("invalid connection option", "has an option in its address that is none: {words}"),
)


def _limit(connection: Connection) -> None:
    connection.execute(_LIMITS)


def _is_broken(cause: Any) -> bool:
    """Whether the connection is gone, so that nobody can say what became of what was under way."""
    state = getattr(cause, "sqlstate", None)
    if state is None:
        return isinstance(cause, psycopg.OperationalError)
    return state in _BROKEN or state.startswith("08")


def _first_line(error: Exception) -> str:
    words = str(getattr(error, "orig", None) or error).strip()
    return words.splitlines()[0] if words else type(error).__name__


def _version(connection: Connection, where: str) -> str | None:
    """The schema's version; None for an empty database. Raises StoreError: another program's, or no schema."""
    if connection.scalar(text("SELECT current_schema()")) is None:
        raise StoreError(f"{where} has no schema to work in: look at the search_path of its user")
    tables = set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")))
    if not tables:
        return None
    ours = {"alembic_version", "settings"} <= tables and _has_name(connection)
    if not ours:
        raise StoreError(f"{where} is a database of another program: name another one in database.url")
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def _has_name(connection: Connection) -> bool:
    """Whether the table of settings is ours: others have one too."""
    columns = text(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = 'settings' AND table_schema = current_schema()"
    )
    if not {"key", "value"} <= set(connection.scalars(columns)):
        return False
    return bool(connection.scalar(text("SELECT count(*) FROM settings WHERE key::text = 'ledger'")))


def _parsed(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, NoSuchModuleError, ValueError):  # its words may hold a part of the password
        raise StoreError(
            "database.url cannot be read: it looks like postgresql://user:password@host:5432/name, with %40 for an @"
            " and %2F for a / in the password"
        ) from None


def _shown(url: URL) -> str:
    host = url.host or url.query.get("host")
    name = URL.create("postgresql", url.username, None, str(host) if host else None, url.port, url.database)
    return name.render_as_string(hide_password=True)


def _dress() -> None:
    """Give the tables what they have on PostgreSQL alone; told in the schema, it would load this dialect for SQLite."""
    for table in metadata.tables.values():
        for index in table.indexes:
            options = index.dialect_options["postgresql"]
            if (where := index.info.get("where")) is not None:
                options["where"] = text(where)
            if index.info.get("hash"):
                options["using"] = "hash"
