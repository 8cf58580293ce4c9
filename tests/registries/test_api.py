"""What is particular to a declared JSON API: its terms, what each answer means, tickets asked about, withdrawals."""

from datetime import UTC, datetime
from typing import Any

import pytest

from notifier.adapter import AgreementChannel, Deferred, Message, Receipt, RefusedForGood, Uncertain
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.rendering import Ask, Recipient, Renderer
from notifier.resources import folder
from registries import api, api_fields
from tests.registries.channels import api_address, api_url, deps
from tests.registries.sample_facts import TOKEN, T, facts
from tests.registries.servers import ApiServer

RENDERER = Renderer(folder("templates"))
KEY = "notice.1"
LATER: dict[str, str] = {"Retry-After": "120"}
ACCEPTED = b'{"ticket": {"id": "R-1", "state": "queued"}}'


def adapter(port: int, secret: str | None = "desk-t0ken", **changes: Any) -> api.ApiAdapter:
    channel = AgreementChannel("opioids.sandbox", "api", api_address(port, **changes), "Sandbox Registry")
    return api.build(channel, deps(secret={"desk": secret}.get))


def notice(port: int, **changes: Any) -> Any:
    recipient = Recipient("opioids.sandbox", "registry", "Sandbox", api_url(port))
    return RENDERER.notice(facts(recipient=recipient, **changes))


def withdrawal(port: int) -> Any:
    return notice(port, purpose="withdrawal", ask=Ask(Measure.RESTORE, "restore", Measure.HOLD), thread_key=KEY)


# ---- what an answer means


@pytest.mark.parametrize(
    ("status", "headers", "says", "failure", "retry_after", "tries"),
    [
        (429, LATER, b"", Deferred, 120.0, 1),
        (503, LATER, b"", Deferred, 120.0, 1),
        (429, {}, b"", Deferred, None, 3),
        (408, {}, b"", Deferred, None, 3),
        (400, {}, b"", RefusedForGood, None, 1),
        (401, {}, b"", RefusedForGood, None, 1),
        (422, {}, b"", RefusedForGood, None, 1),
        (301, {"Location": "/x"}, b"", RefusedForGood, None, 1),
        (308, {"Location": "/x"}, b"", RefusedForGood, None, 1),
        (302, {"Location": "/login"}, b"", Uncertain, None, 1),
        (303, {"Location": "/reports/7"}, b"", Uncertain, None, 1),
        (409, {}, b"", Uncertain, None, 1),
        (500, {}, b"", Uncertain, None, 1),
        (502, {}, b"", Uncertain, None, 1),
        (504, {}, b"", Uncertain, None, 1),
        (200, {}, ACCEPTED, Uncertain, None, 1),
        (201, {}, b"<html>Please sign in</html>", Uncertain, None, 1),
        (201, {}, b"", Uncertain, None, 1),
        (201, {}, b'{"ticket": {"state": "queued"}}', Uncertain, None, 1),
        (201, {}, b'{"ticket": {"id": true, "state": "queued"}}', Uncertain, None, 1),
        (201, {}, b'{"ticket": {"id": "a\\nb", "state": "queued"}}', Uncertain, None, 1),
        (201, {}, b'{"ticket": {"id": "R-1", "state": "draft"}}', Uncertain, None, 1),
        (201, {}, b'{"ticket": {"id": "R-1", "state": ["queued"]}}', Uncertain, None, 1),
        (201, {}, b"[" * 60_000, Uncertain, None, 1),
        (201, {}, b'{"a": "' + b"x" * 70_000 + b'"}', Uncertain, None, 1),
    ],
)
async def test_an_answer_that_is_no_acceptance(
    status: int, headers: dict[str, str], says: bytes, failure: type[Exception], retry_after: float | None, tries: int
) -> None:
    async with ApiServer(answer=(status, headers), says=says) as server:
        with pytest.raises(failure, match=str(status)) as caught:
            await adapter(server.port).send(notice(server.port), KEY)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert server.tries == [KEY] * tries


