"""Appeals: filed by anybody, told to nobody but whoever shows control of the name, heard by staff; and corrections."""

import json
from collections.abc import Mapping
from typing import Any

from notifier.domain.report import CSAM, mentions_csam
from notifier.errors import Invalid, Refused
from notifier.services import appealing, corrections, hearing, reasons
from notifier.services.access import Principal, Role
from notifier.services.appealing import Filing
from notifier.services.context import Context
from notifier.web.bodies import AppealDecisionIn, AppealIn
from notifier.web.routes import JSON, RawBody, Reply, Route, parsed
from notifier.web.schemas import AppealPath, AppealQuery, CasePath, CorrectionQuery, SecretPath
from notifier.web.views.appeals import (
    AppealDetail,
    AppealFiled,
    AppealOut,
    AppealPage,
    AppealStatus,
    CorrectionOut,
    CorrectionPage,
    ReasonsOut,
)

MAX_BYTES = 200_000
_SEE, _HEAR = [Role.REVIEWER, Role.AUDITOR, Role.ADMIN], [Role.REVIEWER]


async def file_appeal(ctx: Context, source: str, body: RawBody) -> Reply:
    """File an appeal. The answer is the same for every name, whether or not there is anything about it.

    Nothing is told before control of the name is shown, or the link of the registrant's notice is given.
    """
    said = await read_filing(ctx, body.content)
    secret = await appealing.file(ctx, said, source)
    base = ctx.settings.public_url.rstrip("/")
    return Reply(
        202,
        AppealFiled(
            status_url=f"{base}/api/v1/appeals/status/{secret}",
            page_url=f"{base}/appeal/status/{secret}",
        ),
    )


async def read_filing(ctx: Context, content: bytes) -> Filing:
    """A body as what is filed. Raises Invalid, and Refused for what is marked as child sexual abuse material."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise Invalid("the appeal is not JSON", code="malformed") from None
    if _marked(data):
        await appealing.refuse_csam(ctx, content)
        raise Refused(CSAM, code="csam_refused")
    read = parsed(AppealIn, content)
    evidence = [
        {"text": item} if isinstance(item, str) else {key: value for key, value in item.model_dump().items() if value}
        for item in read.evidence
    ]
    return Filing(read.domain, read.grounds, read.contact, read.reference, evidence)


def _marked(data: Any) -> bool:
    if not isinstance(data, Mapping):
        return False
    items = data.get("evidence")
    parts = [data, *(items if isinstance(items, list) else [])]
    return any(
        mentions_csam({**part, "category": part.get("category") or part.get("kind")})
        for part in parts
        if isinstance(part, Mapping)
    )


async def appeal_status(ctx: Context, path: SecretPath) -> Reply:
    """The status of what was filed: how to show control of the name and, once that is done, our decisions about it."""
    return Reply(200, AppealStatus.shown(await appealing.status(ctx, path.secret)))


async def check_control(ctx: Context, path: SecretPath) -> Reply:
    """Look for the TXT record now. The status tells what came of it."""
    await appealing.check(ctx, path.secret)
    return Reply(202)


async def withdraw_appeal(ctx: Context, path: SecretPath) -> Reply:
    """Take the appeal back, once control was shown."""
    await appealing.take_back(ctx, path.secret)
    return Reply(204)


async def list_appeals(ctx: Context, who: Principal, query: AppealQuery) -> Reply:
    """Appeals in your scope, newest first."""
    page = await hearing.appeals(
        ctx,
        who,
        state=query.state and str(query.state),
        open_only=query.open,
        overdue=query.overdue,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Reply(200, AppealPage(items=[AppealOut.of(row) for row in page.items], next_cursor=page.next_cursor))


async def get_appeal(ctx: Context, who: Principal, path: AppealPath) -> Reply:
    """One appeal with everything that was filed for it."""
    return Reply(200, AppealDetail.shown(await hearing.show(ctx, who, path.appeal_id)))


async def take_appeal(ctx: Context, who: Principal, path: AppealPath) -> Reply:
    """Take an appeal up. Whoever had a part in the decision may not."""
    return Reply(200, AppealOut.of(await hearing.take(ctx, who, path.appeal_id)))


async def decide_appeal(ctx: Context, who: Principal, path: AppealPath, body: AppealDecisionIn) -> Reply:
    """Decide an appeal. What falls is taken back at once from everyone told, and watched until the name is back."""
    row = await hearing.decide(ctx, who, path.appeal_id, body.outcome, body.reasons, body.corrected_cause)
    return Reply(200, AppealOut.of(row))


async def get_reasons(ctx: Context, who: Principal, path: CasePath) -> Reply:
    """The statement of reasons for the newest request that left, as its registrant may read it."""
    fields, text = await reasons.of_case(ctx, who, path.case_id)
    return Reply(200, ReasonsOut(statement=dict(fields), text=text))


async def list_corrections(ctx: Context, query: CorrectionQuery) -> Reply:
    """What was done to names and had to be lifted: why, and for how long. It names nobody."""
    page = await corrections.corrections(ctx, limit=query.limit, cursor=query.cursor)
    return Reply(200, CorrectionPage(items=[CorrectionOut.of(row) for row in page.items], next_cursor=page.next_cursor))


ROUTES = [
    Route(
        "POST",
        "/appeals",
        file_appeal,
        "File an appeal",
        {202: AppealFiled},
        problems=[429],
        raw={JSON: AppealIn},
        max_bytes=MAX_BYTES,
        anonymous=True,
    ),
    Route("GET", "/appeals/status/{secret}", appeal_status, "Status of an appeal", {200: AppealStatus}, anonymous=True),
    Route(
        "POST",
        "/appeals/status/{secret}/check",
        check_control,
        "Look for the TXT record",
        {202: None},
        problems=[429],
        anonymous=True,
    ),
    Route(
        "POST",
        "/appeals/status/{secret}/withdraw",
        withdraw_appeal,
        "Take an appeal back",
        {204: None},
        problems=[409],
        anonymous=True,
    ),
    Route("GET", "/appeals", list_appeals, "List appeals", {200: AppealPage}, roles=_SEE),
    Route("GET", "/appeals/{appeal_id}", get_appeal, "Show an appeal", {200: AppealDetail}, roles=_HEAR),
    Route(
        "POST",
        "/appeals/{appeal_id}/take",
        take_appeal,
        "Take an appeal up",
        {200: AppealOut},
        roles=_HEAR,
        problems=[409],
    ),
    Route(
        "POST",
        "/appeals/{appeal_id}/decision",
        decide_appeal,
        "Decide an appeal",
        {200: AppealOut},
        roles=_HEAR,
        problems=[409],
    ),
    Route(
        "GET",
        "/cases/{case_id}/reasons",
        get_reasons,
        "Statement of reasons",
        {200: ReasonsOut},
        roles=[Role.REVIEWER, Role.AUDITOR],
    ),
    Route("GET", "/corrections", list_corrections, "List corrections", {200: CorrectionPage}, anonymous=True),
]
