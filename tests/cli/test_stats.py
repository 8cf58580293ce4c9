"""`notifier stats`, as it is typed."""

import csv
import io
import json
from pathlib import Path

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
    assert (
        typed("report", "--program", "opioids", "--year", "2026", "--out", tmp_path / "a.pdf", by="eva").exit_code == 2
    )
