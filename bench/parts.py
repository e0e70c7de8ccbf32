"""One job inside a process, a few times over; prints the CPU seconds of the median turn as JSON. For `run.py`.

python bench/parts.py walk COUNT | idle | stop | feeds | digest | linkedin      in a folder with a configuration
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from syndicate import app, config, feeds, publics, scan
from syndicate.clock import SystemClock, system_chance
from syndicate.deliver import announce
from syndicate.desk import Desk
from syndicate.freeze import window_by_hand
from syndicate.press import render_edition
from syndicate.sources.folder import Folder
from syndicate.store import articles
from syndicate.store.database import open_ledger

TURNS = 7
SETTINGS = config.load(None, os.environ)
CLOCK = SystemClock()


def timed(job: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of a call; the first one, which loads what it needs, is not counted."""
    job()
    taken = []
    for _ in range(TURNS):
        cpu, wall = time.process_time(), time.perf_counter()
        job()
        taken.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpus, walls = zip(*taken, strict=True)
    return statistics.median(cpus), statistics.median(walls)


def walk(count: int) -> None:
    """The least that a look at every file can cost: one folder, scandir and stat."""
    with os.scandir(SETTINGS.sources[0].path) as entries:
        found = sum(1 for entry in entries if entry.stat())
    assert found == count, found


def run_feeds() -> Callable[[], object]:
    store = open_ledger(SETTINGS)
    newest = store.read_now(articles.newest_released, 50)
    shown = store.read_now(articles.many, [article for article, _ in newest])
    store.close()
    return lambda: feeds.build(shown, SETTINGS.site, SETTINGS.feeds, SETTINGS.web.public_url)


def run_digest() -> Callable[[], object]:
    store, press, digest = open_ledger(SETTINGS), app.press(SETTINGS), SETTINGS.digests[0]
    assert press is not None
    window = store.read_now(window_by_hand, press, digest, CLOCK.now())
    store.close()
    assert len(window.contents.cards) == digest.max_articles
    return lambda: render_edition(press, digest, window.contents, CLOCK.now())


def run_linkedin() -> Callable[[], object]:
    store = open_ledger(SETTINGS)
    article = store.read_now(articles.get, store.read_now(articles.newest_released, 1)[0][0])
    store.close()
    assert article is not None
    assert SETTINGS.linkedin is not None
    fetcher = app.make_fetcher(SETTINGS, CLOCK, system_chance())
    channel = publics.channel("linkedin", publics.Parts(settings=SETTINGS, fetcher=fetcher, clock=CLOCK))
    return lambda: channel.compose(announce(article, "linkedin"))


async def idle() -> tuple[float, float]:
    """A scan without changes, threads and all."""
    store = open_ledger(SETTINGS)
    desk, sources = Desk(SETTINGS, ("linkedin",)), [Folder(source) for source in SETTINGS.sources]
    taken = []
    for _ in range(TURNS):
        cpu, wall = time.process_time(), time.perf_counter()
        done = await scan.scan(sources, store, desk, CLOCK.now())
        taken.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert done.files > 0
        assert done.parsed == 0
    store.close()
    cpus, walls = zip(*taken[1:], strict=True)
    return statistics.median(cpus), statistics.median(walls)


async def stop() -> tuple[float, float]:
    """A first scan: its CPU, and as wall the longest time that the event loop had to wait meanwhile."""
    waits = []

    async def tick() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.001)
            waits.append(time.perf_counter() - begun - 0.001)

    async with app.open_app(SETTINGS, CLOCK, "bench") as newsroom:
        ticking, cpu = asyncio.create_task(tick()), time.process_time()
        done = await scan.scan(newsroom.sources, newsroom.store, newsroom.desk, CLOCK.now())
        ticking.cancel()
        assert done.first == done.files > 0
        return time.process_time() - cpu, max(waits)


def main(what: str, *arguments: str) -> None:
    gc.set_threshold(20_000, 20, 20)  # as the program does
    if what == "walk":
        cpu, wall = timed(lambda: walk(int(arguments[0])))
    elif what in ("idle", "stop"):
        cpu, wall = asyncio.run(idle() if what == "idle" else stop())
    else:
        cpu, wall = timed({"feeds": run_feeds, "digest": run_digest, "linkedin": run_linkedin}[what]())
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": 0}))


if __name__ == "__main__":
    main(*sys.argv[1:])
