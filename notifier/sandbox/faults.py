"""What goes wrong at the parties' doors, drawn by seed: at each protocol point with a likelihood of its own."""

import random
from collections.abc import Mapping
from enum import StrEnum

from notifier.errors import Invalid


class Point(StrEnum):
    """Where something happens to a delivery. A cut ends the connection without a word (RST).

    `ANSWER` and `SLOW`: it was accepted, and the sender is told of nothing, or too late. `HTTP_500`: it was accepted, and
    the answer denies it. Everywhere else nothing was accepted.
    """

    SMTP_SHUT = "smtp.shut"  # nobody listens for a moment: connections are refused
    SMTP_CONNECT = "smtp.connect"  # cut before the greeting
    SMTP_GREETING = "smtp.greeting"  # 421 in place of it
    SMTP_EHLO = "smtp.ehlo"  # cut
    SMTP_RCPT = "smtp.rcpt"  # cut
    SMTP_RCPT_451 = "smtp.rcpt_451"
    SMTP_RCPT_550 = "smtp.rcpt_550"
    SMTP_DATA = "smtp.data"  # cut in the middle of the message
    SMTP_DOT = "smtp.dot"  # cut after the final dot
    SMTP_DOT_421 = "smtp.dot_421"
    SMTP_DOT_451 = "smtp.dot_451"
    SMTP_DOT_550 = "smtp.dot_550"
    SMTP_ANSWER = "smtp.answer"
    SMTP_SLOW = "smtp.slow"
    HTTP_HEADERS = "webhook.headers"  # cut before the body is read
    HTTP_BODY = "webhook.body"  # cut after it
    HTTP_410 = "webhook.410"
    HTTP_429 = "webhook.429"  # with Retry-After, as 503
    HTTP_503 = "webhook.503"
    HTTP_ANSWER = "webhook.answer"
    HTTP_500 = "webhook.500"
    HTTP_SLOW = "webhook.slow"


class Faults:
    """Draws at each point. `likelihood` (0 to 1, by point) may be replaced while it runs; `slow_s` in seconds."""

    def __init__(self, seed: str, likelihood: Mapping[str, float], slow_s: float) -> None:
        self.likelihood = checked(likelihood)
        self.slow_s = slow_s
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311  (drawn again by whoever has the seed)

    def begin(self, life: int) -> None:
        """Another life draws other faults, so that a restart is no repetition."""
        self._random = random.Random(f"{self._seed}/{life}")  # noqa: S311

    def meets(self, point: Point) -> bool:
        """Whether it happens at this point this time."""
        chance = self.likelihood.get(point, 0.0)
        return chance > 0 and self._random.random() < chance


def checked(likelihood: Mapping[str, float]) -> dict[Point, float]:
    """Likelihoods by point. Raises Invalid for a point that there is not, and for what is no likelihood."""
    found: dict[Point, float] = {}
    for name, chance in likelihood.items():
        if name not in set(Point) or type(chance) not in (int, float) or not 0 <= chance <= 1:
            known = ", ".join(Point)
            raise Invalid(f"fault {name!r} = {chance!r}: expected a number from 0 to 1 for one of {known}")
        found[Point(name)] = float(chance)
    return found
