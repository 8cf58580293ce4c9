"""What one look at a name saw: the registry's RDAP, the parent zone's servers, the sample pages. Facts, no
verdict.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from notifier.domain.epoch import Epoch
from notifier.domain.epp import canonical_set
from notifier.domain.panel import Panel
from notifier.errors import Invalid

RegistrationAnswer = Literal["found", "absent", "no_rdap", "inconclusive"]
DelegationAnswer = Literal["delegated", "absent", "residual", "inconclusive"]
ContentAnswer = Literal["served", "gone", "changed", "inconclusive"]
HostingAnswer = Literal["found", "several", "absent", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Registration:
    """What the REGISTRY's RDAP said; never overlaid by the registrar's.

    `absent`: the registry knows no such object. `no_rdap`: there is no server to ask. `statuses` are
    verbatim. `registered_at` is the latest registration, reregistration or reinstantiation event (RFC 9083
    §10.2.3). `registrant_key`: a digest of the registrant's handle at this registry, where that is public and no
    stand-in's; the handle itself is not kept. `registrar_abuse_path` says where the address stood (`registrar>abuse` or `abuse`).
    `retry_after` is in seconds.
    """

    answer: RegistrationAnswer
    statuses: tuple[str, ...] = ()
    handle: str | None = None
    registered_at: datetime | None = None
    expires_at: datetime | None = None
    last_changed_at: datetime | None = None
    registrar_name: str | None = None
    registrar_iana_id: str | None = None
    registrar_abuse_email: str | None = None
    registrar_abuse_path: str | None = None
    nameservers: tuple[str, ...] = ()
    source: str = ""
    detail: str = ""
    retry_after: float | None = None
    registrant_key: str | None = None

    @property
    def epoch(self) -> str | None:
        """Names this registration, and no later one of the same name; None if nothing names it."""
        bound = self._epoch()
        return str(bound) if bound.known else None

    @property
    def canonical_statuses(self) -> frozenset[str]:
        """The statuses in RDAP spelling."""
        return canonical_set(self.statuses)

    def succeeds(self, earlier: "Registration") -> bool:
        """Is this another registration than `earlier`? What either did not say is not held against it."""
        return earlier._epoch().succeeded_by(self._epoch()) if self.answer == earlier.answer == "found" else False

    def _epoch(self) -> Epoch:
        return Epoch(self.handle, self.registered_at) if self.answer == "found" else Epoch()


@dataclass(frozen=True, slots=True)
class Probe:
    """One answer of one server. `result`: delegated, nxdomain, nodata, referral:ZONE, timeout or
    error:REASON.

    `wire` is the raw response in base64, empty where there was none.
    """

    server: str
    result: str
    detail: str = ""
    wire: str = ""


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the parent's servers agree on. `residual`: not delegated, yet something of the name is left.

    `negative_ttl`: for how many seconds resolvers may keep the denial, min(SOA.MINIMUM, SOA's TTL) (RFC 2308 §5);
    None where nothing was denied.
    """

    answer: DelegationAnswer
    nameservers: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    negative_ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What the sample pages answered over every vantage profile.

    `changed`: some are gone, and in place of others stands a text that has nothing in common with them. `cloaked`: one was
    hidden from one visitor and shown to another.
    """

    answer: ContentAnswer
    detail: str = ""
    cloaked: bool = False


@dataclass(frozen=True, slots=True)
class Hosting:
    """In whose network the host's addresses lie, by the RDAP of the regional registries (RFC 9083 §5.4).

    `several`: they lie in networks of more than one holder. `absent`: the name has no address.
    """

    answer: HostingAnswer
    addresses: tuple[str, ...] = ()
    handle: str | None = None
    name: str | None = None
    abuse_email: str | None = None
    abuse_path: str | None = None
    source: str = ""
    detail: str = ""
    retry_after: float | None = None

    @property
    def holder(self) -> tuple[str | None, str | None]:
        """What must be the same for two looks to have found the same host."""
        return self.handle, self.abuse_email


@dataclass(frozen=True, slots=True)
class Look:
    """All that was asked at one business time `at` (aware). `hosting` or `panel` None: nobody asked for it.

    `no_mail`: domains of the contacts found that surely take no mail; who could not be asked is none of them.
    """

    at: datetime
    registration: Registration
    delegation: Delegation
    content: Content | None = None
    hosting: Hosting | None = None
    no_mail: tuple[str, ...] = ()
    panel: Panel | None = None

    @property
    def purged(self) -> bool:
        """Whether registry and zone agree that there is no such name, so that anyone may register it."""
        return self.registration.answer == self.delegation.answer == "absent"

    def to_json(self) -> dict[str, Any]:
        """A plain dict of JSON values, datetimes as RFC 3339 text in UTC; `from_json` gives the same Look
        back.
        """
        return {
            "at": _text(self.at),
            "registration": {
                key: _text(value) if isinstance(value, datetime) else list(value) if key in _LISTS else value
                for key, value in asdict(self.registration).items()
            },
            "delegation": {
                "answer": self.delegation.answer,
                "nameservers": list(self.delegation.nameservers),
                "probes": [asdict(probe) for probe in self.delegation.probes],
                "negative_ttl": self.delegation.negative_ttl,
            },
            "content": None if self.content is None else asdict(self.content),
            "hosting": None
            if self.hosting is None
            else {**asdict(self.hosting), "addresses": list(self.hosting.addresses)},
            "no_mail": list(self.no_mail),
            "panel": None if self.panel is None else self.panel.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Look":
        """Raises Invalid when the dict is not one that `to_json` made."""
        try:
            registration = dict(data["registration"])
            for key in _LISTS:
                registration[key] = tuple(registration[key])
            for key in _TIMES:
                registration[key] = _time(registration[key])
            delegation, content, hosting = data["delegation"], data["content"], data.get("hosting")
            panel = data.get("panel")  # looks of earlier versions have none
            look = cls(
                at=datetime.fromisoformat(data["at"]),
                registration=Registration(**registration),
                delegation=Delegation(
                    answer=delegation["answer"],
                    nameservers=tuple(delegation["nameservers"]),
                    probes=tuple(Probe(**probe) for probe in delegation["probes"]),
                    negative_ttl=delegation.get("negative_ttl"),
                ),
                content=None if content is None else Content(**content),
                hosting=None if hosting is None else Hosting(**{**hosting, "addresses": tuple(hosting["addresses"])}),
                no_mail=tuple(data.get("no_mail", ())),
                panel=None if panel is None else Panel.from_json(panel),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise Invalid(f"not a stored look: {fault!r}") from fault
        known = (
            look.registration.answer in get_args(RegistrationAnswer)
            and look.delegation.answer in get_args(DelegationAnswer)
            and (look.content is None or look.content.answer in get_args(ContentAnswer))
            and (look.hosting is None or look.hosting.answer in get_args(HostingAnswer))
        )
        if not known or look.at.tzinfo is None:
            raise Invalid("not a stored look: unknown answer, or a time without zone")
        return look


_LISTS = ("statuses", "nameservers")
_TIMES = ("registered_at", "expires_at", "last_changed_at")


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
