"""Evidence that is a look at something: pages, pictures, samples, streams, registry and DNS answers, tried orders."""

from typing import Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator
from pydantic_core import PydanticCustomError

from notifier.domain.fields import Instant, Line, Prose, Sha256, Submitted, Timed, Url

SAMPLE_MAX_ITEMS = 2_000
SAMPLE_MAX_PAGES = 20_000

Label = Literal["infringing", "lawful", "unclear"]
Limb = Literal["no_valid_prescription", "unlicensed", "unapproved_drug"]
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
    finding: Label | None = Field(default=None, description="What a person judged the page to be.")
    limb: Limb | None = Field(default=None, description="Pharmacy program: the limb of the test that this page proves.")
    offers: Line | None = Field(default=None, description="Name of the substance or product offered, one only.")
    shows: list[Shown] = Field(default_factory=list, max_length=20, description="What the page shows, from the list.")
    ships_to: Line | None = Field(
        default=None, description="Jurisdiction that the page offers to ship to, such as US-OH or GB."
    )


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
    population_sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the list drawn from: each address once, in byte order, a line feed after each "
        "(`LC_ALL=C sort -u FILE | sha256sum`).",
    )
    pages: list[Url] = Field(
        default_factory=list,
        max_length=SAMPLE_MAX_PAGES,
        description="The list drawn from, where it is short enough to send: then the draw is repeated and compared.",
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


class StreamPoint(Timed):
    """One moment of the official feed found again in a stream."""

    stream_at: Instant = Field(description="When the moment was seen in the stream, RFC 3339.")
    feed_at: Instant = Field(description="When the official feed showed it, RFC 3339.")
    similarity: StrictInt = Field(ge=0, le=100, description="How alike the two fingerprints are, in percent.")


class StreamMatch(Timed):
    """A stream on a page of the target, held against the official feed of a live event by fingerprint."""

    kind: Literal["stream_match"]
    url: Url = Field(description="Address of the target's page on which the stream plays.")
    stream_url: Url | None = Field(default=None, description="Address of the stream itself, on whatever host.")
    event: Line = Field(description="Id of the registered event, such as final-2026.")
    feed: Line = Field(description="The official feed that it was held against.")
    method: Line = Field(description="How the fingerprints were made and compared.")
    vantage: Line = Field(description="Where the stream was watched from, such as `residential-es`.")
    points: list[StreamPoint] = Field(min_length=1, max_length=500, description="Moments found in both.")
    sha256: Sha256 = Field(description="SHA-256 of the recording, 64 lower-case hex digits.")
    feed_sha256: Sha256 | None = Field(default=None, description="SHA-256 of the feed's recording.")
