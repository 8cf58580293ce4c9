"""What a mail that came back is: a bounce, an automatic reply, a receipt, or a person's answer. Pure.

Only a delivery status of `failed` is a bounce (RFC 3464 §2.3.3). Automatic mail (RFC 3834) never acknowledges
anything. A person's words are proposed as an answer; they are taken as one only if the receiver authenticated
the mail.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from notifier.adapter import Identity, Inbound, Response
from notifier.domain.epp import Measure
from notifier.domain.hostile import lines, one_line

_TOKEN_IN_SUBJECT = re.compile(r"\[ref:([a-z0-9]{10,64})\]", re.IGNORECASE)
_TICKET = re.compile(
    r"\b(?:ticket|incident|case)(?:\s*(?:id|no\.?|number))?[\s:#\[]*([a-z0-9-]*\d{3,}[a-z0-9-]*)",
    re.IGNORECASE,
)
_FAILURE_WORDS = re.compile(
    r"undeliver|not be delivered|delivery (?:has )?failed|failure notice|returned (?:to sender|mail)"
    r"|user unknown|unknown user|no such (?:user|mailbox)|mailbox (?:is )?full|quota exceeded"
    r"|address (?:not found|rejected)|does not exist",
    re.IGNORECASE,
)
_DELAY_WORDS = re.compile(
    r"delayed|will (?:be retried|retry|continue to try)|still (?:trying|being retried)", re.IGNORECASE
)
_DAEMONS = frozenset({"mailer-daemon", "postmaster"})
_AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply")
_AUTOMATIC_PRECEDENCE = frozenset({"bulk", "junk", "auto_reply"})
_ANSWER = re.compile(r"\s*(ACK|NEED_INFO|DECLINED|ACTION|REFERRED_REGISTRAR)\s*(?:\(([^()]{0,500})\))?\s*")
_KINDS = {
    "ACK": "acknowledged",
    "NEED_INFO": "needs_info",
    "DECLINED": "declined",
    "ACTION": "action_taken",
    "REFERRED_REGISTRAR": "acknowledged",
}
_MOST_COMMENT, _MOST_SCANNED = 10_000, 200_000


def parse(inbound: Inbound, identity: Identity) -> Response | None:
    """The response a mail is; None when it is none of ours or cannot be read at all.

    `extra` may hold: `keys` (ids of our messages it refers to), `action` and `status` (RFC 3464), `ticket`,
    `answer` (the kind a person's line proposes), `from`.
    """
    message = message_from_bytes(inbound.body)
    for name, value in inbound.headers.items():
        if name not in message:
            message[name] = one_line(value)
    token, keys = _references(message, identity)
    if token is None and not keys:
        return None
    extra: dict[str, object] = {"keys": keys, "from": _sender(message)}
    delivery = _delivery(message)
    if delivery is not None:
        action, status, why = delivery
        kind = {"failed": "bounce", "delivered": "receipt", "relayed": "receipt"}.get(action, "auto_reply")
        return Response(kind, token, reason=why, extra=extra | {"action": action, "status": status})
    subject, text = _decoded(message, "subject"), _plain_text(message)
    if message.get_content_type() == "multipart/report":
        return Response("receipt", token, comment=text, extra=extra)  # RFC 8098: it was displayed or deleted
    said = f"{subject}\n{text}"
    if _from_daemon(message):
        delayed = _DELAY_WORDS.search(said) is not None
        failed = not delayed and _FAILURE_WORDS.search(said) is not None
        reason = one_line(text, 500) if failed else None
        return Response("bounce" if failed else "auto_reply", token, reason=reason, comment=text, extra=extra)
    ticket = _TICKET.search(_TOKEN_IN_SUBJECT.sub("", subject))
    if ticket:
        extra["ticket"] = ticket[1]
    if _automatic(message):
        return Response("receipt" if ticket else "auto_reply", token, comment=text, extra=extra)
    return _human(text, token, extra, authenticated=inbound.authenticated)


def _human(text: str, token: str | None, extra: dict[str, object], *, authenticated: bool) -> Response:
    """A person's mail. One line of ours on its own is a proposed answer; two that differ are none."""
    found = {match.groups() for line in text.split("\n") if (match := _ANSWER.fullmatch(line))}
    if len(found) != 1:
        return Response("human", token, comment=text, extra=extra)
    word, inside = found.pop()
    kind, measure, effective_at, reason = _KINDS[word], None, None, None
    if word == "ACTION":
        verb, _, when = (inside or "").partition(",")
        measure = next((known for known in Measure if known == verb.strip().lower()), None)
        effective_at = _time(when.strip())
    elif word == "DECLINED":
        reason = one_line(inside or "") or None
    actor = "registrar" if word == "REFERRED_REGISTRAR" else None
    return Response(
        kind=kind if authenticated else "human",
        notice_token=token,
        measure=measure,
        actor=actor,
        reason=reason,
        effective_at=effective_at,
        comment=text,
        extra=extra | {"answer": kind},
    )


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text.removesuffix(" UTC").strip())
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _references(message: Message, identity: Identity) -> tuple[str | None, tuple[str, ...]]:
    """Our token and the keys of our messages: addressed to, then in threading headers, then quoted."""
    domain, mailbox = re.escape(identity.reply_domain), re.escape(identity.reply_mailbox)
    plus = re.compile(rf"(?<![\w.+-]){mailbox}\+([a-z0-9]{{10,64}})@{domain}(?![\w.-])", re.IGNORECASE)
    ours = re.compile(rf"<([A-Za-z0-9_.-]{{1,100}})@{domain}>", re.IGNORECASE)
    addressed = _joined(message, ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "resent-to"))
    threading = _joined(message, ("in-reply-to", "references"))
    quoted = "\n".join(_raw_texts(message))
    keys = dict.fromkeys(ours.findall(threading) or ours.findall(quoted))
    for place in (addressed, threading, quoted):
        if found := plus.search(place):
            return found[1].lower(), tuple(keys)
    found = _TOKEN_IN_SUBJECT.search(_decoded(message, "subject"))
    return (found[1].lower() if found else None), tuple(keys)


