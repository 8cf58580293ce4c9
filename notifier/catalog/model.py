"""What the catalog holds: who the registries are, what was agreed with them, and what is loaded beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from notifier.adapter import AgreementChannel
from notifier.domain.calendar import Calendar, Wait
from notifier.domain.epp import Measure
from notifier.domain.names import Suffixes
from notifier.domain.program import Program
from notifier.domain.safety import TargetLists

Commitment = Literal["none", "agreed"]


@dataclass(frozen=True, slots=True)
class Registry:
    """An operator and its top-level domains, all as A-labels.

    `rdap`, `abuse_email`, `abuse_form`, `abuse_api` are by top-level domain; one that is missing is not known.
    They are the public abuse channel, never that of an agreement. `verbs` has the operator's own word for a
    measure, `verb_notes` what the word means there.
    """

    id: str
    name: str
    tlds: frozenset[str]
    rdap: Mapping[str, str]
    abuse_email: Mapping[str, str]
    abuse_form: Mapping[str, str]
    abuse_api: Mapping[str, str]
    verbs: Mapping[Measure, str]
    verb_notes: Mapping[Measure, str]
    source: str
    as_of: str
    digest: str


@dataclass(frozen=True, slots=True)
class AnswerClock:
    """How long the recipient has. `none`: nobody promised it, it is only when we look again."""

    wait: Wait
    commitment: Commitment

    def due(self, start: datetime, calendars: Mapping[str, Calendar]) -> datetime:
        """When the time begun at aware `start` is over, UTC. Raises Invalid: calendar unknown or exhausted."""
        return self.wait.ends(start, calendars)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a program and a registry agreed. Whether it is armed is not here: that is two admins' act.

    `adapter` None: no channel is known, so nothing can be sent. `tlds`: the top-level domains it speaks of.
    `measures`: the recipient's own word for each measure it takes. `digest` covers channel and scope, so that a
    changed agreement is no longer the one that was armed.
    """

    id: str
    program: str
    registry: str
    recipient_name: str
    adapter: str | None
    address: Mapping[str, Any]
    tlds: frozenset[str]
    categories: frozenset[str]
    measures: Mapping[Measure, str]
    basis: str
    sources: tuple[str, ...]
    as_of: date
    acknowledge: AnswerClock
    decide: AnswerClock
    digest: str

    @property
    def recipient_address(self) -> str:
        """The mailbox or URL that a notice is addressed to; empty without one."""
        return str(self.address.get("to") or self.address.get("url") or "")

    @property
    def channel(self) -> AgreementChannel | None:
        """What the adapter is built from; None without one."""
        if self.adapter is None:
            return None
        return AgreementChannel(self.id, self.adapter, self.address, self.recipient_name, self.measures)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that is configured, checked and frozen.

    `overlay` is the id of the overlay that replaced every channel, RDAP base and name server, None without one.
    `name_servers`, `site` and `relay` come from it alone, each as (host, port).
    """

    programs: Mapping[str, Program]
    registries: Mapping[str, Registry]
    agreements: Mapping[str, Agreement]
    calendars: Mapping[str, Calendar]
    suffixes: Suffixes
    lists: TargetLists
    registry_of: Mapping[str, str]
    overlay: str | None = None
    name_servers: Mapping[str, Sequence[tuple[str, int]]] | None = None
    site: tuple[str, int] | None = None
    relay: tuple[str, int] | None = None

    def registry_for(self, tld: str) -> Registry | None:
        """Who operates a top-level domain (A-label); None when nobody is known to."""
        registry_id = self.registry_of.get(tld)
        return None if registry_id is None else self.registries[registry_id]

    def agreement_for(self, program_id: str, registry_id: str, tld: str) -> Agreement | None:
        """The agreement that speaks of names under `tld`; None when there is none, or it leaves `tld` out."""
        agreement = self.agreements.get(f"{program_id}.{registry_id}")
        return agreement if agreement is not None and tld in agreement.tlds else None

    def rdap_base(self, tld: str) -> str | None:
        """The registry's RDAP base, ending in a slash; None when it has none, or an overlay names none."""
        registry = self.registry_for(tld)
        return None if registry is None else registry.rdap.get(tld)

    def parent_servers(self, tld: str) -> Sequence[tuple[str, int]] | None:
        """Servers to ask for the zone `tld`. None: find them by DNS. Empty: none may be asked, under an overlay."""
        return None if self.name_servers is None else self.name_servers.get(tld, ())
