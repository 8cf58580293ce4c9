"""Imports go one way: the contracts of pyproject.toml hold, and each refuses what it forbids."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60)


def copy_sources(folder: Path) -> None:
    for part in ("notifier", "registries"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "_data"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def test_the_contracts_hold() -> None:
    run = lint(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("notifier/domain/epp.py", "import notifier.store", "Imports go one way"),
        ("notifier/domain/epp.py", "import notifier.clock", "Imports go one way"),
        ("notifier/adapter.py", "import notifier.rendering", "Imports go one way"),
        ("notifier/store/ids.py", "import notifier.services", "Imports go one way"),
        ("notifier/web/__init__.py", "import notifier.worker", "Imports go one way"),
        ("notifier/services/__init__.py", "import notifier.web", "Imports go one way"),
        ("registries/__init__.py", "import notifier.rendering", "registries know the port and the domain only"),
        (
            "registries/__init__.py",
            "import notifier.services",
            "registries know the port and the domain only",
        ),
        ("notifier/services/__init__.py", "import registries", "bootstrap alone imports registries"),
        ("notifier/web/__init__.py", "import asyncpg", "store alone uses asyncpg"),
        ("notifier/domain/epp.py", "import asyncio", "domain is pure: no async, SQL, HTTP, files, clock"),
        ("notifier/domain/epp.py", "import aiohttp", "domain is pure: no async, SQL, HTTP, files, clock"),
    ],
)
def test_each_contract_refuses_what_it_forbids(tmp_path: Path, module: str, line: str, contract: str) -> None:
    copy_sources(tmp_path)
    with (tmp_path / module).open("a") as source:
        source.write(f"\n{line}\n")
    run = lint(tmp_path)
    assert run.returncode != 0
    importer = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    said = " ".join((run.stdout + run.stderr).split())
    assert f"{contract} BROKEN" in said, said
    assert f"{importer} -> {line.removeprefix('import ')}" in said, said


def test_a_new_module_must_find_its_layer(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    (tmp_path / "notifier" / "nowhere.py").write_text("")
    run = lint(tmp_path)
    assert run.returncode != 0
    assert "notifier.nowhere" in run.stdout + run.stderr
