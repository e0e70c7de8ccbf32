"""run, worker, send, digest, feeds: the commands that make something happen. `run`, `send` and `digest` scan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syndicate.cli.session import Session
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from syndicate.config import Settings
    from syndicate.pipeline import Report

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would go out, and to how many; write nothing.")]
Test = Annotated[
    str | None, typer.Option("--test", metavar="ADDRESS", help="One letter to this address alone; uses nothing up.")
]


def register(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(worker)
    app.command()(send)
    app.command()(digest)
    app.command()(feeds)


# --- run --------------------------------------------------------------------------------------------------------------


def run(
    context: typer.Context, once: Annotated[bool, typer.Option("--once", help="One pass, then end.")] = False
) -> None:
    """Watch, publish, plan and send: the daemon.

    It runs until Ctrl-C or SIGTERM, and then finishes what is on the wire.
    """
    session: Session = context.obj
    settings = session.startable()
    _check_reach(session)
    if once:
        raise typer.Exit(session.run(_once(session), mails=True))
    from syndicate.daemon import serve

    with session.daemon_log() as say:
        code = session.run(serve(settings, session.clock, say), mails=True)
    raise typer.Exit(code)


def worker(context: typer.Context) -> None:
    """Help a `run` on the same database to deliver and mail.

    It scans, publishes and plans nothing, and runs until Ctrl-C or SIGTERM.
    """
    session: Session = context.obj
    settings = session.startable()
    _check_reach(session)
    from syndicate.daemon import help_out

    with session.daemon_log() as say:
        code = session.run(help_out(settings, session.clock, say), mails=True)
    raise typer.Exit(code)


async def _once(session: Session) -> int:
    from syndicate.alarm import watch
    from syndicate.app import open_app
    from syndicate.cli.progress import progress, stop_on_signals
    from syndicate.pipeline import run_pass
    from syndicate.store import articles, deliveries, highwater, pauses

    async with open_app(session.settings, session.clock, "once") as app, stop_on_signals(app):
        begun = app.owner.since  # what it took back when it came is its own already
        async with progress(session, app):
            report = await run_pass(app)
        if app.alarm.ways:
            await watch(app.alarm)
        troubled = await app.store.read(deliveries.troubled_since, begun)
        done = await app.store.read(deliveries.counts)
        # At once: a `run` beside this one may end a fault between two questions.
        standing, faults = await app.store.read(lambda c: (pauses.standing(c), pauses.faults(c)))
        faults += [key for key, why in standing.items() if why.startswith(highwater.BEHIND)]
        problems = [*report.scanned.problems, *troubled, *(f"{key}: {standing[key]}" for key in faults)]
        if session.json:
            session.document(_as_json(report, done, problems))
        elif session.verbosity >= 0:  # from cron, -q leaves only what is wrong
            from syndicate.words import after_pass

            ready = (await app.store.read(articles.counts)).get("ready", 0)
            for line in after_pass(report, done, app.settings, begun, ready=ready, paused=standing):
                session.result(line)
        for problem in problems:
            session.warn(f"problem: {problem}")
        return 1 if problems else 0


def _as_json(report: Report, done: Any, problems: Sequence[str]) -> dict[str, Any]:
    scanned = report.scanned
    return {
        "files": scanned.files, "parsed": scanned.parsed, "changed": scanned.changed, "released": scanned.released,
        "feed_items": report.published.items, "feeds_written": list(report.published.written),
        "planned": report.planned, "editions": list(report.frozen), "deliveries": done, "problems": list(problems),
    }  # fmt: skip


def _check_reach(session: Session) -> None:
    """Rule 24, second half: real people must be able to reach the links in their letters. Raises ConfigError."""
    from syndicate import config
    from syndicate.errors import ConfigError, Problem
    from syndicate.store import subscribers

    settings = session.settings
    if settings.email is None or not settings.email.live or not config.is_loopback_url(settings.web.public_url):
        return
    real = [
        domain
        for domain in session.read(lambda connection: list(subscribers.domains(connection)))
        if not (config.is_reserved_domain(domain) or config.is_loopback_host(domain))
    ]
    if real:
        text = f"is {settings.web.public_url}: nobody at {real[0]} could follow the links; set your public address"
        raise ConfigError([Problem("web.public_url", text)])


# --- one-off sends ----------------------------------------------------------------------------------------------------


def send(
    context: typer.Context,
    articles: Annotated[list[str], typer.Argument(metavar="ARTICLE", help="Ids, slugs or paths.")],
    to: Annotated[str, typer.Option("--to", metavar="NAME[,NAME]", help="Channels: email, linkedin, ...")],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Then and not now: 2026-03-06T09:00.")] = None,
    test: Test = None,
    again: Annotated[bool, typer.Option("--again", help="Once more, although it was sent.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Send articles to channels now, past their pacing.

    What was sent already is not sent twice.
    """
    session: Session = context.obj
    settings = session.settings if dry_run else session.startable()
    channels = [name.strip() for name in to.split(",") if name.strip()]
    for name in channels:
        if name not in settings.channels:
            raise UsageError(f"there is no channel {name!r}: {_channels_there(settings, name)}")
    moment = session.moment(at) if at else None
    if moment and moment < session.clock.now() - timedelta(minutes=1):
        raise UsageError(f"--at {at} is over: leave it away to send now")
    from syndicate.cli import sends

    if dry_run:
        sends.show(session, articles, channels)
        return
    if test:
        if channels != ["email"]:
            raise UsageError("--test sends mail: use it with --to email")
        raise typer.Exit(session.run(sends.test_articles(session, articles, test)))
    _check_reach(session)
    raise typer.Exit(session.run(sends.articles(session, articles, channels, moment, again=again, yes=yes), mails=True))