async def test_an_answer_that_refuses_in_its_body() -> None:
    terms = {"refused_where": {"ok": [False]}, "reference": "ticket.id"}
    async with ApiServer(answer=(200, {}), says=b'{"ok": false, "ticket": {"id": "R-1"}}') as server:
        with pytest.raises(RefusedForGood, match="refuses"):
            await adapter(server.port, accepted=terms).send(notice(server.port), KEY)
        server.says = b'{"ok": 0, "ticket": {"id": 17}}'
        receipt = await adapter(server.port, accepted=terms).send(notice(server.port), KEY)
    assert (receipt.accepted, receipt.reference, receipt.detail) == (True, "17", "HTTP 200")


async def test_a_status_alone_is_enough_where_the_agreement_says_so() -> None:
    async with ApiServer(answer=(204, {})) as server:
        receipt = await adapter(server.port, accepted={"status": [204]}).send(notice(server.port), KEY)
    assert (receipt.accepted, receipt.reference) == (True, "")


async def test_a_conflict_without_a_promise_is_a_refusal() -> None:
    one = adapter(1, idempotency_header=None)
    assert not one.capabilities.idempotent
    with pytest.raises(RefusedForGood):
        await one._receipt(api.Answered(409, {}, b""), KEY)
    assert adapter(1).capabilities.idempotent


async def test_a_key_that_the_desk_knows_is_a_report_that_it_has() -> None:
    terms = {**api_address(1)["accepted"], "repeated": [409]}
    async with ApiServer(answer=(409, {}), says=ACCEPTED) as server:
        receipt = await adapter(server.port, accepted=terms).send(notice(server.port), KEY)
        server.says = b"conflict"
        without = await adapter(server.port, accepted=terms).send(notice(server.port), KEY)
    assert (receipt.accepted, receipt.reference, receipt.detail) == (True, "R-1", "HTTP 409: taken before")
    assert (without.accepted, without.reference) == (True, "")
    with pytest.raises(Invalid, match="idempotency_header"):
        adapter(1, accepted=terms, idempotency_header=None)


# ---- the report


async def test_the_report() -> None:
    fields = api_address(1)["fields"] | {
        "reports.0.target": "xarf.source_identifier",
        "reports.0.nothing": "xarf.no.such.place",
        "reply.to": "reply_address",
        "reply.since": "issued_at",
    }
    async with ApiServer() as server:
        await adapter(server.port, fields=fields, headers={"X-Desk": "abuse"}).send(notice(server.port), KEY)
        (got,) = server.got
    body = got.envelope["body"]
    assert body["reports"][0]["target"] == "pills-now.example"
    assert "nothing" not in body["reports"][0]
    assert body["reply"] == {
        "to": f"notices+{TOKEN}@replies.notifier.example",
        "since": "2026-11-25T14:30:00+00:00",
    }
    assert "thread" not in body["about"]
    assert got.envelope["headers"]["X-Desk"] == "abuse"


async def test_files_stay_here_only_where_the_agreement_says_so() -> None:
    async with ApiServer(answer=(201, {}), says=ACCEPTED) as server:
        await adapter(server.port, files="not taken").send(notice(server.port), KEY)
    with pytest.raises(Invalid, match="files"):
        adapter(1, files=None)


async def test_a_report_that_is_too_big_is_refused_here() -> None:
    async with ApiServer() as server:
        with pytest.raises(RefusedForGood, match="octets"):
            await adapter(server.port, max_bytes=10_000).send(notice(server.port, description="x" * 20_000), KEY)
    assert server.tries == []


def test_lists_and_objects_grow_from_paths() -> None:
    assert api_fields.planted({"a.0.b": 1, "a.1": 2, "c": {"0": 3}}) == {"a": [{"b": 1}, 2], "c": {"0": 3}}
    many = {f"a.{place}": place for place in range(12)}
    assert api_fields.planted(many) == {"a": list(range(12))}
    for bad in ({"a": 1, "a.b": 2}, {"a.b": 1, "a": 2}, {"a.1": 1}, {"a.0": 1, "a.b": 2}, {"0": 1}):
        with pytest.raises(ValueError, match=r"a|top"):
            api_fields.planted(bad)


@pytest.mark.parametrize("token", [None, "", "a\r\nX: y", "ü", "two words"])
async def test_without_a_usable_token_nothing_leaves_and_nothing_is_lost(token: str | None) -> None:
    async with ApiServer() as server:
        one = adapter(server.port, token)
        with pytest.raises(Deferred, match="the secret desk"):
            await one.send(notice(server.port), KEY)
        assert len(await one.check()) == 1
    assert server.tries == []


