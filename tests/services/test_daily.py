"""One mail a day with what is open, to its recipient alone, in place of reminders."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.adapter import Deferred, RefusedForGood, Uncertain
from notifier.domain.answer import Answer
from notifier.rehearsal import Cast, Plan
from notifier.services import agreements, answering, daily, responses, review
from tests.services.conftest import Opens
from tests.services.stages import ADA, MAIL, RITA, START, VERISIGN, Stage
from tests.services.test_joining import about

AGREEMENT = "opioids.verisign"
TERMS: dict[str, Any] = {
    "digest": {"at": "08:00", "zone": "America/New_York", "days": "working", "calendar": "us-federal"},
    "reminders": True,
}
PLAN = Plan(
    [
        Cast("verisign", [AGREEMENT], "smtp", "notices@verisign.sandbox.test", terms=TERMS),
        Cast("pir", ["opioids.pir"], "webhook"),
    ],
    START,
)
FIRST = datetime(2026, 11, 3, 13, tzinfo=UTC)  # 08:00 in New York, in winter


@pytest.fixture
async def stage(open_stage: Opens) -> AsyncIterator[Stage]:
    async with open_stage(PLAN) as opened:
        opened.r.sandbox.desk.party_behaviours |= {"verisign": "silent", "pir": "silent"}
        yield opened


class Tells:
    """The channel, with a `tell` that keeps what is said or fails as told."""

    def __init__(self, real: Any, *fails: Exception) -> None:
        self._real, self._fails, self.capabilities = real, list(fails), real.capabilities
        self.said: list[tuple[str, str, str, datetime]] = []
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def tell(self, subject: str, text: str, key: str, at: datetime) -> Any:
        self.tries += 1
        if self._fails:
            raise self._fails.pop(0)
        self.said.append((subject, text, key, at))
        return await self._real.tell(subject, text, key, at)


def telling(stage: Stage, *fails: Exception) -> Tells:
    made = Tells(stage.ctx.adapters[AGREEMENT], *fails)
    stage.ctx.adapters[AGREEMENT] = made  # type: ignore[index]
    return made


async def lists(stage: Stage) -> list[str]:
    """What became of the lists, of those whose moment is over."""
    rows = await stage.ctx.db.fetch(
        "select state from daily_list where moment <= $1 order by moment", await stage.r.clock.now()
    )
    return [r["state"] for r in rows]


async def test_what_is_open_is_listed_once_a_day_and_nothing_is_reminded_of(stage: Stage) -> None:
    channel = telling(stage)
    cases = []
    for name in ("daily-1.com", "daily-2.com", "daily-3.com"):
        said = await stage.submit(about(name))
        await stage.r.quiet()
        await stage.approve(str(said.case_id))
        cases.append(str(said.case_id))
    other = await stage.notified("globalpills.org")  # of another recipient
    await stage.r.advance_to(FIRST)
    ((subject, text, _, when),) = channel.said
    notices = [await stage.notice(case_id) for case_id in cases]
    assert when == FIRST
    assert subject == "3 open notices to Verisign under Illegal sale of opioids on the internet"
    for notice in notices:
        assert f"{notice['domain']}: hold" in text
        assert f"notice {notice['id']}" in text
        (link,) = [line.split()[-1] for line in text.splitlines() if f"/answer/{notice['id']}/" in line]
        assert (await answering.shown(stage.ctx, str(notice["id"]), link.rpartition("/")[2])).domain == notice["domain"]
    assert text.count("/answer/") == text.count("no answer yet") == 3
    assert "globalpills.org" not in text
    assert str((await stage.notice(other))["id"]) not in text
    entry = await stage.ctx.db.fetchval("select body from audit_entry where tag = 'digest.sent'")
    assert all(str(n["id"]) in entry for n in notices)
    assert AGREEMENT in entry

    await responses.respond(stage.ctx, VERISIGN, str(notices[0]["id"]), Answer("declined", reason="declined_other"))
    await responses.respond(stage.ctx, VERISIGN, str(notices[1]["id"]), Answer("acknowledged"))
    await review.withdraw(stage.ctx, RITA, cases[2], "our error", "error")
    await stage.pass_time(days=1)
    text = channel.said[1][1]
    assert (text.count("/answer/"), "acknowledged" in text) == (1, True)
    assert str(notices[1]["id"]) in text
    assert [d.ask.purpose for d in stage.received() if d.party == "verisign"].count("reminder") == 0


async def test_a_day_without_an_open_notice_has_no_mail(stage: Stage) -> None:
    channel = telling(stage)
    await stage.pass_time(days=9)
    # Tuesday 3 to Wednesday 11 November: the 7th and 8th are a weekend, the 11th is Veterans Day.
    assert (channel.tries, await lists(stage)) == (0, ["empty"] * 6)


async def test_a_name_under_investigation_is_not_listed(stage: Stage) -> None:
    channel = telling(stage)
    case_id = await stage.notified()
    await stage.ctx.db.pool.execute(
        "with entry as (insert into deconfliction_entry (id, pattern, registrable, authority, reference, note, "
        "organisation, added_by, added_at) values (gen_random_uuid(), 'x', 'x', 'a', 'r', '', '', 't', $2) returning id) "
        "insert into deconfliction_hold (case_id, entry_id, since) select $1, id, $2 from entry",
        case_id,
        await stage.r.clock.now(),
    )
    await stage.r.advance_to(FIRST)
    assert (channel.tries, await lists(stage)) == (0, ["empty"])
    await stage.ctx.db.pool.execute("update deconfliction_hold set ended_at = $1", await stage.r.clock.now())


async def test_a_stopped_agreement_is_not_written_to(stage: Stage) -> None:
    channel = telling(stage)
    await stage.notified()
    await agreements.disarm(stage.ctx, ADA, AGREEMENT)
    await stage.r.advance_to(FIRST)
    assert (channel.tries, await lists(stage)) == (0, ["missed"])


@pytest.mark.parametrize(
    ("fails", "tries", "state", "open_tasks"),
    [
        ([Uncertain("lost after the dot")], 1, "uncertain", 0),
        ([RuntimeError("a bug")], 1, "uncertain", 0),
        ([RefusedForGood("no such mailbox")], 1, "missed", 1),
        ([Deferred("busy")] * 3, 4, "sent", 0),
        ([Deferred("busy")] * 20, 8, "missed", 1),
    ],
)
async def test_in_doubt_it_is_not_sent_again(
    stage: Stage, fails: list[Exception], tries: int, state: str, open_tasks: int
) -> None:
    channel = telling(stage, *fails)
    await stage.notified(MAIL)
    await stage.r.advance_to(FIRST)
    await stage.pass_time(hours=4)
    assert (channel.tries, await lists(stage)) == (tries, [state])
    assert len([t for t in await stage.tasks() if "daily list" in t["detail"]]) == open_tasks


async def test_a_process_that_died_while_sending_leaves_a_doubt_and_the_next_day_s_list(stage: Stage) -> None:
    channel = telling(stage)
    await stage.notified()
    await stage.ctx.db.pool.execute("update daily_list set state = 'sending'")
    await stage.r.advance_to(FIRST)
    assert (channel.tries, await lists(stage)) == (0, ["uncertain"])
    await stage.pass_time(days=1)
    assert (channel.tries, await lists(stage)) == (1, ["uncertain", "sent"])


async def test_many_processes_plan_and_send_one(stage: Stage) -> None:
    channel = telling(stage)
    await stage.notified()
    await asyncio.gather(*(daily.plan_all(stage.ctx) for _ in range(5)))
    assert await stage.count("daily_list") == 1
    list_id = str(await stage.ctx.db.fetchval("select id from daily_list"))
    await stage.r.clock.advance(FIRST)
    await asyncio.gather(*(daily.send(stage.ctx, list_id) for _ in range(5)))
    await stage.r.quiet()
    assert channel.tries == 1
    assert await stage.count("daily_list") == 2


async def test_a_changed_time_is_kept_from_then_on(stage: Stage) -> None:
    channel = telling(stage)
    await stage.notified()
    await stage.ctx.db.pool.execute("update daily_list set moment = moment - interval '1 hour'")
    await stage.r.advance_to(FIRST)
    assert (channel.tries, (await lists(stage))[0]) == (0, "missed")
