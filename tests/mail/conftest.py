"""Real mail servers, each of one test."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mail.dovecot import Dovecot


@pytest.fixture
async def dovecot(require_tool: Callable[..., Path]) -> AsyncIterator[Dovecot]:
    program = require_tool("dovecot", package="dovecot-imapd")
    # Paths of sockets are short (108 bytes), and the servers' own users must be able to go there.
    with TemporaryDirectory(prefix="dovecot-") as folder:
        os.chmod(folder, 0o755)
        server = Dovecot(program, Path(folder))
        await server.start()
        try:
            yield server
        finally:
            server.stop()
