"""The configuration is taken up anew while the daemon serves: nobody is turned away, and a fault changes nothing."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.web.browsing import PASSWORD, Reader

from .daemons import Daemon, fresh_report, quick_config

pytestmark = pytest.mark.slow


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(
        tmp_path,
        {
            "NOTIFIER_EGRESS": "loopback",
            "NOTIFIER_CONFIG_FOLDER": str(quick_config(tmp_path)),
            "NOTIFIER_SECOND_STEP": "off",
        },
    )
    await made.start()
    yield made
    if made.process and made.process.returncode is None:
        await made.kill()


async def admin(daemon: Daemon) -> Reader:
    """The first admin, by the link that the daemon printed."""
    assert daemon.process is not None
    assert daemon.process.stdout is not None
    line = (await asyncio.wait_for(daemon.process.stdout.readline(), 20)).decode()
    link = re.search(r"/welcome/\S+", line)
    assert link is not None
    reader = Reader(daemon.url)
    entered = await reader.send(link[0], name="Ada", password=PASSWORD, again=PASSWORD)
    assert entered.heading == "Overview"
    return reader


async def version(daemon: Daemon, token: str) -> str:
    status, found = await daemon.call("GET", "/programs", token)
    assert status == 200
    return str(next(one["version"] for one in found["items"] if one["id"] == "piracy"))


async def test_files_are_taken_up_while_others_go_on(daemon: Daemon, tmp_path: Path) -> None:
    ada, token = await admin(daemon), await daemon.token("sam", "submitter")
    assert daemon.process is not None
    file = tmp_path / "config" / "programs" / "piracy.toml"
    asked = 0
    over = asyncio.Event()

    async def callers() -> None:
        """Reports come in all the time; each must be answered."""
        nonlocal asked
        each = aiohttp.TCPConnector(force_close=True)  # an idle connection may be closed at any time (RFC 9112 §9.3.1)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, connector=each) as session:
            while not over.is_set():
                report: dict[str, Any] = fresh_report("piracy", f"while-reloading-{asked}.live")
                async with session.post(f"{daemon.url}/api/v1/reports", json=report) as answer:
                    assert answer.status == 201, await answer.text()
                asked += 1

    calling = asyncio.create_task(callers())
    assert await version(daemon, token) == "1"
    before = (await ada.get("/admin/config")).words

    file.write_text(file.read_text().replace('version = "1"', 'version = "2"', 1))
    told = await ada.send("/admin/config/reload")
    assert "Every process takes them up within seconds" in told.words
    async with asyncio.timeout(40):
        while await version(daemon, token) != "2":
            await asyncio.sleep(0.1)
    after = await ada.get("/admin/config")
    running = re.search(r"This process runs (\w{64})", before)
    assert running is not None
    assert running[1] not in after.words
    assert "could not follow" not in after.words

    good = file.read_text()
    file.write_text(good.replace('version = "2"', 'version = "3"\nnonsense = "<b>"', 1).replace('"piracy"', "7", 1))
    refused = await ada.send("/admin/config/reload")
    assert refused.status == 422
    assert "Nothing has changed" in refused.words
    code, out, _ = await daemon.run("check-config")
    assert code == 1
    faults = out.strip().splitlines()
    assert len(faults) > 1
    for fault in faults:
        assert fault in refused.words.replace("  ", " ") or fault in refused.text.replace("&#39;", "'"), fault
    await asyncio.sleep(3)
    assert await version(daemon, token) == "2"
    file.write_text(good)

    over.set()
    await calling
    assert asked > 20, "too few came in for this to prove anything"
    status, page = await daemon.call("GET", "/cases?limit=1", await daemon.token("rita", "reviewer"))
    assert (status, len(page["items"])) == (200, 1)
    await ada.close()
    assert await daemon.kill(signal.SIGTERM) == 0


async def test_another_process_follows_too(daemon: Daemon, tmp_path: Path) -> None:
    ada = await admin(daemon)
    second = Daemon(tmp_path, {k: v for k, v in daemon.environ.items() if k.startswith("NOTIFIER_")})
    await second.start("--role", "web")
    token = await daemon.token("sam", "submitter")
    assert (await version(second, token)) == "1"
    file = tmp_path / "config" / "programs" / "piracy.toml"
    file.write_text(file.read_text().replace('version = "1"', 'version = "2"', 1))
    assert (await ada.send("/admin/config/reload")).status == 200
    async with asyncio.timeout(40):
        while {await version(daemon, token), await version(second, token)} != {"2"}:
            await asyncio.sleep(0.1)
    page = await ada.get("/admin/config")
    assert page.text.count("<td>web</td>") == 1
    assert page.text.count("<td>all</td>") == 1
    await ada.close()
    assert await second.kill(signal.SIGTERM) == 0
    assert await daemon.kill(signal.SIGTERM) == 0
