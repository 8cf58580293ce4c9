"""Every operation of the API, by family."""

from collections.abc import Mapping, Sequence

from notifier.web.api import (
    accuracy,
    agreements,
    appeals,
    audit,
    captures,
    cases,
    catalog,
    decisions,
    deconfliction,
    events,
    files,
    hops,
    inbound,
    joining,
    news,
    notices,
    reports,
    statistics,
    waiting,
)
from notifier.web.routes import Route

BASE = "/api/v1"

FAMILIES: Mapping[str, Sequence[Route]] = {
    "reports": reports.ROUTES,
    "cases": cases.ROUTES,
    "evidence": files.ROUTES,
    "captures": captures.ROUTES,
    "decisions": decisions.ROUTES,
    "merge and detach": joining.ROUTES,
    "news": news.ROUTES,
    "accuracy": accuracy.ROUTES,
    "appeals": appeals.ROUTES,
    "statistics": statistics.ROUTES,
    "hopping": hops.ROUTES,
    "deconfliction": deconfliction.ROUTES,
    "notices": notices.ROUTES,
    "tasks and alarms": waiting.ROUTES,
    "inbound": inbound.ROUTES,
    "catalog": catalog.ROUTES,
    "live events": events.ROUTES,
    "agreements": agreements.ROUTES,
    "audit": audit.ROUTES,
}
