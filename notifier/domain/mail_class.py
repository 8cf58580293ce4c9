"""What a mail that came back is: a table of signs, tried from top to bottom; the first that is seen decides. Pure.

A machine's mail never speaks for anybody, so a sign must be one that people's mail does not carry: to take a person's
answer for a machine's would lose it. X-Auto-Response-Suppress is no sign, since people's mail carries it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from notifier.domain import mail_match, mail_reports, mail_text
from notifier.domain.hostile import one_line
from notifier.domain.mail_match import Ours
from notifier.domain.mail_reports import Delivery
from notifier.domain.mime import Mail


class MailClass(StrEnum):
    """What an inbound mail is. The last three follow from more than the mail itself: whom it is about, and its bounds."""

    BOUNCE = "bounce"
    DELAYED = "delayed"
    AUTO_REPLY = "auto_reply"
    RECEIPT = "receipt"
    HUMAN = "human"
    THIRD_PARTY = "third_party"
    UNMATCHED = "unmatched"
    QUARANTINED = "quarantined"


C = MailClass
CHALLENGE = "a challenge: it wants a person before it delivers"
AUTOMATIC = frozenset({C.BOUNCE, C.DELAYED, C.AUTO_REPLY, C.RECEIPT})

_TICKET = re.compile(
    r"\b(?:ticket|incident|case|request)(?:\s*(?:id|no\.?|number))?[\s:#\[(]*([a-z0-9-]*\d{3,}[a-z0-9-]*)",
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
_AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply", "x-mail-autoreply")
_AUTOMATIC_PRECEDENCE = frozenset({"bulk", "junk", "auto_reply"})
# At the very start of a subject: a person who answers an automatic reply writes "Re:" before it.
_VACATION = re.compile(
    r"(?:automatic reply|auto(?:matic)?[ -]?reply|auto(?:matic)?[ -]?response|autosvar|out of (?:the )?office"
    r"|vacation (?:reply|response)|abwesenheitsnotiz|automatische antwort|automatisch antwoord|afwezig"
    r"|r[ée]ponse automatique|absence du bureau|respuesta autom[áa]tica|risposta automatica|resposta autom[áa]tica"
    r"|автоответ|автоматический ответ|自动回复|自動返信|不在通知|자동 ?회신|부재중)",
    re.IGNORECASE,
)
_RECEIVED = re.compile(
    r"\[?(?:request|ticket|case|report|abuse report) (?:received|created|opened|registered)\b"
    r"|(?:we (?:have )?received|thank you for) your (?:request|report|ticket|message|e-?mail|inquiry|submission)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"(?:confirm|verify) (?:that )?you are (?:a |an )?(?:human|real person|person)"
    r"|(?:confirm|verify) your (?:e-?mail )?(?:message|delivery|identity as (?:the )?sender)"
    r"|(?:message|mail|e-?mail)[^.\n]{0,80}(?:will not be delivered|is being held|has been held|is on hold) until"
    r"|(?:click|follow|reply)[^.\n]{0,120}to (?:have|get) your (?:message|mail|e-?mail) delivered"
    r"|(?:click|follow|reply)[^.\n]{0,120}to release your (?:message|mail|e-?mail)",
    re.IGNORECASE,
)
_CHALLENGERS = ("x-tmda-fingerprint", "x-boxtrapper", "x-spamarrest-challenge", "x-challenge-response")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the signs look at, read from the mail once."""

    mail: Mail
    ours: Ours
    own_addresses: frozenset[str]
    subject: str
    text: str
    ticket: str | None
    delivery: Delivery | None
    sender: str
    old: str | None = None

    @property
    def said(self) -> str:
        return f"{self.subject}\n{self.text}"

    @property
    def report_type(self) -> str:
        return self.mail.top.parameters.get("report-type", "").lower()

    @property
    def is_report(self) -> bool:
        return self.mail.top.media_type == "multipart/report"

    @property
    def from_daemon(self) -> bool:
        return self.sender.partition("@")[0] in _DAEMONS

    @property
    def marked(self) -> bool:
        """RFC 3834 §5 and its older signs; a null return path is one (RFC 5321 §4.5.5)."""
        get = self.mail.get
        submitted = (get("auto-submitted") or "no").split(";")[0].split("(")[0].strip().lower()
        return (
            submitted not in ("", "no")
            or (get("return-path") or "?").strip() in ("<>", "")
            or any(get(name) is not None for name in _AUTOMATIC_HEADERS)
            or (get("precedence") or "").strip().lower() in _AUTOMATIC_PRECEDENCE
        )


@dataclass(frozen=True, slots=True)
class Sign:
    """`reason` is what is recorded; `source` the standard or the systems that it comes from."""

    kind: MailClass
    reason: str
    source: str
    seen: Callable[[Seen], bool] = field(repr=False)


