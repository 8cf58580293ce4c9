"""What others are told of names that belong together: the part of a notice, and the list that a program may share."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest

from notifier.errors import Forbidden, NotFound
from notifier.services import deconfliction, hopping_list, hops
from notifier.services.context import Context
from notifier.services.deconfliction import EntryIn
from tests.services.conftest import Opens
from tests.services.stages import MAIL, PIR, RITA, ROLF, SAM, VERISIGN, Stage, row
from tests.services.test_deconfliction import DORA
from tests.services.test_hopping import HOPS, SIBLING, same_shop


def sharing(ctx: Context, *readers: str) -> Context:
    """The house with an `opioids` program that shares its hopping list."""
    program = replace(ctx.catalog.programs["opioids"], hops_to=frozenset(readers))
    return replace(ctx, catalog=replace(ctx.catalog, programs={**ctx.catalog.programs, "opioids": program}))


def whole(domain: str) -> dict[str, Any]:
    """A report that passes, about another name."""
    return dict(json.loads(json.dumps(row()).replace(MAIL, domain)))


async def linked(stage: Stage) -> tuple[str, str]:
    """Two cases under one registry, the first noticed, with an accepted link: ids of the later case and of the link."""
    same_shop(stage, MAIL, SIBLING)
    first = await stage.case_in_review()
    said = await stage.submit({**whole(SIBLING), "evidence": []})
    await stage.r.quiet()
    await stage.approve(first)
    await stage.pass_time(minutes=30)
    (found,) = (await hops.hops(stage.ctx, RITA)).items
    assert found["name"] == SIBLING
    await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
    return str(said.case_id), str(found["id"])


async def notice_of(stage: Stage, case_id: str) -> Any:
    return (await stage.preview(case_id)).drafts[0].content


async def names(ctx: Context, who: Any = VERISIGN, **options: Any) -> list[tuple[str, str]]:
    return [(e.name, e.state) for e in (await hopping_list.entries(ctx, who, **options)).items]


async def test_a_notice_names_what_belongs_together_under_its_registry(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        later, link = await linked(stage)
        await stage.pass_time(minutes=1)
        said = await stage.submit(whole(SIBLING))
        assert said.state == "in_review"
        await stage.r.quiet()
        told = await notice_of(stage, later)
        line = f"  - {MAIL}: our notice of 2026-11-02 is about it\n"
        part = told.text[told.text.index("Other names that appear to belong together") :]
        assert part.startswith(
            "Other names that appear to belong together, as of 2026-11-02 14:31 UTC (information only, nothing is asked"
        )
        assert line in part
        assert f"<li>{line[4:-1]}</li>" in told.html
        assert MAIL not in told.xarf.decode(), "one incident, one report"
        assert told.domain == SIBLING
        with_it = (await stage.preview(later)).digest
        entry = await deconfliction.add(stage.ctx, DORA, EntryIn(MAIL, "FBI", "case 7"))
        assert MAIL not in (await notice_of(stage, later)).text
        await deconfliction.release(stage.ctx, DORA, str(entry.entry["id"]), "over")
        await stage.r.quiet()
        assert (await stage.preview(later)).digest == with_it
        await hops.dismiss(stage.ctx, ROLF, link, "another shop")
        assert MAIL not in (await notice_of(stage, later)).text
        assert (await stage.preview(later)).digest != with_it


async def test_the_list_is_shared_with_whom_the_program_names_and_no_further(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        _, link = await linked(stage)
        assert await names(stage.ctx) == []  # no program shares by itself
        with pytest.raises(NotFound):
            await names(stage.ctx, program="opioids")
        with pytest.raises(Forbidden):
            await names(stage.ctx, SAM)
        shared = sharing(stage.ctx, "verisign", "pir")
        assert await names(shared, program="opioids") == [(SIBLING, "listed")]
        assert await names(shared, PIR) == []  # names under its own endings alone
        assert await names(stage.ctx, RITA) == [(SIBLING, "listed")]
        (entry,) = (await hopping_list.entries(shared, VERISIGN)).items
        assert entry.linked_by[:2] == ["its pages say the same", "its visitors are counted by the same account"]
        told = await hopping_list.exported_csv(shared, VERISIGN, program="opioids")
        assert [r["name"] for r in csv.DictReader(io.StringIO(told))] == [SIBLING]
        for private in ("Sam", "Rita", MAIL, "ga4", "G-7KQ2M4XW9Z", "registrant"):
            assert private not in told
        # Whoever read it is told that a name is gone, and nothing else of it; whoever did not is told of nothing.
        await stage.pass_time(hours=1)
        await hops.dismiss(stage.ctx, ROLF, link, "another shop")
        assert await names(shared) == [(SIBLING, "removed")]
        (gone,) = (await hopping_list.entries(shared, VERISIGN)).items
        assert (gone.linked_by, gone.first_seen_at, gone.removed_why) == ([], None, "taken back")
        await stage.ctx.db.pool.execute("update hop set registry = 'pir'")
        assert await names(shared, PIR) == [(SIBLING, "removed")]  # it had read the (empty) list in between


async def test_a_name_that_was_never_told_leaves_no_tombstone(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        _, link = await linked(stage)
        await hops.dismiss(stage.ctx, ROLF, link, "another shop")
        assert await names(sharing(stage.ctx, "verisign")) == []
