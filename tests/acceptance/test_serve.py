"""The daemon on a bad day: its database is killed under it, it is told to stop, it is asked too early."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from .daemons import Daemon, fresh_report

REPORTS = 60


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path, {"NOTIFIER_EGRESS": "loopback"})
    await made.start()
    yield made
    if made.process and made.process.returncode is None:
        await made.kill()


async def test_it_drains_and_exits_zero(daemon: Daemon) -> None:
    assert await daemon.kill(signal.SIGTERM) == 0
    await daemon.start()  # and its state folder is free for the next
    assert await daemon.kill(signal.SIGINT) == 0


async def test_a_second_daemon_on_the_same_folder_says_so(daemon: Daemon) -> None:
    code, out, err = await daemon.run("serve", "--port", "0")
    assert code == 2
    assert out == ""
    assert "another process" in err


async def test_postgres_killed_in_the_middle_loses_nothing(daemon: Daemon) -> None:
    token = await daemon.token("sam", "submitter")
    postmaster = int((daemon.state / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    refused = 0

    async def submit(numbers: range) -> None:
        nonlocal refused
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            for n in numbers:
                report = fresh_report("piracy", f"outage-{n}.live") | {"external_id": f"row-{n}"}
                while True:
                    async with session.post(f"{daemon.url}/api/v1/reports", json=report) as answer:
                        if answer.status in (200, 201):
                            break
                        assert answer.status == 503, await answer.text()
                        assert answer.headers["Retry-After"]
                        refused += 1
                    await asyncio.sleep(0.05)
                if n == numbers[len(numbers) // 3] and numbers.start == 0:
                    os.kill(postmaster, signal.SIGKILL)

    async with asyncio.timeout(60):
        await asyncio.gather(*(submit(range(k * 15, (k + 1) * 15)) for k in range(REPORTS // 15)))
    assert refused > 0, "the outage was not noticed, so this proved nothing"
    admin = await daemon.token("ada", "reviewer")
    found: list[str] = []
    cursor = ""
    while True:
        status, page = await daemon.call("GET", f"/cases?limit=50{cursor}", admin)
        assert status == 200, page
        found += [item["domain"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(found) == sorted(f"outage-{n}.live" for n in range(REPORTS))
