"""Sockets that a supervisor hands over, and what it is told: over real descriptors and datagrams."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syndicate.supervisor import tell

CHILD = """\
import os, sys
from syndicate.errors import SyndicateError
from syndicate.supervisor import inherited
if (fd := int(sys.argv[1])) != 3:
    os.dup2(fd, 3)
os.environ.update(LISTEN_PID=sys.argv[2].replace("me", str(os.getpid())), LISTEN_FDS=sys.argv[3])
try:
    found = inherited(os.environ, os.getpid())
except SyndicateError as error:
    sys.exit(str(error))
assert not [name for name in os.environ if name.startswith("LISTEN_")], os.environ
assert not any(one.get_inheritable() for one in found)
print(*(one.getsockname()[1] for one in found))
"""


def handed(given: socket.socket, pid: str = "me", count: str = "1") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", CHILD, str(given.fileno()), pid, count]
    return subprocess.run(line, pass_fds=[given.fileno()], capture_output=True, text=True, timeout=20)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as given:
        yield given


def test_a_listening_socket_is_taken_over(listening: socket.socket) -> None:
    assert handed(listening).stdout == f"{listening.getsockname()[1]}\n"


def test_what_was_handed_to_another_process_is_left_alone(listening: socket.socket) -> None:
    assert handed(listening, pid="1").stdout == "\n"
    assert handed(listening, pid="").stdout == "\n"


@pytest.mark.parametrize(
    ("count", "why"), [("", "number of sockets"), ("two", "number of sockets"), ("9", "descriptor")]
)
def test_a_number_that_cannot_be_is_told(listening: socket.socket, count: str, why: str) -> None:
    done = handed(listening, count=count)
    assert done.returncode == 1
    assert why in done.stderr


def test_what_is_no_listening_tcp_socket_is_told() -> None:
    kinds = [
        (socket.AF_INET, socket.SOCK_DGRAM),
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_STREAM),
    ]
    for kind in kinds:
        with socket.socket(*kind) as given:
            assert "no listening TCP socket" in handed(given).stderr, kind


def test_who_waits_is_told_by_path_and_by_abstract_name(tmp_path: Path) -> None:
    abstract = f"syndicate-test-{os.getpid()}"
    for address, name in ((str(tmp_path / "notify"), str(tmp_path / "notify")), (f"\0{abstract}", f"@{abstract}")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
            waiting.bind(address)
            waiting.settimeout(5)
            tell({"NOTIFY_SOCKET": name}, "READY=1")
            assert waiting.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_nobody_needs_to_wait(environ: dict[str, str]) -> None:
    tell(environ, "READY=1")
