"""Intake: reports by HTTP one by one, and by CSV, beside a bare transaction that inserts the same rows."""

import asyncio
import json
import time
from collections.abc import Sequence

import asyncpg

from tests.bench import bare
from tests.bench.bare import CLIENTS, Load
from tests.bench.measure import Costs, Line, Rounds, alternate
from tests.bench.sample import PROGRAM, Sample
from tests.bench.stage import Daemon

_BY_HTTP, _BY_CSV = 300, 2_000
_GROUP = 200
_SUMMARY = "Sells oxycodone to consumers without asking for a prescription; seen on three days from two places."
_BESIDE = "transactions of the same rows, 8 connections"
_SAMPLE = Sample()


async def by_http(daemon: Daemon, bare_dsn: str, postgres: int) -> Line:
    """Eight clients, each with one report under way, each for a name of its own."""
    costs = Costs({"daemon": daemon.pid, "Postgres": postgres})
    await submit(daemon, names("warm", 0, CLIENTS))
    load = await _load(daemon, _SAMPLE.about("NAME"))

    async def ours(number: int) -> float:
        with costs.of(_BY_HTTP):
            return await submit(daemon, names("http", number, _BY_HTTP))

    async def limit(number: int) -> float:
        return await bare.reports(bare_dsn, names("http", number, _BY_HTTP), load)

    measured = await alternate(ours, limit)
    await _check_same_rows("http-", daemon.dsn, bare_dsn)
    return measured.line(f"reports by HTTP, stored, {CLIENTS} clients", _BESIDE, str(costs))


async def by_csv(daemon: Daemon, bare_dsn: str, postgres: int) -> list[Line]:
    """A spreadsheet of 2,000 rows in one request, beside single and grouped transactions."""
    costs = Costs({"daemon": daemon.pid, "Postgres": postgres})
    await _send_csv(daemon, names("warm-csv", 0, CLIENTS))
    load = await _load(daemon, json.dumps({"program": PROGRAM, "summary": _SUMMARY, "domain": "NAME"}).encode())
    grouped: list[float] = []

    async def ours(number: int) -> float:
        with costs.of(_BY_CSV):
            return await _send_csv(daemon, names("csv", number, _BY_CSV))

    async def limit(number: int) -> float:
        grouped.append(await bare.reports(bare_dsn, names("group", number, _BY_CSV), load, _GROUP))
        return await bare.reports(bare_dsn, names("csv", number, _BY_CSV), load)

    measured = await alternate(ours, limit)
    await _check_same_rows("csv-", daemon.dsn, bare_dsn)
    what, why = f"reports by CSV, {_BY_CSV:,} rows a file", str(costs)
    return [
        measured.line(what, _BESIDE, why),
        Rounds(measured.ours, grouped).line(what, f"the same, {_GROUP} reports in one transaction", why),
    ]


async def submit(daemon: Daemon, domains: Sequence[str]) -> float:
    """Reports a second, taken and answered with 201. Raises RuntimeError when one does not reach review."""
    waiting = iter([_SAMPLE.about(domain) for domain in domains])

    async def client() -> None:
        for body in waiting:
            answer = await daemon.post("/reports", "sam", body, "application/json")
            if answer["state"] != "in_review":
                raise RuntimeError(f"a sample report is {answer['state']}: {answer['findings']}")

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return len(domains) / (time.perf_counter() - began)


async def _send_csv(daemon: Daemon, domains: Sequence[str]) -> float:
    lines = ["domain,program,summary", *(f'{domain},{PROGRAM},"{_SUMMARY}"' for domain in domains)]
    began = time.perf_counter()
    answer = await daemon.post("/reports/batch", "sam", "\r\n".join(lines).encode(), "text/csv")
    seconds = time.perf_counter() - began
    refused = [row for row in answer["results"] if row["code"]]
    if refused or len(answer["results"]) != len(domains):
        raise RuntimeError(f"of {len(domains)} rows {len(answer['results'])} came back, refused: {refused[:1]}")
    return len(domains) / seconds


def names(kind: str, number: int, count: int) -> list[str]:
    """Names that nothing else of this run uses."""
    return [f"{kind}-{number}-{n}.com" for n in range(count)]


async def _load(daemon: Daemon, raw: bytes) -> Load:
    """What the bare side must store to store as much: audit entries as the daemon's newest case has them."""
    con = await asyncpg.connect(daemon.dsn)
    try:
        rows = await con.fetch(
            "select body from audit_entry where case_id = (select id from cases order by opened_at desc, id limit 1)"
        )
        return Load(raw, len(rows), rows[0]["body"])
    finally:
        await con.close()


async def _check_same_rows(prefix: str, *dsns: str) -> None:
    """A ratio means nothing when one side stored less. Raises RuntimeError."""
    found = []
    for dsn in dsns:
        con = await asyncpg.connect(dsn)
        counts = [
            await con.fetchval(
                f"select count(*) from {table} t join cases c on c.id = t.case_id where starts_with(c.target, $1)",
                prefix,
            )
            for table in ("report", "evidence", "audit_entry")
        ]
        found.append(counts)
        await con.close()
    if found[0] != found[1]:
        raise RuntimeError(f"reports, evidence and audit entries differ: ours {found[0]}, bare {found[1]}")
