"""What logins at providers and a provider that is down need; the newest articles by an index."""

import sqlalchemy as sa
from alembic import op

from syndicate.store.values import UtcTime

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_articles_state_released_id"), "articles", ["state", "released", "id"])
    op.drop_index("ix_articles_ready", "articles")
    op.drop_index(op.f("ix_articles_state"), "articles")
    op.add_column("channels", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "tokens",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("obtained_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime()),
        sa.Column("refresh_until", UtcTime()),
        sa.Column("renew_at", UtcTime()),
        sa.Column("fingerprint", sa.Text()),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_tokens")),
    )
