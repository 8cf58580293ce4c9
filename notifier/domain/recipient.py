"""Who is written to at a step of the ladder, and how that is known; or why nobody is. Pure.

A contact comes from the registry's own data about this name and this address, from an agreement that names the party, or
from a person. Nothing is guessed: no `abuse@` put before a name, no security.txt (RFC 9116 §1), no registrant's privacy
service, no registry of numbers, no address of a role that is not abuse.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from notifier.domain.look import Hosting, Look
from notifier.domain.names import Suffixes, parse
from notifier.domain.rule import Recipient
from notifier.domain.safety import Safety, Target, TargetLists, assess
from notifier.errors import Invalid, Refused

# Mailboxes of people who run networks, zones and mail (RFC 2142 §4, §5, §7); they are no desk for abuse of a site.
_OTHER_DESKS = frozenset(
    {
        "noc",
        "hostmaster",
        "dns",
        "dnsadmin",
        "dns-admin",
        "postmaster",
        "peering",
        "noc-peering",
        "security",
        "webmaster",
    }
)
_MAILBOX = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_PRIVACY = re.compile(
    r"whoisguard|privacyprotect|domainsbyproxy|contactprivacy|whoisprivacy|withheldforprivacy|proxy|anonymi[sz]e"
)
_FICTITIOUS = frozenset({"example", "test"})
_PLACEHOLDERS = frozenset({"undefined", "null", "none", "nan", "unknown", "n-a", "na", "example", "test", "invalid"})


@dataclass(frozen=True, slots=True)
class Found:
    """A party and its mailbox: `path` is where in the answer it stood, `source` who gave it and when, `at`.

    `id` is by what the party is known again; `address` is empty when its agreement's channel has its own.
    """

    party: Recipient
    id: str
    name: str
    address: str
    path: str
    source: str
    at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "party": str(self.party), "at": self.at and self.at.astimezone(UTC).isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Found":
        """What `to_json` made."""
        at = datetime.fromisoformat(data["at"]) if data["at"] else None
        return cls(**{**data, "party": Recipient(data["party"]), "at": at})


@dataclass(frozen=True, slots=True)
class Nobody:
    """No contact, and why, as a sentence for the person who looks for one. `id`: the party, if that much is known."""

    why: str
    id: str = ""
    name: str = ""


def registrar(look: Look) -> Found | Nobody:
    """The registrar of record and its abuse contact, as the registry's RDAP names them (RFC 7485, gTLD profile)."""
    seen = look.registration
    if seen.answer != "found":
        why = {
            "absent": "the registry knows no such name",
            "no_rdap": "the registry has no RDAP to ask for the registrar",
        }
        return Nobody(why.get(seen.answer, f"the registry's RDAP did not tell who the registrar is ({seen.detail})"))
    name = seen.registrar_name or (f"registrar {seen.registrar_iana_id}" if seen.registrar_iana_id else "")
    if not name:
        return Nobody("the registry's RDAP names no registrar")
    known_as = f"registrar-{seen.registrar_iana_id or _slug(name)}"
    if seen.registrar_abuse_email is None:
        return Nobody(f"the registry's RDAP has no abuse contact of {name}", known_as, name)
    path = seen.registrar_abuse_path or ""
    return Found(Recipient.REGISTRAR, known_as, name, seen.registrar_abuse_email, path, seen.source, look.at)


def host(look: Look) -> Found | Nobody:
    """Who holds the network that the name's addresses lie in, and its abuse contact."""
    seen = look.hosting
    if seen is None:
        return Nobody("nobody has looked yet who hosts it")
    if seen.answer != "found":
        return Nobody(_no_host(seen))
    name = seen.name or seen.handle or ""
    known_as = f"host-{_slug(seen.handle or name)}"
    if seen.abuse_email is None:
        return Nobody(f"the network {name} at {', '.join(seen.addresses)} has no abuse contact", known_as, name)
    return Found(Recipient.HOST, known_as, name, seen.abuse_email, seen.abuse_path or "", seen.source, look.at)


def _no_host(seen: Hosting) -> str:
    if seen.answer == "absent":
        return "the name has no address, so nobody hosts it"
    return f"who hosts it is not known: {seen.detail}"


def mailbox(text: str) -> str:
    """A mailbox that a person typed, whole. Raises Invalid."""
    text = text.strip().removeprefix("mailto:")
    if _MAILBOX.fullmatch(text) is None:
        raise Invalid("address: expected one mailbox, such as abuse@host.example")
    return text


def barred(
    address: str, target: Target, lists: TargetLists, suffixes: Suffixes, *, fictitious: bool = False
) -> str | None:
    """Why a mailbox from a look-up is not written to by a machine; None if it may be.

    `fictitious`: everybody is simulated, and so names kept for examples (RFC 2606, RFC 6761) are as good as any.
    """
    local, _, domain = address.lower().rpartition("@")
    labels = domain.split(".")
    if len(labels) < 2 or not local:
        return f"{address} is no mailbox"
    if labels[0] in _PLACEHOLDERS or local in _PLACEHOLDERS:
        return f"{address} is a placeholder"
    if local.partition("+")[0] in _OTHER_DESKS:
        return f"{address} is the desk of a network or zone, not one for abuse"
    if _PRIVACY.search(domain) or _PRIVACY.search(local):
        return f"{address} is a privacy service"
    if fictitious and labels[-1] in _FICTITIOUS:
        return None
    try:
        name = parse(domain, suffixes)
    except Refused as refused:
        return f"{address} is no mailbox: {refused.detail}"
    if name.registrable == target.registrable:
        return f"{address} belongs to the reported name itself"
    if assess(name, lists).safety is Safety.REFUSE:
        return f"{address} is of a registry or of an authority, which does not host"
    return None


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "unnamed"
