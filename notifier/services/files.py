"""Files of a case: handed out as attachments, held for a court, erased when their time is over."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from notifier.domain.case_state import ENDED, OPEN
from notifier.domain.evidence import Evidence
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.manifest import Manifest
from notifier.errors import Conflict, NotFound
from notifier.services import access, gathering, keeping, reading, review
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.store import blobs
from notifier.store import cases as case_store
from notifier.store import files as file_store
from notifier.store.database import Tx, storable
from notifier.store.files import Held

_STAFF = (Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR)
_AFTER_A_HOLD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a notice rests on: the manifest that it names, an authority's stamp on it, and the files that are here."""

    body: str
    sha256: str
    stamp: bytes | None
    files: tuple[Held, ...]


async def may_add(ctx: Context, who: Principal, case_id: str) -> None:
    """Before a byte is taken: whether this principal may add files to this case now. Raises as `add_evidence` would."""
    access.require(who, Role.SUBMITTER, Role.REVIEWER)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
    if case.state not in OPEN:
        raise Conflict(f"the case is {case.state}, and takes no more evidence")


async def manifest_of(ctx: Context, who: Principal, case_id: str) -> Manifest:
    """What the case holds now, as one document. For reviewers and auditors: it lists what other reporters gave."""
    access.require(who, Role.REVIEWER, Role.AUDITOR)
    async with ctx.db.pool.acquire() as con:
        case = await review.visible(ctx, con, who, case_id)
        return await keeping.manifest_of(con, case, await gathering.captures_of(con, case))


async def refuse_csam(ctx: Context, sha256: str) -> None:
    """Note that something marked as child sexual abuse material was refused: hash and time, and not from whom."""
    async with ctx.db.transaction(access.DAEMON) as tx:
        await tx.audit("evidence.refused", sha256, {"code": "csam_refused"})


async def missing(ctx: Context, case_id: str, items: Sequence[Evidence]) -> list[str]:
    """Digests that evidence items name, and no file of the case has."""
    async with ctx.db.pool.acquire() as con:
        held = {file.sha256 for file in await file_store.of_case(con, case_id)}
    named = (getattr(item, "sha256", None) for item in items)
    return sorted({sha256 for sha256 in named if sha256 is not None and sha256 not in held})


async def hand_out(
    ctx: Context, who: Principal, case_id: str, sha256: str, *, via: str = "api"
) -> tuple[Held, AsyncIterator[bytes]]:
    """One file of a case, to its staff; a submitter gets what its own side gave, and our captures of its pages.

    Every hand-out is in the log. Raises NotFound, also for a file that was erased.
    """
    access.require(who, *_STAFF)
    async with ctx.db.transaction(who.id, via) as tx:
        await review.visible(ctx, tx.con, who, case_id)
        held = await file_store.one_of_case(tx.con, case_id, sha256)
        if held is None or held.erased_at is not None or not await _may_have(tx, who, case_id, held):
            raise NotFound(f"the case holds no file {sha256}")
        await tx.audit("file.handed_out", sha256, {}, case_id)
    return held, blobs.checked(ctx.blobs, sha256)


async def _may_have(tx: Tx, who: Principal, case_id: str, held: Held) -> bool:
    if who.role is not Role.SUBMITTER or held.supplied_by == who.id:
        return True
    own = access.own_report(2, 3)
    return bool(
        await tx.con.fetchval(
            "select exists (select from report r where r.case_id = $1 "
            f"and {own} and (r.principal = $4 or exists (select from capture k where k.case_id = r.case_id "
            "and k.url = any(r.urls) and $5 in (k.warc_sha256, k.picture_sha256))))",
            case_id,
            who.id,
            who.organisation,
            held.supplied_by,
            held.sha256,
        )
    )


async def bundle(ctx: Context, who: Principal, notice_id: str, *, via: str = "api") -> Bundle:
    """What a notice rests on, for its recipient and for staff. Raises NotFound for a notice outside one's reach."""
    access.require(who, Role.REGISTRY, Role.REVIEWER, Role.AUDITOR)
    await reading.notice(ctx, who, notice_id)
    async with ctx.db.transaction(who.id, via) as tx:
        row = await tx.con.fetchrow(
            "select m.body, m.sha256, m.stamp, n.case_id from manifest m join notice n on n.id = m.notice_id "
            "where n.id = $1",
            notice_id,
        )
        if row is None:
            raise NotFound(f"the notice {notice_id!r} rests on no evidence of its own")
        held = await file_store.of_notice(tx.con, str(row["case_id"]), row["body"])
        await tx.audit("evidence.handed_out", notice_id, {"manifest": row["sha256"]}, str(row["case_id"]))
    return Bundle(row["body"], row["sha256"], row["stamp"], tuple(f for f in held if f.erased_at is None))


