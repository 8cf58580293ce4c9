"""The RDAP reader against odd documents, the client against a local server (RFC 7480, 9083; C-041 to C-055)."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.look import Registration
from notifier.errors import Invalid
from notifier.net.rdap import MAX_BODY, RdapClient, read_domain
from notifier.net.safe_http import Egress, guarded_session

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


def card(*rows: list[Any]) -> list[Any]:
    return ["vcard", [["version", {}, "text", "4.0"], *rows]]


def contact(role: str, email: str | None, *, kind: str = "text", **more: Any) -> dict[str, Any]:
    rows = [] if email is None else [["email", {}, kind, email]]
    return {"objectClassName": "entity", "roles": [role], "vcardArray": card(*rows), **more}


def document(name: str = "pills.test", **fields: Any) -> dict[str, Any]:
    return {"objectClassName": "domain", "ldhName": name, **fields}


FULL = document(
    "PILLS.test",
    handle="D123-TEST",
    status=["client transfer prohibited", "server hold"],
    events=[
        {"eventAction": "registration", "eventDate": "2019-05-01T10:00:00Z"},
        {"eventAction": "Expiration", "eventDate": "2027-05-01T12:00:00+02:00"},
        {"eventAction": "last changed", "eventDate": "2026-01-02T03:04:05.678Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-03-02T00:00:00Z"},
    ],
    nameservers=[{"ldhName": "NS2.Host.example."}, {"ldhName": "ns1.host.example"}],
    entities=[
        {
            "roles": ["registrar"],
            "publicIds": [{"type": "IANA Registrar ID", "identifier": "292"}],
            "vcardArray": card(["fn", {}, "text", "Example Registrar Inc."]),
            "entities": [contact("abuse", "abuse@registrar.example")],
        },
        contact("abuse", "abuse@registry.example"),
    ],
)


def test_a_whole_document() -> None:
    assert read_domain(json.dumps(FULL).encode(), "pills.test", source="s") == Registration(
        "found",
        statuses=("client transfer prohibited", "server hold"),
        handle="D123-TEST",
        registered_at=datetime(2019, 5, 1, 10, tzinfo=UTC),
        expires_at=datetime(2027, 5, 1, 10, tzinfo=UTC),
        last_changed_at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        registrar_name="Example Registrar Inc.",
        registrar_iana_id="292",
        registrar_abuse_email="abuse@registrar.example",
        registrar_abuse_path="registrar>abuse",
        nameservers=("ns1.host.example", "ns2.host.example"),
        source="s",
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "client hold"}, ("client hold",)),
        ({"status": None}, ()),
        ({}, ()),
        ({"status": ["clientHold https://icann.org/epp#clientHold", None, 7, {}, "X"]},
         ("clientHold https://icann.org/epp#clientHold", "7", "X")),
        ({"status": ["CLIENT HOLD", "client_hold"]}, ("CLIENT HOLD", "client_hold")),
        ({"status": {"odd": "shape"}}, ()),
    ],
)  # fmt: skip
def test_statuses_are_kept_verbatim(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = read_domain(document(**fields), "pills.test")
    assert (found.answer, found.statuses) == ("found", expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"entities": None},
        {"secureDNS": None},
        {"events": [{"eventAction": None, "eventDate": None}, None, "text"]},
        {"events": None, "nameservers": None, "handle": None, "links": None, "redacted": None},
        {"entities": [{"roles": None, "vcardArray": None, "entities": None, "publicIds": None}]},
        {"entities": [None, 1, "x", [], {"roles": ["registrar"], "vcardArray": ["vcard"]}]},
        {"entities": [{"roles": ["registrar"], "vcardArray": ["vcard", [None, ["fn"], ["fn", {}, "text", None]]]}]},
        {"entities": {"roles": "registrar"}},
        {"objectClassName": None},
        {"objectClassName": "Domain"},
    ],
)
def test_nulls_and_odd_shapes_are_read_through(fields: dict[str, Any]) -> None:
    found = read_domain(document(**fields), "pills.test")
    assert found.answer == "found"
    assert (found.registrar_name, found.registrar_abuse_email, found.handle) == (None, None, None)


@pytest.mark.parametrize(
    ("entities", "email", "path"),
    [
        # C-043: nested in the registrar, also when another stands above it.
        ([{"roles": ["Registrar"], "entities": [contact("ABUSE", "a@r.example")]}], "a@r.example", "registrar>abuse"),
        ([contact("abuse", "top@t.example"), {"roles": ["registrar"], "entities": [contact("abuse", "a@r.example")]}],
         "a@r.example", "registrar>abuse"),
        # A nested one without an address does not hide the one above.
        ([{"roles": ["registrar"], "entities": [contact("abuse", None)]}, contact("abuse", "top@t.example")],
         "top@t.example", "abuse"),
        # C-044: the ccTLD way, the name only an address, no telephone.
        ([{"roles": ["abuse"], "handle": "ABUSE-1", "vcardArray": card(["fn", {}, "text", "abuse@t.example"],
                                                                       ["email", {}, "text", "abuse@t.example"])}],
         "abuse@t.example", "abuse"),
        # Another parent's contact is never taken.
        ([{"roles": ["reseller"], "entities": [contact("abuse", "a@reseller.example")]}], None, None),
        ([{"roles": ["registrant"], "entities": [contact("abuse", "a@x.example")]}], None, None),
        ([contact("technical", "noc@x.example")], None, None),
        ([{"roles": ["registrar"], "vcardArray": card(["email", {}, "text", "sales@r.example"])}], None, None),
        # C-046: address typed uri, role as a text, both cases.
        ([contact("abuse", "mailto:abuse@t.example", kind="uri")], "abuse@t.example", "abuse"),
        ([contact("abuse", "MAILTO:abuse%2Bx@t.example?subject=hi", kind="uri")], "abuse+x@t.example", "abuse"),
        ([{**contact("abuse", "abuse@t.example"), "roles": "Abuse"}], "abuse@t.example", "abuse"),
        ([contact("abuse", "registrar+1@t.example") | {"roles": ["registrar", "abuse"]}], "registrar+1@t.example",
         "abuse"),
        # C-055: whole addresses only; the first that is one.
        ([contact("abuse", "abuse@a2hosting.example")], "abuse@a2hosting.example", "abuse"),
        ([contact("abuse", "abuse+net1@x-1.example")], "abuse+net1@x-1.example", "abuse"),
        ([contact("abuse", "abuse@a")], None, None),
        ([contact("abuse", "see https://r.example/abuse")], None, None),
        ([contact("abuse", "a@b.example\r\nBcc: x@y.example")], None, None),
        ([contact("abuse", "undefined")], None, None),
        ([{"roles": ["abuse"], "vcardArray": card(["email", {}, "text", ""], ["email", {}, "text", "b@t.example"])}],
         "b@t.example", "abuse"),
        ([], None, None),
    ],
)  # fmt: skip
def test_abuse_contact_and_where_it_stood(entities: list[Any], email: str | None, path: str | None) -> None:
    found = read_domain(document(entities=entities), "pills.test")
    assert (found.registrar_abuse_email, found.registrar_abuse_path) == (email, path)


def test_entities_nested_without_end_are_read_to_a_depth() -> None:
    deep: dict[str, Any] = contact("abuse", "deep@x.example")
    for _ in range(200):
        deep = {"roles": ["technical"], "entities": [deep]}
    found = read_domain(document(entities=[{"roles": ["registrar"], "entities": [deep]}]), "pills.test")
    assert (found.answer, found.registrar_abuse_email) == ("found", None)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2019-05-01T10:00:00Z", datetime(2019, 5, 1, 10, tzinfo=UTC)),
        ("2019-05-01T10:00:00.1Z", datetime(2019, 5, 1, 10, 0, 0, 100_000, tzinfo=UTC)),
        ("2019-05-01T10:00:00", None),
        ("2019-05-01", None),
        ("0000-00-00T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("soon", None),
        ("", None),
        (None, None),
        (1556704800, None),
    ],
)
def test_bad_dates_are_no_dates(date: object, expected: datetime | None) -> None:
    found = read_domain(document(events=[{"eventAction": "registration", "eventDate": date}]), "pills.test")
    assert (found.answer, found.registered_at) == ("found", expected)


def test_a_later_registration_event_is_the_epoch() -> None:
    events = [
        {"eventAction": "reinstantiation", "eventDate": "2025-02-03T00:00:00Z"},
        {"eventAction": "registration", "eventDate": "2019-05-01T00:00:00Z"},
    ]
    found = read_domain(document(events=events, handle=17), "pills.test")
    assert found.epoch == "17@2025-02-03T00:00:00+00:00"


@pytest.mark.parametrize(
    ("doc", "asked", "answer", "code"),
    [
        (document("other.test"), "pills.test", "inconclusive", "rdap_wrong_object"),
        (document("pills.test."), "pills.test", "found", ""),
        (document("xn--fa-hia.test"), "xn--fa-hia.test", "found", ""),
        (document("faß.test"), "xn--fa-hia.test", "found", ""),
        (document("fass.test"), "xn--fa-hia.test", "inconclusive", "rdap_wrong_object"),
        ({"objectClassName": "domain", "ldhName": None, "unicodeName": "faß.test"}, "xn--fa-hia.test", "found", ""),
        ({"objectClassName": "domain"}, "pills.test", "inconclusive", "rdap_malformed"),
        (document() | {"objectClassName": "entity"}, "pills.test", "inconclusive", "rdap_wrong_object"),
        ({"errorCode": 404, "title": "no"}, "pills.test", "inconclusive", "rdap_malformed"),
        (b"[]", "pills.test", "inconclusive", "rdap_malformed"),
        (b"<html>ok</html>", "pills.test", "inconclusive", "rdap_malformed"),
        (b"\xff\xfe", "pills.test", "inconclusive", "rdap_malformed"),
        (b"", "pills.test", "inconclusive", "rdap_malformed"),
        (b"[" * 200_000, "pills.test", "inconclusive", "rdap_malformed"),
        (b'{"ldhName": ' + b"9" * 5000 + b"}", "pills.test", "inconclusive", "rdap_malformed"),
        (b'\xef\xbb\xbf{"ldhName": "pills.test"}', "pills.test", "found", ""),
    ],
)  # fmt: skip
def test_only_the_asked_object_counts(doc: Any, asked: str, answer: str, code: str) -> None:
    found = read_domain(doc, asked)
    assert (found.answer, found.detail.split(":")[0]) == (answer, code)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)
keys = st.sampled_from(["status", "entities", "events", "nameservers", "handle", "objectClassName", "unicodeName"])
entities = st.dictionaries(st.sampled_from(["roles", "vcardArray", "entities", "publicIds"]), json_values)


@given(st.dictionaries(keys, json_values), st.lists(entities, max_size=3))
def test_no_document_breaks_the_reader(fields: dict[str, Any], nested: list[Any]) -> None:
    found = read_domain({"ldhName": "pills.test", "entities": nested} | fields, "pills.test")
    assert found.answer in ("found", "inconclusive")


# The client -------------------------------------------------------------------------------------------------

RDAP_JSON = "application/rdap+json"


def rdap_json(body: Any, http_code: int = 200, **headers: str) -> web.Response:
    return web.Response(text=json.dumps(body), status=http_code, content_type=RDAP_JSON, headers=headers)


async def lookup(
    port: int, name: str = "pills.test", timeout: float = 5, base: str = "http://127.0.0.1:{}/r/"
) -> Registration:
    async with guarded_session(Egress.LOOPBACK, total_timeout=timeout) as session:
        return await RdapClient(session, {"test": base.format(port)}.get).domain(name)


@pytest.mark.parametrize("base", ["http://127.0.0.1:{}/r/", "http://127.0.0.1:{}/r"])
async def test_the_query_is_that_of_rfc_9082(http_server: Start, base: str) -> None:
    seen: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Accept")))
        return rdap_json(FULL)

    port = await http_server(answer)
    found = await lookup(port, "PILLS.test", base=base)
    assert seen == [("/r/domain/pills.test", RDAP_JSON)]
    assert found.answer == "found"
    assert found.source == f"http://127.0.0.1:{port}/r/domain/pills.test"


async def test_a_tld_without_rdap_is_said_so() -> None:
    found = await lookup(0, "pills.example")
    assert found.answer == "no_rdap"


@pytest.mark.parametrize(
    "name",
    ["x/../../y.test", "faß.test", "test", "", "a b.test", "a?b.test", "-a.test", "a.test/", "a%2e.test", "a.test\n"],
)
async def test_only_a_labels_are_put_into_a_url(name: str) -> None:
    with pytest.raises(Invalid):
        await lookup(0, name)


@pytest.mark.parametrize(
    ("response", "answer", "detail"),
    [
        (lambda: rdap_json({"errorCode": 404, "title": "Not Found", "description": ["Registry Reserved"]}, 404),
         "absent", "Not Found; Registry Reserved"),
        (lambda: web.json_response({"errorCode": 404}, status=404), "absent", ""),
        (lambda: web.Response(status=404, content_type=RDAP_JSON), "absent", ""),
        (lambda: web.Response(status=404), "inconclusive", "rdap_malformed"),
        (lambda: web.json_response({"message": "no Route matched"}, status=404), "inconclusive", "rdap_malformed"),
        (lambda: rdap_json({"errorCode": 403}, 404), "inconclusive", "rdap_malformed"),
        (lambda: web.Response(text="<html>gone</html>", status=404, content_type="text/html"),
         "inconclusive", "rdap_malformed"),
        (lambda: web.Response(text="<html>hi</html>", content_type="text/html"), "inconclusive", "rdap_malformed"),
        (lambda: web.Response(text="", content_type=RDAP_JSON), "inconclusive", "rdap_malformed"),
        (lambda: rdap_json(document("other.test")), "inconclusive", "rdap_wrong_object"),
        (lambda: rdap_json({"errorCode": 403}, 403), "inconclusive", "rdap_http_403"),
        (lambda: rdap_json({}, 400), "inconclusive", "rdap_http_400"),
        (lambda: rdap_json({}, 500), "inconclusive", "rdap_http_500"),
        (lambda: rdap_json({}, 501), "inconclusive", "rdap_http_501"),
        (lambda: web.Response(body=b" " * (MAX_BODY + 1)), "inconclusive", "rdap_too_large"),
        (lambda: rdap_json(FULL, 201), "inconclusive", "rdap_http_201"),
    ],
)  # fmt: skip
async def test_http_answers(http_server: Start, response: Any, answer: str, detail: str) -> None:
    async def reply(request: web.Request) -> web.Response:
        return response()  # type: ignore[no-any-return]

    found = await lookup(await http_server(reply))
    assert (found.answer, found.detail.split(":")[0]) == (answer, detail)


@pytest.mark.parametrize(
    ("code", "headers", "wait"),
    [
        (429, {"Retry-After": "120"}, 120.0),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:30:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 120.0),
        (429, {}, None),
    ],
)
async def test_a_server_that_asks_us_to_wait(
    http_server: Start, code: int, headers: dict[str, str], wait: float | None
) -> None:
    async def busy(request: web.Request) -> web.Response:
        return rdap_json({"errorCode": code}, code, **headers)

    found = await lookup(await http_server(busy))
    assert (found.answer, found.retry_after) == ("inconclusive", wait)


async def test_the_registrars_link_is_not_followed(http_server: Start) -> None:
    asked: list[str] = []

    async def registrar(request: web.Request) -> web.Response:
        asked.append(request.path)
        return rdap_json(document(status=["client hold"]))

    other = await http_server(registrar)
    links = [{"rel": "related", "type": RDAP_JSON, "href": f"http://127.0.0.1:{other}/domain/pills.test"}]

    async def registry(request: web.Request) -> web.Response:
        return rdap_json(document(status=["server hold"], links=links))

    found = await lookup(await http_server(registry))
    assert (found.statuses, asked) == (("server hold",), [])


async def test_one_redirect_is_followed_and_a_loop_ends(http_server: Start) -> None:
    asked: list[str] = []

    async def reply(request: web.Request) -> web.Response:
        asked.append(request.path)
        target = {"/r/domain/pills.test": "/new/domain/pills.test", "/new/domain/loop.test": "/r/domain/loop.test",
                  "/r/domain/loop.test": "/new/domain/loop.test"}.get(request.path)  # fmt: skip
        if target is None:
            return rdap_json(FULL)
        return web.Response(status=302, headers={"Location": target})

    port = await http_server(reply)
    found = await lookup(port)
    assert (found.answer, found.source) == ("found", f"http://127.0.0.1:{port}/new/domain/pills.test")
    asked.clear()
    looped = await lookup(port, "loop.test")
    assert (looped.answer, looped.detail.split(":")[0]) == ("inconclusive", "rdap_redirect")
    assert len(asked) == 2


@pytest.mark.parametrize("target", ["file:///etc/hosts", "ftp://127.0.0.1/", "http://10.0.0.1/", ""])
async def test_a_redirect_elsewhere_is_inconclusive(http_server: Start, target: str) -> None:
    async def reply(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    assert (await lookup(await http_server(reply))).answer == "inconclusive"


async def test_a_closed_port_is_inconclusive() -> None:
    found = await lookup(1)
    assert (found.answer, found.detail.split(":")[0]) == ("inconclusive", "rdap_unreachable")


async def test_a_connection_cut_in_the_body_is_inconclusive(http_server: Start) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"ldhName": ')
        assert request.transport is not None
        request.transport.abort()
        return response

    found = await lookup(await http_server(cut))
    assert (found.answer, found.detail.split(":")[0]) == ("inconclusive", "rdap_unreachable")


async def test_fifty_lookups_of_a_dead_server_do_not_stop_the_loop(http_server: Start) -> None:
    release = asyncio.Event()

    async def dead(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    port = await http_server(dead)
    late: list[float] = []

    async def heartbeat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - before)

    beat = asyncio.create_task(heartbeat())
    found = await asyncio.gather(*(lookup(port, f"n{i}.test", timeout=0.5) for i in range(50)))
    beat.cancel()
    release.set()
    assert {(f.answer, f.detail) for f in found} == {("inconclusive", "rdap_timeout")}
    assert max(late) < 0.5


async def test_nothing_crosses_from_one_lookup_to_another(http_server: Start) -> None:
    """C-041: the first has a contact, the second has none; one after the other and 500 at once."""

    async def registry(request: web.Request) -> web.Response:
        name = request.path.rsplit("/", 1)[1]
        owned = [contact("registrar", None, entities=[contact("abuse", f"abuse@{name}")], handle=name)]
        return rdap_json(document(name, entities=owned if name.startswith("first") else [], handle=name))

    port = await http_server(registry)
    async with guarded_session(Egress.LOOPBACK, total_timeout=30) as session:
        client = RdapClient(session, lambda tld: f"http://127.0.0.1:{port}/")
        await client.domain("first.test")
        after = await client.domain("second.test")
        assert (after.registrar_abuse_email, after.registrar_abuse_path) == (None, None)
        names = [f"{'first' if i % 2 == 0 else 'second'}{i}.test" for i in range(500)]
        found = await asyncio.gather(*(client.domain(name) for name in names))
    for name, registration in zip(names, found, strict=True):
        assert registration.handle == name
        expected = f"abuse@{name}" if name.startswith("first") else None
        assert registration.registrar_abuse_email == expected


def registrant(name: str = "Ann Holder", handle: str | None = "C-77", **more: Any) -> dict[str, Any]:
    known = {"roles": ["registrant"], "vcardArray": card(["fn", {}, "text", name]), **more}
    return document(entities=[known | ({"handle": handle} if handle is not None else {})])


@pytest.mark.parametrize(
    ("shown", "public"),
    [
        (registrant(), True),
        (registrant(handle=None), False),
        (registrant(handle="REDACTED FOR PRIVACY"), False),
        (registrant("Domains By Proxy, LLC"), False),
        (registrant("Withheld for Privacy ehf"), False),
        (
            registrant(remarks=[{"title": "REDACTED FOR PRIVACY", "type": "object redacted due to authorization"}]),
            False,
        ),
        ({**registrant(), "redacted": [{"name": {"type": "Registry Registrant ID"}}]}, False),  # RFC 9537
        (document(entities=[{"roles": ["registrar"], "handle": "292"}]), False),
    ],
)
def test_a_registrant_is_told_by_a_digest_where_it_is_public(shown: dict[str, Any], public: bool) -> None:
    found = read_domain(shown, "pills.test", source="https://rdap.one.example/domain/pills.test").registrant_key
    expected = hashlib.sha256(b"rdap.one.example/C-77").hexdigest()
    assert found == (expected if public else None)
    other = read_domain(shown, "pills.test", source="https://rdap.two.example/domain/pills.test").registrant_key
    assert other is None or other != found  # a handle means something at its own registry alone
