"""What programs tell the public: a list, a page for each, its feed and its files. No sign-in, no cookie, no figure counted.

Each is made at most once in half a minute, of what one small question or two told, and then given to all who ask.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from notifier.domain.explaining import explain, for_the_public
from notifier.domain.hostile import dead
from notifier.domain.period import midnight
from notifier.domain.public_figures import COLUMNS, table
from notifier.domain.table_rows import Cell, csv_text, safe_cell
from notifier.errors import NotFound
from notifier.services import transparency
from notifier.services.context import Context
from notifier.services.transparency import Published
from notifier.web import atom
from notifier.web.keeping import Keeper
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

    lists, programs = Keeper[Mapping[str, date | None]](), Keeper[Published]()

    async def show_all(_: web.Request) -> web.Response:
        shown = transparency.programs(ctx)
        key = midnight(await ctx.db.clock.now()), *((one.id, one.digest, one.transparency.terms) for one in shown)

        def page(days: Mapping[str, date | None]) -> web.Response:
            return _kept(pages.page("transparency", programs=shown, days=days))

        return await lists.answer("", key, "page", lambda: transparency.days(ctx), page)

    def page(found: Published) -> web.Response:
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

    def feed(found: Published) -> web.Response:
        made = atom.feed(found, f"{ctx.settings.public_url.rstrip('/')}{AT}/{found.program.id}", CAUSES)
        return _kept(web.Response(body=made, headers={"Content-Type": "application/atom+xml; charset=utf-8"}))

    def as_json(found: Published) -> web.Response:
        text = json.dumps(_whole(found), ensure_ascii=False, indent=1) + "\n"
        return _kept(web.Response(text=text, content_type="application/json"))

    def as_csv(found: Published) -> web.Response:
        return _kept(web.Response(text=_csv(_whole(found)), content_type="text/csv"))

    makers = {"": page, "/feed.atom": feed, "/figures.json": as_json, "/figures.csv": as_csv}

    async def show(request: web.Request) -> web.Response:
        program = transparency.public(ctx, request.match_info["program"])
        told_of, kind = program.transparency, request.match_info.get("kind", "")
        key = program.digest, told_of.terms, told_of.as_of(await ctx.db.clock.now())
        return await programs.answer(
            program.id, key, kind, lambda: transparency.published(ctx, program.id), makers[kind]
        )

    app.router.add_get(AT, show_all)
    app.router.add_get(_ONE, show)
    app.router.add_get(f"{_ONE}{{kind:/feed\\.atom|/figures\\.json|/figures\\.csv}}", show)


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
    about = (
        "program",
        "name",
        "owner",
        "day",
        "made_on",
        "delay_days",
        "suppress_below",
        "definitions",
        "unit",
        "times",
    )
    rows: list[dict[str, Cell]] = [
        {"slice": "about", "part": name, "figure": safe_cell(made[name])}
        for name in (*about, "simulated", "rules")
        if name in made  # earlier documents do not say what times are
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
