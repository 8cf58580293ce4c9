"""A case as a XARF v4 document, one for each name (XARF: one incident, one report).

Source: xarf-spec 4.2.0. It has no pharmacy type, so a pharmacy is `content/fraud` with `fraud_type` other
and tags of our namespace `pharmacy:`. Its pattern for `domain` refuses every A-label and IDN TLD, so such a
name stands in `source_identifier` alone.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import UUID

import idna
import rfc8785

from notifier.domain.hostile import one_line

VERSION = "4.2.0"
MAX_DESCRIPTION, MAX_TAGS, MAX_EVIDENCE = 1000, 20, 50

_DOMAIN = re.compile(r"^([a-z0-9]+(-[a-z0-9]+)*\.)+[a-z]{2,}$")
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
_PCHAR = "/%:@!$&'()*+,;=~-._"
_COPYRIGHT = frozenset({"copyright", "piracy", "live-event", "live_event"})
_WORK_CATEGORY: Mapping[str, str] = {
    "film": "movie",
    "movie": "movie",
    "tv": "tv_show",
    "series": "tv_show",
    "music": "music",
    "book": "ebook",
    "ebook": "ebook",
    "audiobook": "audiobook",
    "software": "software",
    "game": "game",
}


class Kind(StrEnum):
    """Which XARF type tells the case: a site of links, a site of copies, or a shop for medicines."""

    LINK_SITE = "link_site"
    COPYRIGHT = "copyright"
    FRAUD = "fraud"


def kind_of(category: str) -> Kind:
    """The XARF type for a program's category: copyright is a link site, all else fraud of type other."""
    return Kind.LINK_SITE if category in _COPYRIGHT else Kind.FRAUD


@dataclass(frozen=True, slots=True)
class Party:
    """Who reports or sends: organisation (200 characters at most), mail address, own domain."""

    org: str
    contact: str
    domain: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the evidence index; `sha256` is lower-case hex of the kept file, None without a file."""

    kind: str
    at: datetime
    url: str | None = None
    vantage: str = ""
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A work that was copied; `kind` is film, tv, music, book, audiobook, software, game or another word."""

    title: str
    kind: str
    rights_holder: str = ""


def build(
    *,
    report_id: UUID,
    timestamp: datetime,
    kind: Kind,
    reporter: Party,
    sender: Party,
    a_label: str,
    urls: Sequence[str],
    description: str,
    tags: Sequence[str] = (),
    works: Sequence[Work] = (),
    evidence: Sequence[Item] = (),
    registrar: str | None = None,
    nameservers: Sequence[str] = (),
    verified_at: datetime | None = None,
) -> dict[str, Any]:
    """The document as a JSON-able dict, valid in lax mode.

    `tags` are `namespace:value` or bare words, which go under `pharmacy:` or `copyright:`. An evidence item's
    payload is its index entry in RFC 8785 form; the files travel as attachments, named there by sha256.
    """
    fraud = kind is Kind.FRAUD
    url = _first_url(urls) or f"http://{a_label}/"
    document: dict[str, Any] = {
        "xarf_version": VERSION,
        "report_id": str(report_id),
        "timestamp": _stamp(timestamp),
        "reporter": _party(reporter),
        "sender": _party(sender),
        "source_identifier": a_label,
        "category": "content" if fraud else "copyright",
        "type": kind.value,
        "description": one_line(description, MAX_DESCRIPTION),
        "tags": _tags(tags, "pharmacy" if fraud else "copyright"),
        "evidence": [_evidence(item) for item in evidence[:MAX_EVIDENCE]],
    }
    if fraud:
        document |= {"url": url, "fraud_type": "other", "verification_method": "manual"}
        if _DOMAIN.match(a_label):
            document["domain"] = a_label
        if registrar:
            document["registrar"] = one_line(registrar, 200)
        if nameservers:
            document["nameservers"] = [one_line(name, 253) for name in nameservers]
        if verified_at is not None:
            document["verified_at"] = _stamp(verified_at)
        return document
    document["infringing_url"] = url
    if kind is Kind.LINK_SITE:
        document |= {"site_name": one_line(a_label, 200), "evidence_source": "rights_holder"}
    if works:
        document["work_title"] = one_line(works[0].title, 500)
        if works[0].rights_holder:
            document["rights_holder"] = one_line(works[0].rights_holder, 200)
        if kind is Kind.LINK_SITE:
            document["work_category"] = _WORK_CATEGORY.get(works[0].kind, "other")
    return document


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _party(party: Party) -> dict[str, str]:
    org, contact, domain = one_line(party.org, 200), one_line(party.contact), one_line(party.domain)
    return {"org": org, "contact": contact, "domain": domain}


def _tags(tags: Sequence[str], namespace: str) -> list[str]:
    """Tags of the form the core schema asks for; what has nothing left after cleaning is dropped."""
    made: dict[str, None] = {}
    for tag in tags:
        space, colon, value = tag.partition(":")
        if not colon:
            space, value = namespace, tag
        parts = [re.sub(r"[^a-z0-9_+]+", "-", part.lower()).strip("-_+") for part in (space, value)]
        if all(parts):
            made[":".join(parts)] = None
    return list(made)[:MAX_TAGS]


def _evidence(item: Item) -> dict[str, Any]:
    entry = {"kind": one_line(item.kind), "at": _stamp(item.at), "vantage": one_line(item.vantage, 300)}
    entry |= {"url": one_line(item.url)} if item.url else {}
    entry |= {"sha256": item.sha256} if item.sha256 else {}
    payload = rfc8785.dumps(entry)
    return {
        "content_type": "application/json",
        "description": one_line(f"{item.kind} {item.url or ''}", 500),
        "payload": base64.b64encode(payload).decode("ascii"),
        "hash": f"sha256:{hashlib.sha256(payload).hexdigest()}",
        "size": len(payload),
    }


def _first_url(urls: Sequence[str]) -> str | None:
    """The first http(s) URL in ASCII form (RFC 3986): A-label host, everything else percent-encoded."""
    for raw in urls:
        text = one_line(raw).replace(" ", "%20")
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
            if parts.scheme not in ("http", "https") or not host:
                continue
            if not host.isascii():
                host = idna.encode(host, uts46=True).decode("ascii")
            host = quote(host, safe="[]:")
            netloc = f"[{host}]" if ":" in host else host
            if parts.port is not None:
                netloc = f"{netloc}:{parts.port}"
        except ValueError:
            continue
        path, query = (_BARE_PERCENT.sub("%25", part) for part in (parts.path, parts.query))
        path, query = quote(path, safe=_PCHAR), quote(query, safe=_PCHAR + "?")
        return urlunsplit((parts.scheme, netloc, path or "/", query, ""))
    return None
