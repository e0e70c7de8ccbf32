"""The commands: parse, call one use case, print, exit code. Results to stdout, words to stderr.

Exit 0: done. 1: something was left failed, unknown, paused by a fault or unread. 2: wrong usage or configuration.
Heavy modules are loaded inside the commands that need them, so that `--help` and `status` answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from syndicate import __version__
from syndicate.cli import admin, articles, flow, ledger, linkedin, lists, people, retracting, returning, secrets
from syndicate.cli.session import Session
from syndicate.errors import ConfigError, SyndicateError, UsageError

app = typer.Typer(
    name="syndicate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: flags as flags, at once, and whole in a pipe
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (admin, flow, articles, retracting, ledger, returning, linkedin, secrets):
    module.register(app)
lists.register(people.register(app))

_FLAGS = {"--json", "-v", "-q", "-vv"}
_VALUES = {"--config", "--now"}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"syndicate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="PATH", help="The configuration; else SYNDICATE_CONFIG, syndicate.toml, config.toml."
        ),
    ] = None,
    now: Annotated[
        str | None, typer.Option("--now", metavar="TIME", help="Pretend that it is this moment: 2026-03-06T09:00.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
    verbose: Annotated[int, typer.Option("-v", count=True, show_default=False, help="Say more.")] = 0,
    quiet: Annotated[bool, typer.Option("-q", help="Say only results and what is wrong.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A self-hosted newsroom: every article reaches every channel exactly once, or the ledger says why not.

    These options may also stand after the command word. Exit 0: done; 1: something failed, is unknown or paused by a
    fault, or a source could not be read; 2: wrong usage or configuration.
    """
    context.obj = Session(config_path=config, now_text=now, json=json, verbosity=-1 if quiet else verbose)


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the options that every command knows to the front, wherever they were typed. Raises UsageError."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        if word in _FLAGS or (word.split("=", 1)[0] in _VALUES and "=" in word):
            front.append(word)
        elif word in _VALUES:
            if not waiting:
                raise UsageError(f"{word} wants a value after it")
            front += [word, waiting.pop(0)]
        else:
            rest.append(word)
    return front + rest


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error is one clear sentence, never a traceback."""
    try:
        app(hoist(arguments), prog_name="syndicate")
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # `syndicate articles | head`: nothing went wrong
            return 0
        return int(end.code or 0)
    except ConfigError as error:
        for problem in error.problems:
            _say(str(problem))
        return 2
    except UsageError as error:
        _say(str(error))
        return 2
    except SyndicateError as error:
        _say(str(error))
        return 1
    except OSError as error:
        _say(f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}")
        return 1
    return 0


def _say(text: str) -> None:
    print(f"syndicate: {text}", file=sys.stderr)
