"""Building: notices out of facts, mails out of notices, beside a plain template string that gives the same bytes."""

import time
from collections.abc import Callable
from uuid import uuid4

from notifier.adapter import Identity
from notifier.rendering import Renderer
from notifier.resources import folder
from registries import mail_message
from tests.bench.measure import Line, Rounds, alternate
from tests.registries.sample_facts import facts

_SECONDS = 0.3
_IDENTITY = Identity("Example Notifier", "notices@notifier.example", "replies.notifier.example")
_TO = "abuse@registry.example"


async def building() -> list[Line]:
    """Each for itself, on one core, in this process."""
    renderer = Renderer(folder("templates"))
    sample = facts()
    notice = renderer.notice(sample)
    mail = _mail_of(notice)()
    # What differs from notice to notice stands as a field; the rest is the text as it is.
    changing = {
        "domain": sample.domain.a_label,
        "id": sample.notice_id,
        "case": sample.case_ref,
        "token": notice.reply_token,
    }
    template = mail.decode().replace("%", "%%")
    for field, value in changing.items():
        template = template.replace(value, f"%({field})s")
    if (template % changing).encode() != mail:
        raise RuntimeError("the plain template does not give the mail")

    async def plain(_: int) -> float:
        return _rate(lambda: (template % changing).encode())

    async def rendered(_: int) -> float:
        return _rate(lambda: renderer.notice(facts(notice_id=str(uuid4()))))

    async def mailed(_: int) -> float:
        return _rate(_mail_of(notice))

    async def both(_: int) -> float:
        return _rate(lambda: _mail_of(renderer.notice(facts(notice_id=str(uuid4()))))())

    lines: list[Line] = []
    for what, ours in (
        ("notices rendered", rendered),
        ("mails built of a notice", mailed),
        ("rendered and built", both),
    ):
        measured: Rounds = await alternate(ours, plain)
        lines.append(measured.line(what, "plain template string", f"one core; a mail of {len(mail) / 1000:.1f} kB"))
    return lines


def _mail_of(notice: object) -> Callable[[], bytes]:
    return lambda: mail_message.build(notice, "key-1", identity=_IDENTITY, recipient=_TO)  # type: ignore[arg-type]


def _rate(make: Callable[[], object]) -> float:
    """How often `make` runs in a second; looked up once in a while, so that the clock costs nothing."""
    make()
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < _SECONDS:
        for _ in range(10):
            make()
        done += 10
    return done / passed
