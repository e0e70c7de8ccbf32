"""What a letter costs on its way out: our engine, ledger and all, beside clients that send the same bytes.

    make bench                 1,000 and 100,000 people: a table on stdout, and the same in bench/RESULTS-mail.md
    make bench-large           a million

Into a sink in a process of its own. Each line is a process; its CPU is counted from the first connection to the last
settled letter. The others send one ready letter again and again and keep no ledger, which is in their favour.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

ROUNDS, FEW, SOME, MANY, SLOW = 3, 1_000, 100_000, 1_000_000, 400
DELAY = 0.05  # seconds put into each round trip
SECRET = b"the secret of the bench, 32 byte"
RESULTS = Path(__file__).with_name("RESULTS-mail.md")
SENDER, SIGNS = "news@example.net", ("rsa", "ed25519")


def payload() -> dict[str, Any]:
    """An edition whose letters have 33 KB."""
    from syndicate.letter import PREFERENCES, UNSUBSCRIBE, Rendered, compose, list_id

    links = f"{UNSUBSCRIBE} {PREFERENCES}"
    rendered = Rendered(
        subject="The Bench", preheader="", html="<p>" + ("word " * 15 + "\n") * 370 + links,
        text=("text " * 12 + "\n") * 20 + links,
    )  # fmt: skip
    name = list_id("weekly", "example.net")
    return compose(rendered, sender=f"News <{SENDER}>", list_id=name, date=datetime.now(UTC), slug="weekly-1")


def post_of(kind: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from syndicate.delivery import RetryPolicy
    from syndicate.dkim import Dkim
    from syndicate.post import Post
    from syndicate.signer import Signer

    dkim = None
    if kind in SIGNS:
        key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        dkim = Dkim("example.net", "news", pem)
    days = timedelta(days=2)
    return Post(
        transport=None, policy=RetryPolicy(retry_for=days, repeat_within=days), signer=Signer(SECRET),  # type: ignore[arg-type]
        secret=SECRET, public_url="https://post.example", dkim=dkim,
    )  # fmt: skip


def ready() -> bytes:
    """One letter as it goes over the wire."""
    from syndicate.post import Imprint
    from syndicate.store.groups import Recipient
    from syndicate.store.letters import Mailing

    mailing = Mailing(
        delivery=1, subject="weekly-1", digest="weekly", live=True, frozen_at=datetime.now(UTC), payload=payload()
    )
    one = Imprint(post_of(""), mailing).envelope(Recipient(1, 1, "reader1@readers.test", "", "readers.test", 1))
    return b"".join(one.pieces)


def freeze(store: Any, people: int) -> None:
    """So many letters, due now."""
    from sqlalchemy import Connection, text

    from syndicate.store import editions, freezing, ledger

    now = datetime.now(UTC)
    before = now - timedelta(days=9)

    def fill(connection: Connection) -> None:
        ledger.sync_channels(connection, {"email": True}, before)
        editions.sync_digests(connection, ["weekly"], before)
        numbers = f"WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {people})"
        row = f"id, 'k' || id, 'r' || id || '@readers.test', 'readers.test', 'active', {int(before.timestamp() * 1e6)}"
        columns = "id, address_key, email, domain, state, since, consent"
        connection.execute(text(f"{numbers} INSERT INTO subscribers ({columns}) SELECT {row}, '' FROM n"))
        connection.execute(text(f"{numbers} INSERT INTO subscriptions (subscriber, digest) SELECT id, 'weekly' FROM n"))
        freezing.freeze(
            connection, subject="weekly-1", digest="weekly", payload=payload(), live=True, by_hand=False,
            planned_for=now, now=now,
        )  # fmt: skip

    store.write_now(fill)


async def ours(port: int, people: int, kind: str) -> Callable[[], Awaitable[int]]:
    from syndicate.clock import SystemClock
    from syndicate.config import SmtpSettings
    from syndicate.mail import mail
    from syndicate.store.database import house_of, open_store
    from syndicate.store.owners import Owner
    from syndicate.transports.smtp import Smtp

    store = open_store(house_of("", Path.cwd()), upgrade=True)
    freeze(store, people)
    clock = SystemClock()
    owner = Owner(store, clock, "run")
    owner.open()
    smtp = Smtp(SmtpSettings(port=port, security="none", connections=8), clock)
    smtp.pipelining = kind != "plain"
    post = dataclasses.replace(post_of(kind), transport=smtp)

    async def renew() -> None:
        while True:
            await asyncio.sleep(5)
            await asyncio.to_thread(owner.renew)

    async def run() -> int:
        renewing = asyncio.create_task(renew())
        try:
            return await mail(post, store, owner, clock, random.Random(1), asyncio.Event())
        finally:
            renewing.cancel()

    return run


async def aiosmtplib_10(port: int, people: int, _kind: str) -> Callable[[], Awaitable[int]]:
    import aiosmtplib

    letter, numbers = ready(), iter(range(people))

    async def one() -> int:
        sent = 0
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.sendmail(SENDER, [f"r{number}@readers.test"], letter)
                sent += 1
        return sent

    async def run() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(10))))

    return run


async def smtplib_1(port: int, people: int, _kind: str) -> Callable[[], Awaitable[int]]:
    import smtplib

    letter = ready()

    async def run() -> int:
        with smtplib.SMTP("127.0.0.1", port) as client:
            for number in range(people):
                client.sendmail(SENDER, [f"r{number}@readers.test"], letter)
        return people

    return run


CLIENTS = {"ours": ours, "aiosmtplib": aiosmtplib_10, "smtplib": smtplib_1}


async def send(client: str, port: int, people: int, kind: str) -> None:
    """One line's work, in its own process; its cost as JSON on stdout."""
    run = await CLIENTS[client](port, people, kind)
    gc.collect()
    gc.freeze()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    sent = await run()
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - begun
    assert sent == people, f"{sent} of {people} letters"
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([cpu / people * 1e6, people / wall, after.ru_maxrss / 1024]))


