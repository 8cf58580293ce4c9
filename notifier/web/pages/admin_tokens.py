"""API tokens and people's sessions, for admins."""

from aiohttp import web

from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import token_admin
from notifier.services.access import NewToken
from notifier.web.pages import reach
from notifier.web.pages.admin import ADMIN
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/tokens"
_FIELDS = ("name", *reach.FIELDS, "days", "service")


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None, made: NewToken | None = None
) -> web.Response:
    asked = visit.asked("cursor", "ended")
    ended = asked.get("ended") == "yes"
    return await visit.page(
        "admin_tokens",
        fault.http_status if fault else 200,
        found=await token_admin.tokens(visit.ctx, visit.who, ended=ended, cursor=asked.get("cursor")),
        ended=ended,
        **reach.choices(visit),
        given={field: (given or {"days": "90"}).get(field, "") for field in _FIELDS},
        fault=fault.detail if fault else "",
        made=made,
        longest=token_admin.LONGEST_DAYS,
    )


async def make(visit: Visit) -> web.StreamResponse:
    """A token, shown once."""
    given = await visit.form(_FIELDS)
    try:
        made = await token_admin.make(
            visit.ctx,
            visit.who,
            given.get("name", ""),
            reach.read(visit, given),
            days=_days(given),
            service=given.get("service") == "yes",
        )
    except Mendable as error:
        return await _page(visit, error, given)
    return await _page(visit, made=made)


async def revoke(visit: Visit) -> web.StreamResponse:
    given = await visit.form(("token",))
    await token_admin.revoke(visit.ctx, visit.who, given.get("token", ""))
    raise go(_AT, "token_revoked")


async def end_sessions(visit: Visit) -> web.StreamResponse:
    """All sessions of a person, from the list of people."""
    given = await visit.form(("name",))
    await token_admin.end_sessions(visit.ctx, visit.who, given.get("name", ""))
    raise go("/admin/people", "sessions_ended")


def _days(given: dict[str, str]) -> int:
    text = given.get("days", "")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Invalid("days: a number")
    return int(text)


PAGES = [
    Page("GET", _AT, show, ADMIN),
    Page("POST", _AT, make, ADMIN),
    Page("POST", f"{_AT}/revoke", revoke, ADMIN),
    Page("POST", "/admin/sessions/end", end_sessions, ADMIN),
]
