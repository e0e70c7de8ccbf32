"""Stopping and starting under readers' eyes, as systemd does it; and a log that machines read."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.conftest import MailServer
from tests.acceptance.newsroom import FRIDAY, SLOT, Newsroom, clean_environment, email, http, people, until

# What a supervisor does between fork and exec: the socket becomes descriptor 3, and the child learns that it is meant.
TAKE_OVER = """\
import os, sys
if (fd := int(sys.argv[1])) != 3:
    os.dup2(fd, 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "syndicate", "run"])
"""


class Supervisor:
    """Holds the socket, and hears what the service says."""

    def __init__(self, newsroom: Newsroom) -> None:
        self.newsroom = newsroom
        self.socket = socket.create_server(("127.0.0.1", newsroom.port), backlog=512)
        self.hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.hearing.bind("")  # an abstract name of the kernel's choice
        self.hearing.settimeout(20)

    def start(self) -> subprocess.Popen[bytes]:
        """A service that has said that it is ready."""
        process = self.launch()
        assert self.hearing.recv(100) == b"READY=1"
        return process

    def launch(self) -> subprocess.Popen[bytes]:
        name = self.hearing.getsockname().decode().replace("\0", "@", 1)
        with (self.newsroom.folder / "service.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", TAKE_OVER, str(self.socket.fileno())],
                cwd=self.newsroom.folder, env=clean_environment() | {"NOTIFY_SOCKET": name},
                pass_fds=[self.socket.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        assert self.hearing.recv(100) == b"STOPPING=1"
        assert process.wait(20) == 0, (self.newsroom.folder / "service.log").read_text()


@contextmanager
def reading(url: str) -> Iterator[list[int | str]]:
    """Readers who ask for the feed all the time, each time over a new connection; what they got."""
    got: list[int | str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                got.append(http(url)[0])
            except OSError as error:
                got.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for one in readers:
        one.start()
    try:
        yield got
    finally:
        over.set()
        for one in readers:
            one.join()


@pytest.fixture
def supervisor(newsroom: Callable[..., Newsroom]) -> Iterator[Supervisor]:
    site = newsroom()
    site.write(1)
    site.run("run", "--once")
    supervisor = Supervisor(site)
    yield supervisor
    supervisor.socket.close()
    supervisor.hearing.close()


def test_nobody_is_refused_over_restarts_when_the_socket_is_handed_on(supervisor: Supervisor) -> None:
    process = supervisor.start()
    try:
        with reading(f"http://127.0.0.1:{supervisor.newsroom.port}/feed.xml") as got:
            for _ in range(3):
                until(lambda before=len(got): len(got) > before + 20, "readers are answered", 20)
                supervisor.stop(process)
                process = supervisor.start()
            until(lambda before=len(got): len(got) > before + 20, "readers are answered by the last", 20)
        assert len(got) > 80
        assert set(got) == {200}
    finally:
        process.kill()
        process.wait(10)


def test_a_socket_wider_than_the_configuration_is_refused(supervisor: Supervisor) -> None:
    supervisor.socket.close()
    supervisor.socket = socket.create_server(("0.0.0.0", 0))
    assert supervisor.launch().wait(20) == 1
    log = (supervisor.newsroom.folder / "service.log").read_text()
    assert "listens at 0.0.0.0, web.host says 127.0.0.1" in log


def test_a_stopping_program_sends_readers_elsewhere_and_still_answers_them(newsroom: Callable[..., Newsroom]) -> None:
    with MailServer(delay=1) as server:
        site = newsroom(email=email(server.port), digests=[{"name": "weekly"}], review={"first_run": "announce"})
        site.write(1)
        site.run("subscribers", "add", *people(3), now=FRIDAY)
        site.run("run", "--once", now=FRIDAY)
        base = f"http://127.0.0.1:{site.port}"
        with site.daemon(now=SLOT) as daemon:
            until(lambda: http(f"{base}/readyz")[0] == 200, "it is ready", 10)
            until(lambda: server.double.conversations, "a letter is on the wire", 20)
            daemon.process.terminate()
            status = until(lambda: (seen := http(f"{base}/readyz")[0]) != 200 and seen, "it is not ready any more", 5)
            assert status == 503
            assert http(f"{base}/healthz")[0] == 200
            assert http(f"{base}/feed.xml")[0] == 200
            assert daemon.process.wait(20) == 0, daemon.words
        assert len(server.world) in (2, 3)  # those in hand; a third is left for the next start


def test_all_that_a_daemon_says_in_json_is_json(newsroom: Callable[..., Newsroom]) -> None:
    site = newsroom(logs={"format": "json"})
    site.write(1)
    site.write(2, title="Two\x1blines\u2028and a bell\x07", name="002 \x1b[31m.md")
    with site.daemon() as daemon:
        second = site.command("run")
        assert second.code == 1
        assert daemon.terminate() == 0
    lines = [json.loads(line) for line in daemon.words.splitlines()]
    assert "said" in {line["event"] for line in lines}
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", daemon.words) == []
    (ended,) = (json.loads(line) for line in second.err.splitlines())
    assert ended["event"] == "ended"
    assert "another `syndicate run` works on" in ended["error"]
