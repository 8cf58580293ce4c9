"""Appeals as staff hear them: what was filed, the decision that it is about, and what is decided; and the corrections."""

from typing import Any

from aiohttp import web

from notifier.domain.appeal import AppealState, Cause, Outcome
from notifier.errors import Invalid, Mendable, NotFound, NotifierError
from notifier.services import corrections, hearing, reading, reasons
from notifier.services.access import Role
from notifier.web.pages.desk import Page, Visit, go

AT = "/desk/appeals"
_ONE = AT + "/{appeal_id:[0-9a-fA-F-]{36}}"
_SEE, _HEAR = [Role.REVIEWER, Role.AUDITOR, Role.ADMIN], [Role.REVIEWER]
_EVIDENCE = 50
# Tabs of the list: what each asks of the service.
_TABS: dict[str, dict[str, Any]] = {
    "open": {"open_only": True},
    "overdue": {"overdue": True},
    "filed": {"state": str(AppealState.FILED)},
    "in_review": {"state": str(AppealState.IN_REVIEW)},
    "decided": {"open_only": False},
}


async def show_all(visit: Visit) -> web.StreamResponse:
    """Appeals, newest first, by what they wait for."""
    asked = visit.asked("show", "cursor")
    tab = asked.get("show", "open")
    if tab not in _TABS:
        raise NotFound("there is no such list of appeals")
    page = await hearing.appeals(visit.ctx, visit.who, cursor=asked.get("cursor"), **_TABS[tab])
    return await visit.page(
        "appeals",
        items=page.items,
        next_cursor=page.next_cursor,
        tab=tab,
        tabs=list(_TABS),
        may_hear=visit.who.role is Role.REVIEWER,
    )


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None) -> web.Response:
    found = await hearing.show(visit.ctx, visit.who, visit.request.match_info["appeal_id"])
    case_id = str(found.row["case_id"])
    try:
        statement = (await reasons.of_case(visit.ctx, visit.who, case_id))[1]
    except NotFound:
        statement = ""
    evidence = (await reading.case_parts(visit.ctx, visit.who, case_id))["evidence"]
    return await visit.page(
        "appeal_desk",
        fault.http_status if fault else 200,
        appeal=found.row,
        statements=found.statements,
        barred=visit.who.id in found.barred,
        notice=await reading.notice(visit.ctx, visit.who, str(found.row["notice_id"])),
        reasons_told=statement,
        evidence=evidence[-_EVIDENCE:],
        evidence_n=len(evidence),
        is_open=found.row["state"] in ("filed", "in_review"),
        outcomes=list(Outcome),
        causes=list(Cause),
        given={name: (given or {}).get(name, "") for name in ("outcome", "reasons", "cause")},
        fault=fault.detail if fault else "",
    )


async def take(visit: Visit) -> web.StreamResponse:
    """Take an appeal up."""
    await visit.form(())
    appeal_id = visit.request.match_info["appeal_id"]
    try:
        await hearing.take(visit.ctx, visit.who, appeal_id, via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error)
    raise go(f"{AT}/{appeal_id}", "appeal_taken")


async def decide(visit: Visit) -> web.StreamResponse:
    """Decide it. The decision is final, so it is shown once more before it counts."""
    given = await visit.form(("outcome", "reasons", "cause", "sure"))
    appeal_id = visit.request.match_info["appeal_id"]
    try:
        outcome, cause = _chosen(given)
        if given.get("sure") != "yes":
            return await _summary(visit, given)
        await hearing.decide(visit.ctx, visit.who, appeal_id, outcome, given.get("reasons", ""), cause, via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(f"{AT}/{appeal_id}", "appeal_decided")


async def _summary(visit: Visit, given: dict[str, str]) -> web.Response:
    found = await hearing.show(visit.ctx, visit.who, visit.request.match_info["appeal_id"])
    return await visit.page("appeal_sure", appeal=found.row, given={"cause": "", **given})


def _chosen(given: dict[str, str]) -> tuple[Outcome, Cause | None]:
    if given.get("outcome") not in tuple(Outcome):
        raise Invalid("say whether our decision stands, falls, or went too far")
    if not given.get("reasons"):
        raise Invalid("reasons: say why, in words that whoever appealed understands")
    cause = given.get("cause", "")
    if cause and cause not in tuple(Cause):
        raise Invalid(f"a cause is one of {', '.join(Cause)}")
    return Outcome(given["outcome"]), Cause(cause) if cause else None


async def show_corrections(visit: Visit) -> web.StreamResponse:
    """What was done to names and had to be lifted."""
    page = await corrections.corrections(visit.ctx, cursor=visit.asked("cursor").get("cursor"))
    return await visit.page("corrections", items=page.items, next_cursor=page.next_cursor)


PAGES = [
    Page("GET", AT, show_all, _SEE),
    Page("GET", f"{AT}/corrections", show_corrections, _SEE),
    Page("GET", _ONE, show, _HEAR),
    Page("POST", f"{_ONE}/take", take, _HEAR),
    Page("POST", f"{_ONE}/decide", decide, _HEAR),
]
