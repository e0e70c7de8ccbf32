"""`pull`: what git is told, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from syndicate.errors import SourceError
from syndicate.sources.git import pull


def checkout(folder: Path, ssh: str) -> Path:
    """A clone that is fetched by a command of ours in ssh's place."""
    command = folder / "ssh"
    command.write_text(f"#!/bin/sh\n{ssh}\n", encoding="utf-8")
    command.chmod(0o755)
    clone = folder / "clone"
    for words in (
        ("init", "-q", "-b", "main", str(clone)),
        ("-C", str(clone), "config", "core.sshCommand", str(command)),
        ("-C", str(clone), "config", "branch.main.remote", "origin"),
        ("-C", str(clone), "config", "branch.main.merge", "refs/heads/main"),
        ("-C", str(clone), "remote", "add", "origin", "ada@git.example:site.git"),
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    return clone


async def test_ssh_is_called_as_the_owner_says_in_the_checkout(tmp_path: Path) -> None:
    clone = checkout(tmp_path, f'echo "$@" > {tmp_path}/called; echo our own words >&2; exit 3')
    with pytest.raises(SourceError, match=r"sources\.site\.pull"):
        await pull("site", clone)
    assert "ada@git.example" in (tmp_path / "called").read_text()


async def test_a_pull_that_never_ends_leaves_nothing_behind(tmp_path: Path) -> None:
    clone = checkout(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    with pytest.raises(SourceError, match="no answer within 1 s"):
        await pull("site", clone, patience=1)
    number = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if _is_gone(number):
            break
        await asyncio.sleep(0.02)
    assert _is_gone(number)


def _is_gone(number: int) -> bool:
    """Or a zombie, where nobody collects orphans."""
    try:
        os.kill(number, 0)
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
