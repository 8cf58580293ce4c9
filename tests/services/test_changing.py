"""A channel changes by proposal, approval and a day's wait; what was approved for the old one never leaves by the new."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import Any, cast

import pytest

from notifier import bootstrap
from notifier.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from notifier.rehearsal import overlay_of
from notifier.services import agreements, changing, inbound, review, sending, suspending, tasks
from notifier.services.access import Principal, Role
from notifier.store import agreements as store
from notifier.store.channels import Change, ChangeState
from tests.registries.channels import api_address
from tests.registries.servers import SECRET, TOKEN, ApiServer, HookServer, SmtpServer
from tests.services.stages import ADA, BORIS, HOOK, MAIL, PIR, PLAN, RITA, SAM, VERISIGN, Stage, until
from tests.services.test_answers import signed
from tests.services.test_attempts import AGREEMENT

KINDS = ("smtp", "webhook", "api", "authority")
NEW = "new@registry.example"


@asynccontextmanager
async def recipient(stage: Stage, kind: str) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """Somebody new to write to by a channel of this kind, and the address of that."""
    cast(dict[str, str], stage.ctx.settings.secrets).update({"hook": SECRET, "desk": TOKEN})
    if kind == "webhook":
        async with HookServer() as hook:
            yield hook, {"url": f"http://127.0.0.1:{hook.port}/hook", "secret": "hook"}
    elif kind == "api":
        async with ApiServer() as desk:
            yield desk, api_address(desk.port)
    else:
        more = {"delivery": "mail", "postal": ["Office of Example", "1 Main Street"]} if kind == "authority" else {}
        async with SmtpServer() as mail:
            yield mail, {"to": NEW, "host": "127.0.0.1", "port": mail.port, "starttls": "none", **more}


async def propose(stage: Stage, domain: str, kind: str, address: dict[str, Any], who: Principal = ADA) -> Change:
    return await changing.propose(stage.ctx, who, AGREEMENT[domain], kind, address)


async def approve(stage: Stage, change: Change, who: Principal = BORIS, note: str = "") -> Change:
    done = await changing.approve(stage.ctx, who, change.agreement, change.version, note)
    await stage.r.quiet()
    return done


async def arm(stage: Stage, domain: str) -> None:
    for admin in (ADA, BORIS):
        await agreements.arm(stage.ctx, admin, AGREEMENT[domain])
    await stage.r.quiet()


async def state(stage: Stage, change: Change) -> str:
    return str(await stage.ctx.db.fetchval("select state from channel_version where id = $1", change.id))


async def tell_by_hand(stage: Stage) -> None:
    """A person tells the recipient, whose channel carries no free message."""
    (task,) = [t for t in await stage.tasks() if t["kind"] == "tell_recipient"]
    await tasks.resolve(stage.ctx, RITA, str(task["id"]), "done", "told Ms Example by telephone")


def told(stage: Stage) -> list[Any]:
    """Messages to verisign's old mailbox that are no notices."""
    mails = [message_from_bytes(d.raw, policy=default) for d in stage.received() if d.channel == "smtp"]
    return [mail for mail in mails if mail["X-Notifier-Notice"] is None]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_whole_way_to_another_channel(stage: Stage, kind: str) -> None:
    case_id = await stage.case_in_review()
    async with recipient(stage, kind) as (new, address):
        change = await propose(stage, MAIL, kind, address)
        assert new.attempts == 0
        await approve(stage, change)
        (mail,) = told(stage)
        assert mail["To"].addresses[0].addr_spec == "notices@verisign.sandbox.test"
        await stage.approve(case_id)  # for the old channel, whose window would end in the 24 hours
        await agreements.disarm(stage.ctx, ADA, AGREEMENT[MAIL])
        await stage.pass_time(hours=23, minutes=59)
        before = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
        assert (before.adapter, before.channel_version, await state(stage, change)) == ("smtp", 0, "approved")
        await stage.pass_time(minutes=1)
        stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
        assert (stands.adapter, stands.channel_version, stands.armed) == (kind, 1, False)
        assert stands.digest != before.digest
        case = await stage.case(case_id)
        assert (case["state"], case["review_reason"]) == ("in_review", "channel changed")
        assert [n["state"] for n in await stage.notices(case_id)] == ["cancelled"]
        await stage.approve(case_id)
        await stage.pass_time(hours=1)
        assert new.got == [], "to approve is not to arm"
        await arm(stage, MAIL)
        assert len(new.got) == 1
        assert (await stage.notice(case_id))["state"] == "sent"
        assert [d for d in stage.received(MAIL) if d.ask.domain == MAIL] == []


