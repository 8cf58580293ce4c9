"""Rows of `capture`: what our own visitors saw of a reported page. Written once, never changed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from notifier.domain.cloaking import FIRST, Seen
from notifier.domain.page_text import Sketch

if TYPE_CHECKING:
    from notifier.store.database import Connection

_LEADING = 8  # hashes that near duplicates are found by; the index is made of as many
_NEAR_MAX = 1000


@dataclass(frozen=True, slots=True)
class Captured:
    """One page at one time. `visits`: each visitor's way as the API shows it. `sketch` is of what the first one was shown.

    `picture`: off, made, unavailable or failed. Digests are hex SHA-256 of files that the case holds.
    """

    id: str
    case_id: str
    url: str
    at: datetime
    visits: Sequence[Mapping[str, Any]]
    cloaking: bool | None
    differences: Sequence[str]
    search_only: bool
    unrelated: bool
    parked: bool | None
    title: str
    words: int
    sketch: Sketch
    warc_sha256: str
    picture: str
    picture_why: str
    picture_sha256: str | None

    def way(self, visitor: str) -> Mapping[str, Any] | None:
        """One visitor's way."""
        return next((visit for visit in self.visits if visit["visitor"] == visitor), None)

    @property
    def first(self) -> Seen:
        """Where the first visitor ended."""
        way = self.way(FIRST) or {}
        return Seen(FIRST, way.get("status"), way.get("site", ""), self.words, self.sketch)


_COLUMNS = tuple(Captured.__slots__)


async def insert(con: "Connection", row: Captured) -> None:
    places = ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
    values = [list(v) if isinstance(v := getattr(row, name), tuple) else v for name in _COLUMNS]
    await con.execute(f"insert into capture ({', '.join(_COLUMNS)}) values ({places})", *values)


async def of_case(con: "Connection", case_id: str, newest: int | None = None) -> list[Captured]:
    """Every capture of a case, or only so many, newest first."""
    rows = await con.fetch("select * from capture where case_id = $1 order by seq desc limit $2", case_id, newest)
    return [_captured(row) for row in rows]


async def one(con: "Connection", case_id: str, capture_id: str) -> Captured | None:
    row = await con.fetchrow("select * from capture where case_id = $1 and id = $2", case_id, capture_id)
    return _captured(row) if row else None


async def latest(con: "Connection", case_id: str, urls: Sequence[str], mark: int | None = None) -> list[Captured]:
    """The newest capture of each page that was captured at all, in the order of `urls`. `mark`: as it stood then."""
    rows = await con.fetch(
        "select distinct on (url) * from capture where case_id = $1 and url = any($2) "
        "and ($3::bigint is null or seq <= $3) order by url, seq desc",
        case_id,
        list(urls),
        mark,
    )
    found = {row["url"]: _captured(row) for row in rows}
    return [found[url] for url in dict.fromkeys(urls) if url in found]


async def shown(con: "Connection", case_id: str, urls: Sequence[str], until: datetime | None) -> list[Captured]:
    """The newest capture of each page on which the first visitor was shown a page; of `until` and before, if given."""
    rows = await con.fetch(
        "select * from capture where case_id = $1 and url = any($2) and ($3::timestamptz is null or at <= $3) order by seq",
        case_id,
        list(urls),
        until,
    )
    found = {row.url: row for row in map(_captured, rows) if row.first.shown}
    return list(found.values())


async def among(con: "Connection", case_id: str, files: Collection[str]) -> list[Captured]:
    """A case's captures whose archive is one of `files`, newest first."""
    rows = await con.fetch(
        "select * from capture where case_id = $1 and warc_sha256 = any($2) order by seq desc", case_id, list(files)
    )
    return [_captured(row) for row in rows]


async def mark(con: "Connection", case_id: str) -> int:
    """What stands for everything captured so far."""
    return int(await con.fetchval("select coalesce(max(seq), 0) from capture where case_id = $1", case_id))


async def approved_mark(con: "Connection", case_id: str, digest: str) -> int | None:
    """The mark that the people who approved `digest` had before them; None when nobody did."""
    found: int | None = await con.fetchval(
        "select capture_mark from approval where case_id = $1 and digest = $2 order by rev desc limit 1",
        case_id,
        digest,
    )
    return found


async def near(con: "Connection", row: Captured, condition: str, args: Sequence[Any]) -> list[tuple[str, str, Sketch]]:
    """Cases with a page that shares leading hashes: id, reference, sketch; some of them, where there are very many.

    `condition` says which cases `c` may be told of, with `args` from $4 on.
    """
    rows = await con.fetch(
        "select distinct on (c.id) c.id, c.reference, k.sketch from "
        "(select case_id, sketch, seq from capture where sketch[1:8] && $1 and case_id <> $2 limit $3) k "
        f"join cases c on c.id = k.case_id where {condition} order by c.id, k.seq desc",
        list(row.sketch[:_LEADING]),
        row.case_id,
        _NEAR_MAX,
        *args,
    )
    return [(str(r["id"]), r["reference"], tuple(r["sketch"])) for r in rows]


def _captured(row: Mapping[str, Any]) -> Captured:
    values = {name: row[name] for name in _COLUMNS}
    return Captured(**values | {"id": str(row["id"]), "case_id": str(row["case_id"]), "sketch": tuple(row["sketch"])})
