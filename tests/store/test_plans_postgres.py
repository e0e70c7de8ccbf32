"""PostgreSQL plans by its statistics: with much that is over and little that is due, claims read indexes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from syndicate.store import letters
from syndicate.store.database import Store
from tests.store.conftest import only
from tests.store.rows import NOON, begin, frozen, join, planned
from tests.store.test_plans import EVERY_SECOND

OVER = 20_000

ALIKE = ("claim a delivery", "owners of deliveries", "what may go now", "claim a group")
CLAIMS: dict[str, Callable[[Store], object]] = {
    **{one: EVERY_SECOND[one] for one in ALIKE},
    "owners of letters": lambda s: s.read_now(letters.claimants),
    "take back letters": lambda s: s.write_now(letters.take_back, ["dead"], NOON),
}


def much_that_is_over(connection: Connection) -> None:
    """Copies of what there is, long sent."""
    for table, keys in (("deliveries", "channel, kind, subject"), ("letters", "delivery, subscriber")):
        columns = [
            name
            for (name,) in connection.execute(
                text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"), {"table": table}
            )
            if name != "id"
        ]
        first = keys.split(", ")[-1]
        new = {
            "state": "'sent'",
            "sent_at": "timestamptz '2020-01-01'",
            first: "n::text || 'x'" if first == "subject" else "n + 1000",
            "due_at": "NULL",
        }
        values = ", ".join(new.get(name, f"t.{name}") for name in columns)
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {values} FROM (SELECT * FROM {table} ORDER BY id LIMIT 1) AS t,"
                f" generate_series(1, {OVER}) AS n"
            )
        )


@pytest.fixture
def steps(store: Store) -> Iterator[list[str]]:
    """How each statement of the test is carried out."""
    planned(store, 1)
    begin(store, channels=("email",))
    join(store, "ada")
    frozen(store)
    store.write_now(much_that_is_over)
    store.write_now(lambda connection: connection.execute(text("ANALYZE")))
    found: list[str] = []

    def note(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            found.extend(row[0] for row in cursor.connection.execute(f"EXPLAIN {statement}", parameters).fetchall())

    for engine in (store._reader, store._writer):
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in (store._reader, store._writer):
        event.remove(engine, "before_cursor_execute", note)


@only("postgresql")
@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_reads_no_letter_and_no_delivery_that_is_over(store: Store, steps: list[str], name: str) -> None:
    CLAIMS[name](store)
    assert steps
    assert [one for one in steps if "Seq Scan on letters" in one or "Seq Scan on deliveries" in one] == []
