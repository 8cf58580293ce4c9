"""Tasks and alarms: what waits for a person."""

from notifier.services import reading, tasks
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import AlarmPath, Resolution, TaskPath, WaitingQuery
from notifier.web.views.waiting import AlarmOut, AlarmPage, TaskOut, TaskPage

_SEE, _ACT = [Role.REVIEWER, Role.ADMIN], [Role.REVIEWER]


async def list_tasks(ctx: Context, who: Principal, query: WaitingQuery) -> Reply:
    """Tasks in your scope, newest first."""
    page = await reading.waiting(ctx, who, "task", limit=query.limit, cursor=query.cursor, open_only=query.open)
    return Reply(200, TaskPage(items=[TaskOut.of(row) for row in page.items], next_cursor=page.next_cursor))


async def take_task(ctx: Context, who: Principal, path: TaskPath) -> Reply:
    """Put your name on a task."""
    await tasks.take(ctx, who, "task", path.task_id)
    return Reply(204)


async def resolve_task(ctx: Context, who: Principal, path: TaskPath, body: Resolution) -> Reply:
    """End a task and say what came of it."""
    answer = body.answer.answer() if body.answer else None
    await tasks.resolve(ctx, who, path.task_id, body.resolution, body.note, answer)
    return Reply(204)


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
    Route("POST", "/tasks/{task_id}/take", take_task, "Take a task", {204: None}, roles=_ACT, problems=[409]),
    Route("POST", "/tasks/{task_id}/resolve", resolve_task, "Resolve a task", {204: None}, roles=_ACT, problems=[409]),
    Route("GET", "/alarms", list_alarms, "List alarms", {200: AlarmPage}, roles=_SEE),
    Route("POST", "/alarms/{alarm_id}/take", take_alarm, "Take an alarm", {204: None}, roles=_ACT, problems=[409]),
    Route("POST", "/alarms/{alarm_id}/close", close_alarm, "Close an alarm", {204: None}, roles=_ACT, problems=[409]),
]
