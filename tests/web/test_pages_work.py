"""What waits for people, over the pages: tasks by their kind, alarms, appeals, names that follow, and what is held."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import aiohttp
import pytest

from notifier.domain.answer import Answer
from notifier.domain.epp import Measure
from notifier.sandbox.world import Act
from notifier.services import access, appealing, links, tasks, worklist
from notifier.services.access import Principal, Role
from notifier.services.alarming import raise_alarm
from notifier.services.appealing import Filing
from notifier.services.responses import respond
from notifier.store import cases as case_store
from tests.services.stages import HOOK, MAIL, RITA, ROLF, VERISIGN, Stage
from tests.services.test_attending import FORM, PNG, by_form
from tests.services.test_hopping import GARDEN, HOPS, INNOCENT, NEXT, same_shop
from tests.web.browsing import PASSWORD, Reader, Shown, seated
from tests.web.callers import Callers

HOUSE = replace(HOPS, names=[*HOPS.names, HOOK])
BARE = "notices@replies.notifier.example"
NASTY = '"><script>alert(1)</script>{{ 7*7 }} https://evil.example/x'
NAMES = {"rita": RITA.id, "rolf": ROLF.id, "sam": "Sara Submits", "ada": "Alma Admin", "foreign": "Fay Foreign"}


@pytest.fixture
def stage(callers: Callers) -> Stage:
    return callers.stage


@pytest.fixture(scope="module")
async def readers(callers: Callers) -> AsyncIterator[dict[str, Reader]]:
    """Rita approves here; Rolf had no part in it."""
    stage = callers.stage
    roles = {"sam": Role.SUBMITTER, "ada": Role.ADMIN}
    found = {
        who: await seated(
            stage, name, roles.get(who, Role.REVIEWER), organisation="elsewhere" if who == "foreign" else ""
        )
        for who, name in NAMES.items()
    }
    yield found
    for reader in found.values():
        await reader.close()


@pytest.fixture(scope="module")
async def told(callers: Callers) -> str:
    """A case whose notice left, and a name that may follow it."""
    stage = callers.stage
    stage.r.sandbox.desk.party_behaviours |= {"verisign": "silent", "pir": "silent"}
    same_shop(stage, MAIL, NEXT)
    stage.r.sandbox.site.pages[INNOCENT] = {"*": GARDEN}
    case_id = await stage.notified()
    await stage.r.quiet()
    return case_id


def safe(shown: Shown) -> Shown:
    assert shown.status < 500
    assert "<script>alert" not in shown.text
    assert "https://evil.example" not in shown.text
    assert "49 " not in shown.words
    return shown


async def the_task(stage: Stage, kind: str) -> str:
    (found,) = [task for task in await stage.tasks() if task["kind"] == kind]
    return str(found["id"])


# --- tasks --------------------------------------------------------------------------------------------------------


async def sent_form(reader: Reader, path: str, receipt: bytes | None = None, **fields: str) -> Shown:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("receipt", receipt or b"", filename="receipt.png" if receipt else "")
    headers = {"Origin": reader.base, "Accept": "text/html"}
    async with reader._session.post(path, data=form, headers=headers) as got:
        return Shown(got.status, str(got.url.relative()), got.headers, await got.text())


async def test_a_form_is_carried_doubted_settled_and_filed(stage: Stage, readers: dict[str, Reader]) -> None:
    rita, rolf = readers["rita"], readers["rolf"]
    by_form(stage)
    await stage.notified(HOOK)
    at = f"/desk/work/{await the_task(stage, 'webform')}"
    listed = await rita.get("/desk/work")
    assert at in listed.text
    assert "1 webform" in listed.words
    assert at in (await rita.get("/desk/work?kind=webform")).text
    assert at not in (await rita.get("/desk/work?mine=1")).text

    before = await rita.get(at)
    assert "take the task first" in before.words
    assert "Tell us all" not in before.words
    taken = await rita.send(f"{at}/take")
    assert "The task is yours" in taken.words
    assert f'value="{HOOK}"' in taken.text
    assert FORM in taken.words
    assert f'href="{FORM}' not in taken.text, "the address is text"
    assert "Tell us all" in taken.words
    assert "Tell us all" not in (await rolf.get(at)).words, "shown to whoever has it alone"
    assert at in (await rita.get("/desk/work?mine=1")).text
    file = re.search(r'href="(/desk/work/[^"]+/files/[0-9a-f]{64})"', taken.text)
    assert file is not None
    async with rita._session.get(file[1]) as got:
        assert (got.status, got.headers["Content-Disposition"].startswith("attachment")) == (200, True)
    back = await rita.send(f"{at}/give-back")
    assert (back.status, "say filed, not filed, or unsure" in back.words) == (409, True)

    # Filed needs proof; what was typed stays.
    bare = await sent_form(rita, f"{at}/resolve", resolution="filed", note=NASTY)
    assert bare.status == 422
    assert "a receipt" in bare.words
    assert "&lt;script&gt;" in bare.text
    assert "<script>alert" not in bare.text
    unsure = await sent_form(rita, f"{at}/resolve", resolution="unsure", note="the page broke off")
    assert "The task is over" in unsure.words

    doubt = f"/desk/work/{await the_task(stage, 'uncertain')}"
    shown = await rolf.get(doubt)
    assert "the recipient is asked twice" in shown.words
    assert "the page broke off" in shown.words
    assert (await rolf.send(f"{doubt}/resolve", note="no word")).status == 422
    word: dict[str, Any] = {"resolution": "not_arrived", "note": "their desk has no such ticket"}
    sure = await rolf.send(f"{doubt}/resolve", **word)
    assert "its recipient is asked twice" in sure.words
    assert await the_task(stage, "uncertain"), "it is shown once more before it counts"
    assert (await rolf.send(f"{doubt}/resolve", resolution="wrong", note="x")).status == 422
    await rolf.send(f"{doubt}/resolve", **word, sure="yes")
    await stage.r.quiet()
    again = f"/desk/work/{await the_task(stage, 'webform')}"
    assert again != at
    await rita.send(f"{again}/take")
    filed = await sent_form(rita, f"{again}/resolve", PNG, resolution="filed", reference="T-77", note="")
    assert "The task is over" in filed.words
    attempt = await stage.ctx.db.fetchrow("select * from attempt where result = 'accepted' and reference = 'T-77'")
    assert attempt is not None
    assert attempt["receipt"] is not None
    entry = await stage.ctx.db.fetchrow(
        "select actor, via from audit_entry where tag = 'task.resolved' order by id desc"
    )
    assert (entry["actor"], entry["via"]) == (RITA.id, "page")


async def test_a_message_is_read_safely_and_tied(stage: Stage, told: str, readers: dict[str, Reader]) -> None:
    rita = readers["rita"]
    message = EmailMessage()
    for name, value in {
        "From": "somebody@evil.example",
        "To": BARE,
        "Subject": "Re: <b>you</b> https://evil.example/s",
    }.items():
        message[name] = value
    message.set_content(f"We did it. {NASTY}")
    message.add_attachment(b"MZ", maintype="application", subtype="x-msdownload", filename="<b>invoice</b>.exe")
    await stage.mail(BARE, message.as_bytes(), "somebody@evil.example")
    at = f"/desk/work/{await the_task(stage, 'unmatched_mail')}"
    shown = safe(await rita.get(at))
    assert "We did it." in shown.words
    assert "hxxps://evil[.]example/x" in shown.words
    assert "<b>invoice</b>.exe application/x-msdownload" in shown.words
    assert "<b>" not in shown.text
    assert (await rita.get(f"{at}?case=no-such-case.com")).words.count("open cases fit") == 1
    found = await rita.get(f"{at}?case={MAIL}")
    notice_id = str((await stage.notice(told))["id"])
    assert f'value="{notice_id}"' in found.text
    tied = await rita.send(f"{at}/resolve", resolution="tied", notice_id=notice_id, note="their desk's other address")
    assert "The task is over" in tied.words
    confirm = f"/desk/work/{await the_task(stage, 'confirm_answer')}"
    asked = safe(await rita.get(confirm))
    assert "We did it." in asked.words
    lacking = await rita.send(f"{confirm}/resolve", resolution="confirmed", kind="declined", note="")
    assert lacking.status == 422
    assert 'value="declined" selected' in lacking.text
    await rita.send(f"{confirm}/resolve", resolution="confirmed", kind="acknowledged", comment="they look", note="")
    await stage.r.quiet()
    answers = await stage.ctx.db.fetch("select kind from response where notice_id = $1", notice_id)
    assert [row["kind"] for row in answers] == ["acknowledged"]


async def test_a_task_is_given_back_and_no_task_is_everybodys(
    stage: Stage, told: str, readers: dict[str, Reader]
) -> None:
    async with stage.ctx.db.transaction("test") as tx:
        task_id = await tx.con.fetchval(
            "insert into task (id, kind, case_id, detail, opened_at, due_at) "
            "values (gen_random_uuid(), 'escalation', $1, $2, $3, $4) returning id::text",
            told,
            f"look at it: {NASTY}",
            tx.now - timedelta(days=2),
            tx.now - timedelta(days=1),
        )
    at = f"/desk/work/{task_id}"
    rita, rolf = readers["rita"], readers["rolf"]
    listed = safe(await rita.get("/desk/work"))
    assert "1 overdue" in listed.words
    assert listed.text.index(at) < listed.text.index("</tbody>")
    await rita.send(f"{at}/take")
    other = await rolf.send(f"{at}/take")
    assert (other.status, f"{RITA.id} has it already" in other.words) == (409, True)
    assert (await rolf.send(f"{at}/give-back")).status == 409
    assert "You gave the task back" in (await rita.send(f"{at}/give-back")).words
    assert await stage.ctx.db.fetchval("select taken_by from task where id = $1", task_id) is None
    for nobody in ("sam", "ada", "foreign"):
        for path in (at, f"{at}/take", f"{at}/resolve"):
            method = readers[nobody].get if path == at else readers[nobody].send
            assert (await method(path)).status == 404, (nobody, path)
    assert (await readers["sam"].get("/desk/work")).status == 404
    assert at not in (await readers["foreign"].get("/desk/work")).text
    assert (await rita.get("/desk/work?kind=nonsense")).status == 422
    await rita.send(f"{at}/resolve", resolution="done", note="decided")
    assert await stage.ctx.db.fetchval("select resolution from task where id = $1", task_id) == "done: decided"


async def test_tasks_come_due_or_oldest_first_page_by_page(stage: Stage, told: str) -> None:
    async with stage.ctx.db.transaction("test") as tx:
        for n, (opened, due) in enumerate([(5, None), (1, 4), (9, 1), (2, None), (7, 6)]):
            await tx.con.execute(
                "insert into task (id, kind, detail, opened_at, due_at) values (gen_random_uuid(), 'no_contact', $1, $2, $3)",
                str(n),
                tx.now - timedelta(days=opened),
                tx.now - timedelta(days=due) if due else None,
            )
    seen: list[str] = []
    cursor = None
    while True:
        page = await worklist.tasks(stage.ctx, RITA, kind="no_contact", limit=2, cursor=cursor)
        seen += [task["detail"] for task in page.items]
        if (cursor := page.next_cursor) is None:
            break
    # By hand: 6 days ago, 5, 4, 2, 1.
    assert seen == ["4", "0", "1", "3", "2"]
    await stage.ctx.db.pool.execute("update task set resolved_at = opened_at where kind = 'no_contact'")


# --- alarms -------------------------------------------------------------------------------------------------------


async def alarmed(stage: Stage, case_id: str, kind: str, detail: str = "seen") -> str:
    async with stage.ctx.db.transaction("test") as tx:
        case = await case_store.lock(tx.con, case_id)
        assert case is not None
        assert await raise_alarm(tx, kind, detail, case, case.reference)
        return str(await tx.con.fetchval("select id from alarm where kind = $1 and closed_at is null", kind))


async def test_alarms_stand_worst_first_and_end_with_a_reason(
    stage: Stage, told: str, readers: dict[str, Reader]
) -> None:
    rita, rolf, ada = readers["rita"], readers["rolf"], readers["ada"]
    seen = await alarmed(stage, told, "leaky_hold")
    owed = await alarmed(stage, told, "answer_owed")
    harm = await alarmed(stage, told, "wrong_verb", NASTY)
    shown = safe(await rita.get("/desk/alarms"))
    places = [shown.text.index(f'value="{one}"') for one in (harm, owed, seen)]
    assert places == sorted(places)
    assert f"/desk/cases/{told}" in shown.text
    only = await rita.get("/desk/alarms?grade=owed")
    assert (owed in only.text, harm in only.text) == (True, False)
    assert (await rita.get("/desk/alarms?grade=none")).status == 404

    assert "Alarms" in (await ada.get("/desk/alarms")).heading
    assert harm not in (await ada.get("/desk/alarms")).text, "admins see them, and act on none"
    assert (await ada.send("/desk/alarms/take", alarm=harm)).status == 404
    assert (await readers["sam"].get("/desk/alarms")).status == 404
    assert (await readers["foreign"].send("/desk/alarms/take", alarm=harm)).status == 404
    assert harm not in (await readers["foreign"].get("/desk/alarms")).text

    await rita.send("/desk/alarms/take", alarm=harm)
    assert (await rolf.send("/desk/alarms/take", alarm=harm)).status == 409
    assert (await rita.send("/desk/alarms/close", alarm=harm, reason=" ")).status == 422
    closed = await rita.send("/desk/alarms/close", alarm=harm, reason="they put it right <i>today</i>")
    assert "The alarm is closed" in closed.words
    assert "they put it right &lt;i&gt;today" in closed.text
    row = await stage.ctx.db.fetchrow("select closed_by, close_reason from alarm where id = $1", harm)
    assert (row["closed_by"], row["close_reason"]) == (RITA.id, "they put it right <i>today</i>")
    assert (await rita.send("/desk/alarms/close", alarm=harm, reason="again")).status == 409
    for one in (seen, owed):
        await tasks.close_alarm(stage.ctx, RITA, one)


# --- names that follow --------------------------------------------------------------------------------------------


async def test_a_link_is_decided_and_makes_a_cluster(stage: Stage, told: str, readers: dict[str, Reader]) -> None:
    rita, ada = readers["rita"], readers["ada"]
    listed = await rita.get("/desk/watch/hops")
    found = re.search(r'href="(/desk/watch/hops/[0-9a-f-]{36})"', listed.text)
    assert found is not None
    assert NEXT in listed.words
    assert "names that may follow" in (await rita.get("/desk/work")).words
    at = found[1]
    shown = await rita.get(at)
    assert shown.heading == f"Does {NEXT} follow {MAIL}?"
    assert "ga4:G-7KQ2M4XW9Z" in shown.words
    assert "0.90" in shown.words
    assert 'name="decision"' not in (await ada.get(at)).text
    assert (await ada.send(at, decision="accept", reason="x")).status == 404
    for nobody in ("sam", "foreign"):
        assert (await readers[nobody].get(at)).status == 404
    assert (await rita.send(at, decision="accept", reason=" ")).status == 422
    decided = await rita.send(at, decision="accept", reason="same shop")
    assert "What you said of the link is kept" in decided.words
    case = await stage.ctx.db.fetchrow("select id, state from cases where target = $1", NEXT)
    assert case["state"] == "needs_evidence"
    assert f"/desk/cases/{case['id']}" in decided.text
    assert NEXT in (await rita.get("/desk/watch/clusters")).words
    assert NEXT in (await rita.get("/desk/watch/hopping-list")).words
    assert NEXT in (await rita.get("/desk/watch/hops?state=accepted")).words
    assert "No link waits" in (await rita.get("/desk/watch/hops")).words
    taken = await rita.send("/desk/watch/hopping-list/csv")
    assert taken.headers["Content-Disposition"].startswith("attachment")
    assert NEXT in taken.text
    assert (await rita.get("/desk/watch/hops?state=nonsense")).status == 404


async def test_what_is_held_and_what_relapsed(stage: Stage, told: str, readers: dict[str, Reader]) -> None:
    rita = readers["rita"]
    assert "No name is held" in (await rita.get("/desk/watch")).words
    notice_id = str((await stage.notice(told))["id"])
    stage.r.sandbox.world.do(Act.HOLD, MAIL, await stage.r.clock.now(), "registry")
    await respond(stage.ctx, VERISIGN, notice_id, Answer("action_taken", Measure.HOLD, "registry"))
    await stage.pass_time(hours=2)
    for name in NAMES:  # so long after their last page, they sign in anew
        await readers[name].send("/sign-in", name=NAMES[name], password=PASSWORD, code="", back="")
    shown = await rita.get("/desk/watch")
    assert MAIL in shown.words
    assert f"/desk/cases/{told}" in shown.text
    case = await stage.case(told)
    left = (case["review_by"] - await stage.r.clock.now()).days
    assert f" {left} d" in shown.words
    assert MAIL in (await rita.get("/desk/watch?mine=1")).words, "who approved it looks after it"
    assert "You look after none" in (await readers["rolf"].get("/desk/watch?mine=1")).words
    assert MAIL not in (await readers["foreign"].get("/desk/watch")).words
    assert (await readers["sam"].get("/desk/watch")).status == 404

    assert "was found undone" in (await rita.get("/desk/watch/relapsed")).words
    undone = "update claim set relapsed_at = $2 where case_id = $1"
    await stage.ctx.db.pool.execute(undone, told, await stage.r.clock.now())
    relapsed = await rita.get("/desk/watch/relapsed")
    assert f"/desk/cases/{told}" in relapsed.text
    assert "hold by the registry" in relapsed.words
    assert MAIL not in (await readers["foreign"].get("/desk/watch/relapsed")).words
    await stage.ctx.db.pool.execute(undone, told, None)


# --- events -------------------------------------------------------------------------------------------------------


async def test_events_and_who_is_on_duty(readers: dict[str, Reader]) -> None:
    shown = await readers["rita"].get("/desk/events")
    assert "Sample final" in shown.words
    assert "Rita Reviewer" in shown.words
    one = await readers["rita"].get("/desk/events/sample-final-2026")
    assert "Nothing was asked for because of this event" in one.words
    assert "30 min after the end" in one.words
    told = await readers["sam"].get("/desk/events")
    assert (told.status, "Rita Reviewer" in told.words) == (200, False)
    assert (await readers["rita"].get("/desk/events/no-such-event")).status == 404


# --- appeals ------------------------------------------------------------------------------------------------------


async def filed(stage: Stage, case_id: str) -> str:
    notice_id = str((await stage.notices(case_id))[0]["id"])
    link = f"https://x/appeal/{notice_id}/{links.appeal_secret(stage.ctx.reply_key, notice_id)}"
    said = Filing(
        MAIL, f"We have a licence. {NASTY}", "owner@their-mail.net", link, [{"url": "https://evil.example/x"}]
    )
    await appealing.file(stage.ctx, said, "192.0.2.1")
    await stage.r.quiet()
    return str(await stage.ctx.db.fetchval("select id from appeal where case_id = $1", case_id))


async def test_an_appeal_is_heard_by_somebody_else(stage: Stage, told: str, readers: dict[str, Reader]) -> None:
    rita, rolf, ada = readers["rita"], readers["rolf"], readers["ada"]
    at = f"/desk/appeals/{await filed(stage, told)}"
    assert at in (await rolf.get("/desk/appeals")).text
    assert at not in (await rolf.get("/desk/appeals?show=decided")).text
    assert MAIL in (await ada.get("/desk/appeals")).words
    assert (await ada.get(at)).status == 404
    for nobody in ("sam", "foreign"):
        assert (await readers[nobody].get(at)).status == 404
    assert (await rolf.get("/desk/appeals?show=nonsense")).status == 404

    approver = safe(await rita.get(at))
    assert "You may not hear this appeal" in approver.words
    assert 'name="outcome"' not in approver.text
    refused = await rita.send(f"{at}/take")
    assert refused.status == 403

    shown = safe(await rolf.get(at))
    assert "We have a licence." in shown.words
    assert "hxxps://evil[.]example/x" in shown.words
    assert "Statement of reasons" in shown.words
    assert "The appeal is yours" in (await rolf.send(f"{at}/take")).words
    lacking = await rolf.send(f"{at}/decide", outcome="overturned", cause="", reasons=" ")
    assert (lacking.status, 'value="overturned" required checked' in lacking.text) == (422, True)
    sure = await rolf.send(f"{at}/decide", outcome="overturned", cause="lawful", reasons="The licence is <good>.")
    assert "Our decision falls" in sure.words
    assert "The licence is &lt;good&gt;." in sure.text
    assert await stage.count("appeal_decision") == 0, "it is shown once more before it counts"
    named = await rolf.send(f"{at}/decide", outcome="upheld", cause="", reasons=f"{RITA.id} was right", sure="yes")
    assert (named.status, await stage.count("appeal_decision")) == (422, 0)
    done = await rolf.send(
        f"{at}/decide", outcome="overturned", cause="lawful", reasons="The licence is <good>.", sure="yes"
    )
    assert "The appeal is decided" in done.words
    assert "our decision falls" in done.words
    row = await stage.ctx.db.fetchrow("select outcome, cause, by from appeal_decision")
    assert (row["outcome"], row["cause"], row["by"]) == ("overturned", "lawful", ROLF.id)
    entry = await stage.ctx.db.fetchrow(
        "select actor, via from audit_entry where tag = 'appeal.decided' order by id desc"
    )
    assert (entry["actor"], entry["via"]) == (ROLF.id, "page")
    await stage.r.quiet()
    assert "lawful" in (await rolf.get("/desk/appeals/corrections")).words


def test_every_kind_of_task_has_its_sentence(request: pytest.FixtureRequest) -> None:
    assert set(tasks.RESOLUTIONS) <= set(worklist.KINDS)
    assert all(about.endswith(".") for about in worklist.KINDS.values())
    assert access.is_of_the_house(Principal("x", "person", Role.REVIEWER))
