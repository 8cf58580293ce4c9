"""Sums over everything, of what still runs by month beside by day, and of the accuracy ledger; all is added up anew."""

from pathlib import Path

from alembic import op

revision, down_revision = "0032", "0031"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
