"""The page of one case: all that is known of it, what comes next, and the acts that can succeed now."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from notifier.domain.rule import Recipient
from notifier.errors import NotFound, NotifierError
from notifier.services import captures, case_reading, correspondence, possible, reading
from notifier.services.access import Role
from notifier.web.pages import case_words
from notifier.web.pages.cases import AT, READERS
from notifier.web.pages.desk import Page, Visit
from notifier.web.views.base import STAFF
from notifier.web.views.cases import case_row, entry
from notifier.web.views.notices import notice_detail

# Which acts a page may offer to each role; what can succeed of these is asked of the case.
_OFFERED: Mapping[Role, Sequence[str]] = {
    Role.SUBMITTER: ("evidence", "withdraw"),
    Role.REVIEWER: tuple(possible.ALL),
    Role.AUDITOR: (),
    Role.ADMIN: (),
}
_CAPTURES = (Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR)
_FILES = (Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR)


async def show(visit: Visit) -> web.StreamResponse:
    return await page(visit)


async def page(
    visit: Visit,
    fault: NotifierError | None = None,
    act: str = "",
    given: Mapping[str, str] | None = None,
    sent: Sequence[tuple[str, str]] = (),
) -> web.Response:
    """The case whose id is in the address; after an act that failed, with that act's form open and what was typed.

    `sent`: files that just came, each with why it was not taken, or nothing.
    """
    ctx, who, case_id = visit.ctx, visit.who, visit.request.match_info["case_id"]
    row = case_row(who, await reading.case(ctx, who, case_id))
    parts = await case_reading.parts(ctx, who, case_id)
    acts = await possible.acts(ctx, who, case_id, _OFFERED[who.role])
    entries, older = await case_reading.timeline(ctx, who, case_id)
    looks, more_looks = await case_reading.observations(ctx, who, case_id)
    found = await captures.of_case(ctx, who, case_id, newest=10) if who.role in _CAPTURES else []
    program = ctx.catalog.programs.get(row["program"])
    staff = who.role in STAFF
    return await visit.page(
        "case",
        fault.http_status if fault else 200,
        case=row,
        next=case_words.next_step(row),
        reason=case_words.reason(row["review_reason"]),
        clocks=[(case_words.clock(c.kind), c.due_at) for c in await case_reading.clocks(ctx, who, case_id)]
        if staff
        else [],
        wanted=await case_reading.wanted(ctx, who, case_id),
        parts=parts,
        findings=case_words.worst_first(await case_reading.findings(ctx, who, case_id)),
        ladder=_ladder(row, program.ladder if program else ()),
        said=[(e, correspondence.in_words(e)) for e in await case_reading.exchanges(ctx, who, case_id)]
        if staff
        else [],
        pictures={f["sha256"] for f in parts["files"] if f["media_type"] == "image/png" and f["erased_at"] is None},
        captures=found,
        entries=[entry(who, e) for e in entries],
        older=older,
        looks=[(look, case_words.look(look["look"])) for look in looks],
        more_looks=more_looks,
        acts=acts,
        may=[name for name, why in acts.items() if why is None],
        staff=staff,
        takes_files=who.role in _FILES,
        files_max=ctx.settings.files_max,
        fault=fault.detail if fault else "",
        tried=act,
        given=given or {},
        sent=sent,
        parties=[Recipient.HOST, Recipient.REGISTRAR],
    )


def _ladder(row: Mapping[str, Any], steps: Sequence[Any]) -> list[tuple[str, str, str]]:
    """Each party of the program's ladder: who, for what, and whether its turn is over, was skipped, is now or later."""
    found, reached = [], row["step"] not in [str(step.recipient) for step in steps]
    for step in steps:
        party = str(step.recipient)
        now = party == row["step"]
        turn = "passed" if party in row["passed"] else "now" if now else "later" if reached else "skipped"
        reached = reached or now
        found.append((party, str(row["measure"] if now else step.measure), turn))
    return found


async def timeline(visit: Visit) -> web.StreamResponse:
    """Every step of a case, newest first, page by page."""
    case_id = visit.request.match_info["case_id"]
    row = await reading.case(visit.ctx, visit.who, case_id)
    given = visit.asked("before").get("before", "")
    before = int(given) if given.isdecimal() and len(given) < 19 else None
    entries, older = await case_reading.timeline(visit.ctx, visit.who, case_id, before=before, limit=200)
    return await visit.page(
        "case_timeline", case=row, entries=[entry(visit.who, e) for e in entries], older=older, before=before
    )


async def notice(visit: Visit) -> web.StreamResponse:
    """The exact text of one notice of the case, and what came back."""
    case_id, notice_id = (visit.request.match_info[name] for name in ("case_id", "notice_id"))
    row = await reading.notice(visit.ctx, visit.who, notice_id)
    if str(row["case_id"]) != case_id:
        raise NotFound(f"the case has no notice {notice_id!r}")
    shown = notice_detail(visit.who, row)
    xarf = json.dumps(shown.content.xarf, indent=2, ensure_ascii=False) if shown.content.xarf else ""
    return await visit.page("case_notice", notice=shown, xarf=xarf)


PAGES = [
    Page("GET", f"{AT}/{{case_id}}", show, READERS),
    Page("GET", f"{AT}/{{case_id}}/timeline", timeline, READERS),
    Page("GET", f"{AT}/{{case_id}}/notices/{{notice_id}}", notice, sorted(STAFF)),
]
