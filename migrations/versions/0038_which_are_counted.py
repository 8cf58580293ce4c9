"""Which units a number counts is kept by stretch, so that what must be kept back with a small one needs no histories."""

from pathlib import Path

from alembic import op

revision, down_revision = "0038", "0037"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
