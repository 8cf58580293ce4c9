"""What is configured: programs, registries, agreements, and the arming of agreements."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from notifier.catalog import Registry
from notifier.domain.program import LadderStep, Program
from notifier.errors import NotFound
from notifier.services import access, agreements
from notifier.services.access import Principal, Role
from notifier.services.agreements import Standing
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import AgreementPath, Paged, RegistryPath
from notifier.web.views.base import STAFF
from notifier.web.views.catalog import (
    AgreementOut,
    Agreements,
    CheckOut,
    FaultOut,
    ProgramOut,
    Programs,
    RegistryDetail,
    RegistryOut,
    RegistryPage,
    StepOut,
)

_ALL = list(Role)
_SEE_AGREEMENTS = [Role.SUBMITTER, Role.REVIEWER, Role.AUDITOR, Role.ADMIN]
_ADMIN = [Role.ADMIN]


async def list_programs(ctx: Context, who: Principal) -> Reply:
    """The programs in your reach, whole."""
    programs = (p for _, p in sorted(ctx.catalog.programs.items()) if who.programs is None or p.id in who.programs)
    return Reply(200, Programs(items=[ProgramOut.of(_program(p)) for p in programs]))


def _program(program: Program) -> dict[str, Any]:
    plain = {name: getattr(program, name) for name in ProgramOut.model_fields if hasattr(program, name)}
    return {
        **plain,
        "measures": sorted(program.measures),
        "ladder": [_step(step) for step in program.ladder],
        "windows_s": dict(_seconds(asdict(program.windows))),
        "rules": [rule.id for rule in program.rules],
    }


def _step(step: LadderStep) -> StepOut:
    counted = step.window.working_days > 0
    return StepOut(
        recipient=str(step.recipient),
        measure=step.measure,
        window_s=None if counted else int(step.window.length.total_seconds()),
        window_working_days=step.window.working_days if counted else None,
        calendar=step.window.calendar if counted else None,
    )


def _seconds(windows: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, span in windows.items():
        if isinstance(span, timedelta):
            yield name, int(span.total_seconds())


async def list_registries(ctx: Context, who: Principal, query: Paged) -> Reply:
    """Registries by id. The page's cursor is the last id."""
    ids = sorted(id_ for id_ in ctx.catalog.registries if query.cursor is None or id_ > query.cursor)
    shown = ids[: query.limit]
    return Reply(
        200,
        RegistryPage(
            items=[_registry(ctx.catalog.registries[id_]) for id_ in shown],
            next_cursor=shown[-1] if len(ids) > len(shown) else None,
        ),
    )


def _registry(registry: Registry) -> RegistryOut:
    channels = {"email": registry.abuse_email, "form": registry.abuse_form, "api": registry.abuse_api}
    return RegistryOut(
        id=registry.id,
        name=registry.name,
        tlds=len(registry.tlds),
        has_rdap=bool(registry.rdap),
        abuse_channels=[kind for kind, by_tld in channels.items() if by_tld],
    )


async def get_registry(ctx: Context, who: Principal, path: RegistryPath) -> Reply:
    """One registry, by top-level domain."""
    registry = ctx.catalog.registries.get(path.registry_id)
    if registry is None:
        raise NotFound(f"no registry {path.registry_id!r}")
    plain = {name: getattr(registry, name) for name in RegistryDetail.model_fields}
    return Reply(200, RegistryDetail.of({**plain, "tlds": sorted(registry.tlds)}))


async def list_agreements(ctx: Context, who: Principal) -> Reply:
    """Every agreement in your reach and whether notices may leave under it."""
    access.require(who, *_SEE_AGREEMENTS)
    found = [s for s in await agreements.standings(ctx) if who.programs is None or s.program in who.programs]
    return Reply(200, Agreements(items=[_agreement(who, standing) for standing in found]))


def _agreement(who: Principal, standing: Standing) -> AgreementOut:
    shown = AgreementOut.of(standing)
    return shown if who.role in STAFF else shown.model_copy(update={"armed_by": None})


async def check_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """Whether the channel can be reached. Sends nothing."""
    access.require(who, Role.ADMIN)
    found = await agreements.check(ctx, path.agreement_id)
    return Reply(200, CheckOut(ready=not found, problems=[FaultOut.of(p) for p in found]))


async def arm_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """The first of two admins, or the second, different one: then notices may leave."""
    return Reply(200, AgreementOut.of(await agreements.arm(ctx, who, path.agreement_id)))


async def disarm_agreement(ctx: Context, who: Principal, path: AgreementPath) -> Reply:
    """One admin is enough to stop."""
    return Reply(200, AgreementOut.of(await agreements.disarm(ctx, who, path.agreement_id)))


ROUTES = [
    Route("GET", "/programs", list_programs, "List programs", {200: Programs}, roles=_ALL),
    Route("GET", "/registries", list_registries, "List registries", {200: RegistryPage}, roles=_ALL),
    Route("GET", "/registries/{registry_id}", get_registry, "Show a registry", {200: RegistryDetail}, roles=_ALL),
    Route("GET", "/agreements", list_agreements, "List agreements", {200: Agreements}, roles=_SEE_AGREEMENTS),
    Route(
        "GET",
        "/agreements/{agreement_id}/check",
        check_agreement,
        "Check a channel",
        {200: CheckOut},
        roles=_ADMIN,
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
]
