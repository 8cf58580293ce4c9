"""Outcomes: the two clocks of a claim, and alarms that reach a person."""

from pathlib import Path

from alembic import op

revision, down_revision = "0018", "0017"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
