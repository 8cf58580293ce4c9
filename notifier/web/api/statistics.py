"""Numbers, the cases behind them, and who else may see them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from notifier.errors import Invalid
from notifier.services import grants, reports, statistics, statistics_file, summed, summed_cases
from notifier.services.access import COUNTED, Principal, Role
from notifier.services.context import Context
from notifier.services.report_data import Asked, Kind
from notifier.services.statistics import Query
from notifier.services.statistics_file import Form
from notifier.web.bodies import GrantIn
from notifier.web.routes import Download, Reply, Route
from notifier.web.schemas import CountedQuery, GrantPath, ProgramPath, ReportQuery, StatisticsFilter, StatisticsQuery
from notifier.web.views.statistics import CountedOutPage, GrantOut, Grants, StatisticsOut


async def get_statistics(ctx: Context, who: Principal, query: StatisticsQuery) -> Reply:
    """Statistics of the programs in your reach, as they stood at `as_of`: of a cohort, or of a period.

    What each figure means is told in docs/measures.md.
    """
    ask = summed.summed if query.quick else statistics.statistics
    return Reply(200, StatisticsOut.shown(await ask(ctx, who, _query(query)), query.curves))


async def get_statistics_cases(ctx: Context, who: Principal, query: CountedQuery) -> Reply:
    """What a number counts: ids and references of cases, and domain names if you may see them."""
    page = await summed_cases.cases(ctx, who, _query(query), query.cell, limit=query.limit, cursor=query.cursor)
    return Reply(200, CountedOutPage.shown(page))


async def get_statistics_csv(ctx: Context, who: Principal, query: StatisticsFilter) -> Download:
    """The same statistics as CSV, one figure a row, behind rows that say what they are of. Each export is logged."""
    content = await statistics_file.exported(ctx, who, _query(query), Form.CSV, via="api")
    return Download("statistics.csv", _once(content), len(content))


async def get_case_list(ctx: Context, who: Principal, query: StatisticsFilter) -> Download:
    """What the statistics are made of as CSV: a unit or case a row, with every time that a figure knows. Each export is
    logged; domain names only if you may see them."""
    content = await statistics_file.exported(ctx, who, _query(query), Form.CASES, via="api")
    return Download("cases.csv", _once(content), len(content))


async def get_report(ctx: Context, who: Principal, query: ReportQuery) -> Download:
    """A report as a file, as of now; `notifier stats verify` computes it again. Each export is logged."""
    if query.kind is Kind.YEARLY:
        if query.year is None or query.start is not None or query.end is not None or query.registry is not None:
            raise Invalid("year: the yearly report is of one year and the whole program, and of nothing else")
        asked = reports.of_year(query.program, query.year)
    else:
        if query.year is not None:
            raise Invalid("year: of the yearly report; here `from` and `to`")
        registries = tuple(query.registry.split(",")) if query.registry else ()
        asked = Asked(query.kind, query.program, query.start, query.end, registries)
    content = (await reports.report(ctx, who, asked, query.form, via="api")).content
    return Download(f"{query.kind}-{query.program}.{query.form}", _once(content), len(content))


async def list_grants(ctx: Context, who: Principal, path: ProgramPath) -> Reply:
    """Every grant of one of your programs, newest first."""
    return Reply(200, Grants(items=[_grant(row) for row in await grants.of_program(ctx, who, path.program_id)]))


async def add_grant(ctx: Context, who: Principal, path: ProgramPath, body: GrantIn) -> Reply:
    """Let another organisation's evaluators and auditors see a program's numbers until a time."""
    given = await grants.give(
        ctx,
        who,
        path.program_id,
        body.organisation,
        body.until,
        names_shown=body.names_shown,
        small_numbers=body.small_numbers,
    )
    return Reply(201, _grant(given))


async def end_grant(ctx: Context, who: Principal, path: GrantPath) -> Reply:
    """End a grant at once."""
    return Reply(200, _grant(await grants.end(ctx, who, path.grant_id)))


def _query(asked: StatisticsFilter) -> Query:
    return Query(asked.program, asked.registry, asked.start, asked.end, asked.by, asked.basis, asked.as_of)


def _grant(row: Mapping[str, Any]) -> GrantOut:
    return GrantOut.of({**row, "id": str(row["id"])})


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


ROUTES = [
    Route("GET", "/statistics", get_statistics, "Statistics", {200: StatisticsOut}, roles=COUNTED, problems=[404]),
    Route(
        "GET",
        "/statistics/cases",
        get_statistics_cases,
        "The cases behind a number",
        {200: CountedOutPage},
        roles=COUNTED,
        problems=[404],
    ),
    Route(
        "GET",
        "/statistics/csv",
        get_statistics_csv,
        "Statistics as CSV",
        {200: Download},
        roles=COUNTED,
        problems=[404],
    ),
    Route(
        "GET",
        "/statistics/case-list",
        get_case_list,
        "What statistics are made of, as CSV",
        {200: Download},
        roles=COUNTED,
        problems=[404],
    ),
    Route(
        "GET",
        "/statistics/report",
        get_report,
        "A report as a file",
        {200: Download},
        roles=COUNTED,
        problems=[404],
    ),
    Route(
        "GET",
        "/programs/{program_id}/grants",
        list_grants,
        "Who else sees a program's numbers",
        {200: Grants},
        roles=[Role.ADMIN],
    ),
    Route(
        "POST",
        "/programs/{program_id}/grants",
        add_grant,
        "Let an organisation see a program's numbers",
        {201: GrantOut},
        roles=[Role.ADMIN],
        problems=[409],
    ),
    Route("DELETE", "/grants/{grant_id}", end_grant, "End a grant", {200: GrantOut}, roles=[Role.ADMIN]),
]
