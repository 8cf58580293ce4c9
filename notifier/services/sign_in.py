"""How people sign in: what they show, the sessions that come of it and can be ended, and links that let them begin.

How long a session lasts is business time.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp

from notifier.errors import Conflict, Invalid, NotFound, Unauthenticated
from notifier.services import access, credentials, people
from notifier.services.access import DAEMON, Principal, Role, hashed
from notifier.services.context import Context
from notifier.services.people import Seat
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid, new_id

SESSION_FOR = timedelta(hours=12)
IDLE_FOR = timedelta(hours=2)
_SEEN_GRAIN = timedelta(minutes=1)
_DECIDE = (Role.REVIEWER, Role.ADMIN)

_WRONG = "the name, the password or the code is wrong"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page: the principal that acts, the session, and the person's other seats."""

    who: Principal
    session: str
    seat: Seat
    seats: Sequence[Seat]
    how: str
    has_second_step: bool
    owes_second_step: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """Who an invitation is for; `name` None: whoever opens it, as first admin."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One session of a person, as they see it themselves. `ours`: the one they look from."""

    id: str
    how: str
    source: str
    agent: str
    began_at: datetime
    seen_at: datetime
    ours: bool


async def sign_in(ctx: Context, name: str, password: str, code: str, source: str, agent: str) -> str:
    """A session's secret. Raises Unauthenticated, TooMany; both say the same of a name that nobody has."""
    name = name.strip()
    await credentials.count_try(ctx, name, source)
    row = await ctx.db.fetchrow(
        "select p.id, c.password_hash, c.totp_secret from principal p join credential c on c.principal = p.id "
        "where lower(p.id) = lower($1) and p.kind = 'person'",
        storable(name),
    )
    known = row["password_hash"] if row is not None else None
    right = await credentials.fits(known or credentials.nobody(), password)
    if row is None or known is None or not right:
        raise Unauthenticated(_WRONG)
    async with ctx.db.transaction(row["id"], "page") as tx:
        if row["totp_secret"] is not None and not await credentials.take_code(tx, row["id"], code):
            raise Unauthenticated(_WRONG if code else "write the code of your authenticator app too")
        await credentials.forget_tries(tx, name)
        if credentials.is_outdated(known):
            await credentials.keep_password(tx, row["id"], await credentials.hashed_password(password))
        return await begin(tx, row["id"], "password", source, agent)


async def begin(tx: Tx, name: str, how: str, source: str, agent: str) -> str:
    """A new session in the person's first seat; its secret. Raises Unauthenticated for somebody without one."""
    seat = await tx.con.fetchval(
        "select id from seat where principal = $1 and ended_at is null order by given_at, id limit 1", name
    )
    if seat is None:
        raise Unauthenticated("you have no role here any more; ask an admin")
    secret, session_id = secrets.token_urlsafe(32), new_id()
    await tx.con.execute(
        "insert into session (id, secret_sha256, principal, seat, how, source, agent, began_at, seen_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        session_id,
        hashed(secret),
        name,
        seat,
        how,
        source[:100],
        storable(agent)[:200],
        tx.now,
    )
    await tx.audit("session.began", name, {"session": session_id, "how": how})
    return secret


async def visitor(ctx: Context, secret: str) -> Visitor:
    """Who is behind a session. Raises Unauthenticated when it is unknown, over, or its seat is."""
    now = await ctx.db.clock.now()
    row = await ctx.db.fetchrow(
        "select s.id as session, s.how, s.seen_at, t.*, c.totp_secret is not null as has_second_step "
        "from session s join seat t on t.id = s.seat left join credential c on c.principal = s.principal "
        "where s.secret_sha256 = $1 and s.ended_at is null and t.ended_at is null and s.began_at > $2 and s.seen_at > $3",
        hashed(secret),
        now - SESSION_FOR,
        now - IDLE_FOR,
    )
    if row is None:
        raise Unauthenticated("your session is over; sign in again")
    seats = await ctx.db.fetch(
        "select * from seat where principal = $1 and ended_at is null order by given_at, id", row["principal"]
    )
    if row["seen_at"] < now - _SEEN_GRAIN:  # not a write for every page
        await ctx.db.pool.execute("update session set seen_at = $2 where id = $1", row["session"], now)
    seat = Seat.of(row)
    owes = (
        ctx.settings.second_step == "on"
        and seat.reach.role in _DECIDE
        and row["how"] != "oidc"  # there the provider asks
        and not row["has_second_step"]
    )
    who = seat.as_principal()
    return Visitor(
        who, str(row["session"]), seat, [Seat.of(s) for s in seats], row["how"], row["has_second_step"], owes
    )


async def change_seat(ctx: Context, visit: Visitor, seat_id: str) -> None:
    """Act from another of one's own seats. Raises NotFound."""
    if not any(seat.id == seat_id for seat in visit.seats):
        raise NotFound("you have no such seat")
    await ctx.db.pool.execute("update session set seat = $2 where id = $1", visit.session, seat_id)


async def sign_out(ctx: Context, visit: Visitor, session_id: str | None = None) -> None:
    """End this session, or another one of the same person. Raises NotFound."""
    async with ctx.db.transaction(visit.who.id, "page") as tx:
        wanted = session_id or visit.session
        ended = as_uuid(wanted) and await tx.con.fetchval(
            "update session set ended_at = $3 where id = $1 and principal = $2 and ended_at is null returning id",
            wanted,
            visit.who.id,
            tx.now,
        )
        if not ended:
            raise NotFound("you have no such session")
        await tx.audit("session.ended", visit.who.id, {"session": wanted})


