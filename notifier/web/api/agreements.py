"""Agreements in life: how each stands, its arming, suspension and checks, and the log of all that."""

from notifier.services import agreement_log, agreements, changing, pinging, suspending
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.bodies import Because, Channel, Confirmed, Resuming, Stopping
from notifier.web.routes import Reply, Route
from notifier.web.schemas import AgreementPath, ChannelPath, Paged
from notifier.web.views.agreements import (
    ActOut,
    ActPage,
    AgreementOut,
    Agreements,
    ChangeOut,
    ChangePage,
    CheckOut,
    FaultOut,
    TestOut,
)

_SEE = [Role.SUBMITTER, Role.REVIEWER, Role.REGISTRY, Role.AUDITOR, Role.ADMIN]
_ADMIN = [Role.ADMIN]
_EITHER = [Role.REGISTRY, Role.ADMIN]


async def list_agreements(ctx: Context, who: Principal) -> Reply:
    """Every agreement in your reach and whether notices may leave under it. A registry sees its own."""
    found = await agreements.standings(ctx, who)
    return Reply(200, Agreements(items=[AgreementOut.shown(who, standing) for standing in found]))


async def check_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """Whether the channel can be reached. Sends nothing, and is kept: arming rests on it for a day."""
    agreements.in_reach(ctx, who, path.agreement_id, Role.ADMIN)
    found = await agreements.check(ctx, path.agreement_id, who.id)
    return Reply(200, CheckOut(ready=not found, problems=[FaultOut.of(p) for p in found]))


async def ping_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """Send one test, clearly marked, through the channel that stands. It asks nothing, and is no notice."""
    return Reply(200, TestOut.shown(who, await pinging.send(ctx, who, path.agreement_id)))


async def arm_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """The first of two admins, or the second, different one: then notices may leave."""
    return Reply(200, AgreementOut.shown(who, await agreements.arm(ctx, who, path.agreement_id)))


async def disarm_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """One admin is enough to stop."""
    return Reply(200, AgreementOut.shown(who, await agreements.disarm(ctx, who, path.agreement_id)))


async def suspend_agreement(ctx: Context, who: Principal, path: AgreementPath, body: Stopping) -> Reply:
    """Stop at once, whatever is armed. A registry may stop the requests of its own agreement."""
    stands = await suspending.suspend(ctx, who, path.agreement_id, body.scope, body.reason)
    return Reply(200, AgreementOut.shown(who, stands))


async def resume_agreement(ctx: Context, who: Principal, path: AgreementPath, body: Resuming) -> Reply:
    """The first of two admins, or the second, different one: then what waited is taken up."""
    stands = await suspending.resume(ctx, who, path.agreement_id, body.note)
    return Reply(200, AgreementOut.shown(who, stands))


async def agreement_acts(ctx: Context, who: Principal, path: AgreementPath, query: Paged) -> Reply:
    """What was done with the agreement, newest first. A registry reads of its own, without the names of staff."""
    page = await agreement_log.acts(ctx, who, path.agreement_id, limit=query.limit, cursor=query.cursor)
    return Reply(200, ActPage(items=[ActOut.of(act) for act in page.items], next_cursor=page.next_cursor))


async def list_changes(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """Changes of the channel that were proposed, newest first. A registry sees those of its own agreement."""
    found = await changing.versions(ctx, who, path.agreement_id)
    return Reply(200, ChangePage(items=[ChangeOut.shown(who, change) for change in found]))


async def propose_channel(ctx: Context, who: Principal, path: AgreementPath, body: Channel) -> Reply:
    """Propose another channel. Nobody is reached, and nothing changes before somebody else has approved it."""
    made = await changing.propose(ctx, who, path.agreement_id, body.adapter, body.address)
    return Reply(201, ChangeOut.shown(who, made))


async def approve_channel(ctx: Context, who: Principal, path: ChannelPath, body: Confirmed) -> Reply:
    """Approve what somebody else proposed. The channel is checked, the old address told; a day later it stands, unarmed."""
    made = await changing.approve(ctx, who, path.agreement_id, int(path.version), body.note)
    return Reply(200, ChangeOut.shown(who, made))


async def refuse_channel(ctx: Context, who: Principal, path: ChannelPath, body: Because) -> Reply:
    """Refuse a change that has not taken effect. Who proposed it withdraws it."""
    made = await changing.refuse(ctx, who, path.agreement_id, int(path.version), body.reason)
    return Reply(200, ChangeOut.shown(who, made))


ROUTES = [
    Route("GET", "/agreements", list_agreements, "List agreements", {200: Agreements}, roles=_SEE),
    Route(
        "POST",
        "/agreements/{agreement_id}/check",
        check_agreement,
        "Check a channel",
        {200: CheckOut},
        roles=_ADMIN,
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/test",
        ping_agreement,
        "Send a test",
        {200: TestOut},
        roles=_EITHER,
        problems=[409, 429],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/arm",
        arm_agreement,
        "Arm an agreement",
        {200: AgreementOut},
        roles=_ADMIN,
        problems=[409],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/disarm",
        disarm_agreement,
        "Disarm an agreement",
        {200: AgreementOut},
        roles=_ADMIN,
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/suspend",
        suspend_agreement,
        "Suspend an agreement",
        {200: AgreementOut},
        roles=_EITHER,
        problems=[409],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/resume",
        resume_agreement,
        "Resume an agreement",
        {200: AgreementOut},
        roles=_ADMIN,
        problems=[409],
    ),
    Route(
        "GET",
        "/agreements/{agreement_id}/channel",
        list_changes,
        "Changes of a channel",
        {200: ChangePage},
        roles=[Role.REGISTRY, Role.AUDITOR, Role.ADMIN],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/channel",
        propose_channel,
        "Propose another channel",
        {201: ChangeOut},
        roles=_EITHER,
        problems=[409],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/channel/{version}/approve",
        approve_channel,
        "Approve a change of channel",
        {200: ChangeOut},
        roles=_ADMIN,
        problems=[409],
    ),
    Route(
        "POST",
        "/agreements/{agreement_id}/channel/{version}/refuse",
        refuse_channel,
        "Refuse a change of channel",
        {200: ChangeOut},
        roles=_EITHER,
        problems=[409],
    ),
    Route(
        "GET",
        "/agreements/{agreement_id}/log",
        agreement_acts,
        "What was done with an agreement",
        {200: ActPage},
        roles=[Role.REGISTRY, Role.AUDITOR, Role.ADMIN],
    ),
]
