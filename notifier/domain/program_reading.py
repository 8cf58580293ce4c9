"""How the values of a program's TOML are read: durations, waits, lists of words, and a table that names its faults."""

import re
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeVar

from notifier.domain.calendar import Wait
from notifier.domain.epp import Measure
from notifier.domain.rule import Recipient

Fault = tuple[str, str, str]
A_DURATION = "a duration such as 90s, 4min, 72h or 14d"

_DURATION = re.compile(r"(\d{1,6}) ?(s|min|h|d)\Z")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_MAX = timedelta(days=3650)
_MAX_LOOKS = 1_000
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def parse_duration(value: object) -> timedelta | None:
    """`90s`, `4min`, `72h` or `14d` as a span up to ten years; None for anything else."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    span = timedelta(**{_UNITS[match[2]]: int(match[1])})
    return span if span <= _MAX else None


def parse_wait(value: object) -> Wait | None:
    """A duration text, or `{working_days = n, calendar = "id"}`; None for anything else."""
    if isinstance(value, Mapping):
        days, calendar = value.get("working_days"), value.get("calendar")
        known = value.keys() == {"working_days", "calendar"}
        if known and type(days) is int and 1 <= days <= 250 and isinstance(calendar, str) and calendar:
            return Wait(working_days=days, calendar=calendar)
        return None
    span = parse_duration(value)
    return None if span is None else Wait(length=span)


class Reader:
    """Takes keys from one table and remembers what was wrong and what was never taken."""

    def __init__(self, data: Mapping[str, Any], path: str = "", faults: list[Fault] | None = None) -> None:
        self.data, self._path, self._taken = data, path, set[str]()
        self.faults: list[Fault] = [] if faults is None else faults

    def fault(self, key: str, what: str, expected: str) -> None:
        self.faults.append((f"{self._path}{key}", what, expected))

    def value(self, key: str, read: Callable[[Any], T | None], expected: str) -> T | None:
        """`read` of the key's value; a missing key and a value it answers None for are faults."""
        self._taken.add(key)
        if key not in self.data:
            self.fault(key, "is missing", expected)
            return None
        got = read(self.data[key])
        if got is None:
            self.fault(key, f"is {self.data[key]!r:.80}", expected)
        return got

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """A non-empty text that fits `pattern`; the empty text after a fault."""

        def fits(value: object) -> str | None:
            whole = isinstance(value, str) and value.strip() and (pattern is None or pattern.match(value))
            return str(value).strip() if whole else None

        return self.value(key, fits, "a text" if pattern is None else "lower-case letters, digits and hyphens") or ""

    def table(self, key: str) -> "Reader":
        got = self.value(key, lambda v: v if isinstance(v, Mapping) else None, f"a table [{key}]")
        return Reader(got or {}, f"{self._path}{key}.", self.faults)

    def tables(self, key: str) -> list["Reader"]:
        def fits(value: object) -> list[Mapping[str, Any]] | None:
            whole = isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)
            return typing.cast("list[Mapping[str, Any]]", value) if whole else None

        got = self.value(key, fits, f"one or more tables [[{key}]]") or []
        return [Reader(item, f"{self._path}{key}[{i}].", self.faults) for i, item in enumerate(got)]

    def optional(self, key: str, read: Callable[[Any], T | None], expected: str, default: T) -> T:
        if key not in self.data:
            return default
        got = self.value(key, read, expected)
        return default if got is None else got

    def nothing_else(self) -> None:
        for key in self.data.keys() - self._taken:
            self.fault(key, "is not known here", f"one of {', '.join(sorted(self._taken))}")


def an_enum(kind: type[E]) -> Callable[[Any], E | None]:
    return lambda value: kind(value) if value in tuple(kind) else None


def some_measures(value: object) -> frozenset[Measure] | None:
    if not isinstance(value, list) or not value or any(item not in tuple(Measure) for item in value):
        return None
    return frozenset(Measure(item) for item in value) if len(set(value)) == len(value) else None


def some_ids(value: object) -> tuple[str, ...] | None:
    whole = (
        isinstance(value, list) and value and all(isinstance(v, str) and v == v.strip().lower() != "" for v in value)
    )
    listed = typing.cast("list[str]", value) if whole else []
    return tuple(listed) if listed and len(set(listed)) == len(listed) else None


def a_day(value: object) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def a_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def some_recipients(value: object) -> frozenset[Recipient] | None:
    whole = isinstance(value, list) and value and all(item in tuple(Recipient) for item in value)
    return frozenset(Recipient(item) for item in typing.cast("list[str]", value)) if whole else None


def looks_of(value: object) -> tuple[timedelta, ...] | None:
    """Durations, ascending; `{every, until}` goes on from the one before and always ends with `until`."""
    looks: list[timedelta] = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping):
            every, until = parse_duration(item.get("every")), parse_duration(item.get("until"))
            if not every or not until or item.keys() != {"every", "until"}:
                return None
            last = looks[-1] if looks else timedelta()
            looks += [last + every * n for n in range(1, (until - last) // every + 1)]
            looks += [until] if until not in looks[-1:] else []
        else:
            span = parse_duration(item)
            if not span:
                return None
            looks.append(span)
    return tuple(looks) if looks and looks == sorted(set(looks)) and len(looks) <= _MAX_LOOKS else None


def reading_of(hint: Any, bounds: Mapping[str, float]) -> tuple[Callable[[Any], Any], str]:
    """How a rule's field of type `hint` is read from TOML, and what to say when it cannot be."""
    if hint is timedelta:
        return parse_duration, A_DURATION
    if hint is bool:
        return a_flag, "true or false"
    if hint in (int, float):
        low, high = bounds["low"], bounds["high"]
        kinds = (int,) if hint is int else (int, float)
        article = "a whole number" if hint is int else "a number"
        return (
            lambda v: v if type(v) in kinds and low <= v <= high else None,
            f"{article} from {low} to {high}",
        )
    if typing.get_origin(hint) is Literal:
        words = typing.get_args(hint)
        return lambda v: v if v in words else None, f"one of {', '.join(words)}"
    inner, _ = typing.get_args(hint)  # the only other shape: tuple[X, ...]
    words = typing.get_args(inner)
    expected = f"a list of {', '.join(words)}, each once" if words else "a list of texts, lower case, each once"

    def listed(value: object) -> tuple[str, ...] | None:
        if not isinstance(value, list) or not value or len(set(map(str, value))) != len(value):
            return None
        fits = all((item in words) if words else (isinstance(item, str) and item == item.lower()) for item in value)
        return tuple(value) if fits else None

    return listed, expected
