"""Small numbers are kept back, neither to be computed nor shut in: by hand, and against attackers who try everything."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.domain import figures, small_numbers
from notifier.domain.figures import KEPT_BACK, cohort_cells
from notifier.domain.history import ClaimSeen, History
from notifier.domain.numbers import counted
from notifier.domain.small_numbers import parts_without, pattern, without
from notifier.domain.suppression import computable, kept_back

START = datetime(2026, 1, 5, tzinfo=UTC)


def unit(n: int, **changes: Any) -> History:
    made = History(
        case_ids=(f"case-{n}",),
        program="opioids",
        registry="verisign",
        target=f"name-{n}.com",
        epoch=None,
        state="in_review",
        opened=START,
        spells=(),
        work={},
    )
    return replace(made, **changes)


def sent(n: int, **changes: Any) -> History:
    at = START + timedelta(hours=1)
    return unit(n, **{"approved": at, "sent": at, "received": at, **changes})


def done(n: int, days: int) -> History:
    """Answered, claimed and seen so many days after the opening."""
    at = START + timedelta(days=days)
    return sent(n, answered=at, claimed=at, verified=at)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_parts_of_a_total_by_hand() -> None:
    # 3 is small. With the total and the rest told it would be 52 - 40 - 9... so the next smallest goes too.
    assert parts_without({"a": 3, "b": 40, "c": 12, "d": 0}, 10) == {
        "a": KEPT_BACK, "b": 40, "c": KEPT_BACK, "d": 0, "total": 55,
    }  # fmt: skip
    # Two small ones hide each other: their sum alone is told.
    assert parts_without({"a": 3, "b": 4, "c": 12}, 10) == {"a": KEPT_BACK, "b": KEPT_BACK, "c": 12, "total": 19}
    # Nothing else could hide it: the total goes, though it is large.
    assert parts_without({"a": 0, "b": 3}, 10) == {"a": 0, "b": KEPT_BACK, "total": KEPT_BACK}
    assert parts_without({"a": 10, "b": 30}, 10) == {"a": 10, "b": 30, "total": 40}
    assert parts_without({"a": 1, "b": 2}, 0) == {"a": 1, "b": 2, "total": 3}


def test_a_pattern_that_no_single_sum_gives_away_is_seen_through() -> None:
    # Each row and column of hidden cells has two of them, and still `bridge` follows: the two squares sum to what they are.
    equations = [
        {"a": 1, "b": 1}, {"c": 1, "d": 1, "bridge": 1}, {"a": 1, "c": 1}, {"b": 1, "d": 1},
    ]  # fmt: skip
    assert computable(equations, {"a", "b", "c", "d", "bridge"}) == {"bridge"}
    assert computable(equations[:3], {"a", "b", "c", "d", "bridge"}) == set()


def test_what_is_left_of_a_number_is_guarded_like_a_number() -> None:
    # 20 opened, 17 of them approved: that 3 were not is as small as 3. One of the two must go, and of two the smaller.
    units = [sent(n) for n in range(17)] + [unit(n) for n in range(17, 20)]
    found = without(figures.cohort(units, START), pattern(counted(units), 5).of("all"))
    assert found.funnel["opened"].n == 20
    assert found.funnel["approved"].n == KEPT_BACK
    assert found.funnel["sent"].of == KEPT_BACK
    assert (found.funnel["sent"].share, found.funnel["sent"].low, found.funnel["sent"].high) == (None, 0.0, 1.0)
    # The same 17 under other names are kept back too: who was sent to could have been answered.
    assert found.times["receipt"].curve.n == KEPT_BACK
    assert found.shares["success"].of == KEPT_BACK


def test_no_curve_and_no_median_of_a_few() -> None:
    units = [done(n, n) for n in range(1, 31)] + [sent(n) for n in range(31, 62)]
    shown = figures.cohort(units, START + timedelta(days=90))
    found = without(shown, pattern(counted(units), 10).of("all"))
    assert (found.times["verified"].curve.events, found.times["verified"].curve.censored) == (30, 31)
    assert found.times["verified"].curve.points == ()
    few = [done(n, n) for n in range(1, 9)] + [sent(n) for n in range(9, 30)]
    hidden = without(figures.cohort(few, START + timedelta(days=90)), pattern(counted(few), 10).of("all"))
    assert hidden.times["verified"].curve.events == KEPT_BACK
    assert hidden.times["verified"].curve.median.value is None


def test_a_month_hides_beside_another_and_the_quarter_keeps_both() -> None:
    # January 2, February 15, March 20 (all verisign): January is small; the quarter of 37 tells it unless February goes.
    units = [unit(n) for n in range(2)]
    units += [unit(n, opened=START + timedelta(days=31)) for n in range(2, 17)]
    units += [unit(n, opened=START + timedelta(days=60)) for n in range(17, 37)]
    found = pattern(counted(units), 10)
    assert {key for key, cell in found.hidden if cell == "funnel/opened"} == {"2026-01", "2026-02"}


def test_what_is_kept_back_is_at_least_one_and_that_gives_nothing_away() -> None:
    # Of 32, 30 had no answer: the two others would be one each.
    found = parts_without({"opened": 30, "declined": 1, "registry_hold": 1}, 10)
    assert KEPT_BACK in (found["total"], found["opened"])
    # Ten registries with one unit each: their sum tells every one of them.
    assert parts_without({f"registry-{n}": 1 for n in range(10)}, 10)["total"] == KEPT_BACK
    few = parts_without({"open": 1, "upheld": 1, "withdrawn": 3}, 3)
    assert (few["withdrawn"], few["total"]) == (KEPT_BACK, 5)  # of three that sum to five, one may be one or two
    units = [unit(n, registry=f"registry-{n}") for n in range(10)]
    assert ("all", "funnel/opened") in pattern(counted(units), 10).hidden


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=5), st.integers(3, 6))
def test_nobody_shuts_a_small_part_of_a_total_in(parts: list[int], below: int) -> None:
    """The attacker writes down every way to fill what is kept back, and looks how many values a small one has in them."""
    totals = {f"part-{n}": part for n, part in enumerate(parts)}
    told = parts_without(totals, below)
    hidden = [name for name in totals if told[name] == KEPT_BACK]
    known = sum(n for name, n in totals.items() if name not in hidden)
    ways = [
        way
        for way in product(range(1, 31), repeat=min(len(hidden), 3))
        if told["total"] == KEPT_BACK or sum(way) + max(0, len(hidden) - 3) <= told["total"] - known
    ]
    if len(hidden) <= 3:
        ways = [way for way in ways if told["total"] == KEPT_BACK or sum(way) == told["total"] - known]
    for at, name in enumerate(hidden[:3]):
        if 0 < totals[name] < below:
            values = {way[at] for way in ways if way[at] < below}
            assert len(values) >= max(2, below // 2), (totals, told, values)


# --- against somebody who tries everything --------------------------------------------------------------------------


def _row_space_has(rows: list[list[Fraction]], wanted: list[Fraction]) -> bool:
    """Whether `wanted` is a sum of multiples of the rows: Gauss over fractions, another way than the code's."""
    width = len(wanted)
    rows, at = [row[:] for row in rows], 0
    for column in range(width):
        pivot = next((i for i in range(at, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for i in range(len(rows)):
            if i != at and rows[i][column]:
                times = rows[i][column] / rows[at][column]
                rows[i] = [a - times * b for a, b in zip(rows[i], rows[at], strict=True)]
        if wanted[column]:
            times = wanted[column] / rows[at][column]
            wanted = [a - times * b for a, b in zip(wanted, rows[at], strict=True)]
        at += 1
    return not any(wanted)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=2, max_size=4),
    st.integers(3, 12),
)
def test_nobody_computes_a_small_cell_of_a_table_with_its_sums(table: list[list[int]], below: int) -> None:
    values: dict[tuple[int, int], int] = {}
    rows, columns = len(table), 3
    for r in range(rows):
        for c in range(columns):
            values[r, c] = table[r][c]
    for r in range(rows):
        values[r, columns] = sum(table[r])
    for c in range(columns + 1):
        values[rows, c] = sum(values[r, c] for r in range(rows))
    equations = [{(r, columns): 1, **{(r, c): -1 for c in range(columns)}} for r in range(rows + 1)]
    equations += [{(rows, c): 1, **{(r, c): -1 for r in range(rows)}} for c in range(columns + 1)]
    hidden = sorted(kept_back(values, equations, below, lambda key: True, lambda key: (values[key], key)))
    small = [key for key, n in values.items() if 0 < n < below]
    assert set(small) <= set(hidden)
    system = [[Fraction(each.get(key, 0)) for key in hidden] for each in equations]
    for key in small:
        one = [Fraction(int(other == key)) for other in hidden]
        assert not _row_space_has(system, one), (key, table, hidden)
    # Nor is it shut in: what it can be, by one equation after another, is as much as where only noughts are told, or enough.
    left, free = (_shut_in(values, equations, told) for told in (hidden, [key for key, n in values.items() if n]))
    for key in small:
        can, could = (max(0, min(most, below - 1) - least + 1) for least, most in (left[key], free[key]))
        assert can >= min(could, max(2, below // 2)), (key, table, hidden, left[key])


def _shut_in(
    values: Mapping[tuple[int, int], int], equations: list[dict[tuple[int, int], int]], hidden: list[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, int]]:
    """The least and the most of each hidden cell: a total is no less than its parts' least, a part no more than is left."""
    found = {key: (1, 10**6) if key in hidden else (n, n) for key, n in values.items()}
    for _ in range(500):
        before = dict(found)
        for each in equations:
            (total,) = (key for key, c in each.items() if c == 1)
            parts = [key for key, c in each.items() if c == -1]
            least, most = (sum(found[part][end] for part in parts) for end in (0, 1))
            found[total] = max(found[total][0], least), min(found[total][1], most)
            for part in parts:
                low, high = found[part]
                rest_least, rest_most = least - low, most - high
                found[part] = max(low, found[total][0] - rest_most), min(high, found[total][1] - rest_least)
                least, most = rest_least + found[part][0], rest_most + found[part][1]
        if found == before:
            break
    return found


def _house(seed: int, size: int) -> list[History]:
    """Units as a program has them, over eight months and three registries."""
    chance, made = Random(seed), []
    for n in range(size):
        opened = START + timedelta(days=chance.randrange(240))
        changes: dict[str, Any] = {"opened": opened, "registry": chance.choice(["verisign", "verisign", "pir", None])}
        at = opened
        for name in ("approved", "sent", "received", "answered", "claimed", "verified", "relapsed"):
            if chance.random() < 0.2:
                break
            at += timedelta(hours=5)
            changes[name] = at
        if "claimed" in changes:
            verdict = (
                "verified" if "verified" in changes else chance.choice(["contradicted", "pending", "unverifiable"])
            )
            changes["claims"] = (ClaimSeen(f"c{n}", "registry", "r", "hold", at, verdict),)
            changes["outcome"], changes["actor"] = "registry_hold", "registry"
        changes["work"] = {"daemon": 3}
        made.append(unit(n, **changes))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_nobody_computes_a_small_number_of_a_house(seed: int) -> None:
    """The attacker has every slice's told cells, knows how they hang together, and solves for each small one."""
    below, units = 10, _house(seed, 120)
    hidden = pattern(counted(units), below).hidden
    slices: dict[str, list[History]] = {"all": units}
    for one in units:
        for key in (
            f"{one.opened:%Y-%m}",
            f"2026-Q{(one.opened.month + 2) // 3}",
            f"registry {one.registry or 'none'}",
        ):
            slices.setdefault(key, []).append(one)
    values: dict[tuple[str, str], int] = {}
    for key, part in slices.items():
        for cell, found in cohort_cells(part).items():
            values[key, cell] = len(found)
    assert {at for at, n in values.items() if 0 < n < below} <= hidden
    # What follows: a total is the sum of its months, quarters and registries; a stage splits the one before it.
    equations: list[Mapping[tuple[str, str], int]] = []
    cells = sorted({cell for _, cell in values})
    months = [key for key in slices if len(key) == 7 and "Q" not in key]
    quarters = [key for key in slices if "-Q" in key]
    for cell in cells:
        for parts in (months, quarters, [key for key in slices if key.startswith("registry")]):
            equations.append({("all", cell): 1, **{(key, cell): -1 for key in parts if (key, cell) in values}})
        for quarter in quarters:
            mine = [month for month in months if small_numbers.quarter(month) == quarter]
            equations.append({(quarter, cell): 1, **{(key, cell): -1 for key in mine if (key, cell) in values}})
    for key in slices:
        for name in ("notice", "receipt", "verified", "relapse"):
            at = f"time/{name}"
            equations.append({(key, f"{at}/n"): 1, (key, f"{at}/events"): -1, (key, f"{at}/censored"): -1})
        same = [
            ("share/success", "funnel/verified"),
            ("time/notice/n", "funnel/opened"),
            ("time/verified/n", "funnel/sent"),
        ]
        equations += [{(key, a): 1, (key, b): -1} for a, b in same]
        outcomes = {(key, cell): -1 for part, cell in values if part == key and cell.startswith("outcome/")}
        equations.append({(key, "funnel/opened"): 1, **outcomes})
    for each in equations:
        assert sum(c * values.get(at, 0) for at, c in each.items()) == 0, each
    assert computable(equations, set(hidden)) & {at for at, n in values.items() if 0 < n < below} == set()
    # And it is not all kept back: of so few, some of the whole is told.
    told = [cell for cell in cells if values.get(("all", cell)) and ("all", cell) not in hidden]
    assert len(told) >= 5, told
