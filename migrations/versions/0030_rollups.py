"""Figures of now, added up beforehand by month and year."""

from pathlib import Path

from alembic import op

revision, down_revision = "0030", "0029"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
