"""A real Dovecot of the test's own: one user, one Maildir, in a temporary folder on free ports of loopback."""

import asyncio
import grp
import os
import pwd
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifier.rehearsal import free_port

USER, PASSWORD = "notices", 'a "quoted" \\ password'
NOBODY = 65534  # Dovecot reads no mail as root
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {group}
first_valid_uid = 1
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{folder}/Maildir
mailbox_idle_check_interval = 1 secs
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  {chroot}
}}
"""


class Dovecot:
    """Start, stop, deliver, and look at what became of it."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self.folder = program, folder
        self.port, self.tls_port = free_port(), free_port()
        root = os.geteuid() == 0
        self._uid, self._gid = (NOBODY, NOBODY) if root else (os.getuid(), os.getgid())
        self._own(folder)
        for name in ("Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp", "home"):
            (folder / name).mkdir()
            self._own(folder / name)
        _certificate(folder)
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        me = _user_name()
        (folder / "dovecot.conf").write_text(
            CONFIG.format(
                folder=folder,
                port=self.port,
                tls_port=self.tls_port,
                uid=self._uid,
                gid=self._gid,
                login="dovenull" if root else me,
                internal="dovecot" if root else me,
                group="dovecot" if root else _group_name(),
                chroot="" if root else "chroot =",
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, line: str) -> None:
        """One more line of configuration, from the next start on."""
        with (self.folder / "dovecot.conf").open("a") as file:
            file.write(f"{line}\n")

    async def start(self) -> None:
        with (self.folder / "dovecot.out").open("ab") as out:
            command = [self._program, "-F", "-c", self.folder / "dovecot.conf"]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        async with asyncio.timeout(15):
            while not await _greets(self.port):
                assert self._process.poll() is None, self.log()
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None

    def log(self) -> str:
        return "\n".join(
            (self.folder / name).read_text() for name in ("dovecot.out", "dovecot.log") if (self.folder / name).exists()
        )

    def deliver(self, body: bytes) -> None:
        """A message arrives, as a delivery agent writes it: whole, and then in its place."""
        name = f"{uuid.uuid4().hex}.test"
        half = self.folder / "Maildir" / "tmp" / name
        half.write_bytes(body)
        self._own(half)
        half.rename(self.folder / "Maildir" / "new" / name)

    def forget_uids(self) -> None:
        """Rebuild the folder's index, as after a restore: every UID is another one. Only while it is stopped."""
        for path in (self.folder / "Maildir").glob("dovecot*"):
            path.unlink()

    def in_folder(self, name: str = "") -> list[bytes]:
        """The messages of a folder, whatever their flags."""
        place = self.folder / "Maildir" / (f".{name}" if name else "")
        return [path.read_bytes() for part in ("new", "cur") for path in sorted((place / part).glob("*"))]

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._uid, self._gid)


async def _greets(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(5):
            return (await reader.readline()).startswith(b"* OK")
    except TimeoutError:
        return False
    finally:
        writer.close()


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _user_name() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _group_name() -> str:
    return grp.getgrgid(os.getgid()).gr_name
