"""names: how texts are read, before anybody reports them."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from notifier import bootstrap
from notifier.catalog import Catalog, ConfigFaults
from notifier.cli.session import Config, fail, opened, run, settings_of
from notifier.domain.hostile import one_line
from notifier.domain.mentions import MAX_LINE, Mention, mentions, of_field
from notifier.domain.names import Suffixes
from notifier.domain.safety import Safety, assess
from notifier.services.rereading import reread

_LONGEST = 4 * MAX_LINE  # bytes of a line that can still have as many characters as are read


def names(
    source: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="Text to read; - for standard input.")
    ] = None,
    name: Annotated[list[str] | None, typer.Option("--name", help="One name or address; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each place in the text.")] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Instead: which open cases would be named otherwise today.")
    ] = False,
    config: Config = None,
) -> None:
    """Show how names and addresses in a text are read, line by line. Nothing is submitted, nobody is asked.

    A line with one address is read as a report's field; in other lines, what is certainly an address is proposed.
    Exit 1 if anything was refused, or would be named otherwise.
    """
    if recheck:
        if source is not None or name:
            fail("--recheck reads the cases of the database; give no file and no --name with it")
        raise typer.Exit(run(_recheck(as_json, config)))
    if (source is None) == (not name):
        fail("give either a FILE, or - for standard input, or --name TEXT; see notifier names --help")
    try:
        catalog = bootstrap.catalog_of(settings_of(config))
    except ConfigFaults as faults:
        for fault in faults.faults:
            print(fault, file=sys.stderr)
        raise typer.Exit(2) from None
    counts = Counter[str]()
    for mention in _texts(source, name or [], catalog.suffixes):
        row = reading(mention, catalog)
        counts[row["code"] or "read"] += 1
        print(_as_json(row) if as_json else _as_text(row))
    if not as_json:
        print(", ".join(f"{n} {code}" for code, n in counts.most_common()) or "nothing to read", file=sys.stderr)
    if set(counts) - {"read", "nothing_named"}:
        raise typer.Exit(1)


def reading(mention: Mention, catalog: Catalog) -> dict[str, Any]:
    """One row of the output. A name that the lists protect has the code `protected`, with how it was read."""
    found = mention.name
    if found is None:
        read = dict.fromkeys(
            ("domain", "host", "registrable", "private_suffix", "registry", "unicode", "url", "safety")
        )
        return {"line": mention.line, "text": mention.text, **read, "why": None, "warnings": [], **_refusal(mention)}
    assessment = assess(found, catalog.lists)
    protected = assessment.safety is Safety.REFUSE
    registry = catalog.registry_for(found.tld)
    return {
        "line": mention.line,
        "text": mention.text,
        "domain": assessment.target.name,
        "host": found.host,
        "registrable": found.registrable,
        "private_suffix": found.private_suffix,
        "registry": registry.id if registry else None,
        "unicode": found.unicode,
        "url": found.url,
        "safety": str(assessment.safety),
        "why": assessment.why,
        "warnings": list(found.warnings),
        "code": "protected" if protected else None,
        "detail": assessment.why if protected else None,
    }


def _refusal(mention: Mention) -> dict[str, str | None]:
    return {"code": mention.code, "detail": mention.detail}


def _texts(source: str | None, given: list[str], suffixes: Suffixes) -> Iterator[Mention]:
    for number, text in enumerate(given, 1):
        yield of_field(number, text, suffixes)
    if source == "-":
        yield from mentions(_decoded(sys.stdin.buffer, "standard input"), suffixes)
    elif source is not None:
        with _opened(source) as file:
            yield from mentions(_decoded(file, source), suffixes)


def _opened(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        fail(f"{one_line(source, 200)!r}: {why}; to read it as a name: notifier names --name TEXT")


def _decoded(file: BinaryIO, what: str) -> Iterator[str]:
    """Lines one by one, however long the file is. UTF-8, and line by line Windows-1252 where it is none."""
    first = True
    while raw := file.readline(_LONGEST):
        if first and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            fail(f"{one_line(what, 200)!r} is UTF-16 text; save it as UTF-8")
        if first:
            raw, first = raw.removeprefix(b"\xef\xbb\xbf"), False
        if len(raw) == _LONGEST and not raw.endswith(b"\n"):
            while (rest := file.readline(_LONGEST)) and not rest.endswith(b"\n"):
                continue
            raw = b"x" * (MAX_LINE + 1)  # said to be too long, and nothing of it is read
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            line = raw.decode("cp1252", errors="replace")
        yield line


def _as_json(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    return text if text.isprintable() and _encodable(text) else json.dumps(row)


def _encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _as_text(row: dict[str, Any]) -> str:
    head = f"{row['line']}: {one_line(row['text'], 100)}"
    if row["host"] is None:
        told = [f"{head}: {row['code']}: {_without_text(row['detail'])}"]
    else:
        shown = f" ({row['unicode']})" if row["unicode"] != row["host"] else ""
        place = f"registrable {row['registrable']}, registry {row['registry'] or 'unknown'}"
        private = f", private suffix {row['private_suffix']}" if row["private_suffix"] else ""
        told = [f"{head} -> {row['host']}{shown}", f"    {place}{private}", f"    {row['safety']}: {row['why']}"]
        told += [f"    {warning}" for warning in row["warnings"]]
    text = "\n".join(one_line(t) if not t.startswith("    ") else "    " + one_line(t) for t in told)
    return text if _encodable(text) else text.encode("ascii", "backslashreplace").decode()


def _without_text(detail: str) -> str:
    """A refusal begins with the text it is about, which stands there already."""
    return detail.partition("': ")[2] or detail.partition('": ')[2] or detail


async def _recheck(as_json: bool, config: Path | None) -> int:
    read = other = 0
    async with opened(config) as house, house.ctx.db.pool.acquire() as con:
        async for case in reread(house.ctx.catalog, con):
            read, other = read + 1, other + bool(case.differs)
            if as_json:
                row = {"case_id": case.case_id, "reference": case.reference, "domain": case.target}
                print(
                    _as_json({**row, "named_by": case.named_by, "now_by": case.now_by, "differs": list(case.differs)})
                )
            for why in case.differs if not as_json else ():
                print(f"{case.reference} {case.target}: {one_line(why)}")
    print(
        f"{read} open cases were named by another suffix list or other rules; {other} would be named otherwise today"
        + ("; detach their reports, or withdraw them and report anew" if other else ""),
        file=sys.stderr,
    )
    return 1 if other else 0
