"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real articles beside the project; tests that want it are skipped where it is not."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real articles is not beside the project")
    return CORPUS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Reports cross processes as UTF-8: what a test logged of lone surrogates must not stop the run."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
