"""What is configured: programs, registries and agreements with their digests; and taking the files up anew."""

from collections.abc import Sequence

from aiohttp import web

from notifier.catalog import Fault
from notifier.domain.explaining import explain
from notifier.services import access, health, reloading
from notifier.services.access import Role
from notifier.web.pages.admin import ADMIN
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/config"
_SHOWN = 100  # registries on a page


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, faults: Sequence[Fault] = ()) -> web.Response:
    ctx, who = visit.ctx, visit.who
    asked = visit.asked("q")
    wanted = asked.get("q", "").casefold()
    registries = [
        one for _, one in sorted(ctx.catalog.registries.items()) if wanted in one.id or wanted in one.name.casefold()
    ]
    return await visit.page(
        "configured",
        422 if faults else 200,
        faults=faults,
        configured=await reloading.configured(ctx, who) if access.is_of_the_house(who) else None,
        programs=reloading.programs(ctx, who),
        channels=await health.channels(ctx, who),
        registries=registries[:_SHOWN],
        registries_n=len(registries),
        q=asked.get("q", ""),
    )


async def show_program(visit: Visit) -> web.StreamResponse:
    """One program in plain words, made from its rules."""
    program = reloading.program(visit.ctx, visit.who, visit.request.match_info["program_id"])
    return await visit.page("configured_program", 200, program=program, words=explain(program))


async def reload(visit: Visit) -> web.StreamResponse:
    """Check the files; every fault is shown at once and nothing changes, or every process follows."""
    await visit.form(())
    asked = await reloading.ask(visit.ctx, visit.who)
    if asked.faults:
        return await _page(visit, asked.faults)
    raise go(_AT, "config_same" if asked.same else "config_reloading")


PAGES = [
    Page("GET", _AT, show, ADMIN),
    Page("GET", f"{_AT}/programs/{{program_id:[a-z0-9._-]{{1,200}}}}", show_program, [Role.ADMIN]),
    Page("POST", f"{_AT}/reload", reload, ADMIN),
]
