"""Control of a name, asked of its own servers: each that speaks must show the record, and silence shows nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from notifier.net.control import ControlProbe
from notifier.net.safe_http import Egress

NAME, VALUE = "shop.example", "trusted-notifier=abc"
OWNER = f"_trusted-notifier.{NAME}."


class Server(asyncio.DatagramProtocol):
    """A zone's name server that has these texts. `fault`: silent, servfail, cached (AA=0) or other (another owner)."""

    def __init__(self, texts: Sequence[str], fault: str = "") -> None:
        self.texts, self.fault = texts, fault

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = dns.message.make_response(dns.message.from_wire(data))
        assert not reply.flags & dns.flags.RD, "no recursion is asked for"
        if self.fault == "silent":
            return
        if self.fault == "servfail":
            reply.set_rcode(dns.rcode.SERVFAIL)
        if self.fault != "cached":
            reply.flags |= dns.flags.AA
        owner = "www.shop.example." if self.fault == "other" else OWNER
        if self.texts:
            reply.answer.append(dns.rrset.from_text_list(owner, 60, "IN", "TXT", [f'"{t}"' for t in self.texts]))
        self.transport.sendto(reply.to_wire(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def probe(*servers: Server, egress: Egress = Egress.LOOPBACK) -> AsyncIterator[ControlProbe]:
    opened = [
        await asyncio.get_running_loop().create_datagram_endpoint(lambda s=s: s, local_addr=("127.0.0.1", 0))  # type: ignore[misc]
        for s in servers
    ]
    where = [transport.get_extra_info("sockname")[:2] for transport, _ in opened]

    async def addresses(zone: str, hosts: Sequence[str]) -> list[tuple[str, int]]:
        assert (zone, hosts) == (NAME, ["ns1.host.example"])
        return where

    yield ControlProbe(addresses, egress, timeout=0.3)
    for transport, _ in opened:
        transport.close()


@pytest.mark.parametrize(
    ("servers", "shown"),
    [
        ([Server([VALUE])], True),
        ([Server(["v=spf1 -all", VALUE]), Server([VALUE])], True),
        ([Server([VALUE]), Server([VALUE], "silent")], True),
        ([Server([VALUE]), Server([])], False),
        ([Server([VALUE]), Server(["trusted-notifier=xyz"])], False),
        ([Server([f"{VALUE}d"])], False),
        ([Server([VALUE], "silent")], False),
        ([Server([VALUE], "servfail")], False),
        ([Server([VALUE], "cached")], False),
        ([Server([VALUE], "other")], False),
        ([Server([])], False),
        ([], False),
    ],
)
async def test_every_server_that_speaks_must_show_it(servers: list[Server], shown: bool) -> None:
    async with probe(*servers) as asked:
        assert await asked.shows(NAME, NAME, ["ns1.host.example"], VALUE) is shown


async def test_nothing_is_asked_outside_the_egress_rule() -> None:
    async with probe(Server([VALUE]), egress=Egress.PUBLIC) as asked:
        assert await asked.shows(NAME, NAME, ["ns1.host.example"], VALUE) is False


@pytest.mark.parametrize("name", ["", "a" * 64 + ".example", "a..b"])
async def test_a_name_that_is_none_shows_nothing(name: str) -> None:
    async with probe(Server([VALUE])) as asked:
        assert await asked.shows(name, NAME, ["ns1.host.example"], VALUE) is False
