"""The wheel, built by hatchling and installed into a folder of its own, works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), str(wheel)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return target


def python(installed: Path, away: Path, *arguments: str) -> str:
    """Run `-c code` or `-m module` with the installed wheel first and the checkout not on the path at all."""
    program = (
        "import runpy, sys\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        f"sys.path.insert(0, {str(installed)!r})\n"
        "kind, what, *sys.argv[1:] = sys.argv[1:]\n"
        "exec(what) if kind == '-c' else runpy.run_module(what, run_name='__main__')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=away,
        env={"PATH": os.environ["PATH"], "HOME": str(away)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_it_holds_everything_that_running_needs(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for package in ("notifier", "registries"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in held
    for folder in ("templates", "migrations", "config"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"notifier/_data/{path.relative_to(ROOT)}" in held
    assert not [name for name in held if name.startswith("tests/") or name.endswith(".pyc")]
    assert [name for name in held if name.endswith("licenses/LICENSE")]


def test_its_folders_are_its_own(installed: Path, tmp_path: Path) -> None:
    said = python(
        installed,
        tmp_path,
        "-c",
        "from notifier import resources\n"
        "for name in ('config', 'migrations', 'templates'): print(resources.folder(name))",
    )
    assert said.split() == [
        str(installed / "notifier" / "_data" / name) for name in ("config", "migrations", "templates")
    ]


async def test_it_migrates_a_database(installed: Path, tmp_path: Path, empty_database_url: str) -> None:
    said = python(
        installed,
        tmp_path,
        "-c",
        "import asyncio, notifier\n"
        "from notifier.store.migrate import is_current, migrate\n"
        f"dsn = {empty_database_url!r}\n"
        "asyncio.run(migrate(dsn))\n"
        "print(asyncio.run(is_current(dsn)), notifier.__file__)",
    )
    assert said.split() == ["True", str(installed / "notifier" / "__init__.py")]


def test_its_command_runs(installed: Path, tmp_path: Path) -> None:
    said = python(installed, tmp_path, "-m", "notifier.cli.main", "--help")
    for command in ("demo", "serve", "sandbox", "migrate", "check-config", "submit"):
        assert command in said
