"""How much hangs on a case's name: measured outside any transaction, weighed, recorded, and followed by the case.

Measured after the first look and again before anything leaves. Where it shows that a name is shared, the case goes on
about one host of it and reports about other hosts go their own way; nothing can reach the registry from then on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from notifier.domain import blast
from notifier.domain.blast import Complaint, Measured, Reading, Surveyed
from notifier.domain.case import Case
from notifier.domain.case_state import BEFORE_SENDING, CaseState
from notifier.domain.events import Assessed
from notifier.domain.evidence import Capture
from notifier.domain.jobs import JobKind, Timer
from notifier.domain.look import Look, Registration
from notifier.domain.names import display, parse
from notifier.domain.notice import NoticeState
from notifier.domain.policy import Submission
from notifier.domain.rule import Recipient
from notifier.domain.safety import Assessment, Safety, Scope, Signal, Target, assess, worse
from notifier.domain.weighing import weigh
from notifier.errors import Refused
from notifier.services import binding, evaluation, joining, judging, recipients
from notifier.services.access import DAEMON
from notifier.services.context import Context
from notifier.services.understanding import asked_twice
from notifier.store import assessments
from notifier.store import captures as capture_store
from notifier.store import cases as case_store
from notifier.store import notices as notice_store
from notifier.store.assessments import Stored
from notifier.store.database import Connection, Tx
from notifier.store.ids import new_id

SAFETY = "safety"  # a case's review reason: it is worse than what was approved
_REROUTED = frozenset({Safety.REROUTE, Safety.REFUSE})


@dataclass(frozen=True, slots=True)
class _Captured:
    """What captures and their submitters say of the site; None: nobody looked."""

    cloaking: bool | None
    parked: bool | None
    signs: tuple[str, ...] | None
    urls: tuple[str, ...] = ()


async def survey(ctx: Context, case: Case, *, unknown_too: bool = True, anew: bool = False) -> Surveyed | None:
    """Ask around about the case's name; None when the last measurement still stands, or nothing can be asked for.

    `unknown_too`: also when that one left something unknown. `anew`: whatever that one said.
    """
    if case.target.scope is not Scope.DOMAIN or case.embargo:
        return None
    thresholds, now = ctx.catalog.thresholds, await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        known = await assessments.latest(con, case.id)
    again = anew or _is_old(ctx, known, now)
    if not again and not (unknown_too and known is not None and blast.left_unknown(known.signals)):
        return None
    return await ctx.survey.around(case.target.registrable, now, thresholds.source_max_age)


async def to_measure(ctx: Context, con: Connection, case: Case, now: datetime) -> bool:
    """Whether the last measurement is too old to let anything leave by it."""
    if case.target.scope is not Scope.DOMAIN or case.embargo:
        return False
    return _is_old(ctx, await assessments.latest(con, case.id), now)


def _is_old(ctx: Context, known: Stored | None, now: datetime) -> bool:
    return known is None or not known.measured or now - known.at >= ctx.catalog.thresholds.measure_again


async def assess_again(ctx: Context, case_id: str) -> None:
    """A source did not answer: ask once more. What was seen of the registration stays as it was shown."""
    async with ctx.db.pool.acquire() as con:
        case = await case_store.get(con, case_id)
    around = await survey(ctx, case) if case is not None else None
    async with ctx.db.transaction(DAEMON) as tx:
        locked = await case_store.lock(tx.con, case_id)
        if around is None or locked is None or locked.registration is None:
            return  # the first look measures by itself
        weighed = await weigh_in(ctx, tx, locked, around, Look.from_json(locked.registration))
        await judging.judge_again(ctx, tx, weighed)


async def must_wait(ctx: Context, tx: Tx, case: Case, around: Surveyed | None) -> bool:
    """Whether a source did not answer that answered lately: it is asked again before what it said then is given up."""
    if around is None or not around.failed:
        return False
    known = await assessments.latest(tx.con, case.id)
    return known is not None and known.measured and tx.now - known.at <= ctx.catalog.thresholds.trust


async def weigh_in(ctx: Context, tx: Tx, case: Case, around: Surveyed | None, seen: Look) -> Case:
    """Record what was measured and let the case follow it. The case is locked, and nothing of it has left yet."""
    if around is None or case.state not in BEFORE_SENDING or case.target.scope is not Scope.DOMAIN:
        return case
    known = await assessments.latest(tx.con, case.id)
    measured = known if known is not None and known.measured else None
    if not await must_wait(ctx, tx, case, around):
        found = await _weighed(ctx, tx, case, around, seen)
        fresh = measured is not None and tx.now - measured.at < ctx.catalog.thresholds.measure_again
        if not fresh or measured is None or not _same(measured, found):
            case = await _follow(ctx, tx, case, known, found, seen)
    if around.failed and case.state in BEFORE_SENDING and case.target.scope is Scope.DOMAIN:
        await _ask_later(ctx, tx, case)
    return case


async def _ask_later(ctx: Context, tx: Tx, case: Case) -> None:
    """Plan another measurement: soon at first, then twice as late each time."""
    thresholds = ctx.catalog.thresholds
    first = await assessments.first_measured_at(tx.con, case.id) or tx.now
    wait = min(max(thresholds.retry, tx.now - first), thresholds.measure_again)
    await tx.add_timer(case.id, Timer(JobKind.ASSESS, case.id, tx.now + wait))


async def objection(ctx: Context, tx: Tx, case: Case, around: Surveyed | None, seen: Look) -> str | None:
    """Why what was approved may not leave by what was measured now; None when it may, or nothing new was measured."""
    if around is None or case.target.scope is not Scope.DOMAIN:
        return None
    shown = await _shown(tx, case, await assessments.latest(tx.con, case.id))
    found = await _weighed(ctx, tx, case, around, seen)
    return SAFETY if worse(found.safety, case.safety) or blast.news(shown, found.signals) else None


async def _shown(tx: Tx, case: Case, known: Stored | None) -> tuple[Signal, ...]:
    """The signals that the people who approved had before them; without an approval the latest."""
    if case.approved_digest is not None and case.state is not CaseState.IN_REVIEW:
        known = await assessments.approved(tx.con, case.id, case.approved_digest) or known
    return known.signals if known else ()


def _same(known: Stored, found: Assessment) -> bool:
    before, after = ([(s.name, s.value, s.weight) for s in signals] for signals in (known.signals, found.signals))
    return (known.safety, known.why, before) == (found.safety, found.why, after)


# --- measuring ----------------------------------------------------------------------------------------------------


async def _weighed(ctx: Context, tx: Tx, case: Case, around: Surveyed, seen: Look) -> Assessment:
    program = ctx.program(case.program)
    reports = await evaluation.submissions_of(tx.con, case.id)
    name = parse(case.target.host, ctx.catalog.suffixes)
    listed = asked_twice(assess(name, ctx.catalog.lists), program)
    measured = await _measured(ctx, tx.con, case, around, seen, reports)
    complaint = Complaint(_pages_only(ctx, case, reports))
    return weigh(listed, measured, ctx.catalog.thresholds, complaint, tx.now).dated(tx.now)


async def _measured(
    ctx: Context, con: Connection, case: Case, around: Surveyed, seen: Look, reports: Sequence[Submission]
) -> Measured:
    thresholds, at = ctx.catalog.thresholds, seen.at
    registration = seen.registration
    if registration.answer == "inconclusive" and case.registration:  # what an earlier look saw of it does not change
        registration = Look.from_json(case.registration).registration
    captured = await captured_of(con, case, reports)
    servers = seen.delegation.nameservers or registration.nameservers
    parked = True if blast.parked_by(servers, thresholds) else captured.parked
    if parked is None and servers:
        parked = False
    urls = [*(url for report in reports for url in report.report.urls), *captured.urls]
    paths = [urlsplit(url).path for url in urls]
    cms = ("cms_path",) if blast.cms_signs(paths, thresholds) else ()
    down = binding.already_down(seen)
    return Measured(
        around=around,
        registered_at=_registered(registration, at),
        parked=Reading(parked, "name servers and captures", at),
        already_down=Reading(down, "the parent zone's servers", at),
        cloaking=Reading(captured.cloaking, "captures by several visitors", at, "no captures to compare"),
        signs=Reading(
            (*cms, *(captured.signs or ())) if reports else None, "reported addresses, captures and statements", at
        ),
    )


def _registered(registration: Registration, at: datetime) -> Reading[datetime]:
    source = f"registry RDAP {registration.source}".strip()
    if registration.answer != "found":
        why = {"absent": "the registry knows no such name", "no_rdap": "the registry has no RDAP"}
        return Reading(None, source, at, why.get(registration.answer, registration.detail or "RDAP told nothing"))
    return Reading(registration.registered_at, source, at, "the registry does not say")


async def captured_of(con: Connection, case: Case, reports: Sequence[Submission]) -> _Captured:
    """What captures show of the site itself, and what its submitters state."""
    captures = [s.item for s in await evaluation.supplied_of(con, case.id) if isinstance(s.item, Capture)]
    stated = [r.report.statements.compromise_check for r in reports]
    signs: list[str] = []
    if any(check is not None and check.result in ("unsure", "compromised") for check in stated):
        signs.append("stated")
    if any("compromised" in capture.shows for capture in captures):
        signs.append("captured")
    urls = list(dict.fromkeys(url for report in reports for url in report.report.urls))
    own = await capture_store.latest(con, case.id, urls)
    if any(row.search_only for row in own):
        signs.append("referrer_only")
    if any(row.unrelated for row in own):
        signs.append("root_unrelated")
    return _Captured(
        _told([row.cloaking for row in own]),
        _told([row.parked for row in own]),
        tuple(signs),
        tuple(capture.url for capture in captures),
    )


def _told(said: Sequence[bool | None]) -> bool | None:
    """True if one page says so, False if one was looked at and none does, None if none could tell."""
    return True if True in said else (False if False in said else None)


def _pages_only(ctx: Context, case: Case, reports: Sequence[Submission]) -> bool:
    """Whether no report names the registrable name itself or its front page."""
    site = {case.target.registrable, f"www.{case.target.registrable}"}
    return not any(_is_site(ctx, spelling, site) for report in reports for spelling in _spellings(report))


def _spellings(report: Submission) -> list[str]:
    return [*([report.report.domain] if report.report.domain else []), *report.report.urls]


def _is_site(ctx: Context, spelling: str, site: set[str]) -> bool:
    try:
        name = parse(spelling, ctx.catalog.suffixes)
    except Refused:
        return False
    parts = urlsplit(name.url) if name.url else None
    front = parts is None or (parts.path in ("", "/") and not parts.query)
    return front and name.host in site


# --- following ----------------------------------------------------------------------------------------------------


async def _follow(ctx: Context, tx: Tx, case: Case, known: Stored | None, found: Assessment, seen: Look) -> Case:
    shown = await _shown(tx, case, known)
    target: Target | None = None
    others: Mapping[str, list[str]] = {}
    if found.safety in _REROUTED:
        target, others = await _one_host(ctx, tx, case, found)
    row = Stored(new_id(), case.id, case.rev + 1, found.safety, True, found.why, found.signals, tx.now)
    event = Assessed(
        row.id,
        found.safety,
        found.why,
        target,
        blast.news(shown, found.signals),
        row.digest,
    )
    step = case.apply(event, tx.now)
    if step.case.agreement is None or step.case.state is not CaseState.APPROVED:
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
    case = await tx.save(step)
    await assessments.insert(tx.con, row)
    for host, report_ids in others.items():
        about = replace(found, target=blast.narrowed(case.target, host, display(host)))
        parted = await joining.detach(ctx, tx, case, report_ids, about, by=DAEMON, reason=found.why)
        case = parted.source
    if target is not None and case.state is CaseState.IN_REVIEW and Recipient.HOST not in recipients.ways_of(ctx, case):
        await notice_store.open_task(tx.con, "no_contact", whom_to_ask(case, found.why, seen), tx.now, case_id=case.id)
    return case


async def _one_host(ctx: Context, tx: Tx, case: Case, found: Assessment) -> tuple[Target, Mapping[str, list[str]]]:
    """The host that the case goes on about, and the reports about each other host."""
    by_host: dict[str, list[str]] = {}
    for report in await evaluation.submissions_of(tx.con, case.id):
        by_host.setdefault(_host_of(ctx, case, report), []).append(report.id)
    own = found.target.host
    if by_host and own not in by_host:
        own = next(iter(by_host))
    target = found.target if found.target.host == own else blast.narrowed(found.target, own, display(own))
    if found.target.private_suffix is not None:
        return target, {}  # the list's own reading of the name decides what is one site
    standing = await case_store.lock_open(tx.con, case.program, target.name)
    if standing is not None and standing.id != case.id:
        # That host has a case already. Ours keeps its name, without any way to the registry; a person merges the two.
        await notice_store.open_task(
            tx.con,
            "second_look",
            f"{standing.reference} is about {target.name} too: merge them",
            tx.now,
            case_id=case.id,
        )
        target = replace(target, name=case.target.name, unicode=case.target.unicode)
    return target, {host: ids for host, ids in by_host.items() if host != own}


def _host_of(ctx: Context, case: Case, report: Submission) -> str:
    for spelling in _spellings(report):
        try:
            return parse(spelling, ctx.catalog.suffixes).host
        except Refused:
            continue
    return case.target.host


def whom_to_ask(case: Case, why: str, seen: Look) -> str:
    """One sentence for the person who finds another way: why not the registry, and who instead."""
    if case.safety is Safety.REFUSE:
        return f"{why}. Nothing may be asked of anybody about it; reject the case"
    r = seen.registration
    servers = ", ".join(seen.delegation.nameservers[:4] or r.nameservers[:4]) or "not known"
    registrar = r.registrar_name or "its registrar"
    mail = f" ({r.registrar_abuse_email})" if r.registrar_abuse_email else ""
    return (
        f"{why}. The registry is not asked. Ask who hosts {case.target.name} (name servers: {servers}), "
        f"or the registrant through {registrar}{mail}"
    )
