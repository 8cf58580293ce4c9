"""The demonstration over months, as an evaluator runs it: figures follow from the list of cases, and each file says the same."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from notifier.services import report_pdf
from tests import rederived

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months with five names each; holds are kept or lapse in the second."""
    out = tmp_path_factory.mktemp("months") / "year"
    asked = ["demo", "--months", "2", "--count", "10", "--out", str(out), "--json"]
    program = [sys.executable, "-c", "from notifier.cli.main import app; app()"]
    run = subprocess.run([*program, *asked], capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr[-3000:]
    (out / "summary.json").write_text(run.stdout.splitlines()[-1])
    return out


def test_a_month_follows_another_and_what_is_held_needs_fresh_evidence(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["simulated"] == {"from": "2026-01-05T14:00:00+00:00", "to": "2026-03-05T14:00:00+00:00"}
    assert summary["audit"]["verified"]
    assert summary["cases"] == 10 < summary["reports"]


def test_every_figure_follows_from_the_list_of_cases(folder: Path) -> None:
    figures, cases = [(folder / f"opioids-{name}.csv").read_text() for name in ("figures", "cases")]
    assert rederived.agrees(figures, cases) > 25
    _, units = rederived.read(cases)
    assert sorted({unit["opened"][:7] for unit in units}) == ["2026-01", "2026-02"]
    assert not any(unit["domain"] for unit in units)  # an evaluator sees no names


def test_page_and_paper_say_what_the_list_says(folder: Path) -> None:
    """Three figures by hand, from the list: who was asked, what was suspended, and how many had a success."""
    page = (folder / "opioids-2026.html").read_text()
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    told: dict[str, Any] = json.loads(data)
    on_paper = json.loads(report_pdf.attached((folder / "opioids-2026.pdf").read_bytes()))
    _, units = rederived.read((folder / "opioids-cases.csv").read_text())
    asked = [unit for unit in units if unit["sent"]]
    held = [unit for unit in asked if re.search(r"/(hold|delete)/[a-z_]+/seen\b", unit["claims"])]
    for document in (told, on_paper):
        requests = document["requests"]
        assert (requests["requested"], requests["suspended"]["n"]) == (len(asked), len(held))
        (success,) = [row for row in document["rows"] if row["cell"] == "all/share/success"]
        assert (success["n"], success["out_of"]) == (sum(bool(unit["verified"]) for unit in units), len(asked))
