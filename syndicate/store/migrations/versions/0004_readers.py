"""What readers' say, editions shown before they go, the sending engine, and what is served need."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

from syndicate.store.values import Key, UtcTime

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _people()
    _editions()
    _served()


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def _people() -> None:
    op.add_column("subscribers", sa.Column("paused_until", UtcTime()))
    op.add_column("suppressions", sa.Column("delivery", Key))
    op.add_column("suppressions", sa.Column("via", sa.Text()))
    op.create_table(
        "wishes",
        sa.Column("id", Key, nullable=False),
        sa.Column("subscriber", Key, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wishes")),
    )
    op.create_index(op.f("ix_wishes_subscriber"), "wishes", ["subscriber"])
    op.create_table(
        "confirmations",
        sa.Column("id", Key, nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subscriber", Key),
        sa.Column("digests", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("consent", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime()),
        sa.Column("owner", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("mailed_at", UtcTime()),
        sa.Column("confirmed_at", UtcTime()),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmations")),
        sa.UniqueConstraint("address_hash", "number", name=op.f("uq_confirmations_address_hash_number")),
    )
    _partial("ix_confirmations_due", "confirmations", ["due_at", "id"], "due_at IS NOT NULL")
    _partial("ix_confirmations_owner", "confirmations", ["owner"], "owner IS NOT NULL")
    op.create_index(op.f("ix_confirmations_subscriber"), "confirmations", ["subscriber"])
    op.create_index(op.f("ix_confirmations_until"), "confirmations", ["until"])
    op.create_table(
        "returns",
        sa.Column("id", Key, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("delivery", Key),
        sa.Column("letter", Key),
        sa.Column("subscriber", Key),
        sa.Column("proved", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("answer", sa.Text()),
        sa.Column("raw", sa.Text()),
        sa.Column("applied_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint("provider", "event", name=op.f("uq_returns_provider_event")),
    )
    op.create_index(op.f("ix_returns_subscriber"), "returns", ["subscriber"])
    _partial("ix_returns_open", "returns", ["received_at"], "applied_at IS NULL")


def _editions() -> None:
    op.create_table(
        "mailings",
        sa.Column("delivery", Key, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("sent", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("hard", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("blamed", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("began_at", UtcTime()),
        sa.Column("last_at", UtcTime()),
        sa.Column("mark_at", UtcTime()),
        sa.Column("mark_count", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"], name=op.f("fk_mailings_delivery_deliveries")),
        sa.PrimaryKeyConstraint("delivery", name=op.f("pk_mailings")),
    )
    # What is on its way goes on; of what ended the counts stand in its delivery.
    op.execute(
        "INSERT INTO mailings (delivery, total, settled, sent, hard, blamed, mark_count) "
        "SELECT d.id, count(l.id), sum(CASE WHEN l.state IN ('due', 'claimed') THEN 0 ELSE 1 END), "
        "sum(CASE WHEN l.state = 'sent' THEN 1 ELSE 0 END), 0, 0, 0 "
        "FROM deliveries d JOIN letters l ON l.delivery = d.id "
        "WHERE d.channel = 'email' AND d.state = 'claimed' GROUP BY d.id"
    )
    op.create_table(
        "proofs",
        sa.Column("id", Key, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("slot", UtcTime(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("due_at", UtcTime()),
        sa.Column("sent_at", UtcTime()),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proofs")),
        sa.UniqueConstraint("digest", "slot", "live", name=op.f("uq_proofs_digest_slot_live")),
    )
    _partial("ix_proofs_owner", "proofs", ["owner"], "owner IS NOT NULL")


def _served() -> None:
    op.add_column("articles", sa.Column("feed_id", sa.Text()))
    _partial("uq_articles_feed_id", "articles", ["feed_id"], "feed_id IS NOT NULL", unique=True)
    op.create_table(
        "adopted",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("first_seen", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_adopted")),
    )
    op.create_table(
        "hubs",
        sa.Column("hub", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False, server_default=""),
        sa.Column("due_at", UtcTime()),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("owner", sa.Text()),
        sa.Column("problem", sa.Text()),
        sa.PrimaryKeyConstraint("hub", name=op.f("pk_hubs")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("seen_at", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_until"), "sessions", ["until"])
    op.create_table(
        "limits",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("span", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "span", name=op.f("pk_limits")),
    )
    op.create_index(op.f("ix_limits_span"), "limits", ["span"])
    op.create_table(
        "growth",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "state", name=op.f("pk_growth")),
    )
