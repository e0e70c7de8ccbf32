"""`pull = true`: bring a folder up to date by `git pull --ff-only` before it is scanned. Never merges, never resets."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from syndicate.errors import SourceError

PATIENCE = 120.0  # seconds


async def pull(name: str, folder: Path, patience: float = PATIENCE) -> None:
    """Fast-forward the checkout that `folder` lies in. Raises SourceError with git's own last words.

    Nobody is asked for a password: a git that waits for one would wait for ever. So it has a session of its own,
    without a terminal, and how ssh is called stays the owner's (`core.sshCommand`, a deploy key).
    """
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    where = f"sources.{name}.pull: git pull in {folder}"
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(folder), "pull", "--ff-only", "--quiet", "--no-rebase",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environ, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise SourceError(f"{where}: cannot run git: {error.strerror or error}") from error
    try:
        output, _ = await asyncio.wait_for(process.communicate(), patience)
    except BaseException as error:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the fetch and the ssh that it started
            await process.wait()
        if isinstance(error, TimeoutError):
            raise SourceError(f"{where}: no answer within {patience:.0f} s") from error
        raise
    if process.returncode:
        words = output.decode("utf-8", "replace").strip().splitlines()
        raise SourceError(f"{where} failed: {words[-1] if words else f'exit {process.returncode}'}")
