"""A test through a channel: one message that says so, in the log and in no figure, whoever may not is told so."""

import json
from email import message_from_bytes
from email.policy import default

import pytest

from notifier.errors import Conflict, Forbidden, NotFound, TooMany
from notifier.rehearsal import Cast, Plan
from notifier.sandbox.faults import Point
from notifier.services import agreement_log, agreements, pinging, statistics, statistics_file, suspending
from notifier.services.access import Principal, Role
from notifier.services.statistics import Query
from notifier.store.agreements import Scope
from registries import webhook
from tests.services.conftest import Opens
from tests.services.stages import ADA, BORIS, HOOK, PIR, RITA, START, VERISIGN, Stage

MAIL_AT, HOOK_AT = "opioids.verisign", "opioids.pir"


async def test_a_mail_says_first_that_it_is_a_test(stage: Stage) -> None:
    made = await pinging.send(stage.ctx, VERISIGN, MAIL_AT)
    assert (made.result, made.adapter, made.said_by_them) == ("accepted", "smtp", False)
    (got,) = stage.received()
    message = message_from_bytes(got.raw, policy=default)
    body = message.get_content()
    assert str(message["Subject"]).startswith("TEST, nothing is asked")
    first = body.splitlines()[0]
    assert first == "This is a test of the channel. Nothing is asked of you, and no answer is needed."
    assert message["X-Notifier-Notice"] is None
    assert (got.ask.notice_id, got.ask.domain, got.ask.measure) == ("", "", None)


async def test_a_webhook_gets_a_signed_event_of_its_own_type(stage: Stage) -> None:
    made = await pinging.send(stage.ctx, PIR, HOOK_AT)
    assert (made.result, made.said, made.said_by_them) == ("accepted", "HTTP 202", True)
    (got,) = stage.received()  # it verifies the signature before it takes anything
    event = json.loads(got.raw)
    assert (event["type"], event["data"]["test"], event["data"]["agreement_id"]) == ("test.ping", True, HOOK_AT)
    assert not {"domain", "notice_id", "case_ref", "measure"} & set(event["data"])
    assert "This is a test of the channel." in event["data"]["text"].splitlines()[0]


async def test_nothing_of_it_is_a_notice_a_case_or_a_figure(stage: Stage) -> None:
    before = statistics_file.rows(await statistics.statistics(stage.ctx, RITA, Query()))
    await pinging.send(stage.ctx, PIR, HOOK_AT)
    await stage.pass_time(hours=2)
    for table in ("notice", "cases", "attempt", "response", "task"):
        assert await stage.count(table) == 0, table
    assert statistics_file.rows(await statistics.statistics(stage.ctx, RITA, Query())) == before
    assert stage.r.sandbox.inbox.sent == [], "nobody answers a test"


async def test_it_is_in_the_log_with_what_became_of_it(stage: Stage) -> None:
    made = await pinging.send(stage.ctx, PIR, HOOK_AT, via="page")
    entry = await agreement_log.newest(stage.ctx, ADA, HOOK_AT, "tested")
    assert entry is not None
    assert (entry["actor"], entry["via"]) == (PIR.id, "page")
    assert entry["detail"] == {
        "digest": made.digest,
        "adapter": "webhook",
        "result": "accepted",
        "said": "HTTP 202",
        "by": "recipient",
    }
    assert made.digest == (await agreements.standing(stage.ctx, HOOK_AT)).digest


async def test_what_our_own_mail_server_said_is_for_staff(stage: Stage) -> None:
    await pinging.send(stage.ctx, VERISIGN, MAIL_AT)
    told = {who.role: await agreement_log.newest(stage.ctx, who, MAIL_AT, "tested") for who in (ADA, VERISIGN)}
    ours, theirs = told[Role.ADMIN], told[Role.REGISTRY]
    assert ours is not None
    assert theirs is not None
    assert ours["detail"]["our_server_said"]
    assert set(theirs["detail"]) == {"digest", "adapter", "result", "by"}


