"""init, check, db."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syndicate.cli.session import Session
from syndicate.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(check)
    group = typer.Typer(help="The database: upgrade, check, backup, restore.", no_args_is_help=True)
    group.command("upgrade")(upgrade)
    group.command("check")(check_database)
    group.command("backup")(backup)
    group.command("restore")(restore)
    app.add_typer(group, name="db")


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The site's folder.", show_default=False)] = Path(),
    templates: Annotated[
        bool, typer.Option("--templates", help="Copy the letters' templates too, to change them.")
    ] = False,
) -> None:
    """Write syndicate.toml: five questions, the rest is measured.

    Read are the site's home page, feed and sitemap, how it forms addresses, how much it publishes on its busiest day.
    Without a terminal nothing is asked; without a network it says what it could not look up. No file that exists is
    touched; `--templates` copies templates beside a configuration that is there, too.
    """
    session: Session = context.obj
    from syndicate.cli.setup import begin

    begin(session, folder, templates)


def check(
    context: typer.Context,
    online: Annotated[
        bool, typer.Option("--online", help="Ask the mail server, DNS and the page to leave too.")
    ] = False,
) -> None:
    """Look over configuration, database, content and letters.

    Online also the mail server, the records by which others believe your mail (SPF, DKIM, DMARC, MX), and whether
    readers could leave. Also shown: the next three moments of each calendar. Exit 2 where the configuration is wrong,
    1 with any other problem; a note is none.
    """
    session: Session = context.obj
    from syndicate.cli.checks import findings

    found = list(findings(session, online))
    if session.json:
        session.document([{"what": one.what, "ok": one.ok, "note": one.is_remark, "text": one.text} for one in found])
    for one in found:
        session.result(f"{one.sign:<9}{one.what:<14}{one.text}")
    if any(not one.ok for one in found):
        raise typer.Exit(2 if any(not one.ok and one.is_configuration for one in found) else 1)


def upgrade(context: typer.Context) -> None:
    """Bring the database to this version; a file is copied before.

    Of a PostgreSQL make a backup yourself, and have all machines stopped.
    """
    session: Session = context.obj
    from syndicate.store.database import house, open_store

    database = house(session.settings)
    before = database.version()
    store = open_store(database, upgrade=True, told=True)
    store.close()
    after = database.version()
    upgraded = f", brought from schema {before} to {after}" if before not in (None, after) else ""
    kept = f"; as it was before: {store.kept}" if store.kept else ""
    session.say(f"{store.where} is of this version{upgraded}{kept}")
    if session.json:
        session.document({"database": store.where, "upgraded": before != after, "kept": store.kept})


def check_database(context: typer.Context) -> None:
    """Let the database check itself."""
    session: Session = context.obj
    store = session.ledger()
    try:
        problems, remarks = store.check(), store.house.remarks()
    finally:
        store.close()
    if session.json:
        session.document({"problems": problems, "remarks": remarks})
    for remark in remarks:
        session.say(remark)
    for problem in problems:
        session.result(problem)
    if problems:
        raise typer.Exit(1)
    session.say("the database is sound")


def backup(context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> None:
    """Copy the database while others go on with it."""
    session: Session = context.obj
    if file.exists():
        raise UsageError(f"{file} exists: name a new file")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {file.absolute().parent}: make it first")
    from syndicate.store.database import house

    database = house(session.settings)
    if database.version() is None:  # of any other version a copy may be made: it is what is wanted before an upgrade
        raise UsageError(f"{database.where} is empty: there is nothing to copy")
    database.backup(file)
    session.say(f"written: {file}")
    if session.json:
        session.document({"backup": str(file)})


def restore(context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]) -> None:
    """Put a backup in the database's place.

    What stood there is kept beside it. Where the backup does not know of everything that was sent, all is paused:
    `syndicate resume --assume-sent` or `--assume-unsent` goes on.
    """
    session: Session = context.obj
    from syndicate.store import highwater
    from syndicate.store.database import house, open_ledger

    if not file.is_file():
        raise UsageError(f"there is no file {file}: name a backup")
    kept = house(session.settings).restore(file, f"replaced-{session.clock.now():%Y%m%dT%H%M%S}")
    store = open_ledger(session.settings, upgrade=True, told=True)
    try:
        behind = store.write_now(highwater.pause_if_behind, store.high_water.read(), session.clock.now())
    finally:
        store.close()
    session.say(f"restored from {file}" + (f"; the former database is {kept}" if kept else ""))
    if behind:
        session.say(
            "Everything is paused, since more was sent than this backup knows of: look what went out, then"
            " `syndicate resume --assume-sent` or `--assume-unsent`."
        )
    if session.json:
        session.document({"restored": str(file), "kept": kept})
