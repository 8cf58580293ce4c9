"""What every submitted model is built of: bounded text, addresses, digests, days and instants.

A time without a zone is read as UTC, and `tz_assumed` records that we assumed it.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

LINE_MAX_BYTES = 1_000
PROSE_MAX_BYTES = 20_000
URL_MAX_BYTES = 8_192

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
Moment = TypeVar("Moment", bound=date)
_AUTHORITY = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)


def within(text: str, max_bytes: int) -> str:
    """`text`, if it is at most `max_bytes` of UTF-8: storage and mail count bytes, not characters."""
    if len(text.encode()) > max_bytes:
        raise PydanticCustomError("too_large", "is over {limit} bytes of UTF-8", {"limit": max_bytes})
    return text


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # general category Cc
_CONTROL_IN_PROSE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # the same but tab and line ends


def _no_controls(text: str, controls: re.Pattern[str] = _CONTROL) -> str:
    if controls.search(text):
        raise PydanticCustomError("control_character", "holds a control character, such as NUL")
    return text


def _line(text: str) -> str:
    return within(_no_controls(text), LINE_MAX_BYTES)


def _prose(text: str) -> str:
    return within(_no_controls(text, _CONTROL_IN_PROSE), PROSE_MAX_BYTES)


def _url(text: str) -> str:
    within(_no_controls(text), URL_MAX_BYTES)
    authority = _AUTHORITY.match(text)
    # Parsers disagree about a backslash or userinfo, so such an address proves nothing about one host.
    if authority is None or "@" in authority[1] or "\\" in text or " " in text:
        raise PydanticCustomError(
            "url",
            "must be an absolute http or https address, not defanged, without spaces, userinfo or backslash",
        )
    return text


def _time_text(value: Any) -> Any:
    # Bare numbers and digits would be read as Unix seconds, and a bare day as midnight: neither was meant.
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME.match(value)):
        return value
    raise PydanticCustomError("instant", "must be an RFC 3339 time such as 2026-03-09T14:30:00Z")


def _day_text(value: Any) -> Any:
    if (isinstance(value, date) and not isinstance(value, datetime)) or (isinstance(value, str) and _DAY.match(value)):
        return value
    raise PydanticCustomError("day", "must be a calendar day such as 2026-03-09")


def _plausible(value: Moment) -> Moment:
    # Keeps zone conversion within the years that datetime knows, and typing slips such as 0206 out. In UTC too: so it
    # is stored, and what was taken must be readable again.
    here = 1990 <= value.year <= 2100
    if not here or (isinstance(value, datetime) and value.tzinfo and not 1990 <= value.astimezone(UTC).year <= 2100):
        raise PydanticCustomError("year", "must lie in the years 1990 to 2100")
    return value


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LINE_MAX_BYTES),
    AfterValidator(_line),
]
Prose = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=PROSE_MAX_BYTES),
    AfterValidator(_prose),
]
Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=URL_MAX_BYTES),
    AfterValidator(_url),
    Field(json_schema_extra={"format": "uri"}),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[datetime, BeforeValidator(_time_text), AfterValidator(_plausible)]
Day = Annotated[date, BeforeValidator(_day_text), AfterValidator(_plausible)]


class Submitted(BaseModel):
    """Base of everything a submitter sends: frozen, and an unknown field is a fault, not a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timed(Submitted):
    """Something with instants. Each comes out aware and in UTC."""

    tz_assumed: StrictBool = Field(
        default=False, description="Set by us: true if a time came without a zone and was read as UTC."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _to_utc(cls, data: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        item = build(data)
        instants = {name: value for name in cls.model_fields if isinstance(value := getattr(item, name), datetime)}
        naive = any(value.tzinfo is None for value in instants.values())
        changed: dict[str, Any] = {
            name: value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            for name, value in instants.items()
        }
        return item.model_copy(update=changed | {"tz_assumed": item.tz_assumed or naive})
