"""Reports that set registries beside each other: the scorecard of one, and the evaluation of a pilot."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from notifier.domain import figures, pilot, sections
from notifier.domain.figure_words import share_words
from notifier.domain.figures import CohortFigures, PeriodFigures
from notifier.domain.pilot import ARMS, OTHERS, PILOT, Difference, Phase
from notifier.domain.sections import Section, Table, table
from notifier.domain.survival import LogRank
from notifier.domain.table_rows import Cell, cohort_rows, flat, period_rows
from notifier.errors import Invalid, NotFound
from notifier.services import report_charts as draw
from notifier.services.report_data import Body, Ground, between, counted, day
from notifier.store import report_marks as store

REST = "all others"
_CURVES = {"before-pilot": "before/pilot", "during-pilot": "during/pilot", "during-others": "during/comparison"}
_UNKNOWABLE = (
    "Nobody drew by lot which registries take part or which names are reported; the two groups may differ in ways that no "
    "figure here shows.",
    "Only reported names are in it. How many there were that nobody reported, before or during, is not known.",
    "What would have happened without a notice is not known either: names expire, move and are taken down by others. What "
    "stood already when the notice left is not credited.",
    "Earlier cohorts were followed for longer than later ones. Shares of all that was asked grow with time; the shares by day "
    "30 and the curves allow for it, and a share by day 30 is missing where nobody was followed that long.",
    "Displacement is what we saw: successors that were found from the notice on and that a person accepted. Nobody looked for "
    "successors of names that were never reported, and a successor that was not found is not one that is not there.",
    "Intervals at 95 % and p-values are not corrected for asking many questions at once.",
)


async def scorecard(ground: Ground) -> Body:
    """One registry's cohort against that of all others of the program. Raises Invalid without a registry of the catalog."""
    asked = ground.asked
    if len(asked.registries) != 1 or asked.registries[0] not in ground.ctx.catalog.registries:
        raise Invalid("registry: a scorecard is of one registry of the catalog")
    registry = asked.registries[0]
    found, units = await ground.units()

    def computed() -> tuple[dict[str, CohortFigures], Mapping[str, LogRank]]:
        ours = [unit for unit in units if unit.registry == registry]
        rest = [unit for unit in units if unit.registry != registry]
        sides = {registry: figures.cohort(ours, ground.as_of), REST: figures.cohort(rest, ground.as_of)}
        return sides, figures.compared([ours, rest], ground.as_of)

    sides, tests = await asyncio.to_thread(computed)
    mine = sides[registry]
    name = ground.ctx.catalog.registries[registry].name
    drawn = {
        **draw.funnel("funnel-mine", name, mine),
        **draw.funnel("funnel-rest", REST, sides[REST]),
        **draw.curves("mine", name, mine),
        **draw.curves("rest", REST, sides[REST]),
        **draw.of_sides("gap", "gap", sides),
        **draw.of_sides("relapsed", "relapsed", sides),
    }
    curves = tuple(key for time in draw.CURVES for key in (f"mine-{time}", f"rest-{time}") if key in drawn)
    return Body(
        title=f"{name}: scorecard in {ground.ctx.program(asked.program).name}",
        lead=(
            f"Names under the registry's own top-level domains that were opened {between(asked)}: {mine.units} domains, beside "
            f"the {sides[REST].units} under all other registries of the program. A cohort, followed until the day above.",
            "The registry, a registrar or a host may have been asked: each stage is of whoever was. The test says whether a "
            "difference is more than chance makes, and not why.",
        ),
        sections=[
            Section("How far reports came", tables=(sections.funnel(sides),), charts=("funnel-mine", "funnel-rest")),
            Section("How long it took", tables=(sections.times(sides, tests),), charts=curves),
            Section(
                "What was claimed, and what we saw",
                ("A claim that was contradicted or that nobody could see is in the gap.",),
                (sections.claims(mine), sections.shares(sides)),
                ("gap", "relapsed"),
            ),
            Section("Who was asked, and who acted", tables=(sections.parties(mine.parties),)),
            Section("What became of them", tables=(sections.outcomes(mine),)),
        ],
        rows=[*_rows(sides), *(_tested(key, test) for key, test in tests.items())],
        found=found,
        charts=drawn,
        more={"comparisons": {key: {"chi2": t.chi2, "df": t.df, "p": t.p} for key, t in tests.items()}},
    )


def _rows(sides: Mapping[str, CohortFigures]) -> list[dict[str, Cell]]:
    return [flat(key, row) | {"cell": ""} for key, side in sides.items() for row in cohort_rows(key, side)]