async def test_check_asks_the_desk_whether_it_takes_our_token() -> None:
    async with ApiServer(tickets={"status": {"ok": True}}) as server:
        url = f"http://127.0.0.1:{server.port}/reports/status"
        assert await adapter(server.port, check_url=url).check() == []
        (problem,) = await adapter(server.port, "wrong", check_url=url).check()
        assert problem.what.startswith("HTTP 401")
    assert server.tries == []


async def test_a_test_reports_nothing_and_says_what_the_desk_said() -> None:
    ping = Message("TEST", "In words.", {"type": "test.ping"}, "tn-test-1", T)
    async with ApiServer(tickets={"status": {"ok": True}, "busy": 503, "broken": 500}) as server:
        url = f"http://127.0.0.1:{server.port}/reports/"
        one = adapter(server.port, check_url=f"{url}status")
        assert one.capabilities.pings
        assert (await one.ping(ping)).detail == "HTTP 200"
        with pytest.raises(RefusedForGood, match="HTTP 401"):
            await adapter(server.port, "wrong", check_url=f"{url}status").ping(ping)
        for place, failure in (("busy", Deferred), ("broken", Uncertain)):
            with pytest.raises(failure):
                await adapter(server.port, check_url=url + place).ping(ping)
        assert not adapter(server.port).capabilities.pings
        with pytest.raises(RefusedForGood, match="would be a report"):
            await adapter(server.port).ping(ping)
    assert server.tries == []


# ---- tickets


def poll(port: int, **changes: Any) -> dict[str, Any]:
    states = {
        "queued": False,
        "true": "acknowledged",
        "open": "acknowledged",
        "info": "needs_info",
        "no": {"kind": "declined", "reason": "declined_nexus"},
        "done": {"kind": "action_taken", "measure": "hold", "actor": "registry"},
    }
    return {"url": api_url(port) + "/{reference}", "state": "state", "states": states, **changes}


def receipt(reference: str) -> Receipt:
    return Receipt(True, reference, "", KEY)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("queued", None),
        ("open", ("acknowledged", None, None, None)),
        (True, ("acknowledged", None, None, None)),
        ("info", ("needs_info", None, None, None)),
        ("no", ("declined", None, None, "declined_nexus")),
        ("done", ("action_taken", Measure.HOLD, "registry", None)),
    ],
)
async def test_a_ticket_s_state_in_our_words(state: object, expected: Any) -> None:
    async with ApiServer(tickets={"R-1": {"state": state}}) as server:
        one = adapter(server.port, poll=poll(server.port))
        assert one.capabilities.polls
        said = await one.poll(receipt("R-1"))
    assert (said and (said.kind, said.measure, said.actor, said.reason)) == expected


async def test_comment_and_time_of_a_ticket() -> None:
    ticket = {"state": "info", "note": "Which\nname?", "at": "2026-11-26T09:00:00+01:00"}
    async with ApiServer(tickets={"R-1": ticket, "R-2": ticket | {"at": "2026-11-26T09:00:00", "note": 5}}) as server:
        one = adapter(server.port, poll=poll(server.port, comment="note", effective_at="at"))
        said, other = await one.poll(receipt("R-1")), await one.poll(receipt("R-2"))
    assert said is not None
    assert other is not None
    assert (said.comment, said.effective_at) == ("Which name?", datetime(2026, 11, 26, 8, tzinfo=UTC))
    assert (other.comment, other.effective_at) == ("", None)


@pytest.mark.parametrize(
    "ticket", [{"state": "archived"}, {"state": None}, {"state": ["done"]}, {}, [], 404, 401, 500, 503]
)
async def test_a_state_that_means_nothing_to_us_is_no_answer_and_no_silence(ticket: Any) -> None:
    async with ApiServer(tickets={"R-1": ticket}) as server:
        with pytest.raises(Deferred):
            await adapter(server.port, poll=poll(server.port)).poll(receipt("R-1"))


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("", []),
        ("..", []),
        ("../admin?x=1#y", ["/reports/..%2Fadmin%3Fx=1%23y"]),
        ("R 7/ü", ["/reports/R%207%2F%C3%BC"]),
    ],
)
async def test_a_ticket_s_id_stays_in_its_place_in_the_path(reference: str, asked: list[str]) -> None:
    async with ApiServer() as server:
        one = adapter(server.port, poll=poll(server.port))
        if asked:
            with pytest.raises(Deferred):
                await one.poll(receipt(reference))
        else:
            assert await one.poll(receipt(reference)) is None
    assert server.asked == asked


