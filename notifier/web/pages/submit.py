"""One report: its name is checked as it is typed, and the whole before it is sent."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from notifier.domain.explaining import explain
from notifier.domain.facts import Finding, FindingResult
from notifier.domain.names import display
from notifier.domain.program import Program
from notifier.errors import Mendable
from notifier.services import checking, event_reports, intake, reading, submitted
from notifier.services.access import Role
from notifier.services.checking import Checked
from notifier.web.pages import report_form
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.pages.refusals import words_of

AT = "/desk/submit"
_ROLES = [Role.SUBMITTER, Role.REVIEWER]
_PLAIN = ("domain", "urls", "summary", "external_id", "priority", "event")
# Said of a form that is half filled in; the name in it may be good all the same.
_OF_THE_FORM = frozenset({"invalid_report", "malformed", "too_large"})


async def show(visit: Visit) -> web.StreamResponse:
    """The choice of a program, or the form for the one that the address names."""
    program = visit.asked("program").get("program", "")
    known = _programs(visit)
    if program not in known and len(known) == 1:
        program = next(iter(known))
    if program not in known:
        return await visit.page("submit_choice", programs=known)
    return await _form(visit, {"program": program, "domain": visit.asked("domain").get("domain", "")})


def _programs(visit: Visit) -> dict[str, Any]:
    reach = visit.who.programs
    programs = visit.ctx.catalog.programs
    return {id_: programs[id_] for id_ in sorted(programs) if reach is None or id_ in reach}


async def _form(
    visit: Visit, given: Mapping[str, str], *, checked: Checked | None = None, refused: Any = None, fault: str = ""
) -> web.Response:
    program = _programs(visit).get(given.get("program", ""))
    if program is None:
        return await visit.page("submit_choice", 422, programs=_programs(visit))
    rules = explain(program).rules
    said = {name.removeprefix("statements.") for rule in rules for name in rule.said}
    statements = report_form.statements()
    wanted = [field for field in statements if field.name.partition(".")[0] in said]
    others = [field for field in statements if field not in wanted]
    events = [one.event for one in await event_reports.events(visit.ctx, visit.who) if one.event.program == program.id]
    return await visit.page(
        "submit",
        422 if refused or fault else 200,
        program=program,
        rules=rules,
        wanted=report_form.grouped(wanted),
        others=report_form.grouped(others),
        others_filled=any(given.get(f"s.{field.name}") for field in others),
        works=report_form.works(),
        asks_works=program.category == "copyright" or "works" in said,
        kinds=report_form.kinds(),
        grouped=report_form.grouped,
        asked_kinds=list(dict.fromkeys(kind for rule in rules for kind in rule.evidence)),
        pieces=report_form.pieces(given),
        most=report_form.MOST_ITEMS,
        events=events,
        given={**dict.fromkeys(_PLAIN, ""), **given},
        key=secrets.token_hex(16),
        checked=checked,
        found=_sorted(program, checked.result.findings) if checked else None,
        refused=refused,
        fault=fault,
        words_of=words_of,
        may_send=visit.who.role is Role.SUBMITTER,
    )


async def take(visit: Visit) -> web.StreamResponse:
    """A press of one of the form's buttons: check it, change its pieces of evidence, or send it."""
    given = dict(await visit.form(report_form.names()))
    act = given.pop("act", "check")
    if act == "add":
        return await _form(visit, _with_piece(given))
    if act.startswith("remove."):
        return await _form(visit, _without_piece(given, act.removeprefix("remove.")))
    if act == "check":
        return await _form(visit, given, checked=await _check(visit, given))
    key = given.get("key", "")[:64]
    try:
        done = await intake.submit(
            visit.ctx,
            visit.who,
            _raw(report_form.report(given)),
            idempotency_key=f"page:{key}" if key else None,
            via="page",
        )
    except Mendable as error:
        return await _form(visit, given, fault=error.detail)
    if done.code is not None:
        kept = {"program": given.get("program", "")} if done.code == "csam_refused" else given
        return await _form(visit, kept, refused=done)
    raise go(f"{AT}/{done.report_id}", "report_sent")


def _raw(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _with_piece(given: Mapping[str, str]) -> dict[str, str]:
    taken = {place for place, _ in report_form.pieces(given)}
    free = next((place for place in range(report_form.MOST_ITEMS) if place not in taken), None)
    kind = given.get("add", "")
    return {**given, f"e{free}.kind": kind} if free is not None and kind in report_form.kinds() else dict(given)


def _without_piece(given: Mapping[str, str], place: str) -> dict[str, str]:
    return {name: text for name, text in given.items() if not name.startswith(f"e{place}.")}


async def _check(visit: Visit, given: Mapping[str, str]) -> Checked:
    """The whole form; where that cannot be read, what there is to say of its name goes first."""
    whole = await checking.check(visit.ctx, visit.who, _raw(report_form.report(given)))
    if whole.result.code not in _OF_THE_FORM:
        return whole
    name = await checking.check(visit.ctx, visit.who, _raw(report_form.name_alone(given)))
    return whole if name.result.code is not None else name


async def check_name(visit: Visit) -> web.StreamResponse:
    """For the script, while somebody types: the dry run of the name alone, and the words for it that the page has."""
    given = await visit.form(report_form.names())
    checked = await checking.check(visit.ctx, visit.who, _raw(report_form.name_alone(given)))
    got, there = checked.result, checked.open_case
    fields = ("domain", "host", "registrable", "private_suffix", "registry", "code", "detail", "safety")
    shown = await visit.page("checked", checked=checked, words_of=words_of)
    return web.json_response(
        {
            **{name: getattr(got, name) for name in fields},
            "unicode": display(got.domain) if got.domain else None,
            "warnings": list(got.warnings),
            "open_case": {"id": there.id, "reference": there.reference} if there else None,
            "html": shown.text,
        }
    )


async def show_sent(visit: Visit) -> web.StreamResponse:
    """What became of a report: the case that it opened or joined, its findings, and what is missing."""
    row = await reading.report(visit.ctx, visit.who, visit.request.match_info["report_id"])
    got = await submitted.of_row(visit.ctx, row)
    program = visit.ctx.catalog.programs.get(row["program"])
    found = _sorted(program, got.findings) if program else Sorted([], [])
    return await visit.page("submitted", report=row, got=got, found=found, words_of=words_of)


class Sorted(NamedTuple):
    """What does not pass yet: `lacking` is for whoever reports to mend, `ours` is what we look at ourselves."""

    lacking: Sequence[Finding]
    ours: Sequence[Finding]


def _sorted(program: Program, findings: Sequence[Finding]) -> Sorted:
    theirs = {rule.id for rule in explain(program).rules if rule.evidence or rule.said}
    left = [one for one in findings if one.result is not FindingResult.PASS]
    return Sorted([one for one in left if one.rule in theirs], [one for one in left if one.rule not in theirs])


PAGES = [
    Page("GET", AT, show, _ROLES),
    Page("POST", AT, take, _ROLES),
    Page("POST", f"{AT}/check", check_name, _ROLES),
    Page("GET", AT + "/{report_id:[0-9a-fA-F-]{36}}", show_sent, _ROLES),
]
