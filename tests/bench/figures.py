"""Figures over long histories: python -m tests.bench.figures [CASES], and in small as a part of `make bench`.

Histories of five years are drawn in the database (shares as published programs had them: most sent are acted on, one in ten
is declined or ignored, few come undone), added up as the daemon does it, and asked as pages ask. The same funnel is asked of
DuckDB over a Parquet copy, in the same run.
"""

import asyncio
import statistics as middle
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from notifier import bootstrap, logs
from notifier.daemon import spare_collector
from notifier.domain import public_figures
from notifier.domain.period import midnight
from notifier.domain.transparency import Transparency
from notifier.services import counted, rolling, statistics, stretching, summed_cases
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.statistics import Query, Statistics
from notifier.services.summed import public, summed
from notifier.settings import Settings
from notifier.store import rollups, stretches
from notifier.store.embedded import EmbeddedPostgres
from tests.bench.measure import Line, Rate, alternate

CASES, TIMES, BATCH = 5_000_000, 7, 20_000
THEN = datetime(2025, 7, 9, 14, 30, tzinfo=UTC)
REGISTRIES = ("verisign", "pir", "identity-digital", "radix", "nominet", "godaddy")
PROGRAMS = ("opioids", "pharmacy", "piracy")
_TABLES = (
    *("rollup_count", "rollup_time", "rollup_of", "stretch", "stretch_count", "stretch_time", "stretch_number"),
    "transition",
)
OLIVIA = Principal("Olivia Owner", "person", Role.EVALUATOR)

# One row a case: when it was opened, and from there on when each thing happened, null for never.
_CASES = """
create table drawn as
select k, md5('case' || k)::uuid as case_id, md5('notice' || k)::uuid as notice_id, md5('claim' || k)::uuid as claim_id,
  ($2::text[])[1 + (k % 3)] as program, ($3::text[])[1 + (random() ^ 2 * 6)::int % 6] as registry,
  timestamptz '2021-12-01Z' + random() * interval '1800 days' as opened,
  random() as fate, random() as a, random() as b, random() as c, random() as d
from generate_series(1, $1::bigint) k
"""
_AT = {
    "reviewed": "opened + a * interval '2 hours'",
    "approved": "opened + interval '2 hours' + b * interval '70 hours'",
    "sent": "opened + interval '2 hours 30 minutes' + b * interval '70 hours'",
    "answered": "opened + interval '3 hours' + b * interval '70 hours' + -ln(1 - c * 0.999) * interval '30 hours'",
    "verified": "opened + interval '4 hours' + b * interval '70 hours' + -ln(1 - c * 0.999) * interval '30 hours'"
    " + d * interval '2 hours'",
    "closed": "opened + interval '190 days' + -ln(1 - c * 0.999) * interval '30 hours'",
    "relapsed": "opened + interval '20 days' + d * interval '100 days' + -ln(1 - c * 0.999) * interval '30 hours'",
}
# Which part of the cases: 6 % are rejected, 3 % wait, 91 % are sent; of these a tenth is silent or declines.
_SENT, _ANSWERED, _VERIFIED, _RELAPSED = "fate > 0.09", "fate > 0.14", "fate > 0.20", "fate > 0.97"
_NOTICE = {"notice_id": "notice_id", "party": "'registry'", "recipient": "registry", "purpose": "'request'"}
_ASKED = {**_NOTICE, "measure": "'hold'"}
_ROWS: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    ("case.opened", "opened", "person", "true", {"word": "'n' || k || '.example'"}),
    ("case.evaluated", "reviewed", "daemon", "true", {"from_state": "'received'", "to_state": "'in_review'"}),
    ("target.observed", "reviewed", "daemon", "true", {"word": "'D' || k || '@2020-01-01T00:00:00+00:00'"}),
    ("case.rejected", "approved", "person", "fate <= 0.06", {"from_state": "'in_review'", "to_state": "'rejected'"}),
    ("case.approved", "approved", "person", _SENT, {"from_state": "'in_review'", "to_state": "'approved'"}),
    ("case.dispatched", "sent", "daemon", _SENT, {"from_state": "'approved'", "to_state": "'notified'"}),
    ("notice.sent", "sent", "daemon", _SENT, _ASKED),
    ("answer.received", "answered", "recipient", f"{_ANSWERED} and not {_VERIFIED}", {**_ASKED, "word": "'declined'"}),
    (
        "answer.received",
        "answered",
        "recipient",
        _VERIFIED,
        {**_ASKED, "word": "'action_claimed'", "claim_id": "claim_id"},
    ),
    (
        "outcome.observed",
        "verified",
        "daemon",
        _VERIFIED,
        {
            **_ASKED,
            "word": "'verified'",
            "claim_id": "claim_id",
            "from_state": "'notified'",
            "to_state": "'resolved'",
            "outcome": "'registry_hold'",
            "credited": "'registry'",
        },
    ),
    ("outcome.relapsed", "relapsed", "daemon", _RELAPSED, {**_ASKED, "word": "'relapsed'", "claim_id": "claim_id"}),
    ("case.closed", "closed", "daemon", _VERIFIED, {"from_state": "'resolved'", "to_state": "'closed'"}),
)
_MORE = {
    **dict.fromkeys(("from_state", "to_state"), "text"),
    **dict.fromkeys(("notice_id", "claim_id"), "uuid"),
    **dict.fromkeys(("party", "recipient", "purpose", "measure", "word", "outcome", "credited"), "text"),
}
# As far as a list of cases shows them.
_OPENED = """
insert into cases (id, reference, program, program_digest, organisation, target, scope, registrable, host, tld, display,
  suffix_version, safety, warnings, measure, state, rev, opened_at, state_since)
select case_id, 'D-' || k, program, 'drawn', 'drawn', 'n' || k || '.example', 'domain', 'n' || k || '.example',
  'n' || k || '.example', 'example', 'n' || k || '.example', 'drawn', 'clear', '{}', 'hold', 'closed', 1, opened, opened
from drawn
"""
_FUNNEL = """
select count(*) as opened, sum(approved::int), sum(sent::int), sum(claimed::int),
  sum(verified::int), median(case when verified then took end)
from (
  select case_id, bool_or(to_state = 'approved') as approved, bool_or(tag = 'notice.sent') as sent,
    bool_or(claim_id is not null and tag = 'answer.received') as claimed,
    bool_or(tag = 'outcome.observed' and word = 'verified') as verified,
    date_diff('second', min(case when tag = 'notice.sent' then "at" end), min(case when word = 'verified' then told_at end)) as took
  from read_parquet('{file}') where told_at <= timestamptz '{until}' group by case_id
)
"""


