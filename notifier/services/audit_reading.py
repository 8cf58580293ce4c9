"""The log as auditors read it: entries in their scope, the newest first, and one with its proof."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notifier.errors import Invalid, NotFound
from notifier.services import access, audit
from notifier.services.access import Principal, Role, Scope
from notifier.services.audit import InclusionProof
from notifier.services.context import Context
from notifier.store import audit as store
from notifier.store.audit import SignedCheckpoint

READERS = (Role.AUDITOR, Role.ADMIN)
_PAGE = 100
_LARGEST = 2**63 - 1
_COLUMNS = "e.id, e.at, e.actor, e.via, e.tag, e.subject, e.case_id, e.rev, e.body, c.reference"


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """None means any. `tag`: one tag, or all that begin with it when it ends with a dot. `case`: its reference."""

    tag: str | None = None
    subject: str | None = None
    case: str | None = None


@dataclass(frozen=True, slots=True)
class Entries:
    """`checkpoint`: the newest, None before the first."""

    items: Sequence[Mapping[str, Any]]
    next_cursor: str | None
    checkpoint: SignedCheckpoint | None


@dataclass(frozen=True, slots=True)
class Entry:
    """`proof` None: it waits to be sealed, which takes a second."""

    row: Mapping[str, Any]
    proof: InclusionProof | None


async def entries(ctx: Context, who: Principal, wanted: EntryFilter, cursor: str | None = None) -> Entries:
    """Entries in the reader's scope, the newest first; what belongs to no case is the house's."""
    before = _LARGEST
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= _LARGEST):
            raise Invalid("the cursor is not one that a page gave; start without it")
        before = int(cursor)
    seen = _scope(ctx, who, first=6)
    async with ctx.db.pool.acquire() as con:
        case_id = None
        if wanted.case is not None:
            case_id = await con.fetchval("select id from cases where reference = $1", wanted.case)
        none = wanted.case is not None and case_id is None
        rows = (
            []
            if none
            else await con.fetch(
                f"select {_COLUMNS} from audit_entry e left join cases c on c.id = e.case_id "
                "where e.id < $1 and ($2::uuid is null or e.case_id = $2) and ($3::text is null or e.subject = $3) "
                f"and ($4::text is null or {'starts_with(e.tag, $4)' if (wanted.tag or '').endswith('.') else 'e.tag = $4'}) "
                f"and {seen.condition} order by e.id desc limit $5",
                before,
                case_id,
                wanted.subject,
                wanted.tag,
                _PAGE + 1,
                *seen.args,
            )
        )
        newest = await store.newest_checkpoint(con)
    items = [dict(row) for row in rows[:_PAGE]]
    return Entries(items, str(items[-1]["id"]) if len(rows) > _PAGE else None, newest)


async def entry(ctx: Context, who: Principal, entry_id: int) -> Entry:
    """One entry and the proof that it is under the newest checkpoint. Raises NotFound outside the scope."""
    seen = _scope(ctx, who, first=2)
    async with ctx.db.pool.acquire() as con:
        row = await con.fetchrow(
            f"select {_COLUMNS} from audit_entry e left join cases c on c.id = e.case_id "
            f"where e.id = $1 and {seen.condition}",
            entry_id,
            *seen.args,
        )
        if row is None:
            raise NotFound("no such entry")
        try:
            proof = await audit.inclusion_proof(con, entry_id)
        except NotFound:
            proof = None
    return Entry(dict(row), proof)


def _scope(ctx: Context, who: Principal, first: int) -> Scope:
    access.require(who, *READERS)
    scope = access.case_scope(who, ctx.owned_by(who.organisation), first=first)
    loose = "e.case_id is null or " if access.is_of_the_house(who) else ""
    return Scope(f"({loose}({scope.condition}))", scope.args)
