"""The whole way of a mail through a real Postfix: our notice out by SMTP, what comes back in by LMTP.

A mailbox that does not exist gives a delivery report that Postfix itself wrote.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP

from notifier import rehearsal
from notifier.rehearsal import free_port
from tests.mail.postfix import Postfix, superuser
from tests.services.stages import MAIL, Stage, staged, until

RECIPIENTS = "verisign.sandbox.test"


class NoSuchMailbox:
    """The recipient's mail server; `refuses` says what it answers to a recipient."""

    refuses: str | None = "550 5.1.1 no such mailbox here"

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.refuses is not None:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.taken.append(envelope.original_content)
        return "250 ok"


@pytest.fixture
def root(require_tool: Callable[..., Path]) -> list[str]:
    require_tool("postfix")
    found = superuser()
    if found is None:
        reason = "Postfix starts as root only: run as root, or with sudo that asks for no password"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
async def desk() -> AsyncIterator[tuple[NoSuchMailbox, int]]:
    box = NoSuchMailbox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", free_port())
    yield box, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def relayed(
    root: list[str],
    desk: tuple[NoSuchMailbox, int],
    require_tool: Callable[..., Path],
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Stage, Postfix, NoSuchMailbox]]:
    """A stage whose relay is Postfix, which hands our mail over by LMTP on a socket."""
    box, port = desk
    with TemporaryDirectory(prefix="postfix-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        socket = folder / "lmtp"
        hops = {RECIPIENTS: f"smtp:[127.0.0.1]:{port}", rehearsal.REPLY_DOMAIN: f"lmtp:unix:{socket}"}
        postfix = Postfix(require_tool("postfix"), folder, hops, root)
        settings_of, overlay_of = rehearsal._settings, rehearsal.overlay_of
        monkeypatch.setattr(
            rehearsal, "_settings", lambda *args: replace(settings_of(*args), inbound_lmtp=f"unix:{socket}")
        )
        monkeypatch.setattr(
            rehearsal, "overlay_of", lambda *args: overlay_of(*args) | {"smtp": f"127.0.0.1:{postfix.port}"}
        )
        await postfix.start()
        try:
            async with staged(tmp_path, database_url) as stage:
                yield stage, postfix, box
        finally:
            await postfix.stop()
            if root:
                shutil.rmtree(folder, ignore_errors=True)


async def test_a_mailbox_that_does_not_exist_gives_a_report_that_is_a_bounce(
    relayed: tuple[Stage, Postfix, NoSuchMailbox],
) -> None:
    stage, postfix, _ = relayed
    case_id = await stage.notified()
    notice = await stage.notice(case_id)
    assert await stage.attempts(notice["id"]) == ["accepted"], postfix.log()  # by Postfix; and perhaps bounced already

    async def told() -> bool:
        return bool((await stage.notice(case_id))["state"] == "bounced")

    try:
        await until(told, 60)
    except TimeoutError:
        raise AssertionError(postfix.log()) from None
    await stage.r.quiet()
    row = await stage.ctx.db.fetchrow("select * from inbound")
    assert row is not None
    assert (row["fate"], row["class"], row["matched_by"]) == ("linked", "bounce", "token in envelope")
    assert (row["notice_id"], row["recipient"]) == (notice["id"], stage.reply_to(notice))
    assert row["why"] == "a delivery report: failed"
    (task,) = await stage.tasks()
    assert (task["kind"], task["notice_id"]) == ("no_contact", notice["id"])
    assert "550 5.1.1 no such mailbox here" in task["detail"]
    assert await stage.state(case_id) == "in_review"


async def test_a_notice_and_its_answer_go_through(relayed: tuple[Stage, Postfix, NoSuchMailbox]) -> None:
    stage, postfix, box = relayed
    box.refuses = None
    case_id = await stage.notified()
    notice = await stage.notice(case_id)

    async def arrived() -> bool:
        return len(box.taken) == 1

    await until(arrived, 60)
    assert f"Reply-To: {stage.reply_to(notice)}".encode() in box.taken[0]

    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = f"desk@{RECIPIENTS}", stage.reply_to(notice), f"Re: {MAIL}"
    answer.set_content("We look into it.\n" + "x" * 2000)  # a line longer than RFC 5322 allows
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=postfix.port, start_tls=False, use_tls=False) as smtp:
        await smtp.send_message(answer)

    async def read() -> bool:
        return await stage.count("inbound where read_at is not null") == 1

    try:
        await until(read, 60)
    except TimeoutError:
        raise AssertionError(postfix.log()) from None
    assert await stage.task_kinds() == ["confirm_answer"]
    assert [tuple(r) for r in await stage.ctx.db.fetch("select class, notice_id from inbound")] == [
        ("human", notice["id"])
    ]
    assert (await stage.state(case_id), await stage.count("response")) == ("notified", 0)