def measure(port: int, client: str, people: int, kind: str) -> list[float]:
    """Microseconds of CPU a letter, letters a second, peak MB."""
    with tempfile.TemporaryDirectory(prefix="bench-mail-") as folder:
        if client == "smtp-source":
            size = str(len(ready()))
            command = ["smtp-source", "-s", "8", "-d", "-m", str(people), "-l", size, f"127.0.0.1:{port}"]
            begun = time.perf_counter()
            process = subprocess.Popen(command)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, "smtp-source failed"
            wall = time.perf_counter() - begun
            return [(usage.ru_utime + usage.ru_stime) / people * 1e6, people / wall, usage.ru_maxrss / 1024]
        command = [sys.executable, str(Path(__file__).resolve()), "send", client, str(port), str(people), kind]
        words = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
        found: list[float] = json.loads(words.stdout)
        return found


def lines(*, large: bool) -> Iterator[tuple[str, float, str, int, str, str]]:
    """Name, delay, client, letters, kind, budget."""
    if large:
        yield "ours, a million people", 0, "ours", MANY, "none", "40 us, 150 MB"
        return
    yield "ours, 1,000 people", 0, "ours", FEW, "none", "150 MB"
    yield "ours, 100,000 people", 0, "ours", SOME, "none", "40 us, 150 MB"
    yield "ours, 10,000, Ed25519", 0, "ours", 10_000, "ed25519", ""
    yield "ours, 10,000, RSA-2048", 0, "ours", 10_000, "rsa", "350 us"
    if shutil.which("smtp-source"):
        yield "smtp-source, static text", 0, "smtp-source", 10_000, "", ""
    yield "aiosmtplib, 10 connections", 0, "aiosmtplib", 3_000, "", ""
    yield "smtplib, 1 connection", 0, "smtplib", 3_000, "", ""
    yield "ours, 50 ms of delay", DELAY, "ours", SLOW, "none", "2 x the next"
    yield "the same without PIPELINING", DELAY, "ours", SLOW, "plain", ""


def main(*arguments: str) -> None:
    begun, large = time.monotonic(), arguments == ("large",)
    table = list(lines(large=large))
    sinks, found = {}, {line[0]: [] for line in table}  # type: dict[float, Any], dict[str, list[list[float]]]
    try:
        for delay in {line[1] for line in table}:
            command = [sys.executable, str(ROOT / "bench" / "sink.py"), str(delay)]
            sink = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert sink.stdout
            sinks[delay] = sink, int(sink.stdout.readline())
        for _ in range(1 if large else ROUNDS):
            for name, delay, client, people, kind, _budget in table:
                found[name].append(measure(sinks[delay][1], client, people, kind))
    finally:
        for sink, _port in sinks.values():
            sink.kill()
            sink.wait()
    text = [f"| {'what':<28} | CPU a letter | letters/s |    peak | {'budget':<13} |"]
    text.append(f"| {'-' * 28} | -----------: | --------: | ------: | {'-' * 13} |")
    for name, _delay, _client, _people, _kind, budget in table:
        cpu, speed, peak = (statistics.median(values) for values in zip(*found[name], strict=True))
        text.append(f"| {name:<28} | {cpu:>9.1f} us | {speed:>9,.0f} | {peak:>4.0f} MB | {budget:<13} |")
    rounds = "One round" if large else f"Medians of {ROUNDS} rounds"
    text += ["", f"{rounds}, letters of {len(ready()):,} bytes, Python {sys.version.split()[0]}, {os.cpu_count()} cores"
             f" shared with the sink; measured in {time.monotonic() - begun:.0f} s."]  # fmt: skip
    if not shutil.which("smtp-source"):
        text.append("smtp-source is not installed: not measured.")
    print("\n".join(text))
    if not large:
        RESULTS.write_text("# What a letter costs\n\n" + "\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        import uvloop

        gc.set_threshold(20_000, 20, 20)  # as the program does
        uvloop.run(send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
    else:
        main(*sys.argv[1:])
