"""Evidence that is a paper: letters, orders, judgments, licences, consents, and what was written to others before."""

from typing import Literal, Self

from pydantic import Field, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from notifier.domain.fields import Day, Instant, Line, Prose, Sha256, Submitted, Timed, Url


class LicenceCheck(Timed):
    """What a register or reviewer says about a pharmacy. `unverified` means nobody knows, no proof."""

    kind: Literal["licence_check"]
    source: Line = Field(description="Register or reviewer: NABP, LegitScript, a state board ...")
    checked_at: Instant = Field(description="When the source was read, RFC 3339.")
    result: Literal["unlicensed", "licensed", "not_recommended", "unverified"] = Field(description="What it said.")
    jurisdiction: Line = Field(description="Whose licence was looked for, such as US-OH or GB.")
    url: Url | None = Field(default=None, description="Where the source says so.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the source's page, 64 lower-case hex digits.")


class RightsStatement(Timed):
    """A right holder's word that the works are theirs and that the referral is made with their consent."""

    kind: Literal["rights_statement"]
    right_holder: Line = Field(description="Right holder's name, as in the report's works.")
    works: list[Line] = Field(min_length=1, max_length=1_000, description="Titles of the works covered.")
    authorised_by: Line = Field(description="Name and office of the person who gives the authority.")
    signed_at: Instant | None = Field(default=None, description="When it was signed, RFC 3339.")
    basis: Prose | None = Field(default=None, description="Ground of ownership: authorship, assignment, licence ...")
    reference: Line | None = Field(default=None, description="The right holder's own reference.")


class ResponseDue(Submitted):
    """How long a letter gave its recipient."""

    working_days: StrictInt = Field(ge=1, le=120, description="Working days; the day of receipt is not counted.")
    calendar: Line = Field(description="Id of the calendar that counts them, such as us-federal.")


class LetterProduct(Submitted):
    """A product that the letter names, and what is wrong with it."""

    name: Line = Field(description="Product as marketed.")
    active_ingredient: Line | None = Field(default=None, description="International non-proprietary name.")
    drug_class: Literal["opioid", "benzodiazepine", "other"] = Field(description="Class of the ingredient.")
    violation: Literal["unapproved", "misbranded", "both"] = Field(description="What the letter holds it to be.")


class WarningLetter(Timed):
    """An agency's warning letter, its response window, and what came back."""

    kind: Literal["warning_letter"]
    reference: Line = Field(description="The agency's number, such as MARCS-CMS 634444.")
    issued_on: Day = Field(description="Day of the letter, YYYY-MM-DD.")
    received_on: Day | None = Field(
        default=None,
        description="Day of receipt if known, YYYY-MM-DD; the window counts from it, else from issued_on.",
    )
    recipient: Line = Field(description="Person or network addressed.")
    domains: list[Line] = Field(
        default_factory=list, max_length=1_000, description="Names listed in the letter, A-labels."
    )
    link_to_network: Prose | None = Field(
        default=None, description="If the target is not listed: what ties it to the recipient's network."
    )
    response_due: ResponseDue = Field(description="Window that the letter gave.")
    statutes: list[Line] = Field(
        min_length=1, max_length=100, description="Provisions cited, such as 21 U.S.C. 331(a)."
    )
    products: list[LetterProduct] = Field(default_factory=list, max_length=500, description="Products named.")
    response: Literal["none", "inadequate", "adequate", "pending"] = Field(
        description="The agency's assessment; pending: not assessed yet."
    )
    assessed_by: Line | None = Field(default=None, description="Who assessed the response.")
    assessed_at: Instant | None = Field(default=None, description="When it was assessed, RFC 3339.")
    assessment: Prose | None = Field(default=None, description="Why the response is inadequate or adequate.")
    url: Url | None = Field(default=None, description="Where the letter is published.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the letter, 64 lower-case hex digits.")

    @model_validator(mode="after")
    def _received_after_issue(self) -> Self:
        if self.received_on is not None and self.received_on < self.issued_on:
            raise PydanticCustomError("received_on", "a letter cannot be received before it is issued")
        return self


