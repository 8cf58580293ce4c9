"""Views of programs and registries."""

from datetime import date

from pydantic import Field

from notifier.domain.epp import Measure
from notifier.web.views.base import View


class StepOut(View):
    """Who is asked for what, and how long each has: seconds, or working days of a calendar."""

    recipient: str
    measure: Measure
    window_s: int | None
    window_working_days: int | None
    calendar: str | None


class ProgramOut(View):
    """One program as it stands."""

    id: str
    name: str
    category: str
    owner: str
    version: str
    effective_from: date
    measures: list[Measure]
    default_measure: Measure
    second_review: bool
    escalation: str
    basis: str
    appeal: str
    ladder: list[StepOut]
    windows_s: dict[str, int] = Field(description="Every span in seconds.")
    rules: list[str] = Field(description="Ids of its rules, in order.")
    digest: str


class Programs(View):
    items: list[ProgramOut]


class RuleOut(View):
    """One rule in plain words, and what can satisfy it."""

    id: str
    type: str
    asks: str
    guards: list[str] = Field(description="The steps before which it must pass; empty for one of several.")
    part_of: list[str] = Field(description="The rule any_of that it is one of.")
    rejects: bool = Field(description="That it does not hold is a reason to reject.")
    evidence: list[str] = Field(description="Kinds of evidence that can satisfy it.")
    said: list[str] = Field(description="Fields of a report that can; with neither we look ourselves.")


class ExplanationOut(View):
    """A program in plain words, made from its rules."""

    about: list[str]
    rules: list[RuleOut]
    ladder: list[str]
    windows: list[str]
    text: str = Field(description="All of it on one page.")


class RegistryOut(View):
    """A registry in a list."""

    id: str
    name: str
    tlds: int = Field(description="How many top-level domains it operates.")
    has_rdap: bool = Field(description="At least one of them has RDAP.")
    abuse_channels: list[str] = Field(description="Kinds of public abuse channel: email, form, api.")


class RegistryPage(View):
    items: list[RegistryOut]
    next_cursor: str | None


class RegistryDetail(View):
    """A registry, by top-level domain (A-labels)."""

    id: str
    name: str
    tlds: list[str]
    rdap: dict[str, str]
    abuse_email: dict[str, str]
    abuse_form: dict[str, str]
    abuse_api: dict[str, str]
    verbs: dict[str, str] = Field(description="The registry's own word for a measure.")
    verb_notes: dict[str, str]
    source: str
    as_of: str
    digest: str
