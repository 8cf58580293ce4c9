"""What is particular to mail: where a failure arose, TLS, addresses, and the bytes of the message."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notifier.adapter import (
    AgreementChannel,
    Attachment,
    Deferred,
    Message,
    RefusedForGood,
    Relay,
    RenderedNotice,
    StartTls,
    Uncertain,
    Waits,
)
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.rendering import NamedDomain, Recipient, Renderer
from notifier.resources import folder
from registries import mail_message, smtp, smtp_session
from tests.registries.channels import IDENTITY, deps
from tests.registries.sample_facts import TOKEN, T, facts
from tests.registries.servers import Point, SmtpServer

RENDERER = Renderer(folder("templates"))
NOTICE = RENDERER.notice(facts())
KEY = "notice.1"


def adapter(port: int, address: dict[str, Any] | None = None, **changes: Any) -> smtp.SmtpAdapter:
    channel = AgreementChannel(
        "opioids.sandbox", "smtp", address or {"to": "abuse@registry.example"}, "Sandbox Registry"
    )
    return smtp.build(channel, deps(port, **changes))


class Wire:
    """A server of a few lines, for what a well-behaved server library cannot do."""

    def __init__(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> None:
        self._talk, self.connections = talk, 0

    async def __aenter__(self) -> "Wire":
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)  # so that a big body does not fit in
        self._server = await asyncio.start_server(self._serve, sock=listening, limit=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()


async def up_to_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mx\r\n")
    while line := await reader.readline():
        if line.upper().startswith(b"DATA"):
            writer.write(b"354 go\r\n")
            await writer.drain()
            return
        writer.write(b"250 ok\r\n")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "failure", "tries"),
    [("451 4.3.0 later", Deferred, 3), ("421 4.3.2 closing", Deferred, 3), ("550 5.7.1 no", RefusedForGood, 1)],
)
async def test_a_reply_before_the_body(verb: str, reply: str, failure: type[Exception], tries: int) -> None:
    async with SmtpServer(replies={verb: reply}) as server:
        with pytest.raises(failure, match=reply[:3]):
            await adapter(server.port).send(NOTICE, KEY)
    assert server.said.count(reply) == tries
    assert server.got == []


@pytest.mark.parametrize("reply", ["554 5.7.1 not welcome", "421 4.7.0 too many"])
async def test_a_banner_that_turns_us_away_is_no_verdict_on_the_notice(reply: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()

    async with Wire(talk) as server:
        with pytest.raises(Deferred, match=reply[:3]):
            await adapter(server.port).send(NOTICE, KEY)


@pytest.mark.parametrize(
    ("reply", "failure", "retry_after"),
    [
        ("451 4.3.0 later", Deferred, None),
        ("554 5.7.1 refused", RefusedForGood, None),
        ("552 5.2.2 mailbox full", Deferred, 172_800.0),
        ("552 5.3.4 message too big", RefusedForGood, None),
        ("354 what", Uncertain, None),
    ],
)
async def test_a_reply_after_the_final_dot(reply: str, failure: type[Exception], retry_after: float | None) -> None:
    async with SmtpServer(after_dot=reply) as server:
        with pytest.raises(failure) as caught:
            await adapter(server.port).send(NOTICE, KEY)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert server.attempts == 1


async def test_a_reply_that_cannot_be_read_after_the_final_dot_is_uncertain() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_data(reader, writer)
        while (await reader.readline()) != b".\r\n":
            pass
        writer.write(b"?? \xff\xfe\r\n")
        await writer.drain()

    async with Wire(talk) as server:
        with pytest.raises(Uncertain):
            await adapter(server.port).send(NOTICE, KEY)
    assert server.connections == 1


def big(size: int) -> RenderedNotice:
    """A notice whose attachment does not fit into the socket's buffers."""
    return replace(NOTICE, attachments=(Attachment("a.bin", "application/octet-stream", b"x" * size, "0" * 64),))


async def test_a_drop_in_the_middle_of_the_body_is_known_to_precede_acceptance() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_data(reader, writer)
        await reader.readexactly(1000)

    async with Wire(talk) as server:
        with pytest.raises(Deferred, match="before the final dot"):
            await adapter(server.port).send(big(6_000_000), KEY)
    assert server.connections == 3


async def test_a_recipient_that_stops_reading_is_given_up_before_the_final_dot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await up_to_data(reader, writer)
        await asyncio.Event().wait()

    monkeypatch.setattr(smtp_session, "_FLOOR", 10**9)
    async with Wire(talk) as server:
        with pytest.raises(Deferred, match="before the final dot"):
            await adapter(server.port).send(big(6_000_000), KEY)


async def test_quit_changes_nothing() -> None:
    async with SmtpServer(replies={"QUIT": "500 what"}) as server:
        assert (await adapter(server.port).send(NOTICE, KEY)).accepted


