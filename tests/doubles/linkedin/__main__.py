"""The double as a process of its own."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from tests.doubles.linkedin import AUTHOR, TOKEN, LinkedInDouble


def main() -> None:
    parser = argparse.ArgumentParser(description="A strict LinkedIn for tests and the demonstration.")
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port, once it is open")
    parser.add_argument("--world", type=Path, help="where to append what was accepted, as JSON lines")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--author", default=AUTHOR)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--window", type=float, default=600.0, help="seconds in which an equal post is a duplicate")
    parser.add_argument("--faults", default="", help="the script, separated by commas")
    given = parser.parse_args()
    double = LinkedInDouble(
        author=given.author,
        token=given.token,
        duplicate_window=given.window,
        faults=given.faults.split(",") if given.faults else (),
        world=given.world,
        port=given.port,
    )
    with double, contextlib.suppress(KeyboardInterrupt):
        temporary = given.port_file.with_suffix(".tmp")
        temporary.write_text(double.url.rpartition(":")[2])
        temporary.replace(given.port_file)
        double.wait()


if __name__ == "__main__":
    main()
