"""Names that an authority investigates: their cases are taken as any other, and wait quietly until they are released.

Quietly means that nobody without the permission can tell. A hold is no revision of its case and no entry about it: the
log gets one commitment for every case that opens, held or not, and one for each change of the list. What a commitment
is to is in `deconfliction_record` alone, and `audit verify` holds the two against each other.

While a case is held no notice leaves, withdrawals among them, and nothing is fetched from its site, its host or its
name servers. The registry's RDAP and the parent zone's servers are asked as for every other name: the question is the
same for thousands of names a day and reaches nobody who runs the site, and a case without that look would stand out.
What waits is neither cancelled nor voided, since both would be seen; it is looked at anew once the case is released.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from notifier.domain.audit import Entry
from notifier.domain.case import Case
from notifier.domain.case_state import OPEN, CaseState
from notifier.domain.deconfliction import Pattern, catches, read_pattern
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.notice import LIVE, NoticeState
from notifier.domain.safety import Target
from notifier.errors import Invalid, NotFound
from notifier.services import access, agreements, judging
from notifier.services.access import DAEMON, DECONFLICT, Principal, Scope
from notifier.services.context import Context
from notifier.services.paging import Page, Query, read_page
from notifier.store import audit as audit_store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import as_uuid, new_id

# Held by whoever changes the list, shared by whoever opens a case under it; any number that nothing else here locks.
_LIST_LOCK = 726_013
_TAG = "deconfliction.recorded"
_ACTOR = "deconfliction"  # who keeps the list is no business of the log's readers
_STANDING = "released_at is null and (until is null or until > $1)"


async def gate(tx: Tx, case: Case) -> bool:
    """Whether a case that opens waits from now on. Its commitment is like that of every other case.

    A case that narrows to one of its hosts keeps what holds it, so it is asked once.
    """
    await guard(tx)
    found = await _entries_for(tx.con, case.target, tx.now)
    await _hold(tx, case.id, found)
    await record(
        tx, {"what": "checked", "case": case.id, "target": case.target.name, "entries": [e["id"] for e in found]}
    )
    return bool(found)


async def guard(tx: Tx) -> None:
    """Keep the list as it is until the transaction ends. Whoever opens or joins cases asks before locking the first."""
    await tx.con.execute("select pg_advisory_xact_lock_shared($1)", _LIST_LOCK)


async def inherit(tx: Tx, from_case: str, to_case: str) -> None:
    """What held a case holds the one that takes it over."""
    found = await tx.con.fetch(
        "select e.id, e.until from deconfliction_hold h join deconfliction_entry e on e.id = h.entry_id "
        "where h.case_id = $1 and h.ended_at is null order by e.id",
        from_case,
    )
    await _hold(tx, to_case, [{"id": str(row["id"]), "until": row["until"]} for row in found])
    await record(
        tx, {"what": "inherited", "case": to_case, "from": from_case, "entries": [str(r["id"]) for r in found]}
    )


async def record(tx: Tx, content: Mapping[str, Any], actor: str | None = None) -> None:
    """Keep `content` where the permitted read it, and write to the log that there is something, and nothing else."""
    record_id, salt, text = new_id(), secrets.token_bytes(32), json.dumps(content, sort_keys=True)
    await tx.con.execute(
        "insert into deconfliction_record (id, at, salt, content) values ($1, $2, $3, $4)",
        record_id,
        tx.now,
        salt,
        text,
    )
    entry = Entry(
        tx.now, actor or tx.actor, tx.via, _TAG, record_id, None, None, {"commitment": commitment(salt, text)}
    )
    await audit_store.append(tx.con, entry)


def commitment(salt: bytes, content: str) -> str:
    """SHA-256 in hex over the salt and the content's UTF-8."""
    return sha256(salt + content.encode()).hexdigest()


async def is_listed(con: Connection, target: Target, now: datetime) -> bool:
    """Whether an authority investigates a name that has no case: nothing is fetched from it, and nobody is told why."""
    return bool(await _entries_for(con, target, now))


async def _entries_for(con: Connection, target: Target, now: datetime) -> list[dict[str, Any]]:
    rows = await con.fetch(
        f"select id, pattern, until from deconfliction_entry where {_STANDING} "
        "and (registrable = $2 or registrable is null) order by id",
        now,
        target.registrable,
    )
    return [{"id": str(r["id"]), "until": r["until"]} for r in rows if catches(r["pattern"], target)]


