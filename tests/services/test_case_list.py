"""The list of the cases that figures are made of: who takes it can make every figure again, and it proves itself."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.errors import Invalid
from notifier.services import grants, reports, statistics_file
from notifier.services.statistics import Query
from notifier.services.statistics_file import Form
from tests import rederived
from tests.services.stages import ADA, HOOK, MAIL, RITA, START, Stage
from tests.services.test_joining import opened
from tests.services.test_statistics import EVA, tell, told

__all__ = ["told"]

SCRIPT = tell


async def taken(stage: Stage, form: Form, query: Query) -> str:
    return (await statistics_file.exported(stage.ctx, RITA, query, form, via="api")).decode()


async def test_every_figure_follows_from_the_list(still: Stage) -> None:
    figures = await taken(still, Form.CSV, Query(program="opioids"))
    about, _ = rederived.read(figures)
    as_of = rederived.moment(about["as_of"])
    cases = await taken(still, Form.CASES, Query(program="opioids", as_of=as_of))
    assert rederived.agrees(figures, cases) > 25


async def test_the_list_is_the_one_whose_hash_figures_name(still: Stage) -> None:
    about, units = rederived.read(await taken(still, Form.CASES, Query()))
    ids = sorted(case_id for unit in units for case_id in unit["case_ids"].split())
    assert hashlib.sha256("".join(f"{one}\n" for one in ids).encode()).hexdigest() == about["case_list_sha256"]
    assert about["cases"] == "4"
    assert {unit["domain"] for unit in units} >= {MAIL}
    entry = await still.ctx.db.fetchval(
        "select body::json -> 'detail' ->> 'form' from audit_entry where tag = 'statistics.exported' order by id desc"
    )
    assert entry == "cases"


async def test_names_are_for_whom_they_are_shown_to(told: Stage) -> None:
    until = await told.r.clock.now() + timedelta(days=30)

    async def names() -> set[str]:
        content = await statistics_file.exported(told.ctx, EVA, Query(), Form.CASES, via="api")
        return {unit["domain"] for unit in rederived.read(content.decode())[1]}

    await grants.give(told.ctx, ADA, "opioids", EVA.organisation, until)
    with pytest.raises(Invalid, match="small numbers"):
        await names()
    for shown in (False, True):
        for given in await grants.of_program(told.ctx, ADA, "opioids"):
            await grants.end(told.ctx, ADA, str(given["id"]))
        await grants.give(told.ctx, ADA, "opioids", EVA.organisation, until, names_shown=shown, small_numbers=True)
        assert (MAIL in (found := await names()), found == {""}) == (shown, not shown)


async def test_a_row_by_hand(still: Stage) -> None:
    """The hold that was verified after four hours and two looks, and the name whose registry declined."""
    rows = {unit["domain"]: unit for unit in rederived.read(await taken(still, Form.CASES, Query()))[1]}
    held, declined = rows[MAIL], rows[HOOK]
    verified = START + timedelta(hours=4, minutes=35)
    assert (held["program"], held["registry"], held["opened"], held["verified"]) == (
        "opioids", "verisign", START.isoformat(), verified.isoformat(),
    )  # fmt: skip
    assert (held["outcome"], held["actor"], held["our_error"], held["asked"]) == (
        "registry_hold", "registry", "false", "registry/action_claimed",
    )  # fmt: skip
    assert held["claims"] == "registry/hold/verified/seen"
    assert (declined["outcome"], declined["actor"], declined["claims"], declined["asked"], declined["verified"]) == (
        "declined_nexus", "none", "", "registry/declined", "",
    )  # fmt: skip


async def test_a_file_proves_itself_later(told: Stage) -> None:
    queries = (Query(by="registry"), Query("opioids", basis="period"))
    texts = [await taken(told, form, query) for form in (Form.CASES, Form.CSV, Form.JSON) for query in queries]
    await told.pass_time(days=1)
    await opened(told, "later-shop.com")
    for text in texts:
        assert "checkpoint" in text
        assert await reports.verify(told.ctx, RITA, text.encode()) == []
        for was, becomes in (("rejected", "resolved"), ("opened", "obtained"), (" ", "  ")):
            if was in text:
                with suppress(Invalid):  # it may be no file of ours any more
                    assert await reports.verify(told.ctx, RITA, text.replace(was, becomes, 1).encode()), was


async def test_a_checkpoint_that_the_log_never_had_is_named(still: Stage) -> None:
    about, _ = rederived.read(text := await taken(still, Form.CASES, Query()))
    wrong = text.replace(about["checkpoint"], f"1 {'0' * 64}")
    assert "no checkpoint of size 1" in (await reports.verify(still.ctx, RITA, wrong.encode()))[0]


async def test_a_list_of_another_instant_is_another_list(told: Stage) -> None:
    before = await taken(told, Form.CASES, Query())
    about, _ = rederived.read(before)
    await opened(told, "later-shop.com")
    assert len(rederived.read(await taken(told, Form.CASES, Query()))[1]) == 5
    again = await taken(told, Form.CASES, replace(Query(), as_of=rederived.moment(about["as_of"])))
    assert rederived.read(again)[1] == rederived.read(before)[1]
