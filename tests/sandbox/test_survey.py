"""What a surveyor is told: the same for the same name, small by default, big where a profile says so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import dns.flags
import dns.message
import dns.rcode

from notifier.net.safe_http import Egress
from notifier.net.survey import Sources, Survey
from notifier.sandbox.app import Sandbox
from notifier.sandbox.survey import Profile

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def surveyor(sandbox: Sandbox) -> Survey:
    base, resolver = sandbox.where()["survey"], sandbox.where()["resolver"]
    urls = [f"{base}{kind}/{{name}}" for kind in ("certificates", "dependents", "popularity")]
    return Survey(Egress.LOOPBACK, Sources(urls[0], urls[1], None, urls[2], None, resolver))


async def told(sandbox: Sandbox, name: str) -> tuple[Any, ...]:
    found = await surveyor(sandbox).around(name, AT, timedelta(days=1))
    assert not found.failed
    return (
        found.host_names.value,
        found.wildcard.value,
        found.dependents.value,
        found.mail_active.value,
        found.rank.value,
    )


async def test_an_ordinary_name_is_small_and_the_same_each_time(start: Any) -> None:
    sandbox = await start(register_all=True)
    first = await told(sandbox, "pills.com")
    assert first == await told(sandbox, "pills.com") == await told(await start(register_all=True), "pills.com")
    counts = [(await told(sandbox, f"pills-{n}.com"))[0] for n in range(30)]
    assert min(counts) == 0
    assert 3 <= max(counts) <= 5
    assert first[1:] == (False, 0, False, 0)
    assert sandbox.survey.asked["pills.com"] == 6


async def test_a_profile_makes_a_name_big(start: Any) -> None:
    sandbox = await start(
        register_all=True, profiles={"big.com": Profile(hosts=2500, dependents=7, mail=True, wildcard=True, rank=3)}
    )
    assert await told(sandbox, "big.com") == (2500, True, 7, True, 3)
    sandbox.survey.profiles["big.com"] = Profile(fault=429)
    found = await surveyor(sandbox).around("big.com", AT, timedelta(days=1))
    assert (found.host_names.detail, found.failed) == ("answers 429", True)
    sandbox.survey.profiles["big.com"] = Profile(fault=0)
    found = await surveyor(sandbox).around("big.com", AT, timedelta(days=1))
    assert found.host_names.detail == "the answer is no JSON"


async def test_a_driver_elsewhere_makes_a_name_big(start: Any, http: aiohttp.ClientSession) -> None:
    sandbox = await start(register_all=True)
    url = f"{sandbox.where()['control']}profile"
    async with http.post(url, json={"domain": "Big.com", "hosts": 90, "mail": True}) as answer:
        assert answer.status == 200
    assert (await told(sandbox, "big.com"))[0] == 90
    for wrong in ({"hosts": 1}, {"domain": "a.com", "hosts": "many"}, {"domain": "a.com", "colour": 1}):
        async with http.post(url, json=wrong) as answer:
            assert answer.status == 422


async def test_a_date_of_registration_can_be_given(start: Any) -> None:
    old = datetime(2010, 1, 1, tzinfo=UTC)
    sandbox = await start(register_all=True, profiles={"old.com": Profile(registered_at=old)})
    found = sandbox.world.find("old.com")
    assert found is not None
    assert found.registered_at == old
    assert found.expires_at > AT


async def test_a_name_that_is_gone_has_no_hosts_and_no_mail(start: Any) -> None:
    sandbox = await start(profiles={"gone.com": Profile(mail=True, wildcard=True)}, names=("here.com",))
    assert (await told(sandbox, "gone.com"))[3] is False
    assert (await told(sandbox, "here.com"))[1] is False


async def test_the_resolver_answers_for_hosts_that_have_certificates(start: Any) -> None:
    sandbox = await start(register_all=True, profiles={"big.com": Profile(hosts=3)})
    for host, rcode in (("user-2.big.com", dns.rcode.NOERROR), ("user-3.big.com", dns.rcode.NXDOMAIN)):
        query = dns.message.make_query(host, "A")
        wire = await sandbox.resolver.answer(query.to_wire(), tcp=True)
        assert wire is not None
        reply = dns.message.from_wire(wire)
        assert reply.rcode() == rcode
        assert reply.flags & dns.flags.RA
