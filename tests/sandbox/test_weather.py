"""Bad weather: drawn by seed, name and moment, seen by whoever asks, and noted for whoever tells the story."""

from collections import Counter
from datetime import timedelta
from typing import Any

import aiohttp
import dns.asyncquery
import dns.message
import dns.rcode

from notifier.sandbox.dns_server import DnsFault
from notifier.sandbox.rdap_server import RdapFault
from notifier.sandbox.weather import Weather
from notifier.sandbox.world import Act
from tests.sandbox.conftest import ManualClock


def test_faults_come_as_often_as_they_are_likely_and_the_same_each_time() -> None:
    clock, met = ManualClock(), Counter[str | None]()
    here, again = Weather("s"), Weather("s")
    here.likelihood["rdap"] = again.likelihood["rdap"] = {RdapFault.RATE_LIMITED: 0.2, RdapFault.BROKEN: 0.1}
    for _ in range(4000):
        now = clock.forward(hours=1)
        met[fault := here.fault("rdap", "a.com", now)] += 1
        assert again.fault("rdap", "a.com", now) == fault
    # Four standard deviations of a binomial share at n = 4000.
    assert abs(met[RdapFault.RATE_LIMITED] / 4000 - 0.2) < 4 * (0.2 * 0.8 / 4000) ** 0.5
    assert abs(met[RdapFault.BROKEN] / 4000 - 0.1) < 4 * (0.1 * 0.9 / 4000) ** 0.5
    assert len(here.blind["a.com"]) == 4000 - met[None]
    assert here.fault("dns", "a.com", now) is None


async def test_both_servers_have_their_weather(start: Any, clock: Any) -> None:
    sandbox = await start()
    sandbox.weather.likelihood = {"rdap": {RdapFault.RATE_LIMITED: 1.0}, "dns": {DnsFault.SERVFAIL: 1.0}}
    async with aiohttp.ClientSession() as session, session.get(f"{sandbox.where()['rdap']}domain/films.org") as reply:
        assert reply.status == 429
    query = dns.message.make_query("films.org", "NS")
    told = await dns.asyncquery.udp(query, "127.0.0.1", timeout=2, port=sandbox.dns_port)
    assert told.rcode() == dns.rcode.SERVFAIL
    assert sandbox.weather.blind == {"films.org": {clock.at}}


async def test_one_zone_may_lag_behind_the_others(start: Any, clock: Any) -> None:
    sandbox = await start()
    sandbox.dns.lags["org"] = timedelta(hours=1)
    for name in ("films.org", "rx-pills.com"):
        sandbox.world.do(Act.HOLD, name, clock.at, "registry")

    async def answer(name: str) -> dns.rcode.Rcode:
        query = dns.message.make_query(name, "NS")
        return (await dns.asyncquery.udp(query, "127.0.0.1", timeout=2, port=sandbox.dns_port)).rcode()

    clock.forward(minutes=59)
    assert (await answer("films.org"), await answer("rx-pills.com")) == (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
    clock.forward(minutes=1)
    assert await answer("films.org") == dns.rcode.NXDOMAIN
