"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.doubles.postgres import Postgres

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real articles beside the project; tests that want it are skipped where it is not."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real articles is not beside the project")
    return CORPUS


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this process of tests; each test makes a database of its own on it."""
    from tests.doubles.postgres import Postgres

    with Postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_stays_hidden() -> Iterator[None]:
    """What one test calls a secret is a word like others to the next."""
    from syndicate import logs

    before, pattern = set(logs._hidden), logs._hidden_pattern
    yield
    logs._hidden.clear()
    logs._hidden.update(before)
    logs._hidden_pattern = pattern


# What no installation can bring; every other skip is a failure where REQUIRE_ALL=1 says that all was installed.
MAY_SKIP = (
    "corpus of real articles is not beside",
    "root may write everything",
    "no IPv6 loopback",
    "systemd-analyze is not here",
    "caddy is not here",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    # Reports cross processes as UTF-8: what a test logged of lone surrogates must not stop the run.
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    if os.environ.get("REQUIRE_ALL") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in MAY_SKIP):
            report.outcome = "failed"
            report.longrepr = f"skipped although everything is installed here: {reason}"
    return report