async def test_a_message_over_the_limit_never_connects() -> None:
    async with SmtpServer() as server:
        with pytest.raises(RefusedForGood, match="octets"):
            await adapter(server.port).send(big(11_000_000), KEY)
    assert server.said == []


# ---- envelope and bytes


async def test_the_envelope() -> None:
    async with SmtpServer() as server:
        await adapter(server.port).send(NOTICE, KEY)
    (got,) = server.got
    assert got.envelope["recipients"] == ["abuse@registry.example"]
    plus = f"notices+{TOKEN}@replies.notifier.example"
    assert got.envelope["sender"] == plus
    message = got.envelope["message"]
    assert message["Reply-To"] == plus
    assert message["Message-ID"] == "<notice.1@replies.notifier.example>"
    assert message["Date"].datetime == NOTICE.issued_at
    assert message["X-XARF"] == "PLAIN"
    assert message["From"] == "Example Notifier <desk@notifier.example>"
    assert "Auto-Submitted" not in message
    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in message.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "application/json",
        "application/json",
    ]


async def test_auto_submitted_is_an_agreement_s_choice() -> None:
    async with SmtpServer() as server:
        await adapter(server.port, {"to": "abuse@registry.example", "auto_submitted": True}).send(NOTICE, KEY)
    assert server.got[0].envelope["message"]["Auto-Submitted"] == "auto-generated"


async def test_a_retry_after_a_crash_is_byte_for_byte_the_same() -> None:
    long = RENDERER.notice(facts(domain=NamedDomain("a" * 60 + ".example", "ä" * 60 + ".example")))
    async with SmtpServer() as server:
        server.script = (Point.DROP_LATE, Point.ACCEPT)
        with pytest.raises(Uncertain):
            await adapter(server.port).send(long, KEY)
        await adapter(server.port).send(long, KEY)
    assert server.got[0].raw == mail_message.build(long, KEY, identity=IDENTITY, recipient="abuse@registry.example")


@pytest.mark.parametrize("subject", ["x" * 300, "long words " * 30, "ü" * 300, "=?utf-8?q?a?=", "日本 " * 100])
def test_any_subject_is_one_header_and_reads_the_same(subject: str) -> None:
    raw = mail_message.build(replace(NOTICE, subject=subject.strip()), KEY, identity=IDENTITY, recipient="a@b.example")
    assert message_from_bytes(raw, policy=default)["Subject"] == subject.strip()
    assert raw.count(b"\r\nSubject:") == 1


def test_no_line_is_longer_than_smtp_allows() -> None:
    notice = RENDERER.notice(facts(description="w" * 5000 + " ü " * 500, urls=("https://a.example/" + "p" * 4000,)))
    raw = mail_message.build(notice, KEY, identity=IDENTITY, recipient="a@b.example")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()


async def test_dots_and_from_at_the_start_of_lines_arrive() -> None:
    notice = replace(NOTICE, text=".\n..\n.x\nFrom here\n--=_0\nend\n")
    async with SmtpServer() as server:
        await adapter(server.port).send(notice, KEY)
    assert server.got[0].content["text"] == notice.text


# ---- who is written to


@pytest.mark.parametrize(
    "address",
    [
        {"to": "abuse@registry.example", "cc": "ABUSE@Registry.Example"},
        {"to": ["abuse@registry.example", "Abuse@registry.example "]},
    ],
)
async def test_the_same_mailbox_in_two_roles_is_one_recipient(address: dict[str, Any]) -> None:
    async with SmtpServer() as server:
        await adapter(server.port, address).send(NOTICE, KEY)
    assert server.got[0].envelope["recipients"] == ["abuse@registry.example"]


@pytest.mark.parametrize(
    "address",
    [
        {"to": "abuse@registry.example", "cc": "legal@registry.example"},
        {"to": "not a mailbox"},
        {"to": "a@b.example>\r\nRCPT TO:<c@d.example"},
        {"to": "abuse@registry.example", "host": "127.0.0.1", "starttls": "maybe"},
    ],
)
def test_an_address_that_cannot_be_used_is_named_at_once(address: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"opioids\.sandbox|mailbox"):
        adapter(1, address)


@pytest.mark.parametrize("address", ["a b@registry.example", "a@b.example\r\nX: y", "ünï@registry.example", ""])
async def test_a_mailbox_that_smtp_cannot_carry_is_refused_for_good(address: str) -> None:
    async with SmtpServer() as server:
        one = adapter(server.port, {"auto_submitted": False})
        with pytest.raises(RefusedForGood):
            await one.send(replace(NOTICE, recipient_address=address), KEY)
    assert server.said == []


