"""What the public reads of a program: late, once a day, the same for ever, without names but of what is over and done."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from notifier.domain import public_figures
from notifier.domain.appeal import Cause, Outcome
from notifier.domain.look import Look, Registration
from notifier.domain.program import Program
from notifier.domain.safety import Target
from notifier.domain.transparency import Transparency
from notifier.errors import Invalid, NotFound
from notifier.sandbox.world import Act
from notifier.services import access, deconfliction, hearing, public_names, statistics, stretching, transparency
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.deconfliction import EntryIn
from notifier.services.looking import look
from notifier.services.public_names import Batch, Shown
from notifier.services.statistics import Query
from notifier.store import publications as store
from tests.services.stages import HOOK, MAIL, ROLF, START, Stage, agree
from tests.services.test_appeals import appealed, held
from tests.services.test_joining import opened
from tests.services.test_live_and_orders import moved, sample
from tests.services.test_summed import added_up

OPEN = Transparency(public=True, delay_days=7, names="after_end")
DORA = Principal("Dora", "person", Role.REVIEWER, permissions=frozenset({access.DECONFLICT}))


def tell(stage: Stage, told: Transparency, **windows: Any) -> Program:
    """The program as if its file said so."""
    program = stage.ctx.program("opioids")
    changed = replace(program, transparency=told, windows=replace(program.windows, **windows))
    stage.ctx.catalog.programs["opioids"] = changed  # type: ignore[index]
    return changed


def watched(days: int) -> tuple[timedelta, ...]:
    """Looks after a claim, the last so many days after it."""
    return timedelta(minutes=1), timedelta(minutes=5), timedelta(days=days)


async def make(stage: Stage) -> bool:
    return await transparency.make(stage.ctx, stage.ctx.program("opioids"))


async def names(stage: Stage) -> list[str]:
    return [one.name for one in (await transparency.published(stage.ctx, "opioids")).names]


@pytest.fixture
async def ended(stage: Stage) -> Stage:
    """A hold that was seen, whose watch is over, and nine days since."""
    tell(stage, OPEN, watch=watched(1), refresh=timedelta(days=400))
    case_id = await held(stage)
    await stage.pass_time(days=2)
    assert await stage.state(case_id) == "closed"
    await stage.pass_time(days=9)
    return stage


async def case_of(stage: Stage) -> str:
    return str(await stage.ctx.db.fetchval("select id from cases where target = $1 order by opened_at", MAIL))


# --- figures --------------------------------------------------------------------------------------------------------


async def test_it_is_made_once_a_day_of_what_is_old_enough(stage: Stage) -> None:
    tell(stage, OPEN)
    assert not await make(stage), "there is nothing to tell"
    with pytest.raises(NotFound):
        await transparency.published(stage.ctx, "piracy-of-nobody")
    assert (await transparency.published(stage.ctx, "opioids")).document is None
    await held(stage)  # opened, sent, claimed and verified on 2 November
    await stage.pass_time(days=6)
    assert not await make(stage), "of six days ago nothing is told"
    await stage.r.advance_to(datetime(2026, 11, 9, 23, 59, tzinfo=UTC))
    assert not await make(stage), "the last of the second is not seven days ago"
    await stage.r.advance_to(datetime(2026, 11, 10, 0, 0, tzinfo=UTC))
    assert await make(stage), "the second is over for seven days"
    assert not await make(stage), "once"
    found = await transparency.published(stage.ctx, "opioids")
    assert found.document is not None
    assert (found.document["day"], found.made_on) == ("2026-11-02", date(2026, 11, 10))
    rows = {(row["part"], row["figure"]): row for row in found.document["whole"]}
    assert {figure: row["n"] for (part, figure), row in rows.items() if part == "funnel"} == {
        "opened": 1, "approved": 1, "sent": 1, "received": 1, "answered": 1, "claimed": 1, "verified": 1,
    }  # fmt: skip
    # Wilson at 95 % of 1 of 1: from 1/(1 + 1.96²) = 20.7 %.
    assert rows["share", "success"]["low"] == pytest.approx(0.2065, abs=1e-4)
    assert rows["time", "verified"]["days"] == 1, "four hours are told as a day"
    (quarter,) = found.document["quarters"]
    assert (quarter["key"], quarter["complete"], quarter["updated"]) == ("2026-Q4", False, "2026-11-10")
    assert found.document["registries"] == []
    assert await stage.count("audit_entry where tag = 'transparency.published'") == 1


async def test_what_was_told_of_a_day_stays_and_the_next_days_go_on(stage: Stage) -> None:
    tell(stage, OPEN)
    await held(stage)
    await stage.r.advance_to(datetime(2026, 11, 10, 1, tzinfo=UTC))
    assert await make(stage)
    first = (await transparency.published(stage.ctx, "opioids")).document
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=3)  # it relapses
    kept = await stage.ctx.db.fetchval("select document from publication where day = $1", date(2026, 11, 2))
    assert kept == first
    assert await make(stage)
    second = (await transparency.published(stage.ctx, "opioids")).document
    assert first is not None
    assert second is not None
    assert (second["day"], second["whole"]) == ("2026-11-05", first["whole"]), "the relapse is not old enough"
    assert second["quarters"][0]["updated"] == first["quarters"][0]["updated"], "nothing in it changed"
    await stage.pass_time(days=8)
    assert await make(stage)
    third = (await transparency.published(stage.ctx, "opioids")).document
    assert third is not None
    relapsed = next(row for row in third["whole"] if row["figure"] == "relapsed")
    assert (relapsed["n"], relapsed["out_of"]) == (1, 1)
    assert third["quarters"][0]["updated"] == third["made_on"]
    with pytest.raises(Exception, match=r"permission denied|append"):
        await stage.ctx.db.pool.execute("update publication set document = '{}'")


async def test_small_numbers_and_registries_only_where_the_program_says_so(stage: Stage) -> None:
    tell(stage, replace(OPEN, suppress_below=10, registries=True))
    await held(stage)
    await stage.pass_time(days=9)
    assert await make(stage)
    document = (await transparency.published(stage.ctx, "opioids")).document
    assert document is not None
    rows = [row for part in (document["whole"], document["quarters"][0]["rows"]) for row in part]
    rows += document["registries"][0]["rows"]
    assert document["registries"][0]["key"] == "verisign"
    assert {row["n"] for row in rows} <= {None, 0}
    assert {(row["share"], row["days"]) for row in rows if row["n"] is None} == {(None, None)}
    assert (document["suppress_below"], document["appeals"]["filed"]) == (10, 0)


async def test_of_more_cases_than_are_read_at_once_it_is_told_what_was_added_up(stage: Stage) -> None:
    program = tell(stage, replace(OPEN, registries=True))
    await held(stage)
    await opened(stage, "second-shop.com")
    await stage.r.advance_to(datetime(2026, 11, 10, tzinfo=UTC))
    few = replace(stage.ctx, settings=replace(stage.ctx.settings, cases_at_once=1))
    with pytest.raises(Invalid, match="cases_at_once"):
        await transparency.make(few, program)  # no stretch of what became known is written, so nothing tells it
    await added_up(stage)
    while await stretching.stretch(stage.ctx, 1):
        pass
    assert await transparency.make(few, program)
    made = (await transparency.published(stage.ctx, "opioids")).document
    assert made is not None
    day = program.transparency.as_of(await stage.r.clock.now())
    who = Principal("daemon", "service", Role.AUDITOR, programs=frozenset({"opioids"}))
    _, units = await statistics.with_units(stage.ctx, who, Query("opioids", as_of=day))
    exact = public_figures.shown(public_figures.of_units(units, day), day, program.transparency)
    assert made["times"] == "within a sixteenth"
    assert (made["whole"], made["registries"]) == (exact["whole"], exact["registries"])
    assert [quarter["rows"] for quarter in made["quarters"]] == [quarter["rows"] for quarter in exact["quarters"]]


async def test_a_program_takes_back_at_once_what_it_told(ended: Stage) -> None:
    assert await make(ended)
    assert await names(ended) == [MAIL]
    tell(ended, replace(OPEN, names="none"))
    found = await transparency.published(ended.ctx, "opioids")
    assert (found.document, list(found.names)) == (None, []), "what was made under other terms is not shown"
    tell(ended, Transparency())
    with pytest.raises(NotFound):
        await transparency.published(ended.ctx, "opioids")
    assert "opioids" not in [program.id for program in transparency.programs(ended.ctx)]


async def test_mistakes_are_told_with_their_days(stage: Stage) -> None:
    tell(stage, replace(OPEN, suppress_below=10))
    case_id = await held(stage)
    appeal_id = await appealed(stage, case_id)
    await hearing.take(stage.ctx, ROLF, appeal_id)
    await hearing.decide(stage.ctx, ROLF, appeal_id, Outcome.OVERTURNED, "You have a licence.", Cause.LAWFUL)
    await stage.pass_time(days=9)
    assert await make(stage)
    document = (await transparency.published(stage.ctx, "opioids")).document
    assert document is not None
    (one,) = document["corrections"]
    assert (one["on"], one["measure"], one["cause"], one["was_gone"]) == ("2026-11-02", "hold", "lawful", True)
    assert one["back_on"] in ("2026-11-02", "2026-11-03")
    assert one["days_gone"] in (1, 2)
    told = document["appeals"]
    assert (told["filed"], told["overturned"], told["open"]) == (1, 1, 0), (
        "of mistakes no number is too small to be told"
    )
    funnel = {row["figure"]: row["n"] for row in document["whole"] if row["part"] == "funnel"}
    assert funnel["opened"] is None


# --- names ----------------------------------------------------------------------------------------------------------


async def test_a_name_is_shown_when_its_case_is_over_for_long_enough(ended: Stage) -> None:
    assert await make(ended)
    found = await transparency.published(ended.ctx, "opioids")
    (one,) = found.names
    assert (one.name, one.outcome, one.listed_on) == (MAIL, "registry_hold", (await ended.r.clock.now()).date())
    assert [(batch.on, [n.name for n in batch.names], batch.gone) for batch in found.batches] == [
        (one.listed_on, [MAIL], 0)
    ]
    await ended.pass_time(days=5)
    assert await names(ended) == [MAIL]
    await ended.pass_time(days=3)
    assert await names(ended) == [], "nobody has looked at it for a week"
    assert await make(ended)
    assert await names(ended) == [MAIL], "and now somebody has"


async def test_no_name_of_a_case_that_is_open_or_young(stage: Stage) -> None:
    tell(stage, OPEN, watch=watched(12), refresh=timedelta(days=400))
    case_id = await held(stage)
    await stage.case_in_review(HOOK)
    await stage.pass_time(days=9)
    assert await make(stage)
    assert (await stage.state(case_id), await names(stage)) == ("resolved", [])
    await stage.pass_time(days=4)
    await make(stage)
    assert (await stage.state(case_id), await names(stage)) == ("closed", []), "it ended yesterday"
    await stage.pass_time(days=9)
    await make(stage)
    assert await names(stage) == [MAIL]


async def is_back(stage: Stage) -> None:
    stage.r.sandbox.world.do(Act.RESTORE, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=1)
    await make(stage)


async def has_another_registrant(stage: Stage) -> None:
    now = await stage.r.clock.now()
    for act in (Act.DELETE, Act.END_REDEMPTION, Act.PURGE, Act.REREGISTER):
        stage.r.sandbox.world.do(act, MAIL, now, "registry")
    await stage.pass_time(days=1)
    await make(stage)


async def has_another_registrar(stage: Stage) -> None:
    stage.r.sandbox.world.do(Act.TRANSFER, MAIL, await stage.r.clock.now(), "registrar")
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await stage.pass_time(days=1)
    await make(stage)


async def is_under_appeal(stage: Stage) -> None:
    await appealed(stage, await case_of(stage))


async def is_investigated(stage: Stage) -> None:
    await deconfliction.add(stage.ctx, DORA, EntryIn(MAIL, "the authority", "A-1"))


async def is_reported_again(stage: Stage) -> None:
    await stage.submit()
    await stage.r.quiet()


@pytest.mark.parametrize(
    ("happens", "at_once"),
    [
        (is_back, False),
        (has_another_registrant, False),
        (has_another_registrar, False),
        (is_under_appeal, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_is_known_outside_or_protects_its_registrant_takes_a_name_off_for_good(
    ended: Stage, happens: Callable[[Stage], Awaitable[None]], at_once: bool
) -> None:
    await make(ended)
    assert await names(ended) == [MAIL]
    await happens(ended)
    assert await names(ended) == [], "at once" if at_once else "with the next look"
    await ended.pass_time(days=1)
    await make(ended)
    assert await names(ended) == []
    gone = await ended.ctx.db.fetchval("select removed_on from public_name")
    assert gone is not None
    batches = (await transparency.published(ended.ctx, "opioids")).batches
    assert [(list(batch.names), batch.gone, batch.updated) for batch in batches] == [([], 1, gone)]


async def is_under_alarm(stage: Stage) -> None:
    await stage.ctx.db.pool.execute(
        "insert into alarm (id, kind, case_id, detail, raised_at) values (gen_random_uuid(), 'opposition', $1, 'x', now())",
        await case_of(stage),
    )


async def is_ordered_by_a_court(stage: Stage) -> None:
    """Another program, which tells the public nothing."""
    await agree(stage, "authority-order")
    now = await stage.r.clock.now()
    report = await moved(stage, sample("authority-order"), now - START)
    text = json.dumps(report).replace(report["domain"], MAIL)
    said = await stage.submit(json.loads(text))
    assert said.case_id, (said.code, said.findings)
    await stage.r.quiet()


LOOKED_INTO = [is_investigated, is_reported_again, is_under_alarm, is_ordered_by_a_court]


@pytest.mark.parametrize("happens", LOOKED_INTO, ids=lambda value: value.__name__)
async def test_whoever_polls_the_list_does_not_see_that_a_name_is_looked_into(
    ended: Stage, happens: Callable[[Stage], Awaitable[None]]
) -> None:
    async def poll() -> tuple[Sequence[Shown], Sequence[Batch]]:
        found = await transparency.published(ended.ctx, "opioids")
        return found.names, found.batches

    await make(ended)
    before = await poll()
    assert [one.name for one in before[0]] == [MAIL]
    await happens(ended)
    assert await poll() == before, "at once"
    for _ in range(9):  # longer than a look is good for
        await ended.pass_time(days=1)
        await make(ended)
        assert await poll() == before
    assert await ended.count("audit_entry where tag = 'transparency.name_removed'") == 0


@pytest.mark.parametrize("happens", LOOKED_INTO, ids=lambda value: value.__name__)
async def test_a_name_that_is_looked_into_does_not_come_to_the_list(
    ended: Stage, happens: Callable[[Stage], Awaitable[None]]
) -> None:
    await happens(ended)
    for _ in range(2):
        await make(ended)
        assert await names(ended) == []
        assert await ended.count("public_name where listed_on is not null") == 0
        await ended.pass_time(days=1)


async def test_a_name_comes_to_the_list_once_nobody_investigates_it_any_more(ended: Stage) -> None:
    entry = await deconfliction.add(ended.ctx, DORA, EntryIn(MAIL, "the authority", "A-1"))
    await make(ended)
    assert await names(ended) == []
    await deconfliction.release(ended.ctx, DORA, str(entry.entry["id"]), "done")
    await ended.pass_time(days=1)
    await make(ended)
    assert await names(ended) == [MAIL]


async def test_what_went_never_comes_back(ended: Stage) -> None:
    await make(ended)
    await is_back(ended)
    ended.r.sandbox.world.do(Act.HOLD, MAIL, await ended.r.clock.now(), "registry")
    await ended.pass_time(days=1)
    await make(ended)
    assert await names(ended) == []


async def test_the_looks_of_a_day_are_bounded(ended: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_names, "LOOKS_A_DAY", 0)
    await make(ended)
    assert await names(ended) == []


class Waiting:
    """Stands in for who waits for a look, and writes down at whom one looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, listed: int, waiting: int) -> None:
        self.looked: list[str] = []
        self._there = {True: [f"listed-{n}" for n in range(listed)], False: [f"waiting-{n}" for n in range(waiting)]}
        monkeypatch.setattr(store, "to_look_at", self._to_look_at)
        monkeypatch.setattr(public_names, "_look_at", self._look_at)
        monkeypatch.setattr(public_names, "LOOKS_A_DAY", 8)

    async def _to_look_at(
        self, _con: object, _program: str, _before: datetime, limit: int, *, listed: bool
    ) -> list[str]:
        return self._there[listed][:limit]

    async def _look_at(self, _ctx: object, case_id: str, _before: datetime) -> None:
        self.looked.append(case_id.partition("-")[0])


