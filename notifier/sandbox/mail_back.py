"""The mails that come back to a sender: a delivery status notification and an automatic reply."""

import re
from datetime import datetime
from email.message import EmailMessage, Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from notifier.sandbox.ask import Ask

HOST = "mail.sandbox.example"


def dsn(ask: Ask, address: str, now: datetime) -> bytes:
    """A failed delivery of a mail to `address` (RFC 3464), with the headers of the original."""
    report = MIMEMultipart("report")
    report.set_param("report-type", "delivery-status")
    report["From"] = f"Mail Delivery System <mailer-daemon@{HOST}>"
    report["To"] = ask.reply_to
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(now)
    report["Message-ID"] = make_msgid(domain=HOST)
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"The mail to {address} could not be delivered: mailbox unavailable.\n"))
    per_message, per_recipient = Message(), Message()
    per_message["Reporting-MTA"] = f"dns; {HOST}"
    per_message["Arrival-Date"] = format_datetime(now)
    per_recipient["Final-Recipient"] = f"rfc822; {address}"
    per_recipient["Action"] = "failed"
    per_recipient["Status"] = "5.1.1"
    per_recipient["Diagnostic-Code"] = f"smtp; 550 5.1.1 <{address}>: mailbox unavailable"
    status = MIMEMessage(Message(), "delivery-status")
    status.set_payload([per_message, per_recipient])
    report.attach(status)
    original = re.split(rb"\r?\n\r?\n", ask.raw, maxsplit=1)[0].decode("ascii", "replace")
    report.attach(MIMEText("\n".join(original.splitlines()) + "\n", "rfc822-headers"))
    return report.as_bytes(policy=SMTP)


def auto_reply(ask: Ask, address: str, now: datetime) -> bytes | None:
    """An automatic reply (RFC 3834); None where §2 forbids one: to automatic mail, or without a return
    path."""
    if ask.automatic or not ask.reply_to:
        return None
    reply = EmailMessage(policy=SMTP)
    reply["From"] = address
    reply["To"] = ask.reply_to
    reply["Subject"] = f"Auto: {ask.subject}"
    reply["Date"] = format_datetime(now)
    reply["Message-ID"] = make_msgid(domain=HOST)
    reply["In-Reply-To"] = ask.key
    reply["References"] = ask.key
    reply["Auto-Submitted"] = "auto-replied"
    reply.set_content("We have received your message and will look at it. This is an automatic reply.\n")
    return reply.as_bytes()