class LetterCited(Submitted):
    """A warning letter that the organisation gave once, for many names: its number is enough for the next."""

    kind: Literal["letter_cited"]
    reference: Line = Field(description="The letter's number as it was given, such as MARCS-CMS 634444.")
    link_to_network: Prose | None = Field(
        default=None, description="If the letter does not list the target: what ties it to the recipient's network."
    )


class PriorContact(Timed):
    """An attempt to have a closer party act before the registry is asked."""

    kind: Literal["prior_contact"]
    party: Literal["operator", "host", "registrar"] = Field(description="Who was asked.")
    address: Line = Field(description="Address or form used.")
    contacted_at: Instant = Field(description="When, RFC 3339.")
    response: Literal["none", "auto_reply", "acknowledged", "declined", "acted", "undeliverable"] = Field(
        description="What came back; `acted` means that they did something."
    )
    responded_at: Instant | None = Field(default=None, description="When the answer came, RFC 3339.")
    summary: Prose = Field(description="What was asked, and the answer in words (or that none came).")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the correspondence, 64 lower-case hex digits.")


class CourtOrder(Timed):
    """An order of a court or authority that names the target or its operator."""

    kind: Literal["court_order"]
    issuer: Line = Field(description="Court or authority.")
    reference: Line = Field(description="Docket or file number.")
    issued_on: Day = Field(description="Day of the order, YYYY-MM-DD.")
    jurisdiction: Line = Field(description="Jurisdiction, such as US-CA or DE.")
    provisions: list[Line] = Field(min_length=1, max_length=50, description="Provisions it rests on.")
    domains: list[Line] = Field(default_factory=list, max_length=1_000, description="Names it lists, A-labels.")
    orders: Prose = Field(description="What it orders, in words.")
    reasons: Prose | None = Field(default=None, description="Why the content is unlawful under these provisions.")
    redress: Prose | None = Field(default=None, description="How provider and registrant may have it reviewed.")
    report_effect_to: Line | None = Field(default=None, description="Whom to tell what was done.")
    standing: Literal["final", "interim", "appealed", "stayed", "lifted"] | None = Field(
        default=None, description="Where the proceeding stands; stayed and lifted orders have no force."
    )
    confirmed_on: Day | None = Field(
        default=None, description="Day on which the issuer confirmed it for the name as it is registered now."
    )
    expires_on: Day | None = Field(default=None, description="Last day of its force, YYYY-MM-DD, if it says.")
    url: Url | None = Field(default=None, description="Where it is published.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the document, 64 lower-case hex digits.")


class CaseLaw(Timed):
    """A judgment about the same site or conduct, for or against. One that found it lawful must be told."""

    kind: Literal["case_law"]
    court: Line = Field(description="Court that decided.")
    reference: Line = Field(description="Docket or citation.")
    decided_on: Day = Field(description="Day of the judgment, YYYY-MM-DD.")
    jurisdiction: Line = Field(description="Jurisdiction, such as ES.")
    domains: list[Line] = Field(default_factory=list, max_length=1_000, description="Names it is about, A-labels.")
    held: Literal["lawful", "unlawful", "undecided"] = Field(description="What it held about the conduct.")
    summary: Prose = Field(description="What was decided, in words.")
    url: Url | None = Field(default=None, description="Where it is published.")


class LawfulUse(Submitted):
    """Something that speaks for the site: a licence, promotional supply, a law elsewhere. A reviewer must weigh it."""

    kind: Literal["lawful_use"]
    ground: Literal["licensed", "lawful_elsewhere", "promotional_supply", "exception"] = Field(
        description="What it rests on."
    )
    jurisdiction: Line | None = Field(default=None, description="Where it holds, such as ES.")
    summary: Prose = Field(description="Who may do what, and how that is known.")
    url: Url | None = Field(default=None, description="Where it is published.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the document, 64 lower-case hex digits.")
