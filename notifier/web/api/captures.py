"""Captures: what our own visitors saw of the reported pages, and what a person judges it to be."""

from notifier.services import captures
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import Judged
from notifier.web.routes import Reply, Route
from notifier.web.schemas import CapturePath, CasePath
from notifier.web.views.captures import Captures
from notifier.web.views.cases import CaseStep, EvidenceTaken

_READERS = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR]


async def list_captures(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """Every capture, newest first: each visitor's way, what differs between them, and cases whose pages look alike.

    The files are the case's: `GET /cases/{case_id}/evidence/{sha256}`.
    """
    return Reply(200, Captures.of_rows(await captures.of_case(ctx, who, path.case_id)))


async def capture(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """Ask for captures of the reported pages now. They are made in a moment."""
    return Reply(202, CaseStep.of(await captures.ask(ctx, who, path.case_id)))


async def judge(ctx: Context, who: Principal, path: CapturePath, body: Judged) -> Reply:
    """Say what a capture shows: it becomes evidence, supplied by you, so you may not approve the case."""
    said = body.model_dump(exclude={"visitor"}, exclude_none=True)
    case, verdict = await captures.judged(ctx, who, path.case_id, path.capture_id, said, body.visitor)
    return Reply(200, EvidenceTaken.after(case, verdict, [], []))


ROUTES = [
    Route(
        "GET", "/cases/{case_id}/captures", list_captures, "What our own visitors saw", {200: Captures}, roles=_READERS
    ),
    Route(
        "POST",
        "/cases/{case_id}/capture",
        capture,
        "Capture now",
        {202: CaseStep},
        roles=[Role.REVIEWER],
        problems=[409],
    ),
    Route(
        "POST",
        "/cases/{case_id}/captures/{capture_id}/label",
        judge,
        "Judge a capture",
        {200: EvidenceTaken},
        roles=[Role.SUBMITTER, Role.REVIEWER],
        problems=[409],
    ),
]
