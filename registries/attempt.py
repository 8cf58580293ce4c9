"""What every channel does alike: the last look before sending, and tries inside one attempt."""

import re
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)

from notifier.adapter import AgreementChannel, Deferred, Receipt, RefusedForGood, RenderedNotice
from notifier.domain.epp import Measure
from notifier.domain.program_reading import A_DURATION, parse_duration
from notifier.errors import Invalid

_TRIES, _SECONDS = 3, 30
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MEDIA_TYPE = re.compile(r"(?!message/|multipart/)[a-z]+/[a-z0-9.+-]+")


class Early(Deferred):
    """A failure known to precede acceptance, so that another try within the same attempt cannot double."""


async def in_one_attempt(work: Callable[[], Awaitable[Receipt]], pause: float) -> Receipt:
    """Run `work`, again after an Early failure: three tries, none begun after thirty seconds."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Early),
        stop=stop_after_attempt(_TRIES) | stop_after_delay(_SECONDS),
        wait=wait_exponential(multiplier=pause, max=10),
        reraise=True,
    )

    async def once() -> Receipt:  # tenacity awaits only what it knows to be a coroutine function
        return await work()

    return await retrying(once)


def vet(notice: RenderedNotice, channel: AgreementChannel, address: str) -> None:
    """Refuse what must not leave by this channel. `address` is the channel's own, empty if it has none.

    The approved notice names its agreement and address; if the channel has changed since, nothing is sent.
    """
    if notice.agreement_id != channel.id:
        raise RefusedForGood(f"the notice is for agreement {notice.agreement_id}, this channel is {channel.id}")
    if address and notice.recipient_address.casefold() != address.casefold():
        raise RefusedForGood("the channel's address is not the one that was approved; approve the notice again")
    if channel.measures and notice.measure is not Measure.RESTORE and notice.measure not in channel.measures:
        raise RefusedForGood(f"the agreement does not cover {notice.measure}")
    for what, text in (("subject", notice.subject), ("recipient_name", notice.recipient_name)):
        if _CONTROL.search(text):
            raise RefusedForGood(f"{what} holds a control character")
    for file in notice.attachments:
        if not (_FILENAME.fullmatch(file.filename) and _MEDIA_TYPE.fullmatch(file.media_type)):
            raise RefusedForGood("an attachment has a name or media type that cannot be sent")


def known_keys(channel: AgreementChannel, known: Collection[str]) -> None:
    """Raise Invalid for a key of the address that the channel does not know: a misspelt rule is no rule."""
    if others := sorted(set(channel.address) - set(known)):
        raise Invalid(f"{channel.id}: address.{others[0]}: is not known, expected one of {', '.join(sorted(known))}")


def carried_within(channel: AgreementChannel) -> timedelta:
    """How soon a person is to carry a notice: the address's `within`, a day without it. Raises Invalid."""
    span = parse_duration(channel.address.get("within", "24h"))
    if not span:
        raise Invalid(f"{channel.id}: address.within: expected {A_DURATION}")
    return span
