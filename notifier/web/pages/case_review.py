"""One case under review: exactly what would be sent, what speaks against it, and approval by typing the name."""

import difflib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from aiohttp import web

from notifier.domain.case_state import CaseState
from notifier.errors import Conflict, Invalid, Mendable, NotFound, NotifierError
from notifier.services import awaiting, case_reading, correspondence, links, possible, reading, review
from notifier.services.access import Role
from notifier.services.review import Preview
from notifier.web.pages import case_words, queue
from notifier.web.pages.case_acts import onward
from notifier.web.pages.cases import AT
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.views.cases import PreviewOut, case_row

_FIELDS = ("digest", "name", "note")
_MOST_LINES = 200  # of what changed since an earlier approval


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit, fault: NotifierError | None = None, given: Mapping[str, str] | None = None
) -> web.Response:
    ctx, who, case_id = visit.ctx, visit.who, visit.request.match_info["case_id"]
    row = case_row(who, await reading.case(ctx, who, case_id))
    queued = "queue" in visit.request.query
    if row["state"] != CaseState.IN_REVIEW and fault is None:  # somebody was faster, or its time is over
        raise go(await onward(visit, case_id) if queued else f"{AT}/{case_id}")
    preview = await review.preview(ctx, who, case_id)
    acts = await possible.acts(ctx, who, case_id, ("approve", "reject", "request-evidence"))
    before, after = await awaiting.beside(ctx, who, queue.wanted(visit), case_id) if queued else (None, None)
    shown = PreviewOut.shown(preview)
    return await visit.page(
        "review",
        fault.http_status if fault else 200,
        case=row,
        preview=shown,
        xarf={n.id: json.dumps(n.xarf, indent=2, ensure_ascii=False) for n in shown.notices if n.xarf},
        open_findings=case_words.worst_first(f for f in shown.findings if f.result != "pass"),
        ends={UUID(d.notice.id): d.notice for d in preview.drafts if d.notice.hold_until is not None},
        said=[(e, correspondence.in_words(e)) for e in preview.said],
        earlier=await _earlier(visit, preview),
        reason=case_words.reason(row["review_reason"]),
        acts=acts,
        why_not=acts["approve"],
        queued=queued,
        filters=queue.filters(visit),
        before=before,
        after=after,
        fault=fault.detail if fault else "",
        given={field: (given or {}).get(field, "") for field in _FIELDS},
        grounds=queue.GROUNDS,
    )


async def _earlier(visit: Visit, preview: Preview) -> dict[str, Any] | None:
    """What was approved before, and how what would go now differs from it."""
    agreement = preview.case.agreement or ""
    earlier = await case_reading.approved_before(visit.ctx, visit.who, preview.case.id, agreement)
    if earlier is None:
        return None
    draft = preview.drafts[0] if preview.drafts else None
    old, new = earlier.text, draft.content.text if draft else None
    changed: list[str] = []
    if old is not None and new is not None and draft is not None:
        # Each notice has an id and a token of its own; that these differ says nothing.
        old = old.replace(str(earlier.notice_id), draft.notice.id)
        old = old.replace(str(earlier.reply_token), draft.notice.reply_token)
        was, now = (links.masked(text).splitlines() for text in (old, new))
        changed = list(difflib.unified_diff(was, now, lineterm="", n=1))[2:]
    return {
        "by": earlier.principal,
        "at": earlier.at,
        "same": earlier.digest == preview.digest,
        "other_rules": earlier.program_digest not in (None, preview.case.program_digest),
        "compared": old is not None and new is not None,
        "changed": changed[:_MOST_LINES],
        "cut": len(changed) > _MOST_LINES,
    }


async def approve(visit: Visit) -> web.StreamResponse:
    """Approve exactly what was shown, by its name typed out. A wrong name approves nothing."""
    case_id = visit.request.match_info["case_id"]
    given = await visit.form(_FIELDS)
    queued = "queue" in visit.request.query
    try:
        row = await reading.case(visit.ctx, visit.who, case_id)
        if not case_reading.is_name_of(visit.ctx, given.get("name", ""), row["target"]):
            raise Invalid("what you typed is not the name of this case; nothing was approved")
        if not given.get("digest"):
            raise Conflict("read what would be sent, then approve it")
        ahead = await onward(visit, case_id) if queued else f"{AT}/{case_id}"
        case = await review.approve(visit.ctx, visit.who, case_id, given["digest"], given.get("note", ""), via="page")
    except NotFound:
        raise
    except Mendable as fault:
        return await _page(visit, fault, given)
    raise go(ahead, "case_approved_once" if case.state is CaseState.IN_REVIEW else "case_approved")


PAGES = [
    Page("GET", f"{AT}/{{case_id}}/review", show, [Role.REVIEWER]),
    Page("POST", f"{AT}/{{case_id}}/review", approve, [Role.REVIEWER]),
]
