"""Who may do and see what. The one place that turns a token into a principal and a principal into a scope.

Every service verb takes the principal and asks here; every query takes the scope. A foreign id answers NotFound.
"""

import hashlib
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from notifier.errors import Forbidden, Invalid, NotFound, Unauthenticated
from notifier.store.database import Database, Tx
from notifier.store.ids import new_id


class Role(StrEnum):
    SUBMITTER = "submitter"
    REVIEWER = "reviewer"
    REGISTRY = "registry"
    EVALUATOR = "evaluator"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: identity from the principal, role and reach from the token that was shown.

    `organisation` empty: of the house, all programs. `programs` None: every program in that reach.
    `permissions`: what the token carries beside its role; no role implies one, admin neither.
    """

    id: str
    kind: str
    role: Role
    organisation: str = ""
    registry: str | None = None
    programs: frozenset[str] | None = None
    permissions: frozenset[str] = frozenset()

    @property
    def is_person(self) -> bool:
        return self.kind == "person"


DAEMON = "daemon"
DECONFLICT = "deconflict"
PERMISSIONS = (DECONFLICT,)
# A recipient or an evaluator has no part in what is investigated.
_NO_PERMISSIONS = (Role.REGISTRY, Role.EVALUATOR)

_DECIDE = (Role.REVIEWER, Role.ADMIN)
COUNTED = (Role.REVIEWER, Role.EVALUATOR, Role.AUDITOR, Role.ADMIN)  # who may see numbers
_OURS = frozenset({DAEMON, "rehearsal", "demo", "cli", "api"})
_LAST_USE_GRAIN = timedelta(minutes=1)


def local_submitter(user: str) -> Principal:
    """Somebody at the machine's own command line without a token: may submit, nothing else."""
    return Principal(f"local:{user}", "person", Role.SUBMITTER)


def is_of_the_house(who: Principal) -> bool:
    """Whether what belongs to no case is this principal's too: no organisation and no programs bound its reach."""
    return not who.organisation and who.programs is None


def require(who: Principal, *roles: Role) -> None:
    """Raises Forbidden when the principal's role is none of these."""
    if who.role not in roles:
        raise Forbidden(f"your role is {who.role}; this needs {' or '.join(roles)}")


def require_permission(who: Principal, permission: str) -> None:
    """Raises Forbidden when the token that was shown does not carry it."""
    if permission not in who.permissions:
        raise Forbidden(f"this needs a token with the permission {permission}")


def require_person(who: Principal) -> None:
    """Only a person may approve, reject, withdraw or decide."""
    if not who.is_person:
        raise Forbidden("a service may not decide; sign in as a person", code="person_required")


def require_program(who: Principal, program: str, owner: str = "") -> None:
    """Raises NotFound for a program outside the principal's reach: its existence is not told.

    A reviewer or admin of an organisation decides about its own programs, whichever other cases they may see.
    """
    if who.programs is not None and program not in who.programs:
        raise NotFound(f"no program {program!r}", code="unknown_program")
    if who.role in _DECIDE and who.organisation and owner and who.organisation != owner:
        raise NotFound(f"no program {program!r}", code="unknown_program")


@dataclass(frozen=True, slots=True)
class Scope:
    """A condition over `cases c` and its arguments, numbered from `first`."""

    condition: str
    args: tuple[Any, ...]


def case_scope(who: Principal, owned: Collection[str], first: int = 1) -> Scope:
    """Which cases a principal may see: a submitter those of its own reports, other staff those of its organisation.

    `owned`: programs whose owner is the principal's organisation.
    """
    require(who, Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN)
    parts: list[str] = ["true"]
    args: list[Any] = []
    if who.programs is not None:
        args.append(sorted(who.programs))
        parts.append(f"c.program = any(${first + len(args) - 1})")
    if who.role is Role.SUBMITTER:
        args += [who.id, who.organisation]
        me, ours = first + len(args) - 2, first + len(args) - 1
        parts.append(f"exists (select 1 from report r where r.case_id = c.id and {own_report(me, ours)})")
    elif who.organisation:
        args += [who.organisation, sorted(owned)]
        mine, programs = first + len(args) - 2, first + len(args) - 1
        parts.append(
            f"(c.program = any(${programs}) or "
            f"exists (select 1 from report r where r.case_id = c.id and r.organisation = ${mine}))"
        )
    return Scope(" and ".join(parts), tuple(args))


def programs_counted(who: Principal, owned: Collection[str], granted: Mapping[str, bool]) -> dict[str, bool]:
    """Programs whose numbers a principal may see, each with whether it may see the domain names behind them.

    `granted`: what other owners let its organisation see, and with names or not. An evaluator sees names by a grant
    alone; staff of the owner see them anyway. Raises Forbidden for another role.
    """
    require(who, *COUNTED)
    found = dict.fromkeys(owned, who.role is not Role.EVALUATOR)
    if who.role in (Role.EVALUATOR, Role.AUDITOR):
        found |= {program: names or found.get(program, False) for program, names in granted.items()}
    return {program: names for program, names in found.items() if who.programs is None or program in who.programs}


def own_report(me: int, ours: int) -> str:
    """The condition that a report `r` is the principal's own, or one of its organisation's (empty: of the house)."""
    return f"(r.principal = ${me} or r.organisation = ${ours})"


def notice_scope(who: Principal, owned: Collection[str], first: int = 1) -> Scope:
    """Which notices, over `notice n join cases c`: a registry sees what was sent to it, staff what their cases hold."""
    if who.role is Role.REGISTRY:
        return Scope(
            f"n.registry = ${first} and n.state in ('sending', 'sent', 'delivered', 'bounced', 'uncertain', 'superseded') "
            # What nobody has taken to carry it has not left.
            "and not exists (select from task t where t.notice_id = n.id and t.kind = 'webform' "
            "and t.resolved_at is null and t.taken_by is null)",
            (who.registry,),
        )
    return case_scope(who, owned, first)


