"""The accuracy ledger as a report: organisations that reported, by what became of their cases. It names no person."""

from collections.abc import Mapping

from notifier.domain import marks
from notifier.domain.accuracy import Counts, accuracy, on_probation
from notifier.domain.figure_words import share_words
from notifier.domain.figures import Share, share_of
from notifier.domain.sections import Section, Table, table
from notifier.domain.table_rows import Cell
from notifier.errors import NotFound
from notifier.services import access
from notifier.services import report_charts as draw
from notifier.services.access import Role
from notifier.services.report_data import Body, Ground, between, counted, of_cases
from notifier.store import report_marks as store

_NOT_THEIRS = ("csam_refused", "quota_exceeded")  # of these the reporter can do nothing, or nobody is named
_DRAWN = 24  # organisations in the drawing, those of which most was decided; the tables have all
_FATES = ("accepted", "rejected", "out_of_scope", "error", "overturned", "clerical", "duplicate", "refused")


async def accuracy_report(ground: Ground) -> Body:
    """Organisations that reported, by what became of it. For the program's owner, as the ledger itself is."""
    ctx, who, asked = ground.ctx, ground.who, ground.asked
    access.require(who, Role.REVIEWER, Role.EVALUATOR, Role.ADMIN)
    if asked.program not in ctx.owned_by(who.organisation):
        raise NotFound(f"no program {asked.program!r}", code="unknown_program")
    found, _ = await ground.units(bounded=False)
    async with ctx.db.pool.acquire() as con:
        said = marks.by_case(await store.marks(con, asked.program, ground.snapshot))
        reporters = await store.reporters(con, asked.program, ground.snapshot)
        merged = await store.merged(con, asked.program, ground.snapshot)
        refused = await store.refused(con, asked.program, ground.snapshot)
    fates = {case_id: fate for case_id, of in said.items() if (fate := marks.fate(of)) is not None}
    turned = [(row["organisation"], row["at"]) for row in refused if row["code"] not in _NOT_THEIRS]
    lines = marks.ledger(fates, reporters, merged, turned, asked.start, asked.end)
    bound = ctx.program(asked.program).accuracy
    probation: set[str] = set()
    if bound is not None:
        recent = marks.ledger(fates, reporters, [], [], ground.as_of - bound.window, None)
        probation = {name for name, counts in recent.items() if on_probation(counts, bound)}
    inside = [case_id for case_id, (_, at) in fates.items() if marks.within(at, asked.start, asked.end)]
    most = sorted(lines, key=lambda name: (-lines[name].substantive, name))[:_DRAWN]
    drawn = draw.shares("accuracy", "How often each was right", {_named(name): _right(lines[name]) for name in most})
    bounds = (
        "The program sets no bound."
        if bound is None
        else f"On probation: below {bound.minimum:.0%} even at the upper end of the interval, of at least {bound.min_cases} "
        f"cases in {bound.window.days} days; as it stands at the day above."
    )
    return Body(
        title=f"{ctx.program(asked.program).name}: accuracy of those who report",
        lead=(
            f"Cases by their last decision, {between(asked)}, for each organisation that reported them. "
            "Right is what was approved and not found wrong since. A form fault or a duplicate is nobody's error and is "
            "counted apart.",
            "No reporter, reviewer or registrant is named.",
        ),
        sections=[
            Section(
                "How often each was right", (bounds,), (_accuracy(lines, probation),), ("accuracy",) if lines else ()
            ),
            Section("By what became of it", tables=(_fates(lines),)),
        ],
        rows=[row for name, counts in lines.items() for row in _accuracy_rows(_named(name), counts)],
        found=of_cases(found, inside),
        charts=drawn if lines else {},
    )


def _named(organisation: str) -> str:
    return organisation or "the house itself"


def _right(counts: Counts) -> Share:
    found = accuracy(counts)
    return share_of(found.right, found.n)


def _accuracy(lines: Mapping[str, Counts], probation: set[str]) -> Table:
    rows = [[_named(n), share_words(_right(c)), "on probation" if n in probation else ""] for n, c in lines.items()]
    return table("Of what a person decided on its substance.", ["Organisation", "Right", "Now:"], rows)


def _fates(lines: Mapping[str, Counts]) -> Table:
    rows = [[_named(name), *(getattr(counts, fate) for fate in _FATES)] for name, counts in lines.items()]
    return table(
        "Refused: by intake, before it was a case. Error and overturned: approved, and found wrong since.",
        ["Organisation", *(fate.replace("_", " ") for fate in _FATES)],
        rows,
    )


def _accuracy_rows(name: str, counts: Counts) -> list[dict[str, Cell]]:
    right = _right(counts)
    first = counted("accuracy", "right", right.n, of=right.of, key=name)
    first |= {"share": right.share, "low": right.low, "high": right.high, "few": right.few}
    return [first, *(counted("fate", fate, getattr(counts, fate), key=name) for fate in _FATES)]
