"""What a simulated party reads out of a notice: which name, which measure, which notice.

It knows only what arrived.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message, MIMEPart
from email.policy import default
from typing import Any

from notifier.domain.epp import Measure

UNDO = frozenset({"withdrawal", "restore"})
FOR_INFORMATION = frozenset({"registrant", "reasons"})

# Only lines that begin so: what is quoted or indented is somebody's words, not the structured block.
_LINE = re.compile(r"^(Domain|Requested action)[ \t]*:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_KEEPS = re.compile(r"^Put back: nothing$", re.MULTILINE)
_BLOCK = re.compile(r"^(Notice|Domain|Requested action|Purpose): (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ask:
    """A notice as understood. `doubt` says why it cannot be acted on; then only a question goes back.

    `notice_id` is empty when the message names none. `key` is the Message-ID, webhook-id or ticket; `reply_to` the
    envelope sender. `keeps`: what was removed stays removed, so that there is nothing to undo.
    """

    notice_id: str
    key: str
    domain: str
    measure: Measure | None
    purpose: str = "request"
    doubt: str = ""
    subject: str = ""
    reply_to: str = ""
    automatic: bool = False
    keeps: bool = False
    raw: bytes = b""

    @property
    def undo(self) -> bool:
        """Whether it asks to take a measure back."""
        return self.purpose in UNDO or self.measure is Measure.RESTORE


def from_mail(raw: bytes, envelope_from: str, words: Mapping[str, Measure]) -> Ask:
    """Read a mail: header `X-Notifier-Notice`, lines `Domain:` and `Requested action:` of the text part,
    XARF beside it."""
    message = message_from_bytes(raw, policy=default)
    body = message.get_body(preferencelist=("plain",))
    found: dict[str, set[str]] = {"domain": set(), "requested action": set()}
    for field, value in _LINE.findall(_text(body)):
        found[field.lower()].add(value.lower())
    domains = {_name(value.split()[0]) for value in found["domain"]}
    measure = _one_measure(found["requested action"], words)
    xarf = next((document for part in message.walk() if (document := _xarf(part)) is not None), None)
    domain = next(iter(domains)) if len(domains) == 1 else ""
    return Ask(
        notice_id=str(message.get("X-Notifier-Notice", "")).strip(),
        key=str(message.get("Message-ID", "")).strip(),
        domain=domain,
        measure=measure,
        purpose=str(message.get("X-Notifier-Purpose", "request")).strip().lower(),
        doubt=_doubt(domain, measure, xarf),
        subject=str(message.get("Subject", "")),
        reply_to=envelope_from,
        automatic=str(message.get("Auto-Submitted", "no")).strip().lower() != "no",
        keeps=_KEEPS.search(_text(body)) is not None,
        raw=raw,
    )


def from_webhook(payload: Mapping[str, Any], key: str, words: Mapping[str, Measure], raw: bytes) -> Ask:
    """Read a webhook payload `{type: notice.<purpose>, timestamp, data: {notice_id, domain, measure, xarf,
    ...}}`."""
    data = payload.get("data")
    data = data if isinstance(data, Mapping) else {}
    asked = {str(value).lower() for field in ("measure", "measure_word") if (value := data.get(field))}
    measure = _one_measure({str(data.get("measure", "")).lower()} - {""} or asked, words)
    domain = _name(str(data.get("domain", "")))
    xarf = data.get("xarf")
    if isinstance(xarf, str):
        xarf = _json(xarf.encode())
    purpose = str(data.get("purpose") or str(payload.get("type", "")).removeprefix("notice."))
    return Ask(
        notice_id=str(data.get("notice_id", "")),
        key=key,
        domain=domain,
        measure=measure,
        purpose=purpose.lower(),
        doubt=_doubt(domain, measure, xarf if isinstance(xarf, Mapping) else None),
        subject=str(data.get("subject", "")),
        raw=raw,
    )


def from_form(fields: Mapping[str, str], words: Mapping[str, Measure]) -> Ask:
    """Read what somebody copied into a form, by our names for its fields. Which notice it is, its text alone tells.

    A form has no room for an XARF document, so the text's own block is held against the fields instead.
    """
    text = fields.get("text", "").replace("\r\n", "\n")
    block: dict[str, set[str]] = {}
    for field, value in _BLOCK.findall(text.rpartition("--- structured ---")[2]):
        block.setdefault(field, set()).add(value)
    told = {field: values.pop() for field, values in block.items() if len(values) == 1}
    domain = _name(fields.get("domain", ""))
    measure = _one_measure({fields.get("measure_word", "").strip().lower()}, words)
    doubt = _doubt(domain, measure, {"source_identifier": told.get("Domain", "")})
    if not doubt and told.get("Requested action") != measure:
        doubt = f"the form asks for {measure}, its text for {told.get('Requested action', 'nothing')}"
    return Ask(
        notice_id=told.get("Notice", ""),
        key="",
        domain=domain,
        measure=measure,
        purpose=told.get("Purpose", "request").lower(),
        doubt=doubt,
        raw=json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace"),
    )


def _doubt(domain: str, measure: Measure | None, xarf: Mapping[str, Any] | None) -> str:
    if not domain:
        return "the notice does not name one domain by its A-label"
    if measure is None:
        return "the notice does not name one measure that we know"
    if xarf is None:
        return "the notice carries no XARF document"
    source = str(xarf.get("source_identifier", "")).rstrip(".").lower()
    if source != domain and not source.endswith(f".{domain}"):
        return f"the text names {domain}, the XARF document names {source or 'nothing'}"
    return ""


def _one_measure(values: set[str], words: Mapping[str, Measure]) -> Measure | None:
    """The one measure that all values mean: the party's own word, our plain one, or either as the first
    word of the line."""
    own = {word.lower(): measure for word, measure in words.items()} | {str(m): m for m in Measure}
    meant = {own.get(value) or own.get(re.split(r"[\s(,;.]", value, maxsplit=1)[0]) for value in values}
    return meant.pop() if len(meant) == 1 else None


def _name(value: str) -> str:
    """An A-label as compared here; empty when it is none."""
    plain = value.strip().rstrip(".").lower()
    return plain if plain.isascii() else ""


def _text(part: MIMEPart | None) -> str:
    try:
        content = part.get_content() if part is not None else ""
    except (LookupError, ValueError):
        return ""  # An unknown charset or transfer encoding: nothing can be read, so a doubt follows.
    return content.replace("\r\n", "\n") if isinstance(content, str) else ""


def _xarf(part: Message) -> Mapping[str, Any] | None:
    if part.get_content_type() not in ("application/json", "application/xarf+json"):
        return None
    payload = part.get_payload(decode=True)
    document = _json(payload) if isinstance(payload, bytes) else None
    return document if document is not None and "xarf_version" in document else None


def _json(raw: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(raw)
    except ValueError:
        return None
    return document if isinstance(document, Mapping) else None
