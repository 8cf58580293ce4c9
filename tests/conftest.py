"""One real Postgres for the session, a migrated template, and a fresh database for each test that asks."""

import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web_app
from hypothesis import settings

from notifier import logs
from notifier.daemon import spare_collector
from notifier.store.embedded import EmbeddedPostgres
from notifier.store.migrate import migrate
from tests.lending import Lending, made, with_database

# Speed is measured by `make bench`; a busy machine is no defect.
settings.register_profile("house", deadline=None, max_examples=40)
settings.load_profile("house")

# As the daemon has it. Left alone, structlog draws every variable of every frame of an exception: whole catalogs, for minutes.
logs.configure()

IN_CI = os.environ.get("CI") == "true"


@pytest.fixture(scope="session")
async def server_dsn(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A superuser's DSN: of NOTIFIER_TEST_DATABASE_URL's server, or of an embedded one without fsync."""
    if given := os.environ.get("NOTIFIER_TEST_DATABASE_URL"):
        yield given
        return
    async with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), fsync=False) as server:
        yield server.dsn


@pytest.fixture(scope="session")
async def template(server_dsn: str) -> AsyncIterator[str]:
    """Name of a migrated database that nobody is connected to."""
    name = f"template_{uuid.uuid4().hex}"
    con = await asyncpg.connect(server_dsn)
    await con.execute(f"create database {name}")
    await migrate(with_database(server_dsn, name))
    yield name
    await con.execute(f"drop database {name} with (force)")
    await con.close()


Databases = Callable[[], AbstractAsyncContextManager[str]]


@pytest.fixture(scope="session")
async def databases(server_dsn: str, template: str) -> AsyncIterator[Databases]:
    """Opens migrated databases with nothing in them; each has a DSN of its own, and belongs to nobody else until it is left."""
    lending = Lending(server_dsn, template)
    yield lambda: _without_handlers(lending.lend())
    await lending.close()


@pytest.fixture
async def empty_database_url(server_dsn: str) -> AsyncIterator[str]:
    """DSN of a new database with nothing in it."""
    async with made(server_dsn, "template template0") as dsn:
        yield dsn


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """DSN of a migrated database with nothing in it; it belongs to this test alone."""
    async with databases() as dsn:
        yield dsn


@asynccontextmanager
async def _without_handlers(opened: AbstractAsyncContextManager[str]) -> AsyncIterator[str]:
    """aiohttp keeps its last thousand handlers, and with each the whole house behind it: some megabytes for each."""
    try:
        async with opened as dsn:
            yield dsn
    finally:
        web_app._cached_build_middleware.cache_clear()


@pytest.fixture(scope="session")
def require_tool() -> Callable[..., Path]:
    """`require_tool("knotd", package="knot")`: where the program is.

    Without it the test skips on a user's machine, and fails where CI promised to have it.
    """

    def find(name: str, *, package: str | None = None) -> Path:
        # Debian keeps servers in sbin, which an ordinary user's PATH leaves out.
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
        if found is not None:
            return Path(found)
        reason = f"needs the program {name} (Debian package {package or name})"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)

    return find


# Files whose tests are few and long. Begun last, one process would run them while the others have nothing left to do.
_FIRST = (
    *("tests/acceptance/", "tests/web/test_openapi.py", "tests/browser/", "tests/web/test_roles.py", "tests/mail/"),
    *("tests/net/test_screenshot.py", "tests/cli/", "tests/store/", "tests/services/", "tests/web/", "tests/net/"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((i for i, part in enumerate(_FIRST) if part in item.nodeid), len(_FIRST)))


def pytest_collection_finish() -> None:
    spare_collector()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a run in which every test was skipped is no success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:  # one of several processes: the first counts for all
        return
    ran = sum(len(reporter.stats.get(result, ())) for result in ("passed", "failed", "xfailed", "xpassed"))
    if IN_CI and not ran and session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly:
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
