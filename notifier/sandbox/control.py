"""The control endpoint, for a driver in another process: what was received, and how parties behave from now
on."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from notifier.errors import Invalid
from notifier.sandbox.faults import checked
from notifier.sandbox.script import behaviour
from notifier.sandbox.survey import Profile
from notifier.sandbox.world import Act

if TYPE_CHECKING:
    from notifier.sandbox.app import Sandbox


class Control:
    """Routes below /control/."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox

    def add_routes(self, app: web.Application) -> None:
        """Put the routes into an application."""
        app.router.add_get("/control/received", self._received)
        app.router.add_get("/control/where", self._where)
        app.router.add_get("/control/due", self._due)
        app.router.add_post("/control/due", self._run_due)
        app.router.add_post("/control/behaviour", self._behaviour)
        app.router.add_post("/control/after-acceptance", self._after_acceptance)
        app.router.add_post("/control/connect", self._connect)
        app.router.add_post("/control/act", self._act)
        app.router.add_get("/control/acts", self._acts)
        app.router.add_post("/control/profile", self._profile)
        app.router.add_post("/control/faults", self._faults)

    async def _received(self, request: web.Request) -> web.Response:
        inbox = self._sandbox.inbox
        received = [
            {
                "channel": each.channel,
                "party": each.party,
                "key": each.key,
                "at": each.at.isoformat(),
                "sender": each.sender,
                "notice_id": each.ask.notice_id,
                "domain": each.ask.domain,
                "measure": each.ask.measure,
                "purpose": each.ask.purpose,
                "doubt": each.ask.doubt,
                "bytes": len(each.raw),
            }
            for each in inbox.received
        ]
        sent = [asdict(each) | {"at": each.at.isoformat()} for each in inbox.sent]
        turned_away = [asdict(each) for each in inbox.turned_away]
        counts = {"by_key": inbox.by_key, "by_notice": inbox.by_notice}
        return web.json_response({"received": received, "turned_away": turned_away, "sent": sent} | counts)

    async def _where(self, request: web.Request) -> web.Response:
        return web.json_response(self._sandbox.where())

    async def _due(self, request: web.Request) -> web.Response:
        due = self._sandbox.next_due()
        return web.json_response({"next_due": due.isoformat() if due is not None else None})

    async def _run_due(self, request: web.Request) -> web.Response:
        body = await _body(request)
        now = datetime.fromisoformat(str(body["now"])) if "now" in body else await self._sandbox.clock.now()
        return web.json_response({"steps": await self._sandbox.run_due(now)})

    async def _behaviour(self, request: web.Request) -> web.Response:
        """`{"domain" or "party": name, "behaviour": name}`."""
        body, desk = await _body(request), self._sandbox.desk
        try:
            name = behaviour(str(body.get("behaviour"))).name
        except Invalid as error:
            raise web.HTTPUnprocessableEntity(text=error.detail) from error
        if "domain" in body:
            desk.behaviours[str(body["domain"]).lower()] = name
        elif "party" in body:
            desk.party_behaviours[str(body["party"])] = name
        else:
            raise web.HTTPUnprocessableEntity(text="name a domain or a party")
        return web.json_response({"behaviour": name})

    async def _profile(self, request: web.Request) -> web.Response:
        """`{"domain": A-label, "hosts"?: n, "dependents"?: n, "mail"?: bool, "wildcard"?: bool, "rank"?: n, "fault"?: n}`."""
        body = await _body(request)
        kinds = {"hosts": int, "dependents": int, "mail": bool, "wildcard": bool, "rank": int, "fault": int}
        domain = body.pop("domain", None)
        if not isinstance(domain, str) or any(type(value) is not kinds.get(key) for key, value in body.items()):
            raise web.HTTPUnprocessableEntity(text=f"name a domain, and any of {', '.join(kinds)}")
        self._sandbox.survey.profiles[domain.lower()] = Profile(**body)
        return web.json_response({})

    async def _faults(self, request: web.Request) -> web.Response:
        """`{point: likelihood}`, in place of what was: `{}` ends all faults."""
        try:
            self._sandbox.faults.likelihood = checked(await _body(request))
        except Invalid as error:
            raise web.HTTPUnprocessableEntity(text=error.detail) from error
        return web.json_response({})

    async def _after_acceptance(self, request: web.Request) -> web.Response:
        """`{"channel": "smtp", "webform" or "webhook", "what": "drop", "stall" or "release", "times": 1}`."""
        body = await _body(request)
        box = self._sandbox
        sides = {"smtp": box.smtp.after_acceptance, "webform": box.form.after_acceptance}
        side = sides.get(str(body.get("channel")), box.webhook.after_acceptance)
        match body.get("what"):
            case "drop":
                side.drop(int(body.get("times", 1)))
            case "stall":
                side.stall(int(body.get("times", 1)))
            case "release":
                side.release()
            case other:
                raise web.HTTPUnprocessableEntity(text=f"unknown: {other}")
        return web.json_response({})

    async def _connect(self, request: web.Request) -> web.Response:
        """`{"notifier_url"?: url, "inbound_smtp"?: [host, port], "tokens"?: {party: token}}`."""
        body = await _body(request)
        smtp = body.get("inbound_smtp")
        try:
            self._sandbox.connect(body.get("notifier_url"), (smtp[0], int(smtp[1])) if smtp else None)
        except Invalid as error:
            raise web.HTTPUnprocessableEntity(text=error.detail) from error
        for party, token in body.get("tokens", {}).items():
            self._sandbox.set_token(party, token)
        return web.json_response({})

    async def _act(self, request: web.Request) -> web.Response:
        """`{"domain": A-label, "act": name, "by"?: actor}`: something happens without any notice."""
        body = await _body(request)
        try:
            act = Act(str(body.get("act")))
            now = await self._sandbox.clock.now()
            after = self._sandbox.world.do(act, str(body.get("domain")), now, str(body.get("by", "registry")))
        except (Invalid, ValueError) as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error
        return web.json_response({"statuses": list(after.statuses), "delegated": after.delegated})

    async def _acts(self, request: web.Request) -> web.Response:
        """What really happened to every name, which is no answer of anybody: `[{"at", "domain", "act", "by"}]`."""
        lines = [
            {"at": change.at.isoformat(), "domain": change.after.a_label, "act": change.act, "by": change.by}
            for change in self._sandbox.world.acts()
        ]
        return web.json_response(lines)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body is not JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body
