"""Holds for a live event: until when each was told, the second look at what one person approved, and looks kept warm."""

from pathlib import Path

from alembic import op

revision, down_revision = "0023", "0022"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
