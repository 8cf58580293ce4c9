"""The recipients' desk: what waits for their answer, one notice in a minute, and what they answered so far."""

from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from notifier.domain.answer import ACTORS
from notifier.domain.epp import Measure
from notifier.errors import Mendable, NotFound, NotifierError
from notifier.services import drafting, files, paging, portal, reading, responses
from notifier.services.access import Role
from notifier.services.portal import Wanted
from notifier.store.ids import as_uuid
from notifier.web.api.files import zipped
from notifier.web.pages import answer
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.routes import Download, send_file

_AT = "/portal"
_ONE = f"{_AT}/notices/{{notice_id:[0-9a-fA-F-]{{36}}}}"
_FIELDS = (*answer.FIELDS, "reason", "sure")
_NEWEST = 10

# Why a recipient may decline, in its own words.
DECLINE: Mapping[str, str] = {
    "declined_insufficient": "The evidence does not convince us",
    "declined_out_of_scope": "Our policy or agreement does not cover this",
    "declined_nexus": "We have no authority over this name or registrant",
    "declined_court_order_required": "We act on a court order alone",
    "declined_collateral": "It would hurt too many others",
    "declined_compromised": "The site was broken into; its owner is not to blame",
    "declined_other": "Another reason, which we give in words",
}
# What our looks say of a claim, as a sentence.
VERDICTS: Mapping[str, str] = {
    "pending": "Not seen yet. We go on looking until the deadline.",
    "verified": "Seen: the registry's RDAP and the zone both show it.",
    "verified_dns_only": "Seen in the zone alone; RDAP told us nothing of it.",
    "partial": "Seen in part.",
    "contradicted": "Not so: what we see says otherwise.",
    "unverifiable": "It cannot be told from outside whether it was done.",
    "relapsed": "It was done, and is undone.",
    "released": "It was undone, as we asked.",
}


async def show_list(visit: Visit) -> web.StreamResponse:
    """What waits first; filters live in the address."""
    asked = visit.asked("show", "state", "domain", "cursor")
    wanted = Wanted(asked.get("show", "waiting"), asked.get("state"), asked.get("domain"))
    fault, found = None, paging.Page([], None)
    try:
        found = await portal.notices(visit.ctx, visit.who, wanted, cursor=asked.get("cursor"))
    except Mendable as error:
        fault = error
    first = wanted == Wanted() and "cursor" not in asked
    lately = await portal.notices(visit.ctx, visit.who, Wanted("answered"), limit=_NEWEST) if first else None
    return await visit.page(
        "portal",
        fault.http_status if fault else 200,
        found=found,
        lately=lately,
        counts=await portal.counts(visit.ctx, visit.who),
        wanted=wanted,
        states=portal.STATES,
        due_at=portal.due_at,
        is_overdue=portal.is_overdue,
        fault=fault.detail if fault else "",
    )


async def show_history(visit: Visit) -> web.StreamResponse:
    """What was answered, how fast, and what we saw of it."""
    asked = visit.asked("cursor")
    return await visit.page(
        "portal_history",
        found=await portal.notices(visit.ctx, visit.who, Wanted("answered"), cursor=asked.get("cursor")),
        record=await portal.record(visit.ctx, visit.who),
        most=portal.COUNTED,
        verdicts=VERDICTS,
    )


async def show_one(visit: Visit) -> web.StreamResponse:
    return await _one(visit)


async def _one(
    visit: Visit, fault: NotifierError | None = None, given: Mapping[str, str] | None = None, *, ask_again: bool = False
) -> web.Response:
    found = await portal.whole(visit.ctx, visit.who, _id(visit))
    return await visit.page(
        "portal_notice",
        fault.http_status if fault else 200,
        found=found,
        brief=found.brief,
        home=_home(visit),
        measures=list(Measure),
        actors=ACTORS,
        reasons=DECLINE,
        verdicts=VERDICTS,
        given={name: (given or {}).get(name, "") for name in _FIELDS},
        ask_again=ask_again,
        fault=fault.detail if fault else "",
    )


async def take_answer(visit: Visit) -> web.StreamResponse:
    """An answer, as by the API. To decline ends the request, so it is summed up and asked once more."""
    await reading.notice(visit.ctx, visit.who, _id(visit))  # a foreign one is not there, whatever the form holds
    given: dict[str, str] = {}
    try:
        given = await visit.form(_FIELDS)
        said = answer.answer_of({name: value for name, value in given.items() if name != "sure"})
        if said.kind == "declined" and said.reason and given.get("sure") != "yes":
            return await _one(visit, given=given, ask_again=True)
        await responses.respond(visit.ctx, visit.who, _id(visit), said, via="page")
    except Mendable as error:
        return await _one(visit, error, given)
    raise go(_home(visit), "answered")


async def take_evidence(visit: Visit) -> web.StreamResponse:
    """The same archive as `GET /notices/{notice_id}/evidence`."""
    found = await files.bundle(visit.ctx, visit.who, _id(visit), via="page")
    return await send_file(visit.request, Download(f"evidence-{_id(visit)}.zip", zipped(visit.ctx, found), None))


async def take_xarf(visit: Visit) -> web.StreamResponse:
    """The notice's XARF document, as it was sent."""
    row = await reading.notice(visit.ctx, visit.who, _id(visit))
    content = drafting.thaw(row["content"]).xarf
    return await send_file(visit.request, Download(f"xarf-{_id(visit)}.json", _once(content), len(content)))


async def show_picture(visit: Visit) -> web.StreamResponse:
    """A screenshot that our own browser made, as a picture and nothing else."""
    sha256 = visit.request.match_info["sha256"]
    held, content = await files.picture(visit.ctx, visit.who, _id(visit), sha256)
    return await send_file(visit.request, Download(f"{sha256}.png", content, held.size, shown_as="image/png"))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _id(visit: Visit) -> str:
    notice_id = visit.request.match_info["notice_id"].lower()
    if as_uuid(notice_id) is None:
        raise NotFound("there is nothing under this address")
    return notice_id


def _home(visit: Visit) -> str:
    return f"{_AT}/notices/{_id(visit)}"


_REGISTRY = [Role.REGISTRY]

PAGES = [
    Page("GET", _AT, show_list, _REGISTRY),
    Page("GET", f"{_AT}/history", show_history, _REGISTRY),
    Page("GET", _ONE, show_one, _REGISTRY),
    Page("POST", _ONE, take_answer, _REGISTRY),
    Page("GET", f"{_ONE}/evidence", take_evidence, _REGISTRY),
    Page("GET", f"{_ONE}/xarf", take_xarf, _REGISTRY),
    Page("GET", f"{_ONE}/pictures/{{sha256:[0-9a-f]{{64}}}}", show_picture, _REGISTRY),
]
