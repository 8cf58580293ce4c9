"""What is known of the pages that were reported, for a look that asks whether they still stand."""

from notifier.domain import evidence as ev
from notifier.domain.case import Case
from notifier.domain.cure import Known, Reported, mark
from notifier.domain.outcome import Look
from notifier.services import evaluation
from notifier.store import captures as capture_store
from notifier.store.database import Connection


async def reported(con: Connection, case: Case) -> Reported:
    """The sample pages, each as it was captured last before anybody was asked, and the names of what was reported."""
    urls = await evaluation.sample_urls(con, case.id)
    known = {
        capture.url: Known(capture.words, capture.sketch)
        for capture in await capture_store.shown(con, case.id, urls, case.notified_at)
    }
    names = {work.title for report in await evaluation.reports_of(con, case.id) for work in report.works}
    for _, item in await evaluation.evidence_of(con, case.id):
        names |= set(_names(item))
    return Reported(tuple(urls), known, frozenset(found for name in names if (found := mark(name)) is not None))


def _names(item: ev.Evidence) -> list[str]:
    match item:
        case ev.Capture():
            return [item.offers] if item.offers else []
        case ev.TestPurchase():
            return [item.product]
        case ev.WarningLetter():
            return [name for product in item.products for name in (product.name, product.active_ingredient) if name]
        case ev.Sample():
            return [page.work for page in item.items if page.work]
    return []


def changed(seen: Look) -> bool:
    """Whether another text stands where the reported pages stood, and none of them is shown to anybody."""
    return seen.content is not None and seen.content.answer == "changed"
