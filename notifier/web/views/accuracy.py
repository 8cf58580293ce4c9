"""Views of the accuracy ledger."""

from datetime import datetime
from typing import Self

from pydantic import Field

from notifier.services.accuracy import Ledger, Line
from notifier.web.views.base import View


class CountsOut(View):
    """Cases by what became of them."""

    decided: int = Field(description="Every case that a person decided.")
    accepted: int = Field(description="Approved, and not taken back as an error since.")
    rejected: int = Field(description="On the substance.")
    out_of_scope: int
    error: int = Field(description="Withdrawn as our own error.")
    overturned: int = Field(description="On appeal. 0 as long as there are no appeals.")
    clerical: int = Field(description="Rejected for the form; held against nobody.")
    duplicate: int = Field(description="Rejected or merged as one; held against nobody.")
    refused: int = Field(description="Reports that intake refused; held against nobody.")
    verified: int = Field(description="Accepted cases whose claimed act we saw.")
    contradicted: int = Field(description="Accepted cases whose claimed act did not happen.")


class LineOut(View):
    """One organisation or reviewer in one program."""

    name: str = Field(description="Empty: the house itself.")
    program: str
    counts: CountsOut
    right: int
    n: int = Field(description="Cases decided on the substance.")
    accuracy: float | None = Field(description="right / n; null when nothing was decided.")
    low: float = Field(description="Lower end of the Wilson interval at 95 %.")
    high: float
    probation: bool | None = Field(description="null: the program sets no bound, or the line is of a reviewer.")

    @classmethod
    def shown(cls, line: Line) -> Self:
        found = line.accuracy
        return cls(
            name=line.name,
            program=line.program,
            counts=CountsOut.of(line.counts),
            right=found.right,
            n=found.n,
            accuracy=found.share,
            low=found.low,
            high=found.high,
            probation=line.probation,
        )


class LedgerOut(View):
    """The accuracy ledger."""

    as_of: datetime
    since: datetime | None
    organisations: list[LineOut]
    reviewers: list[LineOut] | None = Field(description="Shown to the owner's reviewers and admins.")

    @classmethod
    def shown(cls, ledger: Ledger) -> Self:
        reviewers = None if ledger.reviewers is None else [LineOut.shown(line) for line in ledger.reviewers]
        return cls(
            as_of=ledger.as_of,
            since=ledger.since,
            organisations=[LineOut.shown(line) for line in ledger.organisations],
            reviewers=reviewers,
        )
