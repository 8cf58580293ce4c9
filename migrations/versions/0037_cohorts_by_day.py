"""Figures of a cohort are kept by the day of opening, too, so that parts of months need no histories."""

from pathlib import Path

from alembic import op

revision, down_revision = "0037", "0036"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
