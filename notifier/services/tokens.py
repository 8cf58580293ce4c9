"""Tokens that people make for their own programs: never with more reach than the seat that they are made from, always
with an end, and over when that seat is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.errors import Conflict, Invalid, NotFound
from notifier.services import access
from notifier.services.access import Role
from notifier.services.context import Context
from notifier.services.sign_in import Visitor
from notifier.store.database import storable
from notifier.store.ids import as_uuid

SPANS = (7, 30, 90, 365)  # days that a token may live
MOST = 20
LABEL_MAX = 100
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the reader's own. Its secret was shown once, and is not kept. `made_here`: from a seat, by the person."""

    id: str
    label: str
    role: Role
    reach: str
    programs: Sequence[str] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    made_here: bool

    def works(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


async def make(
    ctx: Context, visitor: Visitor, label: str, days: int, programs: Sequence[str] = (), *, via: str = "page"
) -> str:
    """A new token for what the seat may do, perhaps in fewer programs; the secret, which nobody can show again.

    It has none of the seat's permissions beside its role. Raises Invalid, and Conflict when there are too many.
    """
    who = visitor.who
    label = storable(label).strip()
    if not 0 < len(label) <= LABEL_MAX or not label.isprintable():
        raise Invalid(f"label: say in a few words what will use it, at most {LABEL_MAX} characters")
    if days not in SPANS:
        raise Invalid(f"days is one of {', '.join(map(str, SPANS))}")
    reach = who.programs
    if programs:
        foreign = [p for p in programs if p not in ctx.catalog.programs or (reach is not None and p not in reach)]
        if foreign:
            raise Invalid(f"programs: {foreign[0]!r} is none of yours")
        reach = frozenset(programs)
    async with ctx.db.transaction(who.id, via) as tx:
        await tx.con.execute("select from principal where id = $1 for no key update", who.id)  # one after the other
        live = await tx.con.fetchval(
            "select count(*) from api_token where principal = $1 and seat is not null and revoked_at is null "
            "and expires_at > $2",
            who.id,
            tx.now,
        )
        if live >= MOST:
            raise Conflict(f"you have {MOST} tokens already; revoke one that is not used", code="too_many_tokens")
        made = await access.put_token(
            tx,
            who.id,
            who.role,
            organisation=who.organisation,
            registry=who.registry,
            programs=reach,
            expires_at=tx.now + timedelta(days=days),
            seat=visitor.seat.id,
            label=label,
        )
    return made.token


async def own(ctx: Context, visitor: Visitor) -> list[Token]:
    """The person's own tokens, those of the command line among them; the newest first."""
    rows = await ctx.db.fetch(
        "select id, label, role, organisation, registry, programs, created_at, expires_at, last_used_at, revoked_at, seat "
        f"from api_token where principal = $1 order by created_at desc, id desc limit {_SHOWN}",
        visitor.who.id,
    )
    return [
        Token(
            str(row["id"]),
            row["label"],
            Role(row["role"]),
            row["registry"] or row["organisation"],
            row["programs"],
            row["created_at"],
            row["expires_at"],
            row["last_used_at"],
            row["revoked_at"],
            row["seat"] is not None,
        )
        for row in rows
    ]


async def revoke(ctx: Context, visitor: Visitor, token_id: str, *, via: str = "page") -> None:
    """End one of the person's own tokens at once. Raises NotFound for any other."""
    async with ctx.db.transaction(visitor.who.id, via) as tx:
        row = as_uuid(token_id) and await tx.con.fetchrow(
            "update api_token set revoked_at = $3 where id = $1 and principal = $2 and revoked_at is null returning id",
            token_id,
            visitor.who.id,
            tx.now,
        )
        if not row:
            raise NotFound("you have no such token")
        await tx.audit("token.revoked", token_id, {"principal": visitor.who.id})
