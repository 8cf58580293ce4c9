"""Adapters from outside: a package that is really built and installed, and names that two packages claim."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import registries
from notifier.adapter import AgreementChannel
from notifier.cli.main import app
from notifier.errors import Invalid
from notifier.resources import folder
from tests.docs import examples
from tests.registries.channels import deps

FILE = "agreements/opioids.pir.toml"
JSON_API = 'url = "https://desk.example/notices"\nsecret = "desk"'


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of docs/adding.md as a package, installed into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    written = dict(examples.EXAMPLES)
    (source / "your_package").mkdir()
    (source / "your_package/__init__.py").write_text("")
    (source / "your_package/json_api.py").write_text(written[examples.ADAPTER])
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
    project = '[project]\nname = "your-package"\nversion = "1"\n\n'
    (source / "pyproject.toml").write_text(build + project + written["your_package/pyproject.toml"])
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    run = subprocess.run([*install, "--target", str(target), str(source)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return target


@pytest.fixture
def check_config(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """`notifier check-config` over a configuration with one channel, and packages from these folders: then in a process of
    its own, to whose path they belong."""

    def check(adapter: str, address: str, *packages: Path) -> tuple[int, str]:
        config = tmp_path / "config"
        shutil.copytree(folder("config"), config, ignore=shutil.ignore_patterns("__pycache__"))
        agreement = config / FILE
        agreement.write_text(f'adapter = "{adapter}"\n{agreement.read_text()}\n[address]\n{address}\n')
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(map(str, packages)),
            "NOTIFIER_CONFIG_FOLDER": str(config),
        }
        if not packages:
            typed = CliRunner().invoke(app, ["check-config"], env=env, catch_exceptions=False)
            return typed.exit_code, typed.output
        run = subprocess.run(
            [sys.executable, "-m", "notifier.cli.main", "check-config"],
            cwd=Path(__file__).parents[2],
            env=env,
            capture_output=True,
            text=True,
        )
        return run.returncode, run.stdout + run.stderr

    return check


def package(at: Path, name: str, points: str, module: str = "") -> Path:
    """What an installed package leaves on the path: its metadata, and a module."""
    meta = at / f"{name.replace('-', '_')}-1.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (meta / "entry_points.txt").write_text(f"[trusted_notifier.adapters]\n{points}\n")
    (at / f"{name.replace('-', '_')}.py").write_text(module)
    return at


def test_an_installed_package_brings_its_adapter(
    outside: Path, check_config: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = check_config("json-api", JSON_API, outside)
    assert (code, said.splitlines()[-1]) == (0, "no problems found")
    monkeypatch.syspath_prepend(str(outside))
    assert "json-api" in registries.names()
    channel = AgreementChannel("opioids.pir", "json-api", {"url": "https://desk.example", "secret": "desk"}, "PIR")
    assert registries.builder("json-api")(channel, deps()).capabilities.idempotent


def test_without_the_package_its_name_is_a_fault(check_config: Callable[..., tuple[int, str]]) -> None:
    code, said = check_config("json-api", JSON_API)
    assert code == 1
    assert f"{FILE}: adapter: json-api is no adapter, expected one of api, authority, smtp, webform, webhook" in said


def test_a_name_of_ours_cannot_be_taken(tmp_path: Path, check_config: Callable[..., tuple[int, str]]) -> None:
    rival = package(tmp_path / "rival", "rival", "smtp = rival:build", "def build(channel, deps): raise SystemExit(9)")
    code, said = check_config("smtp", 'to = "abuse@registry.example"', rival)
    assert code == 1
    assert "adapters: smtp: is given by rival and by this program, expected one package for one name" in said


def test_two_packages_with_one_name_are_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        monkeypatch.syspath_prepend(str(package(tmp_path / name, name, f"fax = {name}:build", "build = print")))
    assert list(registries.conflicts()) == [("fax", "is given by first and by second")]
    with pytest.raises(Invalid, match="given by first and by second"):
        registries.builder("fax")
    assert registries.builder("smtp") is registries.ADAPTERS["smtp"]


@pytest.mark.parametrize(
    ("point", "module", "said"),
    [
        ("broken:build", "raise RuntimeError('no licence')", "no licence"),
        ("broken:missing", "build = print", "cannot be loaded"),
        ("broken:build", "build = 5", "is no build"),
    ],
)
def test_a_package_that_does_not_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, module: str, said: str
) -> None:
    monkeypatch.syspath_prepend(str(package(tmp_path / "broken", "broken", f"fax = {point}", module)))
    monkeypatch.delitem(sys.modules, "broken", raising=False)
    with pytest.raises(Invalid, match=f"fax of broken.*{said}"):
        registries.builder("fax")
    sys.modules.pop("broken", None)


@pytest.mark.parametrize(
    ("adapter", "address", "said"),
    [
        ("smtp", 'to = "a@registry.example"\nstarttls = "dane"', "address.starttls: 'dane' is not supported here"),
        ("smtp", 'to = "a@registry.example"\nstarttsl = "none"', "address.starttsl: is not known"),
        ("authority", 'delivery = "post"', "address.postal: expected the recipient's address"),
        ("authority", "paper = 5", "address.delivery: is missing, expected one of mail, post"),
        ("api", 'url = "https://desk.example"', "address.token: is missing, expected the name of a secret"),
        ("api", 'url = "https://desk.example"\ntoken = "desk"\nwords = 1', "address.fields: is missing; address.files"),
    ],
)
def test_check_config_names_what_an_adapter_cannot_use(
    check_config: Callable[..., tuple[int, str]], adapter: str, address: str, said: str
) -> None:
    code, all_said = check_config(adapter, address)
    assert code == 1
    assert f"{FILE}: {said}" in all_said
