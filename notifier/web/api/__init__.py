"""Every operation of the API, by family."""

from collections.abc import Mapping, Sequence

from notifier.web.api import audit, cases, catalog, decisions, inbound, notices, reports, waiting
from notifier.web.routes import Route

BASE = "/api/v1"

FAMILIES: Mapping[str, Sequence[Route]] = {
    "reports": reports.ROUTES,
    "cases": cases.ROUTES,
    "decisions": decisions.ROUTES,
    "notices": notices.ROUTES,
    "tasks and alarms": waiting.ROUTES,
    "inbound": inbound.ROUTES,
    "catalog": catalog.ROUTES,
    "audit": audit.ROUTES,
}
