"""What happened in a month is kept by when the case was opened, too, so that the cases behind it can be found."""

from pathlib import Path

from alembic import op

revision, down_revision = "0036", "0035"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
