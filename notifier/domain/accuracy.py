"""How often an organisation's reports, or a reviewer's approvals, turned out right: counts in, a share with its interval out.

Only what a person decided on its substance is held against anybody. Clerical faults (a form, a duplicate) are counted
apart: mixing the two is what makes published error rates of notices useless (Lumen studies, domain.md F16).
"""

from dataclasses import dataclass
from datetime import timedelta

from notifier.domain.measures import wilson

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases by what became of them; each case stands in one of the first seven.

    accepted: approved, and not taken back as an error since. rejected: on the substance. out_of_scope: rejected as not
    the program's business. error: withdrawn as our own error. overturned: on appeal.
    clerical: rejected for its form. duplicate: rejected or merged as one.
    refused: reports that intake refused. verified, contradicted: accepted cases by what was observed of the claims.
    """

    accepted: int = 0
    rejected: int = 0
    out_of_scope: int = 0
    error: int = 0
    overturned: int = 0
    clerical: int = 0
    duplicate: int = 0
    refused: int = 0
    verified: int = 0
    contradicted: int = 0

    @property
    def decided(self) -> int:
        """Every case that a person decided."""
        return self.substantive + self.clerical + self.duplicate

    @property
    def substantive(self) -> int:
        """The cases that say something about who sent or approved them."""
        return self.accepted + self.rejected + self.out_of_scope + self.error + self.overturned


@dataclass(frozen=True, slots=True)
class Accuracy:
    """`right` of `n`, and the Wilson interval of the share at 95 %; of nothing decided, None and 0 to 1."""

    right: int
    n: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AccuracyBound:
    """A program's bound: below `minimum` over `window`, once `min_cases` were decided, an organisation is on probation."""

    minimum: float
    window: timedelta
    min_cases: int


def accuracy(counts: Counts) -> Accuracy:
    right, n = counts.accepted, counts.substantive
    low, high = wilson(right, n, CONFIDENCE)
    return Accuracy(right, n, right / n if n else None, low, high)


def on_probation(counts: Counts, bound: AccuracyBound) -> bool:
    """Whether even the upper end of the interval is below the bound. Too few cases decide nothing."""
    found = accuracy(counts)
    return found.n >= bound.min_cases and found.high < bound.minimum
