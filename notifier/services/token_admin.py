"""API tokens and sessions as an admin cares for them: what there is, a new token, and the end of either."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.errors import Conflict, Forbidden, Invalid, NotFound
from notifier.services import access
from notifier.services.access import NewToken, Principal, Role
from notifier.services.context import Context
from notifier.services.people import Reach, within_reach
from notifier.store.ids import as_uuid

LONGEST_DAYS = 730
_PAGE = 100


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token; the secret itself is nowhere."""

    id: str
    principal: str
    kind: str
    reach: Reach
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    def stands(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class TokenPage:
    items: Sequence[TokenRow]
    next_cursor: str | None


async def tokens(ctx: Context, who: Principal, *, ended: bool = False, cursor: str | None = None) -> TokenPage:
    """Tokens within the admin's organisation, the newest first; with `ended` also those that are over."""
    access.require(who, Role.ADMIN)
    if cursor is not None and not as_uuid(cursor):
        raise Invalid("the cursor is not one that a page gave; start without it")
    rows = await ctx.db.fetch(
        "select t.*, p.kind from api_token t join principal p on p.id = t.principal "
        "where ($1 = '' or t.organisation = $1) and ($2::uuid is null or t.id < $2) "
        "and ($3 or (t.revoked_at is null and (t.expires_at is null or t.expires_at > $4))) "
        "order by t.id desc limit $5",  # ids grow with time
        who.organisation,
        cursor,
        ended,
        await ctx.db.clock.now(),
        _PAGE + 1,
    )
    items = [_row(row) for row in rows[:_PAGE]]
    return TokenPage(items, items[-1].id if len(rows) > _PAGE else None)


def _row(row: Mapping[str, Any]) -> TokenRow:
    return TokenRow(
        str(row["id"]),
        row["principal"],
        row["kind"],
        Reach.of(row),
        row["created_at"],
        row["expires_at"],
        row["last_used_at"],
        row["revoked_at"],
    )


async def make(
    ctx: Context, who: Principal, name: str, reach: Reach, *, days: int, service: bool, via: str = "page"
) -> NewToken:
    """A token for somebody else, whose secret is shown once. It reaches no further than the admin does.

    Raises Forbidden for oneself, NotFound for another organisation, Invalid for what cannot be.
    """
    access.require(who, Role.ADMIN)
    access.require_person(who)
    if who.organisation and reach.organisation != who.organisation:
        raise NotFound("no such organisation in your reach")
    if name.casefold() == who.id.casefold():
        raise Forbidden("another admin makes your tokens, or you make them with the command line", code="own_seat")
    if not 1 <= days <= LONGEST_DAYS:
        raise Invalid(f"a token lasts 1 to {LONGEST_DAYS} days")
    await within_reach(ctx, who, name, reach)
    return await access.add_token(
        ctx.db,
        name,
        reach.role,
        by=who.id,
        organisation=reach.organisation,
        registry=reach.registry,
        programs=reach.programs,
        service=service,
        expires_at=await ctx.db.clock.now() + timedelta(days=days),
        permissions=reach.permissions,
        via=via,
    )


async def revoke(ctx: Context, who: Principal, token_id: str, *, via: str = "page") -> None:
    """End a token at once. Raises NotFound outside the admin's organisation, Conflict for one that is revoked."""
    access.require(who, Role.ADMIN)
    async with ctx.db.transaction(who.id, via) as tx:
        row = as_uuid(token_id) and await tx.con.fetchrow(
            "select principal, role, organisation, revoked_at from api_token where id = $1 for update", token_id
        )
        if not row or (who.organisation and row["organisation"] != who.organisation):
            raise NotFound("no such token")
        if row["revoked_at"] is not None:
            raise Conflict("the token was revoked already")
        await tx.con.execute("update api_token set revoked_at = $2 where id = $1", token_id, tx.now)
        await tx.audit("token.revoked", token_id, {"principal": row["principal"], "role": row["role"]})


async def end_sessions(ctx: Context, who: Principal, name: str, *, via: str = "page") -> int:
    """End every session of a person; how many there were. Raises NotFound outside the admin's organisation."""
    access.require(who, Role.ADMIN)
    async with ctx.db.transaction(who.id, via) as tx:
        organisation = await tx.con.fetchval(
            "select organisation from principal where id = $1 and kind = 'person'", name
        )
        if organisation is None or (who.organisation and organisation != who.organisation):
            raise NotFound("no such person")
        ended = await tx.con.fetch(
            "update session set ended_at = $2 where principal = $1 and ended_at is null returning id", name, tx.now
        )
        await tx.audit("person.sessions_ended", name, {"sessions": len(ended)})
    return len(ended)
