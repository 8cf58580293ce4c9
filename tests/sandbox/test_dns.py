"""The parent's name server, asked with dnspython by UDP and TCP."""

import asyncio
from datetime import timedelta
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.world import Act


async def ask(sandbox: Any, name: str, kind: str = "NS", *, tcp: bool = False, **how: Any) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **how)
    query.flags &= ~dns.flags.RD
    send = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await send(query, "127.0.0.1", timeout=2, port=sandbox.dns_port)


def kinds(section: list[Any]) -> list[tuple[str, str]]:
    return [(rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype)) for rrset in section]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("name", ["rx-pills.com", "www.rx-pills.com", "RX-Pills.com"])
async def test_a_delegated_name_gets_a_referral(start: Any, tcp: bool, name: str) -> None:
    sandbox = await start()
    reply = await ask(sandbox, name, tcp=tcp)
    assert reply.rcode() == dns.rcode.NOERROR
    assert not reply.flags & (dns.flags.AA | dns.flags.RA | dns.flags.RD)
    assert kinds(reply.answer) == []
    assert [(n.lower(), k) for n, k in kinds(reply.authority)] == [("rx-pills.com.", "NS")]
    hosts = sorted(item.to_text() for item in reply.authority[0])
    assert hosts == sorted(f"{host}." for host in sandbox.world.find("rx-pills.com").nameservers)


@pytest.mark.parametrize("act", [Act.HOLD, Act.CLIENT_HOLD, Act.DELETE, Act.UNDELEGATE, Act.PURGE])
@pytest.mark.parametrize("tcp", [False, True])
async def test_what_is_not_published_is_nxdomain_with_the_zones_soa(
    start: Any, clock: Any, act: Act, tcp: bool
) -> None:
    sandbox = await start()
    sandbox.world.do(act, "books.co.uk", clock.at, "registry")
    for name in ("books.co.uk", "www.books.co.uk"):
        reply = await ask(sandbox, name, tcp=tcp)
        assert reply.rcode() == dns.rcode.NXDOMAIN
        assert reply.flags & dns.flags.AA
        assert kinds(reply.authority) == [("co.uk.", "SOA")]
        assert reply.authority[0][0].minimum == reply.authority[0].ttl == 900


async def test_a_locked_name_and_a_restored_one_are_delegated(start: Any, clock: Any) -> None:
    sandbox = await start()
    sandbox.world.do(Act.LOCK, "rx-pills.com", clock.at, "registry")
    sandbox.world.do(Act.HOLD, "films.org", clock.at, "registry")
    sandbox.world.do(Act.RESTORE, "films.org", clock.at, "registry")
    for name in ("rx-pills.com", "films.org"):
        assert kinds((await ask(sandbox, name)).authority) == [(f"{name}.", "NS")]


async def test_glue_left_behind_is_nodata_for_the_name_and_an_address_for_the_host(start: Any, clock: Any) -> None:
    sandbox = await start(residual_glue=("films.org",))
    assert kinds((await ask(sandbox, "films.org")).additional) == [("ns1.films.org.", "A"), ("ns2.films.org.", "A")]
    sandbox.world.do(Act.HOLD, "films.org", clock.at, "registry")
    reply = await ask(sandbox, "films.org")
    assert (reply.rcode(), kinds(reply.answer)) == (dns.rcode.NOERROR, [])
    assert reply.flags & dns.flags.AA
    assert kinds(reply.authority) == [("org.", "SOA")]
    assert kinds((await ask(sandbox, "ns1.films.org", "A")).answer) == [("ns1.films.org.", "A")]
    assert (await ask(sandbox, "www.films.org")).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "authoritative", "answer", "authority"),
    [
        ("com", "SOA", "NOERROR", True, [("com.", "SOA")], []),
        ("com", "NS", "NOERROR", True, [("com.", "NS")], []),
        ("com", "A", "NOERROR", True, [], [("com.", "SOA")]),
        ("nobody.com", "NS", "NXDOMAIN", True, [], [("com.", "SOA")]),
        ("rx-pills.com", "DS", "NOERROR", True, [], [("com.", "SOA")]),
        ("rx-pills.com", "A", "NOERROR", False, [], [("rx-pills.com.", "NS")]),
        ("other.dev", "NS", "REFUSED", False, [], []),
        (".", "NS", "REFUSED", False, [], []),
    ],
)
async def test_other_questions(
    start: Any,
    name: str,
    kind: str,
    rcode: str,
    authoritative: bool,
    answer: list[tuple[str, str]],
    authority: list[tuple[str, str]],
) -> None:
    reply = await ask(await start(), name, kind)
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert bool(reply.flags & dns.flags.AA) is authoritative
    assert (kinds(reply.answer), kinds(reply.authority)) == (answer, authority)


