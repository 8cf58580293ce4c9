"""Real servers on 127.0.0.1: an HTTP server by handler, and authoritative DNS servers over UDP and TCP by script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from aiohttp import web

SOA = "ns.nic.test. hostmaster.nic.test. 1 7200 900 1209600 300"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Script = Callable[[dns.message.Message, bool], bytes | dns.message.Message | None]
Reply = Callable[[dns.message.Message], dns.message.Message]


@pytest.fixture
async def http_server() -> AsyncIterator[Callable[[Handler], Awaitable[int]]]:
    """Call it with a handler of every path: a new server, and its port."""
    async with AsyncExitStack() as stack:

        async def start(handler: Handler) -> int:
            app = web.Application()
            app.router.add_route("*", "/{tail:.*}", handler)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return int(runner.addresses[0][1])

        yield start


@dataclass
class DnsServer:
    """One authoritative server; `script` sees (query, over TCP?) and may answer with a message, bytes or nothing."""

    script: Script
    port: int = 0
    queries: list[dns.message.Message] = field(default_factory=list)

    def reply(self, wire: bytes, over_tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        self.queries.append(query)
        answer = self.script(query, over_tcp)
        return answer.to_wire() if isinstance(answer, dns.message.Message) else answer


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.reply(data, False)
        if answer is not None:
            self._transport.sendto(answer, addr)


@pytest.fixture
async def dns_server() -> AsyncIterator[Callable[[Script], Awaitable[DnsServer]]]:
    """Call it with a script: a new server on a port of its own, the same for UDP and TCP."""
    async with AsyncExitStack() as stack:

        async def start(script: Script) -> DnsServer:
            server = DnsServer(script)

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                size = int.from_bytes(await reader.readexactly(2), "big")
                answer = server.reply(await reader.readexactly(size), True)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
                writer.close()

            loop = asyncio.get_running_loop()
            for _ in range(20):
                tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
                server.port = tcp.sockets[0].getsockname()[1]
                try:
                    udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), ("127.0.0.1", server.port))
                except OSError:  # the port is free for TCP and taken for UDP
                    tcp.close()
                    continue
                stack.callback(tcp.close)
                stack.callback(udp.close)
                return server
            raise RuntimeError("no port is free for both UDP and TCP")

        yield start


def _respond(query: dns.message.Message, *, aa: bool, rcode: dns.rcode.Rcode) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    response.flags = (response.flags | dns.flags.AA) if aa else (response.flags & ~dns.flags.AA)
    return response


@dataclass(frozen=True)
class Zone:
    """Answers as a registry's server gives them, for the zone `name`."""

    name: str

    def delegated(self, *nameservers: str, owner: str | None = None, aa: bool = False) -> Reply:
        def reply(query: dns.message.Message) -> dns.message.Message:
            response = _respond(query, aa=aa, rcode=dns.rcode.NOERROR)
            cut = owner or query.question[0].name.to_text()
            section = response.answer if aa else response.authority
            section.append(dns.rrset.from_text(cut, 3600, "IN", "NS", *nameservers))
            return response

        return reply

    def denied(self, *, aa: bool = True, soa: str | None = None) -> Reply:
        def reply(query: dns.message.Message) -> dns.message.Message:
            response = _respond(query, aa=aa, rcode=dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text(soa or self.name, 300, "IN", "SOA", SOA))
            return response

        return reply

    def nodata(self, *, aa: bool = True) -> Reply:
        def reply(query: dns.message.Message) -> dns.message.Message:
            response = _respond(query, aa=aa, rcode=dns.rcode.NOERROR)
            response.authority.append(dns.rrset.from_text(self.name, 300, "IN", "SOA", SOA))
            return response

        return reply

    def alias(self, target: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> Reply:
        def reply(query: dns.message.Message) -> dns.message.Message:
            response = _respond(query, aa=True, rcode=rcode)
            owner = query.question[0].name.to_text()
            response.answer.append(dns.rrset.from_text(owner, 300, "IN", "CNAME", target))
            return response

        return reply

    def error(self, rcode: dns.rcode.Rcode) -> Reply:
        return lambda query: _respond(query, aa=False, rcode=rcode)


@pytest.fixture
def zone() -> Zone:
    return Zone("test.")
