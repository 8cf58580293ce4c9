"""What every command shares: settings, the way into the database, and errors as one clear line."""

import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from notifier import bootstrap, logs
from notifier.bootstrap import House
from notifier.catalog import ConfigFaults
from notifier.errors import NotifierError
from notifier.services import access
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.settings import Settings, load_settings
from notifier.store.audit import FAILURES

T = TypeVar("T")

Config = Annotated[Path | None, typer.Option("--config", help="notifier.toml; else NOTIFIER_CONFIG.")]
Token = Annotated[
    str | None, typer.Option("--token", envvar="NOTIFIER_TOKEN", help="Bearer token of the person who acts.")
]


def settings_of(config: Path | None) -> Settings:
    """The settings, with logs set up by them."""
    settings = load_settings(config)
    logs.configure(settings.log_level)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command. What we raise on purpose becomes one line on stderr and exit code 2."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except ConfigFaults as faults:
        for fault in faults.faults:
            print(fault, file=sys.stderr)
        raise typer.Exit(2) from None
    except NotifierError as error:
        fail(f"{error.detail} ({error.code})")
    except ConnectionError as error:
        fail(f"the database or a server does not answer ({error.strerror or error}); look at database_url")
    except OSError as error:
        fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    except FAILURES as error:
        fail(f"the database refuses: {error}; look at database_url")


def fail(text: str) -> NoReturn:
    print(f"notifier: {text}", file=sys.stderr)
    raise typer.Exit(2)


@asynccontextmanager
async def opened(config: Path | None) -> AsyncIterator[House]:
    """The house over its database: the running daemon's, or one started for this command."""
    settings = settings_of(config)
    async with bootstrap.database_of(settings) as dsn, bootstrap.house(settings, dsn) as house:
        yield house


async def who_acts(house: House, token: str | None) -> Principal:
    """The token's principal. Raises Unauthenticated; without a token nobody may decide."""
    if token is None:
        fail("this needs --token or NOTIFIER_TOKEN (see: notifier token add --help)")
    return await access.authenticate(house.ctx.db, token)


def acting(config: Path | None, token: str | None, work: Callable[[Context, Principal], Awaitable[None]]) -> None:
    """Run what a person does with their token, over the open house."""

    async def open_and_work() -> None:
        async with opened(config) as house:
            await work(house.ctx, await who_acts(house, token))

    run(open_and_work())


def local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, in a container
        return "unknown"
