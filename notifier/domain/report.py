"""A report as it comes in (`POST /reports`): what it points at, what it says, what it gives as evidence.

The raw target text is kept as given; only NUL, which Postgres does not take, is refused. `names`
decides what it means.
Sizes are counted in bytes of UTF-8; an item over its limit is a fault of type `too_large`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from notifier.domain.evidence import Evidence
from notifier.domain.fields import URL_MAX_BYTES, Instant, Line, Prose, Submitted, Timed, within

REPORT_MAX_BYTES = 1_048_576
URLS_MAX = 1_000
WORKS_MAX = 2_000
EVIDENCE_MAX = 500

# Marks that XARF and submitters use for such a report. Only an explicit mark counts: see mentions_csam.
_CSAM_MARKS = frozenset(
    {"csam", "csem", "csea", "child_sexual_abuse", "child_sexual_abuse_material", "child_sexual_exploitation"}
)


def _raw(text: str) -> str:
    if "\x00" in text:
        raise PydanticCustomError("control_character", "holds a NUL character")
    return within(text, URL_MAX_BYTES)


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _once(urls: list[str]) -> list[str]:
    return list(dict.fromkeys(urls))


Raw = Annotated[str, StringConstraints(min_length=1), AfterValidator(_raw)]


class Work(Submitted):
    """A protected work that the site offers."""

    title: Line = Field(description="Title of the work.")
    kind: Literal["film", "series", "music", "book", "software", "game", "other"] = Field(description="Type of work.")
    right_holder: Line = Field(description="Name of the right holder.")


class Law(Submitted):
    """A law that the conduct breaks, and how."""

    law: Line = Field(description="Provision, such as 17 U.S.C. 501 or 21 U.S.C. 353(b).")
    why: Prose = Field(description="Why the conduct on the site breaks it.")
    jurisdiction: Line | None = Field(default=None, description="Whose law it is, such as US or GB.")
    limb: Literal["no_valid_prescription", "unlicensed", "unapproved_drug"] | None = Field(
        default=None, description="Pharmacy program: the limb this law supports; absent: all of them."
    )


class HumanReview(Timed):
    """A person looked at the evidence. Machine detection may have been the lead, never the judgement."""

    reviewer: Line = Field(description="Name of the person who reviewed.")
    at: Instant = Field(description="When the review ended, RFC 3339.")


class Authorisation(Submitted):
    """Right holders who consented to this referral, in the submitter's words."""

    right_holders: list[Line] = Field(min_length=1, max_length=1_000, description="Names, as in the works.")
    statement: Prose = Field(description="Who authorised it, and on what ground of ownership.")


class CompromiseCheck(Submitted):
    """Whether the site looks hacked: then its owner and host are the ones to write to, not the registry."""

    result: Literal["not_compromised", "compromised", "unsure"] = Field(description="What was found.")
    why: Prose = Field(description="Signs looked at: age, root content, redirects only for search visitors ...")


