"""How much hangs on a name is measured for real, over HTTP and DNS on loopback, and the case follows it.

The incidents behind the names: mooo.com 2011 (F1), zoho.com 2018 (F5), itch.io 2024 (F6, C-017), zoom.us 2025 (F7),
susam.in 2019 (F8), sacrificial name servers (F15).
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from notifier.domain.safety import Safety
from notifier.errors import Conflict
from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.survey import Profile
from notifier.services import reading, review
from notifier.store import assessments
from tests.conftest import Databases
from tests.services.measuring import about, known, measured, signal
from tests.services.stages import PLAN, RITA, ROLF, SAM, TIM, Stage, staged

OLD = datetime(2012, 5, 1, tzinfo=UTC)
PROFILES = {
    "bigplatform.com": Profile(hosts=3000),
    "freedns.com": Profile(hosts=3000, dependents=900),
    "sidehost.com": Profile(hosts=60),
    "nsparent.com": Profile(dependents=12),
    "oldmail.com": Profile(mail=True, registered_at=datetime(2023, 1, 1, tzinfo=UTC)),
    "youngmail.com": Profile(mail=True, registered_at=datetime(2026, 1, 1, tzinfo=UTC)),
    "oldname.com": Profile(registered_at=OLD),
    "ranked.com": Profile(rank=812),
    "anyhost.com": Profile(wildcard=True),
}


@pytest.fixture(scope="module")
async def stage(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One house for all: each test has names of its own. At the end the log holds."""
    plan = replace(PLAN, profiles=PROFILES)
    async with databases() as dsn, staged(tmp_path_factory.mktemp("assessing"), dsn, plan) as opened:
        yield opened


async def test_an_ordinary_name_is_clear_and_every_reading_is_kept(stage: Stage) -> None:
    case_id = await measured(stage, "ordinary-pills.com")
    case, found = await stage.case(case_id), await known(stage, case_id)
    assert (case["safety"], case["scope"], case["agreement"]) == ("clear", "domain", "opioids.verisign")
    assert (found.safety, found.measured, found.why) == (
        Safety.CLEAR,
        True,
        "no list names it, and everything that was measured is harmless",
    )
    assert {s.name: s.value for s in found.signals if s.name not in ("host_names", "age")} == {
        "complaint": "the site",
        "wildcard": "no",
        "name_server_dependents": "0",
        "mail_active": "no",
        "popularity": "no",
        "compromised": "no sign",
        "parked": "no",
        "cloaking": "no",
        "already_down": "no",
    }
    assert all(s.at is not None and s.source for s in found.signals)
    rows = await stage.ctx.db.fetch("select safety, measured from assessment where case_id = $1 order by rev", case_id)
    assert [tuple(r) for r in rows] == [("clear", False), ("clear", True)]
    assert "target.assessed" in await stage.tags(case_id)


@pytest.mark.parametrize("name", ["bigplatform.com", "freedns.com", "nsparent.com"])
async def test_what_carries_many_others_never_reaches_the_registry(stage: Stage, name: str) -> None:
    case_id = await measured(stage, name)
    case = await stage.case(case_id)
    assert (case["safety"], case["scope"], case["target"], case["agreement"]) == ("reroute", "host", name, None)
    with pytest.raises(Conflict) as refused:
        await stage.approve(case_id)
    assert refused.value.code == "no_recipient"
    [task] = [t for t in await stage.tasks() if str(t["case_id"]) == case_id]
    assert task["kind"] == "no_contact"
    assert "registry is not asked" in task["detail"]
    assert "name servers: ns1.hosting-" in task["detail"]
    # The last line of defence: the database refuses an agreement for such a case.
    with pytest.raises(asyncpg.CheckViolationError):
        await stage.ctx.db.pool.execute(
            "update cases set agreement = 'opioids.verisign', rev = rev + 1 where id = $1", case_id
        )
    assert stage.received(name) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("sidehost.com", ("host_names", "60")),
        ("oldmail.com", ("mail_active", "yes")),
        ("ranked.com", ("popularity", "rank 812")),
        ("anyhost.com", ("wildcard", "yes")),
        ("oldname.com", ("age", "5298 days")),  # 2012-05-01 to 2026-11-02, counted by hand: 14 years and 185 days
    ],
)
async def test_one_concern_asks_for_a_second_person_with_a_reason(
    stage: Stage, name: str, found: tuple[str, str]
) -> None:
    case_id = await measured(stage, name)
    assert (await stage.case(case_id))["safety"] == "second_review"
    assert await signal(stage, case_id, found[0]) == (found[1], "second_review")
    digest = (await stage.preview(case_id)).digest
    with pytest.raises(Conflict) as refused:
        await review.approve(stage.ctx, RITA, case_id, digest)
    assert refused.value.code == "reason_required"
    assert (await stage.approve(case_id, RITA)).state == "in_review"
    assert (await stage.approve(case_id, ROLF)).state == "approved"


