"""The audit log: its entries, and the proof that one of them stands where it was signed."""

import json

from aiohttp import web

from notifier.errors import NotFound
from notifier.services import audit_reading
from notifier.services.audit_reading import READERS, EntryFilter
from notifier.web.pages.desk import Page, Visit
from notifier.web.views.log import InclusionOut

_AT = "/audit"
_ONE = f"{_AT}/{{entry_id:[0-9]{{1,18}}}}"


async def show(visit: Visit) -> web.StreamResponse:
    """Entries, the newest first, by what the address asks for."""
    asked = visit.asked("tag", "subject", "case", "cursor")
    wanted = EntryFilter(asked.get("tag"), asked.get("subject"), asked.get("case"))
    found = await audit_reading.entries(visit.ctx, visit.who, wanted, asked.get("cursor"))
    asked = {name: asked.get(name, "") for name in ("tag", "subject", "case")}
    return await visit.page("log", 200, found=found, asked=asked)


async def show_entry(visit: Visit) -> web.StreamResponse:
    """One entry, whole, and its proof."""
    found = await audit_reading.entry(visit.ctx, visit.who, int(visit.request.match_info["entry_id"]))
    proof = InclusionOut.shown(found.proof) if found.proof else None
    return await visit.page("log_entry", 200, entry=found.row, proof=proof)


async def download_proof(visit: Visit) -> web.StreamResponse:
    """Entry and proof as one file, to be checked where nobody trusts us."""
    found = await audit_reading.entry(visit.ctx, visit.who, int(visit.request.match_info["entry_id"]))
    if found.proof is None:
        raise NotFound("the entry is not sealed yet, which takes a second; try again")
    whole = {"body": found.row["body"], **InclusionOut.shown(found.proof).model_dump()}
    headers = {
        "Content-Disposition": f'attachment; filename="entry-{found.proof.entry_id}.json"',
        "Cache-Control": "private, no-store",
    }
    text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    return web.Response(text=text, content_type="application/json", headers=headers)


PAGES = [
    Page("GET", _AT, show, READERS),
    Page("GET", _ONE, show_entry, READERS),
    Page("GET", f"{_ONE}/proof.json", download_proof, READERS),
]