async def draw(dsn: str, cases: int) -> int:
    """Histories of so many cases, without triggers and entries; how many transitions there are then."""
    con = await asyncpg.connect(dsn)
    try:
        await con.execute(
            "set session_replication_role = replica; set synchronous_commit = off; set work_mem = '256MB'; "
            "set maintenance_work_mem = '1GB'"
        )
        await con.execute("select setseed(0.5)")
        await con.execute(
            _CASES.replace("$1", str(cases)).replace("$2", _array(PROGRAMS)).replace("$3", _array(REGISTRIES))
        )
        # Made when all is there: row by row they take ten times as long.
        indexes = await con.fetch(
            "select indexname, indexdef from pg_indexes where tablename = 'transition' and indexname <> 'transition_pkey'"
        )
        await con.execute("alter table transition drop constraint transition_pkey")
        for row in indexes:
            await con.execute(f"drop index {row['indexname']}")
        rows = [
            f"select k, {number} as step, case_id, {number + 1} as rev, '{tag}' as tag, {_AT.get(at, at)} as t, '{kind}' as kind, "
            f"program, registry, {', '.join(more.get(name, 'null') + '::' + of + ' as ' + name for name, of in _MORE.items())} "
            f"from drawn where {when}"
            for number, (tag, at, kind, when, more) in enumerate(_ROWS)
        ]
        # As the daemon writes them: in the order in which they were recorded.
        await con.execute(
            "insert into transition (entry_id, case_id, rev, tag, at, told_at, recorded_at, actor_kind, program, registry, "
            f"{', '.join(_MORE)}) select row_number() over (order by t, k, step), case_id, rev, tag, t, t, t, kind, program, "
            f"registry, {', '.join(_MORE)} from ({' union all '.join(rows)}) r where t < timestamptz '2026-11-29Z' "
            "order by t, k, step"
        )
        await con.execute("alter table transition add primary key (entry_id)")
        for row in indexes:
            await con.execute(row["indexdef"])
        await con.execute(
            "insert into rollup_due (case_id, known_at) "
            "select case_id, recorded_at from transition where tag = 'case.opened' order by recorded_at"
        )
        await con.execute(_OPENED)
        await con.execute("drop table drawn")
        await con.execute("vacuum analyze transition")
        return int(await con.fetchval("select count(*) from transition"))
    finally:
        await con.close()


