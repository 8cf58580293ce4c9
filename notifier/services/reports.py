"""The yearly report of a program, in three forms, and the proof that a file of numbers is what it says it is.

A file holds the question that it answers. To verify it, the question is asked again as of the same instant, the file
is made again, and the two must be the same, byte for byte.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from itertools import zip_longest
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from notifier import resources
from notifier.domain import yearly
from notifier.domain.table_rows import COLUMNS, Cell, csv_text, safe_cell
from notifier.errors import Invalid
from notifier.services import statistics
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.statistics import Query, Statistics
from notifier.store import audit as audit_store
from notifier.store import transitions

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_INDEPENDENCE = (
    "A report is checked against the program's published rules, each of which passes, fails or is unknown; unknown never passes.",
    "A person who neither reported nor brought evidence reads the exact notice and approves it; whoever took part cannot.",
    "Providers act voluntarily and may decline; a decline is an outcome, and is not held against them.",
    "What a provider says it did is a claim until our own looks at the registry's data and the zone saw it.",
    "Each step is an entry of a signed log that shows any later change.",
)


class Form(StrEnum):
    HTML = "html"
    CSV = "csv"
    JSON = "json"


async def yearly_report(ctx: Context, who: Principal, program: str, year: int, form: Form, *, via: str) -> str:
    """The report on the cohort of a year (UTC), as of now. Who took it away is in the log.

    Raises NotFound for a program outside the reader's reach, Invalid for a year that has not begun.
    """
    now = await ctx.db.clock.now()
    if not 2000 <= year <= now.year:
        raise Invalid("year: one that has begun")
    async with ctx.db.pool.acquire() as con:
        newest = await audit_store.newest_checkpoint(con)
        now = await transitions.newest_instant(con, now)
    checkpoint = {"size": newest.size, "root": newest.root.hex()} if newest else None
    document, found = await _document(ctx, who, program, year, now, checkpoint)
    await statistics.note_export(ctx, who, found, f"report.{form}", via)
    return _written(document, form)


async def verify(ctx: Context, who: Principal, text: str) -> list[str]:
    """What is wrong with a file that `stats` or `report` made; nothing when it is what would be made again.

    Raises Invalid for a file that says of nothing what it is.
    """
    told, form = _read(text)
    about = _of(told, "about")
    faults: list[str] = []
    if told.get("kind") == "yearly-report":
        checkpoint = told.get("checkpoint")
        year, program = told.get("year"), about.get("program")
        if not isinstance(year, int) or not isinstance(program, str):
            raise Invalid("the file does not say which program and year it is about")
        made, _ = await _document(ctx, who, program, year, _moment(about.get("as_of")), checkpoint)
        faults += await _checkpoint_faults(ctx, checkpoint)
        faults += _rule_notes(about, made["about"])
        made["about"]["programs"] = about.get("programs")
        again = _written(made, form)
    else:
        found = await statistics.statistics(ctx, who, _query(about))
        made = statistics.document(found)
        faults += _rule_notes(about, made["about"])
        made["about"]["programs"] = about.get("programs")
        again = statistics.json_of(made) if form is Form.JSON else statistics.csv_of(made)
    if _plain(again) != _plain(text):
        found_in = _lines(text, again) if form is Form.CSV else _differences(told, made)
        faults += found_in or ["the file around its figures is not what is made again"]
    return faults


# --- making ---------------------------------------------------------------------------------------------------------


async def _document(
    ctx: Context, who: Principal, program: str, year: int, as_of: datetime, checkpoint: Any
) -> tuple[dict[str, Any], Statistics]:
    start, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    asked = Query(program, start=start, end=end, as_of=as_of)
    found, units = await statistics.with_units(ctx, who, asked)
    period = await statistics.statistics(ctx, who, Query(program, start=start, end=end, basis="period", as_of=as_of))
    flow = period.whole.period.flow if period.whole.period else None
    of = ctx.program(program)
    made: dict[str, Any] = {
        "kind": "yearly-report",
        "year": year,
        "program": {"id": of.id, "name": of.name, "owner": of.owner},
        **statistics.document(found),
        "units": len(units),
        "providers": [asdict(line) for line in yearly.providers(units, of.category)],
        "requests": asdict(yearly.requests(units)),
        "period": asdict(flow) if flow else {},
        "independence": list(_INDEPENDENCE),
        "checkpoint": checkpoint,
    }
    return json.loads(statistics.json_of(made)), found


def _written(document: Mapping[str, Any], form: Form) -> str:
    if form is Form.JSON:
        return statistics.json_of(document)
    if form is Form.CSV:
        return _csv(document)
    return _html(document)


def _csv(document: Mapping[str, Any]) -> str:
    """Its figures as rows, the two tables among them; the document itself in one cell, from which it is verified."""
    told: list[dict[str, Cell]] = [
        {"slice": "about", "part": "document", "figure": json.dumps(document, ensure_ascii=False)},
        {"slice": "about", "part": "simulated", "figure": safe_cell(document["about"]["simulated"])},
    ]
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
    told += [_counted("flow", name, n) | {"basis": "period"} for name, n in document["period"].items()]
    return csv_text(COLUMNS, [*told, *document["rows"]])


def _counted(part: str, figure: str, n: int) -> dict[str, Cell]:
    return {"slice": "all", "part": part, "figure": figure, "basis": "cohort", "n": n}


def _html(document: Mapping[str, Any]) -> str:
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
    return templates.get_template("yearly.html").render(r=document, data=Markup(data)) + "\n"  # noqa: S704 (escaped above)


def _share_words(share: Mapping[str, Any]) -> str:
    if share["share"] is None:
        return "0 of 0"
    flag = "*" if share["few"] else ""
    interval = f"{100 * share['low']:.1f} to {100 * share['high']:.1f}"
    return f"{share['n']} of {share['of']}: {100 * share['share']:.1f} % ({interval}){flag}"


def _row_words(row: Mapping[str, Any]) -> str:
    return _share_words({**row, "of": row["out_of"]})


def span(seconds: float | None) -> str:
    """A length of time in the unit that fits it; a dash when there is none."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


