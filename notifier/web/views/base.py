"""The base of every view: what its model does not name is never told."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from notifier.domain.facts import FindingResult
from notifier.services.access import Role

STAFF = frozenset({Role.REVIEWER, Role.AUDITOR, Role.ADMIN})


class View(BaseModel):
    """Base: made from a row or a service's dataclass; what the model does not name is dropped.

    Each model is built at its first use: most processes show few of them.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", from_attributes=True, populate_by_name=True, defer_build=True
    )

    @classmethod
    def of(cls, source: object) -> Self:
        """The view of a row or a dataclass."""
        return cls.model_validate(source)


class FindingOut(View):
    """One rule's result, why, and what would mend it."""

    rule: str
    result: FindingResult
    why: str
    mend: str
    evidence: list[str]
