"""Stamps of a real RFC 3161 authority: openssl's, behind a small local server, under a certificate made for the test."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from notifier.net.safe_http import Egress
from notifier.net.stamping import Stamper, StampFailed, roots_of
from notifier.services import stamping
from tests.services.stages import MAIL, Stage

CONFIG = """
[ca_ext]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[tsa_ext]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = one
[one]
serial = serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.1
digests = sha256, sha384, sha512
accuracy = secs:1
"""


@dataclass
class Authority:
    folder: Path
    url: str = ""
    asked: int = 0
    answer: Callable[[bytes], bytes] | None = None
    failing: bool = False
    requests: list[bytes] = field(default_factory=list)

    def run(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.folder, check=True, capture_output=True)

    def make(self) -> None:
        (self.folder / "ts.cnf").write_text(CONFIG)
        (self.folder / "serial").write_text("01\n")
        for name in ("ca", "other"):
            self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=tsa",
                 "-keyout", "tsa.key", "-out", "tsa.csr")  # fmt: skip
        self.run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
                 "-extfile", "ts.cnf", "-extensions", "tsa_ext", "-out", "tsa.pem")  # fmt: skip

    async def reply(self, request: web.Request) -> web.Response:
        self.asked += 1
        query = await request.read()
        self.requests.append(query)
        if self.failing:
            return web.Response(status=503)
        body = self.answer(query) if self.answer else await asyncio.to_thread(self.stamp, query)
        return web.Response(body=body, content_type="application/timestamp-reply")

    def stamp(self, query: bytes) -> bytes:
        (self.folder / "q.tsq").write_bytes(query)
        self.run("ts", "-reply", "-config", "ts.cnf", "-section", "one", "-queryfile", "q.tsq", "-signer", "tsa.pem",
                 "-inkey", "tsa.key", "-out", "r.tsr")  # fmt: skip
        return (self.folder / "r.tsr").read_bytes()

    def stamper(self, root: str = "ca.pem") -> Stamper:
        return Stamper(Egress.LOOPBACK, self.url, roots_of(self.folder / root))


@pytest.fixture
async def authority(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[..., Path]
) -> AsyncIterator[Authority]:
    require_tool("openssl")
    made = Authority(tmp_path_factory.mktemp("tsa"))
    made.make()
    app = web.Application()
    app.router.add_post("/", made.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield made
    await runner.cleanup()


async def test_a_stamp_that_openssl_believes_too(authority: Authority) -> None:
    document = b'{"version":1}'
    answer = await authority.stamper().stamp(document)
    (authority.folder / "d").write_bytes(document)
    (authority.folder / "a.tsr").write_bytes(answer)
    authority.run("ts", "-verify", "-data", "d", "-in", "a.tsr", "-CAfile", "ca.pem")


async def test_what_is_not_believed(authority: Authority) -> None:
    with pytest.raises(StampFailed, match="verify"):
        await authority.stamper("other.pem").stamp(b"a document")  # another authority's chain
    before = authority.stamp(authority.requests[-1])
    authority.answer = lambda _: before
    with pytest.raises(StampFailed, match="verify"):
        await authority.stamper().stamp(b"a document")  # an old answer: another nonce
    for garbage in (b"", b"no DER", before[:-20]):
        authority.answer = lambda _, garbage=garbage: garbage
        with pytest.raises(StampFailed):
            await authority.stamper().stamp(b"a document")
    authority.failing = True
    with pytest.raises(StampFailed, match="503"):
        await authority.stamper().stamp(b"a document")
    with pytest.raises(StampFailed, match="not reached"):
        await Stamper(Egress.PUBLIC, authority.url, roots_of(authority.folder / "ca.pem")).stamp(b"a document")


async def test_what_is_approved_is_stamped_and_nothing_waits_for_it(stage: Stage, authority: Authority) -> None:
    ctx = replace(stage.ctx, stamper=authority.stamper())
    case_id = await stage.case_in_review()
    await stage.approve(case_id)
    notice = await stage.notice(case_id)
    authority.failing = True
    await stamping.stamp(ctx, str(notice["id"]))
    await stage.pass_time(minutes=31)
    assert len(stage.received(MAIL)) == 1, "sent without its stamp"
    authority.failing = False
    await stamping.stamp(ctx, str(notice["id"]))
    await stamping.stamp(ctx, str(notice["id"]))
    assert authority.asked == 2
    row = await stage.ctx.db.fetchrow("select * from manifest where notice_id = $1", notice["id"])
    assert row is not None
    assert row["sha256"] == hashlib.sha256(row["body"].encode()).hexdigest()
    (authority.folder / "d").write_text(row["body"])
    (authority.folder / "a.tsr").write_bytes(row["stamp"])
    authority.run("ts", "-verify", "-data", "d", "-in", "a.tsr", "-CAfile", "ca.pem")
    assert "manifest.stamped" in await stage.tags(case_id)
