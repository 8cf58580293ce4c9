"""Who calls: a bearer token (RFC 6750 §2.1) becomes the principal that every service verb takes."""

import re

from aiohttp import web

from notifier.errors import Unauthenticated
from notifier.services import access
from notifier.services.access import Principal
from notifier.services.context import Context

# RFC 6750 §2.1 b64token, bounded; the scheme's name knows no case (RFC 9110 §11.1).
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,512}=*)", re.IGNORECASE)


async def principal(ctx: Context, request: web.Request) -> Principal:
    """The principal behind the request's one bearer token. Raises Unauthenticated."""
    given = request.headers.getall("Authorization", [])
    if not given:
        raise Unauthenticated("send a token as `Authorization: Bearer TOKEN`; `notifier token add` makes one")
    match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    if match is None:
        raise Unauthenticated("the Authorization header is not one `Bearer TOKEN`")
    return await access.authenticate(ctx.db, match[1])
