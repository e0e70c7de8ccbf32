"""`pull = true`: bring a folder up to date by `git pull --ff-only` before it is scanned. Never merges, never resets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from syndicate.errors import SourceError

PATIENCE = 120.0  # seconds


async def pull(name: str, folder: Path) -> None:
    """Fast-forward the checkout that `folder` lies in. Raises SourceError with git's own last words.

    Nobody is asked for a password: a daemon has no terminal, and a git that waits for one would wait for ever.
    """
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "LC_ALL": "C"}
    where = f"sources.{name}.pull: git pull in {folder}"
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(folder), "pull", "--ff-only", "--quiet", "--no-rebase",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environ,
        )  # fmt: skip
    except OSError as error:
        raise SourceError(f"{where}: cannot run git: {error.strerror or error}") from error
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise SourceError(f"{where}: no answer within {PATIENCE:.0f} s") from error
        raise
    if process.returncode:
        words = output.decode("utf-8", "replace").strip().splitlines()
        raise SourceError(f"{where} failed: {words[-1] if words else f'exit {process.returncode}'}")