async def sessions(ctx: Context, visit: Visitor) -> list[Session]:
    """The person's sessions that still run, the newest first."""
    now = await ctx.db.clock.now()
    rows = await ctx.db.fetch(
        "select id, how, source, agent, began_at, seen_at from session where principal = $1 and ended_at is null "
        "and began_at > $2 and seen_at > $3 order by seen_at desc, id",
        visit.who.id,
        now - SESSION_FOR,
        now - IDLE_FOR,
    )
    return [
        Session(
            str(r["id"]),
            r["how"],
            r["source"],
            r["agent"],
            r["began_at"],
            r["seen_at"],
            str(r["id"]) == visit.session,
        )
        for r in rows
    ]


# --- invitations --------------------------------------------------------------------------------------------------


async def invited(ctx: Context, secret: str) -> Invited:
    """Who a link is for. Raises NotFound for one that is unknown, used or too old."""
    async with ctx.db.transaction(DAEMON, "page") as tx:
        return Invited(await _invited(tx, secret))


async def accept(ctx: Context, secret: str, name: str, password: str, source: str, agent: str) -> str:
    """Set a password by a link, and sign in. `name` counts only for the first admin. Raises NotFound, Invalid."""
    async with ctx.db.transaction(DAEMON, "page") as tx:
        its = await _invited(tx, secret)
    wanted = its or name.strip()
    credentials.check_password(password, wanted)
    kept = await credentials.hashed_password(password)
    if its is None:
        await access.add_person(ctx.db, wanted, organisation="", by="daemon")
    async with ctx.db.transaction(wanted, "page") as tx:
        if await _invited(tx, secret) != its:
            raise NotFound("this link was used")
        await tx.con.execute("update invitation set used_at = $2 where secret_sha256 = $1", hashed(secret), tx.now)
        if its is None:
            if await people.has_admin(tx):
                raise Conflict("there is an admin already, who invites everybody else")
            await people.give_first(tx, wanted)
        await credentials.keep_password(tx, wanted, kept)
        return await begin(tx, wanted, "invitation", source, agent)


async def invited_person(tx: Tx, secret_sha256: bytes) -> str:
    """Whom a link is for. Raises NotFound, also for the first admin's, who sets a password."""
    name = await _invited_by(tx, secret_sha256)
    if name is None:
        raise NotFound("the first admin sets a password", code="no_link")
    return name


async def use_invitation(tx: Tx, secret_sha256: bytes) -> None:
    """Use up a link. Raises NotFound for one that was."""
    await invited_person(tx, secret_sha256)
    await tx.con.execute("update invitation set used_at = $2 where secret_sha256 = $1", secret_sha256, tx.now)


async def _invited(tx: Tx, secret: str) -> str | None:
    return await _invited_by(tx, hashed(secret))


async def _invited_by(tx: Tx, secret_sha256: bytes) -> str | None:
    row = await tx.con.fetchrow(
        "select principal from invitation where secret_sha256 = $1 and used_at is null and expires_at > $2 for update",
        secret_sha256,
        tx.now,
    )
    if row is None:
        raise NotFound("this link is unknown, was used, or is too old; ask an admin for a new one", code="no_link")
    name: str | None = row["principal"]
    return name


# --- passwords and second steps -----------------------------------------------------------------------------------


async def change_password(ctx: Context, visit: Visitor, old: str, new: str) -> None:
    """Every other session of the person ends. Raises Invalid, Unauthenticated, TooMany."""
    await credentials.count_try(ctx, visit.who.id, "")
    known = await ctx.db.fetchval("select password_hash from credential where principal = $1", visit.who.id)
    if not await credentials.fits(known or credentials.nobody(), old) or known is None:
        raise Unauthenticated("that is not your present password")
    credentials.check_password(new, visit.who.id)
    kept = await credentials.hashed_password(new)
    async with ctx.db.transaction(visit.who.id, "page") as tx:
        await credentials.keep_password(tx, visit.who.id, kept)
        await credentials.forget_tries(tx, visit.who.id)
        await tx.con.execute(
            "update session set ended_at = $3 where principal = $1 and id <> $2 and ended_at is null",
            visit.who.id,
            visit.session,
            tx.now,
        )


async def offer_second_step(ctx: Context, visit: Visitor) -> str:
    """The secret to put into an authenticator app; it counts once a code of it was given. Raises Conflict."""
    async with ctx.db.transaction(visit.who.id, "page") as tx:
        row = await tx.con.fetchrow(
            "select totp_secret, totp_pending from credential where principal = $1 for update", visit.who.id
        )
        if row is None or row["totp_secret"] is not None:
            raise Conflict("you have a second step; an admin sends you a new link if you lost it")
        pending: str = row["totp_pending"] or pyotp.random_base32()
        await tx.con.execute("update credential set totp_pending = $2 where principal = $1", visit.who.id, pending)
        return pending


def address_of(ctx: Context, visit: Visitor, secret: str) -> str:
    """The `otpauth:` address that authenticator apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=visit.who.id, issuer_name=ctx.settings.organisation)


async def confirm_second_step(ctx: Context, visit: Visitor, code: str) -> None:
    """Take the offered secret into use. Raises Invalid for a code that is not of it."""
    async with ctx.db.transaction(visit.who.id, "page") as tx:
        pending = await tx.con.fetchval(
            "select totp_pending from credential where principal = $1 and totp_secret is null for update", visit.who.id
        )
        step = credentials.step_of(pending, code) if pending else None
        if step is None:
            raise Invalid("that is not the code that the app shows now; look at the clock of your telephone too")
        await tx.con.execute(
            "update credential set totp_secret = totp_pending, totp_pending = null, totp_used = $2 where principal = $1",
            visit.who.id,
            step,
        )
        await tx.audit("person.second_step_set", visit.who.id, {})
