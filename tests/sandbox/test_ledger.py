"""The sandbox's log: on the disk before the answer, whole after whatever end, and remembered by the next life."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from notifier.catalog import ConfigFaults
from notifier.errors import Invalid
from notifier.sandbox import smtp_registry
from notifier.sandbox.app import Sandbox
from notifier.sandbox.faults import Faults, Point, checked
from notifier.sandbox.ledger import Ledger, read
from notifier.sandbox.plan import read_plan

SECRET = "whsec_c2FuZGJveCBzZWNyZXQgZm9yIHRoZSB0ZXN0cyBvbmx5"


async def mail(ways: Any, box: Sandbox, notice: str = "n-1") -> int | None:
    """The reply to one mail, None when the connection was lost or refused."""
    message = ways.written(notice=notice, extra_text="y\n" * 2_000)
    try:
        await ways.mailed(box, message)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        return refused.recipients[0].code
    except aiosmtplib.SMTPResponseException as answer:
        return answer.code if answer.code > 0 else None
    except (aiosmtplib.SMTPException, OSError):
        return None
    return 250


async def hook(ways: Any, box: Sandbox) -> int | None:
    try:
        code, _ = await ways.hooked(box, ways.payload())
    except (aiohttp.ClientError, OSError):
        return None
    return int(code)


def results(path: Path) -> list[tuple[str, str]]:
    return [(line.result, line.where) for line in read(path)]


async def test_what_was_accepted_is_on_the_disk_and_remembered(start: Any, ways: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    first = await start(log=log)
    assert await mail(ways, first) == 250
    assert await hook(ways, first) == 202
    mailed, hooked = read(log)
    assert (mailed.channel, mailed.party, mailed.key, mailed.domain) == (
        "smtp",
        "mailer",
        "<n-1@notifier.example>",
        "rx-pills.com",
    )
    assert (hooked.party, hooked.measure, hooked.result) == ("hooker", "hold", "accepted")
    await first.stop()
    second = await start(log=log)
    assert await hook(ways, second) == 202, "a repeat under its key is answered alike"
    assert second.desk.next_due() is None, "and plans nothing again"
    assert len(list(read(log))) == 3


def test_a_torn_line_was_never_answered(tmp_path: Path) -> None:
    log = tmp_path / "log"
    ledger = Ledger(log)
    ledger.open()
    ledger.write("smtp", "accepted", key="a")
    ledger.close()
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:-9])
    again = Ledger(log)
    assert [line.key for line in again.open()] == ["a"]
    again.write("smtp", "accepted", key="b")
    again.close()
    assert [line.key for line in read(log)] == ["a", "b"]


@pytest.mark.parametrize(
    ("point", "reply", "result"),
    [
        (Point.SMTP_CONNECT, None, "cut"),
        (Point.SMTP_GREETING, 421, "deferred"),
        (Point.SMTP_EHLO, None, "cut"),
        (Point.SMTP_RCPT, None, "cut"),
        (Point.SMTP_RCPT_451, 451, "deferred"),
        (Point.SMTP_RCPT_550, 550, "refused"),
        (Point.SMTP_DATA, None, "cut"),
        (Point.SMTP_DOT, None, "cut"),
        (Point.SMTP_DOT_421, 421, "deferred"),
        (Point.SMTP_DOT_451, 451, "deferred"),
        (Point.SMTP_DOT_550, 550, "refused"),
        (Point.SMTP_ANSWER, None, "accepted"),
        (Point.SMTP_SLOW, 250, "accepted"),
    ],
)
async def test_faults_by_mail(
    start: Any, ways: Any, tmp_path: Path, point: Point, reply: int | None, result: str
) -> None:
    box = await start(log=tmp_path / "log", faults={point: 1.0}, slow_s=0.1)
    assert await mail(ways, box) == reply
    assert results(tmp_path / "log") == [(result, point)]
    assert len(box.inbox.received) == (result == "accepted")


@pytest.mark.parametrize(
    ("point", "reply", "result"),
    [
        (Point.HTTP_HEADERS, None, "cut"),
        (Point.HTTP_BODY, None, "cut"),
        (Point.HTTP_410, 410, "refused"),
        (Point.HTTP_429, 429, "deferred"),
        (Point.HTTP_503, 503, "deferred"),
        (Point.HTTP_ANSWER, None, "accepted"),
        (Point.HTTP_500, 500, "accepted"),
        (Point.HTTP_SLOW, 202, "accepted"),
    ],
)
async def test_faults_by_webhook(
    start: Any, ways: Any, tmp_path: Path, point: Point, reply: int | None, result: str
) -> None:
    box = await start(log=tmp_path / "log", faults={point: 1.0}, slow_s=0.1)
    assert await hook(ways, box) == reply
    assert results(tmp_path / "log") == [(result, point)]


async def test_a_shut_door_opens_again(start: Any, ways: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_registry, "_SHUT_S", 3.0)  # longer than one conversation takes on a busy machine
    box = await start(log=tmp_path / "log", faults={Point.SMTP_SHUT: 1.0})
    assert await mail(ways, box) == 250  # this one was in already
    box.faults.likelihood = {}
    assert await mail(ways, box, "n-2") is None
    async with asyncio.timeout(10):
        while await mail(ways, box, "n-3") != 250:
            await asyncio.sleep(0.1)
    assert [line.result for line in read(tmp_path / "log")][:2] == ["cut", "accepted"]


async def test_faults_end_by_the_control(start: Any, ways: Any, http: aiohttp.ClientSession) -> None:
    box = await start(faults={"smtp.connect": 1.0})
    async with http.post(f"{box.where()['control']}faults", json={"smtp.no-such": 1}) as answer:
        assert answer.status == 422
    async with http.post(f"{box.where()['control']}faults", json={}) as answer:
        assert answer.status == 200
    assert await mail(ways, box) == 250


def test_a_seed_draws_the_same_again_and_another_life_draws_anew() -> None:
    def drawn(life: int) -> list[bool]:
        faults = Faults("seed", {"smtp.dot": 0.5}, 1)
        faults.begin(life)
        return [faults.meets(Point.SMTP_DOT) for _ in range(64)]

    assert drawn(0) == drawn(0) != drawn(5)


@pytest.mark.parametrize("wrong", [{"smtp.tea": 0.5}, {"smtp.dot": 1.5}, {"smtp.dot": True}, {"smtp.dot": "often"}])
def test_a_fault_that_there_is_not(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        checked(wrong)


def test_a_plan_names_everything(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'seed = "7"\nlog = "log"\nslow = 1\nbehaviour = "silent"\n[ports]\nsmtp = 2525\n[faults]\n"smtp.dot" = 0.5\n'
        f'[parties.pir]\nchannel = "webhook"\nsecret = "{SECRET}"\n'
    )
    config = read_plan(plan)
    assert (config.log, config.smtp_port, config.http_port) == (tmp_path / "log", 2525, 0)
    assert (config.faults, config.mix, config.slow_s) == ({"smtp.dot": 0.5}, {"silent": 1.0}, 1.0)
    assert [(p.id, p.recipient, p.channel) for p in config.parties] == [("pir", "pir", "webhook")]
    plan.write_text('seed = "7"\ntea = 1\n[ports]\nsmtp = -1\n[parties.pir]\nchannel = "fax"\n')
    with pytest.raises(ConfigFaults) as failure:
        read_plan(plan)
    assert {fault.key for fault in failure.value.faults} == {"tea", "ports.smtp", "parties.pir.channel"}
