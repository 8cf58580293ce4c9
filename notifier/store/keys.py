"""Keys in the state folder. The audit log has a pair: `audit.ed25519`, ours alone, and `audit.pub` for everyone."""

import contextlib
import os
import secrets
from pathlib import Path

from notifier.domain.checkpoint import SigningKey, Verifier, read_signing_key, read_verifier
from notifier.store.checkpoint_file import sync_folder

_PRIVATE, _PUBLIC = "audit.ed25519", "audit.pub"


def open_signing_key(folder: Path) -> SigningKey:
    """The key in `folder`, made there at first use; processes that come at once get the same one.

    Raises OSError, or BadNote (a ValueError) when a file holds no key or the two do not belong together.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = folder / _PRIVATE, folder / _PUBLIC
    if not private.exists():
        # Two installations must never sign under one name, and nobody has told us a name of our own.
        fresh = SigningKey(f"trusted-notifier/{secrets.token_hex(6)}", secrets.token_bytes(32))
        _write_once(private, fresh.text + "\n", 0o600)
    key = read_signing_key(private.read_text())
    if not public.exists():
        _write_once(public, key.verifier.text + "\n", 0o644)
    if open_verifier(folder) != key.verifier:
        raise ValueError(f"{public} is not the public key of {private}")
    return key


def open_verifier(folder: Path) -> Verifier:
    """The public key in `folder`. Raises OSError, or BadNote when the file holds no key."""
    return read_verifier((folder / _PUBLIC).read_text())


def open_secret(folder: Path, name: str) -> bytes:
    """32 random bytes in `folder`, made there at first use and the same for everyone after. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        _write_once(path, secrets.token_hex(32) + "\n", 0o600)
    return bytes.fromhex(path.read_text().strip())


def _write_once(path: Path, text: str, mode: int) -> None:
    """Put a complete file at `path` unless one is there; nobody ever sees half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.write(fd, text.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)
