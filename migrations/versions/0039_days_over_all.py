"""Days of opening are added up over outcomes and registries, so that few rows tell of parts of months."""

from pathlib import Path

from alembic import op

revision, down_revision = "0039", "0038"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
