"""What a mail that came back is to a channel that speaks by mail: the class of the mail, and the answer it proposes.

Pure. The class is read by `notifier.domain.mail_class`. Automatic mail (RFC 3834) never acknowledges anything. A person's
words are proposed as an answer; they are taken as one only if the receiver authenticated the mail.
"""

import re
from datetime import UTC, datetime

from notifier.adapter import Identity, Inbound, Response
from notifier.domain import mail_class, mail_match, mime
from notifier.domain.epp import Measure
from notifier.domain.hostile import one_line
from notifier.domain.mail_class import MailClass
from notifier.domain.mail_match import Ours, What

_ANSWER = re.compile(r"\s*(ACK|NEED_INFO|DECLINED|ACTION|REFERRED_REGISTRAR)\s*(?:\(([^()]{0,500})\))?\s*")
_KINDS = {
    "ACK": "acknowledged",
    "NEED_INFO": "needs_info",
    "DECLINED": "declined",
    "ACTION": "action_taken",
    "REFERRED_REGISTRAR": "acknowledged",
}


def parse(inbound: Inbound, identity: Identity) -> Response | None:
    """The response a mail is; None when it is none of ours or is over a bound of reading.

    `extra` may hold: `keys` (ids of our messages it refers to), `action` and `status` (RFC 3464), `ticket`,
    `answer` (the kind a person's line proposes), `from`.
    """
    mail = mime.read(inbound.body, inbound.headers)
    if mail.fault is not None:
        return None
    ours = Ours(identity.reply_mailbox, identity.reply_domain)
    clues = mail_match.clues(mail, ours)
    token = next((clue.value for clue in clues if clue.what is What.TOKEN), None)
    keys = tuple(dict.fromkeys(clue.value for clue in clues if clue.what is What.KEY))
    if token is None and not keys:
        return None
    classed = mail_class.classify(mail, ours, frozenset({identity.mail_from.lower()}))
    extra: dict[str, object] = {"keys": keys, "from": classed.sender, "reason": classed.reason}
    if classed.delivery is not None:
        extra |= {"action": classed.delivery.action, "status": classed.delivery.status}
    if classed.ticket:
        extra["ticket"] = classed.ticket
    if classed.kind is MailClass.HUMAN:
        return _human(classed.text, token, extra, authenticated=inbound.authenticated)
    return Response(str(classed.kind), token, reason=classed.why, comment=classed.text, extra=extra)


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
