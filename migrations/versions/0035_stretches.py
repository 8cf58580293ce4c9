"""Sums as arrays, a row for many numbers; and what became known in each stretch of time, so that as-of needs no histories."""

from pathlib import Path

from alembic import op

revision, down_revision = "0035", "0034"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
