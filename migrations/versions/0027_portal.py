"""What a recipient asks of its own notices, by index; tokens that a person makes from a seat."""

from pathlib import Path

from alembic import op

revision, down_revision = "0027", "0026"


def upgrade() -> None:
    sql = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    op.get_bind().connection.dbapi_connection.run_async(lambda con: con.execute(sql))
