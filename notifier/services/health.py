"""How the house is: database, queue, sealer, channels, mail, clock, files. For admins; nothing here is of a case.

What belongs to the machine is for admins of the house; an organisation's admin sees the agreements in its reach.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from notifier.errors import Forbidden
from notifier.services import access, agreements
from notifier.services.access import Principal, Role
from notifier.services.agreements import Standing
from notifier.services.context import Context
from notifier.store import blobs
from notifier.store.queue import backlog

SHOWN = 50  # of held jobs and legal holds
_COUNT_UP_TO = 200_000  # files; of more than that, one in a hundred is counted


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """`embedded`: run by the daemon itself. Size in bytes."""

    embedded: bool
    version: str
    size: int
    connections: int
    most_connections: int


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that failed and waits for a person. `why`: the kind of failure and what it said."""

    id: int
    kind: str
    ref: str
    since: datetime
    attempts: int
    why: str


MOST_UNSEALED = 10_000


@dataclass(frozen=True, slots=True)
class SealerHealth:
    """`sealed` entries are under the newest checkpoint, of `checkpoint_at`; `oldest_at`: of those that wait, of which no
    more than MOST_UNSEALED and one are counted."""

    sealed: int
    unsealed: int
    oldest_at: datetime | None
    checkpoint_at: datetime | None


@dataclass(frozen=True, slots=True)
class MailHealth:
    """By which ways mail comes in, when the newest came, and how many are not read yet."""

    ways: Sequence[str]
    newest_at: datetime | None
    unread: int


@dataclass(frozen=True, slots=True)
class FilesHealth:
    """Of the blob store: where, how many files and bytes a row names, and the disk's free and whole size, None in a
    store that is no disk of ours. `about`: there are so many that they are estimated."""

    where: str
    files: int
    size: int
    free: int | None
    whole: int | None
    about: bool


@dataclass(frozen=True, slots=True)
class HoldRow:
    reference: str
    reason: str
    placed_by: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Machine:
    """`held_more`: jobs beyond those shown. `legal_holds` the newest, of `legal_holds_n`."""

    database: DatabaseHealth
    queue: Mapping[str, int]
    held: Sequence[HeldJob]
    sealer: SealerHealth
    mail: MailHealth
    files: FilesHealth
    legal_holds_n: int
    legal_holds: Sequence[HoldRow]


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """How a channel stands, and how it is written to: resting until, failures in a row, requests today, and the last day
    on which there were too many."""

    standing: Standing
    resting_until: datetime | None
    failures: int
    today: int
    per_day: int | None
    stormed_on: date | None


@dataclass(frozen=True, slots=True)
class Health:
    """`machine` None: the reader is of an organisation, and the machine is the house's."""

    now: datetime
    simulated: bool
    machine: Machine | None
    channels: Sequence[ChannelHealth]
    retention: Mapping[str, timedelta]


async def overview(ctx: Context, who: Principal) -> Health:
    """Raises Forbidden for whoever is no admin."""
    access.require(who, Role.ADMIN)
    now = await ctx.db.clock.now()
    programs = [p for p in ctx.owned_by(who.organisation) if who.programs is None or p in who.programs]
    return Health(
        now,
        ctx.settings.simulated,
        await _machine(ctx) if access.is_of_the_house(who) else None,
        await channels(ctx, who),
        {program: ctx.program(program).windows.retention for program in programs},
    )


async def channels(ctx: Context, who: Principal) -> list[ChannelHealth]:
    """Every agreement of the admin's programs, those that need somebody first."""
    access.require(who, Role.ADMIN)
    owned = set(ctx.owned_by(who.organisation))
    standings = [one for one in await agreements.standings(ctx, who) if one.program in owned]
    rows = await ctx.db.fetch(
        "select agreement, failures, open_until, day, day_count, storm_told from pace where agreement = any($1)",
        [one.id for one in standings],
    )
    paces, today = {row["agreement"]: row for row in rows}, (await ctx.db.clock.now()).date()
    found = [_channel(ctx, one, paces.get(one.id), today) for one in standings]
    return sorted(found, key=lambda c: (not (c.standing.suspended or c.resting_until), c.standing.id))


def _channel(ctx: Context, standing: Standing, pace: Mapping[str, Any] | None, today: date) -> ChannelHealth:
    per_day = ctx.agreement(standing.id).pace.per_day
    if pace is None:
        return ChannelHealth(standing, None, 0, 0, per_day, None)
    counted = pace["day_count"] if pace["day"] == today else 0
    return ChannelHealth(standing, pace["open_until"], pace["failures"], counted, per_day, pace["storm_told"])


def require_house(who: Principal) -> None:
    """Raises Forbidden for whoever is no admin of the house itself."""
    access.require(who, Role.ADMIN)
    if not access.is_of_the_house(who):
        raise Forbidden("the machine is for admins of the house itself")


