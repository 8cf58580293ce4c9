"""A real Postfix of the test's own, in a temporary folder on a free port of loopback. It runs as root, as Postfix must."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from notifier.rehearsal import free_port

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.notifier.example
mydomain = notifier.example
myorigin = notifier.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_dns_support_level = disabled
smtp_host_lookup = native
transport_maps = inline:{{ {transports} }}
default_transport = error:nowhere to go
notify_classes =
minimal_backoff_time = 5s
maximal_backoff_time = 5s
queue_run_delay = 5s
"""
SERVICES = """
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
lmtp      unix  - - n - - lmtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def superuser() -> list[str] | None:
    """What stands before a command of the superuser's; None when there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


class Postfix:
    """`transports`: the next hop of each domain, as in transport(5)."""

    def __init__(self, program: Path, folder: Path, transports: Mapping[str, str], root: list[str]) -> None:
        self.port, self.folder = free_port(), folder
        self._command = [*root, str(program), "-c", str(folder / "conf")]
        for name in ("conf", "queue", "data"):
            (folder / name).mkdir()
        subprocess.run([*root, "chown", "postfix", str(folder / "data")], check=True)
        subprocess.run([*root, "chown", "root", str(folder / "queue"), str(folder / "conf")], check=True)
        hops = ", ".join(f"{{ {domain} = {hop} }}" for domain, hop in transports.items())
        main = MAIN.format(folder=folder, transports=hops)
        services = f"127.0.0.1:{self.port} inet n - n - - smtpd{SERVICES}"
        for name, text in (("main.cf", main), ("master.cf", services)):
            subprocess.run(
                [*root, "tee", str(folder / "conf" / name)], input=text.encode(), check=True, capture_output=True
            )

    async def start(self) -> None:
        done = await asyncio.to_thread(subprocess.run, [*self._command, "start"], capture_output=True, check=False)
        assert done.returncode == 0, (done.stderr.decode(), self.log())
        async with asyncio.timeout(20):
            while not await self._greets():
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        await asyncio.to_thread(subprocess.run, [*self._command, "stop"], capture_output=True, check=False)

    def log(self) -> str:
        path = self.folder / "mail.log"
        return path.read_text() if path.exists() else ""

    async def _greets(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            async with asyncio.timeout(5):
                return (await reader.readline()).startswith(b"220")
        except TimeoutError:
            return False
        finally:
            writer.close()
