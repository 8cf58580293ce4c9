"""A person's own account: second step, password, sessions, and which of their seats they act from."""

import segno
from aiohttp import web

from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import credentials, identities, sign_in
from notifier.web.pages.desk import SECOND_STEP, Page, Visit, go

_AT = "/account"


async def show(visit: Visit) -> web.StreamResponse:
    """Everything of the account on one page."""
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None) -> web.Response:
    return await visit.page(
        "account",
        fault.http_status if fault else 200,
        sessions=await sign_in.sessions(visit.ctx, visit.visitor),
        fault=fault.detail if fault else "",
        least=credentials.PASSWORD_MIN,
        provider=identities.offered(visit.ctx),
        tied=await identities.is_tied(visit.ctx, visit.visitor),
    )


async def change_password(visit: Visit) -> web.StreamResponse:
    """Takes the present one and the new one twice."""
    given = await visit.form(("old", "password", "again"))
    try:
        if given.get("password") != given.get("again"):
            return await _page(visit, Invalid("the two passwords differ"))
        await sign_in.change_password(visit.ctx, visit.visitor, given.get("old", ""), given.get("password", ""))
    except Mendable as error:
        return await _page(visit, error)
    raise go(_AT, "password_changed")


async def end_session(visit: Visit) -> web.StreamResponse:
    """One of the person's own."""
    given = await visit.form(("session",))
    await sign_in.sign_out(visit.ctx, visit.visitor, given.get("session", ""))
    raise go(_AT, "session_ended")


async def change_seat(visit: Visit) -> web.StreamResponse:
    """Act from another seat."""
    given = await visit.form(("seat",))
    await sign_in.change_seat(visit.ctx, visit.visitor, given.get("seat", ""))
    raise go("/desk")


async def show_second_step(visit: Visit) -> web.StreamResponse:
    """The QR code for an authenticator app."""
    return await _second_step(visit)


async def _second_step(visit: Visit, fault: NotifierError | None = None) -> web.Response:
    if visit.visitor.has_second_step:
        raise go(_AT)
    secret = await sign_in.offer_second_step(visit.ctx, visit.visitor)
    address = sign_in.address_of(visit.ctx, visit.visitor, secret)
    drawn = segno.make(address, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass="qr")
    return await visit.page(
        "second_step",
        fault.http_status if fault else 200,
        drawn=drawn,
        secret=" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        fault=fault.detail if fault else "",
    )


async def take_second_step(visit: Visit) -> web.StreamResponse:
    """The first code of the app: it works."""
    given = await visit.form(("code",))
    try:
        await sign_in.confirm_second_step(visit.ctx, visit.visitor, given.get("code", ""))
    except Mendable as error:
        return await _second_step(visit, error)
    raise go("/desk", "second_step_set")


PAGES = [
    Page("GET", _AT, show),
    Page("POST", f"{_AT}/password", change_password),
    Page("POST", f"{_AT}/sessions", end_session),
    Page("POST", f"{_AT}/seat", change_seat),
    Page("GET", SECOND_STEP, show_second_step),
    Page("POST", SECOND_STEP, take_second_step),
]