async def held_jobs(ctx: Context, who: Principal) -> list[HeldJob]:
    """The newest jobs that were held after failing."""
    require_house(who)
    return await _held(ctx)


async def _machine(ctx: Context) -> Machine:
    holds_n = await ctx.db.fetchval("select count(*) from legal_hold where lifted_at is null")
    holds = await ctx.db.fetch(
        "select c.reference, h.reason, h.placed_by, h.placed_at from legal_hold h join cases c on c.id = h.case_id "
        "where h.lifted_at is null order by h.placed_at desc limit $1",
        SHOWN,
    )
    return Machine(
        await _database(ctx),
        await backlog(ctx.db.pool),
        await _held(ctx),
        await _sealer(ctx),
        await _mail(ctx),
        await _files(ctx),
        holds_n,
        [HoldRow(**dict(row)) for row in holds],
    )


async def _database(ctx: Context) -> DatabaseHealth:
    row = await ctx.db.fetchrow(
        "select split_part(current_setting('server_version'), ' ', 1) as version, "
        "pg_database_size(current_database()) as size, current_setting('max_connections')::int as most, "
        "(select sum(numbackends)::int from pg_stat_database) as connections"
    )
    assert row is not None  # it is no table
    embedded = ctx.settings.database_url is None
    return DatabaseHealth(embedded, row["version"], row["size"], row["connections"], row["most"])


async def _held(ctx: Context) -> list[HeldJob]:
    rows = await ctx.db.fetch(
        "select q.id, q.entrypoint, q.payload, q.updated, q.attempts, l.traceback from queue.pgqueuer q "
        "left join lateral (select traceback from queue.pgqueuer_log l where l.job_id = q.id and l.traceback is not null "
        "order by l.created desc limit 1) l on true "
        "where q.status not in ('queued', 'picked') order by q.updated desc, q.id limit $1",
        SHOWN,
    )
    return [
        HeldJob(
            row["id"],
            row["entrypoint"],
            (row["payload"] or b"").decode(errors="replace"),
            row["updated"],
            row["attempts"],
            _why(row["traceback"]),
        )
        for row in rows
    ]


def _why(traceback: Any) -> str:
    """The failure without its stack, which is in the log of the process."""
    if not isinstance(traceback, Mapping):
        return "its failure was not kept; the log of the process has it"
    return f"{traceback.get('exception_type', '')}: {traceback.get('exception_message', '')}"[:500]


async def _sealer(ctx: Context) -> SealerHealth:
    newest = await ctx.db.fetchrow("select size, at from audit_checkpoint order by size desc limit 1")
    # What has no leaf is new, so only ids beyond the newest sealed one are looked at; of a sealer that stood still, the first.
    waiting = await ctx.db.fetchrow(
        "select count(*) as n, min(at) as oldest from (select at from audit_entry "
        f"where id > coalesce((select max(entry_id) from audit_leaf), 0) order by id limit {MOST_UNSEALED + 1}) e"
    )
    assert waiting is not None  # counts
    return SealerHealth(
        newest["size"] if newest else 0, waiting["n"], waiting["oldest"], newest["at"] if newest else None
    )


async def _mail(ctx: Context) -> MailHealth:
    settings = ctx.settings
    ways = [
        *([f"SMTP on {settings.inbound_smtp_host}:{settings.inbound_smtp_port}"] if settings.inbound_smtp_port else []),
        *([f"LMTP on {settings.inbound_lmtp}"] if settings.inbound_lmtp else []),
        *([f"IMAP: {settings.imap_folder} at {settings.imap_host}"] if settings.imap_host else []),
    ]
    row = await ctx.db.fetchrow(
        "select (select received_at from inbound order by id desc limit 1) as newest, "  # ids grow with time
        "(select count(*) from inbound where read_at is null) as unread"
    )
    assert row is not None  # counts
    return MailHealth(ways, row["newest"], row["unread"])


async def _files(ctx: Context) -> FilesHealth:
    many = await ctx.db.fetchval("select reltuples > $1 from pg_class where oid = 'blob'::regclass", _COUNT_UP_TO)
    sample, factor = ("tablesample system (1)", 100) if many else ("", 1)
    row = await ctx.db.fetchrow(
        f"select count(*) * {factor} as n, (coalesce(sum(size), 0) * {factor})::bigint as size from blob {sample} "
        "where erased_at is null"
    )
    assert row is not None  # counts
    if ctx.settings.blob_store is not None:
        return FilesHealth(ctx.settings.blob_store, row["n"], row["size"], None, None, bool(many))
    folder = ctx.settings.state_dir / blobs.FOLDER
    disk = await asyncio.to_thread(_disk, folder)
    return FilesHealth("the state folder's disk", row["n"], row["size"], disk[0], disk[1], bool(many))


def _disk(folder: Path) -> tuple[int, int]:
    there = folder if os.path.isdir(folder) else folder.parent
    usage = shutil.disk_usage(there)
    return usage.free, usage.total
