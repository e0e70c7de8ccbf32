"""plan, status, deliveries, pause, resume."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any

import typer

from syndicate.cli.people import address_of, hash_of
from syndicate.cli.session import Session, one_of
from syndicate.errors import UsageError

STATES = (
    "waiting", "planned", "claimed", "sent", "failed", "unknown", "held", "rehearsed", "skipped", "expired",
    "cancelled",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command()(plan)
    app.command()(status)
    app.command()(explain)
    group = typer.Typer(help="What is owed to the channels, and what became of it.", invoke_without_command=True)
    group.callback()(deliveries)
    group.command("show")(show)
    group.command("retry")(retry)
    group.command("cancel")(cancel)
    group.command("resolve")(resolve)
    app.add_typer(group, name="deliveries")
    app.command()(pause)
    app.command()(resume)


def plan(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=60, help="How many days to look ahead.")] = 1,
) -> None:
    """Tell what will go out when, and what will not and why.

    A forecast: nothing is stored.
    """
    session: Session = context.obj
    from syndicate.forecast import forecast
    from syndicate.publics import paces

    rows = session.read(forecast, session.settings, paces(session.settings), session.clock.now(), days)
    if session.json:
        session.document([row.as_json() for row in rows])
        return
    session.table(
        ("when", "channel", "state", "title", "why"),
        [(row.planned_for, row.channel, row.state, row.title, row.reason) for row in rows],
        empty="Nothing waits: every ready article was announced, or belongs to the baseline.",
    )


def status(context: typer.Context) -> None:
    """Show health and counts; every problem names what mends it."""
    session: Session = context.obj
    from syndicate import health

    with closing(session.ledger()) as store:
        remarks = store.house.remarks()
        found = store.read_now(health.status, session.settings, session.clock.now(), remarks)
    if session.json:
        session.document(found)
        return
    for line in health.as_text(found, session.settings):
        session.result(line)


def explain(
    context: typer.Context,
    about: Annotated[str, typer.Argument(metavar="ARTICLE|ADDRESS", help="Id, slug or path; or a mail address.")],
) -> None:
    """Tell the whole story of one article or one person."""
    session: Session = context.obj
    from syndicate.store import stories

    if "@" in about and "/" not in about:
        key = address_of(about).key
        events = session.read(stories.of_person, key, hash_of(session, key))
        if events is None:
            raise UsageError(f"there is no subscriber {about!r}")
    else:
        from syndicate.store import articles

        article = session.read(articles.find, about)
        events = session.read(stories.of_article, article.id) + _still_waiting(session, article.id)
    if session.json:
        session.document([{"at": event.at, "what": event.what, "text": event.text} for event in events])
        return
    for event in events:
        at = f"{event.at.astimezone(session.settings.site.zone):%Y-%m-%d %H:%M}" if event.at else ""
        session.result(f"{at:<18}{event.what:<10}{event.text}")


def _still_waiting(session: Session, article: str) -> list[Any]:
    """Why an article that waits has not had its turn, as planning sees it now."""
    from syndicate.forecast import forecast
    from syndicate.publics import paces
    from syndicate.store.stories import Event

    rows = session.read(forecast, session.settings, paces(session.settings), session.clock.now(), 1)
    return [
        Event(row.planned_for, "forecast", f"{row.channel} {row.state}: {row.reason}")
        for row in rows
        if row.article == article
    ]


def deliveries(
    context: typer.Context,
    state: Annotated[str | None, typer.Option("--state", metavar="S", help=f"Only these: {', '.join(STATES)}.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="C", help="Only this one.")] = None,
) -> None:
    """List deliveries, newest first."""
    if context.invoked_subcommand:
        return
    session: Session = context.obj
    one_of(state, STATES, "state of a delivery")
    from syndicate.store import deliveries as rows

    found = session.read(rows.listing, state, channel, None, session.clock.now())
    if session.json:
        session.document(found)
        return
    session.table(
        ("id", "state", "channel", "when", "title", "why"),
        [
            (one["id"], one["state"], one["channel"], one["sent_at"] or one["planned_for"], one["title"],
             _why(one))
            for one in found
        ],
        empty="No delivery is like that." if state or channel else "Nothing is owed to any channel yet.",
    )  # fmt: skip


def show(
    context: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="As `syndicate deliveries` shows it.")],
) -> None:
    """Show one delivery, and what is posted or mailed.

    Text and card are there to copy where you post by hand.
    """
    session: Session = context.obj
    from syndicate.cli import previews
    from syndicate.store import deliveries as rows

    with closing(session.ledger()) as store:
        row, payload = store.read_now(rows.frozen, delivery)
        shown = previews.of_delivery(session, store, delivery) if payload else None
    text = shown.text if shown else None
    if session.json:
        session.document({**row, "text": text})
        return
    for name, value in row.items():
        if value is not None and value != "":
            session.field(name, value)
    session.result(f"\n{text}" if text else "\nIts text is written when its turn has come.")


def _why(row: dict[str, Any]) -> str:
    people = ", ".join(f"{count} {state}" for state, count in (row["people"] or {}).items())
    return f"{'retracted: ' if row['retracted_at'] else ''}{row['error'] or row['url'] or people}"


def _done(session: Session, words: str) -> None:
    session.say(words)
    if session.json:
        session.document({"done": words})


def retry(
    context: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="As `syndicate deliveries` shows it.")],
) -> None:
    """Try again what did not go out; of mail, what failed."""
    session: Session = context.obj
    from syndicate import hand

    _done(session, session.write(hand.retry, delivery, session.who, session.clock.now()))


def cancel(
    context: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="As `syndicate deliveries` shows it.")],
) -> None:
    """Cancel what has not gone out; of mail, what is still due."""
    session: Session = context.obj
    from syndicate import hand

    _done(session, session.write(hand.cancel, delivery, session.who, session.clock.now()))


def resolve(
    context: typer.Context,
    delivery: Annotated[int, typer.Argument(metavar="ID", help="As `syndicate deliveries` shows it.")],
    sent: Annotated[str | None, typer.Option("--sent", metavar="URL", help="It is there: its address.")] = None,
    not_sent: Annotated[bool, typer.Option("--not-sent", help="It is not there: it may be sent again.")] = False,
) -> None:
    """Say what became of an unknown delivery or a post by hand."""
    if (sent is None) == (not not_sent):
        raise UsageError("say either --sent URL or --not-sent")
    session: Session = context.obj
    from syndicate import hand

    _done(session, session.write(hand.resolve, delivery, sent, session.who, session.clock.now()))


def _go_on(session: Session, *, sent: bool) -> None:
    """Go on from a restored backup."""
    from syndicate.store import highwater

    store = session.ledger()
    try:
        store.write_now(highwater.assume, store.high_water.read(), session.clock.now(), sent=sent)
    finally:
        store.close()
    session.say(
        "resumed: what was open in the backup counts as sent, and so does what is new since"
        if sent
        else "resumed: what was open in the backup goes out"
    )
    if session.json:
        session.document({"resumed": ["all"], "assumed": "sent" if sent else "unsent"})


def pause(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="CHANNEL|DIGEST", help="Everything if none.")] = None,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="The reason, shown by status.", show_default=False)
    ] = "paused by hand",
) -> None:
    """Stop sending everything, one channel or one digest.

    Nothing more is begun within a second; the queue is kept.
    """
    session: Session = context.obj
    from syndicate import hand

    reason = session.write(hand.pause, session.settings, name or "", because, session.clock.now())
    if reason != because:
        session.say(f"paused already: {reason}")
    else:
        session.say(f"paused: {name or 'everything'}; `syndicate resume{' ' + name if name else ''}` goes on")
    if session.json:
        session.document({"paused": name or "all", "reason": reason})


def resume(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="CHANNEL|DIGEST", help="Every pause if none.")] = None,
    sent: Annotated[
        bool, typer.Option("--assume-sent", help="After restoring a backup: what was open then went out.")
    ] = False,
    unsent: Annotated[
        bool, typer.Option("--assume-unsent", help="After restoring a backup: it did not go out.")
    ] = False,
    forgive: Annotated[
        bool, typer.Option("--forgive", help="Take those back first whose addresses the latest edition found gone.")
    ] = False,
) -> None:
    """Go on sending."""
    session: Session = context.obj
    from syndicate import hand

    if sent and unsent:
        raise UsageError("say either --assume-sent or --assume-unsent")
    if name:
        session.read(hand.key_of, session.settings, name)
    if (sent or unsent) and _is_restored(session):
        _go_on(session, sent=sent)
        return
    secret = _secret(session) if forgive else None
    done = session.write(hand.resume, session.settings, name or "", session.clock.now(), secret)
    session.say(f"resumed: {', '.join(done.ended)}" if done.ended else "nothing was paused")
    if forgive:
        session.say(f"taken back: {done.forgiven}")
    if session.json:
        session.document({"resumed": list(done.ended), **({"forgiven": done.forgiven} if forgive else {})})


def _is_restored(session: Session) -> bool:
    """Whether there is a backup to assume something of. Raises UsageError where there is none, and a pause stands."""
    from syndicate.store import highwater, pauses

    if session.read(highwater.is_behind):
        return True
    if session.read(pauses.standing):
        raise UsageError(
            "no backup was restored that there is anything to assume of: `syndicate resume` goes on with what waits,"
            " `syndicate deliveries cancel ID` takes out what must not go"
        )
    return False


def _secret(session: Session) -> bytes:
    """What people are known again by."""
    from syndicate.app import keys

    return keys(session.settings).lasting
