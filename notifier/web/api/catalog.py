"""What is configured: programs and registries."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from notifier.catalog import Registry
from notifier.domain.explaining import explain
from notifier.domain.program import LadderStep, Program
from notifier.errors import NotFound
from notifier.services import access
from notifier.services.access import Principal, Role
from notifier.services.context import Context
from notifier.web.routes import Reply, Route
from notifier.web.schemas import Paged, ProgramPath, RegistryPath
from notifier.web.views.catalog import (
    ExplanationOut,
    ProgramOut,
    Programs,
    RegistryDetail,
    RegistryOut,
    RegistryPage,
    StepOut,
)

_ALL = list(Role)


async def list_programs(ctx: Context, who: Principal) -> Reply:
    """The programs in your reach, whole."""
    programs = (p for _, p in sorted(ctx.catalog.programs.items()) if who.programs is None or p.id in who.programs)
    return Reply(200, Programs(items=[ProgramOut.of(_program(p)) for p in programs]))


async def explain_program(ctx: Context, who: Principal, path: ProgramPath) -> Reply:
    """What a program asks for, of whom, and how long everything takes, in plain words."""
    access.require_program(who, path.program_id)
    return Reply(200, ExplanationOut.of(explain(ctx.program(path.program_id))))


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


ROUTES = [
    Route("GET", "/programs", list_programs, "List programs", {200: Programs}, roles=_ALL),
    Route(
        "GET",
        "/programs/{program_id}/explain",
        explain_program,
        "Explain a program",
        {200: ExplanationOut},
        roles=_ALL,
    ),
    Route("GET", "/registries", list_registries, "List registries", {200: RegistryPage}, roles=_ALL),
    Route("GET", "/registries/{registry_id}", get_registry, "Show a registry", {200: RegistryDetail}, roles=_ALL),
]
