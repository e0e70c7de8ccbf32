"""What several machines, approvals of a text, quarantine of letters, retention and alerts need."""

import sqlalchemy as sa
from alembic import op

from syndicate.store.values import Key, UtcTime

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("owners", sa.Column("config", sa.Text(), nullable=False, server_default=""))
    op.add_column("owners", sa.Column("trouble", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("sources", sa.Column("owner", sa.Text()))
    op.add_column("deliveries", sa.Column("why", sa.Text()))
    op.add_column("deliveries", sa.Column("approved_hash", sa.Text()))
    op.execute(
        "UPDATE deliveries SET approved_hash = (SELECT hash FROM articles WHERE articles.id = deliveries.subject)"
        " WHERE approved AND kind = 'article'"
    )
    op.drop_column("deliveries", "approved")
    op.add_column("deliveries", sa.Column("retracted_at", UtcTime()))
    op.add_column("deliveries", sa.Column("people", sa.Text()))
    op.add_column("letters", sa.Column("crashes", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "letters_past",
        sa.Column("delivery", Key, nullable=False),
        sa.Column("subscriber", Key, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", UtcTime()),
        sa.Column("answer", sa.Text()),
        sa.PrimaryKeyConstraint("delivery", "subscriber", name=op.f("pk_letters_past")),
    )
    op.create_index(op.f("ix_letters_past_subscriber"), "letters_past", ["subscriber"])
    op.create_table(
        "alerts",
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("gone_at", UtcTime()),
        sa.Column("told_at", UtcTime()),
        sa.Column("times", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("owner", sa.Text()),
        sa.PrimaryKeyConstraint("way", "key", name=op.f("pk_alerts")),
    )
    op.create_table(
        "acts",
        sa.Column("id", Key, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("because", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acts")),
    )
    op.create_index(op.f("ix_acts_subject"), "acts", ["subject"])
