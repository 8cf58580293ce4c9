"""Files by content: what is named by its digest is written once, never changed, and checked whenever it is read.

A file is whole and on the disk before any row names it. A crash in between leaves bytes that no row names, which
`sweep` removes after a day; it never leaves a row without its bytes.
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self

from notifier.errors import NotifierError, TooLarge

CHUNK: Final = 262_144
FOLDER: Final = "blobs"  # in the state folder
_ARRIVING: Final = "arriving"
_ABANDONED_S: Final = 86_400.0


class Corrupt(NotifierError):
    """A stored file is gone, or is not what its name says."""

    code, http_status = "file_corrupt", 500


@dataclass(frozen=True, slots=True)
class Blob:
    """A file by content: hex SHA-256 and size in bytes."""

    sha256: str
    size: int


class Arriving:
    """One file on its way in: written beside the store while its digest grows. Leaving the context discards it."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.path = folder / f"{secrets.token_hex(16)}.part"
        self._limit, self._hash, self._size = limit, hashlib.sha256(), 0
        self._file: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        self._file = await asyncio.to_thread(self.path.open, "xb")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        await asyncio.to_thread(self.path.unlink, missing_ok=True)

    async def write(self, chunk: bytes) -> None:
        """Raises TooLarge when the file grows over its limit in bytes."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise TooLarge(f"the file is over {self._limit} bytes")
        await asyncio.to_thread(self._append, chunk)

    def _append(self, chunk: bytes) -> None:
        if self._file is None:
            raise ValueError("not open")
        self._hash.update(chunk)
        self._file.write(chunk)

    async def finished(self) -> Blob:
        """Everything is on the disk; what it is called by."""
        await asyncio.to_thread(self._sync)
        return Blob(self._hash.hexdigest(), self._size)

    def _sync(self) -> None:
        if self._file is None:
            raise ValueError("not open")
        self._file.flush()
        os.fsync(self._file.fileno())

    def head(self, size: int) -> bytes:
        """The first bytes of what was written."""
        with self.path.open("rb") as file:
            return file.read(size)


class BlobStore(Protocol):
    """Where files lie. `read` raises Corrupt for one that is gone or altered, before its last bytes are given."""

    def arriving(self, limit: int) -> Arriving: ...

    async def keep(self, arriving: Arriving) -> Blob: ...

    def read(self, sha256: str) -> AsyncIterator[bytes]: ...

    async def has(self, sha256: str) -> bool: ...

    async def erase(self, sha256: str) -> None: ...

    def listed(self) -> AsyncIterator[tuple[str, float]]:
        """Every file's digest with its age in seconds of real time."""
        ...


class FolderBlobs:
    """In a folder, two levels deep. Writes are synced, and renamed into place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _prepare(folder)

    def arriving(self, limit: int) -> Arriving:
        return Arriving(self._folder / _ARRIVING, limit)

    async def keep(self, arriving: Arriving) -> Blob:
        blob = await arriving.finished()
        await asyncio.to_thread(self._place, arriving.path, self._path(blob.sha256))
        return blob

    def _place(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)  # the same content, if it is there already
        for folder in (target.parent, target.parent.parent, self._folder):
            _sync_folder(folder)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self._path(sha256).open, "rb")
        except OSError as fault:
            raise Corrupt(f"the file {sha256} cannot be read ({fault.strerror})") from fault
        with file:
            while piece := await asyncio.to_thread(file.read, CHUNK):
                yield piece

    async def has(self, sha256: str) -> bool:
        return await asyncio.to_thread(self._path(sha256).is_file)

    async def erase(self, sha256: str) -> None:
        await asyncio.to_thread(self._path(sha256).unlink, missing_ok=True)

    async def listed(self) -> AsyncIterator[tuple[str, float]]:
        now = time.time()
        for path in await asyncio.to_thread(lambda: list(self._folder.glob("??/??/*"))):
            with contextlib.suppress(OSError):
                yield path.name, now - path.stat().st_mtime

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:4] / sha256


class S3Blobs:
    """In a bucket of an S3-compatible service, by `obstore` (the extra `s3`). What arrives waits in a local folder."""

    def __init__(self, store: Any, folder: Path) -> None:
        self._store, self._folder = store, folder
        _prepare(folder)

    def arriving(self, limit: int) -> Arriving:
        return Arriving(self._folder / _ARRIVING, limit)

    async def keep(self, arriving: Arriving) -> Blob:
        blob = await arriving.finished()
        await self._store.put_async(blob.sha256, arriving.path)
        return blob

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        try:
            found = await self._store.get_async(sha256)
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)
        except FileNotFoundError as fault:
            raise Corrupt(f"the file {sha256} is not in the store") from fault

    async def has(self, sha256: str) -> bool:
        try:
            await self._store.head_async(sha256)
        except FileNotFoundError:
            return False
        return True

    async def erase(self, sha256: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            await self._store.delete_async(sha256)

    async def listed(self) -> AsyncIterator[tuple[str, float]]:
        now = time.time()
        async for page in self._store.list():
            for each in page:
                yield each["path"].rpartition("/")[2], now - each["last_modified"].timestamp()


async def checked(store: BlobStore, sha256: str) -> AsyncIterator[bytes]:
    """The file piece by piece. The last piece is held back until the whole is known to be what its name says.

    Raises Corrupt; whoever passed the pieces on then has an incomplete file, and no wrong one.
    """
    digest, held = hashlib.sha256(), b""
    async for piece in store.read(sha256):
        digest.update(piece)
        if held:
            yield held
        held = piece
    if digest.hexdigest() != sha256:
        raise Corrupt(f"the file {sha256} was altered where it is stored")
    if held:
        yield held


async def sweep(store: BlobStore, is_known: Callable[[str], Awaitable[bool]], folder: Path) -> int:
    """Remove what no row names and is older than a day, and what stopped arriving in `folder`; how many files went."""
    gone = 0
    async for sha256, age in store.listed():
        if age > _ABANDONED_S and not await is_known(sha256):
            await store.erase(sha256)
            gone += 1
    for path in await asyncio.to_thread(lambda: list((folder / _ARRIVING).glob("*.part"))):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
                gone += 1
    return gone


def open_s3(bucket: str, prefix: str, *, plain: bool, **options: Any) -> Any:
    """An obstore client; `plain` allows http. Raises ImportError without the extra `s3`."""
    from obstore.store import S3Store

    return S3Store(bucket, prefix=prefix or None, client_options={"allow_http": plain}, **options)


def _prepare(folder: Path) -> None:
    (folder / _ARRIVING).mkdir(parents=True, exist_ok=True, mode=0o700)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
