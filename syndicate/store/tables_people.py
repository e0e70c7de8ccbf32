"""The tables of people: who gets letters, what they wished, what came back from them. Private to the store."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, UniqueConstraint

from syndicate.store.metadata import metadata, partial
from syndicate.store.values import Key, Text, UtcTime

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("address_key", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),
    Column("tags", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("reason", Text),
    Column("consent", Text, nullable=False),  # JSON: when, where from, what was shown
    Column("paused_until", UtcTime),  # gets nothing up to then: his own wish
    Index(None, "state"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("subscriber", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("subscriber", "digest"),
    Index(None, "digest"),
)

suppressions = Table(  # survives erasure and import
    "suppressions",
    metadata,
    Column("address_hash", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("delivery", Key),  # whose bounce it was: a wave of them can be undone
    Column("via", Text),  # smtp | dsn | arf | ses | postmark; null: a person
)

wishes = Table(  # what people said themselves: append-only
    "wishes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subscriber", Key, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("what", Text, nullable=False),  # asked | confirmed | chose | paused | resumed | left | came-back
    Column("told", Text, nullable=False),  # JSON: where from, which digests, what was shown
    Index(None, "subscriber"),
)

confirmations = Table(  # one row a confirmation mail; hash and times outlive the person: they are the counter
    "confirmations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("address_hash", Text, nullable=False),
    Column("number", Integer, nullable=False),  # 1, 2, 3: the most that one address ever gets
    Column("subscriber", Key),  # no foreign key: it outlives erasure
    Column("digests", Text, nullable=False, server_default="[]"),  # JSON: chosen when confirmed
    Column("consent", Text, nullable=False, server_default="{}"),  # JSON
    Column("asked_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),  # its link is good up to then
    Column("due_at", UtcTime),  # null: no mail is owed
    Column("owner", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("mailed_at", UtcTime),
    Column("confirmed_at", UtcTime),
    Column("answer", Text),
    UniqueConstraint("address_hash", "number"),
    partial("ix_confirmations_due", "due_at", "id", where="due_at IS NOT NULL"),
    partial("ix_confirmations_owner", "owner", where="owner IS NOT NULL"),
    Index(None, "subscriber"),
    Index(None, "until"),
)  # fmt: skip

returns = Table(  # what came back: delivery reports and complaints, stored before they are answered
    "returns",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Text, nullable=False),  # dsn | arf | ses | postmark
    Column("event", Text, nullable=False),  # the provider's id of it: what comes twice counts once
    Column("received_at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # hard | soft | complaint | other
    Column("delivery", Key),
    Column("letter", Key),
    Column("subscriber", Key),
    Column("proved", Boolean, nullable=False),  # named by a mark that only our letter holds
    Column("status", Text),
    Column("answer", Text),
    Column("raw", Text),  # emptied after a while, and on erasure
    Column("applied_at", UtcTime),
    UniqueConstraint("provider", "event"),
    Index(None, "subscriber"),
    partial("ix_returns_open", "received_at", where="applied_at IS NULL"),
)  # fmt: skip
