"""Every failure as a problem document (RFC 9457) with a stable `code`; what we did not expect tells nothing."""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from notifier.errors import Conflict, NotifierError, Unauthenticated, Unavailable
from notifier.store.audit import FAILURES
from notifier.store.database import AlreadyThere

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

# SQLSTATE classes that say "not now": connection lost, too few resources, the server goes or comes, a lost race.
_NOT_NOW = ("08", "53", "57P", "40")

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FieldFault(BaseModel):
    """One field of a request that is wrong."""

    at: str = Field(description="Where: the field, dotted.")
    what: str = Field(description="What is wrong, and what would be right.")


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable; `detail` is for people and may change."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="about:blank: the title is that of the HTTP status.")
    title: str = Field(description="The HTTP status in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What happened and what to do.")
    code: str = Field(description="Stable name of the failure.")
    report_id: str | None = Field(default=None, description="A refused report is kept under this id.")
    errors: list[FieldFault] | None = Field(default=None, description="The fields that are wrong.")
    request_id: str | None = Field(default=None, description="Id of this request in our logs.")


def problem(
    status: int,
    code: str,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A problem document; `extra` adds members and replaces none."""
    body = {
        **(extra or {}),
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return web.Response(body=json.dumps(body).encode(), status=status, content_type=MEDIA_TYPE, headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what a handler raises into its problem document."""
    try:
        return await handler(request)
    except NotifierError as error:
        if error.http_status >= 500:
            log.error("http.failed", code=error.code, exc_info=not isinstance(error, Unavailable))
        return of(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_http(error)
    except AlreadyThere:
        return of(Conflict("somebody did the same at the same moment; look again and decide again"))
    except Exception as error:
        if is_unavailable(error):
            log.warning("http.unavailable", error=repr(error))
            return of(Unavailable("the database does not answer; nothing was changed, send it again in a while"))
        log.exception("http.internal")
        return problem(500, "internal", "something went wrong here; the request id finds it in the logs", _ids())


def of(error: NotifierError) -> web.Response:
    """What we raised on purpose. A 500 keeps its words to itself."""
    if error.http_status == 500:
        return problem(500, error.code, "something is wrong here; the request id finds it in the logs", _ids())
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = _challenge(error.code)
    if error.http_status in (429, 503):
        headers["Retry-After"] = str(int(error.extra.get("retry_after") or RETRY_AFTER_S))
    return problem(error.http_status, error.code, error.detail, error.extra, headers)


def is_unavailable(error: Exception) -> bool:
    """Whether the database cannot be reached now, so that the same request may succeed later."""
    if not isinstance(error, FAILURES):
        return False
    state = getattr(error, "sqlstate", None)  # only what the server itself said has one
    return not isinstance(error, ValueError) if state is None else str(state).startswith(_NOT_NOW)


def _challenge(code: str) -> str:
    if code == "bad_signature":
        return "StandardWebhooks"
    return 'Bearer realm="trusted-notifier"'


def _of_http(error: web.HTTPException) -> web.Response:
    """What aiohttp itself refuses: no such route, wrong method, too large."""
    named = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    status = HTTPStatus(error.status)
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    detail = {404: "there is nothing under this address", 405: f"the methods here are {allow.get('Allow')}"}
    code = named.get(status, status.name.lower())
    return problem(status, code, detail.get(status, status.description or status.phrase), headers=allow)


def _ids() -> dict[str, Any]:
    bound = structlog.contextvars.get_contextvars()
    return {"request_id": bound.get("request_id")}
