"""One agreement: how it stands, its channel and its log; each act shows what it will do before it does it."""

import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from notifier.errors import Conflict, Invalid, Mendable
from notifier.services import agreement_log, agreements, changing, suspending
from notifier.services.access import Role
from notifier.services.agreements import Standing
from notifier.services.channels import Channel
from notifier.store.agreements import Scope
from notifier.web.pages.admin import ADMIN
from notifier.web.pages.desk import Page, Visit, go

_AT = "/admin/agreements/{agreement_id:[a-z0-9._-]{1,200}}"
_FIELDS = ("sure", "digest", "scope", "reason", "note", "adapter", "address", "version")
_ACTS = 30


@dataclass(frozen=True, slots=True)
class _Act:
    """`says`: what will happen. `needs`: the fields that the person fills in, kept through the summary."""

    title: str
    says: str
    button: str
    do: Callable[[Visit, str, Mapping[str, str]], Awaitable[object]]
    said: str
    needs: tuple[str, ...] = ()
    danger: bool = field(default=False)


async def _arm(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    return await agreements.arm(visit.ctx, visit.who, agreement_id, via="page")


async def _disarm(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    return await agreements.disarm(visit.ctx, visit.who, agreement_id, via="page")


async def _suspend(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    if given.get("scope") not in tuple(Scope):
        raise Invalid("choose what to stop: requests, or everything")
    return await suspending.suspend(
        visit.ctx, visit.who, agreement_id, Scope(given["scope"]), given.get("reason", ""), via="page"
    )


async def _resume(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    return await suspending.resume(visit.ctx, visit.who, agreement_id, given.get("note", ""), via="page")


async def _propose(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    address = _address(given.get("address", ""))
    return await changing.propose(visit.ctx, visit.who, agreement_id, given.get("adapter", ""), address, via="page")


async def _approve(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    return await changing.approve(
        visit.ctx, visit.who, agreement_id, _version(given), given.get("note", ""), via="page"
    )


async def _refuse(visit: Visit, agreement_id: str, given: Mapping[str, str]) -> object:
    return await changing.refuse(
        visit.ctx, visit.who, agreement_id, _version(given), given.get("reason", ""), via="page"
    )


_ACTS_BY_NAME: Mapping[str, _Act] = {
    "arm": _Act(
        "Arm",
        "The channel is checked now. Once two different admins have armed it as it stands, notices leave by it, and what "
        "waits for it is taken up at once. What has left cannot be called back, only asked to be undone.",
        "Arm it",
        _arm,
        "armed",
        danger=True,
    ),
    "disarm": _Act(
        "Disarm",
        "What has not left does not leave. It takes two admins to arm it again.",
        "Disarm it",
        _disarm,
        "disarmed",
    ),
    "suspend": _Act(
        "Suspend",
        "It stops at once, whatever is armed. It takes two admins to go on.",
        "Suspend it",
        _suspend,
        "suspended",
        ("scope", "reason"),
    ),
    "resume": _Act(
        "Resume",
        "The channel is checked now. With the second, different admin what waited is taken up at once.",
        "Resume",
        _resume,
        "resumed",
        ("note",),
        danger=True,
    ),
    "propose": _Act(
        "Propose another channel",
        "Nobody is reached, and nothing changes before another admin has approved it. Then the old address is told, and a "
        "day later the new one stands, unarmed.",
        "Propose it",
        _propose,
        "change_proposed",
        ("adapter", "address"),
    ),
    "approve": _Act(
        "Approve a change of channel",
        "The new channel is checked, and the old address is told. A day later the new one stands, unarmed; where the old "
        "one is dead, at once.",
        "Approve it",
        _approve,
        "change_approved",
        ("version", "note"),
        danger=True,
    ),
    "refuse": _Act(
        "Refuse a change of channel",
        "The change is over. The channel stays what it is.",
        "Refuse it",
        _refuse,
        "change_refused",
        ("version", "reason"),
    ),
}


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit, fault: str = "", status: int = 200, given: Mapping[str, str] | None = None
) -> web.Response:
    agreement_id = visit.request.match_info["agreement_id"]
    filed = agreements.in_reach(visit.ctx, visit.who, agreement_id, Role.ADMIN)
    cursor = visit.asked("cursor").get("cursor")
    return await visit.page(
        "channel",
        status,
        fault=fault,
        given={name: (given or {}).get(name, "") for name in _FIELDS},
        agreement=filed,
        standing=await agreements.standing(visit.ctx, agreement_id),
        stands=await _channel(visit, agreement_id),
        versions=await changing.versions(visit.ctx, visit.who, agreement_id),
        log=await agreement_log.acts(visit.ctx, visit.who, agreement_id, limit=_ACTS, cursor=cursor),
        scopes=list(Scope),
        lines=_lines,
    )


async def _channel(visit: Visit, agreement_id: str) -> Channel:
    async with visit.ctx.db.pool.acquire() as con:
        return await agreements.channel(visit.ctx, con, agreement_id)


async def check(visit: Visit) -> web.StreamResponse:
    """Reach the channel, send nothing, and keep what was found."""
    await visit.form(())
    agreement_id = visit.request.match_info["agreement_id"]
    agreements.in_reach(visit.ctx, visit.who, agreement_id, Role.ADMIN)
    await agreements.check(visit.ctx, agreement_id, visit.who.id, via="page")
    raise go(visit.request.path.removesuffix("/check"), "channel_checked")


async def act(visit: Visit) -> web.StreamResponse:
    """The summary of an act at first, and the act itself once the person is sure of it."""
    agreement_id, name = visit.request.match_info["agreement_id"], visit.request.match_info["act"]
    made, given = _ACTS_BY_NAME[name], await visit.form(_FIELDS)
    agreements.in_reach(visit.ctx, visit.who, agreement_id, Role.ADMIN)
    stands = await _channel(visit, agreement_id)
    try:
        if name == "propose":
            _address(given.get("address", ""))
        if given.get("sure") != "yes":
            return await _summary(visit, name, made, given, stands)
        if given.get("digest") != stands.agreement.digest:
            raise Conflict("the agreement changed since you looked; read it again")
        await made.do(visit, agreement_id, given)
    except Mendable as error:
        return await _page(visit, error.detail, error.http_status, given)
    raise go(f"/admin/agreements/{agreement_id}", made.said)


async def _summary(visit: Visit, name: str, made: _Act, given: Mapping[str, str], stands: Channel) -> web.Response:
    agreement_id = stands.agreement.id
    standing: Standing = await agreements.standing(visit.ctx, agreement_id)
    version = None
    if "version" in made.needs:
        found = await changing.versions(visit.ctx, visit.who, agreement_id)
        version = next((one for one in found if one.version == _version(given)), None)
    return await visit.page(
        "channel_sure",
        200,
        act=made,
        name=name,
        standing=standing,
        stands=stands,
        version=version,
        given={field: given.get(field, "") for field in made.needs},
        lines=_lines,
    )


def _version(given: Mapping[str, str]) -> int:
    text = given.get("version", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("version: the number of a change in the list")
    return int(text)


def _address(text: str) -> dict[str, Any]:
    """What stands in `[address]` of an agreement's file."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(
            f'address: write it as in the agreement\'s file, such as to = "desk@registry.example" ({error})'
        ) from None
    if not found:
        raise Invalid('address: write it as in the agreement\'s file, such as to = "desk@registry.example"')
    return found


def _lines(address: Mapping[str, Any]) -> str:
    """An address for reading; it names secrets and holds none."""
    return "\n".join(f"{key}: {value}" for key, value in address.items())


PAGES = [
    Page("GET", _AT, show, ADMIN),
    Page("POST", f"{_AT}/check", check, ADMIN),
    Page("POST", f"{_AT}/{{act:{'|'.join(_ACTS_BY_NAME)}}}", act, ADMIN),
]
