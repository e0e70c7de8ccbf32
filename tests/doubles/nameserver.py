"""A name server on this machine: real UDP, answers from a table, silence or an error where told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENT = "silent"  # instead of records: no answer comes
BROKEN = "broken"  # SERVFAIL


@dataclass(slots=True)
class NameServer:
    """`records`: (name without the last dot, type) -> the texts of the records as a zone file has them."""

    records: Mapping[tuple[str, str], Sequence[str] | str]
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        found = self.records.get((name, kind), ())
        if found == SILENT:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if found == BROKEN:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(known == name or known.endswith(f".{name}") for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@contextmanager
def name_server(records: Mapping[tuple[str, str], Sequence[str] | str]) -> Iterator[NameServer]:
    """Serve until the block ends; `port` is on 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server = NameServer(records, listening.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, listening), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", server.port))
            thread.join(5)


def _serve(server: NameServer, listening: socket.socket) -> None:
    while True:
        wire, peer = listening.recvfrom(4096)
        if not wire:
            return
        response = server.answer(wire)
        if response is not None:
            with suppress(OSError):
                listening.sendto(response, peer)
