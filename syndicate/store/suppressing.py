"""Who must get nothing any more because of what a mail server said, and how that is undone. In the transaction that
settles the letter; never decides what an answer means (`transports.verdicts` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from syndicate.store.among import among
from syndicate.store.database import insert_or_ignore
from syndicate.store.schema import subscribers, suppressions
from syndicate.store.subscribers import address_hash
from syndicate.subscriber import State

SMTP = "smtp"

_THESE = among(subscribers.c.id, "people")
_PEOPLE = select(subscribers.c.id, subscribers.c.address_key, subscribers.c.state).where(_THESE)


def bounced(
    connection: Connection, delivery: int, people: Mapping[int, str], secret: bytes, now: datetime, via: str = SMTP
) -> int:
    """End everything for people whose mailbox does not exist; returns how many were active until now.

    `people`: subscriber -> the server's words, without his address. Who left or complained stays what he is.
    """
    count = 0
    for row in connection.execute(_PEOPLE.order_by(subscribers.c.id), {"people": list(people)}).all():
        if row.state in (State.ACTIVE, State.PENDING):
            values = {"state": State.BOUNCED, "since": now, "reason": people[row.id]}
            connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(values))
            count += 1
        hashed = address_hash(secret, row.address_key)
        values = {"address_hash": hashed, "reason": State.BOUNCED, "since": now, "delivery": delivery, "via": via}
        connection.execute(insert_or_ignore(connection, suppressions).values(values))
    return count
