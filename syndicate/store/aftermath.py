"""What a group's verdicts mean beyond its letters: for the counters, the people, the edition and the channel. All in
the transaction that settles the group; never decides what an answer means, nor sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from syndicate.delivery import LetterSettlement, LetterState
from syndicate.store import mailings, pauses, suppressing
from syndicate.store.letters import CHANNEL
from syndicate.store.mailings import Standing
from syndicate.store.schema import attempts, deliveries, editions

BLAMES = 3  # people in a row, refused for what we are or sent, that pause the channel
HARD, SOFT = "hard", "soft"


def follow(
    connection: Connection,
    delivery: int,
    accepted: int,
    others: Sequence[tuple[LetterSettlement, int]],
    secret: bytes,
    now: datetime,
) -> None:
    """Draw the consequences of a settled group: `accepted` letters, and the `others`, each with its subscriber.

    Give only what was really written: a letter that was taken back meanwhile is somebody else's to tell of.
    """
    ends = Counter(one.state.value for one, _ in others if one.state is not LetterState.DUE)
    refused = [one for one, _ in others if one.blames]
    nobody = {subscriber: _words(one) for one, subscriber in others if one.person == HARD}
    if accepted or ends or refused:
        standing = mailings.note(
            connection, delivery, settled=accepted + ends.total(), sent=accepted, hard=len(nobody), now=now,
            blamed=_first_refusals(connection, delivery, refused), others=ends,
        )  # fmt: skip
        if nobody:
            suppressing.bounced(connection, delivery, nobody, secret, now)
            _stop_wave(connection, delivery, standing, now)
        if refused and standing.blamed >= BLAMES:
            reason = f"{refused[-1].answer}: check email.sender, its DNS records and the text"
            pauses.by_fault(connection, CHANNEL, reason, now)
    if out_of_reach := {subscriber: _words(one) for one, subscriber in others if one.person == SOFT}:
        suppressing.missed(connection, delivery, out_of_reach, secret, now)


def came_back(connection: Connection, delivery: int, now: datetime) -> None:
    """A report says that somebody's mailbox does not exist, after his letter was accepted: a wave of them stops the
    edition as well, as far as it is not out yet.
    """
    standing = mailings.came_back(connection, delivery, 1)
    if standing:
        _stop_wave(connection, delivery, standing, now)


def _words(one: LetterSettlement) -> str:
    return f"{one.code or ''} {one.answer}".strip()


def _first_refusals(connection: Connection, delivery: int, refused: Sequence[LetterSettlement]) -> int:
    """How many of these were not refused before. The same few, tried again at the end of an edition that reached
    everybody else, are no row of different people.
    """
    if not refused:
        return 0
    a = attempts.c
    query = (
        select(a.letter)
        .where(a.delivery == delivery, a.letter.in_([one.letter for one in refused]), a.status >= 500)
        .group_by(a.letter)
        .having(func.count() == 1)
    )
    return len(connection.scalars(query).all())


def _stop_wave(connection: Connection, delivery: int, standing: Standing, now: datetime) -> None:
    """Stop an edition too many of whose addresses do not exist: the list is old, or the server wrong about all of
    them. Only a person knows which.
    """
    if not standing.is_wave or mailings.is_allowed(connection, delivery):
        return
    digest = connection.scalar(
        select(editions.c.digest)
        .join_from(deliveries, editions, editions.c.slug == deliveries.c.subject)
        .where(deliveries.c.id == delivery, deliveries.c.kind == "edition")
    )
    name = digest or CHANNEL
    reason = (
        f"stopped: {standing.hard} of {standing.settled} addresses do not exist: is the list old, or the mail server"
        f" wrong? `syndicate resume {name}` goes on without them, `syndicate resume {name} --forgive` takes them back"
    )
    pauses.by_fault(connection, f"digest:{digest}" if digest else CHANNEL, reason, now, rest=None)
