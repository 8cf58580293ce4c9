"""Files by content, in a folder and in a real S3 API server; each test runs over both."""

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from notifier import outside
from notifier.errors import Invalid, TooLarge
from notifier.rehearsal import free_port
from notifier.settings import Settings
from notifier.store import blobs
from notifier.store.blobs import BlobStore, Corrupt, FolderBlobs, checked

CONTENT = os.urandom(700_001)  # several pieces, the last one short
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        create = urllib.request.Request(f"{url}/evidence", method="PUT")
        for _ in range(300):
            assert server.poll() is None
            with contextlib.suppress(OSError):
                urllib.request.urlopen(create, timeout=5).read()
                break
            time.sleep(0.1)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    if request.param == "folder":
        yield outside.blob_store(Settings(tmp_path, egress="loopback"))
        return
    endpoint = request.getfixturevalue("s3_server")
    secrets = {"blob_access_key": "key", "blob_secret_key": "secret"}
    yield outside.blob_store(
        Settings(
            tmp_path,
            egress="loopback",
            blob_store=f"s3://evidence/{tmp_path.name}",
            blob_endpoint=endpoint,
            secrets=secrets,
        )
    )


async def kept(store: BlobStore, content: bytes, limit: int = 10_000_000) -> str:
    async with store.arriving(limit) as file:
        for start in range(0, len(content), 65_536):
            await file.write(content[start : start + 65_536])
        blob = await store.keep(file)
    assert blob.size == len(content)
    return blob.sha256


async def read(store: BlobStore, sha256: str) -> bytes:
    return b"".join([piece async for piece in checked(store, sha256)])


async def test_what_comes_in_comes_out(store: BlobStore, tmp_path: Path) -> None:
    assert await kept(store, CONTENT) == SHA
    assert await kept(store, CONTENT) == SHA
    assert await kept(store, b"") == hashlib.sha256(b"").hexdigest()
    assert await read(store, SHA) == CONTENT
    assert await read(store, hashlib.sha256(b"").hexdigest()) == b""
    assert await store.has(SHA)
    assert {name async for name, _ in store.listed()} == {SHA, hashlib.sha256(b"").hexdigest()}
    assert list((tmp_path / blobs.FOLDER / "arriving").iterdir()) == []


async def test_what_is_erased_is_gone(store: BlobStore) -> None:
    await kept(store, CONTENT)
    await store.erase(SHA)
    await store.erase(SHA)
    assert not await store.has(SHA)
    with pytest.raises(Corrupt):
        await read(store, SHA)


async def test_too_large_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        await kept(store, CONTENT, limit=700_000)
    assert list((tmp_path / blobs.FOLDER / "arriving").iterdir()) == []
    assert not await store.has(SHA)


async def test_the_sweep_leaves_what_a_row_names_and_what_is_young(
    store: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, orphan = await kept(store, b"named"), await kept(store, b"not named")

    async def is_known(sha256: str) -> bool:
        return sha256 == known

    assert await blobs.sweep(store, is_known, tmp_path / blobs.FOLDER) == 0
    monkeypatch.setattr(blobs, "_ABANDONED_S", -1.0)
    assert await blobs.sweep(store, is_known, tmp_path / blobs.FOLDER) == 1
    assert (await store.has(known), await store.has(orphan)) == (True, False)


async def test_an_altered_file_never_comes_out_whole(tmp_path: Path) -> None:
    store = FolderBlobs(tmp_path)
    await kept(store, CONTENT)
    path = tmp_path / SHA[:2] / SHA[2:4] / SHA
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    came, pieces = bytearray(), checked(store, SHA)

    async def take_all() -> None:
        async for piece in pieces:
            came.extend(piece)

    with pytest.raises(Corrupt):
        await take_all()
    assert len(came) < len(CONTENT)


async def test_kill_loses_nothing_that_was_told(tmp_path: Path) -> None:
    """Files are told one by one by a process that is killed in the middle: each told one is there, whole."""
    script = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from notifier.store.blobs import FolderBlobs\n"
        "async def main():\n"
        "    store = FolderBlobs(Path(sys.argv[1]))\n"
        "    while True:\n"
        "        async with store.arriving(10**7) as file:\n"
        "            await file.write(os.urandom(200_000))\n"
        "            print((await store.keep(file)).sha256, flush=True)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = await asyncio.to_thread(process.stdout.readline)
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    told = [first, *process.stdout.read().splitlines()]
    process.wait()
    store = FolderBlobs(tmp_path)
    whole = [line.strip() for line in told if len(line.strip()) == 64]
    assert whole
    for sha256 in whole:
        assert hashlib.sha256(await read(store, sha256)).hexdigest() == sha256


def test_a_store_elsewhere_needs_public_egress(tmp_path: Path) -> None:
    for endpoint in (None, "https://s3.example.org", "http://10.0.0.1:9000"):
        with pytest.raises(Invalid):
            outside.blob_store(Settings(tmp_path, egress="loopback", blob_store="s3://abc", blob_endpoint=endpoint))
