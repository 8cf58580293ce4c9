"""What `/metrics` tells, in Prometheus' text format. Numbers only: no name, no case, no person."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from notifier.services.context import Context
from notifier.store.queue import backlog
from notifier.web.errors import is_unavailable

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_COUNTS = {
    "reports": "select coalesce(code, 'accepted') as label, count(*) as n from report group by 1",
    "cases": "select state as label, count(*) as n from cases group by 1",
    "notices": "select state as label, count(*) as n from notice group by 1",
    "alarms": "select kind as label, count(*) as n from alarm where closed_at is null group by 1",
    "live": "select case when waited_for_look then 'yes' else 'no' end as label, count(*) as n from notice "
    "where event is not null and purpose = any(array['request', 'escalation', 'amendment']) and sent_at is not null group by 1",
    "inbound": "select coalesce(fate, 'unread') as label, count(*) as n from inbound group by 1",
}
# What has no leaf is new, so the two largest numbers are held against each other and no table is read whole.
_UNSEALED = (
    "select (select count(*) from audit_entry where id > coalesce((select max(entry_id) from audit_leaf), 0)) as n"
)
_UNTOLD = "select count(*) from alarm where told_at is null and closed_at is null"


class Metrics:
    """One process's metrics in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "notifier_http_requests", "HTTP requests.", ("route", "method", "code"), registry=self._registry
        )
        self._seconds = Histogram(
            "notifier_http_request_seconds", "Time to answer.", ("route", "method"), registry=self._registry
        )
        self._up = Gauge("notifier_database_up", "1 if the database answered.", registry=self._registry)
        self._gauges = {
            "reports": self._gauge("notifier_reports", "Reports by refusal code, or accepted.", "code"),
            "cases": self._gauge("notifier_cases", "Cases by state.", "state"),
            "notices": self._gauge("notifier_notices", "Notices by state.", "state"),
            "inbound": self._gauge("notifier_inbound", "Messages that came in, by where they ended.", "fate"),
            "live": self._gauge(
                "notifier_live_notices",
                "Notices because of a live event that left, by whether they waited for a look.",
                "waited_for_look",
            ),
            "alarms": self._gauge("notifier_alarms_open", "Alarms that nobody has ended, by kind.", "kind"),
            "queue": self._gauge("notifier_queue_jobs", "Jobs by their state in the queue.", "state"),
        }
        self._unsealed = Gauge(
            "notifier_audit_unsealed", "Audit entries newer than the last sealed one.", registry=self._registry
        )

        self._untold = Gauge(
            "notifier_alarms_untold", "Open alarms that left neither by mail nor by webhook.", registry=self._registry
        )

    def _gauge(self, name: str, text: str, label: str) -> Gauge:
        return Gauge(name, text, (label,), registry=self._registry)

    def seen(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, method, str(code)).inc()
        self._seconds.labels(route, method).observe(seconds)

    async def page(self, ctx: Context) -> bytes:
        """Everything as text. Without a database it tells of the process alone, and that the database is down."""
        try:
            for name, query in _COUNTS.items():
                self._set(name, {row["label"]: row["n"] for row in await ctx.db.fetch(query)})
            self._set("queue", await backlog(ctx.db.pool))
            self._untold.set(await ctx.db.fetchval(_UNTOLD))
            self._unsealed.set(await ctx.db.fetchval(_UNSEALED))
            self._up.set(1)
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._up.set(0)
            for gauge in self._gauges.values():  # an old number would look like a fresh one
                gauge.clear()
        return generate_latest(self._registry)

    def _set(self, name: str, counts: Mapping[str, int]) -> None:
        gauge = self._gauges[name]
        gauge.clear()  # a state that nothing is in any more disappears
        for label, n in counts.items():
            gauge.labels(label).set(n)