async def test_the_old_arming_does_not_come_back_with_the_old_channel(stage: Stage) -> None:
    old = dict(stage.ctx.catalog.agreements[AGREEMENT[MAIL]].address)
    async with recipient(stage, "smtp") as (_, address):
        await approve(stage, await propose(stage, MAIL, "smtp", address))
        await stage.pass_time(hours=24)
        await approve(stage, await propose(stage, MAIL, "smtp", old))
        await tell_by_hand(stage)  # unarmed, nothing leaves by it
        await stage.pass_time(hours=24)
    stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
    assert (stands.channel_version, stands.armed) == (2, False)


async def test_where_the_old_channel_carries_no_words_a_person_tells_it(stage: Stage) -> None:
    async with recipient(stage, "smtp") as (_, address):
        change = await approve(stage, await propose(stage, HOOK, "smtp", address))
        await stage.pass_time(days=3)
        assert await state(stage, change) == "approved", "nobody has told it yet"
        await tell_by_hand(stage)
        await stage.pass_time(hours=23)
        assert await state(stage, change) == "approved"
        await stage.pass_time(hours=1)
        assert await state(stage, change) == "effective"


@pytest.mark.parametrize("stopped", ["disarmed", "suspended"])
async def test_nothing_leaves_to_tell_it_where_nothing_may_leave(stage: Stage, stopped: str) -> None:
    if stopped == "disarmed":
        await agreements.disarm(stage.ctx, ADA, AGREEMENT[MAIL])
    else:
        await suspending.suspend(stage.ctx, ADA, AGREEMENT[MAIL], store.Scope.EVERYTHING, "not even that")
    async with recipient(stage, "webhook") as (_, address):
        await approve(stage, await propose(stage, MAIL, "webhook", address))
    assert (told(stage), await stage.task_kinds()) == ([], ["tell_recipient"])


async def test_an_old_address_that_refuses_is_told_by_a_person(stage: Stage) -> None:
    stage.r.sandbox.desk.party_behaviours["verisign"] = "bounce"
    async with recipient(stage, "webhook") as (_, address):
        change = await approve(stage, await propose(stage, MAIL, "webhook", address))
        await stage.pass_time(days=2)
        assert (await state(stage, change), await stage.task_kinds()) == ("approved", ["tell_recipient"])


async def test_a_daemon_that_died_while_telling_asks_a_person(stage: Stage) -> None:
    async with recipient(stage, "webhook") as (_, address):
        change = await propose(stage, MAIL, "webhook", address)
        # As it stands when a daemon ended between the beginning and the end of telling.
        await stage.ctx.db.pool.execute("update channel_version set tell_started_at = proposed_at")
        await approve(stage, change)
        assert (await state(stage, change), await stage.task_kinds()) == ("approved", ["tell_recipient"])
        assert told(stage) == []


async def test_nobody_waits_for_a_dead_channel(stage: Stage) -> None:
    await stage.r.sandbox.smtp.stop()
    async with recipient(stage, "webhook") as (_, address):
        done = await approve(stage, await propose(stage, MAIL, "webhook", address))
    assert done.state is ChangeState.EFFECTIVE
    assert done.old_dead is not None
    assert done.old_dead.startswith("its check fails")
    assert await stage.task_kinds() == ["tell_recipient"]
    rows = await stage.ctx.db.fetch("select body from audit_entry where tag = 'agreement.channel_changed'")
    assert ["its check fails" in row["body"] for row in rows] == [True]


async def test_an_agreement_without_a_channel_gets_its_first(stage: Stage) -> None:
    async with recipient(stage, "webhook") as (_, address):
        change = await changing.propose(stage.ctx, ADA, "piracy.radix", "webhook", address)
        done = await approve(stage, change)
        assert (done.state, done.old_dead) == (ChangeState.EFFECTIVE, "there was none")
        for admin in (ADA, BORIS):
            stands = await agreements.arm(stage.ctx, admin, "piracy.radix")
        assert stands.armed
    assert await stage.task_kinds() == []


