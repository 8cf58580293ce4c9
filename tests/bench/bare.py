"""The bare limits: the same rows by asyncpg, the same bytes by aiosmtplib, with nothing else around them."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import aiosmtplib
import asyncpg

CLIENTS = 8

_CASE = (
    "insert into cases (id, reference, program, program_digest, organisation, target, scope, registrable, host, tld, "
    "display, suffix_version, safety, warnings, measure, state, rev, opened_at, state_since) "
    "values ($1, $2, 'opioids', '', '', $3, 'domain', $3, $3, 'com', $3, '', 'clear', '{}', 'hold', 'received', "
    "1, $4, $4)"
)
_REPORT = (
    "insert into report (id, case_id, principal, organisation, via, program, raw, raw_sha256, media_type, domain, urls, "
    "body, received_at) values ($1, $2, 'bare', '', 'api', 'opioids', $3, $4, 'application/json', $5, $6, $7, $8)"
)
_EVIDENCE = (
    "insert into evidence (id, case_id, report_id, supplied_by, kind, sha256, body, received_at) "
    "values ($1, $2, $3, 'bare', $4, $5, $6, $7)"
)
_AUDIT = (
    "insert into audit_entry (at, actor, via, tag, subject, case_id, rev, body) "
    "values ($1, 'bare', 'api', 'case.opened', $2, $3, $4, $5)"
)


@dataclass(frozen=True, slots=True)
class Load:
    """What is stored of one report: its bytes, and how many audit entries of which text."""

    raw: bytes
    audit_entries: int
    audit_body: str


async def reports(dsn: str, names: Sequence[str], load: Load, per_transaction: int = 1) -> float:
    """Reports a second: report, case, evidence and audit entries of each, by eight connections."""
    pool = await asyncpg.create_pool(dsn, min_size=CLIENTS, max_size=CLIENTS)
    waiting = iter([names[i : i + per_transaction] for i in range(0, len(names), per_transaction)])

    async def work() -> None:
        async with pool.acquire() as con:
            for some in waiting:
                async with con.transaction():
                    await _insert(con, some, load)

    try:
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CLIENTS)))
        return len(names) / (time.perf_counter() - began)
    finally:
        await pool.close()


async def _insert(con: asyncpg.Connection, names: Sequence[str], load: Load) -> None:
    now = datetime.now(UTC)
    cases, rows, evidence, entries = [], [], [], []
    for name in names:
        raw = load.raw.replace(b"NAME", name.encode())
        body = json.loads(raw)
        items = body.pop("evidence", [])
        case_id, report_id = uuid4(), uuid4()
        cases.append((case_id, name, name, now))
        rows.append(
            (report_id, case_id, raw, hashlib.sha256(raw).digest(), name, body.get("urls", []), json.dumps(body), now)
        )
        for item in items:
            text = json.dumps(item)
            digest = hashlib.sha256(text.encode()).hexdigest()
            evidence.append((uuid4(), case_id, report_id, item["kind"], digest, text, now))
        # The database wants one entry for the case's first revision; the others change no row.
        entries += [(now, name, case_id, None if n else 1, load.audit_body) for n in range(load.audit_entries)]
    if len(names) == 1:
        await con.execute(_CASE, *cases[0])
        await con.execute(_REPORT, *rows[0])
    else:
        await con.executemany(_CASE, cases)
        await con.executemany(_REPORT, rows)
    await con.executemany(_EVIDENCE, evidence)
    await con.executemany(_AUDIT, entries)


async def mails(port: int, messages: Sequence[bytes], sender: str, recipient: str) -> float:
    """Messages a second over eight connections that stay open."""
    waiting = iter(messages)
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(CLIENTS)]
    await asyncio.gather(*(client.connect() for client in clients))

    async def work(client: aiosmtplib.SMTP, messages: Iterator[bytes]) -> None:
        for message in messages:
            await client.sendmail(sender, [recipient], message)

    began = time.perf_counter()
    await asyncio.gather(*(work(client, waiting) for client in clients))
    seconds = time.perf_counter() - began
    await asyncio.gather(*(client.quit() for client in clients))
    return len(messages) / seconds
