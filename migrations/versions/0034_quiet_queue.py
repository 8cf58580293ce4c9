"""The queue's workers are woken by what comes, not by what was done: three queries and a look in vain for each job."""

from pathlib import Path

from alembic import op

revision, down_revision = "0034", "0033"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
