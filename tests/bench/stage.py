"""The stage: one durable Postgres, a migrated database for each use, daemons and a mail sink as processes beside us.

A daemon of its own process is what users run; in ours it would share a core with the clients that measure it.
"""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from notifier.clock import SystemClock
from notifier.rehearsal import Cast, overlay_of
from notifier.sandbox.app import Sandbox
from notifier.sandbox.config import Party, SandboxConfig
from notifier.services import access
from notifier.services.access import Role
from notifier.store.database import Database
from notifier.store.embedded import EmbeddedPostgres
from notifier.store.migrate import migrate
from tests.acceptance.daemons import quick_config
from tests.acceptance.live import ON_DUTY
from tests.conftest import with_database

AGREEMENT = "opioids.verisign"  # .com
RECIPIENT = "notices@verisign.sandbox.test"
REPLY_DOMAIN = "replies.notifier.example"
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """`folder` is temporary; `server` holds `template`, a migrated database that nobody is connected to."""

    folder: Path
    server: EmbeddedPostgres
    template: str

    async def database(self) -> str:
        """DSN of a new, migrated database."""
        name = f"bench_{uuid.uuid4().hex}"
        con = await asyncpg.connect(self.server.dsn)
        await con.execute(f"create database {name} template {self.template}")
        await con.close()
        return with_database(self.server.dsn, name)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    async with EmbeddedPostgres(folder) as server:
        con = await asyncpg.connect(server.dsn)
        await con.execute("create database bench_template")
        await con.close()
        await migrate(with_database(server.dsn, "bench_template"))
        yield Stage(folder, server, "bench_template")


@asynccontextmanager
async def child(*args: str, env: Mapping[str, str] | None = None, log: Path) -> AsyncIterator[tuple[int, str]]:
    """A Python process that prints `ready ...` and runs until the block ends: its pid, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, env=env, stdout=asyncio.subprocess.PIPE, stderr=log.open("ab")
    )
    try:
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S)).decode().strip()
        if not said.startswith("ready"):
            why = await asyncio.to_thread(log.read_text)
            raise RuntimeError(f"{' '.join(args)} did not start: {why[-2000:]}")
        yield process.pid, said.removeprefix("ready").strip()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), _PATIENCE_S)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running `notifier serve`; `tokens` by name."""

    pid: int
    dsn: str
    api: aiohttp.ClientSession
    tokens: Mapping[str, str]

    async def call(self, method: str, path: str, who: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        async with self.api.request(method, f"/api/v1{path}", json=body, headers=headers) as answer:
            return await _taken(answer)

    async def post(self, path: str, who: str, content: bytes, media_type: str) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": media_type}
        async with self.api.post(f"/api/v1{path}", data=content, headers=headers) as answer:
            return await _taken(answer)


async def _taken(answer: aiohttp.ClientResponse) -> Any:
    body = await answer.json(content_type=None)
    if answer.status >= 400:
        raise RuntimeError(f"{answer.method} {answer.url.path}: {answer.status} {body}")
    return body


@asynccontextmanager
async def daemon(
    on: Stage,
    sandbox: Sandbox,
    sink_port: int,
    role: str,
    agreement: str = AGREEMENT,
    configured: Callable[[Path], Path] = quick_config,
) -> AsyncIterator[Daemon]:
    """A daemon over a new database, among simulated registries; its mail goes to the sink."""
    dsn, home = await on.database(), on.folder / f"daemon-{role}-{agreement}"
    home.mkdir()
    overlay = home / "overlay.toml"
    overlay.write_text(_overlay(sandbox, sink_port, agreement))
    settings = {
        "state_dir": str(home / "state"),
        "database_url": dsn,
        "config_folder": str(configured(home)),
        "catalog_overlay": str(overlay),
        "egress": "loopback",
        "reply_domain": REPLY_DOMAIN,
        "mail_from": "notices@notifier.example",
    }
    config = home / "notifier.toml"
    quotas = "".join(
        f"quota_{of}_{span} = 999_999\n" for of in ("principal", "organisation") for span in ("day", "minute")
    )
    rest = f"{quotas}hop_captures_day = 0\n"
    config.write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()) + rest)
    env = {k: v for k, v in os.environ.items() if not k.startswith("NOTIFIER_")}
    serve = ("-m", "notifier.cli.main", "serve", "--config", str(config), "--port", "0", "--role", role)
    tokens = await _tokens(dsn)
    async with child(*serve, env=env, log=home / "log") as (pid, url):
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(base_url=url, timeout=timeout) as api:
            yield Daemon(pid, dsn, api, tokens)


async def _tokens(dsn: str) -> dict[str, str]:
    db = await Database.connect(dsn, size=1)
    roles = {
        "sam": Role.SUBMITTER,
        "rita": Role.REVIEWER,
        ON_DUTY: Role.REVIEWER,
        "ada": Role.ADMIN,
        "boris": Role.ADMIN,
    }
    made = {name: (await access.add_token(db, name, role, by="bench")).token for name, role in roles.items()}
    await db.close()
    return made


@asynccontextmanager
async def sandbox() -> AsyncIterator[Sandbox]:
    """Simulated registries, for RDAP, DNS and sites."""
    party = Party("verisign", "verisign", "smtp", RECIPIENT)
    box = Sandbox(SandboxConfig((party,), register_all=True, poll=None), SystemClock())
    await box.start()
    try:
        yield box
    finally:
        await box.stop()


def _overlay(box: Sandbox, sink_port: int, agreement: str) -> str:
    where = {**box.where(), "smtp": ("127.0.0.1", sink_port)}
    data = overlay_of([Cast("verisign", [agreement], "smtp", RECIPIENT)], where)
    lines = [f'{key} = "{data[key]}"' for key in ("id", "site", "smtp")]
    for table in ("rdap", "dns", "survey"):
        lines += [f"[{table}]", *(f'"{k}" = "{v}"' for k, v in data[table].items())]
    for name, keys in data["agreements"].items():
        lines += [f'[agreements."{name}"]', f'adapter = "{keys["adapter"]}"', f'address = {{ to = "{RECIPIENT}" }}']
    return "\n".join(lines)
