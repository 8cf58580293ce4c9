"""Appeals from outside: anybody may file one about any name, and learns nothing by it.

Filing does the same work and writes the same rows whatever we hold about the name; what it is about is found by a job.
Nothing is told before control of the name was shown, or the secret of the registrant's notice was given. No name of a
reporter or of staff is ever in anything that this module returns.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from notifier.domain.appeal import AppealState, Proof, TakenBack
from notifier.domain.jobs import Job, JobKind, Timer
from notifier.domain.names import parse
from notifier.domain.outcome import PROVEN
from notifier.domain.safety import assess
from notifier.errors import Conflict, NotFound, Refused
from notifier.net.control import LABEL
from notifier.services import hearing, links, quotas, reasons
from notifier.services.context import Context
from notifier.services.quotas import Limit
from notifier.store import appeals as store
from notifier.store import cases as case_store
from notifier.store.appeals import Statement
from notifier.store.database import Connection, Tx, storable
from notifier.store.ids import as_uuid, new_id
from notifier.translations import ENGLISH

PUBLIC = "public"  # who files, in the log
FIRST_PROOF = timedelta(minutes=10)
_NO_LINK = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Filing:
    """What somebody files. `evidence`: what they point at, each with `text` or `url`."""

    domain: str
    grounds: str
    contact: str
    reference: str | None = None
    evidence: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of ours about the name, as its registrant may read it. `asked_of`: an organisation.

    `outcome`, `reasons` and `decided_at` are of the appeal. `undo`: what became of what was taken back. `statement`: why we
    asked in the first place.
    """

    reference: str
    case_id: str
    program: str
    domain: str
    measure: str
    asked_of: str
    asked_at: datetime | None
    state: AppealState
    filed_at: datetime
    acknowledged_at: datetime | None
    decide_by: datetime | None
    outcome: str | None
    reasons: str | None
    decided_at: datetime | None
    undo: str
    statement: Mapping[str, Any] | None
    statement_text: str


@dataclass(frozen=True, slots=True)
class Status:
    """What the secret of a statement opens. `record_name`, `record_value`: the TXT record that shows control.

    `decisions` is empty until control was shown, and also where there is nothing about the name.
    """

    domain: str
    filed_at: datetime
    proven: Proof | None
    record_name: str | None
    record_value: str
    decisions: tuple[Decision, ...]


async def file(ctx: Context, said: Filing, source: str, *, via: str = "api") -> str:
    """Keep what was filed; the secret that opens its status. `source`: the address that it came from.

    Raises TooMany, the same for every name.
    """
    link = links.appeal_link(said.reference or "")
    name = control_name(ctx, said.domain)
    secret = secrets.token_hex(16)
    async with ctx.db.transaction(PUBLIC, via) as tx:
        notice_id = await store.told_notice(tx.con, _proved(ctx, link), name)
        await quotas.count(tx, _limits(ctx, source, name or said.domain, by_link=notice_id is not None))
        made = _statement(said, name, notice_id, tx.now, via)
        await store.insert_statement(tx.con, made, _hash(secret))
        if notice_id is not None:
            await store.prove(tx.con, made.id, Proof.NOTICE, tx.now)
        await tx.audit("appeal.filed", made.id, {"sha256": made.sha256})
        await tx.enqueue(Job(JobKind.APPEAL_MATCH, made.id))
        await tx.plan(Timer(JobKind.APPEAL_PROVE, made.id, tx.now + FIRST_PROOF))
    return secret


async def refuse_csam(ctx: Context, content: bytes) -> None:
    """Note that something marked as child sexual abuse material was refused: hash and time alone."""
    async with ctx.db.transaction(PUBLIC) as tx:
        await tx.audit("appeal.refused", hashlib.sha256(content).hexdigest(), {"code": "csam_refused"})


def control_name(ctx: Context, given: str) -> str | None:
    """The name whose holder may be heard: the registrable one, or on shared ground the site's own. None: it is none."""
    try:
        return assess(parse(given, ctx.catalog.suffixes), ctx.catalog.lists).target.name
    except Refused:
        return None


