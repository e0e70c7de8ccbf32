"""One-off sends: what is shown first, what is asked, what is done, and what is said afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from syndicate.article import State
from syndicate.cli.session import Session
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from syndicate.article import Article
    from syndicate.config import DigestSettings
    from syndicate.pipeline import App
    from syndicate.store.database import Store


# --- articles ---------------------------------------------------------------------------------------------------------


async def articles(
    session: Session, references: Sequence[str], channels: Sequence[str], at: datetime | None, *, again: bool, yes: bool
) -> int:
    """Send articles now, or plan them for `at`; returns the exit code."""
    from syndicate.app import open_app
    from syndicate.cli.progress import progress, stop_on_signals
    from syndicate.pipeline import catch_up

    async with open_app(session.settings, session.clock, "send") as app, stop_on_signals(app):
        await catch_up(app)
        chosen = await _find(app, references)
        await _ask(session, app, chosen, channels, at, yes)
        ids: list[int] = []
        for article in chosen:
            for channel in channels:
                ids += await _put(session, app, article, channel, at, again)
        if at is None and ids:
            async with progress(session, app):
                await _carry_out(app, ids)
        return await _tell(session, app, ids, at)


async def _find(app: App, references: Sequence[str]) -> list[Article]:
    from syndicate.store import articles as catalogue

    chosen = [await app.store.read(catalogue.find, reference) for reference in references]
    for article in chosen:
        if article.state is not State.READY:
            why = "; ".join(article.reasons) or article.state.value
            raise UsageError(
                f"{article.path} is {article.state}: {why}; `syndicate approve {article.slug}` overrules it"
            )
    return chosen


async def _ask(
    session: Session, app: App, chosen: Sequence[Article], channels: Sequence[str], at: datetime | None, yes: bool
) -> None:
    from syndicate.press import as_sent, render_letter
    from syndicate.store import subscribers

    live = session.settings.channels
    outside = [name for name in channels if live[name]]
    if not outside:
        return
    lines = [f"{article.title} -> {', '.join(outside)}" for article in chosen]
    if "email" in outside:
        assert app.press is not None
        people = await app.store.read(subscribers.audience, None, at or app.clock.now())
        shown = [await app.store.read(as_sent, app.press, article) for article in chosen]
        payloads = [await asyncio.to_thread(render_letter, app.press, one, app.clock.now()) for one in shown]
        lines += await _questions(app, payloads, people)
    session.confirm("\n".join(lines), yes=yes, mails_people="email" in outside)


async def _questions(app: App, payloads: Sequence[Mapping[str, Any]], people: int) -> list[str]:
    """What a person must know before these letters leave, a line each."""
    from syndicate.store import letters
    from syndicate.words import sending

    assert app.press is not None
    email, speed = app.press.email, await app.store.read(letters.last_speed)
    return [
        sending(edition=one["slug"], subject=one["subject"], people=people, email=email, speed=speed)
        for one in payloads
    ]


async def _put(
    session: Session, app: App, article: Article, channel: str, at: datetime | None, again: bool
) -> list[int]:
    from syndicate.store import deliveries

    now = app.clock.now()
    row = {"id": article.id, "title": article.title}
    found = await app.store.write(deliveries.put, channel, row, at or now, now, again=again)
    if found.already:
        session.say(f"{article.title}: already {found.already}; --again sends it once more")
        return []
    return [found.delivery]


async def _carry_out(app: App, ids: Sequence[int]) -> None:
    from syndicate.pipeline import send_now

    await send_now(app, ids)


async def _tell(session: Session, app: App, ids: Sequence[int], at: datetime | None) -> int:
    from syndicate.store import deliveries, pauses

    rows = await app.store.read(deliveries.listing, None, None, list(ids))
    if session.json:
        session.document(rows)
    for row in rows:
        session.result(_line(row, session))
    for name, reason in _stopped(await app.store.read(pauses.standing), rows).items():
        after = "" if "`syndicate resume" in reason else "; what waits goes out after `syndicate resume`"
        session.say(f"paused: {name}: {reason}{after}")
    waiting = ("planned",) if at is not None else ()
    return 0 if all(_is_done(row, waiting) for row in rows) else 1


def _stopped(standing: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The pauses that keep back what is still open here: name -> reason."""
    from syndicate.store.pauses import CLOCK, EVERYTHING, called

    def stops(key: str, row: Mapping[str, Any]) -> bool:
        digest = key.removeprefix("digest:")
        return key in (EVERYTHING, CLOCK, row["channel"]) or (digest != key and row["subject"].startswith(f"{digest}-"))

    kept = [row for row in rows if row["state"] in ("planned", "claimed")]
    return {called(key): reason for key, reason in standing.items() if any(stops(key, row) for row in kept)}


