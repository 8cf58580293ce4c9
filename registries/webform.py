"""Notices to a web form, which a person fills in: most registries take public reports only so.

Channel address: `form`, its https address (http on this machine only); `fields`, a table in the form's own order: its
label = one of FIELDS, or `{ text = "..." }` for words that are always the same; `max_chars`, the longest text that the
form takes, as browsers count it; `within`, how soon it is to be done (`24h` without it); `secret`, the name of a secret, if
the recipient answers by signed webhooks.

Nothing is sent from here. A text that does not fit is refused, never cut.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from notifier.adapter import (
    AgreementChannel,
    Attachment,
    Capabilities,
    Deferred,
    Deps,
    FormField,
    Identity,
    Inbound,
    Problem,
    Receipt,
    RefusedForGood,
    RenderedNotice,
    Response,
    Uncertain,
)
from notifier.domain.hostile import lines, one_line
from notifier.errors import Invalid
from registries import mail_reply, webhook
from registries.attempt import carried_within, known_keys, vet
from registries.http_post import ask
from registries.mail_message import reply_address

FIELDS = frozenset(
    {
        *("domain", "url", "subject", "text", "measure", "measure_word", "purpose", "case_ref", "notice_id", "digest"),
        *("issued_at", "recipient_name", "organisation", "contact", "reply_address"),
    }
)
FORM_TEXT, NOTICE_TEXT, XARF = "form.txt", "notice.txt", "xarf.json"
_KEYS = frozenset({"form", "fields", "max_chars", "within", "secret"})
_WITHOUT_FIELDS: Mapping[str, Any] = {"Domain name": "domain", "Subject": "subject", "Description": "text"}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_INDENT = "    "
_REFUSAL = "a person fills in this form"


@dataclass(frozen=True, slots=True)
class _Place:
    """One field of the form; `name` is one of FIELDS, or empty for the fixed `text`."""

    label: str
    name: str
    text: str = ""


class WebformAdapter:
    """One recipient's form."""

    def __init__(self, channel: AgreementChannel, deps: Deps) -> None:
        self._channel, self._deps = channel, deps
        known_keys(channel, _KEYS)
        self.place, self.within = _form(channel), carried_within(channel)
        self._places = _places(channel)
        self._max_chars, self._secret = _max_chars(channel), channel.address.get("secret")
        if self._secret is not None and not (isinstance(self._secret, str) and self._secret):
            raise Invalid(f"{channel.id}: address.secret: expected the name of a secret")
        measures = frozenset(channel.measures) or Capabilities().measures
        self.capabilities = Capabilities(measures=measures, attended=True)

    async def check(self) -> list[Problem]:
        """Whether the form can be fetched, and answers could be believed; sends nothing."""
        if self._secret is not None and not self._deps.secret(self._secret):
            return [Problem(f"the secret {self._secret} is not set", "one in the settings, or no `secret` here")]
        try:
            answer = await ask(self._deps, "GET", self.place)
        except (Deferred, RefusedForGood, Uncertain) as failure:
            return [Problem(failure.reason, f"a form at {one_line(self.place, 200)}")]
        if not 200 <= answer.status < 300:  # a form that has moved is another form: a person must look
            return [Problem(f"HTTP {answer.status}", f"a form at {one_line(self.place, 200)}")]
        return []

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        raise RefusedForGood(_REFUSAL)

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        raise RefusedForGood(_REFUSAL)

    async def poll(self, receipt: Receipt) -> Response | None:
        """A form cannot be asked."""
        return None

    def parse_reply(self, message: Inbound) -> Response | None:
        """A signed webhook is read as for `webhook`, and mail as for `smtp`, though the notice went by a form."""
        if message.channel == "webhook":
            return webhook.answer_of(message)
        return mail_reply.parse(message, self._deps.identity)

    def fields(self, notice: RenderedNotice) -> Sequence[FormField]:
        """Label and value of every field. Raises RefusedForGood for what must not leave so, or does not fit."""
        vet(notice, self._channel, self.place)
        if self._max_chars is not None and (length := _length(notice.text)) > self._max_chars:
            raise RefusedForGood(f"the text has {length} characters and the form takes {self._max_chars}")
        known = _known(notice, self._deps.identity)
        return [FormField(p.label, p.name, known[p.name] if p.name else p.text) for p in self._places]

    def material(self, notice: RenderedNotice) -> Sequence[Attachment]:
        """The form's fields to copy from, the notice's exact text, its XARF and its files. Raises as `fields`."""
        filled = self.fields(notice)
        return (
            _file(FORM_TEXT, "text/plain", _copy_text(self.place, notice, filled).encode()),
            _file(NOTICE_TEXT, "text/plain", notice.text.encode()),
            _file(XARF, "application/json", notice.xarf),
            *notice.attachments,
        )


