"""`python -m syndicate` and the `syndicate` command."""

from __future__ import annotations

import gc
import io
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    gc.set_threshold(20_000, 20, 20)  # a scan makes many objects that stay: walking them each time costs a tenth of it
    from syndicate.cli import run

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without typographic quotes is no error
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
