"""What people decide about a case."""

from typing import Any

from pydantic import BaseModel

from notifier.domain.case import Case
from notifier.services import holds, review, stepping
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import AmendmentIn, Approval, Assignment, Because, ContactIn, Rejection, Withdrawal
from notifier.web.routes import Reply, Route
from notifier.web.schemas import CasePath
from notifier.web.views.cases import CaseStep, PreviewOut


def _step(case: Case, status: int = 200) -> Reply:
    return Reply(status, CaseStep.of(case))


async def preview(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """The exact notices that approval would send, and the digest that approval must name."""
    return Reply(200, PreviewOut.shown(await review.preview(ctx, who, path.case_id)))


async def approve(ctx: Context, who: Principal, path: CasePath, body: Approval) -> Reply:
    """Approve exactly what `digest` names. The approver neither reported the target nor supplied evidence."""
    return _step(await review.approve(ctx, who, path.case_id, body.digest, body.note))


async def reject(ctx: Context, who: Principal, path: CasePath, body: Rejection) -> Reply:
    """Reject a case under review."""
    return _step(await review.reject(ctx, who, path.case_id, body.reason, body.ground))


async def request_evidence(ctx: Context, who: Principal, path: CasePath, body: Because) -> Reply:
    """Send a case back for more evidence."""
    return _step(await review.request_evidence(ctx, who, path.case_id, body.reason))


async def withdraw(ctx: Context, who: Principal, path: CasePath, body: Withdrawal) -> Reply:
    """Take a case back: what has not left never leaves, and everyone told is told that it is withdrawn."""
    return _step(await review.withdraw(ctx, who, path.case_id, body.reason, body.ground))


async def cancel(ctx: Context, who: Principal, path: CasePath, body: Because) -> Reply:
    """Undo an approval while nothing has left."""
    return _step(await review.cancel(ctx, who, path.case_id, body.reason))


async def assign(ctx: Context, who: Principal, path: CasePath, body: Assignment) -> Reply:
    """Say who looks after a case."""
    return _step(await review.assign(ctx, who, path.case_id, body.assignee))


async def close(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """End the watch over a resolved case."""
    return _step(await review.close(ctx, who, path.case_id))


async def observe(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """Ask for a look at the target now. It is taken in a moment."""
    return _step(await review.observe_now(ctx, who, path.case_id), 202)


async def give_contact(ctx: Context, who: Principal, path: CasePath, body: ContactIn) -> Reply:
    """Say where the host or registrar is reached, and how you know. You may not approve the case then."""
    case = await stepping.give_contact(ctx, who, path.case_id, body.party, body.address, body.source, body.name)
    return _step(case)


async def pass_over(ctx: Context, who: Principal, path: CasePath, body: Because) -> Reply:
    """Go on without the party whose turn it is. What the rules want proven of it is still wanted."""
    return _step(await stepping.pass_over(ctx, who, path.case_id, body.reason))


async def amend(ctx: Context, who: Principal, path: CasePath, body: AmendmentIn) -> Reply:
    """Answer what the recipient asked for. Another person approves the amended notice; its clock goes on then."""
    return _step(await stepping.amend(ctx, who, path.case_id, body.answer))


async def keep(ctx: Context, who: Principal, path: CasePath, body: Because) -> Reply:
    """Keep what is held for one more term. Evidence must have come since the last one, from somebody else than you."""
    return _step(await holds.keep(ctx, who, path.case_id, body.reason))


def _act(name: str, act: Any, summary: str, roles: list[Role], answer: int = 200) -> Route:
    answers: dict[int, type[BaseModel] | None] = {answer: CaseStep}
    return Route("POST", f"/cases/{{case_id}}/{name}", act, summary, answers, roles=roles, problems=[409])


_REVIEWER = [Role.REVIEWER]

ROUTES = [
    Route(
        "GET",
        "/cases/{case_id}/preview",
        preview,
        "See what would go",
        {200: PreviewOut},
        roles=_REVIEWER,
        problems=[409],
    ),
    _act("approve", approve, "Approve what was shown", _REVIEWER),
    _act("reject", reject, "Reject a case", _REVIEWER),
    _act("request-evidence", request_evidence, "Ask for more evidence", _REVIEWER),
    _act("withdraw", withdraw, "Withdraw a case", [Role.SUBMITTER, Role.REVIEWER]),
    _act("cancel", cancel, "Cancel an approval", _REVIEWER),
    _act("assign", assign, "Assign a case", _REVIEWER),
    _act("close", close, "Close a case", _REVIEWER),
    _act("contact", give_contact, "Give a contact", _REVIEWER),
    _act("pass-over", pass_over, "Go on without a party", _REVIEWER),
    _act("amend", amend, "Answer a recipient's question", _REVIEWER),
    _act("keep", keep, "Keep what is held", _REVIEWER),
    _act("observe", observe, "Look now", _REVIEWER, 202),
]
