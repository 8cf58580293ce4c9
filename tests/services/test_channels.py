"""Channels over the whole way, from approval to receipt: a desk's API, and a letter that goes by mail."""

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from io import BytesIO
from typing import Any, cast

from pypdf import PdfReader

from notifier import bootstrap
from notifier.domain.epp import Measure
from notifier.services.review import withdraw
from tests.registries.channels import api_address
from tests.registries.servers import TOKEN, ApiServer, Point
from tests.services.stages import HOOK, MAIL, RITA, Stage


def use(stage: Stage, agreement_id: str, adapter: str, address: dict[str, Any]) -> None:
    """Put another channel in an agreement's place, as its file would."""
    ctx = stage.ctx
    agreement = replace(ctx.catalog.agreements[agreement_id], adapter=adapter, address=address)
    cast(dict[str, Any], ctx.catalog.agreements)[agreement_id] = agreement
    assert agreement.channel is not None
    settings = replace(ctx.settings, secrets={**ctx.settings.secrets, "desk": TOKEN})
    one = replace(ctx.catalog, agreements={agreement_id: agreement})
    cast(dict[str, Any], ctx.adapters).update(
        bootstrap.build_adapters(one, bootstrap._deps(settings, ctx.catalog, ctx.db.clock))
    )


async def test_a_report_that_may_have_arrived_is_sent_again_under_its_key(stage: Stage) -> None:
    async with ApiServer(script=(Point.BUSY, Point.BUSY, Point.BUSY, Point.DROP_LATE, Point.ACCEPT)) as desk:
        use(stage, "opioids.pir", "api", api_address(desk.port))
        case_id = await stage.notified(HOOK)
        await stage.pass_time(minutes=10)
        notice = await stage.notice(case_id)
        assert notice["state"] == "sent"
        assert await stage.attempts(notice["id"]) == ["deferred", "uncertain", "accepted"]
        assert set(desk.tries) == {notice["send_key"]}
        (got,) = desk.got
        assert got.content["domain"] == HOOK
        assert await stage.task_kinds() == []


async def test_without_a_promise_a_report_that_may_have_arrived_is_a_persons(stage: Stage) -> None:
    async with ApiServer(script=(Point.DROP_LATE, Point.ACCEPT)) as desk:
        address = api_address(desk.port, idempotency_header=None)
        desk.key_header = "Content-Type"  # there is no key
        use(stage, "opioids.pir", "api", address)
        case_id = await stage.notified(HOOK)
        await stage.pass_time(hours=5)
        assert (await stage.notice(case_id))["state"] == "uncertain"
        assert await stage.task_kinds() == ["uncertain"]
        assert desk.got == []


async def test_a_withdrawal_reaches_the_desk_at_its_ticket(stage: Stage) -> None:
    async with ApiServer() as desk:
        url = f"http://127.0.0.1:{desk.port}/reports"
        use(stage, "opioids.pir", "api", api_address(desk.port, withdraw={"url": url + "/{reference}/withdraw"}))
        case_id = await stage.notified(HOOK)
        await withdraw(stage.ctx, RITA, case_id, "taken back")
        await stage.pass_time(minutes=5)
        assert desk.places == ["/reports", "/reports/R-77/withdraw"]
        first, second = desk.got
        assert (first.content["purpose"], second.content["purpose"]) == ("request", "withdrawal")
        assert second.content["thread_key"] == first.key


async def test_a_letter_goes_by_mail_with_the_notice_that_was_approved(stage: Stage) -> None:
    agreement = stage.ctx.catalog.agreements["opioids.verisign"]
    address = {"delivery": "mail", "to": agreement.address["to"], "postal": ["Office of Example", "1 Main Street"]}
    use(stage, "opioids.verisign", "authority", address)
    case_id = await stage.notified(MAIL)
    assert (await stage.notice(case_id))["state"] == "sent"
    (got,) = stage.received()
    assert got.ask.measure is Measure.HOLD
    message = message_from_bytes(got.raw, policy=default)
    (letter,) = [part for part in message.iter_attachments() if part.get_content_type() == "application/pdf"]
    text = PdfReader(BytesIO(letter.get_payload(decode=True))).pages[0].extract_text()
    assert "1 Main Street" in text
    assert MAIL in text
    assert (await stage.notice(case_id))["digest"] in text
