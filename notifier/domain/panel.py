"""What recursive resolvers answer about a name: when the change that the parent zone shows has reached users.

It times an act and never proves one: resolvers may keep old data for its TTL, and a name that does not exist for the
negative TTL (RFC 2308 §5).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Self

PanelAnswer = Literal["served", "denied", "mixed", "inconclusive"]

AGREED: Final = 0.95
"""The share of the resolvers that spoke which makes their answer the panel's."""

NEGATIVE_TTL_UNKNOWN: Final = timedelta(hours=3)
"""Where no denial showed its SOA: the upper end of what works well (RFC 2308 §5)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One resolver's answer. `result`: served, denied, nodata, timeout or error:REASON.

    `wire` is the raw response in base64, empty where there was none.
    """

    resolver: str
    result: str
    wire: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """What the resolvers answered at one time. SERVFAIL, REFUSED, NODATA and silence speak for nothing."""

    heard: tuple[Heard, ...] = ()

    @property
    def answer(self) -> PanelAnswer:
        """What 95 % of those that spoke say, if more than half of those that were asked spoke."""
        spoken = [each.result for each in self.heard if each.result in ("served", "denied")]
        if 2 * len(spoken) <= len(self.heard):
            return "inconclusive"
        denied = spoken.count("denied") / len(spoken)
        if denied >= AGREED:
            return "denied"
        return "served" if 1 - denied >= AGREED else "mixed"

    def to_json(self) -> list[dict[str, str]]:
        return [{"resolver": h.resolver, "result": h.result, "wire": h.wire} for h in self.heard]

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Raises KeyError or TypeError for what `to_json` did not make."""
        return cls(tuple(Heard(each["resolver"], each["result"], each["wire"]) for each in data))
