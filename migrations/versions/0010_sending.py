"""What an answer writes back, and the pace of sending."""

from pathlib import Path

from alembic import op

revision, down_revision = "0010", "0009"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
