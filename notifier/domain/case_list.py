"""What figures are made of, one unit or case a row, with each time that a figure knows: a sheet can make them again."""

from collections.abc import Sequence
from datetime import UTC, datetime

from notifier.domain import figures
from notifier.domain.history import History
from notifier.domain.table_rows import Cell

_MOMENTS = (
    "opened",
    "approved",
    "sent",
    "received",
    "answered",
    "claimed",
    "verified",
    "relapsed",
    "hopped",
    "restored",
    "ended",
)
COLUMNS = (
    "case_ids",
    "references",
    "program",
    "registry",
    "domain",
    *_MOMENTS,
    "state",
    "outcome",
    "actor",
    "our_error",
    "asked",
    "claims",
    "open",
    "work",
)


def row(unit: History, references: Sequence[str], domain: str | None) -> dict[str, Cell]:
    """A unit by column. `domain` None: it is not shown.

    Times in RFC 3339. What a unit has several of stands in one cell, parted by blanks: ids, `PARTY/ANSWER`,
    `PARTY/MEASURE/VERDICT/seen` or `/unseen` at any time, the intervals in which it was open (ISO 8601, `..` for no end), and
    `WHO/STEPS`.
    """
    moments: dict[str, datetime | None] = {name: getattr(unit, name) for name in _MOMENTS}
    outcome, actor = figures.outcome_of(unit)
    return {
        "case_ids": " ".join(unit.case_ids),
        "references": " ".join(references),
        "program": unit.program,
        "registry": unit.registry or "none",
        "domain": domain,
        **{name: _moment(at) if at else None for name, at in moments.items()},
        "state": unit.state,
        "outcome": outcome,
        "actor": actor,
        "our_error": unit.our_error,
        "asked": " ".join(f"{one.party}/{one.answer}" for one in unit.asked),
        "claims": " ".join(
            f"{claim.party}/{claim.measure}/{claim.verdict}/{'seen' if claim.seen else 'unseen'}"
            for claim in unit.claims
        ),
        "open": " ".join(
            f"{_moment(spell.opened)}/{_moment(spell.closed) if spell.closed else '..'}" for spell in unit.spells
        ),
        "work": " ".join(f"{kind}/{n}" for kind, n in sorted(unit.work.items())),
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
