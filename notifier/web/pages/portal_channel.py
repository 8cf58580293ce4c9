"""How a recipient is written to: the channel that stands, a test and a change of it, and stopping what asks something."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from notifier.catalog import Agreement
from notifier.errors import Invalid, Mendable, NotifierError
from notifier.services import agreement_log, agreements, changing, pinging, portal, suspending
from notifier.services.access import Role
from notifier.services.portal import Wanted
from notifier.store.agreements import Scope
from notifier.store.channels import OPEN
from notifier.web.pages.desk import Page, Visit, go
from notifier.web.views.agreements import AgreementOut, ChangeOut

_AT = "/portal/channel"
_FIELDS = ("agreement", "adapter", "to", "url", "version", "reason")
# What a recipient may propose here, and the one place that each writes to; others are proposed by an admin of ours.
KINDS: Mapping[str, str] = {"smtp": "to", "webhook": "url", "api": "url"}
_SECRETS = frozenset({"secret", "token", "key"})
_CHANGES = 20


async def show(visit: Visit) -> web.StreamResponse:
    return await _page(visit)


async def _page(
    visit: Visit, fault: NotifierError | None = None, given: Mapping[str, str] | None = None
) -> web.Response:
    shown = []
    for standing in await agreements.standings(visit.ctx, visit.who):
        agreement, named = await changing.stands(visit.ctx, visit.who, standing.id)
        changes = await changing.versions(visit.ctx, visit.who, standing.id)
        can_test, machine = await pinging.of_channel(visit.ctx, visit.who, standing.id)
        shown.append(
            {
                "it": AgreementOut.shown(visit.who, standing),
                "program": visit.ctx.program(agreement.program).name,
                "channel": agreement,
                "address": _address(agreement, named),
                "can_test": can_test,
                "machine": machine,
                "last_test": await agreement_log.newest(visit.ctx, visit.who, standing.id, "tested"),
                "changes": [ChangeOut.shown(visit.who, change) for change in changes[:_CHANGES]],
            }
        )
    newest = await portal.notices(visit.ctx, visit.who, Wanted("all"), limit=1)
    return await visit.page(
        "portal_channel",
        fault.http_status if fault else 200,
        shown=shown,
        kinds=KINDS,
        open_states=OPEN,
        a_day=pinging.A_DAY,
        newest=newest.items[0] if newest.items else None,
        contact=visit.ctx.settings.contact,
        given={name: (given or {}).get(name, "") for name in _FIELDS},
        fault=fault.detail if fault else "",
    )


def _address(agreement: Agreement, named: frozenset[str]) -> list[tuple[str, str, bool]]:
    """(key, text, whether it is the name of a secret) of each part of the address, nested ones by their path."""

    def parts(key: str, value: Any) -> list[tuple[str, str, bool]]:
        if isinstance(value, Mapping):
            return [part for name, item in value.items() for part in parts(f"{key} {name}".strip(), item)]
        if isinstance(value, list | tuple):
            return [part for item in value for part in parts(key, item)]
        return [(key, str(value), key.rpartition(" ")[2] in _SECRETS or str(value) in named)]

    return parts("", agreement.address)


async def propose(visit: Visit) -> web.StreamResponse:
    """Another place to write to; the secrets of the same kind of channel stay those that are named."""
    given = await visit.form(_FIELDS)
    try:
        adapter, agreement_id = given.get("adapter", ""), given.get("agreement", "")
        if adapter not in KINDS:
            raise Invalid(f"the kind of channel is one of {', '.join(KINDS)}; write to us for another")
        agreement, _ = await changing.stands(visit.ctx, visit.who, agreement_id)
        place = KINDS[adapter]
        address = dict(agreement.address) if agreement.adapter == adapter else {}
        if not given.get(place):
            raise Invalid("write the mailbox" if place == "to" else "write the address, such as https://example.org/in")
        await changing.propose(
            visit.ctx, visit.who, agreement_id, adapter, {**address, place: given[place]}, via="page"
        )
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(_AT, "channel_proposed")


async def refuse(visit: Visit) -> web.StreamResponse:
    """A change that the recipient does not want, its own or ours."""
    given = await visit.form(_FIELDS)
    try:
        version = given.get("version", "")
        if not version.isascii() or not version.isdigit() or len(version) > 9:
            raise Invalid("version: it names no change")
        await changing.refuse(
            visit.ctx, visit.who, given.get("agreement", ""), int(version), given.get("reason", ""), via="page"
        )
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(_AT, "channel_withdrawn")


async def test(visit: Visit) -> web.StreamResponse:
    """One test through the channel that stands; what became of it is told on the page."""
    given = await visit.form(_FIELDS)
    try:
        made = await pinging.send(visit.ctx, visit.who, given.get("agreement", ""), via="page")
    except Mendable as error:
        return await _page(visit, error)
    raise go(_AT, f"test_{made.result}")


async def stop(visit: Visit) -> web.StreamResponse:
    """No further request leaves from now on."""
    given = await visit.form(_FIELDS)
    try:
        await suspending.suspend(
            visit.ctx, visit.who, given.get("agreement", ""), Scope.REQUESTS, given.get("reason", ""), via="page"
        )
    except Mendable as error:
        return await _page(visit, error, given)
    raise go(_AT, "requests_stopped")


PAGES = [
    Page("GET", _AT, show, [Role.REGISTRY]),
    Page("POST", f"{_AT}/propose", propose, [Role.REGISTRY]),
    Page("POST", f"{_AT}/refuse", refuse, [Role.REGISTRY]),
    Page("POST", f"{_AT}/test", test, [Role.REGISTRY]),
    Page("POST", f"{_AT}/stop", stop, [Role.REGISTRY]),
]
