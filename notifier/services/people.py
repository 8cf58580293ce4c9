"""People of the house and of its partners: their seats, and the links by which they set a password."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.errors import Forbidden, Invalid, NotFound
from notifier.services import access
from notifier.services.access import Principal, Role, hashed
from notifier.services.context import Context
from notifier.store.database import Database, Tx
from notifier.store.ids import as_uuid, new_id

INVITED_FOR = timedelta(days=7)
FIRST_ADMIN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a seat may do: a role, and how far that reaches. `programs` None: every one of the organisation."""

    role: Role
    organisation: str = ""
    registry: str | None = None
    programs: frozenset[str] | None = None
    permissions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Reach":
        """Of a row of `seat` or `api_token`."""
        programs = frozenset(row["programs"]) if row["programs"] is not None else None
        return cls(Role(row["role"]), row["organisation"], row["registry"], programs, frozenset(row["permissions"]))


@dataclass(frozen=True, slots=True)
class Seat:
    """What one person may do once signed in. Who ended it is in the audit log."""

    id: str
    principal: str
    reach: Reach
    given_by: str
    given_at: datetime

    def as_principal(self) -> Principal:
        """The principal that acts from this seat; only people have seats."""
        reach = self.reach
        return Principal(
            self.principal, "person", reach.role, reach.organisation, reach.registry, reach.programs, reach.permissions
        )

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Seat":
        return cls(str(row["id"]), row["principal"], Reach.of(row), row["given_by"], row["given_at"])


@dataclass(frozen=True, slots=True)
class Person:
    """One person, as an admin sees them. `can_sign_in`: there is a password or an identity of a provider."""

    name: str
    organisation: str
    seats: Sequence[Seat]
    can_sign_in: bool
    second_step: bool
    seen_at: datetime | None


async def add(db: Database, name: str, reach: Reach, *, by: str, via: str = "cli") -> str:
    """Make a person known, give a seat, and return the secret of the link by which they set a password.

    Raises Invalid for a name or a reach that cannot be.
    """
    _check(reach)
    await access.add_person(db, name, organisation=reach.organisation, by=by)
    async with db.transaction(by, via) as tx:
        await _give(tx, name, reach)
        return await _invite(tx, name)


async def give(ctx: Context, who: Principal, name: str, reach: Reach, *, via: str = "page") -> str | None:
    """A seat for a person, who is made known when new; the secret of their link, None when they can sign in already.

    An admin of an organisation gives seats in it alone, and nobody gives one to themselves.
    """
    _require_admin(who, reach.organisation)
    if name.casefold() == who.id.casefold():
        raise Forbidden("somebody else gives you a seat", code="own_seat")
    _check(reach)
    known = await within_reach(ctx, who, name, reach)
    if not known:
        await access.add_person(ctx.db, name, organisation=reach.organisation, by=who.id)
    async with ctx.db.transaction(who.id, via) as tx:
        await _give(tx, name, reach)
        return None if await _can_sign_in(tx, name) else await _invite(tx, name)


async def within_reach(ctx: Context, who: Principal, name: str, reach: Reach) -> bool:
    """Whether the name is known already. Raises Invalid for a reach beyond the admin's own, for what is not configured,
    and for a name that somebody of another organisation has."""
    if unknown := sorted((reach.programs or frozenset()) - ctx.catalog.programs.keys()):
        raise Invalid(f"no program {unknown[0]!r}; there are {', '.join(sorted(ctx.catalog.programs))}")
    if who.programs is not None and (reach.programs is None or not reach.programs <= who.programs):
        raise Invalid(f"name programs of your own: {', '.join(sorted(who.programs))}")
    if reach.registry is not None and reach.registry not in ctx.catalog.registries:
        raise Invalid(f"no recipient {reach.registry!r} in the configuration")
    known = await ctx.db.fetchrow("select organisation from principal where id = $1", name)
    if known is not None and who.organisation and known["organisation"] != who.organisation:
        raise Invalid("somebody of another organisation has this name; take the full name, or an address")
    return known is not None