@pytest.mark.parametrize(
    ("listed", "waiting", "looks"),
    [(20, 20, (6, 2)), (1, 20, (1, 7)), (20, 1, (7, 1)), (20, 0, (8, 0)), (0, 3, (0, 3))],
)
async def test_part_of_the_looks_is_for_names_on_the_list(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, listed: int, waiting: int, looks: tuple[int, int]
) -> None:
    there = Waiting(monkeypatch, listed, waiting)
    await public_names.refresh(stage.ctx, stage.ctx.program("opioids"))
    assert (there.looked.count("listed"), there.looked.count("waiting")) == looks


async def test_a_look_that_tells_nothing_lets_the_next_have_its_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look a day, and two names, the older of which cannot be looked at."""
    monkeypatch.setattr(public_names, "LOOKS_A_DAY", 1)
    tell(stage, OPEN, watch=watched(1), refresh=timedelta(days=400))
    cases = [await held(stage, name) for name in (MAIL, HOOK)]
    await stage.pass_time(days=11)
    assert [await stage.state(case_id) for case_id in cases] == ["closed", "closed"]

    async def seen(ctx: Context, target: Target) -> Look:
        found = await look(ctx, target)
        return replace(found, registration=Registration("inconclusive")) if target.name == MAIL else found

    monkeypatch.setattr(public_names, "look", seen)
    for day, listed in enumerate(([], [HOOK], [HOOK])):
        await make(stage)
        assert await names(stage) == listed, day
        await stage.pass_time(days=1)
    assert await stage.count("public_name where tried_at is not null and listed_on is null") == 1
