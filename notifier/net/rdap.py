"""RDAP (RFC 7480, 9082, 9083): a tolerant reader and a client that asks the registry, and only the registry.

Names are asked of the registry of their zone, addresses of the regional registry whose network they lie in.

Links to the registrar's RDAP are never followed: a registrar's view laid over the registry's would hide a
`server hold`. Nothing is kept between lookups. An answer not surely about the asked name is inconclusive.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import aiohttp
import idna

from notifier.domain.look import Hosting, Registration
from notifier.errors import Invalid
from notifier.net.safe_http import BodyTooLarge, BodyUnreadable, read_capped, retry_after

T = TypeVar("T", Registration, Hosting)

MAX_BODY: Final = 2 * 1024 * 1024
MAX_DEPTH: Final = 4  # entity inside entity; the gTLD profile needs two
MAX_TEXT: Final = 500
RATE_LIMITED: Final = "rdap_rate_limited"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_A_LABEL: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})+")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}"
)
_HIDDEN: Final = re.compile(
    r"redact|privacy|private|proxy|whois ?guard|withheld|not disclosed|anonym|protect", re.IGNORECASE
)
_REGISTERED: Final = ("registration", "reregistration", "reinstantiation")


def read_domain(document: bytes | Mapping[str, Any], name: str, *, source: str = "") -> Registration:
    """Read a 200 answer about `name` (A-label). Pure, never raises: what cannot be read is `inconclusive`.

    `detail` is then `rdap_malformed: ...` (not an RDAP domain) or `rdap_wrong_object: ...` (another name).
    """
    parsed = _json_object(document) if isinstance(document, bytes) else document
    if parsed is None:
        return _inconclusive("rdap_malformed: the body is not a JSON object", source)
    kind = _text(parsed.get("objectClassName"))
    if kind is not None and kind.lower() != "domain":
        return _inconclusive(f"rdap_wrong_object: asked for a domain, got {kind[:MAX_TEXT]}", source)
    given = _text(parsed.get("ldhName")) or _text(parsed.get("unicodeName"))
    if given is None:
        return _inconclusive("rdap_malformed: the object names no domain", source)
    if not _same_name(given, name):
        return _inconclusive(f"rdap_wrong_object: asked for {name}, got {given[:MAX_TEXT]}", source)
    registrar = _first_with_role(parsed, "registrar")
    email, path = _abuse(parsed, registrar)
    return Registration(
        answer="found",
        statuses=tuple(_texts(parsed.get("status"))),
        handle=_text(parsed.get("handle")),
        registered_at=_event(parsed, *_REGISTERED),
        expires_at=_event(parsed, "expiration"),
        last_changed_at=_event(parsed, "last changed"),
        registrar_name=None if registrar is None else _registrar_name(registrar),
        registrar_iana_id=None if registrar is None else _iana_id(registrar),
        registrar_abuse_email=email,
        registrar_abuse_path=path,
        nameservers=_nameservers(parsed),
        source=source,
        registrant_key=_registrant_key(parsed, source),
    )


def read_network(document: bytes, address: str, *, source: str = "") -> Hosting:
    """Read a 200 answer about an address. Pure, never raises; a network that does not hold the address is none of its."""
    parsed, ip = _json_object(document), ipaddress.ip_address(address)
    if parsed is None:
        return _untold(Hosting, "rdap_malformed: the body is not a JSON object", source)
    kind = _text(parsed.get("objectClassName")) or ""
    if kind.lower() != "ip network":
        return _untold(Hosting, f"rdap_wrong_object: asked for a network, got {kind[:MAX_TEXT]}", source)
    try:
        first, last = (ipaddress.ip_address(_text(parsed.get(key)) or "") for key in ("startAddress", "endAddress"))
        holds = first.version == last.version == ip.version and int(first) <= int(ip) <= int(last)
    except ValueError:
        return _untold(Hosting, "rdap_malformed: the network has no first and last address", source)
    if not holds:
        return _untold(Hosting, f"rdap_wrong_object: {first} to {last} does not hold {ip}", source)
    holder = _first_with_role(parsed, "registrant")
    own = [("abuse", e) for e in _objects(parsed.get("entities")) if _has_role(e, "abuse")]
    nested = [] if holder is None else [("registrant>abuse", e) for e in _below(holder) if _has_role(e, "abuse")]
    email, path = _first_address([*own, *nested])  # the network's own is nearer to it than its holder's
    name = _registrar_name(holder) if holder else None
    return Hosting(
        "found",
        (address,),
        _text(parsed.get("handle")) or f"{first}-{last}",
        (name or _text(parsed.get("name")) or "")[:MAX_TEXT] or None,
        email,
        path,
        source,
    )


class RdapClient:
    """Asks registries. `base_for` gives a TLD's RDAP base URL, or None where the registry has no RDAP; `networks` is
    where addresses are asked about, at a regional registry that knows where the others are; None: nowhere."""

    def __init__(
        self, session: aiohttp.ClientSession, base_for: Callable[[str], str | None], networks: str | None = None
    ) -> None:
        self._session, self._base_for, self._networks = session, base_for, networks

    async def domain(self, a_label: str) -> Registration:
        """One lookup, at most one redirect, no retry. Raises only Invalid, for a name that is no A-label.

        Inconclusive answers carry a code first in `detail`: rdap_timeout, rdap_unreachable, rdap_too_large,
        rdap_malformed, rdap_wrong_object, rdap_redirect, rdap_rate_limited, rdap_http_NNN.
        """
        name = a_label.lower()
        if not _A_LABEL.fullmatch(name):
            raise Invalid(f"{a_label[:80]!r} is not a domain name in A-label form")
        base = self._base_for(name.rsplit(".", 1)[1])
        if base is None:
            return Registration("no_rdap", detail="the TLD has no RDAP server")
        url = f"{base if base.endswith('/') else base + '/'}domain/{name}"
        return await self._answer(url, Registration, lambda body, at: read_domain(body, name, source=at))

    async def network(self, address: str) -> Hosting:
        """Whose network an address lies in; as `domain` otherwise. Raises ValueError for what is no address."""
        ip = ipaddress.ip_address(address)
        if self._networks is None:
            return _untold(Hosting, "nobody is configured to be asked about addresses", "")
        url = f"{self._networks if self._networks.endswith('/') else self._networks + '/'}ip/{ip}"
        return await self._answer(url, Hosting, lambda body, at: read_network(body, str(ip), source=at))

    async def _answer(self, url: str, kind: type[T], read: Callable[[bytes, str], T]) -> T:
        try:
            answer = await self._ask(url, kind, read)
            if isinstance(answer, str):
                answer = await self._ask(answer, kind, read)
        except TimeoutError:
            return _untold(kind, "rdap_timeout", url)
        except BodyTooLarge:
            return _untold(kind, f"rdap_too_large: over {MAX_BODY} bytes", url)
        except BodyUnreadable as fault:
            return _untold(kind, f"rdap_malformed: {fault}", url)
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            return _untold(kind, f"rdap_unreachable: {type(fault).__name__}", url)
        return _untold(kind, "rdap_redirect: more than one", url) if isinstance(answer, str) else answer

    async def _ask(self, url: str, kind: type[T], read: Callable[[bytes, str], T]) -> T | str:
        """What was read, or the URL that a redirect points to (RFC 7480 §5.2)."""
        headers = {"Accept": "application/rdap+json"}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308):
                target = urljoin(url, response.headers.get("Location", ""))
                schemes = urlsplit(url).scheme, urlsplit(target).scheme
                if target == url or schemes not in _REDIRECTS:
                    return _untold(kind, f"rdap_redirect: {response.status} not followed", url)
                return target
            if response.status in (429, 503):
                code = RATE_LIMITED if response.status == 429 else "rdap_http_503"
                return _untold(kind, code, url, retry_after(response))
            if response.status not in (200, 404):
                return _untold(kind, f"rdap_http_{response.status}", url)
            body = await read_capped(response, MAX_BODY)
            if response.status == 200:
                return read(body, url)
            return _read_absence(kind, body, response.content_type, url)


_REDIRECTS: Final = {("https", "https"), ("http", "http"), ("http", "https")}


def _read_absence(kind: type[T], body: bytes, media_type: str, source: str) -> T:
    """A 404 is "no such object" from an RDAP server alone (RFC 7480 §5.3); any web server says 404."""
    parsed = _json_object(body)
    speaks_rdap = media_type == "application/rdap+json"
    if parsed is None and not (speaks_rdap and not body.strip()):
        return _untold(kind, "rdap_malformed: 404 without an RDAP error", source)
    error: Mapping[str, Any] = parsed or {}
    if not speaks_rdap and not error.keys() & {"errorCode", "rdapConformance", "description"}:
        return _untold(kind, "rdap_malformed: 404 without an RDAP error", source)
    if str(error.get("errorCode") or 404) != "404":
        return _untold(kind, "rdap_malformed: 404 whose body has another error code", source)
    words = [*_texts(error.get("title")), *_texts(error.get("description"))]
    return kind("absent", source=source, detail="; ".join(words)[:MAX_TEXT])


def _untold(kind: type[T], detail: str, source: str, wait: float | None = None) -> T:
    return kind("inconclusive", source=source, detail=detail, retry_after=wait)


def _inconclusive(detail: str, source: str) -> Registration:
    return _untold(Registration, detail, source)


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        parsed = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(value: object) -> str | None:
    """A non-empty text or number as text; else None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _texts(value: object) -> list[str]:
    """Every text in a list, or the one text standing where a list belongs; only outer blanks go."""
    items = value if isinstance(value, list) else [value]
    return [text for text in map(_text, items) if text is not None]


