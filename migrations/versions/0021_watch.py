"""Holds with an owner and a review-by date, registrations on their way out, and the pace of looks."""

from pathlib import Path

from alembic import op

revision, down_revision = "0021", "0020"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
