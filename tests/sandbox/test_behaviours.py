"""Each behaviour from delivery to answer: what is done to the name, what is said, when. Over real connections."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from notifier.sandbox.config import Pace, Party

LOCK = {"serverTransferProhibited", "serverUpdateProhibited", "serverDeleteProhibited"}
HOLD = {"serverHold", "serverTransferProhibited", "serverUpdateProhibited"}
CHANNELS = ["smtp", "webhook"]


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    ("behaviour", "measure", "gained", "delegated", "content", "said"),
    [
        ("obey", "hold", HOLD, False, "served", ("action_taken", "hold", "registry", None)),
        ("obey", "lock", LOCK, True, "served", ("action_taken", "lock", "registry", None)),
        (
            "obey",
            "delete",
            {"pendingDelete", "redemptionPeriod"},
            False,
            "served",
            ("action_taken", "delete", "registry", None),
        ),
        ("obey", "content_removal", set(), True, "served", ("declined", None, None, "declined_other")),
        (
            "registrar_acts",
            "hold",
            {"clientHold", "clientTransferProhibited"},
            False,
            "served",
            ("action_taken", "hold", "registrar", None),
        ),
        ("host_acts", "hold", set(), True, "removed", ("action_taken", "content_removal", "host", None)),
        ("decline:declined_nexus", "hold", set(), True, "served", ("declined", None, None, "declined_nexus")),
        (
            "decline:declined_insufficient",
            "hold",
            set(),
            True,
            "served",
            ("declined", None, None, "declined_insufficient"),
        ),
        (
            "decline:declined_court_order_required",
            "lock",
            set(),
            True,
            "served",
            ("declined", None, None, "declined_court_order_required"),
        ),
        ("wrong_verb", "lock", HOLD, False, "served", ("action_taken", "lock", "registry", None)),
        ("wrong_verb", "hold", LOCK, True, "served", ("action_taken", "hold", "registry", None)),
        ("leaky_hold", "hold", {"serverHold"}, False, "served", ("action_taken", "hold", "registry", None)),
        ("glue_hold", "hold", HOLD, False, "served", ("action_taken", "hold", "registry", None)),
        ("rdap_lies", "hold", HOLD, True, "served", ("action_taken", "hold", "registry", None)),
        ("rdap_lags", "hold", set(), False, "served", ("action_taken", "hold", "registry", None)),
        ("lie", "hold", set(), True, "served", ("action_taken", "hold", "registry", None)),
    ],
)
async def test_what_is_done_and_what_is_said(
    start: Any,
    ways: Any,
    clock: Any,
    receiver: Any,
    channel: str,
    behaviour: str,
    measure: str,
    gained: set[str],
    delegated: bool,
    content: str,
    said: tuple[str, str | None, str | None, str | None],
) -> None:
    sandbox = await start(behaviours={"rx-pills.com": behaviour})
    before = sandbox.world.find("rx-pills.com")
    await ways.send(sandbox, channel, "rx-pills.com", measure, "n-1")

    assert sandbox.next_due() == clock.at + timedelta(minutes=30)
    assert await sandbox.run_due(clock.forward(minutes=30)) == 1
    assert [answer["kind"] for answer in receiver.answers] == ["acknowledged"]
    assert sandbox.world.find("rx-pills.com") == before

    assert sandbox.next_due() == clock.at + timedelta(hours=3, minutes=30)
    assert await sandbox.run_due(clock.forward(hours=3, minutes=29)) == 0
    assert await sandbox.run_due(clock.forward(minutes=1)) == 1
    after = sandbox.world.find("rx-pills.com")
    assert set(after.statuses) - set(before.statuses) == gained - set(before.statuses)
    assert (after.delegated, after.content) == (delegated, content)
    answer = receiver.answers[-1]
    assert (answer["kind"], answer.get("measure"), answer.get("actor"), answer.get("reason")) == said
    if said[0] == "action_taken":
        assert answer["effective_at"] == clock.at.isoformat()
    assert sandbox.next_due() is None
    assert all(sent.accepted for sent in sandbox.inbox.sent)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_silence_is_silence(start: Any, ways: Any, clock: Any, receiver: Any, channel: str) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "silent"})
    await ways.send(sandbox, channel, "rx-pills.com", "hold", "n-1")
    assert sandbox.next_due() is None
    assert await sandbox.run_due(clock.forward(days=400)) == 0
    assert receiver.calls == []
    assert len(sandbox.inbox.received) == 1


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_late_one_obeys_after_days(start: Any, ways: Any, clock: Any, channel: str) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "delay_then_obey"})
    await ways.send(sandbox, channel, "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(days=2, hours=23))
    assert sandbox.world.find("rx-pills.com").delegated
    await sandbox.run_due(clock.forward(hours=1))
    assert not sandbox.world.find("rx-pills.com").delegated


async def test_dsn_bounce_is_accepted_and_then_reported_failed(
    start: Any, ways: Any, clock: Any, receiver: Any
) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "dsn_bounce"})
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    assert await sandbox.run_due(clock.forward(days=30)) == 1
    assert receiver.calls == []
    [(sender, recipients, raw)] = receiver.mails
    assert (sender, recipients) == ("", ["n+tok@notifier.example"])
    report: Any = message_from_bytes(raw, policy=default)
    assert report.get_content_type() == "multipart/report"
    assert report["Content-Type"].params["report-type"] == "delivery-status"
    _, status, original = report.iter_parts()
    assert status.get_content_type() == "message/delivery-status"
    per_message, per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"].startswith("dns;")
    assert per_recipient["Final-Recipient"] == "rfc822; abuse@mail-registry.example"
    assert (per_recipient["Action"], per_recipient["Status"]) == ("failed", "5.1.1")
    assert "Message-ID: <n-1@notifier.example>" in original.get_payload(decode=True).decode()
    assert "please read on" not in raw.decode()


async def test_an_automatic_reply_goes_to_the_return_path_and_the_party_obeys(
    start: Any, ways: Any, clock: Any, receiver: Any
) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "auto_reply_then_obey"})
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    assert await sandbox.run_due(clock.forward(minutes=2)) == 1
    [(sender, recipients, raw)] = receiver.mails
    reply = message_from_bytes(raw, policy=default)
    assert (sender, recipients) == ("", ["n+tok@notifier.example"])
    assert reply["Auto-Submitted"] == "auto-replied"
    assert reply["In-Reply-To"] == "<n-1@notifier.example>"
    await sandbox.run_due(clock.forward(hours=4))
    assert [answer["kind"] for answer in receiver.answers] == ["acknowledged", "action_taken"]


@pytest.mark.parametrize("how", ["automatic", "null sender"])
async def test_no_automatic_reply_where_rfc_3834_forbids_one(
    start: Any, ways: Any, clock: Any, receiver: Any, how: str
) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "auto_reply_then_obey"})
    automatic = how == "automatic"
    message = ways.written(headers={"Auto-Submitted": "auto-generated"} if automatic else {})
    await ways.mailed(sandbox, message, sender="n@notifier.example" if automatic else "")
    await sandbox.run_due(clock.forward(minutes=2))
    assert receiver.mails == []
    assert [sent.accepted for sent in sandbox.inbox.sent] == [False]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_notice_in_doubt_is_asked_about_and_nothing_is_done(
    start: Any, ways: Any, clock: Any, receiver: Any, channel: str
) -> None:
    sandbox = await start()
    if channel == "smtp":
        await ways.mailed(sandbox, ways.written(text_domain="films.org"))
    else:
        body = ways.payload("films.org")
        body["data"]["xarf"]["source_identifier"] = "rx-pills.com"
        await ways.hooked(sandbox, body)
    await sandbox.run_due(clock.forward(days=1))
    assert [answer["kind"] for answer in receiver.answers] == ["acknowledged", "needs_info"]
    assert all(len(sandbox.world.history(name)) == 1 for name in sandbox.world.names())


@pytest.mark.parametrize(
    ("tlds", "domain", "kind"),
    [
        ({"com"}, "rx-pills.com", "action_taken"),
        ({"com"}, "films.org", "declined"),
        ({"uk"}, "books.co.uk", "action_taken"),
        ({"com"}, "unknown.com", "declined"),
    ],
)
async def test_a_registry_acts_in_its_own_zones_only(
    start: Any, ways: Any, clock: Any, receiver: Any, tlds: set[str], domain: str, kind: str
) -> None:
    party = Party("mailer", "r", "smtp", address="abuse@mail-registry.example", tlds=frozenset(tlds))
    sandbox = await start(parties=(party,))
    await ways.send(sandbox, "smtp", domain, "hold", "n-1")
    await sandbox.run_due(clock.forward(days=1))
    assert receiver.answers[-1]["kind"] == kind


@pytest.mark.parametrize(
    ("role", "behaviour", "measure", "kinds"),
    [
        ("host", "obey", "content_removal", ["acknowledged", "action_taken"]),
        ("host", "host_acts", "content_removal", ["acknowledged", "action_taken"]),
        ("host", "registrar_acts", "content_removal", []),
        ("registrar", "registrar_acts", "hold", ["acknowledged", "action_taken"]),
        ("registrar", "host_acts", "hold", []),
        ("registrar", "obey", "hold", ["acknowledged", "action_taken"]),
    ],
)
async def test_other_roles_act_by_their_own_means_or_stay_silent(
    start: Any, ways: Any, clock: Any, receiver: Any, role: str, behaviour: str, measure: str, kinds: list[str]
) -> None:
    party = Party("mailer", "r", "smtp", address="abuse@mail-registry.example", role=role)  # type: ignore[arg-type]
    sandbox = await start(parties=(party,), behaviours={"rx-pills.com": behaviour})
    await ways.send(sandbox, "smtp", "rx-pills.com", measure, "n-1")
    await sandbox.run_due(clock.forward(days=1))
    assert [answer["kind"] for answer in receiver.answers] == kinds
    if kinds:
        assert receiver.answers[-1]["actor"] == role
        after = sandbox.world.find("rx-pills.com")
        assert ("clientHold" in after.statuses) == (role == "registrar")
        assert (after.content == "removed") == (role == "host")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_withdrawal_stops_what_is_planned_and_undoes_what_was_done(
    start: Any, ways: Any, clock: Any, receiver: Any, channel: str
) -> None:
    sandbox = await start()
    before = {name: sandbox.world.find(name) for name in ("rx-pills.com", "films.org")}
    await ways.send(sandbox, channel, "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    await ways.send(sandbox, channel, "films.org", "hold", "n-2")
    for notice, name in (("n-3", "rx-pills.com"), ("n-4", "films.org")):
        await ways.send(sandbox, channel, name, "restore", notice)
    await sandbox.run_due(clock.forward(hours=4))
    for name, old in before.items():
        after = sandbox.world.find(name)
        assert (after.statuses, after.delegated) == (old.statuses, True)
    assert len(sandbox.world.history("rx-pills.com")) == 3
    assert len(sandbox.world.history("films.org")) == 1
    said = [(a["kind"], a["measure"]) for a in receiver.answers if a["kind"] == "action_taken"]
    assert said == [("action_taken", "hold"), ("action_taken", "restore"), ("action_taken", "restore")]


async def test_a_notice_for_information_is_acknowledged_only(start: Any, ways: Any, clock: Any, receiver: Any) -> None:
    sandbox = await start()
    await ways.mailed(sandbox, ways.written(headers={"X-Notifier-Purpose": "reasons"}))
    await sandbox.run_due(clock.forward(days=1))
    assert [answer["kind"] for answer in receiver.answers] == ["acknowledged"]
    assert len(sandbox.world.history("rx-pills.com")) == 1


async def test_the_same_notice_by_two_deliveries_is_worked_once(start: Any, ways: Any, clock: Any) -> None:
    sandbox = await start()
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    await ways.send(sandbox, "smtp", "rx-pills.com", "hold", "n-1")
    assert sandbox.inbox.by_notice == {"n-1": 2}
    assert await sandbox.run_due(clock.forward(days=1)) == 2


async def test_jitter_spreads_names_over_half_to_one_and_a_half(start: Any, ways: Any, clock: Any) -> None:
    names = tuple(f"n{number}.com" for number in range(12))
    sandbox = await start(names=names, pace=Pace(acknowledge=timedelta(minutes=60)))
    due = set()
    for number, name in enumerate(names):
        await ways.send(sandbox, "smtp", name, "hold", f"n-{number}")
        due.add(sandbox.next_due())
    earliest = min(due)
    assert clock.at + timedelta(minutes=30) <= earliest <= clock.at + timedelta(minutes=90)
    assert len(due) > 1


def acts(sandbox: Any, name: str = "rx-pills.com") -> list[tuple[str, str]]:
    return [(change.act, change.by) for change in sandbox.world.acts() if change.after.a_label == name]


async def test_a_hold_is_freed_quietly_and_taken_seriously_when_asked_anew(start: Any, ways: Any, clock: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "frees_quietly"})
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    assert not sandbox.world.find("rx-pills.com").delegated
    assert timedelta(days=9) <= sandbox.next_due() - clock.at <= timedelta(days=21)
    await sandbox.run_due(clock.forward(days=21))
    assert sandbox.world.find("rx-pills.com").delegated
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-2")
    await sandbox.run_due(clock.forward(hours=4))
    await sandbox.run_due(clock.forward(days=100))
    assert not sandbox.world.find("rx-pills.com").delegated
    assert acts(sandbox) == [("hold", "registry"), ("restore", "registry, unasked"), ("hold", "registry")]


async def test_a_deleted_name_goes_all_the_way_to_somebody_else(start: Any, ways: Any, clock: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "deletes_for_good"})
    before = sandbox.world.find("rx-pills.com")
    await ways.send(sandbox, "webhook", "rx-pills.com", "delete", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    await sandbox.run_due(clock.forward(days=30))
    found = sandbox.world.find("rx-pills.com")
    assert {"pendingDelete", "redemptionPeriod"} & set(found.statuses) == {"pendingDelete"}
    await sandbox.run_due(clock.forward(days=5))
    assert sandbox.world.find("rx-pills.com") is None
    await sandbox.run_due(clock.forward(days=3))
    after = sandbox.world.find("rx-pills.com")
    assert (after.registered_at, after.delegated) == (clock.at, True)
    assert after.handle != before.handle


async def test_what_is_taken_back_is_not_deleted_any_further(start: Any, ways: Any, clock: Any) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "deletes_for_good"})
    await ways.send(sandbox, "webhook", "rx-pills.com", "delete", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    await ways.send(sandbox, "webhook", "rx-pills.com", "restore", "n-2")
    await sandbox.run_due(clock.forward(hours=4))
    await sandbox.run_due(clock.forward(days=50))
    assert acts(sandbox) == [("delete", "registry"), ("lift", "registry")]


async def test_one_undo_falls_under_the_table_and_the_next_is_done(
    start: Any, ways: Any, clock: Any, receiver: Any
) -> None:
    sandbox = await start(behaviours={"rx-pills.com": "deaf_once"})
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    said = len(receiver.answers)
    await ways.send(sandbox, "webhook", "rx-pills.com", "restore", "n-2")
    assert await sandbox.run_due(clock.forward(days=9)) == 0
    assert (sandbox.world.find("rx-pills.com").delegated, len(receiver.answers)) == (False, said)
    await ways.send(sandbox, "webhook", "rx-pills.com", "restore", "n-3")
    await sandbox.run_due(clock.forward(hours=4))
    assert sandbox.world.find("rx-pills.com").delegated


async def test_a_clerk_holds_a_name_that_nobody_asked_for(start: Any, ways: Any, clock: Any, receiver: Any) -> None:
    sandbox = await start(names=("rx-pills.com", "rx-pillss.com"), behaviours={"rx-pills.com": "wrong_name"})
    await ways.send(sandbox, "webhook", "rx-pills.com", "hold", "n-1")
    await sandbox.run_due(clock.forward(hours=4))
    assert (acts(sandbox), acts(sandbox, "rx-pillss.com")) == ([], [("hold", "registry")])
    assert receiver.answers[-1]["kind"] == "action_taken"
