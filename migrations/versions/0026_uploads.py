"""Lists that came in as one file, row by row; why an alarm was closed; and what people work through, in order."""

from pathlib import Path

from alembic import op

revision, down_revision = "0026", "0025"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
