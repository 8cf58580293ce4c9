"""Kinds of evidence that a submitter may give, as strict, frozen models; their texts become the OpenAPI page.

A wrong shape is refused here, with the field named; whether the evidence is enough is `policy`'s question.
"""

import hashlib
from typing import Annotated, Any

import rfc8785
from pydantic import Field, TypeAdapter

from notifier.domain.evidence_pages import (
    SAMPLE_MAX_ITEMS,
    Capture,
    DnsSnapshot,
    Label,
    Limb,
    RdapSnapshot,
    Sample,
    SampledPage,
    Screenshot,
    Shown,
    StreamMatch,
    StreamPoint,
    TestPurchase,
)
from notifier.domain.evidence_papers import (
    CaseLaw,
    CourtOrder,
    LawfulUse,
    LetterCited,
    LetterProduct,
    LicenceCheck,
    PriorContact,
    ResponseDue,
    RightsStatement,
    WarningLetter,
)

__all__ = [
    "SAMPLE_MAX_ITEMS",
    "Capture",
    "CaseLaw",
    "CourtOrder",
    "DnsSnapshot",
    "Evidence",
    "Label",
    "LawfulUse",
    "LetterCited",
    "LetterProduct",
    "LicenceCheck",
    "Limb",
    "PriorContact",
    "RdapSnapshot",
    "ResponseDue",
    "RightsStatement",
    "Sample",
    "SampledPage",
    "Screenshot",
    "Shown",
    "StreamMatch",
    "StreamPoint",
    "TestPurchase",
    "WarningLetter",
    "content",
    "digest",
    "parse_evidence",
]

Evidence = Annotated[
    Capture
    | Screenshot
    | Sample
    | RdapSnapshot
    | DnsSnapshot
    | TestPurchase
    | StreamMatch
    | LicenceCheck
    | RightsStatement
    | WarningLetter
    | LetterCited
    | PriorContact
    | CourtOrder
    | CaseLaw
    | LawfulUse,
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
