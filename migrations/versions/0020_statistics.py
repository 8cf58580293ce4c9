"""Transitions that statistics read, and grants to those who evaluate."""

from pathlib import Path

from alembic import op

revision, down_revision = "0020", "0019"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
