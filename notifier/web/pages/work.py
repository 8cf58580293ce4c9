"""What waits for a person, as lists by kind, and each task with what there is to know and the ways in which it ends."""

import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from notifier.domain.answer import ACTORS, DECLINE_REASONS, KINDS
from notifier.domain.epp import Measure
from notifier.errors import Invalid, Mendable, NotFound, NotifierError
from notifier.services import keeping, mail_showing, reading, tasks, worklist
from notifier.services.access import Role
from notifier.services.attending import Filing
from notifier.services.keeping import Kept
from notifier.web.bodies import Resolution
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.pages.form import moment
from notifier.web.routes import Download, parsed, send_file
from notifier.web.upload import MULTIPART, Upload

AT = "/desk/work"
_ONE = AT + "/{task_id:[0-9a-fA-F-]{36}}"
_ROLES = [Role.REVIEWER]
_CARRIED, _FIELD_MAX, _FORM_MAX = "webform", 100_000, 200_000_000
_WORDS = ("resolution", "note", "reference", "filed_at")
_ANSWER = ("kind", "measure", "actor", "reason", "effective_at", "comment")
_FIELDS = (*_WORDS, "notice_id", *_ANSWER, "sure")
# Nobody can take these back, so they are shown once more.
_FINAL = ("arrived", "not_arrived", "wrong")


async def show_all(visit: Visit) -> web.StreamResponse:
    """Every kind with how much of it waits, and the tasks of one kind or of all, due or oldest first."""
    asked = visit.asked("kind", "mine", "cursor")
    kind, mine = asked.get("kind"), "mine" in asked
    page = await worklist.tasks(visit.ctx, visit.who, kind=kind, mine=mine, cursor=asked.get("cursor"))
    return await visit.page(
        "work",
        waiting=await worklist.by_kind(visit.ctx, visit.who),
        hops=await worklist.hops_proposed(visit.ctx, visit.who),
        tasks=page.items,
        next_cursor=page.next_cursor,
        kind=kind,
        about=worklist.KINDS.get(kind or "", ""),
        mine=mine,
    )


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(visit: Visit, fault: NotifierError | None = None, given: dict[str, str] | None = None) -> web.Response:
    task_id = visit.request.match_info["task_id"]
    found = await tasks.show(visit.ctx, visit.who, task_id)
    row = found.row
    message = await mail_showing.of_task(visit.ctx, visit.who, task_id)
    notices, missing = await _candidates(visit, row, message)
    return await visit.page(
        "task",
        fault.http_status if fault else 200,
        task=row,
        about=worklist.KINDS.get(row["kind"], ""),
        carrying=found.carrying,
        notice=await reading.notice(visit.ctx, visit.who, str(row["notice_id"])) if row["notice_id"] else None,
        message=message,
        notices=notices,
        missing=missing,
        words=_ends(row),
        kinds=KINDS,
        measures=list(Measure),
        actors=ACTORS,
        reasons=DECLINE_REASONS,
        given={name: (given or {}).get(name, "") for name in _FIELDS},
        fault=fault.detail if fault else "",
    )


def _ends(row: Any) -> tuple[str, ...]:
    """The words that this task may end with."""
    if row["approval"] is not None:
        return ("right", "wrong")
    return tasks.RESOLUTIONS.get(row["kind"], ("done",))


async def _candidates(visit: Visit, row: Any, message: Any) -> tuple[list[Any], str]:
    """Notices that the message may be tied to, and what was looked for in vain."""
    if row["kind"] != "unmatched_mail":
        return [], ""
    wanted = visit.asked("case").get("case", "")
    try:
        if wanted:
            return list(await mail_showing.notices(visit.ctx, visit.who, wanted)), ""
        if message is not None and message.proposed:
            return [await mail_showing.proposed(visit.ctx, visit.who, message.proposed)], ""
    except NotFound as error:
        return [], error.detail
    return [], ""


async def take(visit: Visit) -> web.StreamResponse:
    """Put one's name on it."""
    return await _act(visit, tasks.take, "task_taken")


async def give_back(visit: Visit) -> web.StreamResponse:
    """Take one's name off it."""
    return await _act(visit, tasks.give_back, "task_given_back")