def _proved(ctx: Context, link: tuple[str, str] | None) -> str | None:
    """The notice whose registrant's secret was given; compared also where none was, so that it takes the same time."""
    notice_id, secret = link or (_NO_LINK, "")
    good = hmac.compare_digest(secret.encode(), links.appeal_secret(ctx.reply_key, notice_id).encode())
    return notice_id if good and as_uuid(notice_id) is not None else None


def _limits(ctx: Context, source: str, name: str, *, by_link: bool) -> list[Limit]:
    """What a filing counts against. Whoever has the notice's secret is not kept out by others who name the same name."""
    settings = ctx.settings
    address = f"appeal:{links.blinded(ctx.reply_key, _network(source))}"
    whose = f"appeal-{'link' if by_link else 'name'}:{links.blinded(ctx.reply_key, storable(name))}"
    return [
        Limit(address, "minute", settings.appeal_quota_address_minute, "appeals from your address"),
        Limit(address, "day", settings.appeal_quota_address_day, "appeals from your address"),
        Limit(whose, "day", settings.appeal_quota_name_day, "appeals about this name"),
        Limit("appeal:all", "day", settings.appeal_quota_day, "appeals today"),
    ]


def _network(source: str) -> str:
    """Who has one address of IPv6 has 2^64 of them (RFC 6177)."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else address.exploded[:19]
    return str(address)


def _statement(said: Filing, name: str | None, notice_id: str | None, now: datetime, via: str) -> Statement:
    evidence = [{key: storable(value) for key, value in item.items()} for item in said.evidence]
    told: dict[str, Any] = {
        "given": storable(said.domain),
        "reference": storable(links.masked(said.reference)) if said.reference else None,
        "grounds": storable(said.grounds),
        "contact": storable(said.contact),
        "evidence": evidence,
    }
    sha256 = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return Statement(id=new_id(), name=name, notice_id=notice_id, sha256=sha256, via=via, filed_at=now, **told)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


# --- the registrant's notice --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invited:
    """What the link of a registrant's notice shows before anything is filed: the link is proof enough.

    `asked_of`: an organisation. `done`: whether we saw from outside that what we asked for was done. `undo`: what became of
    it when we took it back. `statement_text`: why we asked. The waits are working days, None where the program counts
    otherwise.
    """

    domain: str
    reference: str
    program: str
    measure: str
    asked_of: str
    asked_at: datetime | None
    done: bool
    undo: str
    statement_text: str
    first_word_days: int | None
    decision_days: int | None


async def invited(ctx: Context, notice_id: str, secret: str, language: str = ENGLISH) -> Invited:
    """Raises NotFound: no such link, or its notice never left."""
    known = _proved(ctx, (notice_id, secret))
    async with ctx.db.pool.acquire() as con:
        row = await con.fetchrow(
            "select n.domain, n.measure, n.sent_at, n.case_id, n.content->>'recipient_name' as recipient, c.reference, "
            "c.program, c.undo, exists (select from claim k where k.notice_id = n.id and k.verdict = any($2)) as done "
            "from notice n join cases c on c.id = n.case_id where n.id = $1 "
            "and n.state in ('sent', 'delivered', 'superseded', 'uncertain')",
            known,
            [str(verdict) for verdict in PROVEN],
        )
        if row is None or known is None:
            raise NotFound("this link is not valid")
        why = await reasons.for_registrant(ctx, con, str(row["case_id"]), known, language)
    program = ctx.program(row["program"])
    return Invited(
        domain=row["domain"],
        reference=row["reference"],
        program=program.name,
        measure=row["measure"],
        asked_of=row["recipient"],
        asked_at=row["sent_at"],
        done=row["done"],
        undo=row["undo"],
        statement_text=reasons.text(ctx, why, language) if why else "",
        first_word_days=program.acknowledge_appeal.working_days or None,
        decision_days=program.decide_appeal.working_days or None,
    )


# --- status -------------------------------------------------------------------------------------------------------


async def status(ctx: Context, secret: str, language: str = ENGLISH) -> Status:
    """What whoever filed may know by now, its statements in a language. Raises NotFound, the same for every wrong secret."""
    async with ctx.db.pool.acquire() as con:
        made = await _by_secret(con, secret)
        proof = await store.proof_of(con, made.id)
        decisions = await _decisions(ctx, con, made.id, language) if proof else ()
    return Status(
        domain=made.given,
        filed_at=made.filed_at,
        proven=proof,
        record_name=f"{LABEL}.{made.name}" if made.name else None,
        record_value=record_value(ctx, made.id),
        decisions=decisions,
    )


def record_value(ctx: Context, statement_id: str) -> str:
    return f"trusted-notifier={links.control_token(ctx.reply_key, statement_id)}"


async def check(ctx: Context, secret: str) -> None:
    """Look for the record now, and for what the statement is about. Raises NotFound, TooMany."""
    async with ctx.db.transaction(PUBLIC) as tx:
        made = await _by_secret(tx.con, secret)
        of = f"appeal-check:{made.id}"
        await quotas.count(tx, [Limit(of, "minute", 3, "checks"), Limit(of, "day", 100, "checks")])
        await tx.enqueue(Job(JobKind.APPEAL_PROVE, made.id), Job(JobKind.APPEAL_MATCH, made.id))


async def take_back(ctx: Context, secret: str) -> None:
    """End what was filed, where control was shown. Raises NotFound, and Conflict when there is nothing to end."""
    async with ctx.db.pool.acquire() as con:
        made = await _by_secret(con, secret)
        rows = await con.fetch(
            "select a.id, a.case_id from appeal a join appeal_part p on p.appeal_id = a.id "
            "join appeal_proof f on f.statement_id = p.statement_id "
            "where p.statement_id = $1 and a.state in ('filed', 'in_review') order by a.case_id",
            made.id,
        )
    if not rows:
        raise Conflict("there is nothing that could be taken back", code="appeal_over")
    for row in rows:
        async with ctx.db.transaction(PUBLIC) as tx:
            await _take_back(ctx, tx, str(row["case_id"]), str(row["id"]), made.id)


async def _take_back(ctx: Context, tx: Tx, case_id: str, appeal_id: str, statement_id: str) -> None:
    case = await case_store.lock(tx.con, case_id)
    appeal = await store.lock(tx.con, appeal_id)
    if case is None or appeal is None or not appeal.is_open:
        return
    step = appeal.apply(TakenBack(statement_id), tx.now)
    await hearing.save(tx, step)
    await hearing.stands(ctx, tx, case, step.appeal)


async def _by_secret(con: Connection, secret: str) -> Statement:
    made = await store.by_secret(con, _hash(secret))
    if made is None:
        raise NotFound("this link is not valid")
    return made


async def _decisions(ctx: Context, con: Connection, statement_id: str, language: str) -> tuple[Decision, ...]:
    rows = await con.fetch(
        "select c.id as case_id, n.case_id as asked_by, a.notice_id, c.reference, c.program, c.undo, n.domain, n.measure, "
        "n.sent_at, n.content->>'recipient_name' as recipient, a.state, a.filed_at, a.taken_at, a.decide_due, d.outcome, "
        "d.reasons, d.at as decided_at from appeal_part p join appeal a on a.id = p.appeal_id join cases c on c.id = a.case_id "
        "join notice n on n.id = a.notice_id left join appeal_decision d on d.appeal_id = a.id "
        "where p.statement_id = $1 order by a.filed_at, a.id",
        statement_id,
    )
    return tuple([await _decision(ctx, con, row, language) for row in rows])


async def _decision(ctx: Context, con: Connection, row: Any, language: str) -> Decision:
    # The request may have been sent by a case that was merged into the one that the appeal is about.
    why = await reasons.for_registrant(ctx, con, str(row["asked_by"]), str(row["notice_id"]), language)
    return Decision(
        reference=row["reference"],
        case_id=str(row["case_id"]),
        program=ctx.program(row["program"]).name,
        domain=row["domain"],
        measure=row["measure"],
        asked_of=row["recipient"],
        asked_at=row["sent_at"],
        state=AppealState(row["state"]),
        filed_at=row["filed_at"],
        acknowledged_at=row["taken_at"] or row["decided_at"],
        decide_by=row["decide_due"],
        outcome=row["outcome"],
        reasons=row["reasons"],
        decided_at=row["decided_at"],
        undo=row["undo"],
        statement=why,
        statement_text=reasons.text(ctx, why, language) if why else "",
    )
