"""Which notice a mail is about: every clue in it, in the order in which they are tried, and how sure each is. Pure.

A reply token, or a link to the Message-ID of a notice, ties a mail by itself: nobody but the recipient, and whom it was
forwarded to, has seen either. A reference or a sender's address is common knowledge; what such a clue points at is
proposed to a person and no more.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import getaddresses
from enum import StrEnum
from uuid import UUID

from notifier.domain import mail_text
from notifier.domain.hostile import one_line
from notifier.domain.mime import Mail, Over, fields_of
from notifier.domain.names import Suffixes

ADDRESSED = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "resent-to", "resent-cc")
_DELIVERED = ("delivered-to", "x-original-to", "envelope-to")
_IN_SUBJECT = re.compile(r"\[ref:([a-z0-9]{10,64})\]", re.IGNORECASE)
_NOTICE_ID = re.compile(
    r"(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE
)
_REFERENCE = re.compile(r"(?<![\w-])TN-\d{4}-\d{4,9}(?![\w-])", re.IGNORECASE)
_MOST = 20  # clues of one kind
_LONGEST = 4_000  # of a field with addresses


class Level(StrEnum):
    """Where a clue stands, in the order of trust."""

    ENVELOPE = "envelope"
    ADDRESSED = "addressed"
    THREAD = "thread"
    TEXT = "text"
    SUBJECT = "subject"
    SENDER = "sender"


class What(StrEnum):
    """What a clue is: our reply token, the key of a Message-ID of ours, or something that anybody may know."""

    TOKEN = "token"  # noqa: S105 - a word, no secret
    KEY = "key"
    NOTICE = "notice"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Clue:
    """`sure`: it ties the mail by itself. `value` is lower case but for keys."""

    level: Level
    what: What
    value: str

    @property
    def sure(self) -> bool:
        return self.what in (What.TOKEN, What.KEY)


@dataclass(frozen=True, slots=True)
class Ours:
    """What our addresses look like: `mailbox+TOKEN@domain`, and `<KEY@domain>` for a Message-ID."""

    mailbox: str
    domain: str

    def tokens(self, text: str) -> list[str]:
        """Each reply token in `text`, once, in order."""
        mailbox, domain = re.escape(self.mailbox), re.escape(self.domain)
        plus = rf"(?<![\w.+-]){mailbox}\+([a-z0-9]{{10,64}})@{domain}(?![\w.-])"
        return list(dict.fromkeys(found.lower() for found in re.findall(plus, text, re.IGNORECASE)))[:_MOST]

    def keys(self, text: str) -> list[str]:
        """Each key of a Message-ID of ours, once, in order."""
        ours = rf"<([A-Za-z0-9_.-]{{1,100}})@{re.escape(self.domain)}>"
        return list(dict.fromkeys(re.findall(ours, text, re.IGNORECASE)))[:_MOST]

    def holds(self, address: str) -> bool:
        """Whether this is our reply address, with a token or without."""
        local, _, domain = address.strip().lower().rpartition("@")
        return domain == self.domain.lower() and local.partition("+")[0] == self.mailbox.lower()


def clues(mail: Mail, ours: Ours, recipient: str = "") -> list[Clue]:
    """Every clue, the most trusted first. `recipient`: the envelope's, where the delivery told it.

    A text that quotes two different tokens points at neither: it is another matter's mail.
    """
    found = [Clue(Level.ENVELOPE, What.TOKEN, token) for token in ours.tokens(recipient)]
    found += [Clue(Level.ADDRESSED, What.TOKEN, token) for token in ours.tokens(_joined(mail, ADDRESSED))]
    threading = _joined(mail, ("in-reply-to", "references"))
    found += [Clue(Level.THREAD, What.KEY, key) for key in _latest(mail, ours, threading)]
    found += [Clue(Level.THREAD, What.TOKEN, token) for token in ours.tokens(threading)]
    quoted = "\n".join(mail_text.quoted(mail))
    tokens, keys = ours.tokens(quoted), ours.keys(quoted)
    if len(tokens) == 1:
        found.append(Clue(Level.TEXT, What.TOKEN, tokens[0]))
    if len(keys) == 1 and len(tokens) <= 1:
        found.append(Clue(Level.TEXT, What.KEY, keys[0]))
    found += _common(Level.TEXT, quoted)
    subject = mail_text.header(mail, "subject")
    if in_subject := _IN_SUBJECT.search(subject):
        found.append(Clue(Level.SUBJECT, What.TOKEN, in_subject[1].lower()))
    found += _common(Level.SUBJECT, subject)
    return list(dict.fromkeys(found))


def without_marks(subject: str) -> str:
    """A subject without our own marks, in which a ticket's number may stand."""
    return _REFERENCE.sub("", _IN_SUBJECT.sub("", subject))


