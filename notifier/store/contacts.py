"""Rows of `contact` and `amendment`, and what was said to and by each party of a case so far."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from notifier.domain.rule import Recipient

if TYPE_CHECKING:
    import asyncpg

    from notifier.store.database import Connection


@dataclass(frozen=True, slots=True)
class Given:
    """A contact that a person gave for the party that a look-up called `party_id` (empty: it named nobody)."""

    id: str
    party: Recipient
    party_id: str
    name: str
    address: str
    source: str
    given_by: str
    at: datetime

    @property
    def sha256(self) -> str:
        """Of all that it says, for the log: an address can be a person's mailbox."""
        return _digest([self.id, str(self.party), self.party_id, self.name, self.address, self.source, self.given_by])


@dataclass(frozen=True, slots=True)
class Amendment:
    """Our answer to a recipient's question about a notice; `remaining` of its time was left when it asked."""

    id: str
    notice_id: str
    answer: str
    remaining: timedelta
    given_by: str

    @property
    def sha256(self) -> str:
        """Of all that it says, for the log."""
        left = self.remaining // timedelta(microseconds=1)
        return _digest([self.id, self.notice_id, self.answer, left, self.given_by])


def _digest(said: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One notice that asked a party for something, and the last thing that it said. `verdict`: of its claim, if any."""

    notice_id: str
    party: Recipient
    name: str
    address: str
    measure: str
    at: datetime
    bounced: bool
    answer: str | None
    answered_at: datetime | None
    reason: str | None
    comment: str
    verdict: str | None


async def give(con: "Connection", case_id: str, contact: Given) -> None:
    await con.execute(
        "insert into contact (id, case_id, party, party_id, name, address, source, given_by, at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        contact.id,
        case_id,
        str(contact.party),
        contact.party_id,
        contact.name,
        contact.address,
        contact.source,
        contact.given_by,
        contact.at,
    )


async def given(con: "Connection", case_id: str, party: Recipient, party_id: str) -> Given | None:
    """The newest contact given for this very party; one that was given for another party is not it."""
    row = await con.fetchrow(
        "select id, party, party_id, name, address, source, given_by, at from contact "
        "where case_id = $1 and party = $2 and party_id = $3 order by at desc, id desc limit 1",
        case_id,
        str(party),
        party_id,
    )
    return None if row is None else given_from(row)


async def found_since(con: "Connection", case_id: str) -> set[Recipient]:
    """Parties that our last notice did not reach, and for whom a person gave a contact since."""
    rows = await con.fetch(
        "select last.party from (select distinct on (party) party, state, queued_at from notice where case_id = $1 "
        "and purpose in ('request', 'escalation', 'amendment') and state <> 'cancelled' "
        "order by party, queued_at desc, id) last where last.state = 'bounced' and exists (select from contact c "
        "where c.case_id = $1 and c.party = last.party and c.at > last.queued_at)",
        case_id,
    )
    return {Recipient(row["party"]) for row in rows}


async def amend(con: "Connection", case_id: str, said: Amendment, at: datetime) -> None:
    await con.execute(
        "insert into amendment (id, case_id, notice_id, answer, remaining, given_by, at) values ($1, $2, $3, $4, $5, $6, $7)",
        said.id,
        case_id,
        said.notice_id,
        said.answer,
        said.remaining,
        said.given_by,
        at,
    )


async def amendment(con: "Connection", amendment_id: str) -> Amendment:
    row = await con.fetchrow("select * from amendment where id = $1", amendment_id)
    if row is None:
        raise LookupError(f"no amendment {amendment_id}")
    return amendment_from(row)


def amendment_from(row: "asyncpg.Record") -> Amendment:
    return Amendment(str(row["id"]), str(row["notice_id"]), row["answer"], row["remaining"], row["given_by"])


def given_from(row: "asyncpg.Record") -> Given:
    return Given(
        str(row["id"]),
        Recipient(row["party"]),
        row["party_id"],
        row["name"],
        row["address"],
        row["source"],
        row["given_by"],
        row["at"],
    )


async def remaining(con: "Connection", notice_id: str) -> timedelta | None:
    """What the recipient of an amended notice has left of its time; None for a notice that is not one."""
    left: timedelta | None = await con.fetchval(
        "select a.remaining from notice n join amendment a on a.case_id = n.case_id and a.notice_id = n.supersedes "
        "where n.id = $1 and n.purpose = 'amendment' order by a.at desc limit 1",
        notice_id,
    )
    return left


async def amendment_of(con: "Connection", notice_id: str) -> str | None:
    """Our answer that an amended notice carries; None for a notice that is not one."""
    found = await con.fetchval(
        "select a.id from notice n join amendment a on a.case_id = n.case_id and a.notice_id = n.supersedes "
        "where n.id = $1 and n.purpose = 'amendment' order by a.at desc limit 1",
        notice_id,
    )
    return str(found) if found else None


async def question(con: "Connection", case_id: str, agreement: str) -> tuple[str, datetime] | None:
    """What a party asked of us and we have not answered: by which notice it was asked, and when. It may ask by an old
    notice, which its recipient keeps."""
    row = await con.fetchrow(
        "select n.id, asked.at from notice n, lateral (select max(received_at) as at from response "
        "where notice_id = n.id and kind = 'needs_info') asked where n.case_id = $1 and n.agreement = $2 "
        "and n.purpose in ('request', 'escalation', 'amendment') and n.response = 'needs_info' and asked.at is not null "
        "and not exists (select from amendment a where a.case_id = $1 and a.at >= asked.at) order by asked.at desc limit 1",
        case_id,
        agreement,
    )
    return (str(row["id"]), row["at"]) if row else None


async def exchanges(con: "Connection", case_id: str, until: datetime | None = None) -> list[Exchange]:
    """What was asked of each party, oldest first, with its latest answer; what never left is none of it."""
    rows = await con.fetch(
        "select n.id, n.party, n.content->>'recipient_name' as name, n.content->>'recipient_address' as address, n.measure, "
        "coalesce(n.sent_at, (select max(finished_at) from attempt where notice_id = n.id)) as at, "
        "n.state = 'bounced' as bounced, r.kind, r.received_at, r.reason, r.comment, k.verdict "
        "from notice n left join lateral (select * from response where notice_id = n.id "
        "and ($2::timestamptz is null or received_at <= $2) order by received_at desc, id desc limit 1) r on true "
        "left join lateral (select verdict from claim where notice_id = n.id order by claimed_at desc limit 1) k on true "
        "where n.case_id = $1 and n.purpose in ('request', 'escalation', 'amendment') "
        "and n.state in ('sent', 'delivered', 'bounced', 'superseded') order by at, n.version, n.id",
        case_id,
        until,
    )
    return [
        Exchange(
            str(row["id"]),
            Recipient(row["party"]),
            row["name"],
            row["address"],
            row["measure"],
            row["at"],
            row["bounced"],
            row["kind"],
            row["received_at"],
            row["reason"],
            row["comment"] or "",
            row["verdict"],
        )
        for row in rows
        if row["at"] is not None and (until is None or row["at"] <= until)
    ]
