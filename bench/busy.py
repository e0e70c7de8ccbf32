"""The web beside a running edition, in one run: what each costs the other.

    python bench/busy.py        a table on stdout, and the same in bench/RESULTS-busy.md

An edition to many goes to a server that takes everything (`sink`). In turns of some seconds nothing else happens, or
readers ask for the feed 167 times a second (10,000 a minute); then people subscribe, one after the other.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
from articles import write
from sink import taken
from web import ROOT, _free_port

PEOPLE, TURNS, TURN, READS, ASKED = 400_000, 3, 3.0, 167, 190
SLOT = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)  # a Friday
READERS = 8

CONFIG = """\
[site]
title = "The Bench"
url = "https://www.bench.example"
[[sources]]
path = {content}
[review]
first_run = "announce"
max_new = 1000
delay = "0s"
settle = "0s"
[web]
port = {port}
public_url = "http://127.0.0.1:{port}"
[email]
live = true
sender = "The Bench <news@bench.test>"
postal_address = "1 Bench Street"
smtp = {{ port = {sink}, security = "none" }}
[[digests]]
name = "weekly"
"""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as name:
        table = asyncio.run(_measure(Path(name)))
    print(table)
    (ROOT / "bench" / "RESULTS-busy.md").write_text(table)


async def _measure(folder: Path) -> str:
    sink = subprocess.Popen([sys.executable, ROOT / "bench" / "sink.py"], stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    mail, port = int(sink.stdout.readline()), _free_port()
    daemon = None
    try:
        _prepare(folder, CONFIG.format(content=f'"{folder / "content"}"', port=port, sink=mail))
        line = [sys.executable, "-m", "syndicate", "--now", SLOT.isoformat(), "run"]
        daemon = subprocess.Popen(line, cwd=folder, stderr=(folder / "log").open("w"))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            return await _beside(client, mail)
    finally:
        for process in (daemon, sink):
            if process is not None:
                process.terminate()
                process.wait(60)


def _prepare(folder: Path, config: str) -> None:
    write(folder / "content", 40)
    (folder / "syndicate.toml").write_text(config)
    rows = "\n".join(f"reader{number}@readers{number % 50}.test" for number in range(PEOPLE))
    (folder / "people.csv").write_text(f"email\n{rows}\n")
    before = SLOT.replace(hour=8).isoformat()
    for words in (["subscribers", "import", "people.csv"], ["run", "--once"]):
        subprocess.run([sys.executable, "-m", "syndicate", "--now", before, *words], cwd=folder, check=True)


async def _beside(client: httpx.AsyncClient, mail: int) -> str:
    while not await taken(mail):
        await asyncio.sleep(0.2)
    stamp = re.findall(r'name="stamp" value="([^"]+)"', (await client.get("/subscribe")).text)[0]
    await asyncio.sleep(6)  # one who fills in the form at once is no person
    quiet, loaded, reads = [], [], 0
    for _ in range(TURNS):
        quiet.append(await _rate(mail, asyncio.sleep(TURN)))
        begun = reads
        loaded.append(await _rate(mail, _read(client)))
        reads = begun + int(READS * TURN)
    times, answers = await _subscribe(client, stamp)
    sent = await taken(mail)
    if sent >= PEOPLE:
        raise SystemExit(f"the edition was over ({sent} letters) before all was measured: more PEOPLE")
    slower = 1 - statistics.median(b / a for a, b in zip(quiet, loaded, strict=True))
    p50, p99 = (statistics.quantiles(times, n=100)[rank - 1] * 1000 for rank in (50, 99))
    return "\n".join([
        "# The web beside a running edition", "",
        f"An edition to {PEOPLE:,} people, {os.cpu_count()} cores shared with mail server and clients, Python"
        f" {sys.version.split()[0]}; {TURNS} pairs of turns of {TURN:.0f} s, medians.", "",
        "| what | measured | wanted |", "| ---- | -------: | -----: |",
        f"| letters a second, nothing else going on | {statistics.median(quiet):,.0f} | |",
        f"| letters a second, {READS} feed requests a second beside them | {statistics.median(loaded):,.0f} | |",
        f"| the sender is slower by | {slower:.0%} | < 20 % |",
        f"| a subscribe POST meanwhile, p50 of {len(times)} ({answers}) | {p50:.0f} ms | |",
        f"| a subscribe POST meanwhile, p99 | {p99:.0f} ms | < 100 ms |", "",
    ])  # fmt: skip


async def _rate(mail: int, meanwhile: asyncio.Future[None] | object) -> float:
    before, begun = await taken(mail), time.perf_counter()
    await meanwhile  # type: ignore[misc]  # whatever can be awaited
    return (await taken(mail) - before) / (time.perf_counter() - begun)


async def _read(client: httpx.AsyncClient) -> None:
    """Readers at an even pace; every tenth lacks the feed."""
    etag = (await client.get("/feed.xml")).headers["etag"]

    async def one(number: int) -> None:
        for step in range(number, int(READS * TURN), READERS):
            await asyncio.sleep(max(0.0, begun + step / READS - time.perf_counter()))
            answer = await client.get("/feed.xml", headers={} if step % 10 == 0 else {"if-none-match": etag})
            if answer.status_code not in (200, 304):
                raise SystemExit(f"a feed was answered {answer.status_code}")

    begun = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(READERS)))


async def _subscribe(client: httpx.AsyncClient, stamp: str) -> tuple[list[float], str]:
    times, counts = [], dict[int, int]()
    for number in range(ASKED):
        form = {"email": f"new{number}@newcomers.test", "digest": "weekly", "stamp": stamp, "homepage": ""}
        network = {"x-forwarded-for": f"192.0.2.{number}"}  # a proxy nobody named: no network is told from another
        begun = time.perf_counter()
        answer = await client.post("/subscribe", data=form, headers=network)
        times.append(time.perf_counter() - begun)
        counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
        await asyncio.sleep(0.02)
    return times, ", ".join(f"{count} x {status}" for status, count in counts.items())


if __name__ == "__main__":
    main()