async def test_a_mailbox_under_an_idn_goes_out_as_a_label() -> None:
    notice = RENDERER.notice(facts(recipient=Recipient("opioids.sandbox", "registrar", "Registrar", "abuse@faß.de")))
    async with SmtpServer() as server:
        await adapter(server.port, {"auto_submitted": False}).send(notice, KEY)
    assert server.got[0].envelope["recipients"] == ["abuse@xn--fa-hia.de"]


async def test_a_measure_outside_the_agreement_does_not_leave() -> None:
    channel = AgreementChannel(
        "opioids.sandbox", "smtp", {"to": "abuse@registry.example"}, "Sandbox", {Measure.LOCK: "lock"}
    )
    async with SmtpServer() as server:
        one = smtp.build(channel, deps(server.port))
        with pytest.raises(RefusedForGood, match="hold"):
            await one.send(NOTICE, KEY)
    assert one.capabilities.measures == {Measure.LOCK}


# ---- the way there


async def test_the_egress_rule_is_asked_for_each_address() -> None:
    asked: list[str] = []

    def nothing(ip: str) -> bool:
        asked.append(ip)
        return False

    async with SmtpServer() as server:
        with pytest.raises(Deferred, match="egress"):
            await adapter(server.port, check_connect=nothing).send(NOTICE, KEY)
    assert asked == ["127.0.0.1"]
    assert server.said == []


async def test_without_a_relay_nothing_is_lost() -> None:
    with pytest.raises(Deferred, match="relay"):
        await adapter(0, relay=None).send(NOTICE, KEY)
    assert await adapter(0, relay=None).check()


async def test_a_recipient_s_own_gateway_never_sees_our_password() -> None:
    relay = Relay("127.0.0.1", 9, StartTls.NONE, "us", "relay")
    async with SmtpServer() as server:
        address = {"to": "abuse@registry.example", "host": "127.0.0.1", "port": server.port, "starttls": "none"}
        await adapter(server.port, address, relay=relay).send(NOTICE, KEY)
    assert len(server.got) == 1
    assert server.signed_in == []


async def test_signing_in() -> None:
    async with SmtpServer() as server:
        relay = Relay("127.0.0.1", server.port, StartTls.NONE, "us", "relay")
        await adapter(0, relay=relay).send(NOTICE, KEY)
    assert server.signed_in == [b"us", b"correct horse"]


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong", "454 4.7.0 later"])
async def test_a_refused_sign_in_is_ours_to_mend_and_no_verdict(reply: str) -> None:
    async with SmtpServer(replies={"AUTH": reply}) as server:
        relay = Relay("127.0.0.1", server.port, StartTls.NONE, "us", "relay")
        with pytest.raises(Deferred, match=reply[:3]):
            await adapter(0, relay=relay).send(NOTICE, KEY)
        assert (await adapter(0, relay=relay).check())[0].what.startswith(reply[:3])


async def test_a_secret_that_is_not_set_stops_before_the_connection() -> None:
    async with SmtpServer() as server:
        relay = Relay("127.0.0.1", server.port, StartTls.NONE, "us", "unset")
        with pytest.raises(Deferred, match="unset"):
            await adapter(0, relay=relay).send(NOTICE, KEY)
    assert server.said == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, key and all, in one PEM file."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2020, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=365 * 40))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_required_tls_with_a_trusted_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with SmtpServer(tls=server_tls(certificate)) as server:
        relay = Relay("127.0.0.1", server.port, StartTls.REQUIRED, "us", "relay")
        # A megabyte under TLS takes this server longer than the waits of the other tests, when much else runs.
        await adapter(0, relay=relay, waits=Waits(connect=10, reply=20, final=60)).send(big(1_000_000), KEY)
        assert await adapter(0, relay=relay).check() == []
    assert server.secured
    assert len(server.got) == 1


async def test_required_tls_refuses_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    async with SmtpServer(tls=server_tls(certificate)) as server:
        with pytest.raises(Deferred):
            await adapter(0, relay=Relay("127.0.0.1", server.port, StartTls.REQUIRED)).send(NOTICE, KEY)
    assert server.tries == []


async def test_required_tls_that_is_not_offered_sends_nothing() -> None:
    async with SmtpServer() as server:
        with pytest.raises(Deferred, match="STARTTLS"):
            await adapter(0, relay=Relay("127.0.0.1", server.port, StartTls.REQUIRED)).send(NOTICE, KEY)
    assert server.tries == []


async def test_opportunistic_tls_takes_what_is_offered(certificate: Path) -> None:
    async with SmtpServer(tls=server_tls(certificate)) as server:
        await adapter(0, relay=Relay("127.0.0.1", server.port, StartTls.OPPORTUNISTIC)).send(NOTICE, KEY)
    assert server.secured
    async with SmtpServer() as server:
        await adapter(0, relay=Relay("127.0.0.1", server.port, StartTls.OPPORTUNISTIC)).send(NOTICE, KEY)
    assert not server.secured
    assert len(server.got) == 1