def _latest(mail: Mail, ours: Ours, threading: str) -> list[str]:
    """In-Reply-To names the message that is answered; References goes from the oldest to the newest (RFC 5322 §3.6.4)."""
    answered = ours.keys(_joined(mail, ("in-reply-to",)))
    return list(dict.fromkeys([*answered, *reversed(ours.keys(threading))]))


def _common(level: Level, text: str) -> list[Clue]:
    notices = dict.fromkeys(str(UUID(found)) for found in _NOTICE_ID.findall(text)[:_MOST])
    references = dict.fromkeys(found.upper() for found in _REFERENCE.findall(text)[:_MOST])
    return [Clue(level, What.NOTICE, value) for value in notices] + [
        Clue(level, What.REFERENCE, value) for value in references
    ]


def _joined(mail: Mail, names: Iterable[str]) -> str:
    return "\n".join(mail_text.words(value) for value in mail.all(*names))


# --- who wrote ----------------------------------------------------------------------------------------------------


def addresses(mail: Mail, *names: str) -> list[str]:
    """The addresses of these fields, lower case, each once. What is no address is left out."""
    values = [one_line(mail_text.words(value), _LONGEST) for value in mail.all(*names)[:_MOST]]
    try:
        # The standard library reads comments within comments by calling itself.
        found = [one_line(a).lower() for _, a in getaddresses([v for v in values if v.count("(") <= _MOST])]
    except (ValueError, IndexError, RecursionError):  # its reader of a broken field
        return []
    return list(dict.fromkeys(address for address in found if "@" in address))


def sender(mail: Mail) -> str:
    """The author's address; empty when there is none. With several fields or authors the first, for showing only."""
    return next(iter(addresses(mail, "from")), "")


def sole_author(mail: Mail) -> str | None:
    """The author's address if there is one From field with one address, else None (RFC 7489 §6.6.1)."""
    fields, found = mail.all("from"), addresses(mail, "from")
    # A longer field may hold another author where nobody looks.
    return found[0] if len(fields) == 1 and len(fields[0]) <= _LONGEST and len(found) == 1 else None


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].rstrip(".").lower()


def same_party(one: str, other: str, suffixes: Suffixes) -> bool:
    """Whether two domains are one party's: the same, or under one registered name, as DMARC aligns them (RFC 7489 §3.1).

    Where others register, under a public or private suffix, only the same domain is the same party.
    """
    if not one or not other:
        return False
    if one == other:
        return True
    if suffixes.private_suffix(one) or suffixes.private_suffix(other):
        return False
    registered = suffixes.icann_registrable(one)
    return registered is not None and registered == suffixes.icann_registrable(other)


# --- how it was delivered -----------------------------------------------------------------------------------------


def delivery_of(head: bytes, ours: Ours) -> tuple[str, Mapping[str, str]]:
    """Recipient and envelope lines of a message that lies in a mailbox, read from what the delivery wrote into it.

    The recipient is our reply address from Delivered-To, X-Original-To or Envelope-To, else from To and Cc; without one,
    the bare mailbox.
    """
    try:
        fields = fields_of(head)
    except Over:
        fields = ()
    lines: dict[str, str] = {}
    for name in ("return-path", *_DELIVERED):
        value = next((v for n, v in fields if n == name), None)
        if value is not None:
            lines[name] = one_line(value, 500)
    for names in (_DELIVERED, ADDRESSED):
        values = "\n".join(mail_text.words(value) for name, value in fields if name in names)
        if tokens := ours.tokens(values):
            return f"{ours.mailbox}+{tokens[0]}@{ours.domain}".lower(), lines
    return f"{ours.mailbox}@{ours.domain}".lower(), lines
