"""What the log says of a case's decisions and undoings, folded: what became of it, and how it was put right.

Marks come from entries of the signed log, which never change, so that a report reads the same ones for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifier.domain.accuracy import Counts

_DECIDED = frozenset(
    {
        "case.approved",
        "case.rejected",
        "case.withdrawn",
        "case.cured",
        "case.overturned",
        "case.lift_asked",
        "case.event_over",
    }
)
_BACK = frozenset({"case.restored", "case.released"})
_ENDS = ("case.lift_asked", "case.hold_lapsed", "case.found_wrong", "case.others_released")
_APPEALS = {
    "appeal.opened": "opened",
    "appeal.withdrawn": "taken back by whoever appealed",
    "appeal.lapsed": "not answered in time",
}
_HEARD = {"upheld": "our decision stood", "overturned": "our decision fell", "partial": "our decision fell in part"}
TAGS = (*sorted(_DECIDED), *_ENDS[1:], *sorted(_BACK), *_APPEALS, "appeal.decided")
_APART = frozenset({"clerical", "duplicate", "out_of_scope"})
KINDS = ("lifted_wrong", "lifted_lapsed", "lifted_cured", "event_over", "taken_back")
KIND_WORDS = {
    "lifted_wrong": "our mistake",
    "lifted_lapsed": "lapsed: nobody stood up for it in time",
    "lifted_cured": "cured: its cause was gone",
    "event_over": "its event was over",
    "taken_back": "taken back for another reason",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of the log about a case. `detail` is what it says."""

    case_id: str
    tag: str
    at: datetime
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Undone:
    """How what was asked for in a case was taken back. `kind`: the worst of KINDS; `cause` in words of ours; `asked_at`:
    when the undo was asked for first; `back_at`: when our looks agreed that it was done, None so far."""

    case_id: str
    kind: str
    cause: str
    asked_at: datetime
    back_at: datetime | None


def by_case(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for mark in marks:
        found.setdefault(mark.case_id, []).append(mark)
    return found


def fate(marks: Sequence[Mark]) -> tuple[str, datetime] | None:
    """What became of a case, in the words of the accuracy ledger, and when it was decided last; None: nothing yet."""
    decided = [mark for mark in marks if mark.tag in _DECIDED]
    if not decided:
        return None
    tags = {mark.tag for mark in decided}
    rejected = [str(mark.detail.get("ground")) for mark in decided if mark.tag == "case.rejected"]
    if any(mark.tag == "case.withdrawn" and mark.detail.get("ground") == "error" for mark in decided):
        found = "error"
    elif any(_wrong(mark) for mark in marks):
        found = "overturned"
    elif rejected:
        found = max(rejected) if max(rejected) in _APART else "rejected"
    elif "case.approved" in tags:
        found = "accepted"
    else:
        return None
    return found, max(mark.at for mark in decided)


def _wrong(mark: Mark) -> bool:
    return mark.tag == "case.found_wrong" or (mark.tag == "case.overturned" and mark.detail.get("cause") != "cured")


def undone(marks: Sequence[Mark]) -> Undone | None:
    """How a case was put right; None where nothing was taken back."""
    found = [(kind, cause, mark) for mark in marks for kind, cause in _undoing(mark)]
    if not found:
        return None
    kind, cause, mark = min(found, key=lambda one: (KINDS.index(one[0]), one[2].at))
    asked_at = min(one[2].at for one in found)
    back = [one.at for one in marks if one.tag in _BACK and one.at >= asked_at]
    return Undone(mark.case_id, kind, cause, asked_at, min(back, default=None))


def _undoing(mark: Mark) -> list[tuple[str, str]]:
    detail = mark.detail
    match mark.tag:
        case "case.overturned" if detail.get("cause") == "cured":
            return [("lifted_cured", "an appeal showed it")]
        case "case.overturned":
            return [("lifted_wrong", f"appeal: {str(detail.get('cause')).replace('_', ' ')}")]
        case "case.found_wrong":
            return [("lifted_wrong", "the second look of somebody else")]
        case "case.withdrawn" if detail.get("ground") == "error":
            return [("lifted_wrong", "withdrawn as an error")]
        case "case.withdrawn" if detail.get("ground") == "cured":
            return [("lifted_cured", "withdrawn, since it was gone")]
        case "case.withdrawn":
            return [("taken_back", "withdrawn")]
        case "case.lift_asked":
            return [("lifted_lapsed", "an appeal was not answered in time")]
        case "case.hold_lapsed":
            return [("lifted_lapsed", "no fresh evidence in time")]
        case "case.cured" | "case.others_released" if detail.get("enforced"):
            return [("lifted_cured", "our own looks saw it gone")]
        case "case.event_over" if detail.get("told"):
            return [("event_over", "the event it was for ended")]
    return []


def appeals(marks: Iterable[Mark]) -> dict[str, int]:
    """How many appeals were opened and what became of them, in words; one may stand in two lines."""
    found = dict.fromkeys((*_APPEALS.values(), *_HEARD.values()), 0)
    for mark in marks:
        said = _APPEALS.get(mark.tag) or _HEARD.get(
            str(mark.detail.get("outcome")) if mark.tag == "appeal.decided" else ""
        )
        if said is not None:
            found[said] += 1
    return found


def within(at: datetime, start: datetime | None, end: datetime | None) -> bool:
    """From `start` up to, not including, `end`; None: no bound."""
    return (start is None or at >= start) and (end is None or at < end)


def ledger(
    fates: Mapping[str, tuple[str, datetime]],
    reporters: Iterable[tuple[str, str]],
    merged: Iterable[tuple[str, datetime]],
    refused: Iterable[tuple[str, datetime]],
    start: datetime | None,
    end: datetime | None,
) -> dict[str, Counts]:
    """Counts by organisation of what was decided, merged or refused within the bounds.

    `reporters`: each organisation with each case that it reported; `merged` and `refused`: one for each time.
    """
    found: dict[str, Counts] = {}

    def count(organisation: str, what: str) -> None:
        counts = found.get(organisation, Counts())
        found[organisation] = replace(counts, **{what: getattr(counts, what) + 1})

    for organisation, case_id in sorted(set(reporters)):
        became = fates.get(case_id)
        if became is not None and within(became[1], start, end):
            count(organisation, became[0])
    for what, times in (("duplicate", merged), ("refused", refused)):
        for organisation, at in times:
            if within(at, start, end):
                count(organisation, what)
    return dict(sorted(found.items()))
