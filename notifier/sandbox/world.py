"""The registrations behind the simulated registries: what is registered, by whom, with which statuses,
since when.

Everything about a name follows from the seed and the name, so two runs, and two processes, see the same
world. Statuses are kept in EPP spelling (RFC 5731 §2.3, RFC 3915 §3.1). Every change keeps the version
before it: a server that lags reads an older version.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.errors import Invalid

# Young enough that age alone asks for nobody's second look.
FIRST_REGISTRATION = datetime(2021, 3, 1, tzinfo=UTC)
REGISTRATION_SPAN = timedelta(days=1600)

SERVER_LOCK = ("serverTransferProhibited", "serverUpdateProhibited", "serverDeleteProhibited")
SERVER_HOLD = ("serverHold", "serverTransferProhibited", "serverUpdateProhibited")
CLIENT_HOLD = ("clientHold", "clientTransferProhibited")
CLIENT_LOCK = ("clientTransferProhibited", "clientUpdateProhibited", "clientDeleteProhibited")
DELETED = ("pendingDelete", "redemptionPeriod")
REDEMPTION, PENDING_DELETE = timedelta(days=30), timedelta(days=5)  # under generic top-level domains
SEIZED_NAMESERVERS = ("ns1.seized.example", "ns2.seized.example")

_BASELINES: tuple[tuple[str, ...], ...] = (
    ("ok",),
    ("clientTransferProhibited",),
    ("clientTransferProhibited",),
    ("clientDeleteProhibited", "clientTransferProhibited", "clientUpdateProhibited"),
)


@dataclass(frozen=True, slots=True)
class Registrar:
    """A simulated registrar; its IANA id lies far above every assigned one."""

    name: str
    iana_id: str
    abuse_email: str


REGISTRARS: tuple[Registrar, ...] = tuple(
    Registrar(f"Simulated Registrar {word}", str(990001 + number), f"abuse@registrar-{word.lower()}.example")
    for number, word in enumerate(("One", "Two", "Three", "Four", "Five", "Six"))
)


@dataclass(frozen=True, slots=True)
class Host:
    """A simulated host and its network, which only this machine has."""

    name: str
    handle: str
    network: str
    abuse_email: str


HOSTS: tuple[Host, ...] = tuple(
    Host(f"Simulated Host {word}", f"NET-SBX-{number}", f"127.1.{number}.0/24", f"abuse@host-{word.lower()}.example")
    for number, word in enumerate(("Alpha", "Beta", "Gamma"), 1)
)


class Content(StrEnum):
    """Whether the host still serves what was reported."""

    SERVED = "served"
    REMOVED = "removed"


class Act(StrEnum):
    """What can happen to a registration, by hand of a registry, registrar, host or time itself.

    LEAKY_HOLD: with no prohibition beside it. GLUE_HOLD: a host record stays in the zone. HOLD_IN_RDAP: the zone still
    delegates. HOLD_IN_ZONE: RDAP does not show it. RESTORE: all is as it was; LIFT: but for what a host does; PUT_BACK: that
    alone. END_REDEMPTION: a deleted name can no longer be restored.
    """

    LOCK = "lock"
    HOLD = "hold"
    DELETE = "delete"
    REDIRECT = "redirect"
    CLIENT_LOCK = "client_lock"
    CLIENT_HOLD = "client_hold"
    LEAKY_HOLD = "leaky_hold"
    GLUE_HOLD = "glue_hold"
    HOLD_IN_RDAP = "hold_in_rdap"
    HOLD_IN_ZONE = "hold_in_zone"
    REMOVE_CONTENT = "remove_content"
    RESTORE = "restore"
    LIFT = "lift"
    PUT_BACK = "put_back"
    UNDELEGATE = "undelegate"
    TRANSFER = "transfer"
    END_REDEMPTION = "end_redemption"
    PURGE = "purge"
    REREGISTER = "reregister"


@dataclass(frozen=True, slots=True)
class Registration:
    """One version of a registration. `delegated`: published in the parent zone. `residual_glue`: a host
    record stays there when the delegation goes. `registered` is False once it was purged."""

    a_label: str
    zone: str
    handle: str
    registrar: Registrar
    registered_at: datetime
    expires_at: datetime
    last_changed_at: datetime
    statuses: tuple[str, ...]
    delegated: bool
    nameservers: tuple[str, ...]
    content: Content = Content.SERVED
    residual_glue: bool = False
    registered: bool = True

    @property
    def address(self) -> str:
        """Where its site is said to be: in the network of one of the simulated hosts."""
        number = int(hashlib.sha256(self.handle.encode()).hexdigest(), 16)
        return HOSTS[number % len(HOSTS)].network.replace("0/24", "10")


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a name's history: when, which act (or `created`), by whom, and the version it left."""

    at: datetime
    act: str
    by: str
    after: Registration


