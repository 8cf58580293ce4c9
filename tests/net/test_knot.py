"""The zone probe against a real authoritative server: a hold is the name's delegation leaving the parent zone."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import dns.asyncquery
import dns.message
import dns.rcode
import dns.update
import pytest

from notifier.net.dns_probe import DnsProbe
from notifier.net.safe_http import Egress
from notifier.rehearsal import free_port

ZONE = """$ORIGIN test-tld.
$TTL 60
@ SOA ns.test-tld. hostmaster.test-tld. 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
pills NS ns1.pills
pills NS ns2.elsewhere.example.
ns1.pills A 192.0.2.1
lone.glue A 192.0.2.2
"""
CONFIG = """
server:
  rundir: "{folder}/run"
  listen: 127.0.0.1@{port}
database:
  storage: "{folder}/db"
acl:
  - id: here
    address: 127.0.0.1
    action: update
zone:
  - domain: test-tld
    file: "{folder}/test-tld.zone"
    acl: here
"""


@pytest.fixture
async def knot(require_tool: Callable[..., Path], tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    program = require_tool("knotd", package="knot")
    port = free_port()
    for folder in ("run", "db"):
        (tmp_path / folder).mkdir()
    (tmp_path / "test-tld.zone").write_text(ZONE)
    (tmp_path / "knot.conf").write_text(CONFIG.format(folder=tmp_path, port=port))
    with (tmp_path / "knot.log").open("wb") as log:
        server = subprocess.Popen([program, "-c", tmp_path / "knot.conf"], stdout=log, stderr=log)
    try:
        async with asyncio.timeout(10):
            while not await _answers(port):
                await asyncio.sleep(0.05)
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


async def _answers(port: int) -> bool:
    try:
        question = dns.message.make_query("test-tld.", "SOA")
        answer = await dns.asyncquery.udp(question, "127.0.0.1", port=port, timeout=0.5)
    except (OSError, dns.exception.DNSException):
        return False
    return answer.rcode() == dns.rcode.NOERROR


def probe(server: tuple[str, int]) -> DnsProbe:
    async def servers(zone: str) -> list[tuple[str, int]]:
        return [server] if zone == "test-tld" else []

    return DnsProbe(servers, Egress.LOOPBACK)


async def test_a_hold_seen_from_delegation_to_denial_and_back(knot: tuple[str, int]) -> None:
    asked = probe(knot)
    before = await asked.delegation("pills.test-tld")
    assert (before.answer, before.nameservers) == ("delegated", ("ns1.pills.test-tld", "ns2.elsewhere.example"))

    hold = dns.update.UpdateMessage("test-tld")
    hold.delete("pills", "NS")
    await _update(hold, knot)
    # The registry forgot the host object below the name: no delegation, and yet not denied (F17).
    assert (await asked.delegation("pills.test-tld")).answer == "residual"

    purge = dns.update.UpdateMessage("test-tld")
    purge.delete("ns1.pills")
    await _update(purge, knot)
    assert (await asked.delegation("pills.test-tld")).answer == "absent"

    restore = dns.update.UpdateMessage("test-tld")
    restore.add("pills", 60, "NS", "ns2.elsewhere.example.")
    await _update(restore, knot)
    assert (await asked.delegation("pills.test-tld")).answer == "delegated"


async def test_a_name_never_registered_is_absent(knot: tuple[str, int]) -> None:
    assert (await probe(knot).delegation("nobody.test-tld")).answer == "absent"


async def test_a_zone_the_server_does_not_have_tells_nothing(knot: tuple[str, int]) -> None:
    async def servers(zone: str) -> list[tuple[str, int]]:
        return [knot]

    found = await DnsProbe(servers, Egress.LOOPBACK).delegation("pills.other-tld")
    assert (found.answer, [p.result for p in found.probes]) == ("inconclusive", ["error:REFUSED"])


async def _update(message: dns.update.UpdateMessage, server: tuple[str, int]) -> None:
    answer = await dns.asyncquery.tcp(message, server[0], port=server[1], timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR
