"""How answers travel: signed or with a token, tried again while it makes sense, always to this machine only."""

from typing import Any

import pytest

from notifier.errors import Invalid


async def test_a_webhook_party_signs_and_a_mail_party_shows_its_token(
    start: Any, ways: Any, clock: Any, receiver: Any
) -> None:
    sandbox = await start()
    await ways.send(sandbox, "webhook", "films.org", "lock", "n-2")
    await sandbox.run_due(clock.forward(minutes=30))
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(minutes=30))
    (path, headers, body), (mail_path, mail_headers, mail_body) = receiver.calls
    assert path == "/api/v1/inbound/piracy.hooker"
    assert (body["type"], body["data"]) == ("notice.response", {"notice_id": "n-2", "kind": "acknowledged"})
    assert headers["webhook-id"].startswith("msg_")
    assert mail_path == "/api/v1/notices/n-1/responses"
    assert mail_headers["Authorization"] == "Bearer tok-mail"
    assert mail_body == {"kind": "acknowledged"}


async def test_a_token_may_be_given_later(start: Any, ways: Any, clock: Any, receiver: Any) -> None:
    sandbox = await start()
    sandbox.set_token("mailer", "fresh")
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(minutes=30))
    assert receiver.calls[0][1]["Authorization"] == "Bearer fresh"


@pytest.mark.parametrize(
    ("codes", "tries", "code"),
    [([503, 429, 200], 3, 200), ([422], 1, 422), ([503] * 9, 4, 503), ([302], 1, 302)],
)
async def test_an_answer_is_tried_again_only_while_it_may_help(
    start: Any, ways: Any, clock: Any, receiver: Any, codes: list[int], tries: int, code: int
) -> None:
    sandbox = await start()
    receiver.codes = codes
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(minutes=30))
    [sent] = sandbox.inbox.sent
    assert (sent.tries, sent.code, sent.accepted) == (tries, code, code == 200)


async def test_nobody_there_is_kept_and_stops_nothing(start: Any, ways: Any, clock: Any, receiver: Any) -> None:
    sandbox = await start(notifier_url="http://127.0.0.1:1", inbound_smtp=("127.0.0.1", 1))
    sandbox.desk.behaviours["rx-pills.com"] = "auto_reply_then_obey"
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    assert await sandbox.run_due(clock.forward(days=1)) == 3
    assert [(sent.kind, sent.code) for sent in sandbox.inbox.sent] == [
        ("auto_reply", None),
        ("acknowledged", None),
        ("action_taken", None),
    ]
    assert not sandbox.world.find("rx-pills.com").delegated


@pytest.mark.parametrize(
    "settings",
    [{"notifier_url": "http://192.0.2.1/"}, {"notifier_url": "http://x.example"}, {"inbound_smtp": ("10.0.0.1", 25)}],
)
async def test_an_address_outside_this_machine_is_refused(start: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        await start(**settings)
    assert refused.value.code == "not_loopback"
