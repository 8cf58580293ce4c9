"""Bad hours of the servers that are looked at: an answer fails for a name at a moment of clock time, drawn by seed.

What is asked again at the same moment fails again, so a run can be told afterwards by whoever has the seed.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime


class Weather:
    """`likelihood` (0 to 1) by fault of the protocol (`RdapFault`, `DnsFault`); may be changed while it runs.

    `blind`: at which moments something failed, by A-label; `met`: at which each fault was met by anybody. Times without end
    cost the asker real seconds.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.likelihood: dict[str, dict[str, float]] = {"rdap": {}, "dns": {}}
        self.blind: dict[str, set[datetime]] = {}
        self.met: dict[str, set[datetime]] = {}

    def bad(self, protocol: str) -> bool:
        """Whether anything can fail here at all."""
        return any(self.likelihood[protocol].values())

    def fault(self, protocol: str, a_label: str, now: datetime) -> str | None:
        """What goes wrong with this answer; None: nothing."""
        met = _drawn(f"{self._seed}\0{protocol}\0{a_label}\0{now.isoformat()}", self.likelihood[protocol].items())
        if met is not None:
            self.blind.setdefault(a_label, set()).add(now)
            self.met.setdefault(met, set()).add(now)
        return met


def _drawn(key: str, chances: Iterable[tuple[str, float]]) -> str | None:
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    for name, chance in chances:
        if point < chance:
            return name
        point -= chance
    return None
