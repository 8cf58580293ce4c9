"""One mail through one SMTP server, step by step, so that it is known how far a failed one came.

| where | failure |
| --- | --- |
| connect, TLS, sign-in, a 4xx or a lost connection before the final dot | tried again, then Deferred |
| 5xx to MAIL, RCPT or DATA, or after the final dot | RefusedForGood |
| 4xx after the final dot | Deferred |
| no answer, or none that can be read, after the final dot | Uncertain |
"""

import asyncio
import re
import socket
import ssl
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from notifier.adapter import Deferred, Deps, Problem, Receipt, RefusedForGood, Relay, StartTls, Uncertain
from notifier.domain.hostile import one_line
from registries.attempt import Early

_QUEUED_AS = re.compile(r"queued as ([\w.-]+)", re.IGNORECASE)
_LINE_DOT = re.compile(rb"(?m)^\.")
_FLOOR = 50_000  # octets a second; a slower recipient is given up before the final dot
_MAILBOX_FULL_WAIT = 2 * 86_400.0  # an abuse desk's full mailbox is commonly emptied within days
_OUR_FAULT = frozenset({530, 534, 535, 538})  # RFC 4954 §6: sign-in is missing or wrong, not the notice


class MailServer:
    """The server that takes our mail: our relay, or a recipient's own gateway. None: nobody is configured."""

    def __init__(self, relay: Relay | None, deps: Deps) -> None:
        self._relay, self._deps = relay, deps

    async def check(self) -> list[Problem]:
        """Connect, greet, TLS, sign in, leave. Nothing is sent."""
        try:
            client = await self._open()
        except Deferred as failure:
            return [Problem(failure.reason, "an SMTP server that lets us in under the TLS rule")]
        await _leave(client)
        return []

    async def transmit(self, sender: str, recipient: str, message: bytes, key: str) -> Receipt:
        """One try. Raises Early, Deferred, RefusedForGood, Uncertain."""
        client = await self._open()
        try:
            await _envelope(client, sender, recipient, len(message))
            reply = await self._body(client, message)
            await _leave(client)
        finally:
            client.close()
        queued = _QUEUED_AS.search(reply.message)
        detail = one_line(f"{reply.code} {reply.message}", 500)
        return Receipt(accepted=True, reference=queued[1] if queued else "", detail=detail, key=key)

    async def _body(self, client: aiosmtplib.SMTP, message: bytes) -> aiosmtplib.SMTPResponse:
        """Everything up to the final dot, then the dot: only from there on can it have been accepted."""
        protocol, transport = client.protocol, client.transport
        if protocol is None or transport is None:
            raise Early("the connection was lost after DATA")
        flow = cast(asyncio.Transport, transport)
        flow.set_write_buffer_limits(high=0)
        writer = asyncio.StreamWriter(flow, protocol, None, asyncio.get_running_loop())
        try:
            writer.write(_LINE_DOT.sub(b"..", message))
            async with asyncio.timeout(self._deps.waits.reply + len(message) / _FLOOR):
                await writer.drain()
            protocol.write(b".\r\n")
        except (OSError, TimeoutError) as lost:
            client.close()
            raise Early(f"the connection was lost before the final dot: {_said(lost)}") from lost
        reply = await self._final_reply(protocol)
        if 200 <= reply.code < 300:
            return reply
        if 400 <= reply.code < 500:
            raise Deferred(_said(aiosmtplib.SMTPDataError(*reply)))
        if 500 <= reply.code < 600:
            raise _refusal(aiosmtplib.SMTPDataError(*reply))
        raise Uncertain(f"an answer that means nothing after the final dot: {one_line(str(reply), 200)}")

    async def _final_reply(self, protocol: SMTPProtocol) -> aiosmtplib.SMTPResponse:
        try:
            return await protocol.read_response(timeout=self._deps.waits.final)
        except (aiosmtplib.SMTPException, OSError) as lost:
            raise Uncertain(f"no answer after the final dot: {_said(lost)}") from lost

    async def _open(self) -> aiosmtplib.SMTP:
        """A session ready for MAIL. Raises Deferred (or Early) alone."""
        relay = self._relay
        if relay is None:
            raise Deferred("no SMTP relay is configured")
        password = self._deps.secret(relay.password) if relay.password else None
        if relay.username and password is None:
            raise Deferred(f"the secret {relay.password} of the SMTP relay is not set")
        sock = await self._connect(relay)
        implicit = relay.starttls is StartTls.IMPLICIT
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            sock=sock,
            start_tls=False,
            use_tls=implicit,
            tls_context=ssl.create_default_context() if implicit else None,
            timeout=self._deps.waits.reply,
            local_hostname=self._deps.identity.reply_domain,
        )
        try:
            await client.connect()
            await client.ehlo()
            await self._secure(client, relay)
            if relay.username and password is not None:
                await client.login(relay.username, password)
        except aiosmtplib.SMTPResponseException as answer:
            client.close()
            raise (Early if answer.code < 500 else Deferred)(_said(answer)) from answer
        except (aiosmtplib.SMTPException, OSError) as lost:
            client.close()
            raise Early(f"{relay.host}: {_said(lost)}") from lost
        except Deferred:
            client.close()
            raise
        finally:
            if client.transport is None:
                sock.close()
        return client

    async def _connect(self, relay: Relay) -> socket.socket:
        """A socket to the first address that the egress rule allows and that answers."""
        loop = asyncio.get_running_loop()
        failure = "no address"
        try:
            async with asyncio.timeout(self._deps.waits.connect):
                found = await loop.getaddrinfo(relay.host, relay.port, type=socket.SOCK_STREAM)
                allowed = [entry for entry in found if self._deps.check_connect(str(entry[4][0]))]
                if not allowed:
                    raise Deferred(f"{relay.host}: the egress rule allows none of its addresses")
                for family, kind, proto, _, address in allowed:
                    sock = socket.socket(family, kind, proto)
                    sock.setblocking(False)
                    try:
                        await loop.sock_connect(sock, address)
                    except OSError as refused:
                        sock.close()
                        failure = str(refused)
                    except BaseException:
                        sock.close()
                        raise
                    else:
                        return sock
        except (OSError, TimeoutError) as lost:
            failure = str(lost) or "timed out"
        raise Early(f"cannot connect to {relay.host} port {relay.port}: {failure}")

    async def _secure(self, client: aiosmtplib.SMTP, relay: Relay) -> None:
        if relay.starttls in (StartTls.NONE, StartTls.IMPLICIT):
            return
        if not client.supports_extension("starttls"):
            if relay.starttls is StartTls.REQUIRED:
                raise Deferred(f"{relay.host} offers no STARTTLS, and TLS is required")
            if relay.username:
                raise Deferred(f"{relay.host} offers no STARTTLS, and a password is not sent in the clear")
            return
        context = ssl.create_default_context()
        if relay.starttls is StartTls.OPPORTUNISTIC:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await client.starttls(tls_context=context, server_hostname=relay.host)
        await client.ehlo()


