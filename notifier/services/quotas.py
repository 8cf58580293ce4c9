"""How much one reporter, and one organisation, may send in a day and in a minute of business time.

Counted in the transaction that stores a report, so that the limits hold over any number of processes; the counters'
rows are touched last and stay locked for the length of a commit. What is over a limit is still kept, up to a bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from notifier.errors import TooMany
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.settings import Settings
from notifier.store.database import Connection, Tx

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_SPANS = {"day": _DAY, "minute": _MINUTE}
_KEPT_FOR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` reports of `of` in one `span` that starts on the clock: a UTC day, a minute."""

    of: str
    span: str
    most: int
    what: str

    def starts(self, now: datetime) -> datetime:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight if self.span == "day" else now.replace(second=0, microsecond=0)

    def retry_after(self, now: datetime) -> int:
        """Whole seconds until the next span starts, at least one."""
        return max(1, ceil((self.starts(now) + _SPANS[self.span] - now).total_seconds()))


def limits(settings: Settings, who: Principal, *, urgent: bool) -> tuple[Limit, ...]:
    """What a report of this principal counts against; an urgent one also against the smaller quota for those."""
    me, ours = f"principal:{who.id}", f"organisation:{who.organisation}"
    found = [
        Limit(me, "day", settings.quota_principal_day, "your reports of a day"),
        Limit(me, "minute", settings.quota_principal_minute, "your reports of a minute"),
        Limit(ours, "day", settings.quota_organisation_day, "your organisation's reports of a day"),
        Limit(ours, "minute", settings.quota_organisation_minute, "your organisation's reports of a minute"),
    ]
    if urgent:
        found += [
            Limit(f"urgent:{me}", "day", settings.quota_urgent_principal_day, "your urgent reports of a day"),
            Limit(
                f"urgent:{ours}",
                "day",
                settings.quota_urgent_organisation_day,
                "your organisation's urgent reports of a day",
            ),
        ]
    return tuple(found)


async def ahead(ctx: Context, who: Principal, *, urgent: bool) -> None:
    """Raises TooMany (code quota_exceeded) when a quota is used up already: nothing needs to be tried then."""
    now = await ctx.db.clock.now()
    wanted = limits(ctx.settings, who, urgent=urgent)
    async with ctx.db.pool.acquire() as con:
        used = await _used(con, wanted, now)
    _check([limit for limit in wanted if used.get((limit.of, limit.span), 0) >= limit.most], now)


async def take(ctx: Context, tx: Tx, who: Principal, *, urgent: bool) -> None:
    """Count one report. Raises TooMany (code quota_exceeded); with the transaction the count is gone too."""
    wanted = limits(ctx.settings, who, urgent=urgent)
    counts = await _add(tx, wanted)
    _check([limit for limit in wanted if counts[limit.of, limit.span] > limit.most], tx.now)


async def count(tx: Tx, wanted: Sequence[Limit]) -> None:
    """Count one of what anybody may do. Raises TooMany (code rate_limited); with the transaction the count is gone too."""
    counts = await _add(tx, wanted)
    over = [limit for limit in wanted if counts[limit.of, limit.span] > limit.most]
    if over:
        wait = max(limit.retry_after(tx.now) for limit in over)
        raise TooMany(f"too many {over[0].what}; nothing was kept, send it again later", retry_after=wait)


async def may_keep(ctx: Context, tx: Tx, who: Principal) -> bool:
    """Whether the bytes of one more report that is over a quota are kept; beyond a multiple of it only their digest."""
    settings = ctx.settings
    me = Limit(f"over:principal:{who.id}", "day", settings.quota_principal_day, "")
    ours = Limit(f"over:organisation:{who.organisation}", "day", settings.quota_organisation_day, "")
    counts = await _add(tx, (me, ours))
    return all(counts[one.of, one.span] <= one.most * (settings.quota_keep_factor - 1) for one in (me, ours))


def _check(over: Sequence[Limit], now: datetime) -> None:
    if over:
        worst = max(over, key=lambda limit: limit.retry_after(now))
        raise TooMany(
            f"{worst.what} are used up ({worst.most}); the report was kept as refused, send it again later",
            code="quota_exceeded",
            retry_after=worst.retry_after(now),
        )


async def _used(con: Connection, wanted: Sequence[Limit], now: datetime) -> dict[tuple[str, str], int]:
    rows = await con.fetch(
        "select q.of, q.span, q.n from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (of, span, starts_at) "
        "join quota_count q using (of, span, starts_at)",
        [limit.of for limit in wanted],
        [limit.span for limit in wanted],
        [limit.starts(now) for limit in wanted],
    )
    return {(row["of"], row["span"]): row["n"] for row in rows}


async def _add(tx: Tx, wanted: Sequence[Limit]) -> dict[tuple[str, str], int]:
    ordered = sorted(wanted, key=lambda limit: (limit.of, limit.span))  # one order for all, so nobody waits crosswise
    rows = await tx.con.fetch(
        "insert into quota_count (of, span, starts_at, n) "
        "select of, span, starts_at, 1 from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (of, span, starts_at) "
        "on conflict (of, span, starts_at) do update set n = quota_count.n + 1 returning of, span, n",
        [limit.of for limit in ordered],
        [limit.span for limit in ordered],
        [limit.starts(tx.now) for limit in ordered],
    )
    counts = {(row["of"], row["span"]): row["n"] for row in rows}
    if 1 in counts.values():
        await tx.con.execute("delete from quota_count where starts_at < $1", tx.now - _KEPT_FOR)
    return counts