async def test_nobody_to_ask_is_deferred() -> None:
    async with ApiServer() as server:
        port = server.port
    with pytest.raises(Deferred):
        await adapter(port, poll=poll(port)).poll(receipt("R-1"))


# ---- withdrawals


async def test_a_withdrawal_at_the_ticket_s_own_address() -> None:
    async with ApiServer() as server:
        withdraw = {"url": api_url(server.port) + "/{reference}/withdraw"}
        one = adapter(server.port, withdraw=withdraw)
        await one.withdraw(receipt("R-1"), withdrawal(server.port), "second.1")
        with pytest.raises(RefusedForGood, match="no ticket id"):
            await one.withdraw(receipt(""), withdrawal(server.port), "second.2")
    assert server.places == ["/reports/R-1/withdraw"]
    assert server.tries == ["second.1"]


async def test_a_desk_that_would_read_a_withdrawal_as_a_new_report_gets_none() -> None:
    fields = {path: name for path, name in api_address(1)["fields"].items() if name != "purpose"}
    async with ApiServer() as server:
        one = adapter(server.port, fields=fields)
        assert not one.capabilities.withdraws
        with pytest.raises(RefusedForGood, match="no withdrawal"):
            await one.withdraw(receipt("R-1"), withdrawal(server.port), "second.1")
    assert server.tries == []


# ---- the address table


def fields(**changes: str) -> dict[str, str]:
    return api_address(1)["fields"] | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://desk.example/reports"}, r"address\.url: expected https"),
        ({"url": "ftp://desk.example/reports"}, r"address\.url"),
        ({"url": "https://us:pw@desk.example/reports"}, r"address\.url"),
        ({"token": None}, r"address\.token"),
        ({"surprise": 1}, r"address\.surprise"),
        ({"method": "GET"}, r"address\.method"),
        ({"auth_header": "X Y"}, r"address\.auth_header"),
        ({"headers": {"X-A": "b\r\nc"}}, r"address\.headers"),
        ({"fields": {"a": "domain"}}, "leave out text"),
        ({"fields": fields(x="owner")}, "owner is no field"),
        ({"fields": fields(**{"a..b": "domain"})}, "names joined by dots"),
        ({"fields": fields(**{"about": "domain"})}, "about"),
        ({"fields": fields(**{"reports.2.x": "domain"})}, "missing in the list"),
        ({"constants": {"about.id": "x"}}, "given twice"),
        ({"constants": {"day": datetime(2026, 1, 1)}}, "constants"),
        ({"files": {"list": "f", "fields": {"n": "filename"}}}, "leave out content"),
        ({"files": {"list": "f", "fields": {"n": "inode", "c": "content"}}}, "inode is no field"),
        ({"constants": {"x": float("nan")}}, "JSON compliant"),
        ({"files": "none"}, "files"),
        ({"accepted": {}}, "any page at all"),
        ({"accepted": {"status": [302]}}, "accepted"),
        ({"accepted": {"status": [201]}, "poll": poll(1)}, "accepted.reference"),
        ({"poll": poll(2)}, "another host"),
        ({"poll": poll(1, url=api_url(1))}, "{reference}"),
        ({"poll": poll(1, states={"x": "suspended"})}, "states"),
        ({"poll": poll(1, states={"x": "action_taken"})}, "the measure"),
        ({"poll": poll(1, states={"x": "declined"})}, "the reason"),
        ({"poll": poll(1, states={"x": {"kind": "declined", "reason": "no"}})}, "reason"),
        ({"withdraw": {"url": "http://127.0.0.1:2/{reference}"}}, "another host"),
        ({"check_url": "https://desk.example/"}, "another host"),
    ],
)
def test_terms_that_cannot_be_kept_are_named_at_once(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        adapter(1, **changes)


def test_every_fault_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        adapter(1, method="GET", token=5, surprise=True)
    assert all(f"address.{key}: " in caught.value.detail for key in ("method", "token", "surprise"))
