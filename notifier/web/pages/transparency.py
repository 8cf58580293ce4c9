"""What programs tell the public: a list, a page for each, its feed and its files. No sign-in, no cookie, nothing computed."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from notifier.domain.explaining import explain, for_the_public
from notifier.domain.hostile import dead
from notifier.domain.public_figures import COLUMNS, table
from notifier.domain.table_rows import Cell, csv_text, safe_cell
from notifier.errors import NotFound
from notifier.services import transparency
from notifier.services.context import Context
from notifier.services.transparency import Published
from notifier.web import atom
from notifier.web.pages import Pages, figures_drawn

AT = "/transparency"
_ONE = f"{AT}/{{program:[a-z][a-z0-9-]{{0,62}}}}"
_KEPT = "public, max-age=600"  # whoever stands between may keep it for ten minutes

CAUSES: Mapping[str, str] = {
    "wrong_name": "it was the wrong name",
    "wrong_facts": "the facts were wrong",
    "lawful": "what was there is lawful",
    "compromised": "the site had been broken into",
    "disproportionate": "it hurt more than it helped",
    "cured": "what it was about is gone",
    "other": "another reason",
    "unanswered": "we did not decide about an appeal in time",
    "unsupported": "nobody brought fresh evidence",
}


def add_routes(app: web.Application, ctx: Context, pages: Pages) -> None:
    """Serve them to anybody."""

    async def show_all(_: web.Request) -> web.Response:
        return _kept(pages.page("transparency", programs=transparency.programs(ctx), days=await transparency.days(ctx)))

    async def show(request: web.Request) -> web.Response:
        found = await transparency.published(ctx, request.match_info["program"])
        return _kept(
            pages.page(
                "transparency_program",
                of=found.program,
                found=found,
                doc=found.document,
                rules=for_the_public(found.program),
                ladder=explain(found.program).ladder,
                contact=ctx.settings.contact,
                causes=CAUSES,
                dead=dead,
                drawn=figures_drawn,
            )
        )

    async def feed(request: web.Request) -> web.Response:
        found = await transparency.published(ctx, request.match_info["program"])
        made = atom.feed(found, f"{ctx.settings.public_url.rstrip('/')}{AT}/{found.program.id}", CAUSES)
        return _kept(web.Response(body=made, headers={"Content-Type": "application/atom+xml; charset=utf-8"}))

    async def as_json(request: web.Request) -> web.Response:
        made = _whole(await transparency.published(ctx, request.match_info["program"]))
        text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
        return _kept(web.Response(text=text, content_type="application/json"))

    async def as_csv(request: web.Request) -> web.Response:
        made = _whole(await transparency.published(ctx, request.match_info["program"]))
        return _kept(web.Response(text=_csv(made), content_type="text/csv"))

    app.router.add_get(AT, show_all)
    app.router.add_get(_ONE, show)
    app.router.add_get(f"{_ONE}/feed.atom", feed)
    app.router.add_get(f"{_ONE}/figures.json", as_json)
    app.router.add_get(f"{_ONE}/figures.csv", as_csv)


def _kept(page: web.Response) -> web.Response:
    page.headers["Cache-Control"] = _KEPT
    return page


def _whole(found: Published) -> dict[str, Any]:
    """The document with the names of this moment. Raises NotFound where none was made yet."""
    if found.document is None:
        raise NotFound("nothing was published of this program yet; its first figures come with the end of a day")
    names = [
        {
            "name": dead(one.name),
            "outcome": one.outcome,
            "ended_on": _day(one.ended_on),
            "listed_on": _day(one.listed_on),
        }
        for one in found.names
    ]
    return {**found.document, "names": names}


def _csv(made: Mapping[str, Any]) -> str:
    """Every figure as a row, behind rows that say what they are of; then what was put right, and the names."""
    about = ("program", "name", "owner", "day", "made_on", "delay_days", "suppress_below", "definitions", "unit")
    rows: list[dict[str, Cell]] = [
        {"slice": "about", "part": name, "figure": safe_cell(made[name])} for name in (*about, "simulated", "rules")
    ]
    rows += table(made)
    rows += [{"slice": "appeals", "part": "appeals", "figure": name, "n": n} for name, n in made["appeals"].items()]
    rows += [
        {
            "slice": "corrections",
            "part": one["on"],
            "figure": f"{one['measure']}/{one['cause']}",
            "days": one["days_gone"],
        }
        for one in made["corrections"]
    ]
    rows += [{"slice": "names", "part": one["ended_on"], "figure": one["name"]} for one in made["names"]]
    return csv_text(COLUMNS, rows)


def _day(on: date) -> str:
    return on.isoformat()
