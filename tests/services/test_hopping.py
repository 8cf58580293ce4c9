"""Names that follow others, in the house: found, looked at, proposed with what links them, decided by people."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifier.domain.hopping import pattern
from notifier.errors import Conflict, Forbidden, NotFound
from notifier.rehearsal import Plan
from notifier.sandbox.survey import Profile
from notifier.services import clusters, deconfliction, hop_watch, hops
from notifier.services.access import Principal, Role
from notifier.services.deconfliction import EntryIn
from tests.services.conftest import Opens
from tests.services.stages import ADA, MAIL, PLAN, RITA, ROBOT, ROLF, SAM, START, Stage, row
from tests.services.test_deconfliction import DORA

NEXT, INNOCENT = "cheap-pharma.ac", "cheap-pharma.ai"  # among the first endings that are asked for
SIBLING = "pillshop-direct.com"
SHOP = " ".join(f"ware{n}" for n in range(150))
GARDEN = " ".join(f"rose{n}" for n in range(150))
SNIPPET = "<script>gtag('config', 'G-7KQ2M4XW9Z');</script>"
ICON = b"\x00\x00\x01\x00" + b"pill" * 50
YOUNGER = START - timedelta(days=3)
HOPS = replace(
    PLAN,
    names=[MAIL, NEXT, INNOCENT, SIBLING],
    hop_captures_day=5,
    profiles={
        MAIL: Profile(registered_at=START - timedelta(days=90)),
        NEXT: Profile(registered_at=YOUNGER),
        SIBLING: Profile(registered_at=START - timedelta(days=89)),
    },
)
OTHERS = Principal("Olga Other", "person", Role.REVIEWER, "others")


def same_shop(stage: Stage, *names: str) -> None:
    site = stage.r.sandbox.site
    for name in names:
        site.pages[name], site.heads[name], site.icons[name] = {"*": SHOP}, SNIPPET, ICON


async def links(stage: Stage, **wanted: Any) -> list[Any]:
    return list((await hops.hops(stage.ctx, RITA, **wanted)).items)


async def proposed(stage: Stage) -> tuple[str, dict[str, Any]]:
    """The case whose notice left and the one link that was proposed from it."""
    same_shop(stage, MAIL, NEXT)
    stage.r.sandbox.site.pages[INNOCENT] = {"*": GARDEN}
    case_id = await stage.notified()
    await stage.r.quiet()
    (found,) = await links(stage)
    return case_id, dict(found)


async def test_the_same_site_under_another_ending_is_proposed_from_minute_0(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        case_id, found = await proposed(stage)
        assert (str(found["case_id"]), found["before"], found["name"], found["state"]) == (
            case_id,
            MAIL,
            NEXT,
            "proposed",
        )
        assert (found["found_by"], found["successor_case"], found["cautions"]) == ("other_ending", None, [])
        # By hand: the same text 1.0 and icon 0.5 are one class; an account 0.9; a label of twelve letters, which one
        # other name carries (the innocent one), 0.7 / 2.
        assert found["links"]["classes"] == {"analytics": 0.9, "content": 1.0, "name": 0.35}
        kinds = {one["kind"]: one for one in found["links"]["shared"]}
        assert kinds.keys() >= {"text", "favicon", "analytics", "same_label"}
        assert kinds["analytics"]["value"] == "ga4:G-7KQ2M4XW9Z"
        assert MAIL in kinds["text"]["here"]
        assert NEXT in kinds["text"]["there"]
        assert "address" not in kinds, "a private address is everybody's"
        assert "hop.proposed" in await stage.tags(case_id)
        # Nothing was asked of anybody, and no case was opened.
        assert [d.ask.domain for d in stage.received()] == [MAIL]
        assert await stage.count("cases") == 1


async def test_accepting_opens_a_case_that_needs_its_own_evidence(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        case_id, found = await proposed(stage)
        with pytest.raises(Forbidden):
            await hops.accept(stage.ctx, ROBOT, str(found["id"]), "same shop")
        with pytest.raises(Forbidden):
            await hops.accept(stage.ctx, SAM, str(found["id"]), "same shop")
        with pytest.raises(NotFound):
            await hops.accept(stage.ctx, OTHERS, str(found["id"]), "same shop")
        shown = await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
        again = await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
        assert shown.row["successor_case"] == again.row["successor_case"]
        successor = str(shown.row["successor_case"])
        case = await stage.case(successor)
        assert (case["target"], case["state"], str(case["previous_case"])) == (NEXT, "needs_evidence", case_id)
        assert await stage.count("evidence where case_id = $1", successor) == 0
        await stage.pass_time(hours=2)
        assert [d.ask.domain for d in stage.received()] == [MAIL]
        # Statistics see the hop when the name was first seen, which was after the notice.
        told = await stage.ctx.db.fetchrow("select * from transition where tag = 'hop.accepted'")
        assert (str(told["case_id"]), told["at"], told["actor_kind"]) == (case_id, found["first_seen_at"], "person")
        assert told["at"] >= (await stage.case(case_id))["notified_at"]
        # Whoever opened it is a party of it.
        involved = await stage.ctx.db.fetch("select principal from report where case_id = $1", successor)
        assert [r["principal"] for r in involved] == [RITA.id]
        (cluster,) = await clusters.clusters(stage.ctx, RITA)
        assert [m.name for m in cluster.members] == [NEXT, MAIL]
        assert (await clusters.cluster(stage.ctx, ROLF, str(found["id"]))).id == cluster.id
        assert await clusters.clusters(stage.ctx, OTHERS) == []
        # Taken back: no cluster, and it is not proposed again.
        await hops.dismiss(stage.ctx, ROLF, str(found["id"]), "it was another shop")
        assert await clusters.clusters(stage.ctx, RITA) == []
        await stage.pass_time(days=2)
        assert [x["state"] for x in await links(stage)] == ["retracted"]


async def test_a_dismissal_is_remembered(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        _, found = await proposed(stage)
        await hops.dismiss(stage.ctx, RITA, str(found["id"]), "a licensed pharmacy that was copied")
        with pytest.raises(Conflict):
            await hops.accept(stage.ctx, ROLF, str(found["id"]), "no, it is the same")
        await stage.pass_time(days=3)
        assert [x["state"] for x in await links(stage)] == ["dismissed"]
        shown = await hops.show(stage.ctx, ROLF, str(found["id"]))
        assert [(d["decision"], d["by"]) for d in shown.decisions] == [("dismissed", RITA.id)]


async def test_whom_a_site_may_have_been_copied_from_needs_two_people(open_stage: Opens) -> None:
    older = {**HOPS.profiles, NEXT: Profile(registered_at=START - timedelta(days=400))}
    async with open_stage(replace(HOPS, profiles=older)) as stage:
        _, found = await proposed(stage)
        assert ["may be what was copied from" in c for c in found["cautions"]] == [True]
        first = await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
        assert (first.row["state"], first.row["first_accepted_by"]) == ("proposed", RITA.id)
        with pytest.raises(Forbidden):
            await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
        assert await stage.count("cases") == 1
        second = await hops.accept(stage.ctx, ROLF, str(found["id"]), "I looked too")
        assert second.row["state"] == "accepted"


async def test_what_is_widely_used_needs_two_people(open_stage: Opens) -> None:
    ranked = {**HOPS.profiles, NEXT: Profile(registered_at=YOUNGER, rank=900)}
    async with open_stage(replace(HOPS, profiles=ranked)) as stage:
        _, found = await proposed(stage)
        assert found["cautions"] == ["it has rank 900 among the most used names"]


async def test_a_name_under_investigation_is_not_looked_at(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        same_shop(stage, MAIL, NEXT)
        await deconfliction.add(stage.ctx, DORA, EntryIn(NEXT, "FBI", "case 7"))
        await stage.notified()
        await stage.r.quiet()
        assert await links(stage) == []
        assert await stage.count("hop_sign where name = $1", NEXT) == 0
        assert (await stage.count("hop_candidate where name = $1 and looked_at is not null", NEXT)) == 1


async def test_what_many_unrelated_names_carry_links_nobody(open_stage: Opens) -> None:
    crowd = [f"shop-of-{word}.com" for word in ("anna", "bert", "carl", "dora")]
    async with open_stage(replace(HOPS, names=[*HOPS.names, *crowd])) as stage:
        same_shop(stage, MAIL, NEXT, *crowd)
        for name in crowd:
            await stage.submit(row(domain=name, urls=[f"https://{name}/"], evidence=[]))
        await stage.r.quiet()
        await stage.notified()
        await stage.r.quiet()
        assert await links(stage) == []


async def test_our_own_cases_are_held_against_each_other_within_a_program(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        same_shop(stage, MAIL, SIBLING)
        case_id = await stage.case_in_review()
        sibling = await stage.submit(row(domain=SIBLING, urls=[f"https://{SIBLING}/"], evidence=[]))
        foreign = await stage.submit({"program": "piracy", "domain": SIBLING, "summary": "films"})
        await stage.r.quiet()
        assert foreign.case_id != sibling.case_id
        await stage.approve(case_id)
        await stage.pass_time(minutes=30)
        (found,) = await links(stage)
        assert (found["name"], str(found["successor_case"]), found["found_by"]) == (SIBLING, sibling.case_id, "case")
        assert pattern(MAIL, SIBLING) is None
        shown = await hops.accept(stage.ctx, RITA, str(found["id"]), "same shop")
        assert str(shown.row["successor_case"]) == sibling.case_id
        assert await stage.count("cases") == 3


async def test_where_the_pages_lead_is_a_candidate_and_no_more(open_stage: Opens) -> None:
    async with open_stage(HOPS) as stage:
        stage.r.sandbox.site.moved[MAIL] = f"http://{SIBLING}/"
        stage.r.sandbox.site.pages[SIBLING] = {"*": GARDEN}
        case_id = await stage.notified()
        await stage.r.quiet()
        by = await stage.ctx.db.fetchval("select found_by from hop_candidate where name = $1", SIBLING)
        assert by == "redirect"
        assert await links(stage) == []
        assert (
            await stage.count("hop_sign where case_id = $1 and kind in ('text', 'favicon', 'analytics')", case_id) == 0
        )


async def test_the_watch_keeps_its_bounds_and_ends_with_the_case(open_stage: Opens) -> None:
    async with open_stage(replace(HOPS, hop_captures_day=1)) as stage:
        case_id, found = await proposed_or_later(stage)
        looked = "hop_candidate where case_id = $1 and looked_at is not null"
        assert found == []
        assert await stage.count(looked, case_id) == 1
        await hop_watch.watch(stage.ctx, case_id)
        assert await stage.count(looked, case_id) == 1, "one a day"
        await stage.pass_time(days=2)
        assert await stage.count(looked, case_id) == 2
        waiting = "timer where case_id = $1 and kind = 'case.hop_watch' and fired_at is null and cancelled_at is null"
        assert await stage.count(waiting, case_id) == 1
        with pytest.raises(Forbidden):
            await hops.hops(stage.ctx, Principal("Eva", "person", Role.EVALUATOR))
        assert (await hops.hops(stage.ctx, ADA)).next_cursor is None


async def proposed_or_later(stage: Stage) -> tuple[str, list[Any]]:
    case_id = await stage.notified()
    await stage.r.quiet()
    return case_id, await links(stage)


def test_the_plan_of_other_stages_watches_nothing() -> None:
    assert Plan((), START).hop_captures_day == 0