async def picture(
    ctx: Context, who: Principal, notice_id: str, sha256: str, *, via: str = "page"
) -> tuple[Held, AsyncIterator[bytes]]:
    """A screenshot that our own browser made and the notice rests on, for its recipient. Raises NotFound for any other
    file: what somebody sent is never shown, only handed out closed."""
    access.require(who, Role.REGISTRY)
    await reading.notice(ctx, who, notice_id)
    async with ctx.db.transaction(who.id, via) as tx:
        row = await tx.con.fetchrow(
            "select m.body, n.case_id from manifest m join notice n on n.id = m.notice_id where n.id = $1 "
            "and exists (select from capture k where k.case_id = n.case_id and k.picture_sha256 = $2)",
            notice_id,
            storable(sha256),
        )
        files = await file_store.of_notice(tx.con, str(row["case_id"]), row["body"]) if row else []
        held = next((f for f in files if f.sha256 == sha256 and f.erased_at is None), None)
        if row is None or held is None or held.media_type != "image/png":
            raise NotFound("the notice rests on no such picture")
        await tx.audit("file.handed_out", sha256, {"notice": notice_id}, str(row["case_id"]))
    return held, blobs.checked(ctx.blobs, sha256)


# --- retention ----------------------------------------------------------------------------------------------------


async def erase(ctx: Context, case_id: str) -> None:
    """Erase what no case needs any more, when a case's retention is over; else plan to ask again then.

    Rows, digests and the log stay. A case that is open again, or under a legal hold, keeps everything.
    """
    retention = _retention(ctx)
    async with ctx.db.transaction(access.DAEMON) as tx:
        case = await case_store.lock(tx.con, case_id)
        if case is None or case.state not in ENDED or await file_store.is_held(tx.con, case_id):
            return
        if case.appeal_open:  # what was decided upon is what the appeal is about
            await tx.add_timer(case_id, Timer(JobKind.ERASE, case_id, tx.now + _AFTER_A_HOLD))
            return
        span = retention.get(case.program)
        if span is None:
            return  # nobody says how long: for ever
        if case.state_since + span > tx.now:
            await tx.add_timer(case_id, Timer(JobKind.ERASE, case_id, case.state_since + span))
            return
        for sha256 in await file_store.only_here(tx.con, case_id, retention, tx.now):
            # Under the row's lock, though it is no work of the database: whoever brings the same content again waits for
            # it, and then looks whether the bytes are there.
            await ctx.blobs.erase(sha256)
            await tx.con.execute("update blob set erased_at = $2 where sha256 = $1", sha256, tx.now)
            await tx.audit("file.erased", sha256, {}, case_id)


def _retention(ctx: Context) -> Mapping[str, timedelta]:
    return {program.id: program.windows.retention for program in ctx.catalog.programs.values()}


async def place_hold(ctx: Context, who: Principal, case_id: str, reason: str, *, via: str = "api") -> None:
    """Keep everything of a case whatever its retention says. Raises Conflict when it is held already."""
    access.require(who, Role.REVIEWER, Role.ADMIN)
    access.require_person(who)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.visible(ctx, tx.con, who, case_id)
        access.require_program(who, case.program, ctx.program(case.program).owner)
        await case_store.lock(tx.con, case.id)
        if not await file_store.place_hold(tx.con, case.id, storable(reason), who.id, tx.now):
            raise Conflict("the case is under a legal hold already")
        await tx.audit("hold.placed", case.reference, {}, case.id)


async def lift_hold(ctx: Context, who: Principal, case_id: str, *, via: str = "api") -> None:
    """End a case's legal hold; retention counts as if there had been none."""
    access.require(who, Role.REVIEWER, Role.ADMIN)
    access.require_person(who)
    async with ctx.db.transaction(who.id, via) as tx:
        case = await review.visible(ctx, tx.con, who, case_id)
        access.require_program(who, case.program, ctx.program(case.program).owner)
        await case_store.lock(tx.con, case.id)
        if not await file_store.lift_hold(tx.con, case.id, who.id, tx.now):
            raise Conflict("the case is under no legal hold")
        await tx.audit("hold.lifted", case.reference, {}, case.id)
        if case.state in ENDED:
            await tx.add_timer(case.id, Timer(JobKind.ERASE, case.id, tx.now + _AFTER_A_HOLD))