def _tested(key: str, test: LogRank, sides: str = "all") -> dict[str, Cell]:
    """A log-rank test as a row: `n` degrees of freedom, `share` the probability."""
    return {
        "slice": sides,
        "part": "log_rank",
        "figure": key,
        "basis": "cohort",
        "n": test.df,
        "share": test.p,
        "cell": "",
    }


# --- a pilot --------------------------------------------------------------------------------------------------------


async def pilot_report(ground: Ground) -> Body:
    """Before, during and after. Raises Invalid without both bounds of the pilot, or for one that has not begun."""
    asked, catalog = ground.asked, ground.ctx.catalog
    if asked.start is None or asked.end is None or asked.end <= asked.start:
        raise Invalid("from, to: a pilot is between two instants, the second after the first")
    if asked.start >= ground.as_of:
        raise Invalid("from: the pilot has not begun")
    for registry in asked.registries:
        if registry not in catalog.registries:
            raise NotFound(f"no registry {registry!r}")
    start, end = asked.start, asked.end
    if start.year - (end - start) / timedelta(days=365) < 1990 or end.year > 9000:
        raise Invalid("from, to: a pilot of a few years at most")
    found, units = await ground.units(bounded=False)
    taking = asked.registries or tuple(sorted({unit.registry for unit in units if unit.registry is not None}))
    phases = pilot.phases(start, end)
    async with ground.ctx.db.pool.acquire() as con:
        successors = await store.successors(con, asked.program, ground.as_of)

    def computed() -> _Pilot:
        parts = pilot.split(units, phases, taking)
        return _Pilot(
            {key: figures.cohort(part, ground.as_of) for key, part in parts.items()},
            {
                f"{phase.name}/{side}": figures.period(
                    [unit for unit in units if pilot.arm(unit, taking) == side],
                    phase.start,
                    min(phase.end, ground.as_of),
                )
                for phase in phases
                if phase.start < ground.as_of
                for side in ARMS
            },
            {side: figures.compared([parts[f"before/{side}"], parts[f"during/{side}"]], ground.as_of) for side in ARMS},
            pilot.displaced(parts, successors, taking),
        )

    made = await asyncio.to_thread(computed)
    length = f"{phases[1].days:.0f} days"
    lead = [
        f"The pilot: {day(start)} until before {day(end)} ({length}), at {', '.join(taking) or 'no registry'}. Before and after "
        f"are as long: from {day(phases[0].start)}, and until before {day(phases[2].end)}. Comparison: the names of the same "
        "program under all other registries.",
        "Cohorts are of names by the phase in which they were opened, each followed until the day above. Periods say what "
        "happened in a phase, whenever it began. The two are never divided by each other.",
    ]
    if phases[2].end > ground.as_of:
        ahead = "The pilot itself is not over" if phases[1].end > ground.as_of else "The time after it is not over"
        lead.append(f"{ahead}: what lies ahead is not in these figures.")
    return Body(
        title=f"{ground.ctx.program(asked.program).name}: evaluation of a pilot",
        lead=lead,
        sections=_pilot_sections(made, phases),
        rows=_pilot_rows(made),
        found=found,
        charts={
            **draw.shares(
                "success", "Verified success, by cohort", {key: f.shares["success"] for key, f in made.cohorts.items()}
            ),
            **{
                name: chart
                for key, part in _CURVES.items()
                for name, chart in draw.curves(key, part.replace("/", ", "), made.cohorts[part], ("verified",)).items()
            },
        },
        more={"phases": {p.name: [p.start.isoformat(), p.end.isoformat()] for p in phases}, "registries": list(taking)},
    )


@dataclass(frozen=True, slots=True)
class _Pilot:
    """Cohort and period figures by `PHASE/ARM`, tests of before against during by arm, and where successors went."""

    cohorts: Mapping[str, CohortFigures]
    periods: Mapping[str, PeriodFigures]
    tests: Mapping[str, Mapping[str, LogRank]]
    displaced: Mapping[str, Mapping[str, int]]

    def moved(self, share: str, later: str, earlier: str = "before") -> dict[str, Difference]:
        """How far a share moved between two phases, for each arm, and the pilot's beyond the others'."""
        by_arm = {
            side: pilot.difference(
                self.cohorts[f"{later}/{side}"].shares[share], self.cohorts[f"{earlier}/{side}"].shares[share]
            )
            for side in ARMS
        }
        return {**by_arm, "beyond": pilot.beyond(by_arm[PILOT], by_arm[OTHERS])}


