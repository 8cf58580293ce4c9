"""Every main page over a house with a long history: python -m tests.bench.pages [CASES]

A small demonstration is played whole; then its rows are copied over and over under new ids and names, a fifth of the
cases with all that belongs to them. So every row is one that the program wrote. What still waits for somebody is copied
a hundred times and no more: a long history is of what is over.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import asyncpg

from notifier import demo, logs
from notifier.rehearsal import Rehearsal, rehearsal
from notifier.services import rolling
from notifier.store import rollups
from notifier.store.embedded import EmbeddedPostgres

REPORTS, CASES, TIMES, GOAL_MS = 40, 1_000_000, 7, 100.0

# What belongs to a case, in the order in which it refers to each other; of `cases` every copy is made.
TABLES = (
    "report",
    "evidence",
    "assessment",
    "approval",
    "notice",
    "attempt",
    "response",
    "claim",
    "task",
    "alarm",
    "decision",
)
HISTORY = ("audit_entry", "transition")
# Names, and what must be unique; everything else of a copy is the original's.
_NAMES = {"target", "registrable", "host", "display", "domain"}
_OVER = "('resolved', 'closed', 'withdrawn', 'rejected', 'superseded')"
_OPEN_COPIES = 100
_UNIQUE = {"reference", "send_key", "reply_token", "external_id", "idempotency_key"}

PAGES = (
    ("Rita Reviewer", "/desk/queue"),
    ("Rita Reviewer", "/desk/queue?assignee=me"),
    ("Rita Reviewer", "/desk/cases"),
    ("Rita Reviewer", "/desk/cases?state=resolved&registry=verisign"),
    ("Rita Reviewer", "/desk/cases?q={name}"),
    ("Rita Reviewer", "/desk/cases/{case}"),
    ("Rita Reviewer", "/desk/cases/{waiting}/review"),
    ("Rita Reviewer", "/desk/work"),
    ("Rita Reviewer", "/desk/alarms"),
    ("Rita Reviewer", "/desk/watch"),
    ("Rita Reviewer", "/desk/appeals"),
    ("Vera Verisign", "/portal"),
    ("Vera Verisign", "/portal/history"),
    ("Vera Verisign", "/portal/notices/{notice}"),
    ("Eva Evaluator", "/figures"),
    ("Otto Auditor", "/audit"),
    ("Otto Auditor", "/audit?tag=case.approved"),
    ("Ada Admin", "/admin"),
    ("Ada Admin", "/admin/people"),
    ("Sam Submitter", "/desk/submit?program=opioids"),
)


async def multiply(dsn: str, cases: int) -> tuple[int, int]:
    """Copies until there are so many cases; how many cases and log entries there are then. Triggers and foreign keys rest."""
    con = await asyncpg.connect(dsn)
    try:
        await con.execute(
            "set session_replication_role = replica; set synchronous_commit = off; set work_mem = '256MB'"
        )
        over = await con.fetchval(f"select count(*) from cases where state in {_OVER}")
        copies = -(-cases // over)
        every = f"generate_series(1, {copies}) k"
        some = f"generate_series(5, {copies}, 5) k"
        await _copy(con, "cases", every)
        for table in TABLES:
            await _copy(con, table, some)
        step = await con.fetchval("select max(id) from audit_entry") + 1
        for table in HISTORY:
            await _copy(con, table, some, step)
        await con.execute("set session_replication_role = origin")
        await con.execute(
            "update rollup_state set whole = false; insert into rollup_due (case_id, known_at) "
            "select case_id, recorded_at from transition where tag = 'case.opened' order by recorded_at"
        )
        await con.execute("vacuum analyze")
        return await con.fetchval("select count(*) from cases"), await con.fetchval("select count(*) from audit_entry")
    finally:
        await con.close()


async def _copy(con: asyncpg.Connection, table: str, series: str, step: int = 0) -> None:
    columns = await con.fetch(
        "select column_name as name, data_type as type from information_schema.columns "
        "where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER' order by ordinal_position",
        table,
    )
    made = []
    for name, kind in columns:
        if kind == "uuid":
            made.append(f"md5(t.{name}::text || k)::uuid")
        elif name in ("id", "entry_id") and kind == "bigint":
            made.append(f"t.{name} + k * {step}")
        elif kind == "timestamp with time zone":  # no two copies at the same instant
            made.append(f"t.{name} - k * interval '1 second'")
        elif (table, name) == ("transition", "word"):  # of an opening it is the name
            made.append("case when t.tag = 'case.opened' then 'c' || k || '-' || t.word else t.word end")
        elif name in _NAMES:
            made.append(f"regexp_replace(t.{name}, '^', 'c' || k || '-')")
        elif name in _UNIQUE:
            made.append(f"t.{name} || '-' || k")
        else:
            made.append(f"t.{name}")
    names = ", ".join(f'"{name}"' for name, _ in columns)
    case = "id" if table == "cases" else "case_id"
    which = f"t.{case} in (select id from cases where state in {_OVER} or k <= {_OPEN_COPIES})"
    if not any(name == case for name, _ in columns):
        which = "true"
    await con.execute(
        f"insert into {table} ({names}) overriding system value select {', '.join(made)} "
        f"from {table} t cross join {series} where {which}"
    )


async def _figures(stage: Rehearsal) -> rollups.State:
    async with stage.house.ctx.db.pool.acquire() as con:
        return await rollups.state(con)


async def _reader(stage: Rehearsal, who: str, password: str) -> aiohttp.ClientSession:
    reader = aiohttp.ClientSession(base_url=stage.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
    said = {"name": who, "password": password, "code": "", "back": "/account"}
    async with reader.post("/sign-in", data=said, headers={"Origin": stage.url}) as got:
        assert got.status == 200, got.status
    return reader


async def measure(cases: int) -> int:
    """Print each page's median; how many were slower than the goal."""
    logs.configure("error")
    slow = 0
    with tempfile.TemporaryDirectory(prefix="notifier-pages-") as state:
        async with (
            EmbeddedPostgres(Path(state)) as server,
            rehearsal(Path(state), server.dsn, demo.plan_of()) as stage,
        ):
            reports = demo.reports_of(None, None)
            await demo.play(stage, reports[:REPORTS], lambda *_: None)
            await demo.leave_work(stage, reports)
            password = await demo.give_seats(stage)
            began = time.perf_counter()
            there, entries = await multiply(server.dsn, cases)
            print(f"{there:,} cases and {entries:,} log entries after {time.perf_counter() - began:.0f} s", flush=True)
            began = time.perf_counter()
            while await rolling.roll(stage.house.ctx, 20_000) or not (await _figures(stage)).whole:
                pass  # the daemon works at it too
            print(f"figures added up after {time.perf_counter() - began:.0f} s more", flush=True)
            db = stage.house.ctx.db
            ids = {
                "case": await db.fetchval("select case_id from claim order by claimed_at limit 1"),
                "waiting": await db.fetchval(
                    "select id from cases where state = 'in_review' order by opened_at limit 1"
                ),
                "notice": await db.fetchval(
                    "select id from notice where registry = 'verisign' and state = 'sent' limit 1"
                ),
                "name": await db.fetchval("select domain from notice where sent_at is not null order by id limit 1"),
            }
            readers = {who: await _reader(stage, who, password) for who in dict.fromkeys(who for who, _ in PAGES)}
            for who, path in PAGES:
                times, size = [], 0
                for _ in range(TIMES):
                    at = time.perf_counter()
                    async with readers[who].get(path.format(**ids), headers={"Accept": "text/html"}) as got:
                        body = await got.read()
                    times.append((time.perf_counter() - at) * 1000)
                    size = len(body)
                    if got.status != 200 or times[-1] > 20_000:
                        break
                median = statistics.median(times)
                slow += median > GOAL_MS
                note = "" if got.status == 200 else f"  answered {got.status}"
                mark = "  SLOW" if median > GOAL_MS else ""
                print(f"{median:9.1f} ms {size / 1000:7.0f} kB  {path}{mark}{note}", flush=True)
            for reader in readers.values():
                await reader.close()
    return slow


if __name__ == "__main__":
    raise SystemExit(min(1, asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else CASES))))
