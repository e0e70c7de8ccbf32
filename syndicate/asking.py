"""asking: confirmation -> mail -> transport -> settle. The one mail that asks a person whether it was he.

It holds no word that a stranger typed, no image and nothing that follows him. A death costs one more copy at most
twice, with the same Message-ID; how many a person is asked at all is the ledger's to say.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syndicate import letter
from syndicate.clock import Clock
from syndicate.config import schedule
from syndicate.crashpoint import crashpoint
from syndicate.errors import SyndicateError
from syndicate.letterfate import channel_trouble, discreet
from syndicate.logs import get
from syndicate.post import Post
from syndicate.press import Press
from syndicate.render import Templates
from syndicate.store import confirmations, pauses, throttles
from syndicate.store.confirmations import Owed, Settled
from syndicate.store.database import Store
from syndicate.store.letters import CHANNEL
from syndicate.store.owners import Owner
from syndicate.store.pauses import Gate
from syndicate.transports.base import Envelope, Fate, Verdict

GROUP = 25  # mails at most that are claimed at once
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=5), timedelta(hours=1)

_KEYS = (CHANNEL, throttles.QUOTA_KEY)

log = get(__name__)


async def ask_due(post: Post, press: Press, store: Store, owner: Owner, clock: Clock) -> int:
    """Mail the confirmations owed now, a group of them; returns how many verdicts came. Ends what nobody answered.

    Raises StoreError. What hinders a mail is noted with it, or pauses the channel, as with any other letter.
    """
    if not await store.read(_is_work, clock.now()) or not owner.stands():
        return 0
    begun = clock.monotonic()
    owed = await store.write(_take_up, owner.id, clock.now())
    if not owed:
        return 0
    crashpoint("ask.claimed")
    told: dict[int, Verdict] = {}
    try:
        await _send(owed, told, post, press, owner, begun)
    except asyncio.CancelledError:
        await store.write(_settle, owner.id, owed, told, clock.now())
        raise
    await store.write(_settle, owner.id, owed, told, clock.now())
    return len(told)


def _is_work(connection: Connection, now: datetime) -> bool:
    due = confirmations.due(connection, now)
    return "ended" in due or ("owed" in due and pauses.is_open(connection, _KEYS, now) is not Gate.SHUT)


def _take_up(connection: Connection, owner: str, now: datetime) -> list[Owed]:
    confirmations.expire(connection, now)
    gate = pauses.gate(connection, _KEYS, now)
    if not gate:
        return []
    owed = confirmations.claim(connection, owner, now, GROUP if gate is Gate.OPEN else 1)
    if owed and gate is Gate.PROBE:
        pauses.probed(connection, _KEYS, now)
    return owed


async def _send(
    owed: Sequence[Owed], told: dict[int, Verdict], post: Post, press: Press, owner: Owner, begun: float
) -> None:
    """Send them; what becomes of each is `told` as it is known, by number. Those without a verdict were not sent."""

    def hear(verdict: Verdict) -> bool:
        told[verdict.letter] = verdict
        crashpoint("ask.accepted")
        return verdict.fate is not Fate.CHANNEL

    envelopes = await asyncio.to_thread(_envelopes, owed, told, post, press)
    async with post.transport.connect() as line:
        await line.send(envelopes, hear, lambda: owner.stands(begun))


def _envelopes(owed: Sequence[Owed], told: dict[int, Verdict], post: Post, press: Press) -> list[Envelope]:
    made = []
    for one in owed:
        try:
            made.append(envelope(one, post, press))
        except ValueError as error:  # an address that no header may hold
            told[one.id] = Verdict(letter=one.id, fate=Fate.REJECTED, answer=str(error))
    return made


def envelope(owed: Owed, post: Post, press: Press) -> Envelope:
    """The mail, with the same bytes whenever it is made."""
    email = press.email
    words = {
        "site": press.settings.site,
        "asked": f"{owed.asked_at.day} {owed.asked_at:%B %Y}",
        "digests": [
            {"name": one.name, "when": schedule.in_words(one.schedule)}
            for one in press.settings.digests
            if one.name in owed.digests
        ],
        "link": post.link("confirm", owed.id),
        "postal_address": email.postal_address,
    }
    subject, text = _text(press.templates, words)
    mac = hmac.digest(post.secret, b"syndicate confirm 1 %d" % owed.id, hashlib.sha256)
    pieces = letter.notice(
        sender=email.sender, reply_to=email.reply_to, to=owed.email, subject=subject, text=text, date=owed.asked_at,
        message_id=f"<{base64.b32encode(mac[:15]).decode().lower()}@{email.sender_domain}>", dkim=post.dkim,
    )  # fmt: skip
    return Envelope(
        letter=owed.id, sender=letter.mailbox(email.sender)[1], recipient=owed.email, pieces=pieces, edition="confirm"
    )


def _text(templates: Templates, words: dict[str, object]) -> tuple[str, str]:
    """Subject and text. Where the owner's template is broken ours is used: a person waits for this mail."""
    for chosen in (templates, Templates()):
        try:
            head, _, text = chosen.render_notice("confirm", **words).partition("\n")
            if head.startswith("Subject: ") and str(words["link"]) in text:
                return head.removeprefix("Subject: ").strip(), text.strip()
            log.error("confirm.txt must begin with `Subject: ` and hold {{ link }}: ours is used")
        except SyndicateError as error:
            log.error("confirm.txt is broken: ours is used", error=str(error))
    raise SyndicateError("the shipped confirm.txt is broken: install syndicate again")


def judged(owed: Owed, verdict: Verdict | None, now: datetime) -> Settled:
    """What a verdict makes of a confirmation; None: none came, it was not sent. Pure.

    Without an answer to the final dot it may have arrived: it is repeated once, with the same Message-ID.
    """
    if verdict is None:
        return Settled(id=owed.id, due_at=now, tried=False)
    answer = discreet(verdict.answer, owed.email)
    if verdict.fate is Fate.ACCEPTED or (verdict.in_doubt and owed.crashes):
        return Settled(id=owed.id, mailed=True, answer=answer)
    if verdict.fate is Fate.REJECTED:
        return Settled(id=owed.id, answer=answer)
    if verdict.fate is Fate.CHANNEL:
        return Settled(id=owed.id, due_at=now, tried=False, answer=answer)
    again = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(owed.attempts - 1, 8))
    due_at = again if again < owed.until else None  # past its end nobody could press the button
    return Settled(id=owed.id, due_at=due_at, in_doubt=verdict.in_doubt, answer=answer)


def _settle(
    connection: Connection, owner: str, owed: Sequence[Owed], told: Mapping[int, Verdict], now: datetime
) -> None:
    """Note what became of them; what concerns the channel rests it, for letters too (rule 20)."""
    confirmations.settle(connection, owner, [judged(one, told.get(one.id), now) for one in owed], now)
    if any(verdict.fate is Fate.ACCEPTED for verdict in told.values()):
        throttles.heal(connection, pauses.known(connection), (), now)
    for one in owed:
        verdict = told.get(one.id)
        if verdict is not None and verdict.fate is Fate.CHANNEL:
            verdict.answer = discreet(verdict.answer, one.email)
            throttles.told(connection, channel_trouble(verdict, now), {}, (), now)
