"""A notice as a mail: text first, HTML beside it, XARF and files attached (RFC 2045, XARF mail profile).

The same notice and key give the same bytes, but for signatures, so that a retry is recognisably the same message.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr

from notifier.adapter import Attachment, Identity, RenderedNotice

# RFC 5322 §3.2.3 dot-atom characters that every mail system carries through unchanged.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_CRLF = compat32.clone(linesep="\r\n")
_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP
_LONGEST_LINE = 900  # RFC 5322 §2.1.1 allows 998 octets


def key_id(key: str) -> str:
    """The key as it may stand in a Message-ID or a webhook-id: itself if plain, else its hash."""
    if len(key) <= 100 and _PLAIN_KEY.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def message_id(key: str, identity: Identity) -> str:
    """The Message-ID of the notice sent under `key`."""
    return f"<{key_id(key)}@{identity.reply_domain}>"


def reply_address(token: str, identity: Identity) -> str:
    """Where answers to one notice go, and bounces too (VERP)."""
    return f"{identity.reply_mailbox}+{token}@{identity.reply_domain}"


def build(
    notice: RenderedNotice,
    key: str,
    *,
    identity: Identity,
    recipient: str,
    parents: Sequence[str] = (),
    auto_submitted: bool = False,
    enclosed: Sequence[Attachment] = (),
    sign: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """The whole message with CRLF line ends. `parents` are the keys of earlier notices of the thread, `enclosed` what
    the channel adds behind the notice's own files, `sign` an S/MIME signer that answers a detached signature.

    `auto_submitted` adds RFC 3834's auto-generated; by default it is absent, since a person approved the
    notice and the header would silence the recipient's ticket acknowledgement.
    """
    mark = hashlib.sha256(f"{notice.digest} {key}".encode()).hexdigest()[:32]
    content = _content(notice, (*notice.attachments, *enclosed), mark)
    top = content if sign is None else Message()
    for name, value in _headers(notice, key, identity, recipient, parents):
        top[name] = value
    if auto_submitted:
        top["Auto-Submitted"] = "auto-generated"
    return top.as_bytes(policy=_CRLF) if sign is None else _signed(top, content, sign, f"=_{mark}_2")


def words(subject: str, text: str, key: str, *, identity: Identity, name: str, recipient: str, at: datetime) -> bytes:
    """A message that is no notice: plain words, with CRLF line ends. A machine sends it (RFC 3834 §5)."""
    message = _text(text, "plain")
    message["From"] = _mailbox(identity.organisation, identity.mail_from)
    message["To"] = _mailbox(name, recipient)
    message["Subject"] = _subject(subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(key, identity)
    message["Auto-Submitted"] = "auto-generated"
    return message.as_bytes(policy=_CRLF)


def _content(notice: RenderedNotice, files: Sequence[Attachment], mark: str) -> MIMEMultipart:
    outer, both = MIMEMultipart("mixed"), MIMEMultipart("alternative")
    both.attach(_text(notice.text, "plain"))
    both.attach(_text(notice.html, "html"))
    outer.attach(both)
    outer.attach(_file("xarf.json", "application/json", notice.xarf))
    for file in files:
        outer.attach(_file(file.filename, file.media_type, file.content))
    outer.set_boundary(f"=_{mark}_0")
    both.set_boundary(f"=_{mark}_1")
    return outer


def _headers(
    notice: RenderedNotice, key: str, identity: Identity, recipient: str, parents: Sequence[str]
) -> Iterator[tuple[str, str]]:
    yield "From", _mailbox(identity.organisation, identity.mail_from)
    yield "To", _mailbox(notice.recipient_name, recipient)
    yield "Reply-To", reply_address(notice.reply_token, identity)
    yield "Subject", _subject(notice.subject)
    yield "Date", format_datetime(notice.issued_at)
    yield "Message-ID", message_id(key, identity)
    if parents:
        yield "In-Reply-To", message_id(parents[-1], identity)
        yield "References", " ".join(dict.fromkeys(message_id(parent, identity) for parent in parents))
    yield "X-XARF", "PLAIN"
    yield "X-Notifier-Notice", notice.notice_id
    yield "X-Notifier-Case", notice.case_ref
    yield "X-Notifier-Purpose", notice.purpose
    yield "X-Notifier-Digest", notice.digest


def _signed(top: Message, content: MIMEMultipart, sign: Callable[[bytes], bytes], boundary: str) -> bytes:
    """multipart/signed (RFC 1847 §2.1, RFC 8551 §3.5.3), joined by hand: the signed bytes are exactly those sent."""
    top.set_payload("")  # with none at all, the generator writes boundaries of its own
    del content["MIME-Version"]  # it stands once, at the top
    entity = content.as_bytes(policy=_CRLF)
    top["MIME-Version"] = "1.0"
    top.add_header(
        "Content-Type",
        "multipart/signed",
        protocol="application/pkcs7-signature",
        micalg="sha-256",
        boundary=boundary,
    )
    signature = _file("smime.p7s", "application/pkcs7-signature", sign(entity))
    del signature["MIME-Version"]
    line = f"--{boundary}".encode()
    parts = (line, entity, line, signature.as_bytes(policy=_CRLF), line + b"--", b"")
    return top.as_bytes(policy=_CRLF) + b"\r\n".join(parts)


def _text(text: str, subtype: str) -> MIMEText:
    plain = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.split("\n"))
    return MIMEText(text, subtype, "us-ascii" if plain else _UTF8)  # type: ignore[arg-type]


def _file(filename: str, media_type: str, content: bytes) -> MIMEBase:
    part = MIMEBase(*media_type.split("/", 1))
    part.set_payload(content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=filename)
    return part


def _subject(subject: str) -> str:
    # "=?" in plain text would be read as an encoded word (RFC 2047 §5); a long word cannot be folded.
    if subject.isascii() and "=?" not in subject and all(len(word) <= 60 for word in subject.split(" ")):
        return subject
    return Header(subject, "utf-8", header_name="Subject").encode()


def _mailbox(name: str, address: str) -> str:
    if "=?" in name:
        return f"{Header(name, 'utf-8').encode()} <{address}>"
    return formataddr((name, address))
