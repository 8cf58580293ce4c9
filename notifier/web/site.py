"""What is outside the API: health, metrics, the OpenAPI document, its reader, and a first page. All assets are ours."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from aiohttp import web

from notifier.errors import NotFound
from notifier.services.context import Context
from notifier.web.errors import problem
from notifier.web.metrics import CONTENT_TYPE_LATEST, Metrics
from notifier.web.pages import Pages, language

Ready = Callable[[], Awaitable[Mapping[str, bool]]]

_OURS = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png", ".svg": "image/svg+xml"}
_READER_FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_OUR_FILES = ("docs.js", "icon.svg", "site.css", "site.js")
# Swagger UI draws its icons from data: addresses and asks our own API alone.
_READER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def add_routes(
    app: web.Application,
    ctx: Context,
    pages: Pages,
    ready: Ready,
    metrics: Metrics,
    api: Callable[[], Mapping[str, Any]],
) -> None:
    """Serve everything outside the API's base. `api` makes its document, outside the loop: that takes its time."""
    files = _files()

    async def healthz(_: web.Request) -> web.Response:
        return _json({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        checks = dict(await ready())
        if all(checks.values()):
            return _json(checks)
        failing = ", ".join(name for name, good in checks.items() if not good)
        return problem(503, "not_ready", f"not ready: {failing}", {"checks": checks}, {"Retry-After": "5"})

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=await metrics.page(ctx), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def openapi(_: web.Request) -> web.Response:
        return _json(await asyncio.to_thread(api))

    async def index(request: web.Request) -> web.Response:
        speaks = language.of(request)
        return speaks.mark(pages.page("index", **speaks.shown))

    async def docs(_: web.Request) -> web.Response:
        return pages.page("docs", policy=_READER_POLICY)

    async def static(request: web.Request) -> web.StreamResponse:
        file = files.get(request.match_info["file"])
        if file is None:
            raise NotFound("there is nothing under this address")
        headers = {"Content-Type": _TYPES[file.suffix], "Cache-Control": "public, max-age=3600"}
        return web.FileResponse(file, headers=headers)

    app.add_routes(
        [
            web.get("/", index),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", show_metrics),
            web.get("/openapi.json", openapi),
            web.get("/docs", docs),
            web.get("/static/{file}", static),
        ]
    )


def _files() -> dict[str, Path]:
    """The few files that the pages need, by name; nothing else of the reader's package can be asked for."""
    spec = find_spec("swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package swagger-ui-py is not installed; /docs needs its files")
    reader = Path(spec.submodule_search_locations[0]) / "static"
    return {name: reader / name for name in _READER_FILES} | {name: _OURS / name for name in _OUR_FILES}


def _json(data: Mapping[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(data).encode(), content_type="application/json")
