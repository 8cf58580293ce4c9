"""What people said about a case, a contact or an answer of ours, is kept as they said it."""

from pathlib import Path

from alembic import op

revision, down_revision = "0017", "0016"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
