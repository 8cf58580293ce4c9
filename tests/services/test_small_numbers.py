"""Small numbers under a grant: kept back wherever they are read, and not to be had by asking twice."""

import asyncio
import csv
import io
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from notifier.domain import small_numbers
from notifier.domain.figures import KEPT_BACK
from notifier.domain.period import midnight
from notifier.errors import Invalid, NotFound
from notifier.services import appeal_figures, appealing, grants, parquet, reports, statistics, statistics_file, summed
from notifier.services.appealing import Filing
from notifier.services.reports import Form
from notifier.services.statistics import Query
from notifier.web.views.statistics import StatisticsOut
from tests.services.stages import ADA, HOOK, MAIL, RITA, Stage
from tests.services.test_statistics import EVA, OTTO
from tests.services.test_summed import added_up

ASKED = Query("opioids")


@pytest.fixture
async def granted(stage: Stage) -> Stage:
    """One verified hold and one case in review, in a program that keeps back what is below ten; Eva has a grant."""
    await stage.notified(MAIL)
    await stage.pass_time(hours=30)
    await stage.case_in_review(HOOK)
    await stage.pass_time(hours=24)
    await grants.give(stage.ctx, ADA, "opioids", "university", await stage.r.clock.now() + timedelta(days=30))
    return stage


def numbers(made: Any) -> list[Any]:
    """Every number of a JSON value."""
    if isinstance(made, dict):
        return [n for value in made.values() for n in numbers(value)]
    if isinstance(made, list):
        return [n for value in made for n in numbers(value)]
    return [made] if isinstance(made, int | float) and not isinstance(made, bool) else []


async def test_the_owner_reads_them_and_who_has_a_grant_does_not(granted: Stage) -> None:
    ours = (await statistics.statistics(granted.ctx, RITA, ASKED)).whole.cohort
    assert ours is not None
    assert (ours.units, ours.funnel["verified"].n, ours.work["daemon"] > 0) == (2, 1, True)
    found = await statistics.statistics(granted.ctx, EVA, replace(ASKED, by="registry"))
    assert (found.suppress_below, found.cases) == (10, KEPT_BACK)
    cohort = found.whole.cohort
    assert cohort is not None
    assert (cohort.units, cohort.funnel["verified"].n, cohort.funnel["verified"].of) == (
        KEPT_BACK,
        KEPT_BACK,
        KEPT_BACK,
    )
    assert [part.key for part in found.slices] == ["pir", "verisign"]
    assert found.slices[0].cohort is not None
    assert found.slices[0].cohort.funnel["opened"].n == KEPT_BACK
    assert found.comparisons == {}
    assert cohort.funnel["verified"].share is None
    quick = await summed.summed(granted.ctx, EVA, replace(ASKED, by="registry"))
    assert (quick.suppress_below, quick.whole, quick.slices) == (10, found.whole, found.slices)


async def test_every_form_of_it_keeps_them_back(granted: Stage) -> None:
    found = await statistics.statistics(granted.ctx, EVA, ASKED)
    made = statistics_file.document(found)
    # Noughts are told, and so is the bound; of the two cases nothing is.
    assert set(numbers(made)) <= {0, 1, 10}
    assert {row["n"] for row in made["rows"]} <= {None, 0}
    opened = next(row for row in made["rows"] if row["cell"] == "all/funnel/opened")
    assert [opened[name] for name in ("n", "out_of", "share", "low", "high", "few")] == [None] * 6
    rows = list(
        csv.DictReader(
            io.StringIO(
                (await statistics_file.exported(granted.ctx, EVA, ASKED, statistics_file.Form.CSV, via="api")).decode()
            )
        )
    )
    assert {row["n"] for row in rows} <= {"", "0"}
    about = {row["part"]: row["figure"] for row in rows if row["slice"] == "about"}
    assert (about["suppress_below"], "cases" in about) == ("10", False)
    table = pq.read_table(io.BytesIO(parquet.written(made))).to_pylist()
    assert {row["n"] for row in table} <= {None, 0}
    told = json.loads(StatisticsOut.shown(found, curves=True).model_dump_json())
    assert (told["cases"], told["suppress_below"], told["whole"]["cohort"]["units"]) == (None, 10, None)
    assert told["whole"]["cohort"]["funnel"]["opened"]["n"] is None
    assert told["whole"]["cohort"]["times"]["verified"]["curve"] == []
    detail = await granted.ctx.db.fetchval(
        "select body::json -> 'detail' from audit_entry where tag = 'statistics.exported' order by id desc limit 1"
    )
    assert json.loads(detail)["form"] == "csv"


