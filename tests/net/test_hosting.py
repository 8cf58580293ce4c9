"""Who hosts a name: real DNS answers and RDAP of networks, each document that others broke on among them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.look import Hosting
from notifier.net.hosting import HostFinder
from notifier.net.rdap import RdapClient, read_network
from notifier.net.safe_http import Egress, guarded_session

Start = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[int]]


def abuse(email: str, **more: Any) -> dict[str, Any]:
    return {"roles": ["abuse"], "vcardArray": ["vcard", [["email", {}, "text", email]]], **more}


def network(first: str = "127.0.9.0", last: str = "127.0.9.255", **fields: Any) -> dict[str, Any]:
    return {"objectClassName": "ip network", "startAddress": first, "endAddress": last, "handle": "NET-9", **fields}


@pytest.mark.parametrize(
    ("entities", "email", "path"),
    [
        ([abuse("own@net.example")], "own@net.example", "abuse"),
        ([{"roles": ["registrant"], "entities": [abuse("held@org.example")]}], "held@org.example", "registrant>abuse"),
        # Nearest to the network first, whoever else stands around it.
        ([{"roles": ["registrant"], "entities": [abuse("held@org.example")]}, abuse("own@net.example")],
         "own@net.example", "abuse"),
        ([{"roles": ["technical"], "entities": [abuse("t@t.example")]}], None, None),
        ([{"roles": ["noc"], "vcardArray": ["vcard", [["email", {}, "text", "noc@net.example"]]]}], None, None),
        ([{"roles": ["registrant"], "vcardArray": ["vcard", [["email", {}, "text", "who@org.example"]]]}], None, None),
        (None, None, None),
        ([None, 1, {"roles": None}], None, None),
    ],
)  # fmt: skip
def test_the_abuse_contact_of_a_network_and_where_it_stood(entities: Any, email: str | None, path: str | None) -> None:
    found = read_network(json.dumps(network(entities=entities)).encode(), "127.0.9.7")
    assert (found.answer, found.abuse_email, found.abuse_path) == ("found", email, path)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<html>", "rdap_malformed"),
        (b"[]", "rdap_malformed"),
        (b"[" * 100_000, "rdap_malformed"),
        (json.dumps({"objectClassName": "domain"}).encode(), "rdap_wrong_object"),
        (json.dumps(network("127.0.8.0", "127.0.8.255")).encode(), "rdap_wrong_object"),
        (json.dumps(network("::1", "::ffff")).encode(), "rdap_wrong_object"),
        (json.dumps(network("127.0.9.0", "undefined")).encode(), "rdap_malformed"),
        (json.dumps({"objectClassName": "ip network"}).encode(), "rdap_malformed"),
    ],
)
def test_only_a_network_that_holds_the_address_counts(document: bytes, code: str) -> None:
    found = read_network(document, "127.0.9.7")
    assert found.answer == "inconclusive"
    assert found.detail.startswith(code)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["roles", "entities", "vcardArray", "x"]), inner)
    ),
    max_leaves=20,
)


@given(_JSON, _JSON)
def test_no_document_breaks_the_reader(entities: Any, handle: Any) -> None:
    found = read_network(json.dumps(network(entities=entities, handle=handle)).encode(), "127.0.9.7")
    assert found.answer == "found"
    assert found.abuse_email is None or "@" in found.abuse_email


def zone(addresses: dict[str, list[str]]) -> Any:
    """A resolver that gives these addresses."""

    def script(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        [question] = query.question
        listed = addresses.get(question.name.to_text(omit_final_dot=True))
        if listed is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.A and listed:
            reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", "A", *listed))
        return reply

    return script


async def find(names: list[str], resolver: int, rdap: int) -> list[Hosting]:
    async with guarded_session(Egress.LOOPBACK, total_timeout=60) as session:
        client = RdapClient(session, lambda tld: None, f"http://127.0.0.1:{rdap}/rdap")
        finder = HostFinder(Egress.LOOPBACK, ("127.0.0.1", resolver), client, timeout=60)
        return list(await asyncio.gather(*(finder.of(name) for name in names)))


async def test_addresses_of_one_holder_or_of_nobody(http_server: Start, dns_server: Any) -> None:
    server = await dns_server(
        zone(
            {
                "one.test": ["127.0.9.1", "127.0.9.2"],
                "split.test": ["127.0.9.1", "127.0.8.1"],
                "none.test": [],
                "public.test": ["192.0.2.1"],
            }
        )
    )
    asked: list[str] = []
    silent: list[bool] = []

    async def registry(request: web.Request) -> web.Response:
        ip = request.path.removeprefix("/rdap/ip/")
        asked.append(ip)
        block = ip.rpartition(".")[0]
        contact = [] if silent else [abuse(f"abuse@n{block.replace('.', '-')}.example")]
        return web.json_response(network(f"{block}.0", f"{block}.255", entities=contact, handle=block))

    rdap = await http_server(registry)
    one, split, none, gone, outside = await find(
        ["one.test", "split.test", "none.test", "gone.test", "public.test"], server.port, rdap
    )
    assert (one.answer, one.abuse_email, one.addresses) == (
        "found",
        "abuse@n127-0-9.example",
        ("127.0.9.1", "127.0.9.2"),
    )
    assert (split.answer, split.abuse_email) == ("several", None)
    silent.append(True)  # no network tells a desk: two networks are still two holders', as far as anybody knows
    one, split = await find(["one.test", "split.test"], server.port, rdap)
    assert (one.answer, one.abuse_email, split.answer) == ("found", None, "several")
    assert (none.answer, gone.answer) == ("absent", "absent")
    assert (outside.answer, outside.abuse_email) == ("inconclusive", None)  # egress is loopback
    assert "192.0.2.1" not in asked


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_a_resolver_that_fails_is_never_no_address(
    http_server: Start, dns_server: Any, rcode: dns.rcode.Rcode
) -> None:
    def script(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.set_rcode(rcode)
        return reply

    async def registry(request: web.Request) -> web.Response:
        raise AssertionError("nobody is asked about an address that is not known")

    server = await dns_server(script)
    (found,) = await find(["one.test"], server.port, await http_server(registry))
    assert found.answer == "inconclusive"


async def test_two_networks_that_name_no_desk_are_not_one_holder(http_server: Start, dns_server: Any) -> None:
    server = await dns_server(zone({"two.test": ["127.0.9.1", "127.0.8.1"]}))

    async def registry(request: web.Request) -> web.Response:
        block = request.path.removeprefix("/rdap/ip/").rpartition(".")[0]
        return web.json_response(network(f"{block}.0", f"{block}.255", handle=block))

    (found,) = await find(["two.test"], server.port, await http_server(registry))
    assert found.answer == "several"


@pytest.mark.parametrize(
    ("mx", "address", "takes"),
    [
        ("10 mail.desk.test.", None, True),
        ("0 .", "127.0.0.1", False),  # RFC 7505: the null MX, whatever else there is
        (None, "127.0.0.1", True),  # RFC 5321 §5.1: the implicit MX
        (None, None, False),
    ],
)
async def test_whether_a_desk_takes_mail(dns_server: Any, mx: str | None, address: str | None, takes: bool) -> None:
    def script(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        [question] = query.question
        found = {dns.rdatatype.MX: mx, dns.rdatatype.A: address}.get(question.rdtype)
        if found is not None:
            kind = dns.rdatatype.to_text(question.rdtype)
            reply.answer.append(dns.rrset.from_text(question.name, 300, "IN", kind, found))
        return reply

    server = await dns_server(script)
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        client = RdapClient(session, lambda tld: None)
        finder = HostFinder(Egress.LOOPBACK, ("127.0.0.1", server.port), client)
        assert await finder.takes_mail("desk.test") is takes


async def test_a_resolver_that_fails_never_says_that_a_desk_takes_no_mail(dns_server: Any) -> None:
    server = await dns_server(lambda query, over_tcp: b"garbage")
    async with guarded_session(Egress.LOOPBACK, total_timeout=5) as session:
        finder = HostFinder(Egress.LOOPBACK, ("127.0.0.1", server.port), RdapClient(session, lambda tld: None))
        assert await finder.takes_mail("desk.test") is None


async def test_nothing_crosses_from_one_lookup_to_another(http_server: Start, dns_server: Any) -> None:
    """C-041 for hosts: every second network has a contact; 500 at once."""
    names = {f"n{i}.test": [f"127.2.{i // 250}.{i % 250 + 1}"] for i in range(500)}

    async def registry(request: web.Request) -> web.Response:
        ip = request.path.removeprefix("/rdap/ip/")
        even = int(ip.rpartition(".")[2]) % 2 == 0
        contact = [abuse(f"abuse@h{ip.replace('.', '-')}.example")] if even else []
        return web.json_response(network(ip, ip, handle=ip, entities=contact))

    server = await dns_server(zone(names))
    found = await find(list(names), server.port, await http_server(registry))
    for (address,), seen in zip(names.values(), found, strict=True):
        even = int(address.rpartition(".")[2]) % 2 == 0
        expected = f"abuse@h{address.replace('.', '-')}.example" if even else None
        assert (seen.answer, seen.handle, seen.abuse_email) == ("found", address, expected)
