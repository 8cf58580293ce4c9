"""What went wrong outside: open alarms, worst first, and what was said of those that are over."""

from typing import Any

from aiohttp import web

from notifier.domain.alarms import GRADES
from notifier.errors import Invalid, Mendable, NotFound, NotifierError
from notifier.services import tasks, worklist
from notifier.services.access import Role
from notifier.web.pages.desk import Page, Visit, go

AT = "/desk/alarms"
_SEE, _ACT = [Role.REVIEWER, Role.ADMIN], [Role.REVIEWER]
_FEW = 25
_TITLES = {
    "harm": ("Harm", "Something is being done to a name that must not be. Call whoever does it."),
    "owed": ("Owed", "Somebody waits for us, or we for a recipient, and a time is over or runs out."),
    "seen": ("Seen", "Something that a person should know was seen; look whether it changes anything."),
}


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None) -> web.Response:
    asked = visit.asked("grade", "cursor")
    one = asked.get("grade")
    if one is not None and one not in GRADES:
        raise NotFound("there is no such grade of alarm")
    groups: list[dict[str, Any]] = []
    for grade in [one] if one else GRADES:
        limit, cursor = (50, asked.get("cursor")) if one else (_FEW, None)
        page = await worklist.alarms(visit.ctx, visit.who, grade, limit=limit, cursor=cursor)
        title, about = _TITLES[grade]
        groups.append({"grade": grade, "title": title, "about": about, "page": page})
    return await visit.page(
        "alarms",
        fault.http_status if fault else 200,
        groups=groups,
        only=one,
        titles={grade: _TITLES[grade][0] for grade in GRADES},
        closed=[] if one else await worklist.alarms_closed(visit.ctx, visit.who),
        ways=sorted(visit.ctx.alarm_ways),
        may_act=visit.who.role is Role.REVIEWER,
        given={"alarm": "", "reason": "", **(given or {})},
        fault=fault.detail if fault else "",
    )


async def take(visit: Visit) -> web.StreamResponse:
    """Put one's name on an alarm."""
    return await _act(visit, tasks.take, "alarm_taken")


async def give_back(visit: Visit) -> web.StreamResponse:
    """Take one's name off an alarm."""
    return await _act(visit, tasks.give_back, "alarm_given_back")


async def _act(visit: Visit, verb: Any, said: str) -> web.StreamResponse:
    given = await visit.form(("alarm",))
    try:
        await verb(visit.ctx, visit.who, "alarm", given.get("alarm", ""), via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error)
    raise go(AT, said)


async def close(visit: Visit) -> web.StreamResponse:
    """End an alarm, with why."""
    given = await visit.form(("alarm", "reason"))
    try:
        if not given.get("reason"):
            raise Invalid("say why the alarm is over: what was done, or what it turned out to be")
        await tasks.close_alarm(visit.ctx, visit.who, given.get("alarm", ""), given["reason"], via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(AT, "alarm_closed")


PAGES = [
    Page("GET", AT, show, _SEE),
    Page("POST", f"{AT}/take", take, _ACT),
    Page("POST", f"{AT}/give-back", give_back, _ACT),
    Page("POST", f"{AT}/close", close, _ACT),
]
