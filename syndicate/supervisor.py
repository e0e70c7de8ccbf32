"""What systemd and its like hand to a service and hear from it: sockets that outlive it, and when it is ready.

Plain descriptors and datagrams (sd_listen_fds(3), sd_notify(3)); it never starts or stops anything.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import MutableMapping

from syndicate.errors import SyndicateError

FIRST_FD = 3  # where the handed ones begin

_TOLD = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def inherited(environ: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """The listening TCP sockets that were handed to the process `pid`; none where nobody hands any.

    The variables are taken out of `environ`, so that no child believes itself meant. Raises SyndicateError for
    anything but listening TCP sockets.
    """
    told = {name: environ.pop(name, "") for name in _TOLD}
    if told["LISTEN_PID"] != str(pid):
        return []
    if not told["LISTEN_FDS"].isdecimal():
        raise SyndicateError(f"LISTEN_FDS is {told['LISTEN_FDS']!r}, not the number of sockets handed over")
    return [_listening(number) for number in range(FIRST_FD, FIRST_FD + int(told["LISTEN_FDS"]))]


def _listening(number: int) -> socket.socket:
    try:
        given = socket.socket(fileno=number)
        is_tcp = given.type == socket.SOCK_STREAM and given.family in (socket.AF_INET, socket.AF_INET6)
        listens = is_tcp and bool(given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        listens = False
    if not listens:
        raise SyndicateError(f"descriptor {number} was handed over, but is no listening TCP socket: see ListenStream=")
    given.set_inheritable(False)
    given.setblocking(False)
    return given


def tell(environ: MutableMapping[str, str], state: str) -> None:
    """Say `READY=1` or `STOPPING=1` to whoever waits for it. Nobody does, or he is gone: nothing happens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.settimeout(1)
        wire.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        wire.send(state.encode())