async def test_faults(start: Any) -> None:
    sandbox = await start()
    faults = sandbox.dns.faults
    for fault, rcode in {DnsFault.SERVFAIL: dns.rcode.SERVFAIL, DnsFault.REFUSED: dns.rcode.REFUSED}.items():
        faults["rx-pills.com"] = fault
        assert (await ask(sandbox, "www.rx-pills.com")).rcode() == rcode
    faults["rx-pills.com"] = DnsFault.EMPTY
    empty = await ask(sandbox, "rx-pills.com")
    assert (empty.rcode(), empty.authority, bool(empty.flags & dns.flags.AA)) == (0, [], False)
    faults["rx-pills.com"] = DnsFault.TIMEOUT
    query = dns.message.make_query("rx-pills.com", "NS")
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.udp(query, "127.0.0.1", timeout=0.2, port=sandbox.dns_port)
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.tcp(query, "127.0.0.1", timeout=0.2, port=sandbox.dns_port)
    assert (await ask(sandbox, "films.org")).rcode() == dns.rcode.NOERROR


async def test_a_truncated_answer_is_whole_by_tcp(start: Any) -> None:
    sandbox = await start()
    sandbox.dns.faults["rx-pills.com"] = DnsFault.TRUNCATE
    assert (await ask(sandbox, "rx-pills.com")).flags & dns.flags.TC
    query = dns.message.make_query("rx-pills.com", "NS")
    reply, by_tcp = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", timeout=2, port=sandbox.dns_port)
    assert by_tcp
    assert kinds(reply.authority) == [("rx-pills.com.", "NS")]


async def test_edns_is_answered_with_edns_and_without_is_not(start: Any) -> None:
    sandbox = await start()
    assert (await ask(sandbox, "rx-pills.com", use_edns=0, payload=1232)).edns == 0
    assert (await ask(sandbox, "rx-pills.com", use_edns=False)).edns == -1


async def test_a_lagging_server_shows_the_older_version(start: Any, clock: Any) -> None:
    sandbox = await start()
    sandbox.dns.lag = timedelta(minutes=5)
    sandbox.world.do(Act.HOLD, "rx-pills.com", clock.at, "registry")
    clock.forward(minutes=4)
    assert (await ask(sandbox, "rx-pills.com")).rcode() == dns.rcode.NOERROR
    clock.forward(minutes=1)
    assert (await ask(sandbox, "rx-pills.com")).rcode() == dns.rcode.NXDOMAIN


async def test_garbage_and_other_opcodes_do_no_harm(start: Any) -> None:
    sandbox = await start()
    for wire in (b"", b"\x00", b"\xff" * 40, b"\x00" * 12):
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", sandbox.dns_port)
        )
        transport.sendto(wire)
        transport.close()
    update = dns.message.make_query("rx-pills.com", "SOA")
    update.set_opcode(dns.opcode.NOTIFY)
    reply = await dns.asyncquery.udp(update, "127.0.0.1", timeout=2, port=sandbox.dns_port)
    assert reply.rcode() == dns.rcode.NOTIMP
    assert (await ask(sandbox, "rx-pills.com")).rcode() == dns.rcode.NOERROR


async def test_many_questions_on_one_connection(start: Any) -> None:
    sandbox = await start()
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.dns_port)
    for name in ("rx-pills.com", "films.org"):
        wire = dns.message.make_query(name, "NS").to_wire()
        writer.write(len(wire).to_bytes(2) + wire)
        length = int.from_bytes(await reader.readexactly(2))
        reply = dns.message.from_wire(await reader.readexactly(length))
        assert kinds(reply.authority) == [(f"{name}.", "NS")]
    async with asyncio.timeout(5):
        await sandbox.stop()
        assert await reader.read() == b""
    writer.close()
