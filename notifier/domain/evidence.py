"""Kinds of evidence that a submitter may give, as strict, frozen models; their texts become the OpenAPI page.

A wrong shape is refused here, with the field named; whether the evidence is enough is `policy`'s question.
"""

import hashlib
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import Field, StrictBool, StrictInt, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from notifier.domain.fields import Day, Instant, Line, Prose, Sha256, Submitted, Timed, Url

SAMPLE_MAX_ITEMS = 2_000

Label = Literal["infringing", "lawful", "unclear"]
Shown = Literal[
    "us_shipping",
    "us_currency",
    "us_consumers",
    "no_prescription_control",
    "ships_abroad",
    "checkout",
    "login_wall",
    "geo_wall",
    "parked",
    "compromised",
]


class Capture(Timed):
    """A page as one visitor saw it: who looked from where, what the page was, and what it shows."""

    kind: Literal["capture"]
    url: Url = Field(description="Address of the page, absolute, not defanged.")
    captured_at: Instant = Field(description="When the page was fetched, RFC 3339.")
    vantage: Line = Field(description="Where the visitor was: network and country, such as `residential-us`.")
    user_agent: Line | None = Field(default=None, description="User-Agent header that was sent.")
    referrer: Line | None = Field(
        default=None, description="Referer header that was sent; some sites show only search visitors."
    )
    http_status: StrictInt | None = Field(default=None, ge=100, le=599, description="HTTP status code of the page.")
    sha256: Sha256 = Field(description="SHA-256 of the WARC record or page, 64 lower-case hex digits.")
    text_excerpt: Prose | None = Field(default=None, description="The words on the page that matter, plain text.")
    finding: Literal["infringing", "lawful", "unclear"] | None = Field(
        default=None, description="What a person judged the page to be."
    )
    limb: Literal["no_valid_prescription", "unlicensed", "unapproved_drug"] | None = Field(
        default=None, description="Pharmacy program: the limb of the test that this page proves."
    )
    offers: Line | None = Field(default=None, description="Name of the substance or product offered, one only.")
    shows: list[Shown] = Field(default_factory=list, max_length=20, description="What the page shows, from the list.")


class Screenshot(Timed):
    """A picture of a page. The file itself is sent beside the report and found by its digest."""

    kind: Literal["screenshot"]
    url: Url = Field(description="Address of the page shown.")
    captured_at: Instant = Field(description="When the picture was taken, RFC 3339.")
    sha256: Sha256 = Field(description="SHA-256 of the picture file, 64 lower-case hex digits.")
    media_type: Literal["image/png", "image/jpeg", "image/webp"] = Field(description="Media type of the file.")


class SampledPage(Submitted):
    """One page of a sample and what two people, apart, judged it to be."""

    url: Url = Field(description="Address of the page.")
    label: Label = Field(description="The first reviewer's judgement.")
    second_label: Label | None = Field(
        default=None, description="The second reviewer's own judgement, made without the first."
    )
    work: Line | None = Field(default=None, description="Title of the work found on the page.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the page's capture, 64 lower-case hex digits.")


class Sample(Timed):
    """Pages drawn from the site so that the share of infringing ones can be estimated."""

    kind: Literal["sample"]
    seed: Line = Field(description="Seed of the draw; the draw can be repeated from it.")
    method: Literal["random", "census", "chosen"] = Field(
        description="random: drawn by the seed; census: every page; chosen: picked by hand, proves no share."
    )
    drawn_at: Instant | None = Field(default=None, description="When the pages were drawn, RFC 3339.")
    population: StrictInt | None = Field(
        default=None, ge=1, le=10**12, description="Number of content pages drawn from."
    )
    items: list[SampledPage] = Field(min_length=1, max_length=SAMPLE_MAX_ITEMS, description="The drawn pages.")


class RdapSnapshot(Timed):
    """An RDAP answer that the submitter saw. Ours, taken later, decides; this shows what changed between."""

    kind: Literal["rdap_snapshot"]
    domain: Line = Field(description="Name asked for, A-label.")
    server: Url = Field(description="Address of the query.")
    queried_at: Instant = Field(description="When it was asked, RFC 3339.")
    statuses: list[Line] = Field(default_factory=list, max_length=50, description="Status values, verbatim (RFC 8056).")
    handle: Line | None = Field(default=None, description="Registry object identifier (ROID).")
    registrar: Line | None = Field(default=None, description="Registrar's name as shown.")
    registered_at: Instant | None = Field(default=None, description="Registration event, RFC 3339.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the answer's bytes, 64 lower-case hex digits.")


class DnsSnapshot(Timed):
    """A DNS answer that the submitter saw."""

    kind: Literal["dns_snapshot"]
    domain: Line = Field(description="Name asked for, A-label.")
    server: Line = Field(description="Name or address of the server asked.")
    queried_at: Instant = Field(description="When it was asked, RFC 3339.")
    rrtype: Line = Field(description="Record type asked for, such as NS or A.")
    rcode: Line = Field(description="Response code, such as NOERROR or NXDOMAIN.")
    answers: list[Line] = Field(default_factory=list, max_length=200, description="Records, presentation format.")


class TestPurchase(Timed):
    """An order that was tried. It stops before payment unless an authority allowed the purchase."""

    __test__ = False  # the name is the field's word, and pytest would collect it

    kind: Literal["test_purchase"]
    url: Url = Field(description="Address of the shop page.")
    ordered_at: Instant = Field(description="When the order was tried, RFC 3339.")
    product: Line = Field(description="Product as the shop names it.")
    paid: StrictBool = Field(description="False unless `authority` names who allowed a paid purchase.")
    authority: Line | None = Field(default=None, description="Who allowed payment, and under what power.")
    prescription_asked: StrictBool | None = Field(
        default=None, description="Whether a valid prescription was demanded."
    )
    result: Literal["reached_payment", "refused", "accepted", "received"] = Field(description="How far it went.")
    ships_to: Line | None = Field(default=None, description="Jurisdiction the shop agreed to ship to.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the recording, 64 lower-case hex digits.")

    @model_validator(mode="after")
    def _payment_was_allowed(self) -> Self:
        if self.paid and self.authority is None:
            raise PydanticCustomError("paid", "a paid purchase needs `authority`: who allowed it")
        return self


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
    held: Literal["lawful", "unlawful", "undecided"] = Field(description="What it held about the conduct.")
    summary: Prose = Field(description="What was decided, in words.")
    url: Url | None = Field(default=None, description="Where it is published.")


Evidence = Annotated[
    Capture
    | Screenshot
    | Sample
    | RdapSnapshot
    | DnsSnapshot
    | TestPurchase
    | LicenceCheck
    | RightsStatement
    | WarningLetter
    | PriorContact
    | CourtOrder
    | CaseLaw,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Evidence] = TypeAdapter(Evidence)


def parse_evidence(data: Any) -> Evidence:
    """One item from decoded JSON. Raises pydantic.ValidationError, which names each wrong field."""
    return _ADAPTER.validate_python(data)


def content(evidence: Evidence) -> dict[str, Any]:
    """The item as JSON-able values without defaults, so that a field added later changes no old digest."""
    plain: dict[str, Any] = evidence.model_dump(mode="json", exclude_defaults=True)
    return plain


def digest(evidence: Evidence) -> str:
    """SHA-256 in lower-case hex over the RFC 8785 form of `content(evidence)`."""
    return hashlib.sha256(rfc8785.dumps(content(evidence))).hexdigest()
