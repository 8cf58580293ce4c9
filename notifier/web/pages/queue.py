"""The reviewer's queue: what needs a person now and why, and acts on several cases after a summary of exactly these."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from notifier.domain.safety import Safety
from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import awaiting, possible, reading, review
from notifier.services.access import Role
from notifier.services.awaiting import Wanted
from notifier.web.pages import case_words
from notifier.web.pages.desk import Page, Visit, go

AT = "/desk/queue"
PER_PAGE = 50
_FILTERS = ("program", "registry", "safety", "reason", "assignee", "overdue")


def wanted(visit: Visit) -> Wanted:
    """The queue's filters as the address has them, on its page and while its cases are reviewed one by one."""
    asked = visit.asked(*_FILTERS)
    return Wanted(
        program=asked.get("program"),
        registry=asked.get("registry"),
        safety=asked.get("safety"),
        reason=asked.get("reason"),
        mine=asked.get("assignee") == "me",
        overdue="overdue" in asked,
    )


def filters(visit: Visit) -> str:
    """The same as a query, to take along; empty without any."""
    return urlencode(visit.asked(*_FILTERS))


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None, ticked: Sequence[str] = ()) -> web.Response:
    ctx, who = visit.ctx, visit.who
    now = await ctx.db.clock.now()
    cursor = visit.asked("cursor").get("cursor")
    page = await awaiting.queue(ctx, who, wanted(visit), limit=PER_PAGE, cursor=cursor)
    return await visit.page(
        "queue",
        fault.http_status if fault else 200,
        rows=[{**row, "why_here": case_words.why_here(row, who.id, now)} for row in page.items],
        next_cursor=page.next_cursor,
        counts=await awaiting.counts(ctx, who),
        most=awaiting.MOST,
        asked=dict.fromkeys(_FILTERS, "") | visit.asked(*_FILTERS),
        narrowed=bool(visit.asked(*_FILTERS)),
        filters=filters(visit),
        programs=sorted(ctx.catalog.programs),
        registries=sorted(ctx.catalog.registries),
        safeties=list(Safety),
        reasons=case_words.REASONS,
        fault=fault.detail if fault else "",
        ticked=ticked,
        bulk=BULK,
        review_within=reading.REVIEW_WITHIN,
        urgent_bands=awaiting.URGENT_BANDS,
    )


# --- several at once ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bulk:
    """An act on several cases. `title` asks, `button` does; `reason`: whether it needs one."""

    title: str
    button: str
    reason: bool
    act: Callable[[Visit, str, Mapping[str, str]], Awaitable[Any]]


# Approval is none of these: each is read by itself.
BULK: Mapping[str, Bulk] = {
    "assign": Bulk(
        "Assign to me",
        "Assign them to me",
        False,
        lambda v, case_id, given: review.assign(v.ctx, v.who, case_id, v.who.id, via="page"),
    ),
    "request-evidence": Bulk(
        "Ask for more evidence",
        "Send them back",
        True,
        lambda v, case_id, given: review.request_evidence(v.ctx, v.who, case_id, given["reason"], via="page"),
    ),
    "reject": Bulk(
        "Reject",
        "Reject them",
        True,
        lambda v, case_id, given: review.reject(v.ctx, v.who, case_id, given["reason"], given["ground"], via="page"),
    ),
}
GROUNDS = ("substance", "clerical", "out_of_scope", "duplicate")
_FIELDS = ("act", "reason", "ground")


async def summary(visit: Visit) -> web.StreamResponse:
    """Exactly the cases that it would act on, and which it would not and why. Nothing is done yet."""
    given, chosen = await visit.form_with_list(_FIELDS, "case", PER_PAGE)
    try:
        bulk = _read(given, chosen)
    except Invalid as fault:
        return await _page(visit, fault, chosen)
    return await _summary(visit, bulk, given, chosen)


async def _summary(visit: Visit, bulk: Bulk, given: Mapping[str, str], chosen: Sequence[str]) -> web.Response:
    rows = [await reading.case(visit.ctx, visit.who, case_id) for case_id in dict.fromkeys(chosen)]
    refused = {}
    for row in rows:
        why = (await possible.acts(visit.ctx, visit.who, str(row["id"]), [given["act"]]))[given["act"]]
        if why is not None:
            refused[row["id"]] = why
    return await visit.page(
        "queue_summary",
        bulk=bulk,
        given=given,
        taken=[row for row in rows if row["id"] not in refused],
        refused=[(row, refused[row["id"]]) for row in rows if row["id"] in refused],
        filters=filters(visit),
        failed=(),
    )


async def act(visit: Visit) -> web.StreamResponse:
    """Does it, case by case; what one of them refuses in the meantime is told and holds up no other."""
    given, chosen = await visit.form_with_list(_FIELDS, "case", PER_PAGE)
    bulk, failed = _read(given, chosen), []
    for case_id in dict.fromkeys(chosen):
        row = await reading.case(visit.ctx, visit.who, case_id)
        try:
            await bulk.act(visit, case_id, given)
        except Mendable as fault:
            failed.append((row, fault.detail))
    if not failed:
        raise go(f"{AT}?{filters(visit)}".rstrip("?"), "bulk_done")
    return await visit.page(
        "queue_summary", 409, bulk=bulk, given=given, taken=(), refused=(), filters=filters(visit), failed=failed
    )


def _read(given: dict[str, str], chosen: Sequence[str]) -> Bulk:
    bulk = BULK.get(given.get("act", ""))
    if bulk is None:
        raise Invalid("say what is to be done: assign them, send them back, or reject them")
    if not chosen:
        raise Invalid("tick the cases that it is about")
    given["ground"] = given.get("ground") or GROUNDS[0]
    if given["ground"] not in GROUNDS:
        raise Invalid(f"a ground is one of {', '.join(GROUNDS)}")
    if bulk.reason and not given.get("reason"):
        raise Invalid("write the reason; it is kept for ever and told to those it concerns")
    return bulk


_FOR = [Role.REVIEWER]
PAGES = [
    Page("GET", AT, show, _FOR),
    Page("POST", AT, summary, _FOR),
    Page("POST", f"{AT}/act", act, _FOR),
]
