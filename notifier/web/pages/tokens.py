"""A person's own API tokens: made from the seat they act from, shown once, revoked at once."""

from aiohttp import web

from notifier.errors import Mendable, NotifierError
from notifier.services import tokens
from notifier.web.pages.desk import Page, Visit, go

_AT = "/account/tokens"
_FIELDS = ("label", "days", "programs")
_USUAL = {"days": "90"}


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None, secret: str = ""
) -> web.Response:
    reach = visit.who.programs
    return await visit.page(
        "tokens",
        fault.http_status if fault else 200,
        tokens=await tokens.own(visit.ctx, visit.visitor),
        spans=tokens.SPANS,
        programs=sorted(visit.ctx.catalog.programs if reach is None else reach),
        public_url=visit.ctx.settings.public_url.rstrip("/"),
        given={name: (given or _USUAL).get(name, "") for name in _FIELDS},
        secret=secret,
        fault=fault.detail if fault else "",
    )


async def make(visit: Visit) -> web.StreamResponse:
    """The secret stands on the page that answers, and nowhere else."""
    given = await visit.form(_FIELDS)
    try:
        days = given.get("days", "")
        secret = await tokens.make(
            visit.ctx,
            visit.visitor,
            given.get("label", ""),
            int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0,
            given.get("programs", "").replace(",", " ").split(),
        )
    except Mendable as error:
        return await _page(visit, error, given)
    return await _page(visit, secret=secret)


async def revoke(visit: Visit) -> web.StreamResponse:
    given = await visit.form(("token",))
    await tokens.revoke(visit.ctx, visit.visitor, given.get("token", ""))
    raise go(_AT, "token_revoked")


PAGES = [
    Page("GET", _AT, show),
    Page("POST", _AT, make),
    Page("POST", f"{_AT}/revoke", revoke),
]
