"""While something takes long: the signals that stop it, a bar over the letters, and one over the lines of a file."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
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

    from syndicate.store import mailings

    ways = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *ways, console=Console(stderr=True), transient=True) as progress:
        task = None
        seen: dict[int, tuple[int, int]] = {}  # mailing -> letters, and those that are done
        while True:
            await asyncio.sleep(0.25)
            moving = await app.store.read(mailings.progress, app.clock.now())
            seen = {one: (total, total) for one, (total, _) in seen.items()}  # what is not told of any more is over
            seen |= {one: (how.total, how.done) for one, how in moving.items()}
            total, done = sum(one for one, _ in seen.values()), sum(one for _, one in seen.values())
            if task is None and moving:
                task = progress.add_task("letters", total=total, speed="")
            if task is not None:
                speed = sum(how.per_second or 0 for how in moving.values())
                progress.update(task, total=total, completed=done, speed=f"{speed:,.0f}/s" if speed else "")


@contextlib.contextmanager
def over_lines(session: Session, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """A bar over the lines of a file, to be told how much of `total` (bytes, people; None: nobody knows) is done, and
    how many lines that is; only while somebody looks.
    """
    if not sys.stderr.isatty() or session.verbosity < 0:
        yield lambda done, lines: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    ways = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) if total else (SpinnerColumn(),)
    with Progress(TextColumn("{task.description}"), *ways, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("lines", total=total or None)
        yield lambda done, lines: progress.update(task, completed=done, description=f"{lines:,} lines")