def _array(words: tuple[str, ...]) -> str:
    return "array[" + ", ".join(f"'{word}'" for word in words) + "]"


async def timed(what: str, ask: Callable[[], Awaitable[Any]], times: int = TIMES) -> Any:
    """Print the median of some runs, in milliseconds."""
    took, said = [], None
    for _ in range(times):
        began = time.perf_counter()
        said = await ask()
        took.append((time.perf_counter() - began) * 1000)
    print(f"{middle.median(took):10.1f} ms  {what}", flush=True)
    return said


async def add_up(ctx: Context) -> None:
    began, done = time.perf_counter(), 0
    while n := await rolling.roll(ctx, BATCH):
        done += n
        if done % (BATCH * 25) == 0:
            print(f"           {done:,} cases added up, {done / (time.perf_counter() - began):,.0f}/s", flush=True)
    print(f"{time.perf_counter() - began:10.1f} s   to add up {done:,} cases", flush=True)
    began, done = time.perf_counter(), 0
    while n := await stretching.stretch(ctx):
        done += n
        if done % (stretching.AT_ONCE * 12) == 0:
            print(f"           {done} stretches, {done / (time.perf_counter() - began):.2f}/s", flush=True)
    print(f"{time.perf_counter() - began:10.1f} s   to write {done} stretches", flush=True)


async def _swept(dsn: str) -> None:
    """As the server does it by itself, within minutes."""
    con = await asyncpg.connect(dsn)
    try:
        for table in _TABLES:
            await con.execute(f"vacuum analyze {table}")
    finally:
        await con.close()


@asynccontextmanager
async def drawn(folder: Path, cases: int) -> AsyncIterator[Context]:
    """A house over so many cases; nothing is added up."""
    logs.configure("error")
    async with EmbeddedPostgres(folder) as server:
        async with bootstrap.house(Settings(state_dir=folder), server.dsn) as house:
            began = time.perf_counter()
            there = await draw(server.dsn, cases)
            print(f"{cases:,} cases, {there:,} transitions after {time.perf_counter() - began:.0f} s", file=sys.stderr)
            await rolling.roll(house.ctx, 1)
            await add_up(house.ctx)
            await _swept(server.dsn)
            yield house.ctx


async def measure(cases: int) -> None:
    spare_collector()
    with tempfile.TemporaryDirectory(prefix="notifier-figures-") as folder:
        async with drawn(Path(folder), cases) as ctx:
            await _ask(ctx, Path(folder), cases)


async def figures(cases: int) -> list[Line]:
    """Figures of now, as of an instant, and computed from the histories, each beside DuckDB."""
    with tempfile.TemporaryDirectory(prefix="notifier-figures-") as folder:
        async with drawn(Path(folder), cases) as ctx:
            theirs = await _copied(ctx, Path(folder))

            lines = []
            for what, at, ask, limit in (
                ("figures of now", None, summed, "ours are added up beforehand"),
                ("figures as of an instant", THEN, summed, "ours are written down stretch by stretch"),
                ("figures from the histories", None, statistics.statistics, "ours fold each with its rules, in Python"),
            ):

                async def our(ask: Any = ask, at: datetime | None = at) -> Statistics:
                    found: Statistics = await ask(ctx, OLIVIA, Query(as_of=at))
                    return found

                async def their(at: datetime | None = at) -> Any:
                    return await theirs(at or datetime.now(UTC))

                _agree(await our(), await their())
                rounds = await alternate(_rate(our), _rate(their))
                against = "DuckDB over a Parquet copy of the transitions: five counts and one median"
                lines.append(rounds.line(f"{what}: every share and curve of {cases:,} cases", against, limit))
    return lines


