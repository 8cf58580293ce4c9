"""The RDAP documents against RFC 9083 and RFC 8056, and the faults."""

import asyncio
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from notifier.sandbox.rdap_server import RdapFault, spelled
from notifier.sandbox.world import Act


async def ask(http: aiohttp.ClientSession, sandbox: Any, name: str, base: str = "rdap") -> tuple[int, Any, Any]:
    url = f"http://127.0.0.1:{sandbox.http_port}/{base}/domain/{name}"
    async with http.get(url) as reply:
        return reply.status, reply.headers, await reply.json(content_type="application/rdap+json")


@pytest.mark.parametrize(
    ("epp", "rdap"),
    # The whole table of RFC 8056 §2 for domains.
    [
        ("addPeriod", "add period"),
        ("autoRenewPeriod", "auto renew period"),
        ("clientDeleteProhibited", "client delete prohibited"),
        ("clientHold", "client hold"),
        ("clientRenewProhibited", "client renew prohibited"),
        ("clientTransferProhibited", "client transfer prohibited"),
        ("clientUpdateProhibited", "client update prohibited"),
        ("inactive", "inactive"),
        ("linked", "associated"),
        ("ok", "active"),
        ("pendingCreate", "pending create"),
        ("pendingDelete", "pending delete"),
        ("pendingRenew", "pending renew"),
        ("pendingRestore", "pending restore"),
        ("pendingTransfer", "pending transfer"),
        ("pendingUpdate", "pending update"),
        ("redemptionPeriod", "redemption period"),
        ("renewPeriod", "renew period"),
        ("serverDeleteProhibited", "server delete prohibited"),
        ("serverHold", "server hold"),
        ("serverRenewProhibited", "server renew prohibited"),
        ("serverTransferProhibited", "server transfer prohibited"),
        ("serverUpdateProhibited", "server update prohibited"),
        ("transferPeriod", "transfer period"),
    ],
)
def test_spelling(epp: str, rdap: str) -> None:
    assert spelled(epp) == rdap


async def test_a_domain_object(start: Any, http: aiohttp.ClientSession, clock: Any) -> None:
    sandbox = await start()
    found = sandbox.world.find("xn--fa-hia.de")
    code, _, shown = await ask(http, sandbox, "XN--FA-HIA.de")
    assert code == 200
    assert (shown["objectClassName"], shown["ldhName"]) == ("domain", "xn--fa-hia.de")
    assert (shown["unicodeName"], shown["handle"]) == ("faß.de", found.handle)
    events = {event["eventAction"]: event["eventDate"] for event in shown["events"]}
    assert events["registration"] == found.registered_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert events["expiration"] == found.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert events["last changed"] == events["registration"]
    assert events["last update of RDAP database"] == "2026-03-02T12:00:00Z"
    [registrar] = [entity for entity in shown["entities"] if "registrar" in entity["roles"]]
    assert registrar["publicIds"] == [{"type": "IANA Registrar ID", "identifier": found.registrar.iana_id}]
    [abuse] = [entity for entity in registrar["entities"] if "abuse" in entity["roles"]]
    assert ["email", {}, "text", found.registrar.abuse_email] in abuse["vcardArray"][1]
    assert [server["ldhName"] for server in shown["nameservers"]] == list(found.nameservers)


async def test_registry_and_registrar_tell_their_own(start: Any, http: aiohttp.ClientSession, clock: Any) -> None:
    sandbox = await start()
    sandbox.world.do(Act.HOLD, "rx-pills.com", clock.at, "registry")
    _, _, registry = await ask(http, sandbox, "rx-pills.com")
    assert {"server hold", "server transfer prohibited", "server update prohibited"} <= set(registry["status"])
    [related] = [link["href"] for link in registry["links"] if link["rel"] == "related"]
    async with http.get(related) as reply:
        registrar = await reply.json(content_type=None)
    assert registrar["ldhName"] == "rx-pills.com"
    assert not [status for status in registrar["status"] if status.startswith("server")]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("nobody.com", 404),
        ("www.rx-pills.com", 404),
        ("com", 400),
        ("a..com", 400),
        ("x.dev", 404),
        ("f%C3%A4.de", 400),
    ],
)
async def test_what_is_not_there(start: Any, http: aiohttp.ClientSession, name: str, code: int) -> None:
    got, headers, body = await ask(http, await start(), name)
    assert (got, body["errorCode"]) == (code, code)
    assert headers["Content-Type"].startswith("application/rdap+json")
    assert isinstance(body["description"], list)


async def test_purged_is_404(start: Any, http: aiohttp.ClientSession, clock: Any) -> None:
    sandbox = await start()
    sandbox.world.do(Act.PURGE, "rx-pills.com", clock.at, "registry")
    assert (await ask(http, sandbox, "rx-pills.com"))[0] == 404


async def test_a_lagging_server_shows_the_older_version(start: Any, http: aiohttp.ClientSession, clock: Any) -> None:
    sandbox = await start(rdap_lag=timedelta(minutes=10))
    sandbox.world.do(Act.HOLD, "rx-pills.com", clock.at, "registry")
    clock.forward(minutes=9)
    assert "server hold" not in (await ask(http, sandbox, "rx-pills.com"))[2]["status"]
    clock.forward(minutes=1)
    assert "server hold" in (await ask(http, sandbox, "rx-pills.com"))[2]["status"]


async def test_faults(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start()
    faults, url = sandbox.rdap.faults, f"http://127.0.0.1:{sandbox.http_port}/rdap/domain/rx-pills.com"
    faults["rx-pills.com"] = RdapFault.RATE_LIMITED
    async with http.get(url) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (429, "3")
    for fault, code in {RdapFault.FORBIDDEN: 403, RdapFault.BROKEN: 500}.items():
        faults["rx-pills.com"] = fault
        async with http.get(url) as reply:
            assert reply.status == code
    faults["rx-pills.com"] = RdapFault.HTML
    async with http.get(url) as reply:
        assert (reply.status, reply.content_type) == (200, "text/html")
    faults["rx-pills.com"] = RdapFault.CUT_SHORT
    async with http.get(url) as reply:
        with pytest.raises(ValueError):
            await reply.json(content_type=None)
    faults["rx-pills.com"] = RdapFault.TIMEOUT
    with pytest.raises(asyncio.TimeoutError):
        await http.get(url, timeout=aiohttp.ClientTimeout(total=0.2))
    assert (await ask(http, sandbox, "films.org"))[0] == 200
    assert (await ask(http, sandbox, "rx-pills.com", "registrar"))[0] == 200


async def test_stopping_does_not_wait_for_a_request_that_never_ends(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start()
    sandbox.rdap.faults["rx-pills.com"] = RdapFault.TIMEOUT
    asking = asyncio.create_task(ask(http, sandbox, "rx-pills.com"))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await sandbox.stop()
        await asyncio.gather(asking, return_exceptions=True)
