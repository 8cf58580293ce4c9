"""Tasks and alarms: what waits for a person."""

import json
from collections.abc import AsyncIterator
from typing import Any

from notifier.errors import Invalid, TooLarge
from notifier.services import keeping, reading, tasks
from notifier.services.access import Principal, Role
from notifier.services.attending import Filing
from notifier.services.context import Context
from notifier.services.keeping import Kept
from notifier.web.bodies import Resolution
from notifier.web.routes import JSON, Download, Reply, Route, parsed
from notifier.web.schemas import AlarmPath, TaskFilePath, TaskPath, WaitingQuery
from notifier.web.upload import MULTIPART, Upload
from notifier.web.views.waiting import AlarmOut, AlarmPage, TaskDetail, TaskOut, TaskPage

_SEE, _ACT = [Role.REVIEWER, Role.ADMIN], [Role.REVIEWER]
_FIELD_MAX = 100_000
_WORDS = ("resolution", "note", "reference", "filed_at")
_MULTIPART_SCHEMA = {
    "type": "object",
    "properties": {
        **{name: {"type": "string", "description": "As in the JSON form."} for name in _WORDS},
        "receipt": {
            "type": "string",
            "format": "binary",
            "description": "A picture or PDF of what the recipient said.",
        },
    },
    "required": ["resolution"],
}


async def list_tasks(ctx: Context, who: Principal, query: WaitingQuery) -> Reply:
    """Tasks in your scope, newest first."""
    page = await reading.waiting(ctx, who, "task", limit=query.limit, cursor=query.cursor, open_only=query.open)
    return Reply(200, TaskPage(items=[TaskOut.of(row) for row in page.items], next_cursor=page.next_cursor))


async def get_task(ctx: Context, who: Principal, path: TaskPath) -> Reply:
    """One task. For a notice that a person carries: where to, until when, and, once you have taken it, what to copy."""
    return Reply(200, TaskDetail.shown(await tasks.show(ctx, who, path.task_id)))


async def get_task_file(ctx: Context, who: Principal, path: TaskFilePath) -> Download:
    """One file of a notice that you carry, as an attachment."""
    file = await tasks.material(ctx, who, path.task_id, path.sha256)
    return Download(file.filename, _whole(file.content), len(file.content))


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def take_task(ctx: Context, who: Principal, path: TaskPath) -> Reply:
    """Put your name on a task. A notice to carry is looked at once more first, and may not leave just now."""
    await tasks.take(ctx, who, "task", path.task_id)
    return Reply(204)


async def resolve_task(ctx: Context, who: Principal, path: TaskPath, body: Upload) -> Reply:
    """End a task and say what came of it; with a receipt, as a form of the same fields and one file."""
    receipt = None
    if body.media_type == JSON:
        said = parsed(Resolution, await body.content())
    else:
        await tasks.may_resolve(ctx, who, path.task_id)
        said, receipt = await _form(ctx, body)
    answer = said.answer.answer() if said.answer else None
    filing = Filing(said.reference or "", said.filed_at, receipt)
    await tasks.resolve(
        ctx,
        who,
        path.task_id,
        said.resolution,
        said.note,
        answer,
        notice_id=said.notice_id,
        filing=filing,
    )
    return Reply(204)


async def _form(ctx: Context, body: Upload) -> tuple[Resolution, Kept | None]:
    words: dict[str, Any] = {}
    receipt: Kept | None = None
    async for part in body.parts():
        if part.is_file and part.name == "receipt":
            if receipt is not None:
                raise TooLarge("a task is ended with one receipt")
            async with keeping.arriving(ctx) as file:
                await part.into(file)
                receipt = await keeping.take(ctx, file, part.filename, part.label)
        elif part.is_file or part.name not in _WORDS or part.name in words:
            raise Invalid(f"a form has the fields {', '.join(_WORDS)} and a file `receipt`; not {part.name[:60]!r}")
        elif content := (await part.text(_FIELD_MAX)).decode(errors="replace"):
            words[part.name] = content
    return parsed(Resolution, json.dumps(words).encode()), receipt


async def list_alarms(ctx: Context, who: Principal, query: WaitingQuery) -> Reply:
    """Alarms in your scope, newest first."""
    page = await reading.waiting(ctx, who, "alarm", limit=query.limit, cursor=query.cursor, open_only=query.open)
    return Reply(200, AlarmPage(items=[AlarmOut.of(row) for row in page.items], next_cursor=page.next_cursor))


async def take_alarm(ctx: Context, who: Principal, path: AlarmPath) -> Reply:
    """Put your name on an alarm."""
    await tasks.take(ctx, who, "alarm", path.alarm_id)
    return Reply(204)


async def close_alarm(ctx: Context, who: Principal, path: AlarmPath) -> Reply:
    """End an alarm."""
    await tasks.close_alarm(ctx, who, path.alarm_id)
    return Reply(204)


ROUTES = [
    Route("GET", "/tasks", list_tasks, "List tasks", {200: TaskPage}, roles=_SEE),
    Route("GET", "/tasks/{task_id}", get_task, "Show a task", {200: TaskDetail}, roles=_ACT),
    Route(
        "GET",
        "/tasks/{task_id}/files/{sha256}",
        get_task_file,
        "Take a file to carry",
        {200: Download},
        roles=_ACT,
        problems=[409],
    ),
    Route("POST", "/tasks/{task_id}/take", take_task, "Take a task", {204: None}, roles=_ACT, problems=[409]),
    Route(
        "POST",
        "/tasks/{task_id}/resolve",
        resolve_task,
        "Resolve a task",
        {204: None},
        roles=_ACT,
        problems=[409],
        raw={JSON: Resolution, MULTIPART: _MULTIPART_SCHEMA},
    ),
    Route("GET", "/alarms", list_alarms, "List alarms", {200: AlarmPage}, roles=_SEE),
    Route("POST", "/alarms/{alarm_id}/take", take_alarm, "Take an alarm", {204: None}, roles=_ACT, problems=[409]),
    Route("POST", "/alarms/{alarm_id}/close", close_alarm, "Close an alarm", {204: None}, roles=_ACT, problems=[409]),
]