async def test_two_people_and_a_call_back(stage: Stage) -> None:
    async with recipient(stage, "smtp") as (_, address):
        mine = await propose(stage, MAIL, "smtp", address)
        with pytest.raises(Forbidden) as raised:
            await approve(stage, mine, ADA)
        assert raised.value.code == "four_eyes"
        for who in (RITA, VERISIGN, Principal("robot", "service", Role.ADMIN)):
            with pytest.raises(Forbidden):
                await approve(stage, mine, who)
        with pytest.raises(Conflict) as pending:
            await propose(stage, MAIL, "smtp", address, VERISIGN)
        assert pending.value.code == "change_pending"
        await changing.refuse(stage.ctx, ADA, mine.agreement, mine.version, "a typing error")
        assert await state(stage, mine) == "withdrawn"
        theirs = await propose(stage, MAIL, "smtp", address, VERISIGN)
        assert theirs.version == 2
        with pytest.raises(Invalid):
            await approve(stage, theirs, ADA)
        await approve(stage, theirs, ADA, "Ms Example, by the number in our contract")
        assert await state(stage, theirs) == "approved"


@pytest.mark.parametrize("who", [ADA, BORIS, VERISIGN], ids=lambda who: who.id)
async def test_whoever_objects_within_the_day_stops_it(stage: Stage, who: Principal) -> None:
    async with recipient(stage, "smtp") as (_, address):
        change = await approve(stage, await propose(stage, MAIL, "smtp", address))
        await stage.pass_time(hours=23)
        await changing.refuse(stage.ctx, who, change.agreement, change.version, "we know nothing of this")
        await stage.pass_time(days=2)
        assert await state(stage, change) in ("refused", "withdrawn")
        stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
        assert (stands.channel_version, stands.armed) == (0, True)
        with pytest.raises(Conflict) as raised:
            await changing.refuse(stage.ctx, who, change.agreement, change.version, "once more")
        assert raised.value.code == "change_not_open"


