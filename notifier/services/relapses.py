"""What was done to a name before and came undone, as whoever is asked again is told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifier.domain.case import Case
from notifier.domain.epoch import Epoch
from notifier.domain.hostile import one_line
from notifier.store.database import Connection

_MOST = 5
_NAME = 200


async def told(con: Connection, case: Case) -> str:
    """A sentence for each act of this registration that our looks proved and then found undone, oldest first; of this
    case, or of an earlier one about the same name. Empty where there is none."""
    rows = await con.fetch(
        "select c.id, c.reference, c.epoch, k.measure, k.credited, k.claimed_at, k.effective_at, k.verified_at, k.relapsed_at, "
        "n.id as notice_id, n.sent_at, n.party, n.content->>'recipient_name' as recipient from claim k "
        "join cases c on c.id = k.case_id join notice n on n.id = k.notice_id "
        "where c.program = $1 and c.target = $2 and k.verified_at is not null and k.relapsed_at is not null "
        "and k.measure <> 'restore' order by k.relapsed_at desc, k.id limit $3",
        case.program,
        case.target.name,
        _MOST,
    )
    return "\n".join(_sentence(row) for row in reversed(rows) if str(row["id"]) == case.id or _same(case, row["epoch"]))


def _same(case: Case, epoch: str | None) -> bool:
    """Whether it was surely done to the very registration that is spoken of now."""
    if case.epoch is None or epoch is None:
        return False
    now, then = Epoch.read(case.epoch), Epoch.read(epoch)
    return now.known and then.known and not then.succeeded_by(now)


def _sentence(row: Mapping[str, Any]) -> str:
    by = row["credited"] if row["credited"] not in (None, "none") else row["party"]
    return (
        f"We asked {one_line(row['recipient'], _NAME)} ({row['party']}) for it on {_at(row['sent_at'])} by notice "
        f"{row['notice_id']} of case {row['reference']}. The {by} did a {row['measure'].replace('_', ' ')}, as we were told "
        f"on {_at(row['claimed_at'])}; we saw it ourselves, twice, on {_at(row['verified_at'])}. On "
        f"{_at(row['relapsed_at'])} we found it undone."
    )


def _at(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "a day that we did not record"
