"""The parent-zone probe against scripted authoritative servers (RFC 2308 §2, RFC 8020; fact sheet 2.5)."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from notifier.errors import Invalid
from notifier.net.dns_probe import DnsProbe, ZoneServers, combine
from notifier.net.safe_http import Egress

Start = Callable[[Any], Awaitable[Any]]
NAME = "pills.test"


def probe_of(*ports: int, egress: Egress = Egress.LOOPBACK, timeout: float = 1.0, tries: int = 1) -> DnsProbe:
    async def servers(zone: str) -> Sequence[tuple[str, int]]:
        assert zone == "test"
        return [("127.0.0.1", port) for port in ports]

    return DnsProbe(servers, egress, timeout=timeout, tries=tries)


def always(reply: Any) -> Any:
    return lambda query, over_tcp: reply(query)


def silent(query: dns.message.Message, over_tcp: bool) -> None:
    return None


async def test_asks_without_recursion_with_dnssec_for_ns(dns_server: Start, zone: Any) -> None:
    server = await dns_server(always(zone.delegated("ns1.host.example.", "NS2.host.example.")))
    found = await probe_of(server.port).delegation(NAME)
    (query,) = server.queries
    assert not query.flags & dns.flags.RD
    assert query.ednsflags & dns.flags.DO
    assert (query.question[0].name.to_text(), query.question[0].rdtype) == ("pills.test.", dns.rdatatype.NS)
    assert (found.answer, found.nameservers) == ("delegated", ("ns1.host.example", "ns2.host.example"))
    assert found.probes[0].server == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("reply", "result", "answer"),
    [
        (lambda z: z.delegated("ns.x.example."), "delegated", "delegated"),
        (lambda z: z.delegated("ns.x.example.", aa=True), "delegated", "delegated"),
        (lambda z: z.denied(), "nxdomain", "absent"),
        (lambda z: z.denied(aa=False), "error:NXDOMAIN_WITHOUT_AA", "inconclusive"),
        (lambda z: z.denied(soa="other."), "error:NXDOMAIN_OF_ANOTHER_NAME", "inconclusive"),
        (lambda z: z.nodata(), "nodata", "residual"),
        (lambda z: z.nodata(aa=False), "error:NOT_AUTHORITATIVE", "inconclusive"),
        (lambda z: z.alias("elsewhere.example."), "error:ALIAS", "inconclusive"),
        (
            lambda z: z.alias("x.example.", dns.rcode.NXDOMAIN),
            "error:NXDOMAIN_OF_ANOTHER_NAME",
            "inconclusive",
        ),
        (lambda z: z.error(dns.rcode.REFUSED), "error:REFUSED", "inconclusive"),
        (lambda z: z.error(dns.rcode.SERVFAIL), "error:SERVFAIL", "inconclusive"),
        (
            lambda z: z.delegated("a.root.example.", owner="."),
            "error:NOT_AUTHORITATIVE",
            "inconclusive",
        ),
        (
            lambda z: z.delegated("a.nic.example.", owner="test."),
            "error:NOT_AUTHORITATIVE",
            "inconclusive",
        ),
    ],
)
async def test_each_answer_is_classed(dns_server: Start, zone: Any, reply: Any, result: str, answer: str) -> None:
    server = await dns_server(always(reply(zone)))
    found = await probe_of(server.port).delegation(NAME)
    assert (found.probes[0].result, found.answer) == (result, answer)
    assert bool(found.nameservers) is (answer == "delegated")


async def test_a_silent_server_is_a_timeout_and_says_nothing(dns_server: Start) -> None:
    server = await dns_server(silent)
    found = await probe_of(server.port, timeout=0.1, tries=2).delegation(NAME)
    assert (found.probes[0].result, found.answer) == ("timeout", "inconclusive")
    assert len(server.queries) == 2


async def test_a_lost_datagram_is_asked_for_again(dns_server: Start, zone: Any) -> None:
    seen: list[int] = []

    def second_time(query: dns.message.Message, over_tcp: bool) -> dns.message.Message | None:
        seen.append(query.id)
        return zone.denied()(query) if len(seen) > 1 else None

    server = await dns_server(second_time)
    found = await probe_of(server.port, timeout=0.3, tries=2).delegation(NAME)
    assert found.answer == "absent"


async def test_garbage_is_inconclusive(dns_server: Start) -> None:
    server = await dns_server(lambda query, tcp: query.id.to_bytes(2, "big") + b"\x81\x80\x00")
    found = await probe_of(server.port, timeout=0.3).delegation(NAME)
    assert found.answer == "inconclusive"


async def test_a_closed_port_is_inconclusive(dns_server: Start) -> None:
    found = await probe_of(1, timeout=0.3).delegation(NAME)
    assert found.answer == "inconclusive"
    assert found.probes[0].result in ("error:UNREACHABLE", "timeout")


async def test_a_cut_answer_is_fetched_whole_over_tcp(dns_server: Start, zone: Any) -> None:
    def cut(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        if over_tcp:
            return zone.delegated("ns.x.example.")(query)  # type: ignore[no-any-return]
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response

    server = await dns_server(cut)
    found = await probe_of(server.port).delegation(NAME)
    assert (found.answer, found.probes[0].detail) == ("delegated", "aa=0 tcp")


async def test_the_raw_answer_is_kept(dns_server: Start, zone: Any) -> None:
    server = await dns_server(always(zone.denied()))
    (probe,) = (await probe_of(server.port).delegation(NAME)).probes
    kept = dns.message.from_wire(base64.b64decode(probe.wire))
    assert kept.rcode() == dns.rcode.NXDOMAIN
    assert kept.flags & dns.flags.AA
    assert kept.question[0].name.to_text() == "pills.test."


@pytest.mark.parametrize(
    ("second", "answer"),
    [
        (lambda z: always(z.denied()), "absent"),
        (lambda z: always(z.delegated("ns.x.example.")), "inconclusive"),
        (lambda z: always(z.nodata()), "inconclusive"),
        (lambda z: always(z.error(dns.rcode.SERVFAIL)), "inconclusive"),
        (lambda z: silent, "inconclusive"),
    ],
    ids=["agrees", "dissents", "differs", "fails", "silent"],
)
async def test_every_server_must_agree(dns_server: Start, zone: Any, second: Any, answer: str) -> None:
    one, two = await dns_server(always(zone.denied())), await dns_server(second(zone))
    found = await probe_of(one.port, two.port, timeout=0.2).delegation(NAME)
    assert found.answer == answer
    assert len(found.probes) == 2


async def test_no_server_no_answer() -> None:
    assert (await probe_of().delegation(NAME)).answer == "inconclusive"


@pytest.mark.parametrize(
    ("results", "answer"),
    [
        (["nxdomain"] * 3, "absent"),
        (["nxdomain"] * 3 + ["timeout", "error:SERVFAIL"], "absent"),
        (["nxdomain"] * 2 + ["timeout"], "inconclusive"),
        (["nxdomain"] * 2, "absent"),
        (["nxdomain", "timeout"], "inconclusive"),
        (["nxdomain"] * 12 + ["delegated"], "inconclusive"),
        (["delegated"] * 3 + ["timeout"], "delegated"),
        (["nodata"] * 3, "residual"),
        (["timeout"] * 5, "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_in_public_mode_three_or_all(results: list[str], answer: str) -> None:
    assert combine(results, Egress.PUBLIC) == answer


async def test_a_zone_in_between_is_asked_itself(dns_server: Start, zone: Any) -> None:
    parent = await dns_server(always(zone.delegated("ns.co.test.", owner="co.test.")))
    child = await dns_server(always(zone.denied(soa="co.test.")))
    asked: list[str] = []

    async def servers(which: str) -> Sequence[tuple[str, int]]:
        asked.append(which)
        return [("127.0.0.1", {"test": parent, "co.test": child}[which].port)]

    found = await DnsProbe(servers, Egress.LOOPBACK).delegation("pills.co.test")
    assert asked == ["test", "co.test"]
    assert found.answer == "absent"
    assert [probe.result for probe in found.probes] == ["referral:co.test", "nxdomain"]


async def test_the_guard_stands_before_every_server(dns_server: Start, zone: Any) -> None:
    server = await dns_server(always(zone.denied()))
    found = await probe_of(server.port, egress=Egress.PUBLIC).delegation(NAME)
    assert (found.answer, found.probes[0].result) == ("inconclusive", "error:EGRESS")
    assert server.queries == []


@pytest.mark.parametrize("name", ["test", "", ".", "a..b", "x" * 64 + ".test"])
async def test_what_is_no_domain_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        await probe_of().delegation(name)


def resolver_at(port: int) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], port
    return resolver


async def test_servers_of_a_zone_are_found_and_cached(dns_server: Start) -> None:
    records = {
        ("test.", "NS"): ["ns1.nic.test.", "ns2.nic.test."],
        ("ns1.nic.test.", "A"): ["127.0.0.11"],
        ("ns1.nic.test.", "AAAA"): ["::1"],
        ("ns2.nic.test.", "A"): ["127.0.0.12"],
    }

    def recursive(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        question = query.question[0]
        owner, rdtype = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        if (owner, rdtype) in records:
            response.answer.append(dns.rrset.from_text(owner, 600, "IN", rdtype, *records[owner, rdtype]))
        return response

    server = await dns_server(recursive)
    find = ZoneServers(resolver_at(server.port))
    expected = [("127.0.0.11", 53), ("127.0.0.12", 53), ("::1", 53)]
    assert await find("test") == expected
    asked = len(server.queries)
    assert await find("test") == expected
    assert len(server.queries) == asked


async def test_a_resolver_that_fails_finds_no_server(dns_server: Start, zone: Any) -> None:
    server = await dns_server(always(zone.error(dns.rcode.REFUSED)))
    assert await ZoneServers(resolver_at(server.port))("test") == []


NSEC3 = "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA RRSIG DNSKEY NSEC3PARAM"
SIGNED_BY = "8 1 900 20300101000000 20260101000000 12345 test. c2lnbmF0dXJl"


async def test_the_denial_s_proof_is_kept_and_its_ttl_is_the_smaller_one(dns_server: Start, zone: Any) -> None:
    def signed(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.NXDOMAIN)
        response.flags |= dns.flags.AA
        soa = "ns.nic.test. hostmaster.nic.test. 1 7200 900 1209600 900"
        response.authority += [
            dns.rrset.from_text("test.", 600, "IN", "SOA", soa),
            dns.rrset.from_text("test.", 600, "IN", "RRSIG", f"SOA {SIGNED_BY}"),
            dns.rrset.from_text("0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.test.", 600, "IN", "NSEC3", NSEC3),
        ]
        return response

    server = await dns_server(signed)
    found = await probe_of(server.port).delegation(NAME)
    assert (found.answer, found.probes[0].detail) == ("absent", "aa=1 udp NSEC3 RRSIG")
    assert found.negative_ttl == 600, "min(SOA.MINIMUM 900, SOA's TTL 600): RFC 2308 §5"
    kept = dns.message.from_wire(base64.b64decode(found.probes[0].wire))
    assert {dns.rdatatype.to_text(rrset.rdtype) for rrset in kept.authority} == {"SOA", "RRSIG", "NSEC3"}


async def test_a_delegation_has_no_negative_ttl(dns_server: Start, zone: Any) -> None:
    server = await dns_server(always(zone.delegated("ns.x.example.")))
    assert (await probe_of(server.port).delegation(NAME)).negative_ttl is None


@pytest.mark.parametrize(
    ("fails", "addresses", "enough"),
    [
        ("", 1, True),  # there is one, and every lookup was answered
        ("ns2.nic.test.", 1, False),  # the one that was found is perhaps not all of them
        ("ns2.nic.test.", 2, False),
        ("ns2.nic.test.", 3, True),  # three are enough, whatever else there is
    ],
)
async def test_few_servers_are_asked_only_when_they_are_all(
    dns_server: Start, fails: str, addresses: int, enough: bool
) -> None:
    records = {
        ("test.", "NS"): ["ns1.nic.test.", "ns2.nic.test."],
        ("ns1.nic.test.", "A"): [f"127.0.0.{n + 1}" for n in range(addresses)],
    }

    def recursive(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        question = query.question[0]
        owner, rdtype = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        if owner == fails:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif (owner, rdtype) in records:
            response.answer.append(dns.rrset.from_text(owner, 600, "IN", rdtype, *records[owner, rdtype]))
        return response

    server = await dns_server(recursive)
    assert len(await ZoneServers(resolver_at(server.port))("test")) == (addresses if enough else 0)