async def end_seat(ctx: Context, who: Principal, seat_id: str, *, via: str = "page") -> None:
    """End a seat, and every session and token in it. Raises NotFound, also outside the admin's organisation."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = as_uuid(seat_id) and await tx.con.fetchrow(
            "select * from seat where id = $1 and ended_at is null for update", seat_id
        )
        if not row:
            raise NotFound("no such seat")
        _require_admin(who, row["organisation"])
        await tx.con.execute("update seat set ended_at = $2 where id = $1", seat_id, tx.now)
        await tx.con.execute("update session set ended_at = $2 where seat = $1 and ended_at is null", seat_id, tx.now)
        await tx.con.execute(
            "update api_token set revoked_at = $2 where seat = $1 and revoked_at is null", seat_id, tx.now
        )
        await tx.audit("seat.ended", row["principal"], {"seat": seat_id, "role": row["role"]})


async def invite_again(ctx: Context, who: Principal, name: str, *, via: str = "page") -> str:
    """A new link for somebody who lost theirs, or their password or second step: both are gone with it, and so are
    their sessions and the tokens that they made. Raises NotFound for somebody of another organisation."""
    async with ctx.db.transaction(who.id, via) as tx:
        row = await tx.con.fetchrow("select organisation from principal where id = $1 and kind = 'person'", name)
        if row is None:
            raise NotFound("no such person")
        _require_admin(who, row["organisation"])
        if name == who.id:
            raise Forbidden("somebody else resets how you sign in", code="own_seat")
        await tx.con.execute("delete from credential where principal = $1", name)
        await tx.con.execute("update session set ended_at = $2 where principal = $1 and ended_at is null", name, tx.now)
        await tx.con.execute(  # whoever had the password may have made them
            "update api_token set revoked_at = $2 where principal = $1 and seat is not null and revoked_at is null",
            name,
            tx.now,
        )
        return await _invite(tx, name)


async def everybody(ctx: Context, who: Principal) -> list[Person]:
    """The people of the admin's organisation, or all, by name."""
    access.require(who, Role.ADMIN)
    of = "p.kind = 'person' and ($1 = '' or p.organisation = $1)"
    rows = await ctx.db.fetch(
        f"select p.id, p.organisation, coalesce(c.password_hash, c.oidc_subject) is not null as can_sign_in, "
        "c.totp_secret is not null as second_step, "
        "(select max(seen_at) from session s where s.principal = p.id) as seen_at "
        f"from principal p left join credential c on c.principal = p.id where {of} order by lower(p.id)",
        who.organisation,
    )
    seats = await ctx.db.fetch(
        f"select s.* from seat s join principal p on p.id = s.principal where s.ended_at is null and {of} "
        "order by s.given_at, s.id",
        who.organisation,
    )
    return [
        Person(
            row["id"],
            row["organisation"],
            [Seat.of(seat) for seat in seats if seat["principal"] == row["id"]],
            row["can_sign_in"],
            row["second_step"],
            row["seen_at"],
        )
        for row in rows
    ]


async def first_admin(db: Database) -> str | None:
    """The secret of a link that makes the first admin; None when there is one. An older link ends with it."""
    async with db.transaction("daemon") as tx:
        await tx.con.execute("lock table invitation in share row exclusive mode")
        if await has_admin(tx):
            return None
        await tx.con.execute("update invitation set used_at = $1 where principal is null and used_at is null", tx.now)
        return await _invite(tx, None)


async def has_admin(tx: Tx) -> bool:
    """Whether somebody may sign in as admin of the whole house."""
    return bool(
        await tx.con.fetchval(
            "select exists (select from seat where role = 'admin' and organisation = '' and ended_at is null)"
        )
    )


async def give_first(tx: Tx, name: str) -> None:
    """The first admin's seat; `name` was made known already."""
    await _give(tx, name, Reach(Role.ADMIN))


def _require_admin(who: Principal, organisation: str) -> None:
    access.require(who, Role.ADMIN)
    access.require_person(who)
    if who.organisation and organisation != who.organisation:
        raise NotFound("no such organisation in your reach")


def _check(reach: Reach) -> None:
    if (reach.role is Role.REGISTRY) != (reach.registry is not None):
        raise Invalid("a seat of role registry names its registry, and only such a seat does")
    access.check_permissions(reach.permissions, reach.role, service=False)


async def _give(tx: Tx, name: str, reach: Reach) -> None:
    seat_id = new_id()
    await tx.con.execute(
        "insert into seat (id, principal, role, organisation, registry, programs, permissions, given_by, given_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        seat_id,
        name,
        str(reach.role),
        reach.organisation,
        reach.registry,
        sorted(reach.programs) if reach.programs is not None else None,
        sorted(reach.permissions),
        tx.actor,
        tx.now,
    )
    detail: dict[str, Any] = {"seat": seat_id, "role": str(reach.role), "registry": reach.registry}
    if reach.permissions:
        detail["permissions"] = sorted(reach.permissions)
    await tx.audit("seat.given", name, detail)


async def _invite(tx: Tx, name: str | None) -> str:
    secret = secrets.token_urlsafe(24)
    await tx.con.execute(
        "insert into invitation (secret_sha256, principal, made_by, made_at, expires_at) values ($1, $2, $3, $4, $5)",
        hashed(secret),
        name,
        tx.actor,
        tx.now,
        tx.now + (INVITED_FOR if name else FIRST_ADMIN_FOR),
    )
    await tx.audit("person.invited", name or "first admin", {})
    return secret


async def _can_sign_in(tx: Tx, name: str) -> bool:
    return bool(
        await tx.con.fetchval(
            "select exists (select from credential where principal = $1 "
            "and coalesce(password_hash, oidc_subject) is not null)",
            name,
        )
    )