def _objects(value: object) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _same_name(given: str, asked: str) -> bool:
    given, asked = given.rstrip(".").lower(), asked.rstrip(".").lower()
    if given.isascii():
        return given == asked
    try:
        return idna.encode(given, uts46=True).decode("ascii") == asked
    except UnicodeError:
        return False


def _event(document: Mapping[str, Any], *actions: str) -> datetime | None:
    """The latest event of these kinds, in UTC. A date without zone or out of range is none (RFC 3339)."""
    found = []
    for event in _objects(document.get("events")):
        if (_text(event.get("eventAction")) or "").lower() in actions:
            try:
                at = datetime.fromisoformat(_text(event.get("eventDate")) or "")
                found.append(at.astimezone(UTC) if at.tzinfo is not None else None)
            except (ValueError, OverflowError):
                continue
    return max((at for at in found if at is not None), default=None)


def _nameservers(document: Mapping[str, Any]) -> tuple[str, ...]:
    servers = document.get("nameservers")
    items = servers if isinstance(servers, list) else [servers]
    names = [_text(item.get("ldhName") if isinstance(item, dict) else item) for item in items]
    return tuple(sorted({name.rstrip(".").lower() for name in names if name is not None}))


def _has_role(entity: Mapping[str, Any], role: str) -> bool:
    return role in {text.lower() for text in _texts(entity.get("roles"))}


