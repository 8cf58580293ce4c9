"""What programs publish, each day once, and which grants show small numbers."""

from pathlib import Path

from alembic import op

revision, down_revision = "0029", "0028"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
