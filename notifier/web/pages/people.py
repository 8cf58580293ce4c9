"""People and their seats, for admins."""

from aiohttp import web

from notifier.errors import Mendable, NotifierError
from notifier.services import people
from notifier.services.access import Role
from notifier.web.pages import reach
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/people"
_FIELDS = ("name", *reach.FIELDS)


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit,
    fault: NotifierError | None = None,
    given: dict[str, str] | None = None,
    link: str = "",
    link_for: str = "",
) -> web.Response:
    return await visit.page(
        "people",
        fault.http_status if fault else 200,
        everybody=await people.everybody(visit.ctx, visit.who),
        **reach.choices(visit),
        given={field: (given or {}).get(field, "") for field in _FIELDS},
        fault=fault.detail if fault else "",
        link=link,
        link_for=link_for,
    )


async def give(visit: Visit) -> web.StreamResponse:
    """A seat for somebody known or new; the link of somebody new is shown once."""
    given = await visit.form(_FIELDS)
    try:
        name, wanted = given.get("name", ""), reach.read(visit, given)
        secret = await people.give(visit.ctx, visit.who, name, wanted)
    except Mendable as error:
        return await _page(visit, error, given)
    if secret is None:
        raise go(_AT, "seat_given")
    return await _page(visit, link=_link(visit, secret), link_for=name)


async def end_seat(visit: Visit) -> web.StreamResponse:
    given = await visit.form(("seat",))
    await people.end_seat(visit.ctx, visit.who, given.get("seat", ""))
    raise go(_AT, "seat_ended")


async def invite(visit: Visit) -> web.StreamResponse:
    """A new link; with it password, second step and sessions are gone."""
    given = await visit.form(("name",))
    try:
        secret = await people.invite_again(visit.ctx, visit.who, given.get("name", ""))
    except Mendable as error:
        return await _page(visit, error)
    return await _page(visit, link=_link(visit, secret), link_for=given["name"])


def _link(visit: Visit, secret: str) -> str:
    return f"{visit.ctx.settings.public_url}/welcome/{secret}"


PAGES = [
    Page("GET", _AT, show, [Role.ADMIN]),
    Page("POST", _AT, give, [Role.ADMIN]),
    Page("POST", f"{_AT}/end", end_seat, [Role.ADMIN]),
    Page("POST", f"{_AT}/invite", invite, [Role.ADMIN]),
]