async def _hold(tx: Tx, case_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    await tx.con.execute(
        "insert into deconfliction_hold (case_id, entry_id, since) select $1, entry, $3 from unnest($2::uuid[]) entry "
        "on conflict do nothing",
        case_id,
        [entry["id"] for entry in entries],
        tx.now,
    )
    for until in {entry["until"] for entry in entries if entry["until"]}:
        await tx.add_timer(case_id, Timer(JobKind.RELEASE, case_id, until))


# --- the list -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EntryIn:
    """What an authority asks for. `until`: when it ends by itself, aware; None: a person releases it."""

    pattern: str
    authority: str
    reference: str
    note: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry as it stands, with the cases that wait for it and what they had sent before. `known`: it stood already."""

    entry: Mapping[str, Any]
    held: Sequence[Mapping[str, Any]]
    known: bool = False


async def add(ctx: Context, who: Principal, wanted: EntryIn, *, via: str = "api") -> Listed:
    """Put a name on the list; open cases that it catches wait from now on, and so does what they have queued.

    What was sent before is in `held`, for the person who adds the entry. The same pattern of the same reference again
    is the entry that stands. Raises Invalid for a pattern that is none or catches too much, or an end in the past.
    """
    _require(who)
    access.require_person(who)
    pattern = read_pattern(wanted.pattern, ctx.catalog.suffixes)
    async with ctx.db.transaction(who.id, via) as tx:
        if wanted.until is not None and wanted.until <= tx.now:
            raise Invalid("until: it is over already; give a later time, or none")
        # From here nobody opens a case unseen: who is about to has committed, who comes later reads the new list.
        await tx.con.execute("select pg_advisory_xact_lock($1)", _LIST_LOCK)
        standing = await tx.con.fetchval(
            f"select id from deconfliction_entry where {_STANDING} and (pattern, organisation, reference) = ($2, $3, $4)",
            tx.now,
            pattern.text,
            who.organisation,
            storable(wanted.reference),
        )
        if standing is not None:
            return await _listed(tx.con, str(standing), known=True)
        entry_id = new_id()
        await tx.con.execute(
            "insert into deconfliction_entry (id, pattern, registrable, authority, reference, note, organisation, added_by, "
            "added_at, until) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            entry_id,
            pattern.text,
            pattern.registrable,
            storable(wanted.authority),
            storable(wanted.reference),
            storable(wanted.note),
            who.organisation,
            who.id,
            tx.now,
            wanted.until,
        )
        caught = await _caught(tx, pattern)
        for case_id in caught:  # in the order of ids; whoever is about to send has finished or sees the hold
            await case_store.lock(tx.con, case_id)
            await _hold(tx, case_id, [{"id": entry_id, "until": wanted.until}])
        said = {
            "pattern": pattern.text,
            "reference": wanted.reference,
            "until": wanted.until and wanted.until.isoformat(),
        }
        await record(tx, {"what": "listed", "entry": entry_id, "by": who.id, "held": caught, **said}, _ACTOR)
        return await _listed(tx.con, entry_id)


async def _caught(tx: Tx, pattern: Pattern) -> list[str]:
    """Cases that could still disturb what the pattern stands for: the open ones, and those with something to send."""
    rows = await tx.con.fetch(
        "select c.id, c.target, c.scope, c.registrable, c.host, c.private_suffix, c.tld, c.display from cases c "
        "where ($1::text is null or c.registrable = $1) and (c.state = any($2) or exists (select from notice n "
        "where n.case_id = c.id and n.state in ('queued', 'sending'))) order by c.id",
        pattern.registrable,
        [str(state) for state in OPEN],
    )
    return [str(row["id"]) for row in rows if catches(pattern.text, case_store.target_of(row))]


async def entries(
    ctx: Context, who: Principal, *, standing: bool | None = None, limit: int = 50, cursor: str | None = None
) -> Page:
    """Entries of the principal's organisation, newest first, each with the number of cases that wait for it."""
    _require(who)
    now = await ctx.db.clock.now()
    query = Query(Scope("($1 = '' or e.organisation = $1)", (who.organisation,)))
    if standing is not None:
        query.where(("" if standing else "not ") + "(e.released_at is null and (e.until is null or e.until > {}))", now)
    select = f"select {_ENTRY} from deconfliction_entry e"
    return await read_page(ctx, query, select, "e.added_at", "e.id", limit, cursor)


async def entry(ctx: Context, who: Principal, entry_id: str) -> Listed:
    """One entry and the cases that wait for it. Raises NotFound, the same for another organisation's."""
    _require(who)
    async with ctx.db.pool.acquire() as con:
        await _own(con, who, entry_id)
        return await _listed(con, entry_id)


async def release(ctx: Context, who: Principal, entry_id: str, note: str, *, via: str = "api") -> Listed:
    """Take a name off the list: cases that wait for nothing else go on, looked at and judged anew. Twice is once."""
    _require(who)
    access.require_person(who)
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.con.execute("select pg_advisory_xact_lock($1)", _LIST_LOCK)
        await _own(tx.con, who, entry_id)
        changed = await tx.con.fetchval(
            "update deconfliction_entry set released_at = $2, released_by = $3, release_note = $4 "
            "where id = $1 and released_at is null returning id",
            entry_id,
            tx.now,
            who.id,
            storable(note),
        )
        if changed is None:
            return await _listed(tx.con, entry_id, known=True)
        rows = await tx.con.fetch(
            "select case_id from deconfliction_hold where entry_id = $1 and ended_at is null order by case_id", entry_id
        )
        held = [str(row["case_id"]) for row in rows]
        await record(tx, {"what": "released", "entry": entry_id, "by": who.id, "note": note, "held": held}, _ACTOR)
        for case_id in held:
            await _end(ctx, tx, case_id, [entry_id])
        return await _listed(tx.con, entry_id)


async def lapse(ctx: Context, case_id: str) -> None:
    """An entry came to its end by itself: the case goes on unless another one holds it."""
    async with ctx.db.transaction(DAEMON) as tx:
        if await case_store.lock(tx.con, case_id) is None:
            return
        rows = await tx.con.fetch(
            "select e.id from deconfliction_hold h join deconfliction_entry e on e.id = h.entry_id "
            "where h.case_id = $1 and h.ended_at is null and e.until <= $2 order by e.id",
            case_id,
            tx.now,
        )
        over = [str(row["id"]) for row in rows]
        if over:
            await record(tx, {"what": "lapsed", "case": case_id, "entries": over}, _ACTOR)
            await _end(ctx, tx, case_id, over)


# --- going on -----------------------------------------------------------------------------------------------------


async def _end(ctx: Context, tx: Tx, case_id: str, entry_ids: Sequence[str]) -> None:
    await case_store.lock(tx.con, case_id)
    await tx.con.execute(
        "update deconfliction_hold set ended_at = $3 where case_id = $1 and entry_id = any($2) and ended_at is null",
        case_id,
        list(entry_ids),
        tx.now,
    )
    case = await case_store.get(tx.con, case_id)
    if case is None or case.embargo:
        return
    case = await judging.judge_again(ctx, tx, case)
    unsent = await notice_store.of_case(tx.con, case_id, NoticeState.QUEUED, NoticeState.SENDING)
    if case.state is CaseState.APPROVED:
        await tx.enqueue(Job(JobKind.DISPATCH, case_id, case.priority))
    elif case.state in OPEN:
        await tx.enqueue(Job(JobKind.CHECK, case_id, case.priority))
    if case.state is CaseState.NOTIFIED and not await notice_store.of_case(tx.con, case_id, *LIVE):
        await _full_time(ctx, tx, case)
    if case.state is not CaseState.APPROVED:
        await tx.enqueue(*(Job(JobKind.SEND, notice.id, case.priority) for notice in unsent))


async def _full_time(ctx: Context, tx: Tx, case: Case) -> None:
    """A recipient who hears only now has all its time from now."""
    await tx.con.execute(
        "update timer set cancelled_at = $3 where case_id = $1 and kind = $2 and fired_at is null and cancelled_at is null",
        case.id,
        str(JobKind.CLOCK_ENDED),
        tx.now,
    )
    due = agreements.answer_due(ctx, case.agreement or "", tx.now)
    await tx.add_timer(case.id, Timer(JobKind.CLOCK_ENDED, case.id, due))


# --- reading ------------------------------------------------------------------------------------------------------

_ENTRY = (
    "e.id, e.pattern, e.authority, e.reference, e.note, e.organisation, e.added_by, e.added_at, e.until, e.released_at, "
    "e.released_by, e.release_note, (select count(*) from deconfliction_hold h where h.entry_id = e.id and h.ended_at is null)"
    " as waiting"
)


def _require(who: Principal) -> None:
    access.require_permission(who, DECONFLICT)


async def _own(con: Connection, who: Principal, entry_id: str) -> None:
    if as_uuid(entry_id) is None or not await con.fetchval(
        "select exists (select from deconfliction_entry where id = $1 and ($2 = '' or organisation = $2))",
        entry_id,
        who.organisation,
    ):
        raise NotFound(f"no entry {entry_id!r}")


async def _listed(con: Connection, entry_id: str, *, known: bool = False) -> Listed:
    found = await con.fetchrow(f"select {_ENTRY} from deconfliction_entry e where e.id = $1", entry_id)
    held = await con.fetch(
        "select c.id, c.reference, c.program, c.target, c.state, h.since, h.ended_at, array(select jsonb_build_object("
        "'id', n.id, 'registry', n.registry, 'purpose', n.purpose, 'state', n.state, 'sent_at', n.sent_at) from notice n "
        "where n.case_id = c.id and n.state not in ('draft', 'cancelled') order by n.drafted_at, n.id) as notices "
        "from deconfliction_hold h join cases c on c.id = h.case_id where h.entry_id = $1 order by h.since, c.id limit 1000",
        entry_id,
    )
    return Listed(dict(found), [dict(row) for row in held], known)
