"""A program: its rules, ladder and windows as data, read from decoded TOML with every fault named at once."""

import re
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeVar

from notifier.domain.calendar import Wait
from notifier.domain.epp import Measure
from notifier.domain.rules import RULES, Recipient, Rule

Fault = tuple[str, str, str]

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_DURATION = re.compile(r"(\d{1,6}) ?(s|min|h|d)\Z")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}
_MAX = timedelta(days=3650)
_MAX_LOOKS = 1_000
T = TypeVar("T")
R = TypeVar("R", bound=Rule)
E = TypeVar("E", bound=StrEnum)

_Escalation = Literal["person", "preapproved"]


@dataclass(frozen=True, slots=True)
class LadderStep:
    """Who is asked, for what, and how long each has before the next is asked."""

    recipient: Recipient
    measure: Measure
    window: Wait


@dataclass(frozen=True, slots=True)
class Windows:
    """Every span of time that the program's work reads.

    cancel_window: between approval and dispatch.
    verify_gap: least time between two agreeing looks.
    cure_gap: the same where content is looked at, since a site may hide for a while.
    claim_deadline: how long a claimed act may stay unseen.
    recheck_max_age: greatest age of the look taken before a notice leaves.
    evidence_max_age: greatest age of the newest capture when a notice leaves.
    validity: a notice lapses this long after it left.
    clock_skew: how far ahead of our clock a submitter's may run.
    watch: looks after a verified act, counted from it, ascending.
    """

    cancel_window: timedelta
    verify_gap: timedelta
    cure_gap: timedelta
    claim_deadline: timedelta
    recheck_max_age: timedelta
    evidence_max_age: timedelta
    validity: timedelta
    clock_skew: timedelta
    watch: tuple[timedelta, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """One version of one program. `digest` is the hex SHA-256 of the file it came from; cases pin it."""

    id: str
    name: str
    category: str
    owner: str
    version: str
    effective_from: date
    measures: frozenset[Measure]
    default_measure: Measure
    ladder: tuple[LadderStep, ...]
    windows: Windows
    second_review: bool
    escalation: _Escalation
    templates: str
    basis: str
    appeal: str
    rules: tuple[Rule, ...]
    digest: str

    def next_step(self, done: Collection[Recipient]) -> LadderStep | None:
        """The first step after every one in `done`; None when the ladder has ended."""
        last = max((i for i, step in enumerate(self.ladder) if step.recipient in done), default=-1)
        return self.ladder[last + 1] if last + 1 < len(self.ladder) else None

    def rule(self, kind: type[R]) -> R | None:
        """The program's rule of a class, if it has one."""
        return next((rule for rule in self.rules if isinstance(rule, kind)), None)


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


def parse_program(data: Mapping[str, Any], digest: str) -> tuple[Program | None, list[Fault]]:
    """A program from decoded TOML, or None and every fault as (key, what, expected)."""
    read = _Reader(data)
    known: dict[str, Any] = {
        "id": read.text("id", _ID),
        "name": read.text("name"),
        "category": read.text("category"),
        "owner": read.text("owner"),
        "version": read.text("version"),
        "effective_from": read.value("effective_from", _day, "a TOML day"),
        "measures": read.value("measures", _measures, f"a list of {', '.join(Measure)}, each once"),
        "default_measure": read.value("default_measure", _enum(Measure), f"one of {', '.join(Measure)}"),
        "second_review": read.value("second_review", _flag, "true or false"),
        "escalation": read.value("escalation", *_reading(_Escalation, {})),
        "templates": read.text("templates", _ID),
        "basis": read.text("basis"),
        "appeal": read.text("appeal"),
        "windows": _windows(read.table("windows")),
        "rules": _rules(read),
    }
    measures: Collection[Measure] = known["measures"] or ()
    known["ladder"] = _ladder(read, measures)
    if measures and known["default_measure"] and known["default_measure"] not in measures:
        read.fault("default_measure", f"is {known['default_measure']}", "one of `measures`")
    read.nothing_else()
    return (None, read.faults) if read.faults else (Program(**known, digest=digest), [])


class _Reader:
    """Takes keys from one table and remembers what was wrong and what was never taken."""

    def __init__(self, data: Mapping[str, Any], path: str = "", faults: list[Fault] | None = None) -> None:
        self._data, self._path, self._taken = data, path, set[str]()
        self.faults: list[Fault] = [] if faults is None else faults

    def fault(self, key: str, what: str, expected: str) -> None:
        self.faults.append((f"{self._path}{key}", what, expected))

    def value(self, key: str, read: Callable[[Any], T | None], expected: str) -> T | None:
        """`read` of the key's value; a missing key and a value it answers None for are faults."""
        self._taken.add(key)
        if key not in self._data:
            self.fault(key, "is missing", expected)
            return None
        got = read(self._data[key])
        if got is None:
            self.fault(key, f"is {self._data[key]!r:.80}", expected)
        return got

    def text(self, key: str, pattern: re.Pattern[str] | None = None) -> str:
        """A non-empty text that fits `pattern`; the empty text after a fault."""

        def fits(value: object) -> str | None:
            whole = isinstance(value, str) and value.strip() and (pattern is None or pattern.match(value))
            return str(value).strip() if whole else None

        return self.value(key, fits, "a text" if pattern is None else "lower-case letters, digits and hyphens") or ""

    def table(self, key: str) -> "_Reader":
        got = self.value(key, lambda v: v if isinstance(v, Mapping) else None, f"a table [{key}]")
        return _Reader(got or {}, f"{self._path}{key}.", self.faults)

    def tables(self, key: str) -> list["_Reader"]:
        def fits(value: object) -> list[Mapping[str, Any]] | None:
            whole = isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)
            return typing.cast("list[Mapping[str, Any]]", value) if whole else None

        got = self.value(key, fits, f"one or more tables [[{key}]]") or []
        return [_Reader(item, f"{self._path}{key}[{i}].", self.faults) for i, item in enumerate(got)]

    def optional(self, key: str, read: Callable[[Any], T | None], expected: str, default: T) -> T:
        if key not in self._data:
            return default
        got = self.value(key, read, expected)
        return default if got is None else got

    def nothing_else(self) -> None:
        for key in self._data.keys() - self._taken:
            self.fault(key, "is not known here", f"one of {', '.join(sorted(self._taken))}")