def _is_done(row: Mapping[str, Any], waiting: Sequence[str]) -> bool:
    return row["state"] in ("sent", "rehearsed", "skipped", "held", *waiting) and not (row["people"] or {}).get(
        "failed"
    )


def _line(row: Mapping[str, Any], session: Session) -> str:
    where = f" {row['url']}" if row["url"] else ""
    people = ", ".join(f"{count} {state}" for state, count in (row["people"] or {}).items())
    outbox = f", see {session.settings.data / 'outbox' / row['channel']}" if row["state"] == "rehearsed" else ""
    why = f": {row['error']}" if row["error"] else ""
    return f"{row['channel']:<10}{row['state']:<11}{row['title']}{where}{f' ({people})' if people else ''}{outbox}{why}"


def show(session: Session, references: Sequence[str], channels: Sequence[str]) -> None:
    """--dry-run: articles, audience and text."""
    from syndicate.cli import previews
    from syndicate.store import articles as catalogue

    store = session.ledger()
    try:
        documents = []
        for reference in references:
            article = store.read_now(catalogue.find, reference)
            for channel in channels:
                shown = previews.of_article(session, store, article.id, channel)
                if channel != "email":
                    documents.append({"article": article.id, "channel": channel, "people": None, **shown.document})
                    session.result(f"--- {channel}: {article.title}\n{shown.text}\n")
                    continue
                told, line = _forecast(session, store, shown.document, None)
                documents.append({"article": article.id, "channel": channel, **told, **shown.document})
                session.result(f"--- email: {line}\n{shown.text}\n")
    finally:
        store.close()
    if session.json:
        session.document(documents)
    session.say("Nothing was sent or stored.")


def _forecast(
    session: Session, store: Store, payload: Mapping[str, Any], digest: str | None
) -> tuple[dict[str, Any], str]:
    """To how many and for how long it would go: for --json, and as a line."""
    from syndicate.store import letters, subscribers
    from syndicate.words import lasting, sending

    email = session.settings.email
    assert email is not None
    people = store.read_now(subscribers.audience, digest, session.clock.now())
    speed = store.read_now(letters.last_speed)
    line = sending(edition=payload["slug"], subject=payload["subject"], people=people, email=email, speed=speed)
    return {"people": people, "sender": email.sender, "takes": lasting(people, email, speed)}, line


async def test_articles(session: Session, references: Sequence[str], address: str) -> int:
    """One message an article to one address."""
    from syndicate.app import open_app
    from syndicate.pipeline import catch_up
    from syndicate.press import as_sent, render_letter
    from syndicate.store import articles as catalogue

    async with open_app(session.settings, session.clock, "send") as app:
        await catch_up(app)
        assert app.press is not None
        chosen = [await app.store.read(catalogue.find, reference) for reference in references]
        shown = [await app.store.read(as_sent, app.press, article) for article in chosen]
        payloads = [render_letter(app.press, article, app.clock.now()) for article in shown]
        return await _send_tests(session, app, payloads, address)


# --- digests ----------------------------------------------------------------------------------------------------------


