"""Who else sees a program's figures: grants to evaluators and auditors of other organisations."""

from datetime import UTC, datetime, timedelta

from aiohttp import web

from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import grants, reloading
from notifier.web.pages.admin import ADMIN
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/grants"
_FIELDS = ("program", "organisation", "until", "names_shown", "small_numbers")
_SHOWN = 100


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None) -> web.Response:
    ctx, who = visit.ctx, visit.who
    programs = [one.id for one in reloading.programs(ctx, who)]
    found = [row for program in programs for row in await grants.of_program(ctx, who, program)]
    found.sort(key=lambda row: (row["ended_at"] is not None, -row["given_at"].timestamp()))
    return await visit.page(
        "granted",
        fault.http_status if fault else 200,
        grants=found[:_SHOWN],
        more=len(found) > _SHOWN,
        programs=programs,
        bounds={program: ctx.program(program).transparency.suppress_below for program in programs},
        given={field: (given or {}).get(field, "") for field in _FIELDS},
        fault=fault.detail if fault else "",
    )


async def give(visit: Visit) -> web.StreamResponse:
    given = await visit.form(_FIELDS)
    try:
        await grants.give(
            visit.ctx,
            visit.who,
            given.get("program", ""),
            given.get("organisation", ""),
            _until(given.get("until", "")),
            names_shown=given.get("names_shown") == "yes",
            small_numbers=given.get("small_numbers") == "yes",
            via="page",
        )
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(_AT, "grant_given")


def _until(text: str) -> datetime:
    """The end of a day, UTC."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise Invalid("until: a day, such as 2027-03-31") from None


async def end(visit: Visit) -> web.StreamResponse:
    given = await visit.form(("grant",))
    await grants.end(visit.ctx, visit.who, given.get("grant", ""), via="page")
    raise go(_AT, "grant_ended")


PAGES = [Page("GET", _AT, show, ADMIN), Page("POST", _AT, give, ADMIN), Page("POST", f"{_AT}/end", end, ADMIN)]