def _first_with_role(document: Mapping[str, Any], role: str) -> Mapping[str, Any] | None:
    return next((e for e in _objects(document.get("entities")) if _has_role(e, role)), None)


def _below(entity: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Entities under this one, nearest first, no deeper than MAX_DEPTH."""
    level = [entity]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _objects(parent.get("entities"))]
        yield from level


def _abuse(document: Mapping[str, Any], registrar: Mapping[str, Any] | None) -> tuple[str | None, str | None]:
    """(address, path): the registrar's abuse contact, else the object's own; no other parent's."""
    nested = [] if registrar is None else [("registrar>abuse", e) for e in _below(registrar) if _has_role(e, "abuse")]
    top = [("abuse", e) for e in _objects(document.get("entities")) if _has_role(e, "abuse")]
    return _first_address([*nested, *top])


def _first_address(entities: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[str | None, str | None]:
    """The first mailbox among entities, and the path of the one that has it."""
    for path, entity in entities:
        if (email := next(_emails(entity), None)) is not None:
            return email, path
    return None, None


def _properties(entity: Mapping[str, Any], name: str) -> Iterator[object]:
    """Values of one jCard property (RFC 7095 §3.3), however broken its neighbours are."""
    card = entity.get("vcardArray")
    rows = card[1] if isinstance(card, list) and len(card) > 1 and isinstance(card[1], list) else []
    for row in rows:
        if isinstance(row, list) and len(row) > 3 and (_text(row[0]) or "").lower() == name:
            yield from row[3:]


def _emails(entity: Mapping[str, Any]) -> Iterator[str]:
    for value in _properties(entity, "email"):
        for text in _texts(value):
            if text.lower().startswith("mailto:"):
                text = unquote(text[len("mailto:") :].split("?", 1)[0]).strip()
            if _ADDRESS.fullmatch(text):
                yield text


def _registrant_key(document: Mapping[str, Any], source: str) -> str | None:
    """Which registrant of this registry it is, told by a digest; None where that is hidden, or a proxy stands in.

    A document that names anything redacted (RFC 9537) may have put one handle in place of all.
    """
    registrant = _first_with_role(document, "registrant")
    handle = None if registrant is None else _text(registrant.get("handle"))
    host = urlsplit(source).hostname
    if registrant is None or handle is None or host is None or document.get("redacted"):
        return None
    words = [
        text for name in ("fn", "org", "email") for value in _properties(registrant, name) for text in _texts(value)
    ]
    notes = [
        text for r in _objects(registrant.get("remarks")) for text in _texts(r.get("title")) + _texts(r.get("type"))
    ]
    if any(_HIDDEN.search(text) for text in (handle, *words, *notes)):
        return None
    return hashlib.sha256(f"{host}/{handle}".encode()).hexdigest()


def _registrar_name(registrar: Mapping[str, Any]) -> str | None:
    names = [text for key in ("fn", "org") for value in _properties(registrar, key) for text in _texts(value)]
    return names[0] if names else None


def _iana_id(registrar: Mapping[str, Any]) -> str | None:
    for public in _objects(registrar.get("publicIds")):
        if "iana" in (_text(public.get("type")) or "").lower():
            return _text(public.get("identifier"))
    return None