def _known(notice: RenderedNotice, identity: Identity) -> Mapping[str, str]:
    """Every name of FIELDS. Only `text` has more than one line; a field that this notice lacks is empty."""
    document = json.loads(notice.xarf)
    plain = {
        **{name: getattr(notice, name) for name in ("domain", "subject", "measure_word", "purpose", "case_ref")},
        **{name: getattr(notice, name) for name in ("notice_id", "digest", "recipient_name")},
        "url": str(document.get("url") or document.get("infringing_url") or ""),
        "measure": notice.measure.value,
        "issued_at": notice.issued_at.isoformat(),
        "organisation": identity.organisation,
        "contact": identity.mail_from,
        "reply_address": reply_address(notice.reply_token, identity),
    }
    return {**{name: one_line(value) for name, value in plain.items()}, "text": notice.text}


def _copy_text(form: str, notice: RenderedNotice, filled: Sequence[FormField]) -> str:
    """What a person copies from. A label stands at the edge, a value behind a margin on every line: no value looks like
    a label, whatever it says."""
    told = [
        f"Form: {form}",
        f"Notice: {notice.notice_id}",
        f"SHA-256 of the notice: {notice.digest}",
        "Copy each value into the field of the same name, as it stands and whole.",
    ]
    for number, field in enumerate(filled, 1):
        value = [f"(everything in {NOTICE_TEXT})"] if field.name == "text" else lines(field.value)
        told += ["", f"{number}. {field.label}", *(f"{_INDENT}{line}" for line in value)]
    return "\n".join(told) + "\n"


def _length(text: str) -> int:
    """As a browser's `maxlength` counts: UTF-16 code units, a line break as one (HTML, form control `maxlength`)."""
    return len(text.replace("\r\n", "\n").encode("utf-16-le", "surrogatepass")) // 2


def _file(name: str, media_type: str, content: bytes) -> Attachment:
    return Attachment(name, media_type, content, hashlib.sha256(content).hexdigest())


# --- the address --------------------------------------------------------------------------------------------------


def _form(channel: AgreementChannel) -> str:
    form = channel.address.get("form")
    try:
        parts = urlsplit(form) if isinstance(form, str) and form.isprintable() and " " not in form else None
    except ValueError:
        parts = None
    usable = parts is not None and bool(parts.hostname) and "@" not in parts.netloc
    if (
        parts is None
        or not usable
        or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))
    ):
        raise Invalid(f"{channel.id}: address.form: expected the form's https address")
    return str(form)


def _places(channel: AgreementChannel) -> tuple[_Place, ...]:
    table = channel.address.get("fields", _WITHOUT_FIELDS)
    if not isinstance(table, Mapping) or not table:
        raise Invalid(f"{channel.id}: address.fields: expected a table, the form's label = what goes there")
    places = tuple(_place(channel, label, wanted) for label, wanted in table.items())
    for needed in ("domain", "text"):
        if needed not in {place.name for place in places}:
            raise Invalid(f"{channel.id}: address.fields: no field for {needed}")
    return places


def _place(channel: AgreementChannel, label: Any, wanted: Any) -> _Place:
    if not isinstance(label, str) or label != one_line(label, 200) or not label:
        raise Invalid(f"{channel.id}: address.fields: {str(label)[:60]!r}: expected a label on one line")
    if isinstance(wanted, str) and wanted in FIELDS:
        return _Place(label, wanted)
    fixed = wanted.get("text") if isinstance(wanted, Mapping) and set(wanted) == {"text"} else None
    if isinstance(fixed, str) and fixed and fixed == one_line(fixed, 500):
        return _Place(label, "", fixed)
    expected = f"one of {', '.join(sorted(FIELDS))}, or {{ text = words on one line }}"
    raise Invalid(f"{channel.id}: address.fields.{label}: expected {expected}")


def _max_chars(channel: AgreementChannel) -> int | None:
    most = channel.address.get("max_chars")
    if most is not None and (type(most) is not int or not 1 <= most <= 10_000_000):
        raise Invalid(f"{channel.id}: address.max_chars: expected a number of characters")
    return most


def build(channel: AgreementChannel, deps: Deps) -> WebformAdapter:
    """The adapter for one agreement. Raises Invalid when the address cannot be used."""
    return WebformAdapter(channel, deps)
