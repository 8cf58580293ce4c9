"""Brings a database to the schema of this version, and tells whether it is there."""

import asyncio
import threading

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from notifier import resources
from notifier.errors import Unavailable

# alembic keeps its running environment in module globals; across processes the advisory lock of env.py holds.
_one_at_a_time = threading.Lock()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.folder("migrations")).replace("%", "%%"))
    return config


async def migrate(dsn: str) -> None:
    """Run every revision that `dsn`'s database lacks, each in its own transaction.

    `dsn` is one that asyncpg takes, of the role that owns the schema. Safe when several processes do it at
    once. Raises what asyncpg raises when the server cannot be reached or a revision fails; what came before
    the failing revision then stands.
    """

    def upgrade() -> None:
        config = _config()
        config.attributes["dsn"] = dsn
        with _one_at_a_time:
            command.upgrade(config, "head")

    try:
        await asyncio.to_thread(upgrade)
    except DBAPIError as error:  # alembic's engine could not connect; what a revision raises is asyncpg's own
        raise Unavailable(f"the database refuses: {error.orig}; look at database_url") from error


async def is_current(dsn: str) -> bool:
    """Whether the database has exactly the revisions of this version; False too for one never migrated."""
    heads = set(await asyncio.to_thread(lambda: ScriptDirectory.from_config(_config()).get_heads()))
    con = await asyncpg.connect(dsn)
    try:
        if await con.fetchval("select to_regclass('public.alembic_version')") is None:
            return False
        return {row["version_num"] for row in await con.fetch("select version_num from alembic_version")} == heads
    finally:
        await con.close()
