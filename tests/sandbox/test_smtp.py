"""The mail server, driven by a real client."""

import asyncio
from typing import Any

import aiosmtplib
import pytest


async def test_a_mail_is_kept_with_its_envelope_and_counted(start: Any, ways: Any) -> None:
    sandbox = await start()
    message = ways.written()
    message.set_boundary("one-boundary")
    await ways.mailed(sandbox, message)
    await ways.mailed(sandbox, message)
    kept = sandbox.inbox.received
    assert [each.sender for each in kept] == ["n+tok@notifier.example"] * 2
    assert kept[0].raw.replace(b"\r\n", b"\n").strip() == message.as_bytes().strip()
    assert sandbox.inbox.by_key == {"<n-1@notifier.example>": 2}
    assert sandbox.inbox.by_notice == {"n-1": 2}


async def test_an_unknown_mailbox_is_refused_at_rcpt(start: Any, ways: Any) -> None:
    sandbox = await start()
    message = ways.written()
    message.replace_header("To", "abuse@someone-else.example")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await ways.mailed(sandbox, message)
    assert refused.value.recipients[0].code == 550
    assert sandbox.inbox.received == []


async def test_a_party_that_bounces_refuses_at_rcpt(start: Any, ways: Any) -> None:
    sandbox = await start()
    sandbox.desk.party_behaviours["mailer"] = "bounce"
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await ways.mailed(sandbox, ways.written())
    assert refused.value.recipients[0].code == 550


async def test_a_name_that_bounces_is_refused_after_the_dot(start: Any, ways: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "bounce"})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await ways.mailed(sandbox, ways.written())
    assert refused.value.code == 550
    assert sandbox.inbox.received == []
    assert [each.code for each in sandbox.inbox.turned_away] == [550]
    assert sandbox.next_due() is None


async def test_a_throttled_one_is_taken_at_the_second_try(start: Any, ways: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "throttle_then_obey"})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await ways.mailed(sandbox, ways.written())
    assert refused.value.code == 451
    assert sandbox.inbox.received == []
    await ways.mailed(sandbox, ways.written())
    assert len(sandbox.inbox.received) == 1


async def test_a_swallowed_one_is_kept_and_the_connection_ends_without_a_reply(start: Any, ways: Any) -> None:
    sandbox = await start()
    sandbox.smtp.after_acceptance.drop()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await ways.mailed(sandbox, ways.written())
    assert sandbox.inbox.by_key == {"<n-1@notifier.example>": 1}
    await ways.mailed(sandbox, ways.written(notice="n-2"))
    assert sandbox.inbox.by_notice == {"n-1": 1, "n-2": 1}


async def test_a_stalled_one_is_kept_while_the_client_still_waits(start: Any, ways: Any) -> None:
    sandbox = await start()
    sandbox.smtp.after_acceptance.stall()
    sending = asyncio.create_task(ways.mailed(sandbox, ways.written()))
    async with asyncio.timeout(5):
        await sandbox.inbox.until(lambda inbox: len(inbox.received) == 1)
    assert not sending.done()
    sandbox.smtp.after_acceptance.release()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await sending


async def test_stopping_ends_an_open_conversation(start: Any) -> None:
    sandbox = await start()
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.smtp_port, start_tls=False, timeout=5)
    await client.connect()
    async with asyncio.timeout(5):
        await sandbox.stop()
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.noop()
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
