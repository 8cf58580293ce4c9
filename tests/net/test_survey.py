"""The survey against real servers on loopback that answer, lie, stall, never end, or are not what they should be."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from aiohttp import web

from notifier.domain.blast import Reading
from notifier.net.name_files import NameFile
from notifier.net.safe_http import Egress
from notifier.net.survey import Sources, Survey

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[[Handler], Awaitable[int]]


def answering(body: Any, status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=raw, status=status, headers={"Content-Type": "application/json", **headers})

    return handler


def at(port: int) -> str:
    return f"http://127.0.0.1:{port}/?q=%25.{{name}}&output=json"


async def hosts(port: int, *, timeout: float = 2.0, max_body: int = 4 * 1024 * 1024) -> Reading[int]:
    survey = Survey(Egress.LOOPBACK, Sources(certificates=at(port)), timeout=timeout, max_body=max_body)
    return (await survey.around("pills.test", AT, YEAR)).host_names


async def test_host_names_are_counted_once_without_www_and_strangers(http_server: Start) -> None:
    asked: list[str] = []
    rows = [
        {"name_value": "pills.test\nwww.pills.test"},
        {"name_value": "*.pills.test"},
        {"name_value": "Shop.Pills.test\n*.shop.pills.test"},
        {"name_value": "www.shop.pills.test."},
        {"name_value": "a.b.pills.test"},
        {"name_value": "someone@pills.test\nnotpills.test\nevil.test\n.pills.test\nx..pills.test\n-"},
        {"name_value": "xn--bcher-kva.pills.test"},
        {"name_value": ""},
    ]

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.raw_path)
        return web.json_response(rows)

    found = await hosts(await http_server(handler))
    # shop, a.b and the A-label: by hand
    assert (found.value, found.at_least, found.failed, found.source, found.at) == (3, False, False, "127.0.0.1", AT)
    assert asked == ["/?q=%25.pills.test&output=json"]


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (answering([], status=429, **{"Retry-After": "60"}), "answers 429"),
        (answering([], status=503), "answers 503"),
        (answering([], status=404), "answers 404"),
        (answering([], status=302, Location="http://127.0.0.1:1/"), "answers 302"),
        (answering(b"<html><body>Maintenance</body></html>"), "the answer is no JSON"),
        (answering(b""), "the answer is no JSON"),
        (answering(b"[" * 200_000), "the answer is no JSON"),
        (answering({"name_value": "a.pills.test"}), "the answer is no list of certificates"),
        (answering([["a.pills.test"]]), "the answer is no list of certificates"),
        (answering([{"name_value": 7}]), "the answer is no list of certificates"),
        (answering([{"common_name": "a.pills.test"}]), "the answer is no list of certificates"),
        (answering(b"\x1f\x8b\x08", **{"Content-Encoding": "gzip"}), "a content coding that was not asked for"),
    ],
)
async def test_what_is_no_answer_is_unknown_and_never_zero(http_server: Start, handler: Handler, why: str) -> None:
    found = await hosts(await http_server(handler))
    assert (found.value, found.failed) == (None, True)
    assert why in found.detail


async def test_an_empty_list_is_a_known_zero(http_server: Start) -> None:
    found = await hosts(await http_server(answering([])))
    assert (found.value, found.failed) == (0, False)


async def test_an_answer_that_is_too_long_gives_a_lower_bound(http_server: Start) -> None:
    rows = [{"id": n, "name_value": f"user-{n}.pills.test"} for n in range(5000)]
    found = await hosts(await http_server(answering(rows)), max_body=50_000)
    assert found.at_least
    assert found.value is not None
    assert 900 < found.value < 1200  # 50,000 bytes of rows of 48 to 52 bytes


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 65_536)
    except ConnectionError:
        return response


async def _slow(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"[")
            await asyncio.sleep(0.05)
    except ConnectionError:
        return response


async def test_one_that_never_ends_and_one_that_drips_are_cut_off(http_server: Start) -> None:
    began = time.monotonic()
    found = await hosts(await http_server(_endless), max_body=1_000_000)
    assert (found.value, found.failed, found.detail) == (None, True, "a long answer that is no certificate search's")
    found = await hosts(await http_server(_slow), timeout=0.3)
    assert (found.value, found.failed, found.detail) == (None, True, "no whole answer in 0.3 s")
    assert time.monotonic() - began < 3


async def test_nobody_listens() -> None:
    found = await hosts(1)
    assert (found.value, found.failed, found.detail) == (None, True, "not reached: ClientConnectorError")


async def test_a_source_outside_the_egress_is_not_reached() -> None:
    survey = Survey(Egress.LOOPBACK, Sources(certificates="http://192.0.2.1/{name}", resolver=("192.0.2.1", 53)))
    found = await survey.around("pills.test", AT, YEAR)
    assert (found.host_names.value, found.mail_active.value, found.wildcard.value) == (None, None, None)
    assert "blocks 192.0.2.1" in found.mail_active.detail


async def test_in_public_mode_nothing_on_this_machine_is_asked(http_server: Start) -> None:
    port = await http_server(answering([]))
    survey = Survey(Egress.PUBLIC, Sources(certificates=at(port), resolver=("127.0.0.1", port)))
    found = await survey.around("pills.test", AT, YEAR)
    assert (found.host_names.value, found.mail_active.value) == (None, None)


async def test_no_source_at_all_is_unknown_and_no_failure() -> None:
    found = await Survey(Egress.LOOPBACK, Sources()).around("pills.test", AT, YEAR)
    assert [r.value for r in (found.host_names, found.dependents, found.rank)] == [None, None, None]
    assert found.host_names.detail == "no source is configured"
    assert not found.failed


# --- counts and ranks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "value", "why"),
    [
        ({"count": 0}, 0, ""),
        ({"count": 12, "name": "pills.test"}, 12, ""),
        ({"count": -1}, None, "no count"),
        ({"count": True}, None, "no count"),
        ({"count": 1.5}, None, "no count"),
        ({"count": "12"}, None, "no count"),
        ({"count": 10**15}, None, "no count"),
        ({}, None, "no count"),
        ([12], None, "no count"),
    ],
)
async def test_dependents(http_server: Start, body: Any, value: int | None, why: str) -> None:
    port = await http_server(answering(body))
    found = (await Survey(Egress.LOOPBACK, Sources(dependents=at(port))).around("pills.test", AT, YEAR)).dependents
    assert found.value == value
    assert why in found.detail


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ({"ranks": []}, 0),
        ({"ranks": [{"date": "2026-11-24", "rank": 812}]}, 812),
        ({"ranks": [{"date": "2026-11-01", "rank": 5}, {"date": "2026-11-24", "rank": 812}]}, 812),
        ({"ranks": [{"date": "2026-11-24", "rank": "812"}]}, None),
        ({"ranks": [812]}, None),
        ({"rank": 812}, None),
        ([], None),
    ],
)
async def test_rank(http_server: Start, body: Any, value: int | None) -> None:
    port = await http_server(answering(body))
    found = (await Survey(Egress.LOOPBACK, Sources(popularity=at(port))).around("pills.test", AT, YEAR)).rank
    assert found.value == value


# --- local files --------------------------------------------------------------------------------------------------

HEAD = "# source: zones com and net, 2026-11-20\n# date: 2026-11-20\n"


def written(tmp_path: Path, text: str, head: str = HEAD) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(head + text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pills.test,12\n", 12),
        ("other.test,5\npills.test,12", 12),
        ("my-pills.test,9\npills.test.evil,8\n", 0),
        ("pills.test,3\r\npills.test,12\r\n", 12),
        ("pills.test,many\n", None),
        ("# pills.test,5\nother.test,1\n", 0),
        ("", 0),
    ],
)
async def test_count_in_a_file(tmp_path: Path, text: str, value: int | None) -> None:
    found = await NameFile(written(tmp_path, text), "name,count").number_of("pills.test", AT, YEAR)
    assert found.value == value
    assert found.source == "names.csv of 2026-11-20, zones com and net, 2026-11-20"


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,google.com\r\n812,pills.test\r\n", 812), ("1,notpills.test\n", 0), ("9,pills.test\n3,pills.test\n", 3)],
)
async def test_rank_in_a_file(tmp_path: Path, text: str, value: int) -> None:
    found = await NameFile(written(tmp_path, text), "rank,name").number_of("pills.test", AT, YEAR)
    assert found.value == value


async def test_a_file_that_tells_nothing(tmp_path: Path) -> None:
    undated = await NameFile(written(tmp_path, "pills.test,1\n", ""), "name,count").number_of("pills.test", AT, YEAR)
    assert (undated.value, undated.failed) == (None, False)
    old = written(tmp_path, "pills.test,1\n", "# date: 2025-11-24\n")
    found = await NameFile(old, "name,count").number_of("pills.test", AT, YEAR)
    assert (found.value, found.detail) == (None, "the file is of 2025-11-24, too old")
    fresh = await NameFile(old, "name,count").number_of("pills.test", AT - timedelta(days=1), YEAR)
    assert fresh.value == 1
    gone = await NameFile(tmp_path / "gone.csv", "name,count").number_of("pills.test", AT, YEAR)
    assert (gone.value, gone.failed) == (None, True)
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert (await NameFile(empty, "name,count").number_of("pills.test", AT, YEAR)).value is None


async def test_file_and_url_together_take_the_worse(http_server: Start, tmp_path: Path) -> None:
    file = written(tmp_path, "pills.test,3\n")
    port = await http_server(answering({"count": 20}))
    both = Sources(dependents=at(port), dependents_file=file)
    found = (await Survey(Egress.LOOPBACK, both).around("pills.test", AT, YEAR)).dependents
    assert (found.value, found.at_least) == (20, False)
    silent = replace(both, dependents=at(await http_server(answering({}, status=500))))
    found = (await Survey(Egress.LOOPBACK, silent).around("pills.test", AT, YEAR)).dependents
    assert (found.value, found.at_least, found.failed) == (3, True, True)
    ranks = written(tmp_path, "5,other.test\n")
    unranked = Sources(popularity_file=ranks, popularity=silent.dependents)
    found = (await Survey(Egress.LOOPBACK, unranked).around("pills.test", AT, YEAR)).rank
    assert (found.value, found.failed) == (None, True)  # not listed in one, and the other is silent: not known


def test_what_is_told_of_the_sources_holds_no_key() -> None:
    told = dict(Sources(certificates="https://user-key@crt.example/{name}?key=secret").told())
    assert told["host names"] == "crt.example"
    assert told["popularity"] == "not configured"


# --- DNS ----------------------------------------------------------------------------------------------------------


def resolving(*, mx: str | None = None, wildcard: bool = False, rcode: dns.rcode.Rcode | None = None) -> Any:
    def script(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        [question] = query.question
        if rcode is not None:
            reply.set_rcode(rcode)
        elif question.rdtype == dns.rdatatype.MX:
            if mx is not None:
                reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", "MX", mx))
        elif wildcard:
            kind = dns.rdatatype.to_text(question.rdtype)
            reply.answer.append(
                dns.rrset.from_text(question.name, 300, "IN", kind, {"A": "127.0.0.1"}.get(kind, "::1"))
            )
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    return script


@pytest.mark.parametrize(
    ("script", "mail", "wildcard"),
    [
        (resolving(mx="10 mail.pills.test."), True, False),
        (resolving(mx="0 ."), False, False),  # RFC 7505: the null MX
        (resolving(), False, False),
        (resolving(wildcard=True), False, True),
        (resolving(rcode=dns.rcode.NXDOMAIN), False, False),
        (resolving(rcode=dns.rcode.SERVFAIL), None, None),
        (resolving(rcode=dns.rcode.REFUSED), None, None),
        (lambda query, over_tcp: None, None, None),
        (lambda query, over_tcp: b"\x00garbage", None, None),
    ],
)
async def test_mail_and_wildcards(dns_server: Any, script: Any, mail: bool | None, wildcard: bool | None) -> None:
    server = await dns_server(script)
    survey = Survey(Egress.LOOPBACK, Sources(resolver=("127.0.0.1", server.port)), dns_timeout=0.5)
    found = await survey.around("pills.test", AT, YEAR)
    assert (found.mail_active.value, found.wildcard.value) == (mail, wildcard)
    assert found.mail_active.failed is (mail is None)


async def test_the_unlikely_host_is_another_one_each_time(dns_server: Any) -> None:
    server = await dns_server(resolving())
    survey = Survey(Egress.LOOPBACK, Sources(resolver=("127.0.0.1", server.port)))
    for _ in range(2):
        await survey.around("pills.test", AT, YEAR)
    asked = {q.question[0].name.to_text() for q in server.queries if q.question[0].rdtype == dns.rdatatype.A}
    assert len(asked) == 2
    assert all(name.endswith(".pills.test.") and len(name) > 24 for name in asked)
