"""How a person shows who they are: passwords, codes of an authenticator app, and the limits on trying.

Passwords are kept as Argon2id (RFC 9106 §4, second recommended option), second steps are TOTP (RFC 6238). Whether a code
is right is a matter of real time, since the app that shows it lives outside.
"""

import asyncio
import hashlib
import secrets
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cache

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from notifier.errors import Invalid, TooMany
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.store.database import Tx

PASSWORD_MIN, PASSWORD_MAX = 12, 256
TRIES_WITHIN = timedelta(minutes=15)
TRIES_OF_NAME, TRIES_OF_SOURCE = 5, 50
_STEP_S, _DIGITS = 30, 6  # RFC 6238 §4.1, RFC 4226 §5.3

_hasher = PasswordHasher()
# Each takes 64 MiB and a processor; many at once must not take the whole machine.
_AT_ONCE = asyncio.Semaphore(2)


async def take_code(tx: Tx, name: str, code: str) -> bool:
    """Whether the code is right and was not used; it is then (RFC 6238 §5.2: once only)."""
    row = await tx.con.fetchrow("select totp_secret, totp_used from credential where principal = $1 for update", name)
    step = step_of(row["totp_secret"], code) if row is not None and row["totp_secret"] else None
    if row is None or step is None or (row["totp_used"] is not None and step <= row["totp_used"]):
        return False
    await tx.con.execute("update credential set totp_used = $2 where principal = $1", name, step)
    return True


def step_of(secret: str, code: str) -> int | None:
    """The time step whose code this is: the present one, or one to either side."""
    given = "".join(code.split())
    if len(given) != _DIGITS or not given.isascii():
        return None
    now, totp = int(datetime.now(UTC).timestamp()) // _STEP_S, pyotp.TOTP(secret)
    fitting = [at for at in (now - 1, now, now + 1) if secrets.compare_digest(totp.generate_otp(at), given)]
    return fitting[0] if fitting else None


def check_password(password: str, name: str) -> None:
    """Raises Invalid for a password that is too short, too long, or guessed at once."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Invalid(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters; some words in a row are a good one")
    if password.casefold() in (name.casefold(), password[0].casefold() * len(password)):
        raise Invalid("that password is too easy to guess")


async def hashed_password(password: str) -> str:
    """What is kept of a password."""
    async with _AT_ONCE:
        return await asyncio.to_thread(_hasher.hash, _plain(password))


async def fits(kept: str, password: str) -> bool:
    """Whether this is the password that `kept` was made from."""
    if len(password) > PASSWORD_MAX:
        return False
    async with _AT_ONCE:
        try:
            return await asyncio.to_thread(_hasher.verify, kept, _plain(password))
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether it was made with weaker numbers than those of today."""
    return _hasher.check_needs_rehash(kept)


@cache
def nobody() -> str:
    """What an unknown name is held against, so that it takes as long as a known one."""
    return _hasher.hash(secrets.token_urlsafe(16))


def _plain(password: str) -> bytes:
    """One spelling for what looks the same (NIST SP 800-63B-4 §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


async def keep_password(tx: Tx, name: str, kept: str) -> None:
    """The person's password from now on, hashed already."""
    await tx.con.execute(
        "insert into credential (principal, password_hash) values ($1, $2) "
        "on conflict (principal) do update set password_hash = excluded.password_hash",
        name,
        kept,
    )
    await tx.audit("person.password_set", name, {})


async def count_try(ctx: Context, name: str, source: str) -> None:
    """One try for a name, from an address; empty: none is known. Raises TooMany.

    It counts before it is known whether the password is right, so that many at once are counted too.
    """
    async with ctx.db.transaction(DAEMON, "page") as tx:
        name_hash = _name_hash(name)
        await tx.con.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name_hash.hex())
        row = await tx.con.fetchrow(
            "select count(*) filter (where name_sha256 = $1) as of_name, count(*) filter (where source = $2) as of_source, "
            "min(at) as oldest from failed_sign_in where (name_sha256 = $1 or (source = $2 and $2 <> '')) and at > $3",
            name_hash,
            source[:100],
            tx.now - TRIES_WITHIN,
        )
        if row["of_name"] >= TRIES_OF_NAME or row["of_source"] >= TRIES_OF_SOURCE:
            wait = int((row["oldest"] + TRIES_WITHIN - tx.now).total_seconds()) + 1
            minutes = -(-wait // 60)
            raise TooMany(f"too many tries; wait {minutes} minutes and try again", retry_after=wait)
        await tx.con.execute(
            "insert into failed_sign_in (name_sha256, source, at) values ($1, $2, $3)", name_hash, source[:100], tx.now
        )
        await tx.con.execute("delete from failed_sign_in where at < $1", tx.now - timedelta(days=1))


async def forget_tries(tx: Tx, name: str) -> None:
    """The right password was given: what was tried for this name before counts no more."""
    await tx.con.execute("delete from failed_sign_in where name_sha256 = $1", _name_hash(name))


def _name_hash(name: str) -> bytes:
    return hashlib.sha256(name.strip().casefold().encode("utf-8", "surrogatepass")).digest()
