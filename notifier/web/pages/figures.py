"""Figures for those who judge a program: each count with its interval, its cases, and an address that keeps it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError

from notifier.domain.definitions import COUNTS, PARTS, SHARES, STAGES, TIMES
from notifier.domain.figures import KEPT_BACK, PARTY_STEPS, of_cell
from notifier.errors import Forbidden, Invalid, Mendable, NotFound
from notifier.services import (
    accuracy,
    appeal_figures,
    parquet,
    small_numbers,
    statistics,
    statistics_file,
    summed,
    summed_cases,
)
from notifier.services.access import COUNTED
from notifier.services.accuracy import Ledger
from notifier.services.statistics import BYS, Query, Statistics
from notifier.services.statistics_file import Form
from notifier.web.pages import figures_drawn
from notifier.web.pages.desk import Page, Visit
from notifier.web.schemas import StatisticsFilter

_AT = "/figures"
_ASKED = ("program", "registry", "from", "to", "by", "basis", "as_of")
_LINES = 50  # of the ledger, those that decided most
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?P<s>:[0-9]{2}(?:\.[0-9]{1,6})?)?\Z")


async def show(visit: Visit) -> web.StreamResponse:
    """The dashboard of what the address asks for; a question that cannot be answered is shown with its fault."""
    asked, bounds = visit.asked(*_ASKED), await statistics.bounds_in_reach(visit.ctx, visit.who)
    if (one_by_one := any(bounds.values())) and "program" not in asked:  # nobody did wrong by coming here
        asked = {**asked, "program": next(iter(bounds))}
    narrowed = one_by_one and bounds.get(asked["program"], 0) > 0
    shown = {
        "asked": {name: asked.get(name, "") for name in _ASKED},
        "programs": list(bounds),
        "registries": await summed.registries(visit.ctx, visit.who, filter(None, [asked.get("registry")])),
        "one_by_one": one_by_one,
        "narrowed": narrowed,
        "bys": small_numbers.BYS if narrowed else BYS,
        "day": _DAY.match,
    }
    try:
        query = _query(asked)
        found = await summed.summed(visit.ctx, visit.who, query)
    except Mendable as error:
        return await visit.page("figures", error.http_status, fault=error.detail, found=None, **shown)
    pinned = _pinned(asked, found.as_of)
    if found.suppress_below:
        return await _without_small(visit, query, found, pinned, shown)
    return await visit.page(
        "figures",
        200,
        fault="",
        found=found,
        is_of_now="as_of" not in asked,
        pinned=pinned,
        whole=found.whole,
        cell=_cells(pinned),
        ledger=await _ledger(visit, query) if "as_of" not in asked and query.basis == "cohort" else None,
        appeals=await appeal_figures.counts(visit.ctx, visit.who, query, found.as_of),
        parquet=parquet.available(),
        stages=STAGES,
        shares=SHARES,
        times=TIMES,
        counts=COUNTS,
        steps=PARTY_STEPS,
        of_cell=of_cell,
        drawn=figures_drawn,
        urlencode=urlencode,
        **shown,
    )


async def _without_small(
    visit: Visit, query: Query, found: Statistics, pinned: Mapping[str, str], shown: Mapping[str, object]
) -> web.Response:
    """The same figures as one plain table, from which small numbers are kept back: no number has its cases behind it."""
    return await visit.page(
        "figures_small",
        fault="",
        found=found,
        is_of_now="as_of" not in visit.asked("as_of"),
        pinned=pinned,
        rows=statistics_file.rows(found),
        appeals=await appeal_figures.counts(visit.ctx, visit.who, query, found.as_of),
        kept_back=KEPT_BACK,
        parquet=parquet.available(),
        drawn=figures_drawn,
        urlencode=urlencode,
        **shown,
    )


async def show_cases(visit: Visit) -> web.StreamResponse:
    """What a number counts: references, and domain names only for whom a grant or their role shows them to."""
    asked = visit.asked(*_ASKED, "cell", "cursor", "organisation", "fate")
    cell, cursor = asked.get("cell", ""), asked.get("cursor")
    if "fate" in asked:
        page = await accuracy.cases(
            visit.ctx, visit.who, asked.get("program", ""), asked.get("organisation", ""), asked["fate"], cursor=cursor
        )
        told = f"{asked['fate'].replace('_', ' ')}, of {asked.get('organisation') or 'the house itself'}"
    elif cell.startswith(appeal_figures.CELL):
        page = await appeal_figures.cases(visit.ctx, visit.who, _query(asked), cell, cursor=cursor)
        told = f"appeals {cell.removeprefix(appeal_figures.CELL)}"
    else:
        page = await summed_cases.cases(visit.ctx, visit.who, _query(asked), cell, cursor=cursor)
        told = _told(cell)
    back = f"{_AT}?{urlencode({name: asked[name] for name in _ASKED if name in asked})}"
    in_groups = "fate" not in asked and not cell.startswith(appeal_figures.CELL)
    return await visit.page(
        "figures_cases",
        200,
        found=page,
        told=told,
        definition=_definition(cell),
        in_groups=in_groups,
        names_shown=any(item.domain is not None for item in page.items),
        back=back,
    )


async def download_csv(visit: Visit) -> web.StreamResponse:
    return attached("figures.csv", "text/csv", await _exported(visit, Form.CSV))


async def download_json(visit: Visit) -> web.StreamResponse:
    return attached("figures.json", "application/json", await _exported(visit, Form.JSON))


async def download_parquet(visit: Visit) -> web.StreamResponse:
    if not parquet.available():
        raise NotFound("Parquet files are not written here; take the CSV or the JSON")
    return attached("figures.parquet", "application/vnd.apache.parquet", await _exported(visit, Form.PARQUET))


async def download_cases(visit: Visit) -> web.StreamResponse:
    return attached("cases.csv", "text/csv", await _exported(visit, Form.CASES))


async def _exported(visit: Visit, form: Form) -> bytes:
    query = _query(visit.asked(*_ASKED))
    return await statistics_file.exported(visit.ctx, visit.who, query, form, via="page")


def attached(name: str, media_type: str, content: bytes) -> web.Response:
    """A file to take away, which nothing in between keeps."""
    headers = {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return web.Response(body=content, headers=headers)


# --- what is asked --------------------------------------------------------------------------------------------------


def _query(asked: Mapping[str, str]) -> Query:
    """Raises Invalid with each value that is none."""
    given = {name: _moment(value) if name in ("from", "to", "as_of") else value for name, value in asked.items()}
    try:
        found = StatisticsFilter.model_validate_strings({name: given[name] for name in _ASKED if name in given})
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors(include_url=False, include_input=False)})
        raise Invalid(f"{', '.join(wrong)}: a value that cannot be; dates are written 2026-03-09") from error
    return Query(found.program, found.registry, found.start, found.end, found.by, found.basis, found.as_of)


def bound(name: str, text: str) -> datetime:
    """A day or time of a form. Raises Invalid for what is none."""
    try:
        at = datetime.fromisoformat(_moment(text))
    except ValueError as error:
        raise Invalid(f"{name}: a date is written 2026-03-09") from error
    if at.tzinfo is None:
        raise Invalid(f"{name}: a time needs its zone")
    return at


def _moment(text: str) -> str:
    """A day as its beginning, a time without a zone as one of UTC."""
    if _DAY.match(text):
        return f"{text}T00:00:00Z"
    fits = _MINUTE.match(text)
    return f"{text}{'' if fits['s'] else ':00'}Z" if fits else text


def _pinned(asked: Mapping[str, str], as_of: datetime) -> dict[str, str]:
    """The question with its instant, whose address has the same answer for ever."""
    return {**asked, "as_of": as_of.isoformat()}


def _cells(pinned: Mapping[str, str]) -> Callable[[str], str]:
    def link(cell: str) -> str:
        return f"{_AT}/cases?{urlencode({**pinned, 'cell': cell})}"

    return link


async def _ledger(visit: Visit, query: Query) -> Ledger | None:
    """None: not for this reader's eyes, which a grant does not change."""
    try:
        found = await accuracy.ledger(visit.ctx, visit.who, program=query.program, reviewers=False)
    except (Forbidden, NotFound):
        return None
    most = sorted(found.organisations, key=lambda line: -line.accuracy.n)[:_LINES]
    return replace(found, organisations=most)


def _told(cell: str) -> str:
    """A cell as a reader reads it."""
    key, _, figure = cell.partition("/")
    words = figure.replace("_", " ").replace("/", ", ")
    return words if key == statistics.WHOLE else f"{words}, of {key}"


def _definition(cell: str) -> str:
    parts = cell.split("/")
    found = PARTS.get(parts[1], {}).get(parts[2]) if len(parts) > 2 else None
    return found.words if found else ""


PAGES = [
    Page("GET", _AT, show, COUNTED),
    Page("GET", f"{_AT}/cases", show_cases, COUNTED),
    Page("GET", f"{_AT}/figures.csv", download_csv, COUNTED),
    Page("GET", f"{_AT}/figures.json", download_json, COUNTED),
    Page("GET", f"{_AT}/figures.parquet", download_parquet, COUNTED),
    Page("GET", f"{_AT}/cases.csv", download_cases, COUNTED),
]
