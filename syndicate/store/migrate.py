"""Schema steps, forward only, through Alembic. Loaded only when the database is not at `HEAD`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from syndicate.crashpoint import crashpoint

FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def known(version: str) -> bool:
    """Whether this program has that step."""
    return version in {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(connection: Connection, prepare: Callable[[Connection], None], to: str = "head") -> None:
    """Carry out all missing steps in the caller's one transaction: a kill leaves the old schema or the new one."""
    prepare(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    crashpoint("migrate.step")
