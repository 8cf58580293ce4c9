"""What was done with an agreement, by whom and when: read from the audit entries about it, of which there is one copy."""

import json
from collections.abc import Mapping
from typing import Any

from notifier.errors import Invalid
from notifier.services import agreements
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.services.paging import MAX_PAGE, Page

_PREFIX = "agreement."
# What a recipient reads of acts about its own agreement. How its channel rests, and how busy we are, is ours.
_TOLD = (
    "armed",
    "disarmed",
    "suspended",
    "resume_asked",
    "resumed",
    "checked",
    "tested",
    "channel_proposed",
    "channel_approved",
    "channel_told",
    "channel_refused",
    "channel_withdrawn",
    "channel_changed",
)
_DETAIL_TOLD = frozenset({"digest", "scope", "passed", "version", "adapter", "effective_from", "by", "result", "said"})
_NEVER_TOLD = frozenset({"our_server_said"})  # a relay of ours, also where the recipient asked
_RECIPIENT = "recipient"
_LARGEST_ID = 2**63 - 1


async def acts(ctx: Context, who: Principal, agreement_id: str, *, limit: int = 50, cursor: str | None = None) -> Page:
    """Newest first. A recipient reads of its own agreement, without the names of staff. Raises Forbidden, NotFound."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.AUDITOR, Role.REGISTRY)
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"limit is 1 to {MAX_PAGE}")
    recipient = who.role is Role.REGISTRY
    rows = await ctx.db.fetch(
        "select id, at, actor, via, tag, body from audit_entry where subject = $1 and tag like 'agreement.%' "
        "and id < $2 and ($3::text[] is null or tag = any($3)) order by id desc limit $4",
        agreement_id,
        _before(cursor),
        [_PREFIX + act for act in _TOLD] if recipient else None,
        limit + 1,
    )
    shown = [_act(row, recipient=recipient) for row in rows[:limit]]
    return Page(shown, str(shown[-1]["id"]) if len(rows) > limit else None)


async def newest(ctx: Context, who: Principal, agreement_id: str, act: str) -> Mapping[str, Any] | None:
    """The newest of one kind that is told to recipients too; None when there is none. Raises Forbidden, NotFound."""
    agreements.in_reach(ctx, who, agreement_id, Role.ADMIN, Role.AUDITOR, Role.REGISTRY)
    row = await ctx.db.fetchrow(
        "select id, at, actor, via, tag, body from audit_entry where subject = $1 and tag = $2 order by id desc limit 1",
        agreement_id,
        _PREFIX + act,
    )
    return None if row is None else _act(row, recipient=who.role is Role.REGISTRY)


def _act(row: Mapping[str, Any], *, recipient: bool) -> Mapping[str, Any]:
    detail = json.loads(row["body"]).get("detail", {})
    own = detail.get("by") == _RECIPIENT
    told = {
        key: value
        for key, value in detail.items()
        if not recipient or key in _DETAIL_TOLD or (own and key not in _NEVER_TOLD)
    }
    return {
        "id": row["id"],
        "at": row["at"],
        "act": row["tag"].removeprefix(_PREFIX),
        "actor": row["actor"] if own or not recipient else None,
        "via": row["via"],
        "digest": detail.get("digest"),
        "detail": told,
    }


def _before(cursor: str | None) -> int:
    if cursor is None:
        return _LARGEST_ID
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= _LARGEST_ID):
        raise Invalid("the cursor is not one that a page gave; start without it")
    return int(cursor)
