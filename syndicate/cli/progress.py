"""A progress bar over the letters that are going out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syndicate.pipeline import App


async def letters_bar(app: App) -> None:
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
