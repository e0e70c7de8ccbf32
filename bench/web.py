"""What serving feeds costs: the daemon beside a bare Starlette that answers the same bytes on the same server.

    python bench/web.py        a table on stdout, and the same in bench/RESULTS-web.md

Requests a second and the server's own CPU a request (from /proc, so Linux only), 304s and 200s of a feed of some
200 KB, over 8 connections kept open. Rounds are interleaved; ratios are between neighbours in time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from articles import write

ROUNDS, CONNECTIONS, REQUESTS = 5, 8, 4_000
ROOT = Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")

CONFIG = """\
[site]
title = "The Bench"
url = "https://www.bench.example"
[[sources]]
path = {content}
[feeds]
items = 24
[web]
port = {port}
public_url = "http://127.0.0.1:{port}"
"""

BARE = """\
import asyncio, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
body, tag = open(sys.argv[1], "rb").read(), sys.argv[3]
async def feed(request):
    headers = {"etag": tag, "cache-control": "public, max-age=300"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/rss+xml")
app = Starlette(routes=[Route("/feed.xml", feed)])
plain = {"http": "h11", "loop": "uvloop", "access_log": False, "log_level": "error", "lifespan": "off", "ws": "none"}
config = uvicorn.Config(app, port=int(sys.argv[2]), **plain)
uvicorn.Server(config).run()
"""


@dataclass
class Row:
    """One kind of answer by one server."""

    cpu: list[float] = field(default_factory=list)  # seconds a request
    rate: list[float] = field(default_factory=list)  # requests a second


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="syndicate-bench-") as name:
        folder = Path(name)
        rows, size = asyncio.run(_measure(folder))
    table = _table(rows, size)
    print(table)
    (ROOT / "bench" / "RESULTS-web.md").write_text(table)


async def _measure(folder: Path) -> tuple[dict[tuple[str, str], Row], int]:
    ports = {"syndicate": _free_port(), "bare Starlette": _free_port()}
    write(folder / "content", 40)
    (folder / "config.toml").write_text(CONFIG.format(content=f'"{folder / "content"}"', port=ports["syndicate"]))
    daemon = subprocess.Popen([sys.executable, "-m", "syndicate", "run"], cwd=folder, stderr=subprocess.DEVNULL)
    bare = None
    try:
        etag, body = await _served(ports["syndicate"], daemon)
        (folder / "bare.py").write_text(BARE)
        (folder / "feed.xml").write_bytes(body)
        told = [str(folder / "feed.xml"), str(ports["bare Starlette"]), etag]
        bare = subprocess.Popen([sys.executable, "bare.py", *told], cwd=folder)
        await _served(ports["bare Starlette"], bare)
        servers = {"syndicate": daemon.pid, "bare Starlette": bare.pid}
        rows = {(kind, name): Row() for kind in ("304", "200") for name in servers}
        for _ in range(ROUNDS):
            for kind in ("304", "200"):
                for name, pid in servers.items():
                    await _round(rows[kind, name], pid, ports[name], etag if kind == "304" else "", int(kind))
        return rows, len(body)
    finally:
        for process in (daemon, bare):
            if process is not None:
                process.terminate()
                process.wait(30)


async def _served(port: int, process: subprocess.Popen[bytes]) -> tuple[str, bytes]:
    """Wait for the feed; its tag and its bytes."""
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            if process.poll() is not None:
                raise SystemExit(f"a server ended with {process.returncode}")
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/feed.xml", headers={"accept-encoding": "identity"})
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return answer.headers["etag"], answer.content
            await asyncio.sleep(0.1)
    raise SystemExit("no feed after 30 s")


async def _round(row: Row, pid: int, port: int, etag: str, status: int) -> None:
    condition = f"If-None-Match: {etag}\r\n" if etag else ""
    request = f"GET /feed.xml HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{condition}\r\n".encode()
    before, begun = _cpu(pid), time.perf_counter()
    await asyncio.gather(*(_ask(port, request, status, REQUESTS // CONNECTIONS) for _ in range(CONNECTIONS)))
    row.rate.append(REQUESTS / (time.perf_counter() - begun))
    row.cpu.append((_cpu(pid) - before) / REQUESTS)


async def _ask(port: int, request: bytes, status: int, times: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    for _ in range(times):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if int(head[9:12]) != status:
            raise SystemExit(f"{status} was expected: {head[:60]!r}")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if length and status == 200:
            await reader.readexactly(int(length[0][15:]))
    writer.close()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _table(rows: dict[tuple[str, str], Row], size: int) -> str:
    lines = [
        "# What serving feeds costs", "",
        f"A feed of {size / 1000:.0f} KB, {CONNECTIONS} connections, medians of {ROUNDS} interleaved rounds of"
        f" {REQUESTS} requests; {os.cpu_count()} cores, Python {sys.version.split()[0]}.", "",
        "| answer | server | requests a second | CPU a request | share of bare |",
        "| ------ | ------ | ----------------: | ------------: | ------------: |",
    ]  # fmt: skip
    for (kind, name), row in rows.items():
        bare = rows[kind, "bare Starlette"]
        share = statistics.median(b / o for b, o in zip(bare.cpu, row.cpu, strict=True))
        rate = statistics.median(o / b for b, o in zip(bare.rate, row.rate, strict=True))
        cpu = statistics.median(row.cpu) * 1e6
        asked = statistics.median(row.rate)
        lines.append(f"| {kind} | {name} | {asked:,.0f} | {cpu:.0f} us | {share:.2f} by CPU, {rate:.2f} by rate |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