def _acted(*actions: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.delivery is not None and seen.delivery.action in actions


SIGNS: tuple[Sign, ...] = (
    Sign(C.AUTO_REPLY, "our own mail came back", "C-091: a gateway that rewrites From", lambda s: _is_ours(s)),
    Sign(C.BOUNCE, "a delivery report: failed", "RFC 3464 §2.3.3", _acted("failed")),
    Sign(C.DELAYED, "a delivery report: delayed", "RFC 3464 §2.3.3", _acted("delayed")),
    Sign(C.RECEIPT, "a delivery report: delivered", "RFC 3464 §2.3.3", _acted("delivered", "relayed")),
    Sign(C.AUTO_REPLY, "a delivery report: expanded, or without action", "RFC 3464 §2.3.3", _acted("expanded", "")),
    Sign(
        C.RECEIPT,
        "a read receipt",
        "RFC 8098",
        lambda s: s.is_report and s.report_type in ("disposition-notification", ""),
    ),
    Sign(
        C.AUTO_REPLY,
        "a feedback report: our notice was marked as unwanted",
        "RFC 5965",
        lambda s: s.is_report and s.report_type == "feedback-report",
    ),
    Sign(C.AUTO_REPLY, "a report of another kind", "RFC 6522", lambda s: s.is_report),
    Sign(
        C.DELAYED,
        "a mail system's words: delayed",
        "plain bounces (flufl.bounce)",
        lambda s: s.from_daemon and (_DELAY_WORDS.search(s.said) is not None or s.old == "delayed"),
    ),
    Sign(
        C.BOUNCE,
        "a mail system's words: failed",
        "plain bounces (flufl.bounce)",
        lambda s: s.from_daemon and (_FAILURE_WORDS.search(s.said) is not None or s.old == "failed"),
    ),
    Sign(
        C.BOUNCE,
        "an automatic mail in the form of a bounce",
        "plain bounces (flufl.bounce)",
        lambda s: s.marked and s.old == "failed",
    ),
    # A postmaster may be a person (RFC 5321 §4.5.1); a mailer daemon never is.
    Sign(
        C.AUTO_REPLY,
        "a mail system's words",
        "mailer daemons",
        lambda s: s.from_daemon and (s.marked or not s.sender.startswith("postmaster@")),
    ),
    Sign(
        C.AUTO_REPLY,
        CHALLENGE,
        "TMDA, BoxTrapper, Spam Arrest",
        lambda s: (
            any(s.mail.get(h) is not None for h in _CHALLENGERS) or (s.marked and _CHALLENGE.search(s.said) is not None)
        ),
    ),
    Sign(
        C.RECEIPT, "a ticket was opened", "RFC 3834 with a ticket's number", lambda s: s.marked and s.ticket is not None
    ),
    Sign(
        C.RECEIPT,
        "a ticket was opened",
        "ticket systems without RFC 3834: the subject says received, and a number",
        lambda s: s.ticket is not None and _RECEIVED.match(s.subject) is not None,
    ),
    Sign(
        C.AUTO_REPLY,
        "marked as automatic",
        "RFC 3834 §5, Precedence, X-Autoreply, null return path",
        lambda s: s.marked,
    ),
    Sign(
        C.AUTO_REPLY,
        "a subject of automatic replies",
        "Exchange, Gmail, vacation(1)",
        lambda s: _VACATION.match(s.subject.lstrip("[({*: ")) is not None,
    ),
    Sign(C.HUMAN, "nothing says that a machine wrote it", "", lambda s: True),
)


@dataclass(frozen=True, slots=True)
class Classed:
    """The class of a mail alone, why, and what was read on the way. `why` is the remote system's own words."""

    kind: MailClass
    reason: str
    text: str
    ticket: str | None
    delivery: Delivery | None
    sender: str

    @property
    def why(self) -> str | None:
        if self.delivery is not None and self.delivery.why:
            return self.delivery.why
        return (one_line(self.text, 500) or None) if self.kind is C.BOUNCE else None


def classify(mail: Mail, ours: Ours, own_addresses: frozenset[str] = frozenset()) -> Classed:
    """The first sign that is seen. `own_addresses`: ours beside the reply address, lower case."""
    subject, text = mail_text.header(mail, "subject"), mail_text.comment(mail)
    ticket = _TICKET.search(mail_match.without_marks(subject))
    seen = Seen(
        mail=mail,
        ours=ours,
        own_addresses=own_addresses,
        subject=subject,
        text=text,
        ticket=ticket[1] if ticket else None,
        delivery=mail_reports.delivery(mail),
        sender=mail_match.sender(mail),
    )
    if seen.delivery is None and (seen.from_daemon or seen.marked):
        seen = _with_old(seen)
    sign = next(sign for sign in SIGNS if sign.seen(seen))
    return Classed(sign.kind, sign.reason, text, seen.ticket, seen.delivery, seen.sender)


def _with_old(seen: Seen) -> Seen:
    return Seen(
        seen.mail,
        seen.ours,
        seen.own_addresses,
        seen.subject,
        seen.text,
        seen.ticket,
        seen.delivery,
        seen.sender,
        mail_reports.old_bounce(seen.mail),
    )


def _is_ours(seen: Seen) -> bool:
    """Whether it is a mail that we sent: by its Message-ID, whoever stands in From, or by an author of our own.

    All of the author's fields are compared as parsed addresses: `notifier.example` is not `notifierxexample`.
    """
    if seen.delivery is not None or seen.is_report:
        return False
    message_id = seen.mail.get("message-id") or ""
    authors = mail_match.addresses(seen.mail, "from", "sender", "resent-from", "resent-sender")
    return bool(seen.ours.keys(message_id)) or any(a in seen.own_addresses or seen.ours.holds(a) for a in authors)
