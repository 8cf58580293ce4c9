"""Acts on one case, each a small form: one service verb, and back to the case, or on to the next of the queue."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from notifier.domain.rule import Recipient
from notifier.errors import Invalid, Mendable, NotFound
from notifier.services import (
    awaiting,
    captures,
    case_reading,
    files,
    holds,
    joining,
    possible,
    reading,
    review,
    stepping,
)
from notifier.services.access import Role
from notifier.web.pages import case, queue
from notifier.web.pages.cases import AT
from notifier.web.pages.desk import Page, Visit, go

_Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Act:
    """A form: its fields, those that must be filled in, its verb, and what is said after. `summed_up`: shown before it acts.

    `moves_on`: in the queue it goes on to the next case.
    """

    fields: Sequence[str]
    verb: Callable[[Visit, str, _Given], Awaitable[Any]]
    said: str
    needed: Sequence[str] = ()
    summed_up: bool = False
    moves_on: bool = False
    roles: Sequence[Role] = (Role.REVIEWER,)


async def _observe(visit: Visit, case_id: str, given: _Given) -> None:
    """A look at the name, and at its pages where they are captured."""
    await review.observe_now(visit.ctx, visit.who, case_id, via="page")
    if given.get("pages"):
        await captures.ask(visit.ctx, visit.who, case_id, via="page")


async def _contact(visit: Visit, case_id: str, given: _Given) -> None:
    party = given["party"]
    if party not in (Recipient.HOST, Recipient.REGISTRAR):
        raise Invalid("say whose address it is: the host's or the registrar's")
    address, source, name = given["address"], given["source"], given.get("name", "")
    await stepping.give_contact(visit.ctx, visit.who, case_id, Recipient(party), address, source, name, via="page")


async def _merge(visit: Visit, case_id: str, given: _Given) -> None:
    into = await _other(visit, given["into"])
    await joining.merge(visit.ctx, visit.who, case_id, into, given.get("reason", ""), via="page")


async def _other(visit: Visit, text: str) -> str:
    try:
        found = await case_reading.find(visit.ctx, visit.who, text)
    except NotFound:
        found = None
    if found is None:
        raise Invalid("name the case that goes on by its reference, such as TN-2026-000123")
    return found


def _because(verb: Callable[..., Awaitable[Any]], said: str, moves_on: bool = False) -> Act:
    """An act that takes nothing but its reason."""
    return Act(
        ("reason",),
        lambda v, case_id, given: verb(v.ctx, v.who, case_id, given["reason"], via="page"),
        said,
        needed=("reason",),
        moves_on=moves_on,
    )


_EITHER = (Role.SUBMITTER, Role.REVIEWER)
ACTS: Mapping[str, Act] = {
    "assign": Act(
        ("assignee",),
        lambda v, case_id, given: review.assign(v.ctx, v.who, case_id, given.get("assignee") or None, via="page"),
        "case_assigned",
    ),
    "request-evidence": _because(review.request_evidence, "case_returned", moves_on=True),
    "reject": Act(
        ("reason", "ground"),
        lambda v, case_id, given: review.reject(v.ctx, v.who, case_id, given["reason"], given["ground"], via="page"),
        "case_rejected",
        needed=("reason", "ground"),
        moves_on=True,
    ),
    "withdraw": Act(
        ("reason", "ground"),
        lambda v, case_id, given: review.withdraw(v.ctx, v.who, case_id, given["reason"], given["ground"], via="page"),
        "case_withdrawn",
        needed=("reason", "ground"),
        summed_up=True,
        roles=_EITHER,
    ),
    "cancel": _because(review.cancel, "approval_cancelled"),
    "close": Act(
        (), lambda v, case_id, given: review.close(v.ctx, v.who, case_id, via="page"), "case_closed", summed_up=True
    ),
    "pass-over": _because(stepping.pass_over, "party_passed"),
    "contact": Act(
        ("party", "address", "source", "name"), _contact, "contact_given", needed=("party", "address", "source")
    ),
    "amend": Act(
        ("answer",),
        lambda v, case_id, given: stepping.amend(v.ctx, v.who, case_id, given["answer"], via="page"),
        "answer_kept",
        needed=("answer",),
    ),
    "keep": _because(holds.keep, "case_kept"),
    "observe": Act(("pages",), _observe, "look_asked"),
    "merge": Act(("into", "reason"), _merge, "case_merged", needed=("into",), summed_up=True),
    "hold": _because(files.place_hold, "hold_placed"),
    "release-hold": Act(
        (), lambda v, case_id, given: files.lift_hold(v.ctx, v.who, case_id, via="page"), "hold_lifted"
    ),
}
_CHOICES: Mapping[tuple[str, str], Sequence[str]] = {
    ("reject", "ground"): queue.GROUNDS,
    ("withdraw", "ground"): ("error", "cured", "other"),
}
_WORDS: Mapping[str, str] = {
    "reason": "write the reason; it is kept for ever and told to those it concerns",
    "answer": "write what the recipient asked for",
    "into": "name the case that goes on by its reference, such as TN-2026-000123",
}


def _doing(name: str) -> Callable[[Visit], Awaitable[web.StreamResponse]]:
    act = ACTS[name]

    async def answer(visit: Visit) -> web.StreamResponse:
        case_id = visit.request.match_info["case_id"]
        given = await visit.form((*act.fields, "sure"))
        ahead = await onward(visit, case_id) if act.moves_on and "queue" in visit.request.query else None
        try:
            _check(name, act, given)
            if act.summed_up and given.get("sure") != "yes":
                return await _summary(visit, name, case_id, given)
            await act.verb(visit, case_id, given)
        except NotFound:
            raise
        except Mendable as fault:
            return await case.page(visit, fault, name, given)
        if ahead is not None:
            raise go(ahead, act.said)
        raise go(f"{AT}/{await _goes_on(visit, name, case_id, given)}", act.said)

    return answer


def _check(name: str, act: Act, given: _Given) -> None:
    for field in act.needed:
        if not given.get(field):
            raise Invalid(_WORDS.get(field, f"fill in the {field}"))
        allowed = _CHOICES.get((name, field))
        if allowed and given[field] not in allowed:
            raise Invalid(f"{field}: one of {', '.join(allowed)}")


async def _goes_on(visit: Visit, name: str, case_id: str, given: _Given) -> str:
    return await _other(visit, given["into"]) if name == "merge" else case_id


async def _summary(visit: Visit, name: str, case_id: str, given: _Given) -> web.Response:
    """What it would do, before it does what cannot be undone."""
    row = await reading.case(visit.ctx, visit.who, case_id)
    why_not = (await possible.acts(visit.ctx, visit.who, case_id, [name]))[name]
    if why_not is not None:
        raise Invalid(why_not)
    other = None
    if name == "merge":
        other = await reading.case(visit.ctx, visit.who, await _other(visit, given["into"]))
    told = await possible.told_by_withdrawing(visit.ctx, visit.who, case_id) if name == "withdraw" else 0
    return await visit.page("case_summary", act=name, case=row, other=other, told=told, given=given)


async def onward(visit: Visit, case_id: str) -> str:
    """The review of the next case in the queue that this one is reviewed from; the queue itself at its end."""
    _, after = await awaiting.beside(visit.ctx, visit.who, queue.wanted(visit), case_id)
    filters = queue.filters(visit)
    if after is None:
        return f"{queue.AT}?{filters}".rstrip("?")
    return f"{AT}/{after}/review?queue=1{'&' + filters if filters else ''}"


async def detach(visit: Visit) -> web.StreamResponse:
    """Reports that do not belong go to another case, or to one of the name that they are about."""
    case_id = visit.request.match_info["case_id"]
    given, reports = await visit.form_with_list(("reason", "into", "domain"), "report", _MOST_REPORTS)
    try:
        if not reports:
            raise Invalid("tick the reports that do not belong here")
        if not given.get("reason"):
            raise Invalid(_WORDS["reason"])
        if given.get("into") and given.get("domain"):
            raise Invalid("name the case that they go to, or the name that they are about, not both")
        parted = await joining.detach_reports(
            visit.ctx,
            visit.who,
            case_id,
            reports,
            given["reason"],
            into=await _other(visit, given["into"]) if given.get("into") else None,
            domain=given.get("domain") or None,
            via="page",
        )
    except NotFound:
        raise
    except Mendable as fault:
        return await case.page(visit, fault, "detach", given)
    raise go(f"{AT}/{parted.other.id}", "reports_moved")


_MOST_REPORTS = 100
PAGES = [Page("POST", f"{AT}/{{case_id}}/{name}", _doing(name), act.roles) for name, act in ACTS.items()]
PAGES.append(Page("POST", f"{AT}/{{case_id}}/detach", detach, [Role.REVIEWER]))
