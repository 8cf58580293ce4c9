"""Reports, each kind in every form, and the proof that a file of numbers is what it says it is.

A file holds the question that it answers. To verify it, the question is asked again as of the same instant and the same
snapshot of the log, the file is made again, and the two must be the same, byte for byte.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import MAXYEAR, UTC, datetime
from itertools import zip_longest
from typing import Any

from markupsafe import Markup

from notifier.errors import Invalid
from notifier.services import grants, report_forms, small_numbers, statistics, statistics_file
from notifier.services.access import Principal
from notifier.services.context import Context
from notifier.services.report_accuracy import accuracy_report
from notifier.services.report_data import Asked, Body, Form, Ground, Kind
from notifier.services.report_errors import collateral_report, reinstatements
from notifier.services.report_forms import Written
from notifier.services.report_registry import pilot_report, scorecard
from notifier.services.report_yearly import old_yearly_report, yearly_report
from notifier.services.statistics import Query, Statistics
from notifier.store import audit as audit_store
from notifier.store import report_marks, transitions

_MAKERS: Mapping[Kind, Callable[[Ground], Awaitable[Body]]] = {
    Kind.YEARLY: yearly_report,
    Kind.SCORECARD: scorecard,
    Kind.ACCURACY: accuracy_report,
    Kind.REINSTATEMENTS: reinstatements,
    Kind.COLLATERAL: collateral_report,
    Kind.PILOT: pilot_report,
}
WORDS: Mapping[Kind, str] = {
    Kind.YEARLY: "what was asked of whom in a year, who acted, and how independence is kept",
    Kind.SCORECARD: "one registry beside all others of the program: how far, how fast, what was claimed and what was seen",
    Kind.ACCURACY: "how often each reporting organisation was right; for the program's owner",
    Kind.REINSTATEMENTS: "what was taken back, whether cured, lapsed or wrong, and how long it took",
    Kind.COLLATERAL: "what else would have gone dark with a name, what did, and what was refused for it",
    Kind.PILOT: "before, during and after a pilot, beside registries that took no part, and where names hopped to",
}
_LAYOUT = 2  # from here on a document has sections; yearly reports from before have none
_YEARLY = "yearly-report"
_SNAPSHOT = re.compile(r"([0-9]{1,19}):([0-9]{1,19}):((?:[0-9]{1,19}(?:,[0-9]{1,19})*)?)\Z", re.ASCII)
_NOTHING = "1:1:"  # the snapshot of an empty log; old reports read none


@dataclass(frozen=True, slots=True)
class File:
    """A report as it leaves, and its drawings by key."""

    content: bytes
    charts: Mapping[str, Markup]


async def report(ctx: Context, who: Principal, asked: Asked, form: Form, *, via: str) -> File:
    """A report as of now. Who took it away is in the log.

    Raises NotFound for a program outside the reader's reach, Invalid for a question that has no answer and for a form
    that needs a package that is not installed.
    """
    now = await ctx.db.clock.now()
    _bounded(asked, now)
    async with ctx.db.pool.acquire() as con:
        newest = await audit_store.newest_checkpoint(con)
        as_of = await transitions.newest_instant(con, now)
        snapshot = await report_marks.snapshot(con)
    checkpoint = {"size": newest.size, "root": newest.root.hex()} if newest else None
    made, found = await _made(Ground(ctx, who, asked, as_of, snapshot), checkpoint)
    content = await asyncio.to_thread(made.file, form)  # paper takes a second, and others wait for the loop
    name = f"report.{form}" if asked.kind is Kind.YEARLY else f"report.{asked.kind}.{form}"
    await statistics_file.note_export(ctx, who, found, name, via)
    return File(content, made.charts)


def of_year(program: str, year: int) -> Asked:
    """The yearly report's question: the cohort of a year (UTC)."""
    if not 2000 <= year < MAXYEAR:
        raise Invalid("year: one that has begun")
    return Asked(
        Kind.YEARLY, program, datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC), year=year
    )


