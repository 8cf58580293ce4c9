"""What a program tells the public about itself, and how small a number must be to be kept back: its table `[transparency]`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from notifier.domain.period import midnight
from notifier.domain.program_reading import Reader, a_flag, reading_of

Names = Literal["none", "after_end"]

MIN_DELAY_DAYS = 7
_MOST_DELAY_DAYS, _MOST_BELOW = 3650, 1000


@dataclass(frozen=True, slots=True)
class Transparency:
    """Without the table nothing is public, and no number is kept back.

    delay_days: what happened less long ago is not shown.
    names: whether domain names of ended cases are shown, once they are that old.
    suppress_below: smaller numbers than this are kept back, from the public and under grants; 0: none is.
    registries: whether the public reads which registry was asked, and what came of it there.
    """

    public: bool = False
    delay_days: int = 90
    names: Names = "none"
    suppress_below: int = 0
    registries: bool = False

    def as_of(self, now: datetime) -> datetime:
        """The end of the last day that may be shown."""
        return midnight(now) - timedelta(days=self.delay_days)

    @property
    def terms(self) -> str:
        """All of it in one line: what was made under other terms is not shown any more."""
        return f"delay {self.delay_days}, names {self.names}, below {self.suppress_below}, registries {self.registries}"


def read_transparency(read: Reader) -> Transparency:
    """Optional: nothing is public unless the program says so."""
    if "transparency" not in read.data:
        return Transparency()
    table, usual = read.table("transparency"), Transparency()
    if not isinstance(read.data["transparency"], Mapping):
        return usual
    delay = reading_of(int, {"low": MIN_DELAY_DAYS, "high": _MOST_DELAY_DAYS})
    names = reading_of(Names, {})
    public = table.value("public", a_flag, "true or false")
    found: dict[str, Any] = {
        "delay_days": table.optional("delay_days", *delay, usual.delay_days),
        "names": table.optional("names", *names, usual.names),
        "suppress_below": table.optional("suppress_below", _a_bound, _BOUND, usual.suppress_below),
        "registries": table.optional("registries", a_flag, "true or false", usual.registries),
    }
    if public is False and found["names"] != "none":
        table.fault("names", f"is {found['names']} of a program that is not public", "none, or public = true")
    table.nothing_else()
    return Transparency(bool(public), **found)


_BOUND = f"0 for none, or a whole number from 3 to {_MOST_BELOW}"


def _a_bound(value: object) -> int | None:
    """1 keeps nothing back, and 2 tells what it keeps back."""
    return value if type(value) is int and (value == 0 or 3 <= value <= _MOST_BELOW) else None
