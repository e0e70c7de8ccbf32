"""The letters byte for byte: `make golden` rewrites them, and its diff is what readers will see change."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(__file__).parent / "golden"
NAMES = sorted(file.name for file in KEPT.iterdir())


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, str]]:
    """What examples/letters.py makes now."""
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        spec = importlib.util.spec_from_file_location("letters", ROOT / "examples" / "letters.py")
        assert spec is not None
        assert spec.loader is not None
        letters: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(letters)
        yield letters.golden()
    finally:
        sys.path.remove(str(ROOT / "examples"))


@pytest.mark.parametrize("name", NAMES)
def test_a_letter_is_what_it_was(name: str, made: dict[str, str]) -> None:
    assert made[name] == (KEPT / name).read_bytes().decode(), "if that was meant: make golden, and look at its diff"


def test_every_sample_is_kept(made: dict[str, str]) -> None:
    assert sorted(made) == NAMES


def test_another_process_with_another_hash_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "letters.py"), str(tmp_path), "--golden"]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Apia"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in KEPT.iterdir()
    }