def _rate(ask: Callable[[], Awaitable[Any]]) -> Rate:
    async def once(_: int) -> float:
        began = time.perf_counter()
        await ask()
        return 1 / (time.perf_counter() - began)

    return once


async def _ask(ctx: Context, folder: Path, cases: int) -> None:
    async with ctx.db.pool.acquire() as con:
        for table in _TABLES:
            rows, size = await con.fetchrow(
                f"select (select count(*) from {table}), pg_size_pretty(pg_total_relation_size('{table}'))"
            )
            print(f"           {table}: {rows:,} rows, {size}", flush=True)
        assert (await rollups.state(con)).whole
    year, month = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)

    def of(**asked: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: summed(ctx, OLIVIA, Query(**asked))

    whole = await timed("everything", of())
    await timed("one program", of(program="opioids"))
    await timed("one registry", of(registry="pir"))
    await timed("a year", of(start=year, end=datetime(2026, 1, 1, tzinfo=UTC)))
    await timed("from a month on", of(start=month))
    await timed("by registry", of(by="registry"))
    await timed("by outcome", of(by="outcome"))
    await timed("by month", of(by="month"))

    async def every_curve() -> None:
        for part in (await summed(ctx, OLIVIA, Query(by="month"))).slices:
            assert part.cohort is not None
            dict(part.cohort.times)

    await timed("by month, each of its curves drawn", every_curve)
    await timed("the last year by month", of(by="month", start=year))
    await timed("a period by month", of(by="month", basis="period"))
    await timed("a period of days", of(basis="period", start=datetime(2025, 3, 9, tzinfo=UTC)))
    between = {"start": datetime(2024, 3, 16, tzinfo=UTC), "end": datetime(2025, 6, 15, tzinfo=UTC)}
    noon = {"start": datetime(2024, 3, 16, 12, tzinfo=UTC), "end": datetime(2025, 6, 15, 12, tzinfo=UTC)}
    for by in (None, "registry", "outcome", "month"):
        await timed(f"from the middle of a month to that of another, by {by}", of(**between, by=by))
    for by in (None, "registry", "outcome"):
        await timed(
            f"four years by {by}",
            of(start=datetime(2022, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC), by=by),
        )
    await timed("from noon of a day to noon of another", of(**noon), 3)
    await timed("a period between the same noons", of(**noon, basis="period"), 3)
    for then in (datetime(2023, 2, 1, tzinfo=UTC), THEN, await _hardest(ctx)):
        await timed(f"everything as of {then:%Y-%m-%d %H:%M}", of(as_of=then), 3)
        await timed(f"by registry as of {then:%Y-%m-%d %H:%M}", of(as_of=then, by="registry"), 3)
        await timed(f"by month as of {then:%Y-%m-%d %H:%M}", of(as_of=then, by="month"), 3)
        await timed(f"a period by month as of {then:%Y-%m-%d %H:%M}", of(as_of=then, by="month", basis="period"), 3)
        await timed(f"the same middles as of {then:%Y-%m-%d %H:%M}", of(as_of=then, **between), 3)
        await timed(
            f"the same middles by outcome as of {then:%Y-%m-%d %H:%M}", of(as_of=then, **between, by="outcome"), 3
        )
        await timed(f"the same noons as of {then:%Y-%m-%d %H:%M}", of(as_of=then, **noon), 3)
        await timed(f"a period between them as of {then:%Y-%m-%d %H:%M}", of(as_of=then, **noon, basis="period"), 3)
        await timed(f"what the public reads as of {then:%Y-%m-%d}", lambda then=then: _public(ctx, midnight(then)), 3)
    start = datetime(2025, 3, 1, tzinfo=UTC)
    cohort, period = Query(as_of=then, by="registry"), Query(as_of=then, by="registry", basis="period", start=start)
    for query, cell in (
        (cohort, "all/funnel/opened"),
        (cohort, "all/share/relapsed"),
        (cohort, "pir/funnel/verified"),
        (period, "all/flow/opened_before"),
        (period, "pir/flow/closed_in"),
        (period, "all/act/verified_in"),
    ):
        for cursor in (None, counted.next_cursor(then, 100 if cases < 10_000 else cases // 50)):
            await timed(
                f"the cases behind {cell}, {'first page' if cursor is None else 'far on'}",
                lambda query=query, cell=cell, cursor=cursor: summed_cases.cases(
                    ctx, OLIVIA, query, cell, cursor=cursor
                ),
                3,
            )
    moved = await ctx.db.fetchval("select case_id from transition where tag = 'case.opened' limit 1")

    async def one_more() -> None:
        await ctx.db.pool.execute("insert into rollup_due (case_id, known_at) values ($1, now())", moved)
        await rolling.roll(ctx, 1)

    await timed("one more move added up", one_more)
    if whole.cases <= 200_000:
        await timed("everything, computed from the histories", lambda: statistics.statistics(ctx, OLIVIA, Query()), 1)
    copy = await _copied(ctx, folder)
    what = "DuckDB over Parquet: the funnel and one median, from the transitions"
    theirs = await timed(what, lambda: copy(datetime.now(UTC)))
    _agree(whole, theirs)
    _agree(
        await summed(ctx, OLIVIA, Query(as_of=THEN)), await timed(f"{what}, as of {THEN:%Y-%m-%d}", lambda: copy(THEN))
    )
    print(
        f"           median {whole.whole.cohort.times['verified'].curve.median.value:.0f} s; DuckDB {theirs[5]:.0f} s"
    )


async def _hardest(ctx: Context) -> datetime:
    """Late, with the most stretches to be added up and half a stretch to be read beside them."""
    async with ctx.db.pool.acquire() as con:
        ends = [row["until"] for row in await con.fetch("select until from stretch where level = 0 order by until")]
        if len(ends) < 2:
            return THEN
        n = max(range(max(1, len(ends) * 9 // 10), len(ends)), key=lambda n: (_digits(n), n))
        found: datetime = await con.fetchval(
            "select recorded_at from transition where recorded_at > $1 order by recorded_at offset $2 limit 1",
            ends[n - 1],
            stretching.SIZE // 2 - 1,
        )
    print(f"           {_digits(n)} stretches to be added up of {n:,}", flush=True)
    return found


def _digits(n: int) -> int:
    """Of a number written to the base of how many stretches are joined, the sum."""
    return n % stretches.JOINED + _digits(n // stretches.JOINED) if n else 0


async def _public(ctx: Context, as_of: datetime) -> None:
    """Of one program, with small numbers kept back."""
    found = await public(ctx, OLIVIA, Query("opioids", as_of=as_of))
    assert found is not None
    told_of = Transparency(public=True, suppress_below=10, registries=True)
    await asyncio.to_thread(public_figures.shown, found, as_of, told_of)


async def _copied(ctx: Context, folder: Path) -> Callable[[datetime], Awaitable[Any]]:
    """A question to DuckDB over a copy of the transitions, as of an instant."""
    import duckdb  # only compared with

    table, file = folder / "transition.csv", folder / "transition.parquet"
    async with ctx.db.pool.acquire() as con:
        await con.copy_from_query(
            "select case_id, tag, to_state, at, told_at, claim_id, word from transition",
            output=table,
            format="csv",
            header=True,
        )
    db = duckdb.connect()
    await asyncio.to_thread(
        db.execute, f"copy (select * from read_csv('{table}', header = true)) to '{file}' (format parquet)"
    )

    async def ask(until: datetime) -> Any:
        return await asyncio.to_thread(lambda: db.execute(_FUNNEL.format(file=file, until=until)).fetchone())

    return ask


def _agree(ours: Any, theirs: Any) -> None:
    funnel = ours.whole.cohort.funnel
    counts = tuple(funnel[stage].n for stage in ("opened", "approved", "sent", "claimed", "verified"))
    assert counts == theirs[:5], (counts, theirs)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else CASES))
