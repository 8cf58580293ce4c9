"""Runs the revisions on one connection. The caller puts the DSN, in asyncpg's form, into `config.attributes`.

Each revision is a transaction of its own. Processes that start at once wait for one another on an advisory
lock, and the later ones find nothing left to do.
"""

import asyncio

import asyncpg
from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK = 726_001


def _upgrade(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run() -> None:
    dsn = context.config.attributes["dsn"]
    # asyncpg reads the DSN itself: SQLAlchemy's own reading knows fewer forms (unix sockets, several hosts).
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"select pg_advisory_lock({_LOCK})"))
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
    finally:
        await engine.dispose()  # ends the session, and with it the lock


asyncio.run(_run())
