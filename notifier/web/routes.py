"""The route layer: an operation is declared once, and its checks and its OpenAPI page both follow from that.

A handler is a plain function of what it needs, by parameter name: `ctx`, `who`, `source` (the address that it came from),
`path`, `query`, `headers`, `body`.
The annotations of the last four are pydantic models; `body` may be RawBody, or an Upload that nobody has read yet.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias, TypeVar, get_type_hints

import structlog
from aiohttp import web
from pydantic import BaseModel, ValidationError

from notifier.domain.report import REPORT_MAX_BYTES
from notifier.errors import Invalid, Mendable, NotFound, NotifierError
from notifier.services.access import Role
from notifier.services.context import Context
from notifier.settings import Settings
from notifier.web import auth
from notifier.web.upload import Upload

Endpoint: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

JSON = "application/json"
# Whatever a file is, no browser opens it as a page of ours.
_ATTACHMENT = {
    "Content-Type": "application/octet-stream",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
_M = TypeVar("_M", bound=BaseModel)

log = structlog.get_logger(__name__)
_PARTS = ("path", "query", "headers", "body")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: one of the codes its route declares, and that code's model."""

    status: int
    body: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class Download:
    """A file that leaves as an attachment under a name of ours; `size` in bytes, None when it is not known before.

    `shown_as`: a page of ours shows it, as this type and no other; for what we made ourselves.
    """

    name: str
    content: AsyncIterator[bytes]
    size: int | None
    shown_as: str | None = None


@dataclass(frozen=True, slots=True)
class RawBody:
    """A request's body as it came, with its media type and all its headers, names in lower case."""

    content: bytes
    media_type: str
    headers: Mapping[str, str]