# --- verifying ------------------------------------------------------------------------------------------------------


def _read(text: str) -> tuple[Mapping[str, Any], Form]:
    """The document that a file holds, and its form."""
    try:
        if found := _DATA.search(text):
            return _mapping(json.loads(found[1])), Form.HTML
        if text.lstrip().startswith("{"):
            return _mapping(json.loads(text)), Form.JSON
        if text.startswith(",".join(COLUMNS)):
            about = statistics.about_in_csv(text)
            whole = about.get("document")
            return (_mapping(json.loads(whole)) if whole is not None else {"about": about}), Form.CSV
    except (ValueError, KeyError, RecursionError) as error:
        raise Invalid("the file's data cannot be read") from error
    raise Invalid("the file is none that `stats` or `report` writes")


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no document")
    return value


def _of(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    if not isinstance(found, dict):
        raise Invalid(f"the file has no `{key}`")
    return found


def _moment(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Invalid("the file has a time that is none") from error
    if at.tzinfo is None:
        raise Invalid("the file has a time without a zone")
    return at.astimezone(UTC)


def _query(about: Mapping[str, Any]) -> Query:
    def moment(key: str) -> datetime | None:
        return None if about.get(key) is None else _moment(about[key])

    if about.get("basis") not in statistics.BASES or about.get("by") not in (None, *statistics.BYS):
        raise Invalid("the file does not say how its figures are made")
    for key in ("program", "registry"):
        if not isinstance(about.get(key), str | None):
            raise Invalid(f"the file's {key} is none")
    return Query(
        about.get("program"),
        about.get("registry"),
        moment("from"),
        moment("to"),
        about.get("by"),
        about["basis"],
        _moment(about.get("as_of")),
    )


async def _checkpoint_faults(ctx: Context, checkpoint: Any) -> list[str]:
    if checkpoint is None:
        return []
    size = checkpoint.get("size") if isinstance(checkpoint, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 2**63:
        return ["the checkpoint that it names is none"]
    async with ctx.db.pool.acquire() as con:
        known = await audit_store.checkpoint_at(con, size)
    if known is None or known.root.hex() != checkpoint.get("root"):
        return [f"the log has no checkpoint of size {size} with the root that it names"]
    return []


def _rule_notes(told: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """The digests are of the day on which the file was made; only which programs it is about can be held against it."""
    theirs = told.get("programs")
    if not isinstance(theirs, dict) or set(theirs) != set(made["programs"]):
        return ["the programs that it is about are others than you see now"]
    return []


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def _lines(told: str, made: str) -> list[str]:
    """The first lines that differ."""
    pairs = zip_longest(_plain(told).split("\n"), _plain(made).split("\n"), fillvalue="")
    return [f"line {n}: the file says {a!r:.200}, and it is {b!r:.200}" for n, (a, b) in enumerate(pairs, 1) if a != b][
        :20
    ]


def _differences(told: Any, made: Any, at: str = "") -> list[str]:
    """Where two documents differ, at most twenty of them, by path."""
    if isinstance(told, dict) and isinstance(made, dict):
        keys = [*made, *(key for key in told if key not in made)]
        found = [d for key in keys for d in _differences(told.get(key), made.get(key), f"{at}.{key}".lstrip("."))]
    elif isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
        found = [d for n, (a, b) in enumerate(zip(told, made, strict=True)) for d in _differences(a, b, f"{at}[{n}]")]
    else:
        found = [] if told == made else [f"{at}: the file says {told!r:.100}, and it is {made!r:.100}"]
    return found[:20]
