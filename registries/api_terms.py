"""What an agreement says of a desk's JSON API: its `[address]`, checked, with every fault at once.

Paths are names joined by dots; a number is a place in a list: `reports.0.domain`. `where` and `refused_where` name a
path in the desk's answer and the values that it must have there.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from notifier.adapter import AgreementChannel
from notifier.domain.answer import Actor, DeclineReason, Kind
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from registries.api_fields import FILE_FIELDS, OUR_FIELDS, XARF, Scalar, planted

_NEEDED = ("domain", "text")
_PRINTABLE = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"
_SAID = {"missing": "is missing", "extra_forbidden": "is not known"}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise ValueError("expected an https URL")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("expected https: the token must not travel in the clear")
    return value


def _ticket_url(value: str) -> str:
    if value.count("{reference}") != 1 or "{" in value.replace("{reference}", "") or "{" in urlsplit(value).netloc:
        raise ValueError("expected a URL with {reference} once, behind the host")
    return _url(value)


def _path(value: str) -> str:
    if any(not part for part in value.split(".")):
        raise ValueError("expected names joined by dots")
    return value


Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, AfterValidator(_url)]
TicketUrl = Annotated[str, AfterValidator(_ticket_url)]
Path = Annotated[str, AfterValidator(_path)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
HeaderValue = Annotated[str, Field(pattern=_PRINTABLE)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Files(_Table):
    """Where the notice's files go: a list at `list`, each an object of `fields` (theirs = ours)."""

    list: Path
    fields: Annotated[dict[Path, Text], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> "Files":
        if unknown := sorted(set(self.fields.values()) - FILE_FIELDS):
            raise ValueError(f"fields: {unknown[0]} is no field of a file, expected {', '.join(sorted(FILE_FIELDS))}")
        if "content" not in self.fields.values():
            raise ValueError("fields: leave out content")
        planted(dict.fromkeys(self.fields, "x"))
        return self


class Accepted(_Table):
    """What an answer must be for the notice to be accepted. Whatever is named here must hold.

    `repeated`: how the desk answers a key whose report it has taken before; its answer may have no ticket id.
    """

    status: list[Annotated[int, Field(ge=200, le=299)]] | None = None
    where: dict[Path, list[Scalar]] = {}
    refused_where: dict[Path, list[Scalar]] = {}
    reference: Path | None = None
    repeated: list[Annotated[int, Field(ge=400, le=499)]] = []

    @model_validator(mode="after")
    def _says_something(self) -> "Accepted":
        if not (self.status or self.where or self.reference):
            raise ValueError("expected status, where or reference: any page at all may answer 200")
        return self


class State(_Table):
    """What one of the desk's states means in our words."""

    kind: Kind
    measure: Measure | None = None
    actor: Actor | None = None
    reason: DeclineReason | None = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        """A kind alone may stand for the table; a measure comes as its word."""
        value = {"kind": value} if isinstance(value, str) else value
        if isinstance(value, Mapping) and value.get("measure") in tuple(Measure):
            return {**value, "measure": Measure(value["measure"])}
        return value

    @model_validator(mode="after")
    def _whole(self) -> "State":
        if self.kind == "action_taken" and self.measure is None:
            raise ValueError("expected the measure that was taken beside action_taken")
        if self.kind == "declined" and self.reason is None:
            raise ValueError("expected the reason beside declined")
        return self


class Poll(_Table):
    """How the desk is asked. `states` false: still open, nothing was answered."""

    url: TicketUrl
    state: Path
    states: Annotated[dict[Text, State | Literal[False]], Field(min_length=1)]
    comment: Path | None = None
    effective_at: Path | None = None


class Withdraw(_Table):
    url: TicketUrl
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"


class Terms(_Table):
    url: Url
    method: Literal["POST", "PUT"] = "POST"
    token: Text
    auth_header: HeaderName = "Authorization"
    auth_prefix: Annotated[str, Field(pattern=r"^[\x20-\x7e]*$")] = "Bearer "
    idempotency_header: HeaderName | None = None
    headers: dict[HeaderName, HeaderValue] = {}
    check_url: Url | None = None
    fields: dict[Path, Text]
    constants: dict[Path, JsonValue] = {}
    files: Files | Literal["not taken"]
    accepted: Accepted
    poll: Poll | None = None
    withdraw: Withdraw | None = None
    max_bytes: Annotated[int, Field(ge=10_000)] = 10 * 1024 * 1024

    @model_validator(mode="after")
    def _one_body(self) -> "Terms":
        for ours in self.fields.values():
            if ours not in OUR_FIELDS and not ours.startswith(XARF):
                raise ValueError(
                    f"fields: {ours} is no field of a notice, expected {', '.join(sorted(OUR_FIELDS))} or {XARF}<path>"
                )
        json.dumps(self.constants, allow_nan=False)  # TOML has nan and inf, JSON has not
        for needed in _NEEDED:
            if needed not in self.fields.values():
                raise ValueError(f"fields: leave out {needed}")
        leaves: dict[str, Any] = {**dict.fromkeys(self.fields, "x")}
        files: dict[str, Any] = {} if isinstance(self.files, str) else {self.files.list: []}
        for more in (self.constants, files):
            if twice := sorted(leaves.keys() & more.keys()):
                raise ValueError(f"{twice[0]} is given twice")
            leaves |= more
        planted(leaves)
        return self

    @model_validator(mode="after")
    def _one_host(self) -> "Terms":
        """The token goes to the host of `url` and to no other."""
        host = urlsplit(self.url)[:2]
        others = (
            ("check_url", self.check_url),
            ("poll.url", self.poll.url if self.poll else None),
            ("withdraw.url", self.withdraw.url if self.withdraw else None),
        )
        for key, url in others:
            if url is not None and urlsplit(url)[:2] != host:
                raise ValueError(f"{key}: is at another host than url")
        if self.accepted.repeated and self.idempotency_header is None:
            raise ValueError("accepted.repeated: there is no idempotency_header by which the desk could know a report")
        if (self.poll or self.withdraw) and self.accepted.reference is None:
            raise ValueError("accepted.reference: is missing, expected where the ticket's id stands")
        return self


def read(channel: AgreementChannel) -> Terms:
    """The terms of one agreement. Raises Invalid that names every fault."""
    try:
        return Terms.model_validate(dict(channel.address))
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False):
            place = ".".join(("address", *(str(part) for part in fault["loc"])))
            faults.append(f"{place}: {_SAID.get(fault['type']) or fault['msg'].removeprefix('Value error, ')}")
        raise Invalid(f"{channel.id}: {'; '.join(faults)}") from error