class UnsupportedMediaType(Mendable):
    """The body is of a type that this operation does not take; the detail names those it takes."""

    code, http_status = "unsupported_media_type", 415


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers`: the model of each success code, None for an empty body.

    `roles`: who may, in words for the page; services decide. `problems`: failures beside those that follow from the
    shape. `raw`: model or JSON Schema by media type, for a RawBody. `anonymous`: no token is asked for.
    """

    method: str
    path: str
    act: Callable[..., Awaitable[Reply | Download]]
    summary: str
    answers: Mapping[int, type[BaseModel] | type[Download] | None]
    roles: Sequence[Role] = ()
    problems: Sequence[int] = ()
    raw: Mapping[str, type[BaseModel] | Mapping[str, Any]] = field(default_factory=dict)
    max_bytes: int = REPORT_MAX_BYTES
    anonymous: bool = False

    def __post_init__(self) -> None:
        takes = set(inspect.signature(self.act).parameters)
        if takes - {"ctx", "who", "source", *_PARTS} or ("who" in takes) is self.anonymous:
            raise TypeError(f"{self.method} {self.path}: {self.act.__name__} takes {sorted(takes)}")

    @property
    def takes(self) -> Mapping[str, Any]:
        """The models of `path`, `query`, `headers` and `body`, those that the handler asks for."""
        return _taken(self.act)


@cache
def _taken(act: Callable[..., Any]) -> Mapping[str, Any]:
    hints = get_type_hints(act)
    return {part: hints[part] for part in _PARTS if part in hints}


def endpoint(route: Route, ctx: Context) -> Endpoint:
    """The route as aiohttp calls it. Every failure leaves as an exception; `errors` makes a problem document of it."""
    takes, wants_who = route.takes, not route.anonymous
    wants_source = "source" in inspect.signature(route.act).parameters

    async def answer(request: web.Request) -> web.StreamResponse:
        given: dict[str, Any] = {"ctx": ctx}
        if wants_who:
            given["who"] = await auth.principal(ctx, request)
        if wants_source:
            given["source"] = source(request, ctx.settings)
        if "path" in takes:
            given["path"] = _path(request, takes["path"])
        if "headers" in takes:
            given["headers"] = _headers(request, takes["headers"])
        given |= {"query": _query(request, takes["query"])} if "query" in takes else _no_query(request)
        if "body" in takes:
            given["body"] = await _body(request, route, takes["body"])
        reply = await route.act(**given)
        if isinstance(reply, Download):
            return await send_file(request, reply)
        if reply.body is None:
            return web.Response(status=reply.status)
        return web.Response(status=reply.status, body=reply.body.model_dump_json().encode(), content_type=JSON)

    return answer


async def send_file(request: web.Request, found: Download) -> web.StreamResponse:
    """A file piece by piece. One that turns out altered breaks off: the receiver has an incomplete file, no wrong one."""
    first = await anext(found.content, b"")  # what cannot be read at all is still a problem document
    headers = {**_ATTACHMENT, "Content-Disposition": f'attachment; filename="{found.name}"'}
    if found.shown_as is not None:
        headers |= {"Content-Type": found.shown_as, "Content-Disposition": "inline"}
    response = web.StreamResponse(headers=headers)
    response.content_length = found.size
    await response.prepare(request)
    try:
        await response.write(first)
        async for piece in found.content:
            await response.write(piece)
        await response.write_eof()
    except NotifierError as fault:
        log.error("http.broken_off", code=fault.code)
        if request.transport is not None:
            request.transport.abort()
    return response


def source(request: web.Request, settings: Settings) -> str:
    """The address that a request came from: the last that our own proxy wrote down, where the settings name its header.

    Whatever stands before that is the sender's own word (RFC 7239 §8.1).
    """
    if settings.client_address_header:
        written = ",".join(request.headers.getall(settings.client_address_header, []))
        if last := written.rpartition(",")[2].strip():
            return last[:100]
    return request.remote or ""


# --- reading a request --------------------------------------------------------------------------------------------


def _path(request: web.Request, model: type[BaseModel]) -> BaseModel:
    try:
        return model.model_validate_strings(dict(request.match_info))
    except ValidationError:  # a name that cannot be one names nothing
        raise NotFound("there is nothing under this address") from None


def _headers(request: web.Request, model: type[BaseModel]) -> BaseModel:
    names = [field.alias or name for name, field in model.model_fields.items()]
    for name in names:
        if len(request.headers.getall(name, [])) > 1:
            raise Invalid(f"the header {name} came more than once")
    given = {name: request.headers[name] for name in names if name in request.headers}
    return _validated(lambda: model.model_validate_strings(given), "header")


def _query(request: web.Request, model: type[BaseModel]) -> BaseModel:
    given = dict(request.query)
    if len(given) != len(request.query):
        raise Invalid("a query parameter came more than once")
    return _validated(lambda: model.model_validate_strings(given), "query")


def _no_query(request: web.Request) -> dict[str, Any]:
    if request.query:
        raise Invalid(f"this operation takes no query parameters, and there is {next(iter(request.query))[:100]!r}")
    return {}


_Taken: TypeAlias = BaseModel | RawBody | Upload


async def _body(request: web.Request, route: Route, model: type[_Taken]) -> _Taken:
    media_type, allowed = request.content_type.lower(), tuple(route.raw) or (JSON,)
    if "Content-Type" not in request.headers or media_type not in allowed:
        raise UnsupportedMediaType(f"the body's Content-Type must be {' or '.join(allowed)}")
    if issubclass(model, Upload):
        return Upload(request, media_type, route.max_bytes)
    content = await Upload(request, media_type, route.max_bytes).content()
    if not issubclass(model, BaseModel):
        return RawBody(content, media_type, {k.lower(): _storable(v) for k, v in request.headers.items()})
    return parsed(model, content)


def parsed(model: type[_M], content: bytes) -> _M:
    """A body, or a part of one, as its model. Raises Invalid with each wrong field."""
    return _validated(lambda: model.model_validate_json(content), "body")


def _storable(value: str) -> str:
    """A header's value without the lone surrogates that bytes beyond UTF-8 become."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _validated(read: Callable[[], _M], where: str) -> _M:
    try:
        return read()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
    named = [{"at": ".".join(str(p) for p in f["loc"]) or where, "what": f["msg"]} for f in faults[:20]]
    code = "malformed" if any(f["type"] == "json_invalid" for f in faults) else "invalid"
    raise Invalid("; ".join(f"{n['at']}: {n['what']}" for n in named[:5]), code=code, errors=named)