async def test_a_young_name_that_takes_mail_is_clear(stage: Stage) -> None:
    case_id = await measured(stage, "youngmail.com")
    assert await signal(stage, case_id, "mail_active") == ("yes", "clear")
    assert (await stage.case(case_id))["safety"] == "clear"


async def test_c017_one_bad_page_of_a_busy_name_is_the_hosts_matter(stage: Stage) -> None:
    # 60 hosts alone ask for a second person; a complaint about single pages of such a name is no registry's business.
    stage.r.sandbox.survey.profiles["userpages.com"] = Profile(hosts=60)
    case_id = await measured(stage, "userpages.com", domain=None, urls=["https://fan.userpages.com/u/page"])
    case = await stage.case(case_id)
    assert (case["safety"], case["scope"], case["target"]) == ("reroute", "host", "fan.userpages.com")
    assert await signal(stage, case_id, "complaint") == ("single pages of a shared name", "reroute")
    stage.r.sandbox.survey.profiles["famous.com"] = Profile(rank=90)
    case_id = await measured(stage, "famous.com", domain=None, urls=["https://famous.com/u/page"])
    assert (await stage.case(case_id))["safety"] == "reroute"
    # The same complaint about a small name's pages stays with the name.
    case_id = await measured(stage, "small-pills.com", domain=None, urls=["https://small-pills.com/u/page"])
    assert ((await stage.case(case_id))["safety"], await signal(stage, case_id, "complaint")) == (
        "clear",
        ("single pages", "clear"),
    )


async def test_a_case_that_turns_out_shared_is_split_by_host(stage: Stage) -> None:
    name = "laterplatform.com"
    first = await stage.submit(about(name, domain=f"alice.{name}", urls=[f"https://alice.{name}/"]))
    assert (first.state, first.safety) == ("in_review", "clear")
    stage.r.sandbox.survey.profiles[name] = Profile(hosts=5000)
    second = await stage.submit(about(name, domain=f"bob.{name}", urls=[f"https://bob.{name}/"]), TIM)
    assert second.case_id == first.case_id
    await stage.r.quiet()
    rows = await stage.ctx.db.fetch(
        "select c.target, c.scope, c.safety, c.agreement, r.principal from cases c join report r on r.case_id = c.id "
        "where c.registrable = $1 order by c.target",
        name,
    )
    assert [tuple(r) for r in rows] == [
        (f"alice.{name}", "host", "reroute", None, SAM.id),
        (f"bob.{name}", "host", "reroute", None, TIM.id),
    ]
    # From now on it is known: a third host is a case of its own from the start, and the first host's case is joined.
    third = await stage.submit(about(name, domain=f"carol.{name}", urls=[f"https://carol.{name}/"]))
    assert (third.safety, third.domain) == ("reroute", f"carol.{name}")
    again = await stage.submit(about(name, domain=f"alice.{name}", urls=[f"https://alice.{name}/more"]), TIM)
    assert again.case_id == first.case_id


async def test_a_resolver_that_fails_is_unknown(stage: Stage) -> None:
    name = "dark-zone.com"
    stage.r.sandbox.resolver.faults[name] = DnsFault.SERVFAIL
    case_id = await measured(stage, name)
    assert await signal(stage, case_id, "mail_active") == ("unknown", "second_review")
    assert await signal(stage, case_id, "wildcard") == ("unknown", "second_review")
    del stage.r.sandbox.resolver.faults[name]


async def test_the_case_shows_what_it_rests_on(stage: Stage) -> None:
    case_id = await measured(stage, "shown-pills.com")
    shown = await reading.case(stage.ctx, RITA, case_id)
    assert (shown["measured"], shown["why"]) == (
        True,
        "no list names it, and everything that was measured is harmless",
    )
    by_name = {s["name"]: s for s in shown["signals"]}
    assert by_name["name_server_dependents"]["weight"] == "clear"
    assert by_name["name_server_dependents"]["source"].startswith("127.0.0.1; safety.toml 2026-11-25 sha256:")
    entries = [e for e in await reading.timeline(stage.ctx, RITA, case_id) if e["tag"] == "target.assessed"]
    assert [(e["detail"]["was"], e["detail"]["safety"]) for e in entries] == [("clear", "clear")]
    async with stage.ctx.db.pool.acquire() as con:
        stored = await assessments.latest(con, case_id)
    assert stored is not None
    assert entries[0]["detail"]["sha256"] == stored.digest
    [draft] = (await stage.preview(case_id)).drafts
    assert "- name server dependents: 0 (source: 127.0.0.1; safety.toml 2026-11-25" in draft.content.text


async def test_an_assessment_is_never_changed(stage: Stage) -> None:
    await measured(stage, "kept-pills.com")
    for act in ("update assessment set why = 'harmless'", "delete from assessment", "truncate assessment"):
        with pytest.raises(asyncpg.PostgresError):
            await stage.ctx.db.pool.execute(act)