async def authenticate(db: Database, secret: str) -> Principal:
    """The principal behind a bearer token. Raises Unauthenticated, always with the same words."""
    now = await db.clock.now()
    row = await db.fetchrow(
        "select p.id, p.kind, t.id as token, t.role, t.organisation, t.registry, t.programs, t.permissions, t.last_used_at "
        "from api_token t join principal p on p.id = t.principal "
        "where t.secret_sha256 = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)",
        hashed(secret),
        now,
    )
    if row is None:
        raise Unauthenticated("the token is unknown, expired or revoked")
    if row["last_used_at"] is None or row["last_used_at"] < now - _LAST_USE_GRAIN:  # not a write for every request
        await db.pool.execute("update api_token set last_used_at = $2 where id = $1", row["token"], now)
    return Principal(
        row["id"],
        row["kind"],
        Role(row["role"]),
        row["organisation"],
        row["registry"],
        frozenset(row["programs"]) if row["programs"] is not None else None,
        frozenset(row["permissions"]),
    )


@dataclass(frozen=True, slots=True)
class NewToken:
    id: str
    token: str
    principal: str
    role: Role


async def add_person(db: Database, name: str, *, organisation: str, by: str, via: str = "cli") -> None:
    """Make a person known; one who is known stays as they are. Raises Invalid for a name that cannot be one."""
    _check_name(name)
    async with db.transaction(by, via) as tx:
        await _make_known(tx, name, "person", organisation)
        await tx.audit("principal.added", name, {"kind": "person", "organisation": organisation})


def check_permissions(permissions: Collection[str], role: str, *, service: bool) -> None:
    """Raises Invalid for a permission that is unknown, or that this role or a service never has."""
    if unknown := sorted(set(permissions) - set(PERMISSIONS)):
        raise Invalid(f"permission {unknown[0]!r} is unknown; there is {', '.join(PERMISSIONS)}")
    if permissions and (service or role in _NO_PERMISSIONS):
        raise Invalid("a permission is for a person, and not for the role registry or evaluator")


def _check_name(name: str) -> None:
    """Four eyes compare names, so there is one way to write each, and none can pass for one of our own actors."""
    plain = name == unicodedata.normalize("NFKC", name).strip() and name.isprintable()
    if not plain or not 0 < len(name) <= 200 or ":" in name or name.casefold() in _OURS:
        raise Invalid("a name is plain printable text of at most 200 characters, without a colon or outer blanks")


async def _make_known(tx: Tx, name: str, kind: str, organisation: str) -> None:
    await tx.con.execute(
        "insert into principal (id, kind, organisation, created_at) values ($1, $2, $3, $4) on conflict do nothing",
        name,
        kind,
        organisation,
        tx.now,
    )
    twin = await tx.con.fetchval("select id from principal where lower(id) = lower($1) and id <> $1", name)
    if twin is not None:
        raise Invalid(f"there is {twin!r} already, and four eyes must not be one pair in two spellings")
    known = await tx.con.fetchval("select kind from principal where id = $1", name)
    if known != kind:
        raise Invalid(f"{name!r} is a {known}; four eyes need persons and services to stay apart")


async def add_token(
    db: Database,
    name: str,
    role: str,
    *,
    by: str,
    organisation: str = "",
    registry: str | None = None,
    programs: Collection[str] | None = None,
    service: bool = False,
    expires_at: datetime | None = None,
    permissions: Collection[str] = (),
    via: str = "cli",
) -> NewToken:
    """A new token for the principal `name`, made when new. The secret is returned once and only its hash is kept.

    Raises Invalid for an unknown role or permission, a registry role without registry, or a name whose kind would
    change.
    """
    if role not in set(Role):
        raise Invalid(f"role {role!r} is unknown; it is one of {', '.join(Role)}")
    if (role == Role.REGISTRY) != (registry is not None):
        raise Invalid("a token of role registry names its registry, and only such a token does")
    check_permissions(permissions, role, service=service)
    _check_name(name)
    kind = "service" if service else "person"
    async with db.transaction(by, via) as tx:
        await _make_known(tx, name, kind, organisation)
        return await put_token(
            tx,
            name,
            Role(role),
            organisation=organisation,
            registry=registry,
            programs=programs,
            expires_at=expires_at,
            permissions=permissions,
        )


async def put_token(
    tx: Tx,
    name: str,
    role: Role,
    *,
    organisation: str,
    registry: str | None,
    programs: Collection[str] | None,
    expires_at: datetime | None,
    permissions: Collection[str] = (),
    seat: str | None = None,
    label: str = "",
) -> NewToken:
    """A token of somebody known, checked already. `seat`: made from it by its person, and over with it."""
    made = NewToken(new_id(), "tn_" + secrets.token_urlsafe(32), name, role)
    await tx.con.execute(
        "insert into api_token (id, principal, secret_sha256, role, organisation, registry, programs, created_at, expires_at, "
        "permissions, seat, label) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        made.id,
        name,
        hashed(made.token),
        str(role),
        organisation,
        registry,
        sorted(programs) if programs is not None else None,
        tx.now,
        expires_at,
        sorted(set(permissions)),
        seat,
        label,
    )
    detail: dict[str, Any] = {"principal": name, "role": str(role), "registry": registry}
    if permissions:
        detail["permissions"] = sorted(set(permissions))
    if seat is not None:
        detail["seat"] = seat
    await tx.audit("token.added", made.id, detail)
    return made


def hashed(secret: str) -> bytes:
    """What is kept of a token's, a link's or a session's secret."""
    # A header's bytes outside ASCII come as lone surrogates.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