class World:
    """Registrations by A-label.

    `names` are registered from the start. With `register_all` any name asked for under a known zone is
    registered at that moment, one label below the longest of `zones`; without `zones` every top-level
    domain is known then. `base` is the time after which everything expires, no earlier than a year later.
    `residual_glue` lists names that leave glue behind, `registered_at` dates that are not drawn.
    """

    def __init__(
        self,
        seed: str,
        *,
        names: Iterable[str] = (),
        zones: Iterable[str] = (),
        register_all: bool = False,
        residual_glue: Iterable[str] = (),
        registered_at: Mapping[str, datetime] | None = None,
        base: datetime = datetime(2029, 1, 1, tzinfo=UTC),
    ) -> None:
        self.seed, self.register_all, self.base = seed, register_all, base
        self._glue = frozenset(_a_label(name) for name in residual_glue)
        self._since = {_a_label(name): at for name, at in (registered_at or {}).items()}
        self._changes: dict[str, list[Change]] = {}
        self._zones = {_a_label(zone) for zone in zones}
        self._open = register_all and not self._zones
        for name in names:
            self.register(name)

    def register(self, name: str) -> Registration:
        """Put a registrable name in the world; its parent and its top-level domain become known zones."""
        a_label = _a_label(name)
        zone = a_label.partition(".")[2]
        if not zone:
            raise Invalid(f"{name!r} is not below any zone", code="invalid_name")
        self._zones |= {zone, a_label.rpartition(".")[2]}
        return self._created(a_label, zone)

    def zone_of(self, host: str) -> str | None:
        """The longest known zone at or above a host; None when this world does not serve its top-level
        domain."""
        labels = host.split(".")
        for start in range(len(labels)):
            if (zone := ".".join(labels[start:])) in self._zones:
                return zone
        return labels[-1] if self._open and labels[-1] else None

    def find(self, host: str, when: datetime | None = None) -> Registration | None:
        """The registration at or above a host, as it stands or as it stood at `when`; None when there is
        none."""
        host = host.rstrip(".").lower()
        zone = self.zone_of(host)
        if zone is None or host == zone:
            return None
        a_label = ".".join(host.split(".")[-zone.count(".") - 2 :])
        if a_label not in self._changes:
            if not self.register_all:
                return None
            self._created(a_label, zone)
        found = self._version(a_label, when)
        return found if found is not None and found.registered else None

    def names(self) -> Sequence[str]:
        """Every name that ever was registered here."""
        return tuple(self._changes)

    def history(self, name: str) -> Sequence[Change]:
        """What happened to a name, oldest first, beginning with `created`."""
        return tuple(self._changes.get(_a_label(name), ()))

    def acts(self) -> Iterator[Change]:
        """What really happened to every name after its first registration, name by name."""
        for changes in self._changes.values():
            yield from changes[1:]

    def do(self, act: Act, name: str, at: datetime, by: str) -> Registration:
        """Let an act happen; an act that changes nothing leaves no line.

        Raises Invalid for a name that is not here.
        """
        now = self.find(name) if act is not Act.REREGISTER else self._version(_a_label(name), None)
        if now is None:
            raise Invalid(f"{name!r} is not registered", code="not_registered")
        fields = self._fields(act, now, at)
        changed = {field for field, value in fields.items() if getattr(now, field) != value}
        if not changed:
            return now
        # What a host does is none of the registry's business: its object did not change.
        touched = {} if changed == {"content"} else {"last_changed_at": at}
        after = replace(now, **(touched | fields))
        self._changes[now.a_label].append(Change(at, act, by, after))
        return after

    def _fields(self, act: Act, now: Registration, at: datetime) -> dict[str, Any]:
        match act:
            case Act.LOCK:
                return {"statuses": _with(now.statuses, SERVER_LOCK)}
            case Act.HOLD:
                return {"statuses": _with(now.statuses, SERVER_HOLD), "delegated": False}
            case Act.DELETE:
                # RFC 5731 §2.3: pendingDelete and *DeleteProhibited exclude each other.
                kept = tuple(s for s in now.statuses if not s.endswith("DeleteProhibited"))
                return {"statuses": _with(kept, DELETED), "delegated": False}
            case Act.REDIRECT:
                locks = SERVER_LOCK + CLIENT_LOCK
                return {"statuses": _with(now.statuses, locks), "nameservers": SEIZED_NAMESERVERS}
            case Act.CLIENT_LOCK:
                return {"statuses": _with(now.statuses, CLIENT_LOCK)}
            case Act.CLIENT_HOLD:
                return {"statuses": _with(now.statuses, CLIENT_HOLD), "delegated": False}
            case Act.LEAKY_HOLD:
                return {"statuses": _with(now.statuses, SERVER_HOLD[:1]), "delegated": False}
            case Act.GLUE_HOLD:
                return {"statuses": _with(now.statuses, SERVER_HOLD), "delegated": False, "residual_glue": True}
            case Act.HOLD_IN_RDAP:
                return {"statuses": _with(now.statuses, SERVER_HOLD)}
            case Act.HOLD_IN_ZONE:
                return {"delegated": False}
            case Act.REMOVE_CONTENT:
                return {"content": Content.REMOVED}
            case Act.RESTORE | Act.LIFT | Act.PUT_BACK:
                first = next(c.after for c in self._changes[now.a_label] if c.after.handle == now.handle)
                of_registry = ("statuses", "delegated", "nameservers", "residual_glue")
                kept = {Act.LIFT: of_registry, Act.PUT_BACK: ("content",)}.get(act, (*of_registry, "content"))
                return {field: getattr(first, field) for field in kept}
            case Act.UNDELEGATE:
                return {"delegated": False}
            case Act.TRANSFER:
                others = [registrar for registrar in REGISTRARS if registrar != now.registrar]
                freed = tuple(s for s in now.statuses if not s.startswith("client")) or ("ok",)
                held = "serverHold" in freed or "pendingDelete" in freed
                registrar = others[self._number(now.handle, "transfer") % len(others)]
                return {"registrar": registrar, "statuses": freed, "delegated": not held}
            case Act.END_REDEMPTION:
                return {"statuses": tuple(status for status in now.statuses if status != DELETED[1])}
            case Act.PURGE:
                return {"registered": False, "delegated": False}
            case Act.REREGISTER:
                generation = sum(c.act == Act.REREGISTER for c in self._changes[now.a_label]) + 1
                fresh = self._drawn(now.a_label, now.zone, generation)
                times = {"registered_at": at, "last_changed_at": at, "expires_at": at + timedelta(days=365)}
                return {field: getattr(fresh, field) for field in fresh.__slots__} | times

    def _created(self, a_label: str, zone: str) -> Registration:
        if a_label not in self._changes:
            drawn = self._drawn(a_label, zone, 0)
            self._changes[a_label] = [Change(drawn.registered_at, "created", "registrant", drawn)]
        return self._changes[a_label][-1].after

    def _drawn(self, a_label: str, zone: str, generation: int) -> Registration:
        number = self._number(a_label, str(generation))
        seconds = number % int(REGISTRATION_SPAN.total_seconds())
        registered_at = self._since.get(a_label, FIRST_REGISTRATION + timedelta(seconds=seconds))
        expires_at = registered_at
        while expires_at < self.base + timedelta(days=365):
            expires_at += timedelta(days=365)
        glue = a_label in self._glue
        hosts = a_label if glue else f"hosting-{number % 7}.example"
        return Registration(
            a_label=a_label,
            zone=zone,
            handle=f"D{number:016X}-SBX",
            registrar=REGISTRARS[number // 7 % len(REGISTRARS)],
            registered_at=registered_at,
            expires_at=expires_at,
            last_changed_at=registered_at,
            statuses=_BASELINES[number // 49 % len(_BASELINES)],
            delegated=True,
            nameservers=(f"ns1.{hosts}", f"ns2.{hosts}"),
            residual_glue=glue,
        )

    def _version(self, a_label: str, when: datetime | None) -> Registration | None:
        changes = self._changes.get(a_label, [])
        count = len(changes) if when is None else bisect_right(changes, when, key=lambda change: change.at)
        return changes[count - 1].after if count else None

    def _number(self, *parts: str) -> int:
        return int.from_bytes(hashlib.sha256("\0".join((self.seed, *parts)).encode()).digest()[:8])


def _with(statuses: Sequence[str], added: Iterable[str]) -> tuple[str, ...]:
    """A status set with more in it; `ok` stands alone (RFC 5731 §2.3)."""
    return tuple(sorted({*statuses, *added} - {"ok"}))


def _a_label(name: str) -> str:
    plain = name.strip().rstrip(".").lower()
    if not plain or not plain.isascii():
        raise Invalid(f"{name!r} is not an A-label", code="invalid_name")
    return plain
