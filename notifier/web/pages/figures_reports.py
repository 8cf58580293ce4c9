"""Reports to take away: a list of the kinds, a form for each, and the file in the form that is asked for."""

import re

from aiohttp import web

from notifier.errors import Invalid, Mendable
from notifier.services import parquet, report_pdf, reports, statistics, summed
from notifier.services.access import COUNTED, Role
from notifier.services.report_data import Asked, Form, Kind
from notifier.services.report_forms import MEDIA_TYPES
from notifier.web.pages.desk import Page, Visit
from notifier.web.pages.figures import attached, bound

_AT = "/figures/reports"
_ASKED = ("kind", "program", "year", "from", "to", "form")
_YEAR = re.compile(r"[0-9]{4}\Z")
TITLES = {
    Kind.YEARLY: "Yearly report",
    Kind.SCORECARD: "Scorecard of a registry",
    Kind.ACCURACY: "Accuracy of those who report",
    Kind.REINSTATEMENTS: "What was put right",
    Kind.COLLATERAL: "What else would have gone dark",
    Kind.PILOT: "Evaluation of a pilot",
}


async def show(visit: Visit, fault: str = "", status: int = 200) -> web.StreamResponse:
    """The kinds that the reader's role may have."""
    ledger = (Role.REVIEWER, Role.EVALUATOR, Role.ADMIN)
    missing = {Form.PDF: not report_pdf.available(), Form.PARQUET: not parquet.available()}
    now = await visit.ctx.db.clock.now()
    bounds = await statistics.bounds_in_reach(visit.ctx, visit.who)
    return await visit.page(
        "figures_reports",
        status,
        fault=fault,
        asked=visit.asked(*_ASKED),
        kinds=[kind for kind in Kind if kind is not Kind.ACCURACY or visit.who.role in ledger],
        titles=TITLES,
        told=reports.WORDS,
        forms=[form for form in Form if not missing.get(form)],
        programs=[program for program, below in bounds.items() if not below],
        kept_back=[program for program, below in bounds.items() if below],
        registries=await summed.registries(visit.ctx, visit.who, _registries(visit)),
        taking=set(_registries(visit)),
        last_year=now.year,
    )


async def download(visit: Visit) -> web.StreamResponse:
    """The file; a question that has no answer is shown on the form with its fault."""
    try:
        asked, form = _question(visit)
        made = await reports.report(visit.ctx, visit.who, asked, form, via="page")
    except Mendable as error:
        return await show(visit, error.detail, error.http_status)
    return attached(f"{asked.kind}-{asked.program}.{form}", MEDIA_TYPES[form], made.content)


def _registries(visit: Visit) -> list[str]:
    return [one for one in visit.request.query.getall("registry", []) if one]


def _question(visit: Visit) -> tuple[Asked, Form]:
    """Raises Invalid with what is none."""
    asked = visit.asked(*_ASKED)
    try:
        kind, form = Kind(asked.get("kind", "")), Form(asked.get("form", ""))
    except ValueError as error:
        raise Invalid("kind, form: one of those on the page") from error
    program, year = asked.get("program", ""), asked.get("year", "")
    if kind is Kind.YEARLY:
        if not _YEAR.match(year):
            raise Invalid("year: four digits")
        return reports.of_year(program, int(year)), form
    start, end = (bound(name, asked[name]) if name in asked else None for name in ("from", "to"))
    return Asked(kind, program, start, end, tuple(_registries(visit))), form


PAGES = [
    Page("GET", _AT, show, COUNTED),
    Page("GET", f"{_AT}/file", download, COUNTED),
]
