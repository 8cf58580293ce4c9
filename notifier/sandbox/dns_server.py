"""The parent zones' name server: authoritative for every zone of the world, by UDP and TCP on one port.

Delegated: a referral, AA=0, NS in the authority section (RFC 1034 §4.3.2). Not published: NXDOMAIN, AA=1,
the zone's SOA (RFC 2308 §2). Glue left behind: the name is an empty non-terminal, so NODATA, AA=1, the SOA
(RFC 8020 §2).
"""

import asyncio
import socket
import struct
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from notifier.clock import Clock
from notifier.sandbox.weather import Weather
from notifier.sandbox.world import Registration, World

TTL, NEGATIVE_TTL = 172800, 900
GLUE_ADDRESS = "127.0.0.1"
MAX_UDP = 1232
IDLE = 10


class DnsFault(StrEnum):
    """How a server fails for a name.

    TRUNCATE: TC=1 by UDP, whole by TCP. EMPTY: NOERROR, AA=0, nothing in it.
    """

    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TRUNCATE = "truncate"
    EMPTY = "empty"


class DnsServer:
    """One name server on 127.0.0.1. `faults` (A-label of a registration to fault), `lag` (clock time behind the
    world) and `lags` (of single zones) may be changed while it runs, and so may its `weather`."""

    def __init__(
        self, world: World, clock: Clock, weather: Weather | None = None, lag: timedelta = timedelta(0)
    ) -> None:
        self._world, self._clock, self._weather = world, clock, weather
        self.lag = lag
        self.lags: dict[str, timedelta] = {}
        self.faults: dict[str, DnsFault] = {}
        self.texts: dict[str, list[str]] = {}  # TXT of names' own zones, which are served here too
        self.queries: list[str] = []
        self.port = 0
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._at_work: set[asyncio.Task[None]] = set()
        self._conversations: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> None:
        """Listen by UDP and TCP on one port; `port` holds the number afterwards."""
        loop = asyncio.get_running_loop()
        udp, tcp = _one_port(port)
        self.port = udp.getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)
        self._tcp = await asyncio.start_server(self._converse, sock=tcp)

    async def stop(self) -> None:
        """Stop listening and end what is being answered."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for writer in tuple(self._conversations):
            writer.close()
        for task in tuple(self._at_work):
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)
        if self._tcp is not None:
            await self._tcp.wait_closed()

    def begin(self, wire: bytes, client: tuple[str, int]) -> None:
        """Answer a datagram."""
        task = asyncio.create_task(self._answer_datagram(wire, client))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The wire form of the answer; None: say nothing (RFC 1034 leaves garbage unanswered, a timeout
        does too)."""
        query = _read(wire[2:])
        if query is None or query.flags & dns.flags.QR:
            return None
        reply = dns.message.make_response(query, our_payload=MAX_UDP)
        reply.id = int.from_bytes(wire[:2])
        reply.flags &= ~dns.flags.RA
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            reply.set_rcode(dns.rcode.NOTIMP)
            return reply.to_wire()
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.queries.append(f"{name} {dns.rdatatype.to_text(question.rdtype)}")
        found = await self._find(name)
        match self.faults.get(asked := found.a_label if found is not None else name) or await self._met(asked):
            case DnsFault.TIMEOUT:
                return None
            case DnsFault.SERVFAIL:
                reply.set_rcode(dns.rcode.SERVFAIL)
            case DnsFault.REFUSED:
                reply.set_rcode(dns.rcode.REFUSED)
            case DnsFault.EMPTY:
                pass
            case DnsFault.TRUNCATE if not tcp:
                reply.flags |= dns.flags.TC
            case _:
                self._fill(reply, question.name, question.rdtype, found)
        try:
            return reply.to_wire(max_size=0 if tcp else max(512, min(query.payload, MAX_UDP)))
        except dns.exception.TooBig:
            for section in (reply.answer, reply.authority, reply.additional):
                section.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()

    async def _find(self, name: str) -> Registration | None:
        lag = self.lags.get(self._world.zone_of(name) or "", self.lag)
        return self._world.find(name, await self._clock.now() - lag if lag else None)

    async def _met(self, a_label: str) -> DnsFault | None:
        if self._weather is None or not self._weather.bad("dns"):
            return None
        met = self._weather.fault("dns", a_label, await self._clock.now())
        return DnsFault(met) if met else None

    def _fill(
        self,
        reply: dns.message.Message,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
        found: Registration | None,
    ) -> None:
        plain = name.to_text(omit_final_dot=True).lower()
        if kind == dns.rdatatype.TXT and plain in self.texts:
            reply.flags |= dns.flags.AA
            told = [f'"{text}"' for text in self.texts[plain]]
            reply.answer.append(records(name, TTL, "TXT", *told))
            return
        zone = self._world.zone_of(plain)
        if zone is None:
            reply.set_rcode(dns.rcode.REFUSED)
            return
        apex = dns.name.from_text(zone)
        owner = dns.name.from_text(found.a_label) if found is not None else None
        if found is not None and owner is not None and found.delegated:
            if kind == dns.rdatatype.DS and name == owner:
                self._deny(reply, apex)  # The parent is authoritative for DS (RFC 4035 §3.1.4.1); the name is unsigned.
                return
            hosts = [f"{host}." for host in found.nameservers]
            reply.authority.append(records(owner, TTL, "NS", *hosts))
            inside = [host for host in found.nameservers if host.endswith(f".{found.a_label}")]
            reply.additional += [records(f"{h}.", TTL, "A", GLUE_ADDRESS) for h in inside]
            return
        reply.flags |= dns.flags.AA
        if name == apex:
            server = f"ns.{zone}."
            if kind == dns.rdatatype.NS:
                reply.answer.append(records(apex, TTL, "NS", server))
            elif kind == dns.rdatatype.SOA:
                reply.answer.append(soa(apex))
            else:
                self._deny(reply, apex)
            return
        if found is not None and owner is not None and found.residual_glue:
            glue = dns.name.from_text(f"ns1.{found.a_label}")
            if name == glue and kind == dns.rdatatype.A:
                reply.answer.append(records(glue, TTL, "A", GLUE_ADDRESS))
                return
            if name in (owner, glue):
                self._deny(reply, apex)
                return
        reply.set_rcode(dns.rcode.NXDOMAIN)
        self._deny(reply, apex)

    def _deny(self, reply: dns.message.Message, apex: dns.name.Name) -> None:
        reply.flags |= dns.flags.AA
        reply.authority.append(soa(apex))

    async def _answer_datagram(self, wire: bytes, client: tuple[str, int]) -> None:
        reply = await self.answer(wire, tcp=False)
        if reply is not None and self._udp is not None and not self._udp.is_closing():
            self._udp.sendto(reply, client)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._conversations.add(writer)
        try:
            while True:
                async with asyncio.timeout(IDLE):
                    length = int.from_bytes(await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                reply = await self.answer(wire, tcp=True)
                if reply is not None:
                    writer.write(len(reply).to_bytes(2) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass  # The client left or fell silent: both end a conversation (RFC 7766 §6.2.3).
        finally:
            self._conversations.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def datagram_received(self, wire: bytes, client: tuple[str, int]) -> None:
        self._server.begin(wire, client)


# Few questions are asked again and again, and to read one, or the text of a record, takes longer than to answer.
@lru_cache(2_000)
def _read(question: bytes) -> dns.message.Message | None:
    """A query without its id; None for what is none."""
    try:
        return dns.message.from_wire(b"\0\0" + question)
    except (dns.exception.DNSException, struct.error):
        return None


@lru_cache(2_000)
def records(name: dns.name.Name | str, ttl: int, kind: str, *texts: str) -> dns.rrset.RRset:
    """What a name has of a kind, as zone files write it; the same object each time, so nobody may change it."""
    return dns.rrset.from_text(name, ttl, "IN", kind, *texts)


def soa(apex: dns.name.Name) -> dns.rrset.RRset:
    """A zone's SOA record."""
    zone = apex.to_text(omit_final_dot=True)
    return records(apex, NEGATIVE_TTL, "SOA", f"ns.{zone}. hostmaster.{zone}. 1 1800 900 604800 {NEGATIVE_TTL}")


def _one_port(port: int) -> tuple[socket.socket, socket.socket]:
    """Two bound sockets with the same number; a free number for UDP may be taken for TCP, so it is tried
    again."""
    for last in (False,) * 20 + (True,):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind(("127.0.0.1", port))
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            if last or port:
                raise
        else:
            udp.setblocking(False)
            tcp.setblocking(False)
            return udp, tcp
    raise AssertionError("the last try either returns or raises")
