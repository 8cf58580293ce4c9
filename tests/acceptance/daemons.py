"""The daemon as its users run it: another process, driven by its command line and its API."""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from notifier import resources
from notifier.services import access
from notifier.store.database import Database
from notifier.store.embedded import running_dsn

MADE_FOR = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Daemon:
    """One state folder, and whatever `notifier` process works on it now."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.state = folder / "state"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("NOTIFIER_")},
            "NOTIFIER_STATE_DIR": str(self.state),
            "NOTIFIER_HOP_CAPTURES_DAY": "0",  # every name is registered in a sandbox, under every ending
            **settings,
        }
        self.process: asyncio.subprocess.Process | None = None
        self.url = ""
        self._port = 0

    async def start(self, *args: str) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *_command("serve", "--port", str(self._port), *args),
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=(self.state.parent / "serve.log").open("ab"),
        )
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), 90)).decode()
        assert line.startswith("ready "), f"{line!r}: {(self.state.parent / 'serve.log').read_text()[-2000:]}"
        self.url = line.split()[1]
        self._port = urlsplit(self.url).port or 0  # the same again: notices name it

    async def kill(self, sign: signal.Signals = signal.SIGKILL) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(sign)
        return await asyncio.wait_for(self.process.wait(), 40)

    async def run(self, *args: str) -> tuple[int, str, str]:
        """A command beside the daemon: exit code, stdout, stderr."""
        process = await asyncio.create_subprocess_exec(
            *_command(*args), env=self.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), 300)
        return process.returncode or 0, out.decode(), err.decode()

    async def token(self, name: str, role: str, *args: str) -> str:
        code, out, err = await self.run("token", "add", name, "--role", role, "--json", *args)
        assert code == 0, err
        return str(json.loads(out)["token"])

    async def tokens(self, **roles: str) -> dict[str, str]:
        """A token for each of these people, without a process for each."""
        db = await Database.connect(running_dsn(self.state) or "", size=1)
        made = {name: (await access.add_token(db, name, role, by="test")).token for name, role in roles.items()}
        await db.close()
        return made

    async def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"{self.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"}
            ) as answer,
        ):
            return answer.status, await answer.json(content_type=None)


def _command(*args: str) -> list[str]:
    return [sys.executable, "-m", "notifier.cli.main", *args]


def quick_config(folder: Path) -> Path:
    """A copy of the shipped configuration whose programs have no cancel window, for tests on the real clock."""
    copy = folder / "config"
    shutil.copytree(resources.folder("config"), copy)
    for program in (copy / "programs").glob("*.toml"):
        text = program.read_text()
        program.write_text(re.sub(r'^cancel_window = ".*?"', 'cancel_window = "0s"', text, flags=re.MULTILINE))
    return copy


def fresh_report(program: str, domain: str | None = None) -> dict[str, Any]:
    """A sample report that passes its program's rules, with its times moved to now."""
    moved = datetime.now(UTC) - MADE_FOR
    lines = (resources.folder("config") / "samples" / "reports.ndjson").read_text().splitlines()
    text = next(line for line in lines if json.loads(line)["program"] == program and '"method":"random"' in line)
    text = INSTANT.sub(lambda at: move(at[0], moved), text)
    report: dict[str, Any] = json.loads(text)
    if domain is not None:
        was = str(urlsplit(report["urls"][0]).hostname)  # `domain` may be spelled in any way
        report = json.loads(json.dumps(report).replace(was, domain)) | {"domain": domain}
    report.pop("external_id", None)
    return report


def move(instant: str, by: timedelta) -> str:
    return (datetime.fromisoformat(instant) + by).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
