"""The shape of the program: small modules, small functions, imports downwards, nothing hushed without a reason."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "syndicate").rglob("*.py"))
STEPS = ROOT / "syndicate" / "store" / "migrations" / "versions"  # written once, never read again

MOST_LINES = 400
LONGEST_FUNCTION = 40
ALLOWED_MODULES = {  # each a table of one subject that would not be clearer in two
    "syndicate/dialects.py": "what site generators write",
    "syndicate/manuscript.py": "names of front matter fields",
    "syndicate/yamlish.py": "defects of YAML",
}
ALLOWED_FUNCTIONS = {"syndicate/cli/draft.py:write": "a configuration as it is written, line by line"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function and how many lines it has, from its `def` to its end, without its docstring and its signature."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                assert node.end_lineno is not None
                yield node.name, node.end_lineno - body[0].lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_into_a_head(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES or name(path) in ALLOWED_MODULES, f"{lines} lines"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent != STEPS], ids=name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = {f"{name(path)}:{function}": lines for function, lines in functions(path) if lines > LONGEST_FUNCTION}
    assert set(long) <= set(ALLOWED_FUNCTIONS), long


def test_exceptions_are_still_needed() -> None:
    long = {f"{name(path)}:{one}" for path in MODULES for one, lines in functions(path) if lines > LONGEST_FUNCTION}
    big = {name(path) for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES}
    assert set(ALLOWED_FUNCTIONS) <= long
    assert set(ALLOWED_MODULES) <= big


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_says_first_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "it has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_what_a_checker_must_not_see_has_a_reason_beside_it(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for mark in re.finditer(r"# (?:type: ignore(\[[\w, -]+\])?|noqa(: [A-Z0-9, ]+)?)", line):
            assert any(mark.groups()), f"line {number}: which one?"
            assert re.search(r"\w", line[mark.end() :]), f"line {number}: why?"


def test_every_module_imports_from_its_own_row_or_below() -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())",
    ]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_a_row() -> None:
    """A module that the import order does not name is checked by nobody."""
    order = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")[2]
    named = set(re.findall(r"syndicate\.(\w+)", order))
    there = {path.relative_to(ROOT / "syndicate").parts[0].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert there <= named, there - named
