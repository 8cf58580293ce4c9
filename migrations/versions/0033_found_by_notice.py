"""Claims are found by their notice, and open alarms by their kind, however many there are."""

from pathlib import Path

from alembic import op

revision, down_revision = "0033", "0032"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
