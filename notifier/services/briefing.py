"""What a recipient needs to judge one notice in a minute: is it ours, can we see it too, by which rule, until when.

All of it is what the notice says or rests on. No reporter and nobody of ours is in it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.adapter import RenderedNotice
from notifier.domain.evidence import parse_evidence
from notifier.domain.look import Look
from notifier.domain.notice import ASKING, Notice, Purpose
from notifier.domain.rule import Recipient
from notifier.domain.xarf import Item
from notifier.errors import Invalid
from notifier.services import associated, drafting, gathering
from notifier.services.context import Context
from notifier.store import captures as capture_store
from notifier.store import cases as case_store
from notifier.store import contacts
from notifier.store import notices as notice_store
from notifier.store.captures import Captured
from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Clocks:
    """By when an answer is hoped for, or `agreed`. None: it is not known, or nothing is asked."""

    acknowledge_by: datetime | None
    decide_by: datetime | None
    agreed: bool


NO_CLOCKS = Clocks(None, None, agreed=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page that our own visitors saw. `picture`: the file of its screenshot, where the notice's evidence holds it."""

    url: str
    at: datetime
    title: str
    differences: Sequence[str]
    warc_sha256: str
    picture: str | None


@dataclass(frozen=True, slots=True)
class Brief:
    """One notice. `seen`: what the registry's RDAP told us of the name before it was sent; `epoch` names that registration.

    `manifest_sha256`: of the list of all evidence, None where it rests on none. `valid_until`: then it lapses.
    """

    notice: Notice
    reference: str
    program: str
    basis: str
    agreement: str
    content: RenderedNotice
    seen: Look | None
    evidence: Sequence[Item]
    pages: Sequence[Page]
    manifest_sha256: str | None
    associated: Sequence[str]
    clocks: Clocks
    valid_until: datetime | None

    @property
    def asks(self) -> bool:
        """Whether it asks for something, and not to undo it."""
        return self.notice.purpose in ASKING

    @property
    def epoch(self) -> str | None:
        return self.notice.epoch


async def of(ctx: Context, con: Connection, notice: Notice) -> Brief:
    """The whole view of one notice, which the caller may see."""
    case = await case_store.get(con, notice.case_id)
    if case is None:
        raise LookupError(f"no case of notice {notice.id}")
    program, agreement = ctx.program(case.program), ctx.catalog.agreements.get(notice.agreement)
    listed = await con.fetchrow("select body, sha256 from manifest where notice_id = $1", notice.id)
    document = json.loads(listed["body"]) if listed else {"evidence": [], "files": []}
    asks = notice.purpose in ASKING
    names = await associated.names(con, case, agreement, notice.drafted_at) if asks and agreement else []
    return Brief(
        notice=notice,
        reference=case.reference,
        program=program.name,
        basis=program.basis,
        agreement=agreement.basis if agreement else "",
        content=drafting.thaw(await notice_store.content(con, notice.id)),
        seen=Look.from_json(case.registration) if case.registration and notice.party is not Recipient.HOST else None,
        evidence=await _evidence(con, document),
        pages=await _pages(con, notice, document),
        manifest_sha256=listed["sha256"] if listed else None,
        associated=names,
        clocks=await clocks(ctx, con, notice),
        valid_until=notice.sent_at + program.windows.validity if notice.sent_at else None,
    )


async def clocks(ctx: Context, con: Connection, notice: Notice) -> Clocks:
    """The agreement's clocks, counted from when the notice left; of an amended one what was left of them."""
    if notice.sent_at is None or notice.purpose not in ASKING:
        return NO_CLOCKS
    left = await contacts.remaining(con, notice.id) if notice.purpose is Purpose.AMENDMENT else None
    return clocks_from(ctx, notice.agreement, notice.sent_at, left)


def clocks_from(ctx: Context, agreement_id: str, sent_at: datetime, left: timedelta | None) -> Clocks:
    """The same from what is known already; none of an agreement that is gone, or of a year that no calendar covers."""
    agreement = ctx.catalog.agreements.get(agreement_id)
    if agreement is None:
        return NO_CLOCKS
    try:
        due = agreement.decide.due(sent_at, ctx.catalog.calendars) if left is None else sent_at + left
        first = agreement.acknowledge.due(sent_at, ctx.catalog.calendars)
    except Invalid:
        return NO_CLOCKS
    return Clocks(min(first, due), due, agreed=agreement.decide.commitment == "agreed")


async def _evidence(con: Connection, document: Mapping[str, Any]) -> list[Item]:
    rows = await con.fetch(
        "select body from evidence where id = any($1::uuid[])", [item["id"] for item in document["evidence"]]
    )
    return gathering.index([parse_evidence(row["body"]) for row in rows])


async def _pages(con: Connection, notice: Notice, document: Mapping[str, Any]) -> list[Page]:
    """Our captures among the notice's evidence, the newest of each page."""
    files = {file["sha256"] for file in document["files"]}
    newest: dict[str, Captured] = {}
    for row in await capture_store.among(con, notice.case_id, files):
        newest.setdefault(row.url, row)
    return [
        Page(
            row.url,
            row.at,
            row.title,
            tuple(row.differences),
            row.warc_sha256,
            row.picture_sha256 if row.picture_sha256 in files else None,
        )
        for row in newest.values()
    ]