def _pilot_sections(made: _Pilot, phases: Iterable[Phase]) -> list[Section]:
    drawn = tuple(f"{key}-verified" for key, part in _CURVES.items() if made.cohorts[part].times["verified"].curve.n)
    return [
        Section(
            "Cohorts: what was opened in each phase",
            ("Each name in the phase in which it was opened, followed until now.",),
            (_cohorts(made.cohorts), _differences(made), _tests(made)),
            ("success", *drawn),
        ),
        Section(
            "Periods: what happened in each phase",
            ("Counts of cases, whenever they began; no share can be made of them.",),
            (_periods(made.periods),),
        ),
        Section(
            "Displacement by hopping",
            ("Successors of the names of each cohort that a person accepted, by where the successor lies.",),
            (_displaced(made),),
        ),
        Section("What cannot be known from this", _UNKNOWABLE),
    ]


def _cohorts(cohorts: Mapping[str, CohortFigures]) -> Table:
    rows: list[list[object]] = []
    for key, found in cohorts.items():
        by = pilot.had_by(found.times["verified"].curve)
        rows.append(
            [
                key.replace("/", ", "),
                found.units,
                found.funnel["sent"].n,
                share_words(found.shares["success"]),
                "-" if by is None else f"{100 * by:.1f} %",
                share_words(found.shares["gap"]),
                share_words(found.shares["relapsed"]),
                share_words(found.shares["hopped"]),
            ]
        )
    columns = [
        "Cohort",
        "Opened",
        "Asked about",
        "Success",
        "Success by day 30",
        "Gap",
        "Relapsed",
        "Hopped within 30 d",
    ]
    return table("Shares of all so far; by day 30 of the notice by Kaplan and Meier.", columns, rows)


def _points(found: Difference) -> str:
    if found.value is None:
        return "-"
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _differences(made: _Pilot) -> Table:
    names = {PILOT: "Pilot", OTHERS: "Comparison", "beyond": "Pilot beyond comparison"}
    moved = {later: made.moved("success", later) for later in ("during", "after")}
    rows = [[name, _points(moved["during"][key]), _points(moved["after"][key])] for key, name in names.items()]
    told = (
        "Change of verified success since before, in percentage points, with Newcombe's interval; the last line is the one that "
        "common causes leave out, if they moved both alike."
    )
    return table(told, ["Registries", "During", "After"], rows)


def _tests(made: _Pilot) -> Table:
    rows = [
        [words, *(sections.probability(made.tests[side][key]) for side in ARMS)]
        for key, words in (("acknowledgement", "Time to the first answer"), ("verified", "Time to verified success"))
    ]
    return table("Before against during, p by log-rank.", ["Time", "Pilot", "Comparison"], rows)


def _periods(periods: Mapping[str, PeriodFigures]) -> Table:
    rows = [
        [
            key.replace("/", ", "),
            *(found.flow.opened_before, found.flow.opened_in, found.flow.closed_in, found.flow.open_at_end),
            *found.acts.values(),
        ]
        for key, found in periods.items()
    ]
    columns = [
        "Period",
        "Open before",
        "Opened",
        "Closed",
        "Open at end",
        "Notified",
        "Claimed",
        "Verified",
        "Relapsed",
    ]
    return table("Open before + opened = closed + open at the end.", columns, rows)


def _displaced(made: _Pilot) -> Table:
    rows = [
        [
            key.replace("/", ", "),
            made.cohorts[key].funnel["verified"].n,
            *(found.get(to, 0) for to in (*ARMS, "elsewhere")),
        ]
        for key, found in made.displaced.items()
    ]
    columns = [
        "Names of the cohort",
        "Of them verified",
        "To the pilot's registries",
        "To the others",
        "To none we know",
    ]
    return table("A name may have more than one successor.", columns, rows)


def _pilot_rows(made: _Pilot) -> list[dict[str, Cell]]:
    rows = _rows(made.cohorts)
    for key, found in made.periods.items():
        rows += [flat(key, row) | {"cell": ""} for row in period_rows(key, found)]
    for later in ("during", "after"):
        for side, moved in made.moved("success", later).items():
            row = counted("difference", f"success, {later} - before", 0, key=side)
            rows.append(row | {"n": None, "share": moved.value, "low": moved.low, "high": moved.high})
    for key, counts in made.displaced.items():
        rows += [counted("successors", f"to {to}", n, key=key) for to, n in counts.items()]
    return [*rows, *(_tested(key, test, side) for side in ARMS for key, test in made.tests[side].items())]
