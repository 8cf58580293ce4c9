"""Notices: facts in, a complete RenderedNotice out. The same facts give the same bytes.

Every string of a report is hostile. On output it is put on one line, or quoted line by line, without control
characters, with hidden characters shown and URLs defanged; data is never read as template syntax. Only what
is marked `ours` (our addresses, our text) is shown as it is.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from notifier.adapter import RenderedNotice
from notifier.domain import xarf
from notifier.domain.epp import Measure
from notifier.domain.hostile import defang, lines, one_line, spelled
from notifier.errors import Invalid
from notifier.notice_facts import (
    Ask,
    Authority,
    Contact,
    Law,
    NamedDomain,
    NoticeFacts,
    Product,
    Recipient,
    Signal,
    Statement,
    Threshold,
    Us,
)
from notifier.translations import ENGLISH, words_for_templates

__all__ = [
    "Ask",
    "Authority",
    "Contact",
    "Law",
    "NamedDomain",
    "NoticeFacts",
    "Product",
    "Recipient",
    "Renderer",
    "Signal",
    "Statement",
    "Threshold",
    "Us",
    "content_digest",
]

MAX_SUBJECT = 240
PURPOSES = frozenset({"request", "reminder", "escalation", "amendment", "withdrawal", "restore"})
_UNDOING = frozenset({"withdrawal", "restore"})
_WITH_AN_END = frozenset({Measure.HOLD, Measure.CONTENT_REMOVAL})
# A token travels in an address's local part, which gateways may put into lower case.
_TOKEN = re.compile(r"[a-z0-9]{10,64}")
_HOLDING_WORD = re.compile(r"hold|suspen|delet|remov|disab|take.?down", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a measure means and does not mean, and the EPP statuses that a registry or registrar would set."""

    does: str
    not_requested: str
    registry: str
    registrar: str


_MEANINGS: Mapping[Measure, _Meaning] = {
    Measure.LOCK: _Meaning(
        "the registration can no longer be transferred, changed or deleted; the name stays in the zone",
        "that the name stops resolving, or that the registration ends",
        "serverTransferProhibited, serverUpdateProhibited, serverDeleteProhibited",
        "clientTransferProhibited, clientUpdateProhibited, clientDeleteProhibited",
    ),
    Measure.HOLD: _Meaning(
        "the name is taken out of the zone and stops resolving; the registration stays as it is",
        "deletion, transfer or redirection of the name",
        "serverHold",
        "clientHold",
    ),
    Measure.DELETE: _Meaning(
        "the registration ends and goes through the redemption period",
        "transfer or redirection of the name",
        "redemptionPeriod",
        "redemptionPeriod",
    ),
    Measure.REDIRECT: _Meaning(
        "the name is delegated to the name servers agreed beforehand",
        "deletion of the name",
        "none",
        "none",
    ),
    Measure.CONTENT_REMOVAL: _Meaning(
        "the content named below is removed at the host",
        "any act on the domain name",
        "none",
        "none",
    ),
    Measure.RESTORE: _Meaning(
        "what was done to the name at our request is undone; if nothing was done, nothing is to be done",
        "any restriction of the name",
        "none",
        "none",
    ),
}


class _Block(str):
    """Text that is finished: quoted line by line, or ours."""

    __slots__ = ()


def _finish(value: object) -> object:
    """What `{{ }}` puts out. Anything that is not finished is treated as hostile."""
    if isinstance(value, (_Block, Markup)):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return defang(one_line(str(value)))


def _told(text: str, values: Mapping[str, Any]) -> _Block:
    """A sentence of ours, with each value made safe as `{{ }}` makes it."""
    return _Block(text % {name: _finish(value) for name, value in values.items()})


def _quoted(text: str, mark: str = "  | ") -> _Block:
    """Hostile text of several lines, each behind `mark`, so that none can pass for a line of ours."""
    shown = (lambda line: line) if isinstance(text, _Block) else defang  # what is finished was made safe already
    return _Block("\n".join((mark + shown(line)).rstrip() for line in lines(text)))


def _ours(text: str) -> _Block:
    """Text from our own configuration, on one line, shown as it is."""
    return _Block(one_line(text))


def content_digest(notice: RenderedNotice) -> str:
    """sha256 hex over the RFC 8785 form of every field but `digest`; files and XARF count by sha256."""
    content: dict[str, Any] = {field.name: getattr(notice, field.name) for field in fields(notice)}
    del content["digest"]
    content["measure"] = notice.measure.value
    content["issued_at"] = notice.issued_at.astimezone(UTC).isoformat()
    if notice.until is None:  # a field that came later: what was approved before it keeps its digest
        del content["until"]
    else:
        content["until"] = notice.until.astimezone(UTC).isoformat()
    content["xarf"] = hashlib.sha256(notice.xarf).hexdigest()
    content["attachments"] = [
        {"filename": file.filename, "media_type": file.media_type, "sha256": file.sha256} for file in notice.attachments
    ]
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


