"""All cases in scope: found by any form of the name, a reference or an id, and narrowed by filters in the address."""

from aiohttp import web

from notifier.domain.case_state import CaseState
from notifier.errors import Invalid, NotFound, NotifierError
from notifier.services import case_reading, paging, reading
from notifier.services.access import Role
from notifier.services.reading import CaseFilter
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.views.cases import case_row

AT = "/desk/cases"
READERS = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN]
_FILTERS = ("state", "program", "registry", "outcome", "assignee", "overdue", "held")
_MOST = 2_000  # characters of what is searched for


async def show(visit: Visit) -> web.StreamResponse:
    """The list; a search that finds one case alone goes straight to it."""
    asked = visit.asked("q", "cursor", *_FILTERS)
    fault: NotifierError | None = None
    page = paging.Page([], None)
    try:
        page = await _found(visit, asked)
    except (Invalid, NotFound) as error:
        fault = error
    if "q" in asked and "cursor" not in asked and len(page.items) == 1 and not any(f in asked for f in _FILTERS):
        raise go(f"{AT}/{page.items[0]['id']}")
    return await visit.page(
        "cases",
        rows=[case_row(visit.who, row) for row in page.items],
        next_cursor=page.next_cursor,
        asked=dict.fromkeys(("q", *_FILTERS), "") | asked,
        narrowed=bool(asked.keys() - {"cursor"}),
        fault=fault.detail if fault else "",
        states=list(CaseState),
        programs=sorted(visit.ctx.catalog.programs),
        registries=sorted(visit.ctx.catalog.registries),
    )


async def _found(visit: Visit, asked: dict[str, str]) -> paging.Page:
    text = asked.get("q")
    if text is not None:
        if len(text) > _MOST:
            raise Invalid("that is too long for a name; give the name, a reference such as TN-2026-000123, or an id")
        found = await case_reading.find(visit.ctx, visit.who, text)
        if found is not None:
            raise go(f"{AT}/{found}")
    wanted = CaseFilter(
        state=asked.get("state"),
        program=asked.get("program"),
        registry=asked.get("registry"),
        domain=text,
        outcome=asked.get("outcome"),
        assignee=_assignee(visit, asked.get("assignee")),
        overdue=True if "overdue" in asked else None,
        held=True if "held" in asked else None,
    )
    return await reading.cases(visit.ctx, visit.who, wanted, cursor=asked.get("cursor"))


def _assignee(visit: Visit, given: str | None) -> str | None:
    """Who looks after a case is told to staff alone; a submitter's list cannot be narrowed by it."""
    if visit.who.role is Role.SUBMITTER:
        return None
    return visit.who.id if given == "me" else given


PAGES = [Page("GET", AT, show, READERS)]
