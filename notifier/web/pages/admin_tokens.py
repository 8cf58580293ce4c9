"""API tokens and people's sessions, for admins."""

from aiohttp import web

from notifier.errors import Invalid, NotifierError
from notifier.services import token_admin
from notifier.services.access import PERMISSIONS, NewToken, Role
from notifier.services.people import Reach
from notifier.web.pages.admin import ADMIN
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/tokens"
_FIELDS = ("name", "role", "organisation", "registry", "programs", "permissions", "days", "service")


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
        roles=list(Role),
        permissions=PERMISSIONS,
        registries=sorted(visit.ctx.catalog.registries),
        programs=sorted(visit.ctx.catalog.programs),
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
            _reach(given, visit.who.organisation),
            days=_days(given),
            service=given.get("service") == "yes",
        )
    except NotifierError as error:
        if error.http_status >= 500:
            raise
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


def _reach(given: dict[str, str], organisation: str) -> Reach:
    role = given.get("role", "")
    if role not in tuple(Role):
        raise Invalid(f"a role is one of {', '.join(Role)}")
    programs = given.get("programs", "").replace(",", " ").split()
    return Reach(
        Role(role),
        given.get("organisation", "") or organisation,
        given.get("registry") or None,
        frozenset(programs) if programs else None,
        frozenset(given.get("permissions", "").replace(",", " ").split()),
    )


PAGES = [
    Page("GET", _AT, show, ADMIN),
    Page("POST", _AT, make, ADMIN),
    Page("POST", f"{_AT}/revoke", revoke, ADMIN),
    Page("POST", "/admin/sessions/end", end_sessions, ADMIN),
]
