"""What an evaluator takes away from the demonstration: the yearly report of each program, its figures, and their cases."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from notifier.rehearsal import Rehearsal
from notifier.sample_people import Api
from notifier.services import access
from notifier.services.access import Role

_EVALUATOR = "Eva Evaluator"


async def take(stage: Rehearsal, folder: Path) -> list[Path]:
    """Write them into a folder that exists, over those of an earlier run; PDF where its package is installed. All are as of
    one instant."""
    ctx = stage.house.ctx
    made = await access.add_token(ctx.db, _EVALUATOR, Role.EVALUATOR, by="demo")
    programs = await ctx.db.fetch("select distinct program from cases order by 1")
    as_of, year = await stage.clock.now(), stage.plan.start.year
    written = []
    async with aiohttp.ClientSession(base_url=stage.url) as session:
        api = Api(session, made.token)
        for (program,) in programs:
            forms = ("html", "pdf") if find_spec("reportlab") else ("html",)
            yearly = {"kind": "yearly", "program": program, "year": year}
            asked = urlencode({"program": program, "as_of": as_of.isoformat()})
            wanted = {
                **{f"{program}-{year}.{form}": f"report?{urlencode({**yearly, 'form': form})}" for form in forms},
                f"{program}-figures.csv": f"csv?{asked}",
                f"{program}-cases.csv": f"case-list?{asked}",
            }
            for name, path in wanted.items():
                (folder / name).write_bytes(await api.take(f"/statistics/{path}"))
                written.append(folder / name)
    return written
