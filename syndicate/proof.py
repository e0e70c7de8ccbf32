"""proof: the edition of a coming slot -> its owner, with what is said of it and a link that stops its digest.

It uses nothing up: the edition is chosen and written again at its slot, so that edits until then still count. A death
between claim and answer shows it once more, with the same Message-ID; a proof that never arrives stops nothing.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

from sqlalchemy import Connection

from syndicate import freeze, letter, lint
from syndicate.clock import Clock
from syndicate.config import DigestSettings
from syndicate.crashpoint import crashpoint
from syndicate.errors import SyndicateError
from syndicate.letter import Person, Stencil
from syndicate.logs import get
from syndicate.post import Post
from syndicate.press import Press, is_each, render_edition
from syndicate.slots import next_slots
from syndicate.store import deliveries, holding, pauses, proofs, subscribers
from syndicate.store.database import Store
from syndicate.store.owners import Owner
from syndicate.store.proofs import Proof
from syndicate.transports.base import Envelope, Fate, Verdict, ask

AGAIN = timedelta(minutes=5)  # after which a proof that was not taken is tried again
NOBODY = 0  # the subscriber of its letter: its links change nothing

log = get(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is to be shown of a coming edition."""

    digest: DigestSettings
    slot: datetime
    people: int
    slug: str
    payload: Mapping[str, Any] | None = None  # of an edition that is frozen, and held
    window: freeze.Window | None = None  # of one that is not
    is_approved: bool = False


async def send_due(post: Post, press: Press, store: Store, owner: Owner, clock: Clock) -> int:
    """Show each edition whose slot is `proof` away or less, once; returns how many letters were tried.

    Raises StoreError. A proof that cannot be made or sent is told in the log: its edition goes out all the same.
    """
    wanted = [digest for digest in press.settings.digests if digest.proof and not is_each(digest)]
    tried = 0
    for digest in wanted if press.settings.alerts.email else []:
        sight = await store.read(in_sight, press, digest, clock.now())
        if sight is None or not owner.stands():
            continue
        try:
            tried += await _show(post, press, store, owner, clock, sight)
        except (SyndicateError, ValueError) as error:
            log.error("no proof", digest=digest.name, error=str(error))
    return tried


def in_sight(connection: Connection, press: Press, digest: DigestSettings, now: datetime) -> Sight | None:
    """The coming edition that nobody has shown yet; None: it is not time, it was, or there is too little in it."""
    slot = next(iter(next_slots(digest.schedule, press.settings.site.zone, now, 1)), None)
    if slot is None or not digest.proof or now < slot - digest.proof:
        return None
    if not proofs.wanted(connection, digest.name, slot, press.live, now):
        return None
    if not pauses.is_open(connection, ["email", f"digest:{digest.name}"], now):
        return None
    people = subscribers.audience(connection, digest.name, slot)
    for one in holding.waiting(connection, digest.name):
        if one.slot == slot:
            payload = deliveries.frozen(connection, one.delivery)[1]
            return Sight(
                digest=digest, slot=slot, people=people, slug=one.slug, payload=payload, is_approved=one.is_approved
            )
    window = None if digest.approve else freeze.coming_window(connection, press, digest, now)
    if window is None:
        return None
    return Sight(digest=digest, slot=slot, people=people, slug=window.contents.slug, window=window)


async def _show(post: Post, press: Press, store: Store, owner: Owner, clock: Clock, sight: Sight) -> int:
    begun, payload = clock.monotonic(), sight.payload
    if sight.window is not None:
        _, payload = await asyncio.to_thread(render_edition, press, sight.digest, sight.window.contents, clock.now())
    assert payload is not None
    one = await store.write(
        proofs.claim, sight.digest.name, sight.slot, live=press.live, shown=_mark(payload), owner=owner.id,
        now=clock.now(),
    )  # fmt: skip
    if one is None:
        return 0
    crashpoint("proof.claimed")
    verdict = None
    try:
        envelope = await asyncio.to_thread(envelope_of, post, press, sight, payload, one)
        verdict = await ask(post.transport, envelope) if owner.stands(begun) else None
        crashpoint("proof.sent")
    finally:
        sent_at, due_at, answer = judged(one, verdict, clock.now())
        await store.write(proofs.settle, one, owner.id, sent_at=sent_at, due_at=due_at, answer=answer)
    if sent_at:
        log.info("proof sent", edition=sight.slug, people=sight.people)
    else:
        log.warning("proof not sent", edition=sight.slug, answer=answer)
    return 1


