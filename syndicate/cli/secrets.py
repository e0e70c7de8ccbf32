"""password: who may enter the newsroom."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from syndicate.cli.session import Session
from syndicate.errors import ConfigError, Problem, UsageError

SHORTEST, LONGEST = 12, 1024  # characters


def register(app: typer.Typer) -> None:
    app.command("password")(set_password)


def set_password(
    context: typer.Context,
    show: Annotated[
        bool, typer.Option("--print", help="Only print its hash, for web.password; no database is touched.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Have none: then this machine alone gets in.")] = False,
) -> None:
    """Set the newsroom's password, which opens /metrics too.

    It is asked for twice on a terminal, else read as one line. It counts at once and on every machine of the database,
    and whoever is logged in must log in anew. A hash in web.password goes before it.
    """
    session: Session = context.obj
    if show and clear:
        raise UsageError("--print and --clear are two things: choose one")
    if show:
        session.document({"hash": _hashed()}) if session.json else session.result(_hashed())
        return
    if session.settings.web.password:
        raise ConfigError([Problem("web.password", "is set, and goes before: change it there, or remove it there")])
    from syndicate.store import sessions

    session.write(sessions.set_password, "" if clear else _hashed())
    session.say(_CLEARED if clear else "The password is set; whoever was logged in must log in anew.")
    if session.json:
        session.document({"password": not clear})


_CLEARED = "There is no password any more: newsroom and numbers open on this machine alone."


def _hashed() -> str:
    import secrets

    from syndicate import password

    return password.hashed(_typed(), secrets.token_bytes(16))


def _typed() -> str:
    """Raises UsageError for what is no good password."""
    if sys.stdin.isatty():
        import getpass

        text = getpass.getpass("Password: ", sys.stderr)
        if getpass.getpass("Once more: ", sys.stderr) != text:
            raise UsageError("these were two different passwords: nothing was changed")
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    if not text.isprintable():  # what was typed in another encoding would never fit again
        raise UsageError("a password is text in UTF-8, without control characters")
    if not SHORTEST <= len(text) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} characters or more: four words do")
    return text
