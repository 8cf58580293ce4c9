"""How often a recipient that can be asked is asked for its answer. Pure."""

from dataclasses import dataclass
from datetime import timedelta

TELL_AFTER = 10  # times in a row that nothing could be heard; then a person is told
LONGEST_DEFERRAL = timedelta(days=7)  # whatever the recipient says


@dataclass(frozen=True, slots=True)
class Polling:
    """The first question comes `first` after the notice arrived; each wait is twice the one before, up to `longest`."""

    first: timedelta = timedelta(hours=1)
    longest: timedelta = timedelta(days=1)

    def after(self, wait: timedelta) -> timedelta:
        """The wait that follows one of this length."""
        return min(max(wait, self.first) * 2, self.longest)


def deferral(seconds: float | None) -> timedelta:
    """How long the recipient asked us to wait; zero when it said nothing that can be kept."""
    if seconds is None or not seconds > 0:  # also what is no number
        return timedelta()
    return timedelta(seconds=min(seconds, LONGEST_DEFERRAL.total_seconds()))