async def _act(visit: Visit, verb: Any, said: str) -> web.StreamResponse:
    await visit.form(())
    try:
        await verb(visit.ctx, visit.who, "task", visit.request.match_info["task_id"], via="page")
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error)
    raise go(f"{AT}/{visit.request.match_info['task_id']}", said)


async def resolve(visit: Visit) -> web.StreamResponse:
    """Say what came of it."""
    task_id, given = visit.request.match_info["task_id"], dict[str, str]()
    try:
        given, receipt = await _given(visit, task_id)
        said = _resolution(given)
        if said.resolution in _FINAL and given.get("sure") != "yes":
            return await _summary(visit, task_id, given)
        await tasks.resolve(
            visit.ctx,
            visit.who,
            task_id,
            said.resolution,
            said.note,
            said.answer.answer() if said.answer else None,
            notice_id=said.notice_id,
            filing=Filing(said.reference or "", said.filed_at, receipt),
            via="page",
        )
    except NotFound:
        raise
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(AT, "task_resolved")


async def _summary(visit: Visit, task_id: str, given: dict[str, str]) -> web.Response:
    await tasks.may_resolve(visit.ctx, visit.who, task_id)
    row = (await tasks.show(visit.ctx, visit.who, task_id)).row
    if given["resolution"] not in _ends(row):
        raise Invalid(f"a task of kind {row['kind']} ends with one of {', '.join(_ends(row))}")
    notice = await reading.notice(visit.ctx, visit.who, str(row["notice_id"])) if row["notice_id"] else None
    return await visit.page("task_sure", task=row, notice=notice, given={"note": "", **given})


def _resolution(given: dict[str, str]) -> Resolution:
    body: dict[str, Any] = {name: given[name] for name in (*_WORDS, "notice_id") if given.get(name)}
    if "filed_at" in body:
        body["filed_at"] = moment(body["filed_at"])
    answer = {name: given[name] for name in _ANSWER if given.get(name)}
    if "effective_at" in answer:
        answer["effective_at"] = moment(answer["effective_at"])
    if body.get("resolution") == "confirmed":
        body["answer"] = answer
    if body.get("resolution") != "tied":
        body.pop("notice_id", None)
    if "resolution" not in body:
        raise Invalid("say what came of it")
    return parsed(Resolution, json.dumps(body).encode("utf-8", "backslashreplace"))


async def _given(visit: Visit, task_id: str) -> tuple[dict[str, str], Kept | None]:
    """The form's fields, and the receipt that came with them."""
    if visit.request.content_type != MULTIPART:
        return await visit.form(_FIELDS), None
    await tasks.may_resolve(visit.ctx, visit.who, task_id)  # before a file is taken in
    words: dict[str, str] = {}
    receipt: Kept | None = None
    async for part in Upload(visit.request, MULTIPART, _FORM_MAX).parts():
        if part.is_file and part.name == "receipt" and receipt is None:
            if not part.filename:
                continue  # none was chosen
            async with keeping.arriving(visit.ctx) as file:
                await part.into(file)
                receipt = await keeping.take(visit.ctx, file, part.filename, part.label)
        elif part.is_file or part.name not in _WORDS or part.name in words:
            raise Invalid("the form has fields that are not the page's own")
        else:
            words[part.name] = (await part.text(_FIELD_MAX)).decode(errors="replace").replace("\r\n", "\n").strip()
    return words, receipt


async def file(visit: Visit) -> web.StreamResponse:
    """One file of a notice that one carries, as an attachment."""
    task_id, sha256 = visit.request.match_info["task_id"], visit.request.match_info["sha256"]
    found = await tasks.material(visit.ctx, visit.who, task_id, sha256)
    return await send_file(visit.request, Download(found.filename, _whole(found.content), len(found.content)))


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


PAGES = [
    Page("GET", AT, show_all, _ROLES),
    Page("GET", _ONE, show, _ROLES),
    Page("POST", f"{_ONE}/take", take, _ROLES),
    Page("POST", f"{_ONE}/give-back", give_back, _ROLES),
    Page("POST", f"{_ONE}/resolve", resolve, _ROLES),
    Page("GET", _ONE + "/files/{sha256:[0-9a-f]{64}}", file, _ROLES),
]
