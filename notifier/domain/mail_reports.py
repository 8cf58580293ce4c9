"""Machine-readable reports inside a mail: delivery status (RFC 3464), and who bounced by the words of older systems.

Pure. The older formats are known to flufl.bounce, which gets a small copy of the text and never the mail itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message

from flufl.bounce import all_failures

from notifier.domain import mail_text
from notifier.domain.hostile import one_line
from notifier.domain.mime import Mail, Over, Part, fields_of, leaves

# The worst first: one failed recipient among several is a failure (RFC 3464 §2.3.3).
ACTIONS = ("failed", "delayed", "expanded", "relayed", "delivered")
_MOST_BYTES, _MOST_BLOCKS = 64 * 1024, 100
_MOST_WORDS, _MOST_LINES = 20_000, 300  # of a text that flufl.bounce searches
_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")  # RFC 6533 §3 for the second


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message. `action` is one of ACTIONS, or empty where the report names none; `why` is the remote
    system's own words."""

    action: str
    status: str = ""
    why: str = ""


def delivery(mail: Mail) -> Delivery | None:
    """The worst that a delivery report tells; None without one."""
    parts = list(leaves(mail, *_STATUS_TYPES))
    if not parts:
        return None
    reported: dict[str, Delivery] = {}
    for block in (b for part in parts for b in _blocks(mail, part)):
        action = block.get("action", "").split("(")[0].strip().lower()
        if action in ACTIONS:
            why = one_line(mail_text.words(block.get("diagnostic-code", "")), 500)
            reported.setdefault(action, Delivery(action, one_line(block.get("status", ""), 20), why))
    return next((reported[action] for action in ACTIONS if action in reported), Delivery(""))


def _blocks(mail: Mail, part: Part) -> Iterator[dict[str, str]]:
    raw = mail.raw[part.start : min(part.end, part.start + _MOST_BYTES)]
    if (part.get("content-transfer-encoding") or "").strip().lower() in ("base64", "quoted-printable"):
        raw = mail_text.text_of(mail, part).encode()[:_MOST_BYTES]
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    for block in text.split(b"\n\n", _MOST_BLOCKS)[:_MOST_BLOCKS]:
        try:
            fields = fields_of(block.lstrip(b"\n"))
        except Over:
            continue
        yield dict(reversed(fields))  # of a field that stands twice, the first


def old_bounce(mail: Mail) -> str | None:
    """`failed` or `delayed` where the words are those of a mail system that flufl.bounce knows, else None."""
    copy = Message()
    for name in ("from", "subject", "x-failed-recipients", "x-mailer"):
        if value := mail_text.header(mail, name):
            copy[name] = value
    said = mail_text.comment(mail)[:_MOST_WORDS].splitlines()[:_MOST_LINES]
    copy.set_payload("\n".join(line[:500] for line in said).encode("ascii", "replace").decode())
    try:
        delayed, failed = all_failures(copy)
    except Exception:  # a heuristic that chokes tells nothing
        return None
    if failed:
        return "failed"
    return "delayed" if delayed else None
