"""What the catalog holds: who the registries are, what was agreed with them, and what is loaded beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal

from notifier.adapter import AgreementChannel, Waits
from notifier.catalog.reading import digest
from notifier.domain.blast import Thresholds
from notifier.domain.calendar import Calendar, Wait
from notifier.domain.epp import Measure
from notifier.domain.live_events import LiveEvent
from notifier.domain.moments import Moments
from notifier.domain.names import Suffixes
from notifier.domain.pace import Pace
from notifier.domain.polling import Polling
from notifier.domain.program import Program
from notifier.domain.rule import Recipient
from notifier.domain.safety import TargetLists

Commitment = Literal["none", "agreed"]


@dataclass(frozen=True, slots=True)
class Registry:
    """An operator and its top-level domains, all as A-labels.

    `rdap`, `abuse_email`, `abuse_form`, `abuse_api` are by top-level domain; one that is missing is not known.
    They are the public abuse channel, never that of an agreement. `verbs` has the operator's own word for a
    measure, `verb_notes` what the word means there. `rdap_per_hour`: how often its RDAP may be asked; None: not agreed.
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
    rdap_per_hour: int | None = None

    @property
    def digest(self) -> str:
        """Over all that is said here; made when it is asked for, since there are hundreds and few are asked about."""
        return digest({field.name: getattr(self, field.name) for field in fields(self)})


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
    """What a program and a recipient agreed. Whether it is armed is not here: that is two admins' act.

    `registry` is the recipient's id: a registry's, or that of a registrar or host, as `party` says. Of these one
    agreement may be for anybody that is found (`registrar`, `host`); one for a single party names it by its IANA ids or
    its networks, and goes before.
    `adapter` None: no channel is known, so nothing can be sent. `tlds`: the top-level domains it speaks of.
    `measures`: the recipient's own word for each measure it takes. `batch`: when requests leave, None: at once.
    `daily`: when it gets a list of what is open in place of reminders (the key `digest` of its file). `digest` covers
    channel and scope, so that a changed agreement is no longer the one that was armed.
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
    pace: Pace = field(default_factory=Pace)
    party: Recipient = Recipient.REGISTRY
    iana_ids: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    reminders: bool = False
    polling: Polling = field(default_factory=Polling)
    batch: Moments | None = None
    daily: Moments | None = None

    @property
    def for_anybody(self) -> bool:
        """Whether it is for whoever a look-up finds, so that its notices go where that one is reached."""
        return self.party is not Recipient.REGISTRY and not self.iana_ids and not self.networks

    @property
    def recipient_address(self) -> str:
        """The mailbox, URL, form or postal address that a notice is addressed to; empty without one."""
        address = self.address
        place = address.get("to") or address.get("url") or address.get("form")
        return str(place or ", ".join(map(str, address.get("postal") or ())))

    @property
    def channel(self) -> AgreementChannel | None:
        """What the adapter is built from; None without one."""
        if self.adapter is None:
            return None
        return AgreementChannel(self.id, self.adapter, self.address, self.recipient_name, self.measures)

    @property
    def channel_digest(self) -> str:
        """Of adapter and address alone."""
        return digest({"adapter": self.adapter, "address": self.address})

    def with_channel(self, adapter: str, address: Mapping[str, Any], version: int) -> "Agreement":
        """The same with another channel. Its digest is another one, also where a later version repeats an earlier."""
        made = replace(self, adapter=adapter, address=address)
        whole = {"file": self.digest, "channel": made.channel_digest, "version": version}
        return replace(made, digest=digest(whole))


@dataclass(frozen=True, slots=True)
class SurveyPlaces:
    """Who is asked how much hangs on a name, URLs with `{name}` in them; None: nobody."""

    certificates: str | None = None
    dependents: str | None = None
    popularity: str | None = None
    resolver: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that is configured, checked and frozen.

    `overlay` is the id of the overlay that replaced every channel, RDAP base and name server, None without one.
    `name_servers`, `site` and `relay` come from it alone, each as (host, port), and so do `survey` and `rdap_networks`,
    where addresses are asked about, and other `waits` than the usual. `looks_per_hour`: what was agreed, by RDAP server
    (host and port); the least of what the registries behind one agreed.
    """

    programs: Mapping[str, Program]
    registries: Mapping[str, Registry]
    agreements: Mapping[str, Agreement]
    calendars: Mapping[str, Calendar]
    suffixes: Suffixes
    lists: TargetLists
    thresholds: Thresholds
    registry_of: Mapping[str, str]
    events: Mapping[str, LiveEvent] = field(default_factory=dict)
    overlay: str | None = None
    name_servers: Mapping[str, Sequence[tuple[str, int]]] | None = None
    site: tuple[str, int] | None = None
    relay: tuple[str, int] | None = None
    survey: SurveyPlaces | None = None
    rdap_networks: str | None = None
    waits: Waits = field(default_factory=Waits)
    looks_per_hour: Mapping[str, int] = field(default_factory=dict)

    def registry_for(self, tld: str) -> Registry | None:
        """Who operates a top-level domain (A-label); None when nobody is known to."""
        registry_id = self.registry_of.get(tld)
        return None if registry_id is None else self.registries[registry_id]

    def events_of(self, program_id: str) -> tuple[LiveEvent, ...]:
        """The live events registered for a program, in the order in which they begin."""
        found = (event for event in self.events.values() if event.program == program_id)
        return tuple(sorted(found, key=lambda event: (event.starts, event.id)))

    def agreement_for(self, program_id: str, registry_id: str, tld: str) -> Agreement | None:
        """The agreement that speaks of names under `tld`; None when there is none, or it leaves `tld` out."""
        agreement = self.agreements.get(f"{program_id}.{registry_id}")
        return agreement if agreement is not None and tld in agreement.tlds else None

    def agreement_with(
        self,
        program_id: str,
        party: Recipient,
        iana_id: str | None = None,
        addresses: Sequence[IPv4Address | IPv6Address] = (),
    ) -> Agreement | None:
        """A registrar's or host's: one that names it goes before the one for anybody; None when there is neither."""
        ours = [a for a in self.agreements.values() if a.program == program_id and a.party is party]
        for agreement in ours:
            at_home = bool(addresses) and all(any(ip in net for net in agreement.networks) for ip in addresses)
            if iana_id in agreement.iana_ids or at_home:
                return agreement
        return next((agreement for agreement in ours if agreement.for_anybody), None)

    def rdap_base(self, tld: str) -> str | None:
        """The registry's RDAP base, ending in a slash; None when it has none, or an overlay names none."""
        registry = self.registry_for(tld)
        return None if registry is None else registry.rdap.get(tld)

    def parent_servers(self, tld: str) -> Sequence[tuple[str, int]] | None:
        """Servers to ask for the zone `tld`. None: find them by DNS. Empty: none may be asked, under an overlay."""
        return None if self.name_servers is None else self.name_servers.get(tld, ())
