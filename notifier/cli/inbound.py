"""inbound: a mail handed in by a pipe, and what came in as it was stored."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from notifier import bootstrap
from notifier.cli.session import Config, fail, opened, run, settings_of
from notifier.domain import mail_text, mime
from notifier.domain.hostile import defang, lines, one_line
from notifier.domain.mail_match import Ours, delivery_of
from notifier.net.mailbox import KEPT_BYTES, MAX_BYTES, Arrived
from notifier.settings import Settings
from notifier.store.ids import as_uuid

app = typer.Typer(no_args_is_help=True, help="Messages that came in.")

# sysexits(3), as pipe(8) of Postfix and pipe transports of others read them.
EX_DATAERR, EX_TEMPFAIL = 65, 75
_PIECE = 64 * 1024


@app.callback()
def _inbound() -> None:
    pass


@app.command("deliver")
def deliver(
    recipient: Annotated[
        str | None, typer.Option("--recipient", help="The envelope's; else ORIGINAL_RECIPIENT, else the mail's fields.")
    ] = None,
    sender: Annotated[str | None, typer.Option("--sender", help="The envelope's; else SENDER.")] = None,
    config: Config = None,
) -> None:
    """Store the mail on stdin, for a pipe transport. Exits 0 when it is stored, 75 to try again, 65 for what never can be."""
    try:
        settings = settings_of(config)
        arrived = _arrived(settings, recipient, sender, sys.stdin.buffer)
        if arrived is None:
            print("notifier: no mail for a reply address of ours", file=sys.stderr)
            raise typer.Exit(EX_DATAERR)
        asyncio.run(_store(settings, arrived))
    except typer.Exit:
        raise
    except BaseException as error:  # whatever it is, the mail server keeps the mail and tries again
        print(f"notifier: not stored, try again later: {error!r:.500}", file=sys.stderr)
        raise typer.Exit(EX_TEMPFAIL) from None


async def _store(settings: Settings, arrived: Arrived) -> None:
    async with bootstrap.database_of(settings) as dsn, bootstrap.house(settings, dsn) as house:
        await bootstrap.mail_taker(house.ctx)(arrived)


def _arrived(settings: Settings, recipient: str | None, sender: str | None, source: BinaryIO) -> Arrived | None:
    """The mail and its envelope; None when it is empty, or for somebody else."""
    body, size = _bounded(source)
    ours = Ours(settings.identity.reply_mailbox, settings.reply_domain)
    found, envelope = delivery_of(body[:MAX_BYTES], ours)
    named = recipient or os.environ.get("ORIGINAL_RECIPIENT") or os.environ.get("RECIPIENT")
    if not body.strip() or (named and not ours.holds(named)):
        return None
    told = dict(envelope)
    if named:
        found = one_line(named, 320).lower()
        told["delivered-to"] = found
    if (sender := sender if sender is not None else os.environ.get("SENDER")) is not None:
        told["return-path"] = f"<{one_line(sender, 320).strip('<>')}>"
    over = size > MAX_BYTES
    return Arrived(found, told, body[:KEPT_BYTES] if over else body, size if over else None)


def _bounded(source: BinaryIO) -> tuple[bytes, int]:
    """At most MAX_BYTES of it, and its whole size; it is read to the end, since a pipe that breaks is a failure."""
    kept, size = bytearray(), 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if len(kept) <= MAX_BYTES:
            kept += piece
    return bytes(kept), size


@app.command("show")
def show(
    inbound_id: str,
    original: Annotated[
        Path | None, typer.Option("--original", help="Also write the original there, byte for byte; open it with care.")
    ] = None,
    config: Config = None,
) -> None:
    """Print what came in, made safe to look at. Needs the state folder."""
    if as_uuid(inbound_id) is None:
        fail(f"{one_line(inbound_id, 60)} is no id of a message")

    async def work() -> None:
        async with opened(config) as house:
            row = await house.ctx.db.fetchrow(
                "select channel, headers, body, received_at, fate, class, why, notice_id, proposed, matched_by, whole_size "
                "from inbound where id = $1",
                inbound_id,
            )
        if row is None:
            fail(f"no message {inbound_id}")
        for name in (
            "channel",
            "received_at",
            "fate",
            "class",
            "why",
            "notice_id",
            "proposed",
            "matched_by",
            "whole_size",
        ):
            if row[name] is not None:
                print(f"{name}: {one_line(str(row[name]), 500)}")
        mail = mime.read(row["body"], row["headers"])
        for name in ("from", "to", "subject", "date"):
            print(f"{name}: {defang(mail_text.header(mail, name))}")
        print()
        text = mail_text.comment(mail) if row["channel"] == "mail" else row["body"][:10_000].decode("utf-8", "replace")
        print(defang("\n".join(lines(text))))
        if original is not None:
            original.write_bytes(row["body"])

    run(work())
