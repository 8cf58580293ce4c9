"""The panel of recursive resolvers, against scripted ones on this machine (RFC 1035 §4.1.1, RFC 2308)."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from notifier.net.panel import ResolverPanel
from notifier.net.safe_http import Egress

Start = Callable[[Any], Awaitable[Any]]
NAME = "pills.test"


def resolver(rcode: dns.rcode.Rcode, *, answers: bool = False, recursive: bool = True, kind: str = "NS") -> Any:
    def script(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        if recursive:
            response.flags |= dns.flags.RA
        if answers:
            response.answer.append(dns.rrset.from_text(f"{NAME}.", 60, "IN", kind, "ns1.else.example."))
        return response

    return script


@pytest.mark.parametrize(
    ("script", "result", "answer"),
    [
        (resolver(dns.rcode.NOERROR, answers=True), "served", "served"),
        (resolver(dns.rcode.NXDOMAIN), "denied", "denied"),
        (resolver(dns.rcode.NXDOMAIN, answers=True, kind="CNAME"), "error:ALIAS", "inconclusive"),
        (resolver(dns.rcode.NOERROR), "nodata", "inconclusive"),
        (resolver(dns.rcode.SERVFAIL), "error:SERVFAIL", "inconclusive"),
        (resolver(dns.rcode.REFUSED), "error:REFUSED", "inconclusive"),
        (resolver(dns.rcode.NXDOMAIN, recursive=False), "error:NOT_RECURSIVE", "inconclusive"),
        (lambda query, tcp: None, "timeout", "inconclusive"),
        (lambda query, tcp: query.id.to_bytes(2, "big") + b"\x81\x80\x00", "error:MALFORMED", "inconclusive"),
    ],
)
async def test_each_answer_is_classed(dns_server: Start, script: Any, result: str, answer: str) -> None:
    server = await dns_server(script)
    found = await ResolverPanel(Egress.LOOPBACK, [("127.0.0.1", server.port)], timeout=0.2).ask(NAME)
    assert found is not None
    assert ([each.result for each in found.heard], found.answer) == ([result], answer)


async def test_it_asks_as_users_do_and_keeps_the_raw_answer(dns_server: Start) -> None:
    server = await dns_server(resolver(dns.rcode.NXDOMAIN))
    found = await ResolverPanel(Egress.LOOPBACK, [("127.0.0.1", server.port)]).ask(NAME)
    (query,) = server.queries
    assert query.flags & dns.flags.RD
    assert (query.question[0].name.to_text(), query.question[0].rdtype) == ("pills.test.", dns.rdatatype.NS)
    assert found is not None
    assert dns.message.from_wire(base64.b64decode(found.heard[0].wire)).rcode() == dns.rcode.NXDOMAIN


async def test_nobody_is_asked_twice_and_without_resolvers_nobody_is(dns_server: Start) -> None:
    server = await dns_server(resolver(dns.rcode.NXDOMAIN))
    here = ("127.0.0.1", server.port)
    found = await ResolverPanel(Egress.LOOPBACK, [here, here]).ask(NAME)
    assert found is not None
    assert len(found.heard) == len(server.queries) == 1
    assert await ResolverPanel(Egress.LOOPBACK, []).ask(NAME) is None


async def test_the_guard_stands_before_every_resolver(dns_server: Start) -> None:
    server = await dns_server(resolver(dns.rcode.NXDOMAIN))
    found = await ResolverPanel(Egress.PUBLIC, [("127.0.0.1", server.port)]).ask(NAME)
    assert found is not None
    assert ([each.result for each in found.heard], server.queries) == (["error:EGRESS"], [])
