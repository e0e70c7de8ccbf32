"""`python -m syndicate` and the `syndicate` command."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    from syndicate.cli import run

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without typographic quotes is no error
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
