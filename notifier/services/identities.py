"""Signing in by an identity provider: a try that belongs to one browser, and the person an identity was tied to.

An identity signs somebody in only after it was tied: by the invitation of that person, or by the person when signed in.
Whoever else comes is refused, whatever the provider says of them: names and mail addresses of a provider prove nothing here.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from notifier.errors import Conflict, NotFound, TooMany, Unauthenticated
from notifier.net.oidc import Identity, Provider, Refused
from notifier.services import sign_in
from notifier.services.access import DAEMON, hashed
from notifier.services.context import Context
from notifier.services.sign_in import Visitor
from notifier.store.database import AlreadyThere, Tx

TRY_FOR = timedelta(minutes=10)
_MOST_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and the state that a cookie of it keeps."""

    address: str
    state: str


@dataclass(frozen=True, slots=True)
class Came:
    """A try that came back well: the secret of a new session, None where an identity was tied to who is signed in."""

    secret: str | None
    back: str


def offered(ctx: Context) -> str | None:
    """The name of the provider on our pages; None without one."""
    return ctx.settings.oidc_name if ctx.oidc is not None else None


async def begin(ctx: Context, back: str, *, invitation: str | None = None, visit: Visitor | None = None) -> Begun:
    """A try: to sign in, with an `invitation` to take that up, with a `visit` to tie an identity to its person.

    Raises NotFound without a provider or for an invitation that is over, Unavailable, TooMany.
    """
    provider = _provider(ctx)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    address = await provider.address(state, nonce, verifier)
    async with ctx.db.transaction(DAEMON, "page") as tx:
        await tx.con.execute("delete from oidc_try where began_at < $1", tx.now - TRY_FOR)
        if await tx.con.fetchval("select count(*) from oidc_try") >= _MOST_TRIES:
            raise TooMany("too many people sign in at once; wait a few minutes", retry_after=60)
        if invitation is not None:
            await sign_in.invited_person(tx, hashed(invitation))
        await tx.con.execute(
            "insert into oidc_try (state_sha256, nonce, verifier, back_to, began_at, invitation, principal) "
            "values ($1, $2, $3, $4, $5, $6, $7)",
            _hash(state),
            nonce,
            verifier,
            back,
            tx.now,
            hashed(invitation) if invitation is not None else None,
            visit.who.id if visit is not None else None,
        )
    return Begun(address, state)


async def came_back(
    ctx: Context, state: str, kept: str, code: str | None, issuer: str | None, source: str, agent: str
) -> Came:
    """What the provider's answer leads to. `kept`: the state in the browser's cookie.

    A try is over whatever becomes of it. Raises Unauthenticated (foreign, old or used try, no proof, unknown identity),
    Conflict (an identity that is somebody else's), Unavailable.
    """
    provider = _provider(ctx)
    if not state or not hmac.compare_digest(state.encode(), kept.encode()):
        raise Unauthenticated("this sign-in began in another browser; begin again here")
    async with ctx.db.transaction(DAEMON, "page") as tx:
        row = await tx.con.fetchrow(
            "delete from oidc_try where state_sha256 = $1 returning nonce, verifier, back_to, began_at, invitation, principal",
            _hash(state),
        )
        now = tx.now
    if row is None or row["began_at"] < now - TRY_FOR:
        raise Unauthenticated("this sign-in is over or was used; begin again")
    if code is None:
        raise Refused("the identity provider did not let you in")
    found = await provider.identity(code, row["verifier"], row["nonce"], issuer)
    if row["principal"] is not None:
        async with ctx.db.transaction(row["principal"], "page") as tx:
            await _tie(tx, row["principal"], found)
        return Came(None, row["back_to"])
    if row["invitation"] is not None:
        return Came(await _accepted(ctx, row["invitation"], found, source, agent), row["back_to"])
    name = await ctx.db.fetchval(
        "select principal from credential where oidc_issuer = $1 and oidc_subject = $2", found.issuer, found.subject
    )
    if name is None:
        raise Unauthenticated(
            "nobody here has this identity yet. Open the link of your invitation and choose the provider there, or sign in with "
            "your password and tie it to your account",
            code="unknown_identity",
        )
    async with ctx.db.transaction(name, "page") as tx:
        return Came(await sign_in.begin(tx, name, "oidc", source, agent), row["back_to"])


async def _accepted(ctx: Context, invitation: bytes, found: Identity, source: str, agent: str) -> str:
    async with ctx.db.transaction(DAEMON, "page") as tx:
        name = await sign_in.invited_person(tx, invitation)
    async with ctx.db.transaction(name, "page") as tx:  # in their name, and used up only if all goes well
        await sign_in.use_invitation(tx, invitation)
        await _tie(tx, name, found)
        return await sign_in.begin(tx, name, "oidc", source, agent)


async def _tie(tx: Tx, name: str, found: Identity) -> None:
    try:
        async with tx.con.transaction():
            await tx.con.execute(
                "insert into credential (principal, oidc_issuer, oidc_subject) values ($1, $2, $3) "
                "on conflict (principal) do update set oidc_issuer = $2, oidc_subject = $3",
                name,
                found.issuer,
                found.subject,
            )
    except AlreadyThere:
        raise Conflict("this identity is somebody else's here", code="identity_taken") from None
    # Whose identity it is at the provider is nobody's business who reads the log.
    await tx.audit("person.identity_tied", name, {"issuer": found.issuer})


async def untie(ctx: Context, visit: Visitor) -> None:
    """The identity signs this person in no more. Raises Conflict when there is no password to sign in with."""
    async with ctx.db.transaction(visit.who.id, "page") as tx:
        done = await tx.con.fetchval(
            "update credential set oidc_issuer = null, oidc_subject = null "
            "where principal = $1 and oidc_subject is not null and password_hash is not null returning principal",
            visit.who.id,
        )
        if done is None:
            raise Conflict("it is the only way in which you sign in; an admin sends you a link to set a password")
        await tx.audit("person.identity_untied", visit.who.id, {})


async def is_tied(ctx: Context, visit: Visitor) -> bool:
    """Whether the person has an identity of the provider."""
    return bool(
        await ctx.db.fetchval(
            "select oidc_subject is not null from credential where principal = $1 and oidc_issuer = $2",
            visit.who.id,
            ctx.oidc.issuer if ctx.oidc else "",
        )
    )


def _provider(ctx: Context) -> Provider:
    if ctx.oidc is None:
        raise NotFound("there is nothing under this address")
    return ctx.oidc


def _hash(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()
