"""One well-filled set of facts that the rendering and adapter tests vary."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifier.adapter import Attachment
from notifier.domain.epp import Measure
from notifier.domain.xarf import Item, Work
from notifier.rendering import (
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

T = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
TOKEN = "k7q2mzb4x9d3"
MANIFEST = b'{"files":[]}'


def facts(**changes: Any) -> NoticeFacts:
    """Facts of a hold request about an opioid shop; any field can be changed by name."""
    base: dict[str, Any] = {
        "notice_id": "0b5c2c1e-8d6f-4c52-9a0c-2f2f6c3a7d11",
        "case_ref": "TN-2026-000123",
        "version": 1,
        "purpose": "request",
        "issued_at": T,
        "program": "opioids",
        "program_name": "Opioid sellers",
        "program_version": "3",
        "category": "opioids",
        "templates": "opioids",
        "us": Us("Example Notifier", "Accredited for this program", "desk@notifier.example", "notifier.example"),
        "recipient": Recipient("opioids.sandbox", "registry", "Sandbox Registry", "abuse@registry.example"),
        "domain": NamedDomain(
            "pills-now.example",
            "pills-now.example",
            T,
            "D123-EX",
            "Registrar One",
            "9999",
            datetime(2024, 2, 29, tzinfo=UTC),
            datetime(2027, 2, 28, tzinfo=UTC),
            ("active",),
        ),
        "ask": Ask(Measure.HOLD, "registry hold", why_not_less="The registrar did not answer."),
        "description": "Offers tramadol without a prescription.\nSeen on two days.",
        "reply_token": TOKEN,
        "xarf_id": UUID("6f0f3b4e-2f0a-5d0d-8a39-3d0f0b7a9c55"),
        "valid_until": datetime(2026, 12, 25, 14, 30, tzinfo=UTC),
        "appeal_address": "https://notifier.example/appeals",
        "urls": ("https://pills-now.example/tramadol?x=1",),
        "works": (Work("A Film", "film", "A Studio"),),
        "products": (Product("Ultrum", "tramadol", "opioid", "no approved application"),),
        "grounds": ("no valid prescription asked for",),
        "tags": ("unapproved-opioid",),
        "laws": (Law("21 U.S.C. 331(d)", "introduces an unapproved new drug"),),
        "threshold": Threshold(20, 18, "seeded draw of content pages"),
        "authority": (Authority("warning letter", "634444", "2022-08-16", "2022-09-07", "none"),),
        "contacts": (Contact("registrar", "Registrar One", "abuse@registrar.example", T),),
        "collateral": (Signal("popular", "no", "rank list of 2026-11-01"),),
        "proportionality": "One shop, no other content seen.",
        "evidence": (Item("capture", T, "https://pills-now.example/", "Ohio, desktop", "a" * 64),),
        "statements": (Statement("good faith", "We believe this to be true.", "A. Reviewer", T),),
        "associated": ("pills-later.example",),
        "registrant_text": "Your name was reported.",
        "attachments": (
            Attachment("manifest.json", "application/json", MANIFEST, hashlib.sha256(MANIFEST).hexdigest()),
        ),
    }
    return NoticeFacts(**(base | changes))
