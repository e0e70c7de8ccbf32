"""The tables of what is served: ids taken over, hubs, sessions, limits, growth. Private to the store."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table

from syndicate.store.metadata import metadata
from syndicate.store.values import Text, UtcTime

adopted = Table(  # item ids of the site's former feed
    "adopted",
    metadata,
    Column("link", Text, primary_key=True),  # normalised; 1,000 bytes at most
    Column("feed_id", Text, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
)

hubs = Table(  # WebSub hubs, and which bytes each was told of
    "hubs",
    metadata,
    Column("hub", Text, primary_key=True),
    Column("told", Text, nullable=False, server_default=""),
    Column("due_at", UtcTime),  # null: it knows all; while somebody tells it, his lease
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("problem", Text),
)

sessions = Table(  # logins to the newsroom
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # a hash of the cookie, never the cookie
    Column("made_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("mark", Text, nullable=False),  # of the password it was opened with
    Index(None, "until"),
)

limits = Table(  # how often something was asked for in a span of time, over all machines
    "limits",
    metadata,
    Column("bucket", Text, nullable=False),  # a MAC: no address stands here in clear
    Column("span", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("bucket", "span"),
    Index(None, "span"),
)

growth = Table(  # people by state, a snapshot a day
    "growth",
    metadata,
    Column("day", Text, nullable=False),  # YYYY-MM-DD in the site's zone
    Column("state", Text, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("day", "state"),
)