def judged(one: Proof, verdict: Verdict | None, now: datetime) -> tuple[datetime | None, datetime | None, str]:
    """What a verdict makes of a proof: sent when, tried again when, and the answer. Pure."""
    if verdict is None:
        return None, now + AGAIN, "not tried to the end"
    if verdict.fate is Fate.ACCEPTED:
        return now, None, verdict.answer
    again = verdict.fate is not Fate.REJECTED and not (verdict.in_doubt and one.attempt >= proofs.TRIES)
    return None, now + AGAIN if again else None, verdict.answer


def _mark(payload: Mapping[str, Any]) -> str:
    return hashlib.sha256(f"{payload['subject']}\0{payload['html']}".encode()).hexdigest()[:32]


# --- the letter -------------------------------------------------------------------------------------------------------


def envelope_of(post: Post, press: Press, sight: Sight, payload: Mapping[str, Any], one: Proof) -> Envelope:
    """The letter to the owner: what will go out, below what he must know of it. Raise ValueError for a bad address."""
    lines = _words(post, press, sight, payload, one)
    shown = {
        **payload,
        "slug": f"proof-{sight.slug}",
        "subject": f"[Proof] {payload['subject']}",
        "html": _above(payload["html"], lines),
        "text": "\n".join([*lines, "", "-" * 60, "", payload["text"]]),
    }
    stencil = Stencil(shown, post.public_url)
    _, address = letter.mailbox(press.settings.alerts.email)
    mac = hmac.digest(post.secret, b"syndicate proof 1 %d" % one.id, hashlib.sha256)
    person = Person(
        letter=0,
        subscriber=NOBODY,
        email=address,
        message_id=f"<{base64.b32encode(mac[:15]).decode().lower()}@{payload['domain']}>",
        unsubscribe_url=post.link("unsubscribe", NOBODY),
        preferences_url=post.link("preferences", NOBODY),
    )
    pieces: Sequence[bytes] = stencil.fill(person)
    if post.dkim is not None:
        pieces = [post.dkim.sign(pieces, datetime.fromisoformat(payload["date"])), *pieces]
    return Envelope(letter=0, sender=stencil.sender, recipient=address, pieces=pieces, edition=shown["slug"])


def _words(post: Post, press: Press, sight: Sight, payload: Mapping[str, Any], one: Proof) -> list[str]:
    when = f"{sight.slot.astimezone(press.settings.site.zone):%A %d %B %H:%M}"
    people = f"{sight.people:,} {'person' if sight.people == 1 else 'people'}"
    rehearsal = "" if press.live else " This is a rehearsal: it goes into the outbox."
    lines = [f"Proof of {sight.slug}: it goes to {people} on {when}.{rehearsal}"]
    if sight.is_approved:
        lines.append("It is approved. An edit of its articles until then holds it again.")
    elif sight.payload is not None:
        lines.append(f"It waits for you: `syndicate approve {sight.slug}`. Without that it does not go out.")
    else:
        lines.append("You need not do anything. Edits of its articles until then still count.")
    lines.append(f"Stop it: {post.link('stop', one.id)}")
    remarks = lint.lint(payload, press.settings.web.public_url, postal_address=press.email.postal_address)
    lines += [f"{'PROBLEM' if remark.level == 'fail' else 'Note'}: {remark.text}" for remark in remarks]
    return lines


def _above(html: str, lines: Sequence[str]) -> str:
    """The letter below these lines; addresses among them are links."""
    told = "".join(f'<p style="margin:0 0 8px 0">{_linked(line)}</p>' for line in lines)
    block = (
        '<div dir="ltr" lang="en" style="background:#fff7d6;color:#1a1a1a;font:14px/20px sans-serif;padding:16px">'
        f"{told}</div>"
    )
    head, body, rest = html.partition("<body")
    tag, end, below = rest.partition(">")
    return f"{head}{body}{tag}{end}{block}{below}" if end else f"{block}{html}"


def _linked(line: str) -> str:
    words, _, link = line.rpartition(" ")
    if not link.startswith(("https://", "http://")):
        return escape(line)
    return f'{escape(words)} <a href="{escape(link)}">{escape(link)}</a>'
