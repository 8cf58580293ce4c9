"""Signals that names share, successors that they propose, and what people decided about them."""

from pathlib import Path

from alembic import op

revision, down_revision = "0022", "0021"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
