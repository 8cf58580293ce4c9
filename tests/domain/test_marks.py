"""What became of a case by its marks in the log, and how it was put right: cured, lapsed and wrong are never mixed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.domain import marks
from notifier.domain.accuracy import Counts
from notifier.domain.marks import Mark

START = datetime(2026, 3, 1, tzinfo=UTC)


def said(*told: tuple[str, dict[str, Any]]) -> list[Mark]:
    return [Mark("c", tag, START + timedelta(days=n), detail) for n, (tag, detail) in enumerate(told)]


APPROVED: tuple[str, dict[str, Any]] = ("case.approved", {})
BACK: tuple[str, dict[str, Any]] = ("case.restored", {})


@pytest.mark.parametrize(
    ("told", "fate"),
    [
        ([], None),
        ([APPROVED], "accepted"),
        ([("case.rejected", {"ground": "substance"})], "rejected"),
        ([("case.rejected", {"ground": "clerical"})], "clerical"),
        ([("case.rejected", {"ground": "duplicate"})], "duplicate"),
        ([("case.rejected", {"ground": "out_of_scope"})], "out_of_scope"),
        ([APPROVED, ("case.withdrawn", {"ground": "error"})], "error"),
        ([APPROVED, ("case.withdrawn", {"ground": "cured"})], "accepted"),
        ([("case.withdrawn", {"ground": "other"})], None),
        ([("case.cured", {})], None),
        ([APPROVED, ("case.overturned", {"cause": "lawful"})], "overturned"),
        ([APPROVED, ("case.overturned", {"cause": "cured"})], "accepted"),
        ([APPROVED, ("case.found_wrong", {})], "overturned"),
        ([APPROVED, ("case.lift_asked", {"ground": "lapsed"})], "accepted"),
    ],
)
def test_fates(told: list[tuple[str, dict[str, Any]]], fate: str | None) -> None:
    found = marks.fate(said(*told))
    assert (found and found[0]) == fate


@pytest.mark.parametrize(
    ("told", "kind", "cause"),
    [
        ([("case.overturned", {"cause": "wrong_name"})], "lifted_wrong", "appeal: wrong name"),
        ([("case.overturned", {"cause": "cured"})], "lifted_cured", "an appeal showed it"),
        ([("case.found_wrong", {})], "lifted_wrong", "the second look of somebody else"),
        ([("case.withdrawn", {"ground": "error"})], "lifted_wrong", "withdrawn as an error"),
        ([("case.withdrawn", {"ground": "cured"})], "lifted_cured", "withdrawn, since it was gone"),
        ([("case.withdrawn", {"ground": "other"})], "taken_back", "withdrawn"),
        ([("case.lift_asked", {})], "lifted_lapsed", "an appeal was not answered in time"),
        ([("case.hold_lapsed", {})], "lifted_lapsed", "no fresh evidence in time"),
        ([("case.cured", {"enforced": True})], "lifted_cured", "our own looks saw it gone"),
        ([("case.others_released", {"enforced": True})], "lifted_cured", "our own looks saw it gone"),
        ([("case.event_over", {"told": True})], "event_over", "the event it was for ended"),
        # It lapsed first and was then found to be wrong: our mistake, and asked for when it lapsed.
        ([("case.lift_asked", {}), ("case.overturned", {"cause": "other"})], "lifted_wrong", "appeal: other"),
    ],
)
def test_how_it_was_put_right(told: list[tuple[str, dict[str, Any]]], kind: str, cause: str) -> None:
    found = marks.undone(said(APPROVED, *told, BACK))
    assert found is not None
    assert (found.kind, found.cause) == (kind, cause)
    assert found.asked_at == START + timedelta(days=1)
    assert found.back_at == START + timedelta(days=1 + len(told))


@pytest.mark.parametrize("told", [[APPROVED], [("case.cured", {})], [("case.event_over", {"told": False})], [BACK]])
def test_nothing_was_taken_back(told: list[tuple[str, dict[str, Any]]]) -> None:
    assert marks.undone(said(*told)) is None


def test_back_before_it_was_asked_for_is_not_back() -> None:
    found = marks.undone(said(BACK, ("case.found_wrong", {})))
    assert found is not None
    assert found.back_at is None


def test_the_ledger_counts_a_case_once_for_each_organisation() -> None:
    day = timedelta(days=1)
    fates = {"1": ("accepted", START), "2": ("rejected", START + day), "3": ("error", START + 2 * day)}
    reporters = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2"), ("b", "3"), ("a", "unknown")]
    merged, refused = [("b", START)], [("a", START + day), ("c", START + 5 * day)]
    assert marks.ledger(fates, reporters, merged, refused, None, None) == {
        "a": Counts(accepted=1, rejected=1, refused=1),
        "b": Counts(accepted=1, error=1, duplicate=1),
        "c": Counts(refused=1),
    }
    assert marks.ledger(fates, reporters, merged, refused, START + day, START + 2 * day) == {
        "a": Counts(rejected=1, refused=1)
    }


def test_appeals_by_what_became_of_them() -> None:
    told = said(
        ("appeal.opened", {}), ("appeal.opened", {}), ("appeal.decided", {"outcome": "upheld"}), ("appeal.lapsed", {}), APPROVED
    )  # fmt: skip
    counted = {what: n for what, n in marks.appeals(told).items() if n}
    assert counted == {"opened": 2, "our decision stood": 1, "not answered in time": 1}
