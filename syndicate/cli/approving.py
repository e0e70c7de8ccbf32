"""A person approves of editions that wait: each with the text that was frozen, as long as that is the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from syndicate.cli.session import Session
from syndicate.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from syndicate.press import Press
    from syndicate.store.database import Store
    from syndicate.store.holding import Waiting

RULE = "approve"  # holds posts and editions of channels and digests with `approve = true`
LOOKS = 3  # at an edition that changes as often while it is being approved


def named(
    session: Session, references: Sequence[str] | None, rule: str | None, *, everything: bool, quiet: bool
) -> list[str]:
    """Slugs of the editions that wait and are meant."""
    from syndicate.store import holding

    if rule not in (None, RULE):
        return []
    waiting = [one.slug for one in session.read(holding.waiting) if one.state == "held"]
    if references:
        found = [one for one in references if one in waiting]
        if found and quiet:
            raise UsageError(f"{found[0]} is an edition: --quiet is for articles")
        return found
    return [] if quiet or not (everything or rule) else waiting


def approve(session: Session, slugs: Sequence[str]) -> list[dict[str, Any]]:
    """Approve of these editions; returns what became of each, for --json.

    One whose text is another by now is frozen anew, and waits for a second look.
    """
    from syndicate.app import press

    made = press(session.settings)
    if made is None:
        raise UsageError("there is no [email] in the configuration: an edition has no way to people")
    store = session.ledger()
    try:
        return [_approve(session, store, made, slug) for slug in slugs]
    finally:
        store.close()


def _approve(session: Session, store: Store, press: Press, slug: str) -> dict[str, Any]:
    from syndicate.freeze import hold_anew, what_now
    from syndicate.store import holding

    for _ in range(LOOKS):
        [*found] = store.read_now(holding.waiting, None, slug)
        if not found or found[0].state != "held":
            return _told(session, slug, "already", "was approved, or has ended, by somebody else just now")
        one, now = found[0], session.clock.now()
        digest = next((digest for digest in press.settings.digests if digest.name == one.digest), None)
        if digest is None:
            raise UsageError(f"{slug}: there is no digest {one.digest!r} in the configuration any more")
        fate = store.read_now(what_now, press, digest, one, now, heed=False)
        if isinstance(fate, tuple):
            if store.write_now(holding.end, one, *fate):
                return _told(session, slug, fate[0], fate[1])
        elif fate is not None:
            if session.run(hold_anew(press, store, digest, one, fate, now)):
                text = f"its text was edited: look at it (`syndicate preview --digest {slug}`) and approve it again"
                return _told(session, slug, "held", text)
        elif store.write_now(_sign, one, session.who, now):
            return _told(session, slug, "approved", _when(session, store, one))
    raise UsageError(f"{slug} changes all the time: try again")


def _sign(connection: Connection, one: Waiting, who: str, now: datetime) -> bool:
    from syndicate.store import acts, holding

    if not holding.approve(connection, one, now):
        return False
    acts.note(connection, [one.slug], "approved", who, now)
    return True


def _when(session: Session, store: Store, one: Waiting) -> str:
    from syndicate.store import holding, subscribers

    [now_waiting] = store.read_now(holding.waiting, None, one.slug) or [one]
    due = now_waiting.due_at or session.clock.now()
    people = store.read_now(subscribers.audience, one.digest, due)
    later = due > session.clock.now()
    when = f"at its slot, {due.astimezone(session.settings.site.zone):%a %d %b %H:%M}" if later else "now"
    return f"{one.title!r} goes to {people:,} people {when}, by `syndicate run`"


def _told(session: Session, slug: str, verdict: str, text: str) -> dict[str, Any]:
    session.say(f"{verdict}: {slug}: {text}")
    return {"edition": slug, "verdict": verdict, "text": text}
