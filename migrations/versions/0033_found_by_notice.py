"""Claims are found by their notice, and open alarms by their kind, however many there are."""

from alembic import op

revision, down_revision = "0033", "0032"


def upgrade() -> None:
    op.execute("create index claim_notice on claim (notice_id)")
    op.execute("create index alarm_open_kind on alarm (kind, raised_at, id) where closed_at is null")
