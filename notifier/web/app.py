"""The HTTP face, whole: middlewares, the API under its base, and the pages beside it."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from notifier.services.context import Context
from notifier.store.ids import new_id
from notifier.web import site
from notifier.web.api import BASE, FAMILIES
from notifier.web.edge import edge
from notifier.web.errors import problems
from notifier.web.metrics import Metrics
from notifier.web.openapi import document
from notifier.web.pages import (
    Pages,
    account,
    admin,
    admin_tokens,
    alarms,
    answer,
    appeal,
    appeals_desk,
    case,
    case_acts,
    case_files,
    case_review,
    cases,
    channels,
    configured,
    events,
    figures,
    figures_reports,
    granted,
    home,
    log,
    oidc,
    people,
    portal,
    portal_channel,
    queue,
    sign_in,
    submit,
    tokens,
    transparency,
    uploads,
    watch,
    work,
)
from notifier.web.pages.desk import Page, add_pages
from notifier.web.pages.faults import page_faults
from notifier.web.routes import Route, endpoint

# Every page behind a sign-in.
SIGNED: Sequence[Page] = (
    *home.PAGES,
    *sign_in.PAGES,
    *account.PAGES,
    *people.PAGES,
    *queue.PAGES,
    *cases.PAGES,
    *case.PAGES,
    *case_acts.PAGES,
    *case_files.PAGES,
    *case_review.PAGES,
    *submit.PAGES,
    *uploads.PAGES,
    *work.PAGES,
    *alarms.PAGES,
    *appeals_desk.PAGES,
    *watch.PAGES,
    *events.PAGES,
    *tokens.PAGES,
    *portal.PAGES,
    *portal_channel.PAGES,
    *figures.PAGES,
    *figures_reports.PAGES,
    *admin.PAGES,
    *configured.PAGES,
    *channels.PAGES,
    *admin_tokens.PAGES,
    *granted.PAGES,
    *log.PAGES,
    *oidc.PAGES,
)


def make_app(
    ctx: Context, *, ready: Callable[[], Awaitable[Mapping[str, bool]]], metrics: Metrics | None = None
) -> web.Application:
    """The application over one context. `ready` says of each thing we need whether it answers."""
    metrics = metrics or Metrics()
    pages = Pages(organisation=ctx.settings.organisation, simulated=ctx.settings.simulated)
    app = web.Application(middlewares=[edge(ctx, metrics, new_id), page_faults(pages), problems])
    for family in FAMILIES.values():
        for route in family:
            act = endpoint(route, ctx)
            address = BASE + _narrowed(route)
            if route.method == "GET":
                app.router.add_get(address, act)
            else:
                app.router.add_route(route.method, address, act)
    answer.add_routes(app, ctx, pages)
    appeal.add_routes(app, ctx, pages)
    transparency.add_routes(app, ctx, pages)
    sign_in.add_routes(app, ctx, pages)
    oidc.add_routes(app, ctx, pages)
    add_pages(app, ctx, pages, SIGNED)
    site.add_routes(app, ctx, pages, ready, metrics, _document)
    return app


@cache
def _document() -> Mapping[str, Any]:
    """Half a second of work that most processes are never asked for."""
    return document(FAMILIES, BASE)


def _narrowed(route: Route) -> str:
    """The path with each parameter's own pattern, so that `/reports/batch` is never taken for a report's id."""
    if "path" not in route.takes:
        return route.path
    patterns = _patterns(route.takes["path"])
    return re.sub(r"{(\w+)}", lambda m: f"{{{m[1]}:{patterns[m[1]]}}}", route.path)


@cache
def _patterns(path: type[BaseModel]) -> Mapping[str, str]:
    return {name: its["pattern"].strip("^$") for name, its in path.model_json_schema()["properties"].items()}
