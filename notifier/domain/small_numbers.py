"""A cohort's figures with its small numbers kept back: the whole, its months, quarters and registries hide together.

Whoever reads the whole by month and somebody else who reads it by registry, or by quarter on the public page, see the same
numbers kept back, so that no two of them can be put together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from notifier.domain.definitions import SHARES, STAGES, TIMES
from notifier.domain.figures import KEPT_BACK, PARTY_STEPS, CohortFigures, PartyShare, Share, TimeTo, of_cell
from notifier.domain.numbers import CASES, NONE, Cells, Number, Part
from notifier.domain.outcome import Verdict
from notifier.domain.suppression import kept_back
from notifier.domain.survival import Curve, Median

WHOLE = "all"
TOTAL = "total"  # of numbers that add up
_REST = "rest/"  # what is left of what a number is of: told nowhere, and easily computed
_UNSEEN = (str(Verdict.CONTRADICTED), str(Verdict.UNVERIFIABLE))


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which cells of which slice are kept back: of `all`, `2026-Q1`, `2026-03` or `registry ID`."""

    hidden: frozenset[tuple[str, str]]

    def of(self, key: str) -> frozenset[str]:
        return frozenset(cell for part, cell in self.hidden if part == key)


def quarter(month: str) -> str:
    """`2026-Q1` of `2026-03`."""
    return f"{month[:4]}-Q{(int(month[5:7]) + 2) // 3}"


def registry_key(registry: str | None) -> str:
    """The pattern's key of a registry's slice, which no month's can be."""
    return f"registry {registry or 'none'}"


def pattern(counted: Mapping[Part, Cells], below: int) -> Pattern:
    """What must be kept back of these figures, so that no number below `below` can be read or computed."""
    slices, totals = _slices(counted)
    equations: list[dict[Number, int]] = []
    names: dict[Number, set[tuple[str, str]]] = {}

    def relation(total: Number, parts: Iterable[Number]) -> None:
        found: dict[Number, int] = {total: 1}
        for part in parts:
            found[part] = found.get(part, 0) - 1
        equations.append(found)

    for key, cells in slices.items():
        for total, parts in _within(cells):
            relation(cells.get(total, NONE), [cells.get(part, NONE) for part in parts])
        for cell, number in cells.items():
            names.setdefault(number, set()).add((key, cell))
    for key, parts in totals:
        for cell, number in slices[key].items():
            if not cell.startswith(_REST):
                relation(number, [slices[part].get(cell, NONE) for part in parts])

    told = {number for number, named in names.items() if any(not cell.startswith(_REST) for _, cell in named)}
    hidden = kept_back(
        {number: number.n for number in names},
        equations,
        below,
        told.__contains__,
        # Of parts before wholes, small before large; the last only says which of two alike it is.
        lambda number: (any(key == WHOLE for key, _ in names[number]), number.n, sorted(names[number])),
    )
    return Pattern(frozenset(named for number in hidden for named in names[number] if not named[1].startswith(_REST)))


def _slices(counted: Mapping[Part, Cells]) -> tuple[dict[str, dict[str, Number]], list[tuple[str, list[str]]]]:
    """Each slice's numbers, and which slices make up which."""
    slices: dict[str, dict[str, Number]] = {WHOLE: {}}
    of: dict[tuple[str, str], set[str]] = {}
    for part, mine in counted.items():
        month, registry = f"{part.opened:%Y-%m}", registry_key(part.registry)
        of.setdefault((WHOLE, "time"), set()).add(quarter(month))
        of.setdefault((quarter(month), "time"), set()).add(month)
        of.setdefault((WHOLE, "registry"), set()).add(registry)
        for key in (WHOLE, quarter(month), month, registry):
            cells = slices.setdefault(key, {})
            for cell, number in mine.items():
                before = cells.get(cell)
                cells[cell] = number if before is None else before + number
    for cells in slices.values():
        for total, parts in _within(cells):
            if rest := [part for part in parts if part.startswith(_REST)]:
                cells[rest[0]] = cells.get(total, NONE) - cells.get(parts[0], NONE)
    return slices, [(total, sorted(parts)) for (total, _), parts in of.items()]