class Renderer:
    """Renders the templates below `folder`/notices. A missing template or fact is an error, never a gap."""

    def __init__(self, folder: Path) -> None:
        self._text = _environment(folder / "notices", autoescape=False)
        self._html = _environment(folder / "notices", autoescape=True)
        self._mail = _environment(folder / "mail", autoescape=False)

    def notice(self, facts: NoticeFacts) -> RenderedNotice:
        """The complete notice, with digest. Raises Invalid when the facts contradict each other."""
        _check(facts)
        meaning = _MEANINGS[facts.ask.measure]
        names = {
            **{field.name: getattr(facts, field.name) for field in fields(facts)},
            "meaning": meaning,
            "epp": _epp(facts),
            "spelled": spelled(facts.domain.a_label, facts.domain.unicode),
        }
        if not facts.registrant_text:
            said = [
                self._render(self._text, facts, "registrant.txt", {**names, "lang": language}).strip()
                for language in (ENGLISH, *facts.registrant_languages)
            ]
            names["registrant_text"] = _Block("\n\n".join(said))
        document = xarf.build(
            report_id=facts.xarf_id,
            timestamp=facts.issued_at,
            kind=xarf.kind_of(facts.category),
            reporter=_party(facts.us),
            sender=_party(facts.us),
            a_label=facts.domain.a_label,
            urls=facts.urls,
            description=facts.description,
            tags=(*facts.tags, f"program:{facts.program}", f"request:{facts.ask.measure}", *_until_tag(facts)),
            works=facts.works,
            evidence=facts.evidence,
            registrar=facts.domain.registrar,
        )
        draft: dict[str, Any] = {
            "notice_id": facts.notice_id,
            "case_ref": facts.case_ref,
            "version": facts.version,
            "purpose": facts.purpose,
            "agreement_id": facts.recipient.agreement_id,
            "recipient_name": one_line(facts.recipient.name, 200),
            "recipient_address": facts.recipient.address,
            "domain": facts.domain.a_label,
            "measure": facts.ask.measure,
            "measure_word": one_line(facts.ask.word, 100),
            "subject": self._subject(facts, names),
            "text": self._render(self._text, facts, f"{facts.purpose}.txt", names),
            "html": self._render(self._html, facts, f"{facts.purpose}.html", names),
            "xarf": rfc8785.dumps(document),
            "attachments": tuple(facts.attachments),
            "reply_token": facts.reply_token,
            "issued_at": facts.issued_at,
            "thread_key": facts.thread_key,
            "until": facts.until,
        }
        unsigned = RenderedNotice(**draft, digest="")
        return RenderedNotice(**draft, digest=content_digest(unsigned))

    def reasons(self, fields: Mapping[str, object], language: str = ENGLISH) -> str:
        """A statement of reasons in plain words."""
        return self._text.get_template("base/reasons.txt").render({**fields, "lang": language}).strip()

    def mail(self, name: str, facts: Mapping[str, object]) -> tuple[str, str]:
        """Subject and text of a message that is no notice: `folder`/mail/`name`."""
        subject = self._mail.get_template(f"{name}.subject").render(facts)
        return one_line(subject, MAX_SUBJECT), self._mail.get_template(f"{name}.txt").render(facts)

    def _render(self, env: SandboxedEnvironment, facts: NoticeFacts, file: str, names: Mapping[str, Any]) -> str:
        places = [f"{place}/{file}" for place in (facts.templates, "base")]
        return env.select_template(places).render(names)

    def _subject(self, facts: NoticeFacts, names: Mapping[str, Any]) -> str:
        tail = f" [ref:{facts.reply_token}]"
        head = f"Hold until {facts.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC: " if facts.until else ""
        words = self._render(self._text, facts, f"{facts.purpose}.subject", names)
        return head + one_line(words, MAX_SUBJECT - len(head) - len(tail)) + tail


@cache
def _environment(folder: Path, *, autoescape: bool) -> SandboxedEnvironment:
    """One for a folder, so that its templates are compiled once."""
    env = SandboxedEnvironment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=autoescape,
        finalize=_finish,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.newstyle_gettext = True  # type: ignore[attr-defined]
    env.globals |= words_for_templates(_told)
    env.filters |= {"quoted": _quoted, "ours": _ours}
    return env


def _check(facts: NoticeFacts) -> None:
    if facts.purpose not in PURPOSES:
        raise Invalid(f"purpose: {facts.purpose} has no notice template, expected {', '.join(sorted(PURPOSES))}")
    if (facts.ask.measure is Measure.RESTORE) != (facts.purpose in _UNDOING):
        raise Invalid("measure: restore is asked by a withdrawal or restore notice, and by no other")
    if facts.ask.measure is Measure.LOCK and _HOLDING_WORD.search(facts.ask.word):
        raise Invalid(f"measure: the word for a lock reads {facts.ask.word!r}, which asks for more than a lock")
    if facts.until is not None and facts.ask.measure not in _WITH_AN_END:
        raise Invalid(
            f"until: {facts.ask.measure} has no end; it is asked for until an instant by hold and content_removal"
        )
    if _TOKEN.fullmatch(facts.reply_token) is None:
        raise Invalid("reply_token: expected 10 to 64 characters of a-z and 0-9")


def _until_tag(facts: NoticeFacts) -> tuple[str, ...]:
    return (f"hold_until:{facts.until.astimezone(UTC):%Y%m%dT%H%M%SZ}",) if facts.until else ()


def _epp(facts: NoticeFacts) -> str:
    meaning = _MEANINGS[facts.ask.measure]
    side = "registrar" if facts.recipient.role == "registrar" else "registry"
    if facts.ask.measure is Measure.RESTORE and facts.ask.undo_of is not None:
        undone: str = getattr(_MEANINGS[facts.ask.undo_of], side)
        return "none" if undone == "none" else f"without {undone}"
    return meaning.registrar if side == "registrar" else meaning.registry


def _party(us: Us) -> xarf.Party:
    return xarf.Party(us.organisation, us.contact, us.domain)