async def digest(session: Session, wanted: DigestSettings, *, yes: bool) -> int:
    """Make an edition now and send it; returns the exit code when nothing is due any more.

    What is frozen is what was rendered before the question, unless an article of it went meanwhile.
    """
    from syndicate.app import open_app
    from syndicate.cli.progress import progress, stop_on_signals
    from syndicate.freeze import freeze_rendered, windows_by_hand
    from syndicate.pipeline import catch_up, send_now
    from syndicate.press import render_edition
    from syndicate.store import editions

    async with open_app(session.settings, session.clock, "digest") as app, stop_on_signals(app):
        await catch_up(app)
        assert app.press is not None
        press = app.press
        ids = await app.store.read(editions.unfinished, wanted.name)  # what is put off is told, though nothing is new
        await send_now(app, [])  # what an earlier one left due
        now = app.clock.now()
        windows = await app.store.read(windows_by_hand, press, wanted, now)
        if not windows:
            session.say(f"{wanted.name}: nothing to send: no ready article that is new to it")
            await _tell_waiting(session, app, wanted)
            return await _tell(session, app, ids, None)
        made = [await asyncio.to_thread(render_edition, press, wanted, window.contents, now) for window in windows]
        if press.live:
            await _ask_digest(session, app, wanted, [payload for _, payload in made], yes)
        for window, (contents, payload) in zip(windows, made, strict=True):
            moment = app.clock.now()
            delivery = await app.store.write(freeze_rendered, press, contents, payload, window, moment, by_hand=True)
            if delivery is None:
                session.say(
                    f"{contents.slug}: not sent: its articles went, or into another edition, since you were asked"
                )
            else:
                ids.append(delivery)
        async with progress(session, app):
            await send_now(app, [])
        return await _tell(session, app, ids, None)


async def _ask_digest(
    session: Session, app: App, wanted: DigestSettings, payloads: Sequence[Mapping[str, Any]], yes: bool
) -> None:
    from syndicate.store import subscribers

    people = await app.store.read(subscribers.audience, wanted.name, app.clock.now())
    lines = await _questions(app, payloads, people)
    if len(lines) > 1:
        lines.append(f"{len(lines)} letters to each of them")
    session.confirm("\n".join(lines), yes=yes, mails_people=people > 0)


async def _tell_waiting(session: Session, app: App, wanted: DigestSettings) -> None:
    from syndicate.store import holding

    for one in await app.store.read(holding.waiting, wanted.name):
        if not one.is_approved:
            session.say(f"{one.slug} waits: `syndicate approve {one.slug}`")


def show_digest(session: Session, wanted: DigestSettings) -> None:
    """--dry-run: articles, audience and text."""
    from syndicate.cli import previews
    from syndicate.press import render_edition
    from syndicate.preview import of_letter

    store = session.ledger()
    try:
        press, now = previews.press_of(session), session.clock.now()
        documents = []
        for window in previews.by_hand(session, store, wanted):
            shown = of_letter(render_edition(press, wanted, window.contents, now)[1])
            told, line = _forecast(session, store, shown.document, wanted.name)
            documents.append({"digest": wanted.name, **told, **shown.document})
            session.result(f"--- {line}\n{shown.text}")
    finally:
        store.close()
    if not documents:
        session.say(f"{wanted.name}: nothing to send")
    if session.json:
        session.document(documents[0] if len(documents) == 1 else documents)
    if documents:
        session.say("Nothing was sent or stored.")


async def test_digest(session: Session, wanted: DigestSettings, address: str) -> int:
    """The edition to one address; nothing is used up. Of a digest that mails each article, the best one."""
    from syndicate.app import open_app
    from syndicate.freeze import windows_by_hand
    from syndicate.pipeline import catch_up
    from syndicate.press import render_edition

    async with open_app(session.settings, session.clock, "digest") as app:
        await catch_up(app)
        assert app.press is not None
        windows = await app.store.read(windows_by_hand, app.press, wanted, app.clock.now())
        if not windows:
            session.say(f"{wanted.name}: nothing to send: no ready article that is new to it")
            if session.json:
                session.document([])
            return 0
        _, payload = render_edition(app.press, wanted, windows[0].contents, app.clock.now())
        return await _send_tests(session, app, [payload], address)


async def _send_tests(session: Session, app: App, payloads: Sequence[Mapping[str, Any]], address: str) -> int:
    from syndicate.mail import send_test
    from syndicate.subscriber import parse_address

    try:
        to = parse_address(address)
    except ValueError as error:
        raise UsageError(str(error)) from error
    assert app.post is not None
    code = 0
    results = []
    for payload in payloads:
        verdict = await send_test(app.post, payload, to.email, app.clock.now())
        good = verdict.fate == "accepted"
        code = code if good else 1
        where = "sent" if app.post.transport.live else f"rehearsed, see {app.settings.data / 'outbox' / 'email'}"
        tell = session.say if good else session.warn
        tell(f"{payload['subject']} -> {to.email}: {where if good else verdict.answer}")
        results.append(
            {"email": to.email, "subject": payload["subject"], "fate": verdict.fate, "answer": verdict.answer}
        )
    if session.json:
        session.document(results)
    return code