@pytest.mark.parametrize(
    ("point", "result", "said"),
    [
        (Point.HTTP_410, "refused", "HTTP 410"),
        (Point.HTTP_503, "later", "HTTP 503"),
        (Point.HTTP_500, "uncertain", "HTTP 500"),
        (Point.HTTP_ANSWER, "uncertain", "no answer after the request was begun"),
    ],
)
async def test_what_the_other_side_says_is_what_is_told(stage: Stage, point: Point, result: str, said: str) -> None:
    stage.r.sandbox.faults.likelihood = {point: 1.0}
    made = await pinging.send(stage.ctx, PIR, HOOK_AT)
    assert made.result == result
    assert made.said.startswith(said)
    await stage.pass_time(hours=1)
    assert len(stage.received()) == (1 if result == "uncertain" else 0), "it is never sent again by itself"


async def test_it_goes_unarmed_and_while_requests_are_stopped_but_not_when_everything_is(
    unarmed_stage: Stage,
) -> None:
    stage = unarmed_stage
    await suspending.suspend(stage.ctx, PIR, HOOK_AT, Scope.REQUESTS, "our desk moves")
    assert (await pinging.send(stage.ctx, PIR, HOOK_AT)).result == "accepted"
    await stage.pass_time(minutes=2)
    await suspending.suspend(stage.ctx, ADA, HOOK_AT, Scope.EVERYTHING, "a fault of ours")
    with pytest.raises(Conflict) as caught:
        await pinging.send(stage.ctx, PIR, HOOK_AT)
    assert caught.value.code == "everything_stopped"
    assert len(stage.received()) == 1


async def test_who_may(stage: Stage) -> None:
    for who, failure in (
        (VERISIGN, NotFound),
        (RITA, Forbidden),
        (Principal("their machine", "service", Role.REGISTRY, registry="pir"), Forbidden),
        (Principal("Olga Elsewhere", "person", Role.ADMIN, organisation="elsewhere"), NotFound),
    ):
        with pytest.raises(failure):
            await pinging.send(stage.ctx, who, HOOK_AT)
    assert stage.received() == []
    assert (await pinging.send(stage.ctx, BORIS, HOOK_AT)).result == "accepted"


async def test_once_a_minute_and_ten_a_day_whoever_asks(stage: Stage) -> None:
    await pinging.send(stage.ctx, PIR, HOOK_AT)
    with pytest.raises(TooMany) as caught:
        await pinging.send(stage.ctx, ADA, HOOK_AT)
    assert 1 <= caught.value.extra["retry_after"] <= 60
    await pinging.send(stage.ctx, VERISIGN, MAIL_AT)  # each agreement for itself
    for _ in range(pinging.A_DAY - 1):
        await stage.pass_time(minutes=1)
        await pinging.send(stage.ctx, PIR, HOOK_AT)
    await stage.pass_time(minutes=1)
    with pytest.raises(TooMany):
        await pinging.send(stage.ctx, PIR, HOOK_AT)
    assert len(stage.received()) == pinging.A_DAY + 1


async def test_a_form_cannot_be_tested(open_stage: Opens) -> None:
    plan = Plan([Cast("verisign", [MAIL_AT], "webform"), Cast("pir", [HOOK_AT], "webhook")], START)
    async with open_stage(plan) as stage:
        with pytest.raises(Conflict) as caught:
            await pinging.send(stage.ctx, VERISIGN, MAIL_AT)
        assert caught.value.code == "no_test"
        assert await pinging.of_channel(stage.ctx, VERISIGN, MAIL_AT) == (False, None)


async def test_the_help_is_what_is_really_posted(stage: Stage) -> None:
    can, told = await pinging.of_channel(stage.ctx, PIR, HOOK_AT)
    assert can
    assert told is not None
    await pinging.send(stage.ctx, PIR, HOOK_AT)
    (got,) = stage.received()
    posted, shown = json.loads(got.raw), json.loads(told.test)
    assert {**posted, "timestamp": ""} == {**shown, "timestamp": ""}
    await stage.notified(HOOK)
    notice = json.loads(stage.received()[-1].raw)
    example = json.loads(told.notice)
    assert set(example) == set(notice)
    assert set(example["data"]) == set(notice["data"])
    assert "invented-name.example" in example["data"]["domain"]
    assert told.signing.headers[:3] == webhook.HEADERS
    assert told.signing.tolerance_s == 300