async def test_a_password_never_goes_over_a_line_that_could_not_be_secured() -> None:
    async with SmtpServer() as server:
        relay = Relay("127.0.0.1", server.port, StartTls.OPPORTUNISTIC, "us", "relay")
        with pytest.raises(Deferred, match="in the clear"):
            await adapter(0, relay=relay).send(NOTICE, KEY)
    assert server.signed_in == []


async def test_tls_from_the_first_octet(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SmtpServer(tls=server_tls(certificate), implicit=True) as server:
        relay = Relay("127.0.0.1", server.port, StartTls.IMPLICIT, "us", "relay")
        with pytest.raises(Deferred):
            await adapter(0, relay=relay).send(NOTICE, KEY)
        assert server.said == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await adapter(0, relay=relay).check() == []
        await adapter(0, relay=relay).send(NOTICE, KEY)
    assert server.signed_in == [b"us", b"correct horse"] * 2
    assert len(server.got) == 1


async def test_an_agreement_may_ask_for_stricter_tls_than_our_relay_has() -> None:
    async with SmtpServer() as server:
        relay = Relay("127.0.0.1", server.port, StartTls.OPPORTUNISTIC)
        strict = {"to": "abuse@registry.example", "starttls": "required"}
        with pytest.raises(Deferred, match="STARTTLS"):
            await adapter(0, strict, relay=relay).send(NOTICE, KEY)
        await adapter(0, strict | {"starttls": "opportunistic"}, relay=relay).send(NOTICE, KEY)
    assert len(server.got) == 1


@pytest.mark.parametrize(
    ("address", "policy", "said"),
    [
        ({"starttls": "opportunistic"}, StartTls.REQUIRED, "our relay has required"),
        ({"starttls": "none"}, StartTls.IMPLICIT, "our relay has implicit"),
        ({"starttls": "implicit"}, StartTls.NONE, "our relay has none"),
        ({"starttls": "dane"}, StartTls.REQUIRED, "'dane' is not supported"),
        ({"port": 2525}, StartTls.REQUIRED, "address.port: expected a host"),
        ({"host": "mx.registry.example", "port": "smtp"}, StartTls.REQUIRED, "address.port"),
        ({"start_tls": "required"}, StartTls.NONE, "address.start_tls: is not known"),
    ],
)
def test_a_tls_rule_that_cannot_be_kept_is_named_at_once(address: dict[str, Any], policy: StartTls, said: str) -> None:
    relay = Relay("127.0.0.1", 25, policy)
    with pytest.raises(Invalid, match=said):
        adapter(0, {"to": "abuse@registry.example", **address}, relay=relay)


async def test_plain_words_go_to_the_channels_own_mailbox() -> None:
    """No notice: one text part, dated as told, from our own mailbox, marked as a machine's (RFC 3834 section 5)."""
    async with SmtpServer() as server:
        mail = adapter(server.port)
        assert mail.capabilities.tells
        receipt = await mail.tell("Your address changes", "In words.\nSecond line.\n", "tn-channel-1", T)
    (got,) = server.got
    message = got.envelope["message"]
    assert receipt.accepted
    assert got.key == "<tn-channel-1@replies.notifier.example>"
    assert (got.envelope["sender"], got.envelope["recipients"]) == ("desk@notifier.example", ["abuse@registry.example"])
    assert (message["Subject"], message["Auto-Submitted"]) == ("Your address changes", "auto-generated")
    assert got.content["text"] == "In words.\nSecond line.\n"
    assert message["X-Notifier-Notice"] is None


@pytest.mark.parametrize(
    ("point", "failure"),
    [(Point.BUSY, Deferred), (Point.REFUSE, RefusedForGood), (Point.DROP_LATE, Uncertain)],
)
async def test_plain_words_fail_as_notices_do(point: str, failure: type[Exception]) -> None:
    async with SmtpServer(script=(point,)) as server:
        with pytest.raises(failure):
            await adapter(server.port).tell("s", "t", "tn-channel-1", T)
    assert server.got == []


async def test_a_test_is_plain_words_to_the_channels_own_mailbox_alone() -> None:
    async with SmtpServer() as server:
        mail = adapter(server.port)
        assert mail.capabilities.pings
        receipt = await mail.ping(Message("TEST", "In words.\n", {"type": "test.ping"}, "tn-test-1", T))
    (got,) = server.got
    assert receipt.accepted
    assert not receipt.delivered
    assert (got.envelope["recipients"], got.content["text"]) == (["abuse@registry.example"], "In words.\n")
    assert got.envelope["message"]["X-Notifier-Notice"] is None
