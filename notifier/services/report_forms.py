"""A report's document in each form, and the document that a file of such a form holds."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from notifier import resources
from notifier.chart_files import parts_of
from notifier.charts import STYLE
from notifier.domain import case_list
from notifier.domain.figure_words import share_words, span
from notifier.domain.figures import Share
from notifier.domain.table_rows import COLUMNS, Cell, csv_text, safe_cell
from notifier.errors import Invalid
from notifier.services import parquet, report_pdf, statistics_file
from notifier.services.report_data import Form

MEDIA_TYPES = {
    Form.HTML: "text/html; charset=utf-8",
    Form.CSV: "text/csv; charset=utf-8",
    Form.JSON: "application/json",
    Form.PDF: "application/pdf",
    Form.PARQUET: "application/vnd.apache.parquet",
}
_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
# What a document repeats beside its question; a CSV file has the rows as rows, and the rest follows from them.
_SHOWN = frozenset(
    {
        "sections",
        "rows",
        "lines",
        "providers",
        "requests",
        "appeals",
        "reversed",
        "period",
        "independence",
        "comparisons",
    }
)


@dataclass(frozen=True, slots=True)
class Written:
    """A document and the drawings that belong to it."""

    document: Mapping[str, Any]
    charts: Mapping[str, Markup] = field(default_factory=dict)

    def file(self, form: Form) -> bytes:
        """Raises Invalid where the form needs a package that is not installed."""
        if form is Form.PDF:
            return report_pdf.written(self.document, self.charts)
        if form is Form.PARQUET:
            parquet.require()
            return parquet.written({"about": _question(self.document), "rows": rows(self.document)})
        return self.text(form).encode()

    def text(self, form: Form) -> str:
        """One of the forms that are text."""
        if form is Form.JSON:
            return statistics_file.json_of(self.document)
        if form is Form.CSV:
            return _csv(self.document)
        return _html(self.document, self.charts)


def is_old(document: Mapping[str, Any]) -> bool:
    """Whether it is a yearly report from before reports had sections; such a file is made again as it was."""
    return document.get("kind") == "yearly-report" and "layout" not in document


def rows(document: Mapping[str, Any]) -> list[Mapping[str, Cell]]:
    """A report's numbers by the columns of `table_rows`."""
    return [*_yearly_rows(document), *document["rows"]] if document["kind"] == "yearly-report" else document["rows"]


def _question(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _SHOWN}


def _csv(document: Mapping[str, Any]) -> str:
    """Its figures as rows; in one cell what it is of, from which it is verified."""
    whole = document if is_old(document) else _question(document)
    first: list[Mapping[str, Cell]] = [
        {"slice": "about", "part": "document", "figure": json.dumps(whole, ensure_ascii=False)},
        {"slice": "about", "part": "simulated", "figure": safe_cell(document["about"]["simulated"])},
    ]
    return csv_text(COLUMNS, [*first, *rows(document)])


def _yearly_rows(document: Mapping[str, Any]) -> list[Mapping[str, Cell]]:
    """The two tables of a yearly report, and its flow."""
    told: list[Mapping[str, Cell]] = []
    for line in document["providers"]:
        who = f"{line['provider']} ({line['party']}): {line['category']}"
        told += [
            _counted("provider", f"{who}: {action}", n) | {"out_of": line["notices"]}
            for action, n in line["actions"].items()
        ]
    asked, suspended = document["requests"], document["requests"]["suspended"]
    for name in ("requested", "not_suspended", "reversed_cured", "reversed_error"):
        told.append(_counted("requests", name, asked[name]))
    interval = {name: suspended[name] for name in ("share", "low", "high", "few")}
    told.append(_counted("requests", "suspended", suspended["n"]) | {"out_of": suspended["of"], **interval})
    for kind in ("other_acts", "reasons"):
        told += [_counted(f"requests {kind}", word, n) for word, n in asked[kind].items()]
    told += [_counted("reversed", why, n) for why, n in document.get("reversed", {}).items()]
    told += [_counted("appeals", what, n) for what, n in document.get("appeals", {}).items()]
    told += [_counted("flow", name, n) | {"basis": "period"} for name, n in document["period"].items()]
    return told


def _counted(part: str, figure: str, n: int) -> dict[str, Cell]:
    return {"slice": "all", "part": part, "figure": figure, "basis": "cohort", "n": n}


def _html(document: Mapping[str, Any], charts: Mapping[str, Markup]) -> str:
    """One page without a script that runs; its data stands in it as JSON, in which no tag can begin."""
    templates = Environment(
        loader=FileSystemLoader(resources.folder("templates") / "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"share": _share_words, "row_share": _row_words, "span": span}
    data = (
        json.dumps(document, ensure_ascii=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    )
    template = templates.get_template("yearly.html" if is_old(document) else "report.html")
    titles = {key: parts_of(chart).title for key, chart in charts.items()}
    shown = {"charts": charts, "titles": titles, "chart_style": Markup(STYLE)}  # noqa: S704 (ours)
    return template.render(r=document, data=Markup(data), **shown) + "\n"  # noqa: S704 (escaped above)


def _share_words(share: Mapping[str, Any]) -> str:
    return share_words(Share(**{name: share[name] for name in ("n", "of", "share", "low", "high", "few")}))


def _row_words(row: Mapping[str, Any]) -> str:
    return _share_words({**row, "of": row["out_of"]})


# --- reading --------------------------------------------------------------------------------------------------------


def read(content: bytes) -> tuple[Mapping[str, Any], Form]:
    """The document that a file holds, and its form. Raises Invalid for what is no file of ours."""
    try:
        if content.startswith(b"%PDF-"):
            return _mapping(json.loads(report_pdf.attached(content))), Form.PDF
        if content.startswith(b"PAR1"):
            parquet.require()
            held = parquet.read(content)
            told = _mapping(held["about"])
            return {**(told if "kind" in told else {"about": told}), "rows": held["rows"]}, Form.PARQUET
        text = content.decode("utf-8", "replace")
        if found := _DATA.search(text):
            return _mapping(json.loads(found[1])), Form.HTML
        if text.lstrip().startswith("{"):
            return _mapping(json.loads(text)), Form.JSON
        if text.startswith(",".join(COLUMNS)) or lists_cases(content):
            about = statistics_file.about_in_csv(text)
            whole = about.get("document")
            return (_mapping(json.loads(whole)) if whole is not None else {"about": about}), Form.CSV
    except (ValueError, KeyError, RecursionError, csv.Error) as error:
        raise Invalid("the file's data cannot be read") from error
    raise Invalid("the file is none that `stats` or `report` writes")


def lists_cases(content: bytes) -> bool:
    """Whether a CSV file holds cases, not figures."""
    return content.startswith(",".join(case_list.COLUMNS).encode())


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no document")
    return value
