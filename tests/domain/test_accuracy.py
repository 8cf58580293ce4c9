"""The accuracy ledger's numbers, and when an organisation is on probation."""

import tomllib
from datetime import timedelta

import pytest

from notifier import resources
from notifier.domain.accuracy import AccuracyBound, Counts, accuracy, on_probation
from notifier.domain.program import parse_program

BOUND = AccuracyBound(0.8, timedelta(days=365), 10)


def test_clerical_faults_are_held_against_nobody() -> None:
    counts = Counts(accepted=11, rejected=1, clerical=30, duplicate=5, refused=200)
    found = accuracy(counts)
    assert (found.right, found.n, counts.decided) == (11, 12, 47)
    # 11/12 shown as 91.7 % (64.6-98.5): domain.md 5.11 (29)
    assert (round(found.share or 0, 3), round(found.low, 3), round(found.high, 3)) == (0.917, 0.646, 0.985)


def test_nothing_decided_says_nothing() -> None:
    found = accuracy(Counts(clerical=3))
    assert (found.n, found.share, found.low, found.high) == (0, None, 0.0, 1.0)
    assert not on_probation(Counts(clerical=3), BOUND)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(rejected=9), False),  # too few
        (Counts(rejected=10), True),
        (Counts(accepted=6, rejected=2, error=1, out_of_scope=1), False),  # 6/10: upper end 0.832
        (Counts(accepted=5, rejected=2, error=2, overturned=1), True),  # 5/10: upper end 0.763
        (Counts(accepted=50, error=1), False),
    ],
)
def test_probation_waits_for_the_whole_interval(counts: Counts, expected: bool) -> None:
    assert on_probation(counts, BOUND) is expected


@pytest.mark.parametrize(
    ("table", "faulty"),
    [
        ({"minimum": 0.8, "window": "365d", "min_cases": 10}, []),
        (None, []),
        ({"minimum": 1.5, "window": "365d", "min_cases": 10}, ["accuracy.minimum"]),
        ({"minimum": 0.8, "window": "a year", "min_cases": 0}, ["accuracy.window", "accuracy.min_cases"]),
        ({"minimum": 0.8, "window": "365d", "min_cases": 10, "grace": "7d"}, ["accuracy.grace"]),
        ("strict", ["accuracy", "accuracy.minimum", "accuracy.window", "accuracy.min_cases"]),
    ],
)
def test_a_program_sets_the_bound_or_has_none(table: object, faulty: list[str]) -> None:
    data = tomllib.loads((resources.folder("config") / "programs" / "opioids.toml").read_text(encoding="utf-8"))
    data.pop("accuracy", None)
    program, faults = parse_program(data if table is None else {**data, "accuracy": table}, "digest")
    assert sorted(fault[0] for fault in faults) == sorted(faulty)
    if not faulty:
        assert program is not None
        assert program.accuracy == (BOUND if table else None)