def _enum(kind: type[E]) -> Callable[[Any], E | None]:
    return lambda value: kind(value) if value in tuple(kind) else None


def _measures(value: object) -> frozenset[Measure] | None:
    if not isinstance(value, list) or not value or any(item not in tuple(Measure) for item in value):
        return None
    return frozenset(Measure(item) for item in value) if len(set(value)) == len(value) else None


def _day(value: object) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _windows(read: _Reader) -> Windows | None:
    spans = {
        field.name: read.value(field.name, parse_duration, _A_DURATION)
        for field in fields(Windows)
        if field.name != "watch"
    }
    watch = read.value("watch", _watch, "a list of durations and {every, until}, ascending")
    read.nothing_else()
    if watch is None or None in spans.values():
        return None
    return Windows(**typing.cast("dict[str, timedelta]", spans), watch=watch)


def _watch(value: object) -> tuple[timedelta, ...] | None:
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


def _ladder(read: _Reader, measures: Collection[Measure]) -> tuple[LadderStep, ...]:
    steps: list[LadderStep] = []
    for row in read.tables("ladder"):
        recipient = row.value("recipient", _enum(Recipient), f"one of {', '.join(Recipient)}")
        measure = row.value("measure", _enum(Measure), f"one of {', '.join(Measure)}")
        window = row.value("window", parse_wait, f"{_A_DURATION}, or {{working_days, calendar}}")
        row.nothing_else()
        if measure and measures and measure not in measures:
            row.fault("measure", f"is {measure}", "one of `measures`")
        if recipient and any(recipient is step.recipient for step in steps):
            row.fault("recipient", f"{recipient} stands twice", "each recipient once")
        if recipient and measure and window:
            steps.append(LadderStep(recipient, measure, window))
    return tuple(steps)


def _rules(read: _Reader) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    seen: set[str] = set()
    for row in read.tables("rules"):
        rule_id = row.text("id", _ID)
        if rule_id and rule_id in seen:
            row.fault("id", f"{rule_id} stands twice", "each id once")
        seen.add(rule_id)
        kind = row.value("type", lambda v: RULES.get(v) if isinstance(v, str) else None, f"one of {', '.join(RULES)}")
        if kind is None:
            continue
        hard = row.optional("hard", _flag, "true or false", False)
        steps = row.optional("steps", _recipients, f"a list of {', '.join(Recipient)}", frozenset(Recipient))
        hints = typing.get_type_hints(kind)
        numbers = {
            field.name: row.value(field.name, *_reading(hints[field.name], field.metadata))
            for field in fields(kind)
            if field.name not in _RULE_FIELDS
        }
        row.nothing_else()
        if rule_id and None not in numbers.values():
            rules.append(kind(id=rule_id, hard=hard, steps=steps, **numbers))
    return tuple(rules)


def _recipients(value: object) -> frozenset[Recipient] | None:
    whole = isinstance(value, list) and value and all(item in tuple(Recipient) for item in value)
    return frozenset(Recipient(item) for item in typing.cast("list[str]", value)) if whole else None


def _reading(hint: Any, bounds: Mapping[str, float]) -> tuple[Callable[[Any], Any], str]:
    """How a rule's field of type `hint` is read from TOML, and what to say when it cannot be."""
    if hint is timedelta:
        return parse_duration, _A_DURATION
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


_A_DURATION = "a duration such as 90s, 4min, 72h or 14d"
_RULE_FIELDS = frozenset(field.name for field in fields(Rule))
