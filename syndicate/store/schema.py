"""The tables. Private to the store; their history is in `migrations/`, which a test holds to be the same."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from syndicate.store.metadata import metadata, partial, unbounded
from syndicate.store.tables_people import (
    confirmations,
    returns,
    subscribers,
    subscriptions,
    suppressions,
    wishes,
)
from syndicate.store.tables_web import adopted, growth, hubs, limits, sessions
from syndicate.store.values import Key, Text, UtcTime

__all__ = [
    "acts", "adopted", "alerts", "articles", "attempts", "channels", "checks", "confirmations", "deliveries",
    "digests", "edition_articles", "editions", "growth", "hubs", "letters", "letters_past", "limits", "mailings",
    "metadata", "owners", "pauses", "proofs", "returns", "sessions", "settings", "sources", "subscribers",
    "subscriptions", "suppressions", "tokens", "wishes",
]  # fmt: skip

HEAD = "0004"
"""The newest migration; a database that states it needs no migration tool (which costs 0.2 s to load)."""

APPLICATION_ID = 0x53594E44
""""SYND", in the SQLite file's header: tells our database from somebody else's."""

settings = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

owners = Table(  # one row a process that may claim
    "owners",
    metadata,
    Column("id", Text, primary_key=True),
    Column("what", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),  # held without a break from here on
    Column("lease_until", UtcTime, nullable=False),
    Column("config", Text, nullable=False, server_default=""),  # fingerprint of what must agree between machines
    Column("trouble", Text, nullable=False, server_default="[]"),  # JSON: what only this process sees is wrong with it
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("baseline_at", UtcTime),  # end of the first complete scan
    Column("scanned_at", UtcTime),
    Column("problem", Text),
    Column("problem_since", UtcTime),
    Column("rebaseline", Boolean, nullable=False, server_default="0"),  # what the next scan finds is not announced
    Column("forget", Boolean, nullable=False, server_default="0"),  # what is missing was deleted on purpose
    Column("lag", Text),  # why a checkout could not be brought up to date
    Column("lag_since", UtcTime),
    Column("feed", Text),  # JSON: what a web feed told of itself the last time
    Column("owner", Text),  # the process that scans it
)

articles = Table(
    "articles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("stat", Text, nullable=False),  # "size:mtime_ns:inode"
    Column("state", Text, nullable=False),
    Column("missed_at", UtcTime),  # first scan that did not find the file
    Column("hash", Text, nullable=False),
    Column("guid", Text),
    Column("slug", Text, nullable=False),
    Column("stated", Text),  # the stated date, for identity by slug and date
    Column("url", Text, nullable=False),
    Column("title_key", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON list
    Column("verdict", Text),  # a person's: approved | rejected
    Column("verdict_because", Text),
    Column("look_again_at", UtcTime),  # when the verdict may change by itself
    Column("first_seen", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("released", UtcTime),
    Column("entered", UtcTime),
    Column("baseline", Boolean, nullable=False),
    Column("delay_from", UtcTime),
    Column("delay_restarts", Integer, nullable=False, server_default="0"),
    Column("fields", Text, nullable=False),  # JSON of the manuscript without its body
    Column("body", Text, nullable=False),
    Column("feed_id", Text),  # of the site's former feed; null: its own urn:uuid
    partial("uq_articles_source_path", "source", "path", unique=True, where="state <> 'gone'"),
    partial("ix_articles_seen", "source", "path", "id", "stat", "missed_at", "state", where="state <> 'gone'"),
    partial("uq_articles_feed_id", "feed_id", unique=True, where="feed_id IS NOT NULL"),
    partial("ix_articles_look_again_at", "look_again_at", where="look_again_at IS NOT NULL"),
    Index(None, "hash"),
    unbounded("url"),
    Index(None, "source", "guid"),
    unbounded("slug"),
    Index(None, "title_key", "first_seen"),
    Index(None, "state", "released", "id"),  # what is ready, the newest first; how many in each state
)  # fmt: skip

checks = Table(  # what was looked up in the world about articles
    "checks",
    metadata,
    Column("article", Text, nullable=False),
    Column("what", Text, nullable=False),  # page | image
    Column("url", Text, nullable=False),
    Column("state", Text, nullable=False),  # unknown | good | bad
    Column("tries", Integer, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("due_at", UtcTime),  # null: settled
    Column("type", Text),
    Column("length", BigInteger),
    PrimaryKeyConstraint("article", "what"),
    partial("ix_checks_due_at", "due_at", where="due_at IS NOT NULL"),
)

channels = Table(  # the mutex of pacing, and each channel's baseline
    "channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("live", Boolean, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),  # answers in a row that say: the provider is down
)

tokens = Table(  # logins at providers
    "tokens",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("sealed", Text, nullable=False),  # encrypted; "" where the token stands in the configuration
    Column("author", Text),
    Column("name", Text),
    Column("scope", Text, nullable=False),
    Column("obtained_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("refresh_until", UtcTime),
    Column("renew_at", UtcTime),  # who may refresh it next: claimed by putting it off
    Column("fingerprint", Text),  # of a configured token that its provider told us about
)

digests = Table(
    "digests",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since", UtcTime, nullable=False),
)

pauses = Table(
    "pauses",
    metadata,
    Column("key", Text, primary_key=True),  # 'all', a channel, 'digest:NAME'
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("by_fault", Boolean, nullable=False),  # ours: a probe may end it; a person's stands
    Column("probe_at", UtcTime),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Key, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("kind", Text, nullable=False),  # article | edition
    Column("subject", Text, nullable=False),  # article id | edition slug
    Column("round", Integer, nullable=False, server_default="1"),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("planned_for", UtcTime),
    Column("due_at", UtcTime),
    Column("owner", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("by_hand", Boolean, nullable=False),
    Column("live", Boolean, nullable=False),  # whether its last step leaves the machine
    Column("sent_at", UtcTime),
    Column("external_id", Text),
    Column("url", Text),
    Column("reason", Text),
    Column("payload", Text),  # JSON, frozen before the first byte
    Column("why", Text),  # why this one was chosen, and by how much
    Column("approved_hash", Text),  # the text that a person approved
    Column("retracted_at", UtcTime),  # taken back after it was sent
    Column("people", Text),  # JSON: an ended edition's letters by state
    UniqueConstraint("channel", "subject", "round"),
    partial("ix_deliveries_due", "channel", "due_at", where="state = 'planned'"),
    Index(None, "channel", "state", "due_at"),
    partial("ix_deliveries_owner", "owner", where="owner IS NOT NULL"),
    Index(None, "channel", "sent_at"),
    Index(None, "subject"),
)  # fmt: skip

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Key, ForeignKey("deliveries.id"), nullable=False),
    Column("letter", Key, nullable=False, server_default="0"),  # 0 = the delivery itself
    Column("number", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outcome", Text),  # null: nobody knows yet
    Column("status", Integer),
    Column("answer", Text),
    PrimaryKeyConstraint("delivery", "letter", "number"),
)

editions = Table(
    "editions",
    metadata,
    Column("slug", Text, primary_key=True),  # = deliveries.subject
    Column("digest", Text, nullable=False),
    Column("slot", UtcTime),  # null: by hand
    Column("since", UtcTime),  # the window: entered after this …
    Column("until", UtcTime, nullable=False),  # … and released up to this
    Column("state", Text, nullable=False),  # held | frozen | skipped | expired
    Column("live", Boolean, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("reason", Text),
    UniqueConstraint("digest", "slot"),
)

edition_articles = Table(
    "edition_articles",
    metadata,
    Column("edition", Text, ForeignKey("editions.slug"), nullable=False),
    Column("article", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("place", Text, nullable=False),  # card | headline
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("edition", "article"),
    partial("uq_edition_articles_once", "digest", "article", unique=True, where="live"),
)  # fmt: skip

letters = Table(
    "letters",
    metadata,
    Column("id", Key, primary_key=True),
    Column("delivery", Key, ForeignKey("deliveries.id"), nullable=False),
    Column("subscriber", Key, nullable=False),
    Column("domain", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", UtcTime),
    Column("owner", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("sent_at", UtcTime),
    Column("answer", Text),
    Column("crashes", Integer, nullable=False, server_default="0"),  # times its sender was lost with it in hand
    UniqueConstraint("delivery", "subscriber"),
    partial("ix_letters_due", "delivery", "due_at", "id", where="state = 'due'"),
    partial("ix_letters_claimed", "delivery", "owner", where="state = 'claimed'"),
    Index(None, "subscriber"),
)

mailings = Table(  # how far each mailing is: beside its delivery, whose row holds the whole letter
    "mailings",
    metadata,
    Column("delivery", Key, ForeignKey("deliveries.id"), primary_key=True),
    Column("total", Integer, nullable=False),
    Column("settled", Integer, nullable=False, server_default="0"),  # neither due nor claimed
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("hard", Integer, nullable=False, server_default="0"),  # mailboxes that do not exist
    Column("blamed", Integer, nullable=False, server_default="0"),  # people in a row, refused for what we are or sent
    Column("began_at", UtcTime),
    Column("last_at", UtcTime),
    Column("mark_at", UtcTime),  # a moment ago, and how many were settled then: the speed
    Column("mark_count", Integer, nullable=False, server_default="0"),
)

proofs = Table(  # editions shown to their owner before their slot
    "proofs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("slot", UtcTime, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("owner", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcTime),
    Column("sent_at", UtcTime),
    Column("hash", Text, nullable=False),  # of what was shown
    Column("answer", Text),
    UniqueConstraint("digest", "slot", "live"),
    partial("ix_proofs_owner", "owner", where="owner IS NOT NULL"),
)  # fmt: skip

letters_past = Table(  # letters of ended editions: out of the way, and unique for ever
    "letters_past",
    metadata,
    Column("delivery", Key, nullable=False),
    Column("subscriber", Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", UtcTime),
    Column("answer", Text),
    PrimaryKeyConstraint("delivery", "subscriber"),
    Index(None, "subscriber"),
)

alerts = Table(  # problems that stand, and whether their owner was told in each way there is
    "alerts",
    metadata,
    Column("way", Text, nullable=False),  # email | webhook
    Column("key", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("gone_at", UtcTime),  # first look that did not find it
    Column("told_at", UtcTime),  # null: not told that it stands, or told that it is over
    Column("times", Integer, nullable=False, server_default="0"),  # told of late: what comes and goes is believed less
    Column("owner", Text),  # the process that tells of it now
    PrimaryKeyConstraint("way", "key"),
)  # fmt: skip

acts = Table(  # what people did by hand
    "acts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subject", Text, nullable=False),  # article id | edition slug
    Column("what", Text, nullable=False),
    Column("who", Text, nullable=False),  # of the machine's users
    Column("at", UtcTime, nullable=False),
    Column("because", Text),
    Index(None, "subject"),
)

_STEP = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True))


def fill(connection: Connection) -> None:
    """Make all tables in an empty database, as every step in its turn would."""
    metadata.create_all(connection, checkfirst=False)
    _STEP.create(connection)
    connection.execute(_STEP.insert().values(version_num=HEAD))
