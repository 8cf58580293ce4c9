"""Sending: approved notices through the last look, dispatch and adapter to a mail sink, beside the same bytes bare."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from notifier.adapter import Identity
from notifier.services.drafting import thaw
from notifier.store.database import Database
from notifier.store.queue import runnable
from registries import mail_message
from tests.bench import bare
from tests.bench.bare import CLIENTS
from tests.bench.intake import names, submit
from tests.bench.measure import Costs, Line, alternate
from tests.bench.stage import AGREEMENT, RECIPIENT, REPLY_DOMAIN, Daemon

_NOTICES = 60
_BARE_MAILS = 1_500
_IDENTITY = Identity("Unnamed notifier", "notices@notifier.example", REPLY_DOMAIN)
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.01


async def sending(daemon: Daemon, sink_port: int, postgres: int) -> Line:
    """From the arming that lets the approved cases go to the last recorded acceptance."""
    costs = Costs({"daemon": daemon.pid, "Postgres": postgres})
    db = await Database.connect(daemon.dsn, size=2)
    try:
        await _round(daemon, db, "warm", Costs({}))
        messages = await _messages(db)

        async def ours(number: int) -> float:
            return await _round(daemon, db, f"send-{number}", costs)

        async def limit(number: int) -> float:
            many = [messages[n % len(messages)] for n in range(_BARE_MAILS)]
            return await bare.mails(sink_port, many, _IDENTITY.mail_from, RECIPIENT)

        measured = await alternate(ours, limit)
    finally:
        await db.close()
    size = sum(map(len, messages)) / len(messages) / 1000
    return measured.line(
        "approved notices to an SMTP sink", "the same mails, 8 open connections", f"{costs}; {size:.1f} kB a mail"
    )


async def _round(daemon: Daemon, db: Database, kind: str, costs: Costs) -> float:
    """Notices a second. Everything up to the approvals is made ready while the agreement is unarmed."""
    await submit(daemon, names(kind, 0, _NOTICES))
    await quiet(db)  # the first looks: an approval before them would be void
    await approve(daemon, db)
    await quiet(db)  # the dispatch jobs have come, and gone again
    await daemon.call("POST", f"/agreements/{AGREEMENT}/arm", "ada")
    before = await sent(db)
    with costs.of(_NOTICES):
        began = time.perf_counter()
        await daemon.call("POST", f"/agreements/{AGREEMENT}/arm", "boris")
        await until(lambda: _all_sent(db, before + _NOTICES))
        seconds = time.perf_counter() - began
    await daemon.call("POST", f"/agreements/{AGREEMENT}/disarm", "ada")
    return _NOTICES / seconds


async def approve(daemon: Daemon, db: Database) -> None:
    """Approve every case in review, as a reviewer does."""
    waiting = iter([str(row["id"]) for row in await db.fetch("select id from cases where state = 'in_review'")])

    async def reviewer() -> None:
        for case_id in waiting:
            shown = await daemon.call("GET", f"/cases/{case_id}/preview", "rita")
            await daemon.call("POST", f"/cases/{case_id}/approve", "rita", {"digest": shown["digest"]})

    await asyncio.gather(*(reviewer() for _ in range(CLIENTS)))


async def quiet(db: Database) -> None:
    """Wait until no timer is due and no job waits or runs."""

    async def idle() -> bool:
        due = await db.fetchval(
            "select exists (select 1 from timer where fired_at is null and cancelled_at is null and due_at <= $1)",
            await db.clock.now(),
        )
        return not due and not await runnable(db.pool)

    await until(idle)


async def _all_sent(db: Database, count: int) -> bool:
    return await sent(db) >= count


async def sent(db: Database) -> int:
    """How many notices were accepted so far."""
    count: int = await db.fetchval("select count(*) from notice where state = 'sent'")
    return count


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Raises TimeoutError when it takes over a minute."""
    async with asyncio.timeout(_PATIENCE_S):
        while not await reached():
            await asyncio.sleep(_LOOK_EVERY_S)


async def _messages(db: Database) -> list[bytes]:
    """The mails that went, to the byte: content and key say everything."""
    rows = await db.fetch("select content, send_key from notice where state = 'sent'")
    return [
        mail_message.build(thaw(row["content"]), row["send_key"], identity=_IDENTITY, recipient=RECIPIENT)
        for row in rows
    ]