async def test_a_foreign_registry_changes_and_refuses_nothing(stage: Stage) -> None:
    async with recipient(stage, "smtp") as (_, address):
        with pytest.raises(NotFound):
            await propose(stage, MAIL, "smtp", address, PIR)
        change = await propose(stage, MAIL, "smtp", address)
        with pytest.raises(NotFound):
            await changing.refuse(stage.ctx, PIR, change.agreement, change.version, "no")
        with pytest.raises(NotFound):
            await changing.versions(stage.ctx, PIR, AGREEMENT[MAIL])
        with pytest.raises(Forbidden):
            await propose(stage, MAIL, "smtp", address, SAM)


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        ("smtp", {"to": "nobody"}, "address.to"),
        ("smtp", {"to": "a@b.example", "bcc": "c@d.example"}, "bcc"),
        ("smtp", {"to": ["a@b.example"]}, "address.to"),
        ("smtp", {"to": "a@b.example", "host": "mx", "port": [25]}, "smtp cannot use it"),
        ("webhook", {"url": "gopher://a/", "secret": "hook"}, "address.url"),
        ("webhook", {"url": "https://a.example/"}, "address.secret"),
        ("api", {"url": "https://a.example/", "token": "desk"}, "fields"),
        ("authority", {"delivery": "pigeon"}, "address.delivery"),
        ("pigeon", {"to": "a@b.example"}, "no adapter"),
        ("smtp", {"to": "a@b.example\0"}, "address"),
    ],
)
async def test_what_cannot_be_built_is_not_proposed(
    stage: Stage, kind: str, address: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        await propose(stage, MAIL, kind, address)
    assert await stage.count("channel_version") == 0


async def test_a_recipient_names_no_secret_of_another(stage: Stage) -> None:
    """A token of ours would be sent to whatever address the recipient chose."""
    async with recipient(stage, "webhook") as (hook, _):
        url = f"http://127.0.0.1:{hook.port}/hook"
        for name in ("desk", "DESK", "hook_verisign"):
            with pytest.raises(Invalid, match="secret"):
                await propose(stage, HOOK, "webhook", {"url": url, "secret": name}, PIR)
        own = stage.ctx.catalog.agreements[AGREEMENT[HOOK]].address["secret"]
        change = await propose(stage, HOOK, "webhook", {"url": url, "secret": own}, PIR)
        assert change.by_recipient


async def test_a_channel_that_does_not_answer_is_not_approved(stage: Stage) -> None:
    async with recipient(stage, "smtp") as (_, address):
        change = await propose(stage, MAIL, "smtp", address)
    with pytest.raises(Conflict) as raised:
        await approve(stage, change)
    assert (raised.value.code, await state(stage, change)) == ("channel_not_ready", "proposed")


@pytest.mark.parametrize("domain", [MAIL, HOOK])
async def test_what_waits_to_be_tried_again_is_reviewed_anew(stage: Stage, domain: str) -> None:
    """By mail it was put off; by webhook it may have arrived, so that it is taken back by the new channel."""
    if domain == MAIL:
        stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    else:
        stage.r.sandbox.desk.behaviours[HOOK] = "silent"
        stage.r.sandbox.webhook.after_acceptance.drop(1)
    case_id = await stage.notified(domain)
    assert (await stage.notice(case_id))["state"] == ("queued" if domain == MAIL else "sending")
    await agreements.disarm(stage.ctx, ADA, AGREEMENT[domain])
    before = len(stage.received(domain))
    async with recipient(stage, "webhook") as (new, address):
        await approve(stage, await propose(stage, domain, "webhook", address))
        await tell_by_hand(stage)
        await stage.pass_time(hours=24)
        assert await stage.state(case_id) == "in_review"
        await arm(stage, domain)
        await stage.pass_time(hours=1)
        assert [got.content["purpose"] for got in new.got] == ([] if domain == MAIL else ["withdrawal"])
        assert len(stage.received(domain)) == before
        assert (await stage.notices(case_id))[0]["state"] == ("cancelled" if domain == MAIL else "uncertain")


async def test_a_withdrawal_that_waits_goes_to_the_address_that_stands(stage: Stage) -> None:
    stage.r.sandbox.desk.behaviours[MAIL] = "silent"
    case_id = await stage.notified()
    await agreements.disarm(stage.ctx, ADA, AGREEMENT[MAIL])
    await review.withdraw(stage.ctx, RITA, case_id, "it was an error")
    await stage.r.quiet()
    async with recipient(stage, "smtp") as (new, address):
        await approve(stage, await propose(stage, MAIL, "smtp", address))
        await tell_by_hand(stage)
        await stage.pass_time(hours=24)
        assert new.got == []
        await arm(stage, MAIL)
        (got,) = new.got
        assert got.envelope["recipients"] == [NEW]
        undo = await stage.notice(case_id)
        assert (undo["state"], undo["purpose"]) == ("sent", "withdrawal")
        assert got.envelope["message"]["X-Notifier-Digest"].strip() == undo["digest"]
        assert "notice.readdressed" in await stage.tags(case_id)
    assert [d.ask.domain for d in stage.received(MAIL)] == [MAIL], "the request alone went to the old"


async def test_a_change_of_the_secret_alone_asks_for_a_new_approval(stage: Stage) -> None:
    """The notice's own bytes are the same, and still it was approved for another channel."""
    known = stage.ctx.catalog.agreements[AGREEMENT[HOOK]].address
    cast(dict[str, str], stage.ctx.settings.secrets)["newer"] = SECRET
    case_id = await stage.case_in_review(HOOK)
    shown = await stage.preview(case_id)
    change = await approve(stage, await propose(stage, HOOK, "webhook", {**known, "secret": "newer"}))
    await tell_by_hand(stage)
    await stage.pass_time(hours=24)
    assert await state(stage, change) == "effective"
    with pytest.raises(Conflict) as raised:
        await review.approve(stage.ctx, RITA, case_id, shown.digest, "I compared it")
    assert raised.value.code == "digest_changed"


async def test_an_old_secret_is_heard_for_a_week(stage: Stage) -> None:
    async with recipient(stage, "webhook") as (_, address):
        await approve(stage, await propose(stage, HOOK, "webhook", address))
        await tell_by_hand(stage)
        await stage.pass_time(hours=24)
        body = '{"type": "something.else"}'
        await stage.pass_time(days=6, hours=23)
        assert await inbound.receive_webhook(stage.ctx, "pir", signed(stage, body, "msg_1"), body.encode())
        await stage.pass_time(hours=1)
        with pytest.raises(Unauthenticated):
            await inbound.receive_webhook(stage.ctx, "pir", signed(stage, body, "msg_2"), body.encode())
        await stage.r.quiet()


async def test_another_process_and_a_restart_follow_it(stage: Stage) -> None:
    """A second house over the same database, opened before the change, sees it at once."""
    house = stage.r.house
    async with bootstrap.house(
        house.settings, house.dsn, overlay=overlay_of(PLAN.cast, stage.r.sandbox.where())
    ) as other:
        async with recipient(stage, "webhook") as (_, address):
            await approve(stage, await propose(stage, MAIL, "webhook", address))
            await stage.pass_time(hours=24)
            for ctx in (stage.ctx, other.ctx):
                stands = await agreements.standing(ctx, AGREEMENT[MAIL])
                assert (stands.channel_version, stands.adapter, stands.armed) == (1, "webhook", False)


async def test_a_file_that_is_changed_later_stands(stage: Stage) -> None:
    known = cast(dict[str, Any], stage.ctx.catalog.agreements)
    async with recipient(stage, "webhook") as (_, address):
        await approve(stage, await propose(stage, MAIL, "webhook", address))
        await stage.pass_time(hours=24)
        filed = known[AGREEMENT[MAIL]]
        known[AGREEMENT[MAIL]] = replace(filed, basis="Another section.", digest="e" * 64)
        stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
        assert (stands.channel_version, stands.overruled) == (1, None), "its channel is what it was"
        known[AGREEMENT[MAIL]] = replace(filed, address={"to": "desk@verisign.sandbox.test"}, digest="f" * 64)
        stands = await agreements.standing(stage.ctx, AGREEMENT[MAIL])
        assert (stands.channel_version, stands.overruled, stands.adapter) == (0, 1, "smtp")


async def test_a_file_that_is_changed_meanwhile_overtakes_the_proposal(stage: Stage) -> None:
    known = cast(dict[str, Any], stage.ctx.catalog.agreements)
    async with recipient(stage, "webhook") as (_, address):
        change = await propose(stage, MAIL, "webhook", address)
        filed = known[AGREEMENT[MAIL]]
        known[AGREEMENT[MAIL]] = replace(filed, address={"to": "desk@verisign.sandbox.test"}, digest="f" * 64)
        with pytest.raises(Conflict) as raised:
            await approve(stage, change)
        assert raised.value.code == "change_overtaken"
        known[AGREEMENT[MAIL]] = filed
        await approve(stage, change)
        known[AGREEMENT[MAIL]] = replace(filed, address={"to": "desk@verisign.sandbox.test"}, digest="f" * 64)
        await stage.pass_time(hours=24)
        assert await state(stage, change) == "refused"


async def test_no_attempt_begins_by_the_old_channel_after_the_change(stage: Stage) -> None:
    """The attempt comes to the lock while the change takes effect."""
    stage.r.sandbox.desk.behaviours[MAIL] = "throttle_then_obey"
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    tries = await stage.attempts(notice["id"])
    async with recipient(stage, "webhook") as (new, address):
        change = await approve(stage, await propose(stage, MAIL, "webhook", address))
        async with stage.ctx.db.transaction("daemon") as tx:
            await store.hold(tx.con, AGREEMENT[MAIL])
            attempt = asyncio.create_task(sending.send(stage.ctx, str(notice["id"])))
            await until(lambda: stage.count("pg_locks where locktype = 'advisory' and not granted"))
            await tx.con.execute(
                "update channel_version set state = 'effective', effective_from = $2 where id = $1",
                change.id,
                tx.now,
            )
        await attempt
        assert await stage.attempts(notice["id"]) == tries
        assert await stage.state(case_id) == "in_review"
        assert new.got == []


async def test_two_admins_approve_one_change_once(stage: Stage) -> None:
    async with recipient(stage, "smtp") as (_, address):
        theirs = await propose(stage, MAIL, "smtp", address, VERISIGN)
        both = await asyncio.gather(
            *(changing.approve(stage.ctx, who, theirs.agreement, 1, "confirmed") for who in (ADA, BORIS)),
            return_exceptions=True,
        )
        assert sorted(type(said).__name__ for said in both) == ["Change", "Conflict"]
        await stage.r.quiet()
        assert len(told(stage)) == 1