def _channels_there(settings: Settings, name: str) -> str:
    from syndicate.config import CHANNEL_TABLES

    if name in CHANNEL_TABLES or not settings.channels:
        return f"add a table [{name if name in CHANNEL_TABLES else CHANNEL_TABLES[0]}] to the configuration"
    return f"one of {', '.join(settings.channels)}"


def digest(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in digests.name.")],
    test: Test = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Make an edition now, beside its slots, and send it."""
    session: Session = context.obj
    from syndicate.cli import sends
    from syndicate.cli.articles import digest_named

    settings = session.settings if dry_run else session.startable()
    wanted = digest_named(settings, name)
    if settings.email is None:
        raise UsageError("there is no [email] in the configuration: a digest has no way to people")
    if dry_run:
        sends.show_digest(session, wanted)
        return
    if test:
        raise typer.Exit(session.run(sends.test_digest(session, wanted, test)))
    _check_reach(session)
    raise typer.Exit(session.run(sends.digest(session, wanted, yes=yes), mails=True))


def feeds(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Into this folder, not feeds.output.")
    ] = None,
    editions: Annotated[
        bool, typer.Option("--editions", help="Past editions too, a page each in the folder editions.")
    ] = False,
) -> None:
    """Write the feeds of the catalogue as it stands."""
    session: Session = context.obj
    from syndicate import editionfiles
    from syndicate.publish import publish

    folder = output or session.settings.output_folder
    store = session.ledger()
    try:
        published = session.run(publish(store, session.settings, output))
        pages = store.read_now(editionfiles.write, folder, session.settings.site) if editions else None
    finally:
        store.close()
    if session.json:
        told = {"folder": str(folder), "items": published.items, "written": list(published.written)}
        session.document(told | ({} if pages is None else {"editions": pages}))
        return
    if pages is not None:
        session.result(f"{folder / editionfiles.FOLDER}: {pages} editions")
    changed = ", ".join(published.written) or "nothing changed"
    session.result(f"{folder}: {published.items} items; {changed}")
