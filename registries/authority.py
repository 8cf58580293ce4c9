"""Notices as formal letters (PDF), for an authority that takes paper: by mail as an enclosure, or posted by a person.

Channel address: `delivery`, `mail` or `post`; `postal`, the recipient's address as a list of lines (needed for `post`);
`paper`, `a4` (without it) or `letter`; for `mail` also every key of the channel `smtp`. A letter by mail goes beside the
notice's own text and files, with the failures of that channel. It needs the extra `letter`.

With `post` the channel is attended: `material` is what a person posts, and nothing is sent from here. `within` says how
soon (`24h` without it).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from notifier.adapter import (
    AgreementChannel,
    Attachment,
    Capabilities,
    Deps,
    FormField,
    Inbound,
    Message,
    Problem,
    Receipt,
    RefusedForGood,
    RenderedNotice,
    Response,
)
from notifier.errors import Invalid
from registries import mail_reply, smtp
from registries.attempt import carried_within, known_keys, vet

_OWN = frozenset({"delivery", "postal", "paper"})
_PAPERS = ("a4", "letter")


class AuthorityAdapter:
    """One authority. `mail` None: a person posts the letter."""

    def __init__(self, channel: AgreementChannel, deps: Deps, mail: smtp.SmtpAdapter | None) -> None:
        self._channel, self._deps, self._mail = channel, deps, mail
        self._postal = _postal(channel, needed=mail is None)
        self.place, self.within = ", ".join(self._postal), carried_within(channel)
        self._paper = str(channel.address.get("paper", "a4"))
        if self._paper not in _PAPERS:
            raise Invalid(f"{channel.id}: address.paper: expected one of {', '.join(_PAPERS)}")
        measures = frozenset(channel.measures) or Capabilities().measures
        tells = mail is not None and mail.capabilities.tells
        self.capabilities = Capabilities(measures=measures, attended=mail is None, tells=tells, pings=tells)

    async def check(self) -> list[Problem]:
        """By mail: as for `smtp`. By post there is nothing to reach: a task puts each letter into a person's hands."""
        return await self._mail.check() if self._mail is not None else []

    async def send(self, notice: RenderedNotice, key: str) -> Receipt:
        if self._mail is None:
            raise RefusedForGood("a person posts this letter")
        return await self._mail.deliver(notice, key, enclosed=self.material(notice))

    async def withdraw(self, receipt: Receipt, notice: RenderedNotice, key: str) -> Receipt:
        if self._mail is None:
            raise RefusedForGood("a person posts this letter")
        return await self._mail.deliver(notice, key, parents=(receipt.key,), enclosed=self.material(notice))

    async def tell(self, subject: str, text: str, key: str, at: datetime) -> Receipt:
        if self._mail is None:
            raise RefusedForGood("a person tells it")
        return await self._mail.tell(subject, text, key, at)

    async def ping(self, ping: Message) -> Receipt:
        """The test's plain words; no letter goes with them."""
        return await self.tell(ping.subject, ping.text, ping.key, ping.at)

    async def poll(self, receipt: Receipt) -> Response | None:
        """An authority cannot be asked."""
        return None

    def parse_reply(self, message: Inbound) -> Response | None:
        """What comes by mail is read as for `smtp`, also when the notice went on paper."""
        return mail_reply.parse(message, self._deps.identity)

    def fields(self, notice: RenderedNotice) -> Sequence[FormField]:
        """A letter has none."""
        return ()

    def material(self, notice: RenderedNotice) -> Sequence[Attachment]:
        """The letter. Raises RefusedForGood for a notice that must not leave by this channel."""
        from registries.letter import letter  # its library comes with the extra

        vet(notice, self._channel, self.place if self._mail is None else "")
        return (letter(notice, self._deps.identity, self._postal, self._paper),)


def _postal(channel: AgreementChannel, *, needed: bool) -> tuple[str, ...]:
    lines: Any = channel.address.get("postal", [])
    fits = isinstance(lines, list) and all(
        isinstance(line, str) and line.strip() and line.isprintable() for line in lines
    )
    if not fits or (needed and not lines):
        raise Invalid(f"{channel.id}: address.postal: expected the recipient's address, a list of lines")
    return tuple(lines)


def build(channel: AgreementChannel, deps: Deps) -> AuthorityAdapter:
    """The adapter for one agreement. Raises Invalid when the address cannot be used, or the extra `letter` is missing."""
    try:
        import reportlab  # noqa: F401
    except ImportError as missing:
        raise Invalid(f"{channel.id}: authority needs the extra: pip install 'trusted-notifier[letter]'") from missing
    delivery = channel.address.get("delivery")
    if delivery == "post":
        known_keys(channel, _OWN | {"within"})
        return AuthorityAdapter(channel, deps, None)
    if delivery == "mail":
        known_keys(channel, _OWN | smtp.KEYS)
        return AuthorityAdapter(channel, deps, smtp.SmtpAdapter(channel, deps))
    raise Invalid(f"{channel.id}: address.delivery: expected one of mail, post")