async def verify(ctx: Context, who: Principal, content: bytes) -> list[str]:
    """What is wrong with a file that `stats` or `report` made; nothing when it is what would be made again.

    Raises Invalid for a file that says of nothing what it is.
    """
    told, form = report_forms.read(content)
    about = _of(told, "about")
    faults: list[str] = []
    if told.get("kind") is not None:
        asked = _asked(told, about)
        _bounded(asked, await ctx.db.clock.now())
        old, checkpoint = report_forms.is_old(told), told.get("checkpoint")
        snapshot = _NOTHING if old else _snapshot(told.get("snapshot"))
        ground = Ground(ctx, who, asked, _moment(about.get("as_of")), snapshot)
        made, _ = await _made(ground, checkpoint, old=old)
        document: dict[str, Any] = dict(made.document)
        faults += await _checkpoint_faults(ctx, checkpoint)
        faults += _rule_notes(about, document["about"])
        _as_then(document, about)
        again = await asyncio.to_thread(Written(document, made.charts).file, form)
    else:
        checkpoint, written_as = about.get("checkpoint"), _form_of(content, form)
        taken = await statistics_file.take(ctx, who, _query(about), written_as, checkpoint, curves="curves" in told)
        document = taken.document
        faults += await _checkpoint_faults(ctx, _checkpoint(checkpoint))
        faults += _rule_notes(about, document["about"])
        _as_then(document, about)
        again = taken.file(written_as)
    if form is Form.PARQUET:  # what it holds counts, and not the release of the library that wrote it
        return faults + _differences(told, report_forms.read(again)[0])
    if _plain(again) != _plain(content):
        found_in = _lines(content, again) if form is Form.CSV else _differences(told, document)
        faults += found_in or ["the file around its figures is not what is made again"]
    return faults


# --- making ---------------------------------------------------------------------------------------------------------


async def _allowed(ground: Ground) -> None:
    """Raises NotFound for a program outside the reader's reach, Invalid where small numbers are kept back from them."""
    ctx, who, query = ground.ctx, ground.who, Query(ground.asked.program)
    now = await ctx.db.clock.now()
    async with ctx.db.pool.acquire() as con:
        programs = await statistics.asked_about(ctx, con, who, query, now)
        small_numbers.refuse(await grants.suppress_below(ctx, con, who, programs, now), "reports")


async def _made(ground: Ground, checkpoint: Any, *, old: bool = False) -> tuple[Written, Statistics]:
    asked, of = ground.asked, ground.ctx.program
    await _allowed(ground)
    body = await (old_yearly_report if old else _MAKERS[asked.kind])(ground)
    program = of(asked.program)
    document: dict[str, Any] = {
        "kind": _YEARLY if asked.kind is Kind.YEARLY else str(asked.kind),
        **({"year": asked.year} if asked.kind is Kind.YEARLY else {}),
        **({} if old else {"layout": _LAYOUT, "title": body.title, "lead": list(body.lead)}),
        "program": {"id": program.id, "name": program.name, "owner": program.owner},
        "about": statistics_file.about(body.found),
        "rows": list(body.rows),
        **body.more,
    }
    if not old:
        asked_of = {
            "from": asked.start.isoformat() if asked.start else None,
            "to": asked.end.isoformat() if asked.end else None,
            "registries": list(asked.registries),
        }
        document |= {"asked": asked_of, "snapshot": ground.snapshot, "sections": [asdict(one) for one in body.sections]}
    document["checkpoint"] = checkpoint
    return Written(json.loads(statistics_file.json_of(document)), {} if old else body.charts), body.found


def _bounded(asked: Asked, now: datetime) -> None:
    if asked.year is not None and not 2000 <= asked.year <= now.year:
        raise Invalid("year: one that has begun")
    if asked.start is not None and asked.end is not None and asked.end < asked.start:
        raise Invalid("to: lies before from")
    if asked.registries and asked.kind in (Kind.YEARLY, Kind.ACCURACY):
        raise Invalid(f"registry: the {asked.kind} report is of the whole program")


# --- verifying ------------------------------------------------------------------------------------------------------


def _asked(told: Mapping[str, Any], about: Mapping[str, Any]) -> Asked:
    """The question of a file."""
    kind, year, program = told.get("kind"), told.get("year"), about.get("program")
    if not isinstance(program, str):
        raise Invalid("the file does not say which program it is about")
    if kind == _YEARLY:
        if not isinstance(year, int) or isinstance(year, bool):
            raise Invalid("the file does not say which program and year it is about")
        return of_year(program, year)
    if not isinstance(kind, str) or kind not in set(Kind):
        raise Invalid("the file does not say which kind of report it is")
    bounds = _of(told, "asked")
    registries = bounds.get("registries")
    if not isinstance(registries, list) or not all(isinstance(one, str) for one in registries):
        raise Invalid("the file does not say which registries it is about")
    start, end = (None if bounds.get(key) is None else _moment(bounds[key]) for key in ("from", "to"))
    return Asked(Kind(kind), program, start, end, tuple(registries))


