"""What a program's notices look like, filled with an invented case, so that its words can be read before there is one."""

from datetime import timedelta
from uuid import UUID

from notifier.adapter import RenderedNotice
from notifier.clock import Clock
from notifier.domain.epp import Measure
from notifier.domain.notice import UNDO, Purpose
from notifier.domain.program import Program
from notifier.domain.rule import Recipient as Party
from notifier.domain.xarf import Item, Work
from notifier.errors import Invalid
from notifier.notice_facts import (
    Ask,
    Contact,
    Law,
    NamedDomain,
    NoticeFacts,
    Recipient,
    Signal,
    Statement,
    Us,
)
from notifier.rendering import PURPOSES, Renderer
from notifier.settings import Settings

_NAME = "invented-name.example"


async def notice(
    renderer: Renderer,
    settings: Settings,
    clock: Clock,
    program: Program,
    purpose: str,
    measure: Measure | None = None,
    party: Party = Party.REGISTRY,
) -> RenderedNotice:
    """An invented notice. `measure` None: what the program asks of that party. Raises Invalid: no such purpose."""
    if purpose not in PURPOSES:
        raise Invalid(f"purpose: expected one of {', '.join(sorted(PURPOSES))}")
    step = next((s for s in program.ladder if s.recipient is party), None)
    asked = measure or (program.default_measure if step is None or party is Party.REGISTRY else step.measure)
    undo = Purpose(purpose) in UNDO
    at = await clock.now()
    return renderer.notice(
        NoticeFacts(
            notice_id="00000000-0000-4000-8000-000000000000",
            case_ref="TN-0000-000000",
            version=1,
            purpose=purpose,
            issued_at=at,
            program=program.id,
            program_name=program.name,
            program_version=program.version,
            category=program.category,
            templates=program.templates,
            us=Us(settings.organisation, program.owner, settings.contact, settings.domain),
            recipient=Recipient(f"{program.id}.{party}", str(party), "Invented Recipient", "abuse@recipient.example"),
            domain=NamedDomain(_NAME, _NAME, at, "D-INVENTED", "Invented Registrar", "9999", at, at, ("active",)),
            ask=Ask(Measure.RESTORE if undo else asked, str(asked), asked if undo else None),
            description="What the reporters describe stands here, in their own words.",
            reply_token="0" * 26,
            xarf_id=UUID(int=0),
            valid_until=at + program.windows.validity,
            appeal_address=program.appeal,
            urls=(f"https://{_NAME}/page",),
            works=(Work("Invented Work", "film", "Invented Right Holder"),),
            laws=(Law("Invented law", "why the conduct breaks it"),),
            grounds=("what the program's rules found proven",),
            contacts=(Contact("host", "Invented Host", "abuse@host.example", at - timedelta(days=4)),),
            collateral=(Signal("popular", "on no list", "an invented list"),),
            evidence=(Item("capture", at, f"https://{_NAME}/page", "desktop", "0" * 64),),
            statements=(Statement("good faith", "believes in good faith that this report is right", program.owner),),
            earlier="" if purpose == "request" else "What came before stands here.",
            simulated=True,
        )
    )
