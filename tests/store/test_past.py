"""What the web shows of past editions: live ones that went to people, the newest first; nothing else."""

from __future__ import annotations

from sqlalchemy import Connection, update

from syndicate.store import past
from syndicate.store.database import Store
from syndicate.store.schema import deliveries, editions
from tests.store.rows import NOON, frozen, join


def edition(store: Store, slug: str, state: str = "sent", *, live: bool = True) -> None:
    frozen(store, subject=slug, live=live)

    def note(connection: Connection) -> None:
        connection.execute(
            editions.insert().values(slug=slug, digest="weekly", until=NOON, state="frozen", live=live, made_at=NOON)
        )
        mine = update(deliveries).where(deliveries.c.subject == slug)
        connection.execute(mine.values(state=state, payload=f'{{"html": "<p>{slug}</p>"}}'))

    store.write_now(note)


def test_only_live_editions_that_went_out_or_are_going_are_seen(store: Store) -> None:
    join(store, "ada")
    for number, state in enumerate(("sent", "claimed", "held", "planned", "failed", "expired", "cancelled", "skipped")):
        edition(store, f"weekly-{number}", state)
    edition(store, "weekly-8", "rehearsed", live=False)
    assert [one.slug for one in store.read_now(past.listing, None, 50)] == ["weekly-1", "weekly-0"]
    assert [store.read_now(past.html, f"weekly-{number}") for number in range(9)] == [
        "<p>weekly-0</p>", "<p>weekly-1</p>", *[None] * 7,
    ]  # fmt: skip


def test_they_are_paged_by_the_slug_of_the_last_one_seen(store: Store) -> None:
    join(store, "ada")
    for number in range(5):
        edition(store, f"weekly-{number}")
    assert [one.slug for one in store.read_now(past.listing, "weekly-3", 2)] == ["weekly-2", "weekly-1"]
    assert store.read_now(past.listing, "weekly-0", 2) == []
    assert store.read_now(past.listing, "weekly-9", 2) == []
