"""While something goes out: the signals that stop it, and a bar over the letters."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from syndicate.cli.session import Session

if TYPE_CHECKING:
    from syndicate.pipeline import App


@contextlib.asynccontextmanager
async def stop_on_signals(app: App) -> AsyncIterator[None]:
    """SIGTERM and SIGINT: nothing more is claimed, what is on the wire is finished."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def progress(session: Session, app: App) -> AsyncIterator[None]:
    """A bar over the letters, while they go and somebody looks."""
    if not sys.stderr.isatty() or session.verbosity < 0:
        yield
        return
    watching = asyncio.create_task(_letters_bar(app))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _letters_bar(app: App) -> None:
    """Show how far the letters are until cancelled; shows nothing while there are none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from syndicate.store import letters

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = None
        while True:
            await asyncio.sleep(0.25)
            people = await app.store.read(letters.counts)
            open_ = people.get("due", 0) + people.get("claimed", 0)
            if task is None and open_:
                base = sum(people.values()) - open_
                task = progress.add_task("letters", total=open_)
            if task is not None:
                progress.update(task, completed=sum(people.values()) - open_ - base)
