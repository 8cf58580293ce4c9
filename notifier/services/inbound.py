"""What arrives from outside: stored as it came, classed, tied to its notice. Only what is authenticated changes a case."""

import hashlib
from collections.abc import Mapping, Sequence

import structlog

from notifier.adapter import Inbound, RegistryAdapter, Response
from notifier.catalog import Agreement
from notifier.domain.answer import Answer
from notifier.domain.jobs import Job, JobKind
from notifier.domain.notice import Notice
from notifier.errors import Conflict, Invalid, NotFound, Unauthenticated
from notifier.services import channels, mail_reading, responses
from notifier.services.channels import Channel
from notifier.services.context import Context
from notifier.store import notices as notice_store
from notifier.store.database import Tx, storable
from notifier.store.ids import as_uuid, new_id

log = structlog.get_logger(__name__)


async def receive_webhook(ctx: Context, recipient: str, headers: Mapping[str, str], body: bytes) -> str:
    """Store a signed webhook, then read it in a job. Raises Unauthenticated; a replay is taken and does nothing twice."""
    headers = {name.lower(): storable(value) for name, value in headers.items()}
    async with ctx.db.pool.acquire() as con:
        heard = await channels.hearing(ctx, con, await ctx.db.clock.now())
    if not ctx.verify_webhook(channels.names_of_secrets(heard, recipient), headers, body):
        raise Unauthenticated(
            "the signature does not fit (Standard Webhooks); nothing was stored", code="bad_signature"
        )
    return await _store(ctx, "webhook", recipient, headers, body, headers["webhook-id"], authenticated=True)


async def receive_mail(
    ctx: Context, recipient: str, headers: Mapping[str, str], body: bytes, whole_size: int | None = None
) -> str:
    """Store a mail as it came; the same one again is the same row. Unauthenticated: `mail_reading` says what it may do.

    `whole_size`: its size in bytes where `body` is only its beginning.
    """
    headers = {name.lower(): storable(value) for name, value in headers.items()}
    key = hashlib.sha256(body).hexdigest() + (f"/{whole_size}" if whole_size is not None else "")
    return await _store(
        ctx, "mail", storable(recipient), headers, body, key, authenticated=False, whole_size=whole_size
    )


async def _store(
    ctx: Context,
    channel: str,
    recipient: str,
    headers: Mapping[str, str],
    body: bytes,
    key: str,
    *,
    authenticated: bool,
    whole_size: int | None = None,
) -> str:
    inbound_id = new_id()
    # A mail's recipient holds its reply token, which is no business of the log's readers.
    actor = f"registry:{recipient}" if authenticated else channel
    async with ctx.db.transaction(actor, channel) as tx:
        stored = await tx.con.fetchval(
            "insert into inbound (id, channel, recipient, headers, body, authenticated, message_key, received_at, "
            "whole_size) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing returning id",
            inbound_id,
            channel,
            recipient,
            headers,
            body,
            authenticated,
            key,
            tx.now,
            whole_size,
        )
        if stored is None:
            return str(
                await tx.con.fetchval(
                    "select id from inbound where channel = $1 and recipient = $2 and message_key = $3",
                    channel,
                    recipient,
                    key,
                )
            )
        await tx.audit("inbound.received", inbound_id, {"channel": channel, "sha256": hashlib.sha256(body).hexdigest()})
        await tx.enqueue(Job(JobKind.READ_INBOUND, inbound_id))
    return inbound_id


async def read_inbound(ctx: Context, inbound_id: str) -> None:
    """Class a stored message and apply what it says. Idempotent: a message that was read is left alone."""
    row = await ctx.db.fetchrow("select * from inbound where id = $1", inbound_id)
    if row is None or row["read_at"] is not None:
        return
    message = Inbound(row["channel"], row["headers"], row["body"], row["received_at"], row["authenticated"])
    mail = await mail_reading.read(ctx, row) if row["channel"] == "mail" else None
    async with ctx.db.pool.acquire() as con:
        # As of when it came: it was let in by the channels that were heard then.
        heard = await channels.hearing(ctx, con, row["received_at"])
    read = None if mail else _parse(heard, message, row["recipient"])
    actor = f"registry:{row['recipient']}" if row["authenticated"] else f"mail:{inbound_id}"
    async with ctx.db.transaction(actor, row["channel"]) as tx:
        locked = await tx.con.fetchval("select read_at is null from inbound where id = $1 for update", inbound_id)
        if not locked:
            return
        if mail is not None:
            await mail_reading.settle(ctx, tx, inbound_id, mail, message)
        else:
            await _settle_webhook(ctx, tx, inbound_id, read, row["recipient"])


async def _settle_webhook(ctx: Context, tx: Tx, inbound_id: str, read: Response | None, registry: str) -> None:
    notice = await _notice_of(tx, read, registry)
    await tx.con.execute(
        "update inbound set read_at = $2, class = $3, notice_id = $4, fate = $5 where id = $1",
        inbound_id,
        tx.now,
        read.kind if read else "unmatched",
        notice.id if notice else None,
        "linked" if notice else "unmatched",
    )
    if read is not None and notice is not None:
        await _record(ctx, tx, notice, read, inbound_id)
        return
    what = "a message that no notice answers to; read it and tie it"
    await notice_store.open_task(tx.con, "unmatched_mail", what, tx.now, inbound_id=inbound_id)
    await tx.audit("inbound.unmatched", inbound_id, {})


def _parse(heard: Sequence[Channel], message: Inbound, recipient: str) -> Response | None:
    """What a channel of the registry that signed it reads in it; of other registries' channels, none is asked."""
    for channel in heard:
        agreement, adapter = channel.agreement, channel.adapter
        if adapter is None or agreement.registry != recipient:
            continue
        if agreement.adapter != message.channel and not _answers_so(agreement, adapter):
            continue
        try:
            read = adapter.parse_reply(message)
        except Exception:  # what one channel chokes on, another or a person reads
            log.exception("channel.failed", agreement=agreement.id)
            continue
        if read is not None:
            return read
    return None


def _answers_so(agreement: Agreement, adapter: RegistryAdapter) -> bool:
    """Whether the recipient of what a person carries answers by signed webhooks: the agreement names their secret."""
    return adapter.capabilities.attended and isinstance(agreement.address.get("secret"), str)


async def _notice_of(tx: Tx, read: Response | None, registry: str) -> Notice | None:
    """The notice that a signed message names, if it is one of the signer's own."""
    if read is None:
        return None
    notice_id = read.notice_id if read.notice_id and as_uuid(read.notice_id) else None
    if read.notice_token and notice_id is None:
        found = await tx.con.fetchval("select id from notice where reply_token = $1", read.notice_token)
        notice_id = str(found) if found else None
    if notice_id is None:
        return None
    try:
        return await responses.lock_notice(tx, notice_id, registry)
    except NotFound:
        return None


async def _record(ctx: Context, tx: Tx, notice: Notice, read: Response, inbound_id: str) -> None:
    answer = Answer(read.kind, read.measure, read.actor, read.reason, read.effective_at, read.comment, read.domain)
    try:
        await responses.record(ctx, tx, notice, answer, inbound_id)
    except (Invalid, Conflict) as error:  # authenticated, and still not understood: a person reads it
        await notice_store.open_task(
            tx.con,
            "confirm_answer",
            error.detail,
            tx.now,
            case_id=notice.case_id,
            notice_id=notice.id,
            inbound_id=inbound_id,
        )
