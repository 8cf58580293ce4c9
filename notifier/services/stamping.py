"""A stamp on what was approved: asked for beside everything else, and nothing waits for it."""

from datetime import timedelta

import structlog

from notifier.domain.jobs import JobKind, Timer
from notifier.net.stamping import StampFailed
from notifier.services.access import DAEMON
from notifier.services.context import Context

log = structlog.get_logger(__name__)

_AGAIN = timedelta(minutes=10)


async def stamp(ctx: Context, notice_id: str) -> None:
    """Have a notice's manifest stamped; asked again after a failure until the case no longer has the notice."""
    if ctx.stamper is None:
        return
    row = await ctx.db.fetchrow(
        "select m.body, m.stamp, n.case_id, n.state from manifest m join notice n on n.id = m.notice_id where n.id = $1",
        notice_id,
    )
    if row is None or row["stamp"] is not None or row["state"] == "cancelled":
        return
    try:
        answer = await ctx.stamper.stamp(row["body"].encode())
    except StampFailed as failed:
        log.warning("stamp.failed", notice=notice_id, why=str(failed))
        async with ctx.db.transaction(DAEMON) as tx:
            await tx.add_timer(str(row["case_id"]), Timer(JobKind.STAMP, notice_id, tx.now + _AGAIN))
        return
    async with ctx.db.transaction(DAEMON) as tx:
        stamped = await tx.con.execute(
            "update manifest set stamp = $2, stamped_at = $3 where notice_id = $1 and stamp is null",
            notice_id,
            answer,
            tx.now,
        )
        if stamped.endswith(" 1"):
            await tx.audit("manifest.stamped", notice_id, {}, str(row["case_id"]))
