"""`notifier stats`, as it is typed."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.test_agreement import Typed, typed

__all__ = ["typed"]


def test_each_form(typed: Typed) -> None:
    typed.person("eva", "--role", "evaluator")
    shown = typed("stats", "--program", "opioids", by="eva")
    assert shown.exit_code == 0, shown.output
    assert "funnel verified" in shown.stdout
    assert "cohort, counted: domain-epoch, 0 cases" in shown.stdout
    assert "SIMULATED" not in shown.stdout
    as_json = json.loads(typed("stats", "--format", "json", "--from", "2026-01-01", "--by", "month", by="eva").stdout)
    about = as_json["about"]
    assert (about["from"], about["by"], about["basis"]) == ("2026-01-01T00:00:00+00:00", "month", "cohort")
    assert {row["figure"] for row in as_json["rows"] if row["part"] == "funnel"} >= {"opened", "sent", "verified"}
    as_csv = typed("stats", "--format", "csv", "--basis", "period", by="eva").stdout
    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert next(row["figure"] for row in rows if row["part"] == "basis") == "period"
    assert [row["n"] for row in rows if row["part"] == "flow"] == ["0", "0", "0", "0"]


def test_what_cannot_be_asked(typed: Typed) -> None:
    nobody = typed("stats")
    assert (nobody.exit_code, "NOTIFIER_TOKEN" in nobody.output) == (2, True)
    typed.person("sam", "--role", "submitter")
    assert typed("stats", by="sam").exit_code == 2
    typed.person("eva", "--role", "evaluator")
    for wrong in (["--from", "yesterday"], ["--from", "2026-03-09T14:30:00"], ["--program", "none"]):
        assert typed("stats", *wrong, by="eva").exit_code == 2


def test_a_report_is_written_and_verified(typed: Typed, tmp_path: Path) -> None:
    typed.person("eva", "--role", "evaluator")
    for name in ("year.html", "year.csv", "year.json"):
        file = tmp_path / name
        made = typed("report", "--program", "opioids", "--year", "2026", "--out", file, by="eva")
        assert made.exit_code == 0, made.output
        checked = typed("stats", "verify", file, by="eva")
        assert (checked.exit_code, "computed again" in checked.stdout) == (0, True), checked.output
        file.write_text(file.read_text().replace("2026", "2025"))
        assert typed("stats", "verify", file, by="eva").exit_code in (1, 2)


def test_each_kind_and_form_is_written_and_verified(typed: Typed, tmp_path: Path) -> None:
    typed.person("eva", "--role", "evaluator")
    kinds = {
        "yearly": ["--year", "2026"],
        "scorecard": ["--registry", "verisign"],
        "accuracy": ["--from", "2026-01-01", "--to", "2026-07-01"],
        "reinstatements": ["--year", "2026"],
        "collateral": ["--registry", "pir", "--from", "2026-01-01"],
        "pilot": ["--from", "2026-01-01", "--to", "2026-03-01", "--registry", "pir", "--registry", "verisign"],
    }
    for kind, options in kinds.items():
        for form in ("html", "pdf", "csv", "json", "parquet") if kind == "scorecard" else ("pdf",):
            file = tmp_path / f"{kind}.{form}"
            asked = ("report", "--kind", kind, "--program", "opioids", *options, "--out", file)
            made = typed(*asked, "--charts", tmp_path / kind, by="eva")
            assert made.exit_code == 0, made.output
            checked = typed("stats", "verify", file, by="eva")
            assert checked.exit_code == 0, checked.output
    drawn = {path.name for path in (tmp_path / "scorecard").iterdir()}
    assert drawn >= {"funnel-mine.svg", "funnel-mine.png", "funnel-rest.svg", "gap.png"}


@pytest.mark.parametrize(
    "options",
    [
        ["--out", "a.docx", "--year", "2026"],
        ["--out", "a.pdf"],
        ["--out", "a.pdf", "--year", "2999"],
        ["--out", "a.pdf", "--year", "2026", "--from", "2026-01-01"],
        ["--out", "a.pdf", "--year", "2026", "--registry", "pir"],
        ["--out", "a.pdf", "--kind", "weekly"],
        ["--out", "a.pdf", "--kind", "scorecard"],
        ["--out", "a.pdf", "--kind", "pilot", "--from", "2026-01-01"],
        ["--out", "a.pdf", "--kind", "collateral", "--year", "2026", "--to", "2026-01-01"],
        ["--out", "a.pdf", "--kind", "collateral", "--from", "yesterday"],
    ],
)
def test_what_cannot_be_reported(typed: Typed, options: list[str]) -> None:
    typed.person("eva", "--role", "evaluator")
    assert typed("report", "--program", "opioids", *options, by="eva").exit_code == 2
    assert not Path(options[1]).exists()


def test_statements_of_reasons_are_written(typed: Typed, tmp_path: Path) -> None:
    made = typed("reasons", "--program", "opioids", "--from", "2026-01-01", "--out", tmp_path / "dsa", by="rita")
    assert (made.exit_code, "0 statements in 0 files" in made.stdout) == (0, True), made.output
    assert list((tmp_path / "dsa").iterdir()) == []
    typed.person("eva", "--role", "evaluator")
    assert typed("reasons", "--program", "opioids", "--out", tmp_path / "dsa", by="eva").exit_code == 2
