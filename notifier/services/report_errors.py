"""Reports on what went wrong or might have: what was put right, and what else would have gone dark."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.domain import collateral, marks
from notifier.domain.collateral import Finding, Sum
from notifier.domain.figure_words import share_words, span
from notifier.domain.figures import share_of
from notifier.domain.history import History
from notifier.domain.marks import KIND_WORDS, KINDS, Undone
from notifier.domain.safety import Safety
from notifier.domain.sections import LINES, Section, Table, table
from notifier.domain.survival import Duration, kaplan_meier
from notifier.domain.table_rows import Cell
from notifier.domain.yearly import DARK
from notifier.services import report_charts as draw
from notifier.services.report_data import Body, Ground, between, counted, day, of_cases
from notifier.services.statistics import Statistics
from notifier.store import report_marks as store
from notifier.store import transitions

_SAFETY_WORDS = {
    Safety.CLEAR: "nothing speaks against it",
    Safety.SECOND_REVIEW: "a second person had to weigh it",
    Safety.REROUTE: "shared: its host is asked, never the registry",
    Safety.REFUSE: "protected: nothing may be asked",
}


# --- what is known of a cohort's cases ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """One case that was undone. `held_since`: first seen held, by the ledger or by our looks; None: never seen."""

    reference: str
    registry: str
    undone: Undone
    held_since: datetime | None
    hosts: int | None
    verified: bool

    @property
    def held_s(self) -> float | None:
        """Seconds from held to seen back; None: never seen held, or not back."""
        if self.held_since is None or self.undone.back_at is None:
            return None
        return max(0.0, (self.undone.back_at - self.held_since).total_seconds())


@dataclass(frozen=True, slots=True)
class _Known:
    found: Statistics
    units: Sequence[History]
    lines: Sequence[_Line]
    early: int
    findings: Mapping[str, Finding]
    refused: Sequence[Mapping[str, Any]]


async def _known(ground: Ground) -> _Known:
    asked = ground.asked
    found, units = await ground.units()
    units = [unit for unit in units if not asked.registries or unit.registry in asked.registries]
    of_case = {case_id: unit for unit in units for case_id in unit.case_ids}
    async with ground.ctx.db.pool.acquire() as con:
        said = marks.by_case(await store.marks(con, asked.program, ground.snapshot))
        ledger = await store.corrections(con, asked.program, ground.snapshot)
        assessed = await store.assessments(con, asked.program, ground.snapshot)
        refused = await store.refused(con, asked.program, ground.snapshot)
        references = await transitions.references(con, list(of_case))

    def folded() -> _Known:
        findings = {case_id: collateral.finding(case_id, assessed.get(case_id, ())) for case_id in of_case}
        lines, early = [], 0
        for case_id, unit in of_case.items():
            undone = marks.undone(said.get(case_id, ()))
            if undone is None or unit.sent is None:  # nobody was asked for what was taken back
                continue
            if undone.kind != "lifted_wrong" and unit.claimed is None and unit.verified is None:
                early += 1
                continue
            told = ledger.get(case_id, {})
            hosts = told["hosts"] if told and told["hosts"] is not None else findings[case_id].hosts
            if undone.back_at is None and unit.restored is not None and unit.restored >= undone.asked_at:
                undone = replace(undone, back_at=unit.restored)
            held = told.get("held_since") or unit.verified
            lines.append(
                _Line(references[case_id][0], unit.registry or "none", undone, held, hosts, unit.verified is not None)
            )
        lines.sort(key=lambda line: (line.undone.asked_at, line.reference))
        return _Known(of_cases(found, list(of_case)), units, lines, early, findings, refused)

    return await asyncio.to_thread(folded)  # many cases take seconds, and others wait for the loop


# --- reinstatements -------------------------------------------------------------------------------------------------


async def reinstatements(ground: Ground) -> Body:
    known, asked = await _known(ground), ground.asked
    acted = sum(unit.verified is not None for unit in known.units)
    by_kind = {kind: [line for line in known.lines if line.undone.kind == kind] for kind in KINDS}
    rows = [_kind_row(kind, lines, ground.as_of) for kind, lines in by_kind.items()]
    causes = Counter((line.undone.kind, line.undone.cause) for line in known.lines)
    seen_held = acted + sum(line.held_since is not None and not line.verified for line in known.lines)
    wrong = share_of(sum(line.held_since is not None for line in by_kind["lifted_wrong"]), seen_held)
    drawn = draw.bars(
        "kinds",
        "What was taken back, and why",
        f"{len(known.lines)} cases, each in one bar.",
        [(KIND_WORDS[kind], len(lines)) for kind, lines in by_kind.items()],
    )
    return Body(
        title=f"{ground.ctx.program(asked.program).name}: what was put right",
        lead=(
            f"Of the {len(known.units)} domains that were opened {between(asked)}: what was done or claimed at our request and "
            "taken back since. A cure is no error: its cause was gone. A lapse is no finding either way: nobody stood up for it "
            "in time. Only the first line is our mistake.",
            f"Taken back before anybody said that it had acted, and without an error: {known.early} more.",
        ),
        sections=[
            Section(
                "What was taken back, and why",
                (f"Held, as we saw, and wrong: {share_words(wrong)} of all that we saw held.",),
                (
                    table(
                        "Until seen back: median by Kaplan and Meier from the request to undo until two looks agreed; open ones "
                        "count as such.",
                        ["Why", "Cases", "Seen held", "Seen back", "Until seen back", "95 %", "Host names below them"],
                        [row[0] for row in rows],
                    ),
                    table(
                        "Causes, as they were decided or seen.",
                        ["Why", "Cause:", "Cases"],
                        [[KIND_WORDS[kind], cause, n] for (kind, cause), n in sorted(causes.items())],
                        empty="Nothing was taken back.",
                    ),
                ),
                ("kinds",),
            ),
            Section("Each of them", _left_out(known.lines), (_undone_lines(known.lines),)),
        ],
        rows=[row for pair in rows for row in pair[1]],
        found=known.found,
        charts=drawn,
        more={"lines": [_json_line(line) for line in known.lines], "taken_back_early": known.early},
    )


def _kind_row(kind: str, lines: Sequence[_Line], as_of: datetime) -> tuple[list[str | int], list[dict[str, Cell]]]:
    curve = kaplan_meier(
        Duration(
            max(0.0, ((line.undone.back_at or as_of) - line.undone.asked_at).total_seconds()),
            line.undone.back_at is not None,
        )
        for line in lines
        if line.held_since is not None
    )
    held = sum(line.held_since is not None for line in lines)
    hosts, unknown = sum(line.hosts or 0 for line in lines), sum(line.hosts is None for line in lines)
    median = curve.median
    shown: list[str | int] = [
        KIND_WORDS[kind],
        len(lines),
        held,
        curve.events,
        span(median.value),
        "-" if median.low is None and median.high is None else f"{span(median.low)} to {span(median.high)}",
        f"{hosts}{f', {unknown} not measured' if unknown else ''}",
    ]
    time = counted("undone_time", kind, curve.n) | {
        "censored": curve.censored,
        "median_s": median.value,
        "median_low_s": median.low,
        "median_high_s": median.high,
    }
    return shown, [
        counted("undone", kind, len(lines)),
        counted("undone_held", kind, held, of=len(lines)),
        counted("undone_back", kind, curve.events, of=held),
        time,
        counted("undone_hosts", kind, hosts),
        counted("undone_hosts_unknown", kind, unknown, of=len(lines)),
    ]


def _undone_lines(lines: Sequence[_Line]) -> Table:
    rows = [
        [
            line.reference,
            line.registry,
            KIND_WORDS[line.undone.kind],
            line.undone.cause,
            day(line.held_since),
            day(line.undone.asked_at),
            day(line.undone.back_at),
            span(line.held_s),
            "not measured" if line.hosts is None else line.hosts,
        ]
        for line in lines[:LINES]
    ]
    columns = [
        "Case",
        "Registry:",
        "Why:",
        "Cause:",
        "Seen held:",
        "Undo asked:",
        "Seen back:",
        "Held for",
        "Host names",
    ]
    return table("Times are days (UTC).", columns, rows, empty="Nothing was taken back.")


def _left_out(lines: Sequence[object]) -> tuple[str, ...]:
    return (f"The first {LINES} of {len(lines)}; the JSON has all of them.",) if len(lines) > LINES else ()


def _json_line(line: _Line) -> dict[str, Any]:
    return {
        "case": line.reference,
        "registry": line.registry,
        "kind": line.undone.kind,
        "cause": line.undone.cause,
        "held_since": line.held_since.isoformat() if line.held_since else None,
        "undo_asked_at": line.undone.asked_at.isoformat(),
        "seen_back_at": line.undone.back_at.isoformat() if line.undone.back_at else None,
        "held_s": line.held_s,
        "hosts": line.hosts,
    }


# --- collateral -----------------------------------------------------------------------------------------------------


async def collateral_report(ground: Ground) -> Body:
    known, asked = await _known(ground), ground.asked
    findings = list(known.findings.values())
    by_safety = collateral.by_safety(findings)
    reasons = collateral.reasons(findings)
    went_dark = {
        case_id: unit
        for unit in known.units
        if any(claim.seen and claim.measure in DARK for claim in unit.claims)
        for case_id in unit.case_ids
    }
    did = [known.findings[case_id] for case_id in went_dark]
    more_than_one = sorted((f for f in did if (f.hosts or 0) > 1), key=lambda f: (-(f.hosts or 0), f.case_id))
    wrong = [line for line in known.lines if line.undone.kind == "lifted_wrong" and line.held_since is not None]
    minutes = sum(_name_minutes(line, ground.as_of) for line in wrong)
    refused = Counter(row["code"] for row in known.refused if marks.within(row["at"], asked.start, asked.end))
    async with ground.ctx.db.pool.acquire() as con:
        references = await transitions.references(con, [f.case_id for f in more_than_one[:LINES]])
    dark, spared = (
        collateral.summed(did),
        collateral.summed(f for f in findings if f.safety in (Safety.REROUTE, Safety.REFUSE)),
    )
    rows = [counted("safety", str(safety), found.cases, of=len(findings)) for safety, found in by_safety.items()]
    rows += [counted("hosts", str(safety), found.hosts) for safety, found in by_safety.items()]
    rows += [counted("why", f"{safety}/{name}", n) for (safety, name), n in reasons.items()]
    rows += [counted("refused", code, n) | {"basis": "period"} for code, n in sorted(refused.items())]
    rows += [
        counted("went_dark", "cases", dark.cases),
        counted("went_dark", "host_names", dark.hosts),
        counted("went_dark", "not_measured", dark.unknown, of=dark.cases),
        counted("in_error", "cases", len(wrong)),
        counted("in_error", "host_names", sum(line.hosts or 0 for line in wrong)),
        counted("in_error", "name_minutes", round(minutes)),
    ]
    return Body(
        title=f"{ground.ctx.program(asked.program).name}: what else would have gone dark",
        lead=(
            f"Safety findings of the {len(findings)} cases that were opened {between(asked)}: lists of shared and protected names, "
            "and what was measured below each name before anybody was asked.",
            "Host names are counted as far as sources show them; what was not measured is told, and never taken for nothing.",
        ),
        sections=[
            Section(
                "What was found before anybody was asked",
                (
                    "Never asked of a registry, since a platform or a protected name would have gone dark: "
                    f"{_summed(spared)}.",
                ),
                (
                    table(
                        "The worst finding of each case.",
                        ["Finding", "Cases", "Host names below", "Not measured"],
                        [[_SAFETY_WORDS[s], found.cases, found.hosts, found.unknown] for s, found in by_safety.items()],
                    ),
                    table(
                        "What was found; a case with two reasons stands in both.",
                        ["Finding", "Signal:", "Cases"],
                        [[_SAFETY_WORDS[safety], name.replace("_", " "), n] for (safety, name), n in reasons.items()],
                        empty="Nothing spoke against any.",
                    ),
                    table(
                        "Reports that intake refused in that time (a period), by code; `protected` is a name that nobody may ask "
                        "about.",
                        ["Code", "Reports"],
                        [[code, n] for code, n in sorted(refused.items())],
                        empty="No report was refused.",
                    ),
                ),
                ("safety",),
            ),
            Section(
                "What did go dark",
                (
                    f"Seen out of the zone at our request: {_summed(dark)}.",
                    f"In error, of the cases above and as the ledger tells: {len(wrong)}; host names below them: "
                    f"{sum(line.hosts or 0 for line in wrong)}; name-minutes (each name and each host name below it, for as "
                    f"long as it was held): {minutes:,.0f}.",
                    *_left_out(more_than_one),
                ),
                (
                    table(
                        "Cases with more than one host name below the name.",
                        ["Case", "Registry:", "Finding:", "Host names", "Names that use it as name server"],
                        [
                            [
                                references[f.case_id][0],
                                went_dark[f.case_id].registry or "none",
                                _SAFETY_WORDS[f.safety],
                                f.hosts or 0,
                                "not measured" if f.dependents is None else f.dependents,
                            ]
                            for f in more_than_one[:LINES]
                        ],
                        empty="None is known to have had more than one.",
                    ),
                ),
            ),
        ],
        rows=rows,
        found=known.found,
        charts=draw.bars(
            "safety",
            "What was found of each case",
            f"{len(findings)} cases, each in one bar.",
            [(_SAFETY_WORDS[s], found.cases) for s, found in by_safety.items()],
        ),
    )


def _summed(found: Sum) -> str:
    return (
        f"cases: {found.cases}; host names below them as far as measured: {found.hosts}; not measured: {found.unknown}"
    )


def _name_minutes(line: _Line, as_of: datetime) -> float:
    """How long the name and each host name below it were held, together, in minutes; until now if it is not back."""
    if line.held_since is None:
        return 0.0
    held = ((line.undone.back_at or as_of) - line.held_since).total_seconds()
    return max(0.0, held) / 60 * (1 + (line.hosts or 0))