async def _envelope(client: aiosmtplib.SMTP, sender: str, recipient: str, size: int) -> None:
    """MAIL, RCPT, DATA up to the 354. One recipient, so a refusal is never partial."""
    try:
        await client.mail(sender, options=[f"SIZE={size}"] if client.supports_extension("size") else None)
        await client.rcpt(recipient)
        ready = await client.execute_command(b"DATA")
        if ready.code != 354:
            raise aiosmtplib.SMTPDataError(ready.code, ready.message)
    except aiosmtplib.SMTPResponseException as answer:
        raise (_refusal(answer) if 500 <= answer.code < 600 else Early(_said(answer))) from answer
    except (aiosmtplib.SMTPException, OSError) as lost:
        raise Early(f"the connection was lost before the final dot: {_said(lost)}") from lost


def _refusal(answer: aiosmtplib.SMTPResponseException) -> Deferred | RefusedForGood:
    """What a 5xx means to us: most are final, a full mailbox and our own sign-in are not."""
    if answer.code in _OUR_FAULT:
        return Deferred(_said(answer))
    if answer.code == 552 and answer.message.startswith("5.2.2"):
        return Deferred(_said(answer), _MAILBOX_FULL_WAIT)
    return RefusedForGood(_said(answer))


async def _leave(client: aiosmtplib.SMTP) -> None:
    """QUIT. What happens to it changes nothing: the mail was answered for before."""
    try:
        await client.quit(timeout=2)
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _said(failure: Exception) -> str:
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        return one_line(f"{failure.code} {failure.message}", 300)
    return one_line(str(failure) or type(failure).__name__, 300)
