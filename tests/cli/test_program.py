"""`program check` and `explain`, `sample draw` and `verify`, as they are typed."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from notifier.cli.main import app
from notifier.resources import folder

PROGRAMS = folder("config") / "programs"


def notifier(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    return Path(shutil.copy(PROGRAMS / "opioids.toml", tmp_path / "draft.toml"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_check_tells_how_a_sound_file_stands_to_the_one_in_force(draft: Path) -> None:
    same = notifier("program", "check", draft)
    assert (same.exit_code, "says what the opioids in force says" in same.stdout) == (0, True)
    edit(draft, 'max_age = "14d"', 'max_age = "7d"')
    other = notifier("program", "check", draft)
    assert other.exit_code == 0
    assert "in force" in other.stdout
    edit(draft, 'id = "opioids"', 'id = "benzodiazepines"')
    assert "is a new program" in notifier("program", "check", draft).stdout


def test_check_names_every_fault_and_fails(draft: Path) -> None:
    edit(draft, 'type = "fresh"', 'type = "newest"')
    edit(draft, 'cancel_window = "30min"', 'cancel_window = "soon"')
    said = notifier("program", "check", draft)
    assert said.exit_code == 1
    assert [line.split(": ")[1] for line in said.stdout.splitlines()] == ["rules[8].type", "windows.cancel_window"]


@pytest.mark.parametrize("program", sorted(path.stem for path in PROGRAMS.glob("*.toml")))
def test_explain_says_what_each_program_asks_for(program: str) -> None:
    said = notifier("program", "explain", program)
    assert said.exit_code == 0
    for words in ("Who is asked", "What must hold", "good-faith (stated)", "How long everything takes"):
        assert words in said.stdout
    told = json.loads(notifier("program", "explain", program, "--json").stdout)
    assert {rule["id"] for rule in told["rules"]} >= {"target-safe", "good-faith", "conflicts"}


def test_explain_takes_a_file_too(draft: Path) -> None:
    edit(draft, "min_vantages = 2", "min_vantages = 5")
    assert "at least 5 vantages" in notifier("program", "explain", draft).stdout
    assert notifier("program", "explain", "opera").exit_code == 2


def test_a_sample_is_drawn_and_verified(tmp_path: Path) -> None:
    pages, drawn = tmp_path / "pages", tmp_path / "drawn"
    pages.write_text("".join(f"https://a.example/{i}\n" for i in range(50)))
    said = notifier("sample", "draw", "--seed", "s", "--size", 5, pages)
    assert (said.exit_code, len(said.stdout.splitlines())) == (0, 5)
    drawn.write_text(said.stdout)
    assert notifier("sample", "verify", "--seed", "s", pages, drawn).exit_code == 0
    other = notifier("sample", "verify", "--seed", "t", pages, drawn)
    assert (other.exit_code, "draws other pages" in other.stdout) == (1, True)
    told = json.loads(notifier("sample", "draw", "--seed", "s", "--size", 5, "--json", pages).stdout)
    assert told["items"] == said.stdout.splitlines()
    assert (told["population"], told["method"], len(told["population_sha256"])) == (50, "random", 64)


def test_a_draw_of_more_than_there_is_says_so(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("https://a.example/\n")
    assert notifier("sample", "draw", "--seed", "s", "--size", 2, tmp_path / "pages").exit_code == 2


@pytest.mark.parametrize("program", sorted(path.stem for path in PROGRAMS.glob("*.toml")))
def test_each_notice_of_a_program_can_be_read_before_there_is_a_case(program: str) -> None:
    for purpose in ("request", "reminder", "escalation", "amendment", "withdrawal", "restore"):
        shown = notifier("program", "notice", program, "--purpose", purpose)
        assert (shown.exit_code, "SIMULATION" in shown.stdout) == (0, True), purpose
    host = notifier("program", "notice", program, "--party", "host", "--html").stdout
    assert "content_removal" in host
    assert host.startswith("<!")


def test_a_purpose_that_is_none_says_which_there_are() -> None:
    wrong = notifier("program", "notice", "piracy", "--purpose", "threat")
    assert wrong.exit_code == 2
    assert "amendment" in wrong.output
