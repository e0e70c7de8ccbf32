"""Schema steps, forward only, through Alembic. Loaded only when the database is not at `HEAD`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from syndicate.crashpoint import crashpoint
from syndicate.store.schema import APPLICATION_ID

FOLDER = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    return config


def known(version: str) -> bool:
    """Whether this program has that step."""
    return version in {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}


def upgrade(engine: Engine) -> None:
    """Carry out all missing steps in one transaction: a kill leaves the old schema or the new one."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        crashpoint("migrate.step")
