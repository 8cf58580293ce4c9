"""EPP and RDAP statuses (RFC 5731 §2.3, RFC 3915 §3.1, RFC 8056 §2) and the measures we may ask for.

The spelling of this code base is RDAP's (`server hold`). What a server said is always kept verbatim beside
it.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Measure(StrEnum):
    """What a notice asks for, and what somebody says was done."""

    LOCK = "lock"
    HOLD = "hold"
    DELETE = "delete"
    REDIRECT = "redirect"
    CONTENT_REMOVAL = "content_removal"
    RESTORE = "restore"


_VERBS = ("Delete", "Renew", "Transfer", "Update")

RDAP_OF_EPP: Mapping[str, str] = MappingProxyType(
    {
        "ok": "active",
        "inactive": "inactive",
        "linked": "associated",
        "addPeriod": "add period",
        "autoRenewPeriod": "auto renew period",
        "renewPeriod": "renew period",
        "transferPeriod": "transfer period",
        "redemptionPeriod": "redemption period",
        "clientHold": "client hold",
        "serverHold": "server hold",
        "pendingCreate": "pending create",
        "pendingRestore": "pending restore",
        **{f"pending{verb}": f"pending {verb.lower()}" for verb in _VERBS},
        **{
            f"{side}{verb}Prohibited": f"{side} {verb.lower()} prohibited"
            for side in ("client", "server")
            for verb in _VERBS
        },
    }
)
"""EPP spelling to RDAP spelling, RFC 8056 §2, for domains and their grace periods."""

EPP_OF_RDAP: Mapping[str, str] = MappingProxyType({rdap: epp for epp, rdap in RDAP_OF_EPP.items()})

# RFC 9083 §10.2.2: RDAP's own words. `transfer prohibited` names no side, so it maps to no EPP status
# (RFC 8056 §2).
_RDAP_ONLY = (
    "validated",
    "renew prohibited",
    "update prohibited",
    "transfer prohibited",
    "delete prohibited",
    "proxy",
    "private",
    "removed",
    "obscured",
    "locked",
    "administrative",
    "reserved",
)

LOCK = frozenset({"server transfer prohibited", "server update prohibited", "server delete prohibited"})
"""What a registry lock sets; none of them touches the DNS."""

CLIENT_LOCK = frozenset({"client transfer prohibited", "client update prohibited", "client delete prohibited"})
"""The same by the sponsoring registrar, who may lift them (RFC 5731 §2.3)."""

SERVER_HOLD, CLIENT_HOLD = "server hold", "client hold"
HOLD = frozenset({SERVER_HOLD, CLIENT_HOLD})
"""Delegation must not be published (RFC 5731 §2.3). The status itself names who set it."""

DELETED = frozenset({"redemption period", "pending delete"})
"""A delete was received: restorable first, then waiting for the purge (RFC 3915 §3.1)."""

GRACE = frozenset({"add period", "auto renew period", "renew period", "transfer period"})
"""RGP statuses that stand beside the EPP statuses and say nothing against them."""

PENDING = frozenset({"pending create", *(f"pending {verb.lower()}" for verb in _VERBS)})
"""The transform was accepted and is not complete: never evidence that it was done."""

_MANUAL_IN_ZONE = "servermanualinzone"  # .ee: keeps a held name in the zone


def _squeeze(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).lower()


_BY_SQUEEZED: Mapping[str, str] = MappingProxyType(
    {_squeeze(rdap): rdap for rdap in (*RDAP_OF_EPP.values(), *_RDAP_ONLY)}
    | {_squeeze(epp): rdap for epp, rdap in RDAP_OF_EPP.items()}
)
_ICANN_URL = re.compile(r"[(\[<]?\s*(?:https?://)?(?:www\.)?icann\.org/epp#(\w*)\s*[)\]>]?", re.IGNORECASE)


@lru_cache(maxsize=1024)  # every look of a claim is read again at the next one
def canonical(raw: str) -> str:
    """RDAP spelling of a status in any spelling: EPP, RDAP, WHOIS with or without the icann.org link.

    A value nobody defines, or one whose word and link name different statuses, comes back verbatim.
    """
    words = _BY_SQUEEZED.get(_squeeze(_ICANN_URL.sub(" ", raw)))
    link = _ICANN_URL.search(raw)
    if link is None:
        return words or raw
    linked = _BY_SQUEEZED.get(link[1].lower())
    if _squeeze(_ICANN_URL.sub("", raw)) == "":
        return linked or raw
    return words if words is not None and linked in (words, None) else raw


def canonical_set(statuses: Iterable[str]) -> frozenset[str]:
    """Canonical spellings of many, without repeats."""
    return frozenset(canonical(raw) for raw in statuses)


def contradictions(statuses: Iterable[str]) -> tuple[str, ...]:
    """What cannot be true at once in one domain's statuses (RFC 5731 §2.3, RFC 3915 §3.1), one sentence each.

    Values that are not EPP domain statuses are not judged, but for a registry's own "in zone" beside a hold.
    """
    raw = tuple(statuses)
    have = canonical_set(raw) & set(EPP_OF_RDAP)
    found: list[str] = []
    beside_ok = sorted(have - GRACE - {"active", "associated"})
    if "active" in have and beside_ok:
        found.append(f"ok must stand alone, found with {', '.join(beside_ok)}")
    for verb in (v.lower() for v in _VERBS):
        if f"pending {verb}" in have:
            found += [
                f"pending {verb} excludes {side} {verb} prohibited"
                for side in ("client", "server")
                if f"{side} {verb} prohibited" in have
            ]
    pending = sorted(have & PENDING)
    if len(pending) > 1:
        found.append(f"pending statuses exclude each other: {', '.join(pending)}")
    held = sorted(have & HOLD)
    if held and _MANUAL_IN_ZONE in {_squeeze(status) for status in raw}:
        found.append(f"serverManualInzone keeps in the zone what {', '.join(held)} takes out")
    return tuple(found)
