"""Brings a database to the schema of this version, and tells whether it is there."""

import asyncio
import threading

import asyncpg

from notifier import resources
from notifier.errors import Unavailable

# alembic keeps its running environment in module globals; across processes the advisory lock of env.py holds.
_one_at_a_time = threading.Lock()


async def migrate(dsn: str) -> None:
    """Run every revision that `dsn`'s database lacks, each in its own transaction.

    `dsn` is one that asyncpg takes, of the role that owns the schema. Safe when several processes do it at
    once. Raises Unavailable when the server refuses us, OSError when it cannot be reached, and what asyncpg raises when a
    revision fails; what came before that revision then stands.
    """
    if not await is_current(dsn):
        await asyncio.to_thread(_upgrade, dsn)


def _upgrade(dsn: str) -> None:
    # Half a second of a command's start, and nearly always there is nothing to do.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.folder("migrations")).replace("%", "%%"))
    config.attributes["dsn"] = dsn
    with _one_at_a_time:
        command.upgrade(config, "head")


async def is_current(dsn: str) -> bool:
    """Whether the database has the newest revision of this version; False too for one never migrated."""
    newest = max(path.name for path in (resources.folder("migrations") / "versions").glob("[0-9]*.py"))
    try:
        con = await asyncpg.connect(dsn)
    except asyncpg.PostgresError as error:
        raise Unavailable(f"the database refuses: {error}; look at database_url") from error
    try:
        if await con.fetchval("select to_regclass('public.alembic_version')") is None:
            return False
        rows = await con.fetch("select version_num from alembic_version")
        return [row["version_num"] for row in rows] == [newest.split("_")[0]]
    finally:
        await con.close()
