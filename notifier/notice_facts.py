"""What a notice says, gathered by the services and rendered by `rendering`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifier.adapter import Attachment
from notifier.domain.epp import Measure
from notifier.domain.xarf import Item, Work


@dataclass(frozen=True, slots=True)
class Us:
    """Who speaks. A person answers `contact`, day and night if `always_answered`; `domain` is ours."""

    organisation: str
    accreditation: str
    contact: str
    domain: str
    phone: str = ""
    always_answered: bool = False


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is written to: role is registry, registrar or host; `address` is a mailbox or a URL."""

    agreement_id: str
    role: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class NamedDomain:
    """The name and what the registry's RDAP said of it at `observed_at`; None is shown as "not observed"."""

    a_label: str
    unicode: str
    observed_at: datetime | None = None
    handle: str | None = None
    registrar: str | None = None
    registrar_iana_id: str | None = None
    registered_at: datetime | None = None
    expires_at: datetime | None = None
    statuses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """The request in one measure and the recipient's own word for it.

    `undo_of` is the measure to be undone (withdrawal, restore). `why_not_less` tells of milder ways.
    `keeps`: nothing is to be put back.
    """

    measure: Measure
    word: str
    undo_of: Measure | None = None
    why_not_less: str = ""
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Law:
    name: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Product:
    """A medicine on offer: its class (opioid, benzodiazepine ...) and why it is unlawful to offer it."""

    name: str
    ingredient: str
    drug_class: str
    why: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """Result of the sample: how many pages were drawn, how many infringed, how they were drawn."""

    sampled: int
    infringing: int
    method: str


@dataclass(frozen=True, slots=True)
class Authority:
    """A letter, order or list entry the notice rests on; dates as the paper has them."""

    kind: str
    number: str
    issued_on: str
    due_on: str = ""
    response: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """An earlier contact with a party of the chain, and what came back; None is shown as "no answer"."""

    role: str
    name: str
    address: str
    at: datetime
    response: str | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured or listed fact of the collateral assessment."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Visited:
    """How one visitor looked to the server, and what it was given: status, where it ended, how many words."""

    looks_like: str
    user_agent: str
    referrer: str
    language: str
    status: int
    site: str
    words: int


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to see a page as our own visitors did, one by one; `differences` are between them. The WARC is in the bundle."""

    url: str
    at: datetime
    visits: Sequence[Visited]
    differences: Sequence[str]
    warc_sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    """An attestation, in the words and under the name of who made it."""

    name: str
    text: str
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeFacts:
    """Everything a notice says. Times are aware; `category` chooses the XARF type.

    `templates` names the program's folder; what it lacks comes from `base`. `xarf_id` is the deterministic id
    of the XARF report. `reply_token` is 10 to 64 of a-z and 0-9. `earlier` tells what a withdrawal, amendment
    or reminder refers to; `repeats`: which withdrawal this one repeats. `grounds` are the program's proven
    reasons; `attachments` are files. `registrant_text` is what the recipient passes on to the registrant; the
    template of that name when it is empty, in English and then in each of `registrant_languages`. `appeal_url` is the
    registrant's own, in that text alone.
    `until`: when what is asked for is over, and is asked to be restored; the first thing that the notice says.
    `manifest_sha256` is of the document that lists all evidence (hex); the recipient gets it, with the files, at
    `bundle_url`.
    """

    notice_id: str
    case_ref: str
    version: int
    purpose: str
    issued_at: datetime
    program: str
    program_name: str
    program_version: str
    category: str
    templates: str
    us: Us
    recipient: Recipient
    domain: NamedDomain
    ask: Ask
    description: str
    reply_token: str
    xarf_id: UUID
    valid_until: datetime
    appeal_address: str
    urls: Sequence[str] = ()
    works: Sequence[Work] = ()
    products: Sequence[Product] = ()
    grounds: Sequence[str] = ()
    tags: Sequence[str] = ()
    laws: Sequence[Law] = ()
    threshold: Threshold | None = None
    authority: Sequence[Authority] = ()
    contacts: Sequence[Contact] = ()
    collateral: Sequence[Signal] = ()
    proportionality: str = ""
    evidence: Sequence[Item] = ()
    reproductions: Sequence[Reproduction] = ()
    statements: Sequence[Statement] = ()
    associated: Sequence[str] = ()
    earlier: str = ""
    repeats: str = ""
    answer_by: datetime | None = None
    reply_url: str = ""
    answer_url: str = ""
    registrant_text: str = ""
    registrant_languages: Sequence[str] = ()
    appeal_url: str = ""
    confidentiality: str = ""
    attachments: Sequence[Attachment] = ()
    thread_key: str = ""
    manifest_sha256: str = ""
    bundle_url: str = ""
    until: datetime | None = None
    simulated: bool = False
