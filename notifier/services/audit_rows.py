"""The rows of cases, reports, notices and statistics, held against what the log says that they were left as."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from notifier.domain.audit import read_body
from notifier.domain.case_state import CaseState
from notifier.rendering import content_digest
from notifier.services.drafting import thaw
from notifier.store import audit_scan as scan
from notifier.store.assessments import from_row as assessment_of
from notifier.store.cases import from_row, row_digest
from notifier.store.contacts import amendment_from, given_from
from notifier.store.database import Connection

_MOST_FAULTS = 100


@dataclass(slots=True)
class Faults:
    found: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, text: str) -> None:
        if len(self.found) < _MOST_FAULTS:
            self.found.append(text)
        else:
            self.more += 1

    def told(self) -> list[str]:
        return [*self.found, f"and {self.more} more"] if self.more else self.found


@dataclass(slots=True)
class _History:
    """What the log says of one case: its revisions, the state that the last change of state led to, and the digest
    of the row as the last entry left it."""

    case_id: UUID
    revs: list[int] = field(default_factory=list)
    state: str = CaseState.RECEIVED
    row: str | None = None


async def _histories(con: Connection) -> AsyncIterator[_History]:
    history: _History | None = None
    async for row in scan.case_entries(con):
        if history is None or history.case_id != row["case_id"]:
            if history:
                yield history
            history = _History(row["case_id"])
        history.revs.append(row["rev"])
        try:
            detail = read_body(row["body"]).detail
        except ValueError:
            continue  # named already, where entries are read one by one
        if "from" in detail and "to" in detail:
            history.state = str(detail["to"])
        history.row = str(detail["row"]) if "row" in detail else None
    if history:
        yield history


async def cases(con: Connection, faults: Faults) -> None:
    """Revs 1..n of every case against its row; both sides come in the order of ids."""
    histories = _histories(con)
    history = await anext(histories, None)
    async for row in scan.cases(con):
        while history and history.case_id < row["id"]:
            faults.add(f"case {history.case_id} is gone; the log has it up to rev {history.revs[-1]}")
            history = await anext(histories, None)
        name = f"case {row['reference']} ({row['id']})"
        mine = history if history and history.case_id == row["id"] else _History(row["id"])
        for rev in sorted(set(range(1, row["rev"] + 1)) - set(mine.revs)):
            faults.add(f"{name}: its entry for rev {rev} is missing")
        if mine.revs and mine.revs[-1] > row["rev"]:
            faults.add(f"{name}: its row says rev {row['rev']}, the log has rev {mine.revs[-1]}")
        elif mine.revs and mine.state != row["state"]:
            faults.add(f"{name}: its row says {row['state']}, the log {mine.state}")
        elif mine.row is not None and mine.row != row_digest(from_row(row)):
            faults.add(f"{name}: its row is not what rev {row['rev']} left")
        if mine is history:
            history = await anext(histories, None)
    while history:
        faults.add(f"case {history.case_id} is gone; the log has it up to rev {history.revs[-1]}")
        history = await anext(histories, None)


async def documents(con: Connection, faults: Faults) -> None:
    """What came in and what went out, byte for byte, against the digests in the entries that took them."""
    async for row in scan.reports(con):
        if _detail(row["body"]).get("sha256") != row["sha256"]:
            faults.add(f"report {row['id']}: what is kept of it is not what came in")
    async for row in scan.notices(con):
        try:
            digest = content_digest(thaw(row["content"]))
        except (KeyError, TypeError, ValueError):
            digest = ""
        if not digest == row["digest"] == _detail(row["body"]).get("digest"):
            faults.add(f"notice {row['id']}: its content is not what was approved")
    async for row in scan.recipients(con):
        if not _goes_where_told(row):
            faults.add(f"notice {row['id']}: whom it went to is not what the log says")
    await _words(con, faults)
    async for row in scan.assessments(con):
        told = _detail(row["body"])
        sha256 = told.get("sha256") or told.get("assessment_sha256")
        if row["id"] is None:
            # Cases from before there were assessments tell of none.
            if sha256 is not None:
                faults.add(f"assessment {told.get('assessment')}: it is gone; the log of {row['subject']} has it")
        elif not _tells(row, sha256):
            faults.add(f"assessment {row['id']}: it is not what the log of {row['subject'] or 'its case'} says")
    async for row in scan.commitments(con):
        if row["commitment"] is None or _detail(row["body"]).get("commitment") != row["commitment"]:
            faults.add(f"record {row['id']}: what is kept of it is not what the log has committed to")


def _goes_where_told(row: Mapping[str, Any]) -> bool:
    told, recipient = _detail(row["body"]), row["recipient"]
    if recipient is None or "recipient" not in told:  # from before this was kept
        return True
    said = (told["recipient"], told["recipient"], told.get("path"), told.get("agreement"), told.get("purpose"))
    kept = (row["registry"], recipient.get("id"), recipient.get("path"), row["agreement"], row["purpose"])
    # A party that its agreement names is written to where that says today; who was found, where it was found.
    return said == kept and (recipient.get("path") == "agreement" or recipient.get("address") == row["address"])


async def _words(con: Connection, faults: Faults) -> None:
    """Contacts that people gave and answers that they wrote, against the digests in the entries of the day."""
    for table, tag, read in (
        ("contact", "contact.given", given_from),
        ("amendment", "notice.amendment_begun", amendment_from),
    ):
        async for row in scan.words(con, table, tag):
            told = _detail(row["body"])
            if row["id"] is None:
                faults.add(f"{table} {told.get(table)}: it is gone; the log has it")
            elif not told or read(row).sha256 != told.get("sha256", read(row).sha256):
                faults.add(f"{table} {row['id']}: it is not what the log says")


# Entries that always have a row of statistics, and where in their detail its word stands.
_COUNTED = {
    "case.opened": "target",
    "notice.sent": None,
    "answer.received": "response",
    "outcome.observed": "verdict",
    "outcome.relapsed": "verdict",
    "hop.accepted": "hop",
    "hop.retracted": "hop",
}


async def transitions(con: Connection, faults: Faults) -> None:
    """The rows that statistics read against the entries that they repeat. An entry that is gone is named elsewhere."""
    async for row in scan.transitions(con):
        try:
            entry = read_body(row["body"]) if row["body"] is not None else None
        except ValueError:
            continue
        if row["entry_id"] is None:
            if entry is not None and (entry.tag in _COUNTED or entry.detail.get("to") is not None):
                faults.add(f"statistics: the row of entry {row['id']} ({entry.subject}) is gone")
        elif entry is None:
            if row["invented"]:
                faults.add(f"statistics: row {row['id']} repeats an entry that the log does not have")
        else:
            word = _COUNTED.get(entry.tag)
            there = (row["case_id"], row["rev"], row["tag"], row["from_state"], row["to_state"], row["told_at"])
            logged = (entry.case_id and UUID(entry.case_id), entry.rev, entry.tag)
            said = (entry.detail.get("from"), entry.detail.get("to"), entry.at)
            if there != (*logged, *said) or (word is not None and row["word"] != entry.detail.get(word)):
                faults.add(f"statistics: row {row['id']} ({entry.subject}) is not what its entry says")


def _tells(row: Mapping[str, Any], sha256: Any) -> bool:
    try:
        return bool(assessment_of(row).digest == sha256)
    except (KeyError, TypeError, ValueError):
        return False


def _detail(body: str | None) -> Mapping[str, Any]:
    try:
        return read_body(body).detail if body else {}
    except ValueError:
        return {}
