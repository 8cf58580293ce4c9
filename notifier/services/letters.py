"""One letter for many names: given once by an organisation, cited by its number for every other name.

A citation becomes the very item that was given, with the same digest and under its supplier's name, so that twenty-five
names are twenty-five cases and one letter. A later copy (the answer was assessed) reaches every case that cites it.
"""

from collections.abc import Sequence
from typing import Any

from notifier.domain.case import Case
from notifier.domain.case_state import CaseState
from notifier.domain.events import EvidenceAdded
from notifier.domain.evidence import Evidence, LetterCited, WarningLetter
from notifier.domain.jobs import Job, JobKind
from notifier.domain.notice import NoticeState
from notifier.services import binding
from notifier.store import notices as notice_store
from notifier.store.database import Tx
from notifier.store.ids import new_id

# Until anything has left: what is found later no longer changes what was asked.
CITING = (CaseState.RECEIVED, CaseState.NEEDS_EVIDENCE, CaseState.IN_REVIEW, CaseState.APPROVED)

# Whose an item is: the organisation of its report, else of who supplied it.
_JOINED = """
left join report {0}r on {0}r.id = {0}.report_id
left join principal {0}p on {0}p.id = {0}.supplied_by
"""
_WHOSE = "coalesce({0}r.organisation, {0}p.organisation)"

_GIVEN = f"""
select distinct on (l.sha256) l.sha256, l.body, l.supplied_by, q.report_id
from evidence q {_JOINED.format("q")}
join evidence l on l.kind = 'warning_letter' and letter_reference(l.body) = letter_reference(q.body)
join cases c on c.id = l.case_id and c.program = $2
{_JOINED.format("l")}
where q.case_id = $1 and q.kind = 'letter_cited' and {_WHOSE.format("q")} = {_WHOSE.format("l")}
  and not exists (select 1 from evidence h where h.case_id = $1 and h.sha256 = l.sha256)
order by l.sha256, l.received_at, l.id
"""

_CITING = f"""
select distinct q.case_id
from evidence l {_JOINED.format("l")}
join evidence q on q.kind = 'letter_cited' and letter_reference(q.body) = letter_reference(l.body)
join cases c on c.id = q.case_id and c.program = $2 and c.state = any($3)
{_JOINED.format("q")}
where l.case_id = $1 and l.kind = 'warning_letter' and {_WHOSE.format("q")} = {_WHOSE.format("l")} and q.case_id <> $1
"""


async def settle(tx: Tx, case: Case, items: Sequence[Evidence]) -> Case:
    """After `items` were stored for a case: letters that they cite join it, and cases that cite these letters look again."""
    if any(isinstance(item, WarningLetter) for item in items):
        rows = await tx.con.fetch(_CITING, case.id, case.program, [str(state) for state in CITING])
        await tx.enqueue(*(Job(JobKind.CHECK, str(row["case_id"])) for row in rows))
    if any(isinstance(item, LetterCited) for item in items):
        case = await join(tx, case)
    return case


async def join(tx: Tx, case: Case) -> Case:
    """Letters that the case cites and does not hold yet become its evidence; an approval given without them is void."""
    if case.state not in CITING:
        return case
    for row in await tx.con.fetch(_GIVEN, case.id, case.program):
        case = await _add(tx, case, row)
    return case


async def _add(tx: Tx, case: Case, row: Any) -> Case:
    evidence_id = new_id()
    await tx.con.execute(
        "insert into evidence (id, case_id, report_id, supplied_by, kind, sha256, body, received_at) "
        "values ($1, $2, $3, $4, 'warning_letter', $5, $6, $7) on conflict do nothing",
        evidence_id,
        case.id,
        row["report_id"],
        row["supplied_by"],
        row["sha256"],
        row["body"],
        tx.now,
    )
    if case.state is CaseState.APPROVED:
        await binding.cancel_queued(tx, await notice_store.of_case(tx.con, case.id, NoticeState.QUEUED))
    return await tx.save(case.apply(EvidenceAdded((evidence_id,), row["supplied_by"]), tx.now))
