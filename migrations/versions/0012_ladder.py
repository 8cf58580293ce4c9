"""Whose turn it is, who was written to and how that is known, contacts that people give, and amended notices."""

from pathlib import Path

from alembic import op

revision, down_revision = "0012", "0011"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