class Statements(Submitted):
    """What the submitter states. An absent statement is unknown, never assumed."""

    good_faith: StrictBool | None = Field(default=None, description="Belief in good faith that the report is right.")
    accuracy: StrictBool | None = Field(default=None, description="The information is accurate and complete.")
    no_csam: StrictBool | None = Field(default=None, description="Nothing sent here shows child sexual abuse.")
    human_review: HumanReview | None = Field(default=None, description="The person who reviewed, and when.")
    authorisation: Authorisation | None = Field(default=None, description="Consent of the right holders.")
    laws: list[Law] = Field(default_factory=list, max_length=100, description="Laws broken; need not be exhaustive.")
    nexus: Prose | None = Field(default=None, description="What ties the operator to the content: own uploads, ads ...")
    licensed_check: Prose | None = Field(
        default=None,
        description="How it was checked that the use is not licensed or lawful, promotion included.",
    )
    judgments: Prose | None = Field(default=None, description="Judgments about this site, for and against.")
    exceptions_check: Prose | None = Field(
        default=None, description="Pharmacy program: telehealth and in-person exceptions looked at."
    )
    justification: Prose | None = Field(default=None, description="Why host and registrar do not suffice.")
    jurisdiction: Line | None = Field(default=None, description="Jurisdiction whose law is relied on.")
    compromise_check: CompromiseCheck | None = Field(default=None, description="Whether the site looks hacked.")


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class EventWindow(Timed):
    """A live event, by the id it is registered under, or the times it is said to have. What is asked for ends with it.

    Only a registered event opens a window; times alone are the submitter's word.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    event: Line | None = Field(default=None, description="Id of the registered event, such as final-2026.")
    starts: Instant | None = Field(default=None, alias="from", description="Start of the event, RFC 3339.")
    ends: Instant | None = Field(default=None, alias="to", description="End of the event, RFC 3339.")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(schema))
        by_id = {"type": "string", "minLength": 1, "description": "Id of the registered event."}
        described = {"description": whole.pop("description", ""), "title": whole.pop("title", "EventWindow")}
        shape = {key: whole.pop(key) for key in list(whole)}
        whole.update({**described, "anyOf": [by_id, shape]})
        return whole

    @model_validator(mode="before")
    @classmethod
    def _by_id(cls, data: Any) -> Any:
        return {"event": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.starts is None) != (self.ends is None) or (self.starts is None and self.event is None):
            raise PydanticCustomError("event_window", "name the `event`, or both `from` and `to`")
        if self.starts is not None and self.ends is not None and _utc(self.starts) >= _utc(self.ends):
            raise PydanticCustomError("event_window", "`to` must be later than `from`")
        return self


class ReportIn(Submitted):
    """One report: a domain or at least one URL, what is wrong there, and the evidence."""

    program: Line = Field(description="Id of the program, such as piracy or opioids.")
    domain: Annotated[Raw | None, BeforeValidator(_blank_is_none)] = Field(
        default=None, description="Reported name, in any spelling; defanged text is understood."
    )
    urls: Annotated[list[Raw], Field(max_length=URLS_MAX), AfterValidator(_once)] = Field(
        default_factory=list, description="Reported addresses; a repeated one counts once."
    )
    summary: Prose = Field(description="What happens on the site, in plain language.")
    works: list[Work] = Field(default_factory=list, max_length=WORKS_MAX, description="Works affected.")
    evidence: list[Evidence] = Field(default_factory=list, max_length=EVIDENCE_MAX, description="Evidence items.")
    statements: Statements = Field(default_factory=Statements, description="What the submitter states.")
    external_id: Line | None = Field(
        default=None, description="The submitter's own id; the same id again is no new report."
    )
    priority: Literal["normal", "urgent"] = Field(
        default="normal", description="urgent: danger to life, or a live event."
    )
    event_window: EventWindow | None = Field(
        default=None, description="Live event that the report is about; its id alone is enough."
    )
    category: Line | None = Field(default=None, description="The submitter's own word for the kind of abuse.")
    content_flags: list[Line] = Field(
        default_factory=list,
        max_length=20,
        description="Marks on the content; `csam` makes intake refuse and keep nothing.",
    )

    @model_validator(mode="after")
    def _points_somewhere(self) -> Self:
        if self.domain is None and not self.urls:
            raise PydanticCustomError("no_host", "name a `domain` or at least one of `urls`")
        return self


CSAM = (
    "material that shows child sexual abuse is not taken here, and nothing of it was kept; report it to NCMEC "
    "(report.cybertip.org) or to the IWF (report.iwf.org.uk)"
)


def mentions_csam(report: ReportIn | Mapping[str, Any]) -> bool:
    """Whether `content_flags` or `category` marks the report as child sexual abuse material.

    Takes decoded JSON too, so that intake can refuse before anything is validated or kept. Free text is not
    searched: a summary that says `no csam found` or a site's own name must not lose an honest report.
    """
    if isinstance(report, ReportIn):
        marks: list[Any] = [report.category, *report.content_flags]
    else:
        flags = report.get("content_flags")
        marks = [report.get("category"), *(flags if isinstance(flags, list) else [flags])]
    words = {mark.strip().casefold().replace("-", "_").replace(" ", "_") for mark in marks if isinstance(mark, str)}
    return not words.isdisjoint(_CSAM_MARKS)
