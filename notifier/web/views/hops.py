"""Views of links between names, clusters, and the hopping list."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from notifier.services.clusters import Cluster
from notifier.services.hopping_list import EntryPage
from notifier.services.hops import Shown
from notifier.store.hops import Edge
from notifier.web.views.base import View


class SharedOut(View):
    """One signal that two names share."""

    kind: str
    signal_class: str = Field(description="Signals of one class come from one hand, and count together.")
    value: str = Field(description="Read off a hostile page: show it as text.")
    words: str
    strength: float = Field(description="0 to 1; halved for each unrelated name that has it too.")
    carriers: int | None = Field(description="Unrelated names known to have it too; null: nobody can say.")
    here: str = Field(description="What it was read from, of the name before.")
    there: str = Field(description="What it was read from, of the name that may follow.")
    seen_at: datetime


class DecisionOut(View):
    """What a person said of a link."""

    decision: str
    reason: str
    by: str
    at: datetime


class HopOut(View):
    """A link between a case's name and one that may follow it."""

    id: str
    program: str
    case_id: str = Field(description="Case of the name before.")
    reference: str
    before: str
    name: str = Field(description="The name that may follow, A-label.")
    registry: str | None
    found_by: str = Field(description="case, other_ending, name_file or redirect.")
    classes: dict[str, float] = Field(description="How strong each class of signals is; two from 0.7 on propose.")
    shared: list[SharedOut]
    cautions: list[str] = Field(description="Why two people decide; empty: one is enough.")
    first_seen_at: datetime
    proposed_at: datetime
    state: str = Field(description="proposed, accepted, dismissed or retracted.")
    first_accepted_by: str | None
    successor_case: str | None = Field(description="The name's own case.")
    successor_reference: str | None
    successor_state: str | None
    decided_at: datetime | None
    retracted_at: datetime | None
    gone: str | None = Field(description="Why an accepted link no longer stands.")
    decisions: list[DecisionOut] = Field(default_factory=list)

    @classmethod
    def told(cls, row: Mapping[str, Any]) -> Self:
        links = row["links"]
        texts = {key: row[key] and str(row[key]) for key in ("id", "case_id", "successor_case")}
        return cls.model_validate({**row, **texts, "classes": links["classes"], "shared": links["shared"]})

    @classmethod
    def shown(cls, found: Shown) -> Self:
        decisions = [DecisionOut.of(one) for one in found.decisions]
        return cls.told(found.row).model_copy(update={"decisions": decisions})


class HopPage(View):
    """A page of links, newest first."""

    items: list[HopOut]
    next_cursor: str | None


class MemberOut(View):
    """A name of a cluster and its newest case."""

    name: str
    case_id: str | None
    reference: str | None
    state: str | None
    outcome: str | None
    observed: str | None


class EdgeOut(View):
    """A link of a cluster."""

    id: str
    before: str
    name: str


class ClusterOut(View):
    """Names of one actor, by links that a person accepted."""

    id: str = Field(description="Id of its oldest link; that of any of its links finds it.")
    program: str
    members: list[MemberOut]
    links: list[EdgeOut]
    proposed: list[EdgeOut] = Field(description="Links that wait for a person: they join nothing yet.")

    @classmethod
    def shown(cls, found: Cluster) -> Self:
        return cls(
            id=found.id,
            program=found.program,
            members=[MemberOut.of(one) for one in found.members],
            links=_edges(found.links),
            proposed=_edges(found.proposed),
        )


def _edges(found: Any) -> list[EdgeOut]:
    edges: list[Edge] = list(found)
    return [EdgeOut.of(one) for one in edges]


class Clusters(View):
    """Every cluster in your programs, largest first."""

    items: list[ClusterOut]


class HoppingEntryOut(View):
    """A name under your own endings that follows one of the same actor. Information: nothing is asked."""

    name: str
    program: str
    state: str = Field(description="listed, or removed: then take it off your own list.")
    first_seen_at: datetime | None
    listed_at: datetime
    linked_by: list[str] = Field(description="What links it, in words.")
    removed_at: datetime | None
    removed_why: str


class HoppingListOut(View):
    """A page of the hopping list, newest first."""

    as_of: datetime
    simulated: bool
    items: list[HoppingEntryOut]
    next_cursor: str | None

    @classmethod
    def shown(cls, page: EntryPage) -> Self:
        return cls.of(page)
