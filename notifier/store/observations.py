"""Rows of `observation`: every look at a target, whole, in the order of business time. Pure inserts; nothing changes one."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.look import Look

if TYPE_CHECKING:
    from notifier.store.database import Connection


async def insert(
    con: "Connection",
    observation_id: str,
    case_id: str,
    purpose: str,
    look: Mapping[str, Any],
    at: datetime,
    claim_id: str | None = None,
) -> None:
    """Keep a look. `purpose`: check, baseline or look; `claim_id`: the claim that it was taken for."""
    await con.execute(
        "insert into observation (id, case_id, claim_id, purpose, look, at) values ($1, $2, $3, $4, $5, $6)",
        observation_id,
        case_id,
        claim_id,
        purpose,
        look,
        at,
    )


async def baseline(con: "Connection", case_id: str, before: datetime | None, *, any_look: bool = False) -> Look | None:
    """The newest look taken to send by, no later than `before` (None: of all); with `any_look` the newest of any purpose."""
    stored = await con.fetchval(
        "select look from observation where case_id = $1 and (purpose = 'baseline' or $2) and at <= coalesce($3, at) "
        "order by at desc, id desc limit 1",
        case_id,
        any_look,
        before,
    )
    return Look.from_json(stored) if stored else None
