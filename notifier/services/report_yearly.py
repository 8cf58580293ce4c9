"""The yearly report of a program: notices by provider, type and action; requests and suspensions; funnel; independence."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from notifier.domain import marks, sections, yearly
from notifier.domain.figure_words import share_words
from notifier.domain.figures import CohortFigures, Share, share_of
from notifier.domain.history import History
from notifier.domain.marks import Mark
from notifier.domain.period import Flow
from notifier.domain.sections import Section, Table, table
from notifier.domain.table_rows import Cell
from notifier.domain.yearly import ProviderLine, Requests
from notifier.services import report_charts as draw
from notifier.services import statistics, statistics_file
from notifier.services.report_data import Body, Ground, counted
from notifier.services.statistics import Query
from notifier.store import report_marks as store

INDEPENDENCE = (
    "A report is checked against the program's published rules, each of which passes, fails or is unknown; unknown never passes.",
    "A person who neither reported nor brought evidence reads the exact notice and approves it; whoever took part cannot.",
    "Providers act voluntarily and may decline; a decline is an outcome, and is not held against them.",
    "What a provider says it did is a claim until our own looks at the registry's data and the zone saw it.",
    "Each step is an entry of a signed log that shows any later change.",
)


async def yearly_report(ground: Ground) -> Body:
    ctx, asked = ground.ctx, ground.asked
    found, units = await ground.units()
    period = await statistics.statistics(
        ctx, ground.who, Query(asked.program, start=asked.start, end=asked.end, basis="period", as_of=ground.as_of)
    )
    flow = period.whole.period.flow if period.whole.period else None
    figures, program = found.whole.cohort, ctx.program(asked.program)
    assert figures is not None
    async with ctx.db.pool.acquire() as con:
        said = marks.by_case(await store.marks(con, asked.program, ground.snapshot))
    appeals = marks.appeals(mark for unit in units for case_id in unit.case_ids for mark in said.get(case_id, ()))
    lines, reversed_by = yearly.providers(units, program.category), _reversed(units, said)
    requests = replace(
        yearly.requests(units),  # what was reversed is told by why, from the log
        reversed_cured=reversed_by["lifted_cured"],
        reversed_error=reversed_by["lifted_wrong"],
    )
    right = _right(units, said)
    more: dict[str, Any] = {
        "units": len(units),
        "providers": [asdict(line) for line in lines],
        "requests": asdict(requests),
        "appeals": appeals,
        "reversed": reversed_by,
        "period": asdict(flow) if flow else {},
        "independence": list(INDEPENDENCE),
    }
    return Body(
        title=f"{program.name}, {asked.year}",
        lead=(
            f"Yearly report for {asked.year} of the trusted notifier {program.owner}.",
            f"A cohort: the {len(units)} domains (each in one registration) that were reported in {asked.year}, followed until "
            "the day above. An act counts when our own looks at RDAP and DNS saw it; what a provider said is told apart.",
        ),
        sections=_sections(lines, _requests(requests, reversed_by, appeals), right, figures, flow),
        rows=[*statistics_file.rows(found), _right_row(right)],
        found=found,
        charts={**draw.funnel("funnel", program.id, figures), **draw.curves("time", program.id, figures)},
        more=more,
    )


async def old_yearly_report(ground: Ground) -> Body:
    """What a report held before it had sections, so that files of then are made again as they were. Its reversals knew of
    no appeal."""
    body, (found, units) = await yearly_report(ground), await ground.units()
    more = {name: value for name, value in body.more.items() if name not in ("appeals", "reversed")}
    more["requests"] = asdict(yearly.requests(units))
    return replace(body, rows=statistics_file.rows(found), more=more)


def _reversed(units: Sequence[History], said: Mapping[str, Sequence[Mark]]) -> dict[str, int]:
    """Units that somebody was asked about and that were seen back, by why they were taken back: each in the worst."""
    found = dict.fromkeys(marks.KINDS, 0)
    for unit in units:
        undone = [one for case_id in unit.case_ids if (one := marks.undone(said.get(case_id, ()))) is not None]
        if unit.asked and undone and (unit.restored is not None or any(one.back_at is not None for one in undone)):
            found[min((one.kind for one in undone), key=marks.KINDS.index)] += 1
    return found


def _right(units: Sequence[History], said: Mapping[str, Sequence[Mark]]) -> Share:
    """Of the units that were approved, those that were neither withdrawn as an error nor found wrong since."""
    approved = [unit for unit in units if unit.approved is not None or unit.sent is not None]
    wrong = sum(
        any((one := marks.undone(said.get(case_id, ()))) and one.kind == "lifted_wrong" for case_id in unit.case_ids)
        for unit in approved
    )
    return share_of(len(approved) - wrong, len(approved))


def _right_row(right: Share) -> dict[str, Cell]:
    told = {"share": right.share, "low": right.low, "high": right.high, "few": right.few}
    return counted("accuracy", "not_found_wrong", right.n, of=right.of) | told


def _sections(
    lines: list[ProviderLine], asked: Table, right: Share, figures: CohortFigures, flow: Flow | None
) -> list[Section]:
    drawn = tuple(f"time-{key}" for key in draw.CURVES if figures.times[key].curve.n)
    work = []
    if flow is not None:
        balance = (
            f"Of the period, whenever a case began: open before {flow.opened_before} + opened {flow.opened_in} = "
            f"closed {flow.closed_in} + open at its end {flow.open_at_end}."
        )
        work = [Section("Work in the year", (balance,))]
    return [
        Section("Notices by provider, type of content and action", tables=(_providers(lines),)),
        Section("Requests and suspensions", tables=(asked,)),
        Section(
            "From report to success",
            (f"Approved, and neither withdrawn as an error nor found wrong since: {share_words(right)}.",),
            tables=(sections.funnel({"Of the stage before": figures}), sections.shares({"Share": figures})),
            charts=("funnel",),
        ),
        Section("How long it took", tables=(sections.times({"All": figures}),), charts=drawn),
        *work,
        Section("Independence and procedure", INDEPENDENCE),
    ]


def _providers(lines: list[ProviderLine]) -> Table:
    rows = [
        [
            line.provider,
            line.party,
            line.category,
            line.notices,
            "; ".join(f"{n} {action}" for action, n in line.actions.items()),
            share_words(line.acted),
        ]
        for line in lines
    ]
    return table(
        "In the shape of Article 22(3) of Regulation (EU) 2022/2065. A domain counts once for each provider that was asked "
        "about it.",
        ["Provider", "As:", "Type of content:", "Notices", "Action of the provider:", "Acted, seen"],
        rows,
        empty="No provider was asked.",
    )


def _requests(asked: Requests, reversed_by: Mapping[str, int], appeals: Mapping[str, int]) -> Table:
    rows: list[list[object]] = [
        ["Domains that somebody was asked about", asked.requested],
        ["Suspended: taken out of the zone, as we saw", share_words(asked.suspended)],
        *([f"Another act that we saw: {measure}", n] for measure, n in asked.other_acts.items()),
        ["Not suspended", asked.not_suspended],
        *([f"– {sections.words(reason)}", n] for reason, n in asked.reasons.items()),
        ["Reversed, as we saw, because it was cured (no error)", reversed_by["lifted_cured"]],
        ["Reversed, as we saw, because we were wrong", reversed_by["lifted_wrong"]],
        ["Reversed, as we saw, since nobody stood up for it in time", reversed_by["lifted_lapsed"]],
        ["Reversed, as we saw, for another reason", reversed_by["event_over"] + reversed_by["taken_back"]],
        *([f"Appeals: {what}", n] for what, n in appeals.items()),
    ]
    return table("In the shape of Nominet's yearly figures for .uk.", ["What", "Domains"], rows)
