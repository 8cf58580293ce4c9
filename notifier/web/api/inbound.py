"""Answers that recipients push: Standard Webhooks, stored first and read in a job."""

from notifier.services import inbound
from notifier.services.context import Context
from notifier.web.routes import JSON, RawBody, Reply, Route
from notifier.web.schemas import RecipientPath
from notifier.web.views.notices import InboundOut

# A recipient's gateway may add credentials of its own; they are none of ours to keep.
_NEVER_KEPT = frozenset({"authorization", "cookie", "proxy-authorization"})


async def receive_webhook(ctx: Context, path: RecipientPath, body: RawBody) -> Reply:
    """A signed webhook (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`). A replay does nothing twice."""
    headers = {name: value for name, value in body.headers.items() if name not in _NEVER_KEPT}
    inbound_id = await inbound.receive_webhook(ctx, path.recipient, headers, body.content)
    return Reply(202, InboundOut.of({"inbound_id": inbound_id}))


ROUTES = [
    Route(
        "POST",
        "/inbound/{recipient}",
        receive_webhook,
        "Receive a webhook",
        {202: InboundOut},
        problems=[401],
        raw={JSON: {"type": "object"}},
        anonymous=True,
    ),
]