def _snapshot(text: Any) -> str:
    """A snapshot as the database writes it: the first transaction under way, the next to come, those under way between."""
    parts = _SNAPSHOT.match(text) if isinstance(text, str) and len(text) <= 100_000 else None
    if parts is None:
        raise Invalid("the file's snapshot is none")
    first, following = int(parts[1]), int(parts[2])
    running = [int(one) for one in parts[3].split(",") if one]
    if not 0 < first <= following < 2**63 or running != sorted({one for one in running if first <= one < following}):
        raise Invalid("the file's snapshot is none")
    return str(text)


def _of(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    if not isinstance(found, dict):
        raise Invalid(f"the file has no `{key}`")
    return found


def _moment(text: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Invalid("the file has a time that is none") from error
    if at.tzinfo is None:
        raise Invalid("the file has a time without a zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("the file has a time that is none") from error


def _query(about: Mapping[str, Any]) -> Query:
    def moment(key: str) -> datetime | None:
        return None if about.get(key) is None else _moment(about[key])

    if about.get("basis") not in statistics.BASES or about.get("by") not in (None, *statistics.BYS):
        raise Invalid("the file does not say how its figures are made")
    for key in ("program", "registry"):
        if not isinstance(about.get(key), str | None):
            raise Invalid(f"the file's {key} is none")
    return Query(
        about.get("program"),
        about.get("registry"),
        moment("from"),
        moment("to"),
        about.get("by"),
        about["basis"],
        _moment(about.get("as_of")),
    )


def _form_of(content: bytes, form: Form) -> statistics_file.Form:
    if form is Form.CSV and report_forms.lists_cases(content):
        return statistics_file.Form.CASES
    return statistics_file.Form(form.value) if form in (Form.JSON, Form.PARQUET) else statistics_file.Form.CSV


def _checkpoint(text: Any) -> dict[str, Any] | None:
    """A checkpoint as a file of statistics names it."""
    if text is None:
        return None
    size, _, root = text.partition(" ") if isinstance(text, str) else ("", "", "")
    return {"size": int(size) if size.isascii() and size.isdecimal() and len(size) < 20 else None, "root": root}


async def _checkpoint_faults(ctx: Context, checkpoint: Any) -> list[str]:
    if checkpoint is None:
        return []
    size = checkpoint.get("size") if isinstance(checkpoint, dict) else None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 2**63:
        return ["the checkpoint that it names is none"]
    async with ctx.db.pool.acquire() as con:
        known = await audit_store.checkpoint_at(con, size)
    if known is None or known.root.hex() != checkpoint.get("root"):
        return [f"the log has no checkpoint of size {size} with the root that it names"]
    return []


def _rule_notes(told: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """The digests are of the day on which the file was made; only which programs it is about can be held against it."""
    theirs = told.get("programs")
    if not isinstance(theirs, dict) or set(theirs) != set(made["programs"]):
        return ["the programs that it is about are others than you see now"]
    return []


def _as_then(document: dict[str, Any], about: Mapping[str, Any]) -> None:
    """What only says which day the file is of stays as the file has it: rules, and the version of the definitions. Where a
    definition that counts here is another one now, its figures differ, and are named."""
    document["about"] |= {"programs": about.get("programs"), "definitions": about.get("definitions")}


def _plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").rstrip(b"\n")


def _lines(told: bytes, made: bytes) -> list[str]:
    """The first lines that differ."""
    one, other = (_plain(content).decode("utf-8", "replace").split("\n") for content in (told, made))
    pairs = enumerate(zip_longest(one, other, fillvalue=""), 1)
    return [f"line {n}: the file says {a!r:.200}, and it is {b!r:.200}" for n, (a, b) in pairs if a != b][:20]


def _differences(told: Any, made: Any, at: str = "") -> list[str]:
    """Where two documents differ, at most twenty of them, by path."""
    if isinstance(told, dict) and isinstance(made, dict):
        keys = [*made, *(key for key in told if key not in made)]
        found = [d for key in keys for d in _differences(told.get(key), made.get(key), f"{at}.{key}".lstrip("."))]
    elif isinstance(told, list) and isinstance(made, list) and len(told) == len(made):
        found = [d for n, (a, b) in enumerate(zip(told, made, strict=True)) for d in _differences(a, b, f"{at}[{n}]")]
    else:
        found = [] if told == made else [f"{at}: the file says {told!r:.100}, and it is {made!r:.100}"]
    return found[:20]
