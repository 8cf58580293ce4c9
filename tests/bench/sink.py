"""An SMTP server that takes everything and keeps nothing; run as a process of its own, it prints its port."""

import asyncio
import re

_END = b"\r\n.\r\n"
_ANSWERS = (
    (re.compile(rb"EHLO|HELO", re.IGNORECASE), b"250-sink\r\n250-8BITMIME\r\n250 SIZE 33554432\r\n"),
    (re.compile(rb"DATA", re.IGNORECASE), b"354 go on\r\n"),
    (re.compile(rb"QUIT", re.IGNORECASE), b"221 bye\r\n"),
    (re.compile(rb"MAIL|RCPT|RSET|NOOP", re.IGNORECASE), b"250 OK\r\n"),
)


class _Sink(asyncio.Protocol):
    def __init__(self) -> None:
        self._held = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._held += data
        while True:
            unit, mark, rest = self._held.partition(_END if self._in_data else b"\r\n")
            if not mark:
                return
            self._held = rest
            if self._in_data:
                self._in_data = False
                self._transport.write(b"250 2.0.0 queued as SINK\r\n")
                continue
            answer = next((said for verb, said in _ANSWERS if verb.match(unit)), b"500 what?\r\n")
            self._in_data = answer.startswith(b"354")
            self._transport.write(answer)
            if answer.startswith(b"221"):
                self._transport.close()


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