def _within(cells: Cells) -> list[tuple[str, list[str]]]:
    """Of one slice, each total with the parts that it is the sum of."""
    pairs = [(f"funnel/{d.of}", f"funnel/{stage}") for stage, d in STAGES.items() if d.of]
    pairs += [(of_cell(key), f"share/{key}") for key in SHARES]
    pairs += [(f"time/{key}/n", f"time/{key}/events") for key in TIMES]
    pairs += [(CASES, "funnel/opened")]
    parties = sorted({cell.split("/")[1] for cell in cells if cell.startswith("party/")})
    pairs += [(f"party/{party}/asked", f"party/{party}/{step}") for party in parties for step in PARTY_STEPS[1:]]
    found = [(total, [part, f"{_REST}{part}"]) for total, part in pairs]
    found += [(f"time/{key}/n", [f"time/{key}/events", f"time/{key}/censored"]) for key in TIMES]
    found.append(("funnel/opened", [cell for cell in cells if cell.startswith("outcome/")]))
    claims = [cell for cell in cells if cell.startswith("claim/")]
    found.append(("judged", [cell for cell in claims if cell.split("/")[3] != Verdict.PENDING]))
    found.append(("share/gap", [cell for cell in claims if cell.split("/")[3] in _UNSEEN]))
    return found


# --- figures without them -------------------------------------------------------------------------------------------


def without(found: CohortFigures, hidden: frozenset[str]) -> CohortFigures:
    """The figures, with every hidden number as KEPT_BACK; no curve is left, since each point of one is a single thing."""

    def number(cell: str, n: int) -> int:
        return KEPT_BACK if cell in hidden else n

    def share(one: Share, cell: str, of: str) -> Share:
        n, out_of = number(cell, one.n), number(of, one.of)
        return Share(n, out_of, None, 0.0, 1.0, False) if KEPT_BACK in (n, out_of) else one

    def time(one: TimeTo) -> TimeTo:
        curve, at = one.curve, f"time/{one.key}"
        n, events, censored = (number(f"{at}/{part}", getattr(curve, part)) for part in ("n", "events", "censored"))
        whole = KEPT_BACK not in (n, events, censored)
        median = curve.median if whole else Median(None, None, None)
        return TimeTo(one.key, Curve(n, events, censored, median), one.few and whole)

    return replace(
        found,
        units=number("funnel/opened", found.units),
        cases=number(CASES, found.cases),
        funnel={
            stage: share(one, f"funnel/{stage}", f"funnel/{STAGES[stage].of or stage}")
            for stage, one in found.funnel.items()
        },
        shares={key: share(one, f"share/{key}", of_cell(key)) for key, one in found.shares.items()},
        outcomes=[
            replace(one, share=share(one.share, f"outcome/{one.outcome}/{one.actor}", "funnel/opened"))
            for one in found.outcomes
        ],
        claims=[
            replace(one, n=number(f"claim/{one.party}/{one.measure}/{one.verdict}", one.n)) for one in found.claims
        ],
        parties=[
            PartyShare(
                one.party,
                *(
                    share(getattr(one, step), f"party/{one.party}/{step}", f"party/{one.party}/asked")
                    for step in PARTY_STEPS
                ),
            )
            for one in found.parties
        ],
        times={key: time(one) for key, one in found.times.items()},
        work={kind: number(f"work/{kind}", n) for kind, n in found.work.items()},
    )


def parts_without(totals: Mapping[str, int], below: int) -> Mapping[str, int]:
    """Numbers that add up to a TOTAL that is told beside them, with the small ones kept back."""
    values = {**totals, TOTAL: sum(totals.values())}
    equation = {TOTAL: 1, **dict.fromkeys(totals, -1)}
    hidden = kept_back(values, [equation], below, lambda key: True, lambda key: (key == TOTAL, values[key], key))
    return {key: KEPT_BACK if key in hidden else n for key, n in values.items()}