async def test_nothing_is_had_by_asking_twice(granted: Stage) -> None:
    ctx, now = granted.ctx, await granted.r.clock.now()
    refused = [
        Query("opioids", registry="pir"),
        Query("opioids", start=now - timedelta(days=1)),
        Query("opioids", end=now),
        Query("opioids", by="outcome"),
        Query("opioids", by="actor"),
        Query("opioids", basis="period"),
        Query("opioids", as_of=now - timedelta(minutes=1)),
    ]
    for query in refused:
        with pytest.raises(Invalid) as fault:
            await statistics.statistics(ctx, EVA, query)
        assert fault.value.code == "suppressed", query
    with pytest.raises(Invalid) as fault:
        await statistics.cases(ctx, EVA, ASKED, "all/funnel/opened")
    assert fault.value.code == "suppressed"
    with pytest.raises(Invalid):
        await reports.report(ctx, EVA, reports.of_year("opioids", now.year), Form.JSON, via="api")
    with pytest.raises(Invalid):
        await appeal_figures.cases(ctx, EVA, ASKED, "appeals/filed")
    # As of the last midnight, where no day is named: by then nothing was opened that Eva could see come in.
    found = await statistics.statistics(ctx, EVA, ASKED)
    assert (found.as_of.hour, found.as_of.minute, found.as_of.date()) == (0, 0, now.date())
    assert await reports.verify(ctx, EVA, statistics_file.json_of(statistics_file.document(found)).encode()) == []
    assert (await statistics.statistics(ctx, replace(OTTO, organisation="university"), ASKED)).suppress_below == 10


async def test_which_registries_have_cases_is_not_told_either(granted: Stage) -> None:
    await added_up(granted)
    assert set(await summed.registries(granted.ctx, RITA)) < set(await summed.registries(granted.ctx, EVA))
    assert await summed.registries(granted.ctx, EVA) == sorted(granted.ctx.catalog.registries)


async def test_sums_over_programs_are_not_told(granted: Stage) -> None:
    until = await granted.r.clock.now() + timedelta(days=30)
    await grants.give(granted.ctx, ADA, "authority-order", "university", until)
    with pytest.raises(Invalid, match="name one program"):
        await statistics.statistics(granted.ctx, EVA, Query())
    whole = await statistics.statistics(granted.ctx, EVA, Query("authority-order", basis="period"))
    assert (whole.suppress_below, whole.cases) == (0, 0)
    with pytest.raises(NotFound):
        await statistics.statistics(granted.ctx, EVA, Query("piracy"))


async def test_appeals_are_kept_back_too(granted: Stage) -> None:
    await appealing.file(granted.ctx, Filing(MAIL, "It is a pharmacy.", "a@example.org"), "192.0.2.9")
    await granted.r.quiet()
    await granted.pass_time(hours=24)
    ours = await appeal_figures.counts(granted.ctx, RITA, ASKED, await granted.r.clock.now())
    found = await appeal_figures.counts(granted.ctx, EVA, ASKED, midnight(await granted.r.clock.now()))
    assert (ours.filed, ours.by_outcome["open"]) == (1, 1)
    assert (found.filed, found.by_outcome["open"], found.by_outcome["upheld"]) == (KEPT_BACK, KEPT_BACK, 0)


async def test_a_grant_may_lift_it_and_names_need_that(granted: Stage) -> None:
    until = await granted.r.clock.now() + timedelta(days=30)
    with pytest.raises(Invalid, match="names_shown"):
        await grants.give(granted.ctx, ADA, "opioids", "institute", until, names_shown=True)
    await grants.give(granted.ctx, ADA, "opioids", "institute", until, names_shown=True, small_numbers=True)
    there = replace(EVA, organisation="institute")
    assert (await statistics.statistics(granted.ctx, there, ASKED)).cases == 2
    page = await statistics.cases(granted.ctx, there, ASKED, "all/funnel/verified")
    assert [item.domain for item in page.items] == [MAIL]


async def test_what_is_kept_back_of_a_day_is_found_once(granted: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = small_numbers.pattern

    def slow(counted: Any, below: int) -> Any:
        asked.append(below)
        time.sleep(0.2)
        return real(counted, below)

    monkeypatch.setattr(small_numbers, "pattern", slow)
    both = await asyncio.gather(*(statistics.statistics(granted.ctx, EVA, ASKED) for _ in range(2)))
    again = await statistics.statistics(granted.ctx, EVA, replace(ASKED, by="month"))
    assert both[0] == both[1]
    assert again.whole == both[0].whole
    assert asked == [10]
    before = replace(ASKED, as_of=midnight(await granted.r.clock.now()) - timedelta(days=1))
    await statistics.statistics(granted.ctx, EVA, before)
    assert asked == [10, 10]