def _joined(message: Message, names: Iterable[str]) -> str:
    return "\n".join(_words(value) for name in names for value in message.get_all(name, []))


def _delivery(message: Message) -> tuple[str, str, str] | None:
    """Action, status and diagnostic of a delivery report; the worst action if it names several recipients."""
    if not any(part.get_content_type() == "message/delivery-status" for part in message.walk()):
        return None
    reported: dict[str, tuple[str, str]] = {}
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload() if part.is_multipart() else ():
                if isinstance(block, Message) and block.get("action"):
                    action = str(block["action"]).split("(")[0].strip().lower()
                    why = one_line(str(block.get("diagnostic-code", "")), 500)
                    reported.setdefault(action, (one_line(str(block.get("status", "")), 20), why))
    for action in ("failed", "delayed", "expanded", "relayed", "delivered"):
        if action in reported:
            return action, *reported[action]
    return "", "", ""


def _automatic(message: Message) -> bool:
    """RFC 3834 and its older signs. X-Auto-Response-Suppress alone says nothing: people's mail carries it."""
    submitted = str(message.get("auto-submitted", "no")).split(";")[0].strip().lower()
    return (
        submitted not in ("", "no")
        or str(message.get("return-path", "?")).strip() in ("<>", "")
        or any(name in message for name in _AUTOMATIC_HEADERS)
        or str(message.get("precedence", "")).strip().lower() in _AUTOMATIC_PRECEDENCE
    )


def _from_daemon(message: Message) -> bool:
    return _sender(message).partition("@")[0] in _DAEMONS


def _sender(message: Message) -> str:
    return next((one_line(address).lower() for _, address in getaddresses([_joined(message, ("from",))])), "")


def _decoded(message: Message, name: str) -> str:
    return one_line(_words(message.get(name, "")), 1000)


def _words(value: object) -> str:
    """A header's value with encoded words decoded, adjacent ones of a charset as one (RFC 2047 §6.2).

    Some mailers encode even a long Message-ID in In-Reply-To, against the standard.
    """
    pieces = []
    for piece, charset in decode_header(str(value)):
        pieces.append(piece if isinstance(piece, str) else _bytes_as_text(piece, charset))
    return "".join(pieces)


def _bytes_as_text(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def _plain_text(message: Message) -> str:
    """The first plain text part that is no attachment, cleaned line by line."""
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment":
            return "\n".join(lines(_part_text(part)))[:_MOST_COMMENT].strip()
    return ""


def _raw_texts(message: Message) -> Iterable[str]:
    """Texts and returned headers in which an original of ours may be quoted."""
    for part in message.walk():
        if part is not message and part.get("message-id"):
            yield _joined(part, ("message-id", "reply-to", "from"))
        if part.get_content_type() in ("text/plain", "text/rfc822-headers"):
            yield _part_text(part)[:_MOST_SCANNED]


def _part_text(part: Message) -> str:
    content = part.get_payload(decode=True)
    return _bytes_as_text(content, part.get_content_charset()) if isinstance(content, bytes) else ""
