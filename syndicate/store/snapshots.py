"""People by state, counted once a day: what their growth is drawn from. Never changed once it is noted."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from syndicate.store.inserting import insert_or_ignore
from syndicate.store.schema import growth
from syndicate.subscriber import State

ALWAYS = State.ACTIVE.value  # noted also where there is nobody: it tells that the day is done


def is_noted(connection: Connection, day: str) -> bool:
    """Whether that day (YYYY-MM-DD in the site's zone) has its counts."""
    query = select(growth.c.count).where(growth.c.day == day, growth.c.state == ALWAYS)
    return connection.execute(query).first() is not None


def note(connection: Connection, day: str, counts: Mapping[str, int]) -> bool:
    """Note a day's counts by state; False: somebody was quicker, and his stand."""
    first = insert_or_ignore(connection, growth).values(day=day, state=ALWAYS, count=counts.get(ALWAYS, 0))
    if not connection.execute(first).rowcount:
        return False
    rest = [{"day": day, "state": state, "count": count} for state, count in counts.items() if state != ALWAYS]
    if rest:
        connection.execute(insert_or_ignore(connection, growth), rest)
    return True
