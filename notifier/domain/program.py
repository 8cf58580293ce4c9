"""A program: its rules, ladder and windows as data, read from decoded TOML with every fault named at once."""

import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, timedelta
from typing import Any, Literal, TypeVar

from notifier.domain.accuracy import AccuracyBound
from notifier.domain.calendar import Wait
from notifier.domain.epp import Measure
from notifier.domain.program_reading import (
    A_DURATION,
    Fault,
    Reader,
    a_day,
    a_flag,
    an_enum,
    looks_of,
    parse_duration,
    parse_wait,
    reading_of,
    some_ids,
    some_measures,
    some_recipients,
)
from notifier.domain.rules import RULES, AnyOf, Recipient, Rule
from notifier.domain.transparency import Transparency, read_transparency

__all__ = ["LadderStep", "Program", "Windows", "parse_duration", "parse_program", "parse_wait"]

R = TypeVar("R", bound=Rule)

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
REGISTRANT_LANGUAGES = ("de", "es")  # beside English; a catalog each in templates/locale
_Escalation = Literal["person", "preapproved"]
# What a program says nothing else about.
_UNTOLD = Transparency()
_FIRST_WORD, _DECISION = (Wait(working_days=days, calendar="us-federal") for days in (1, 10))


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
    retention: how long a case's files are kept after its end, whatever became of the name.
    watch: looks after a verified act, counted from it, ascending.
    refresh: how long a name may be held without fresh evidence; then it lapses, and is asked to be restored.
    refresh_warning: how long before that whoever looks after it is warned.
    """

    cancel_window: timedelta
    verify_gap: timedelta
    cure_gap: timedelta
    claim_deadline: timedelta
    recheck_max_age: timedelta
    evidence_max_age: timedelta
    validity: timedelta
    clock_skew: timedelta
    retention: timedelta
    watch: tuple[timedelta, ...]
    refresh: timedelta = timedelta(days=30)
    refresh_warning: timedelta = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Program:
    """One version of one program. `digest` is the hex SHA-256 of the file it came from; cases pin it.

    `acknowledge_appeal`, `decide_appeal`: how long whoever appeals may wait for a first word, and for a decision.
    `hops_to`: registries that may read which names of theirs follow others, where the program shares that (`share_hops`).
    `registrant_languages`: beside English, those in which a notice speaks to the registrant; approved with all the rest.
    `transparency`: what the public reads of it, and which numbers are kept back.
    """

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
    accuracy: AccuracyBound | None = None
    acknowledge_appeal: Wait = _FIRST_WORD
    decide_appeal: Wait = _DECISION
    hops_to: frozenset[str] = frozenset()
    registrant_languages: tuple[str, ...] = ()
    transparency: Transparency = _UNTOLD

    def next_step(self, done: Collection[Recipient]) -> LadderStep | None:
        """The first step after every one in `done`; None when the ladder has ended."""
        last = max((i for i, step in enumerate(self.ladder) if step.recipient in done), default=-1)
        return self.ladder[last + 1] if last + 1 < len(self.ladder) else None

    @property
    def alternatives(self) -> frozenset[str]:
        """Ids of the rules that stand as one of several: they guard no step by themselves."""
        return frozenset(part for rule in self.rules if isinstance(rule, AnyOf) for part in rule.of)

    def guarding(self, step: Recipient) -> tuple[Rule, ...]:
        """The rules that must pass before a step is taken, in the program's order."""
        return tuple(rule for rule in self.rules if step in rule.steps and rule.id not in self.alternatives)

    def rule(self, kind: type[R]) -> R | None:
        """The program's rule of a class, if it has one."""
        return next((rule for rule in self.rules if isinstance(rule, kind)), None)


def parse_program(data: Mapping[str, Any], digest: str) -> tuple[Program | None, list[Fault]]:
    """A program from decoded TOML, or None and every fault as (key, what, expected)."""
    read = Reader(data)
    known: dict[str, Any] = {
        "id": read.text("id", _ID),
        "name": read.text("name"),
        "category": read.text("category"),
        "owner": read.text("owner"),
        "version": read.text("version"),
        "effective_from": read.value("effective_from", a_day, "a TOML day"),
        "measures": read.value("measures", some_measures, f"a list of {', '.join(Measure)}, each once"),
        "default_measure": read.value("default_measure", an_enum(Measure), f"one of {', '.join(Measure)}"),
        "second_review": read.value("second_review", a_flag, "true or false"),
        "escalation": read.value("escalation", *reading_of(_Escalation, {})),
        "templates": read.text("templates", _ID),
        "basis": read.text("basis"),
        "appeal": read.text("appeal"),
        "windows": _windows(read.table("windows")),
        "rules": _rules(read),
        "accuracy": _accuracy(read),
        **_due_process(read),
        "hops_to": _hops_to(read),
        "registrant_languages": _registrant_languages(read),
        "transparency": read_transparency(read),
    }
    measures: Collection[Measure] = known["measures"] or ()
    known["ladder"] = _ladder(read, measures)
    if measures and known["default_measure"] and known["default_measure"] not in measures:
        read.fault("default_measure", f"is {known['default_measure']}", "one of `measures`")
    read.nothing_else()
    return (None, read.faults) if read.faults else (Program(**known, digest=digest), [])


def _windows(read: Reader) -> Windows | None:
    spans = {
        field.name: read.value(field.name, parse_duration, A_DURATION)
        if field.default is MISSING
        else read.optional(field.name, parse_duration, A_DURATION, field.default)
        for field in fields(Windows)
        if field.name != "watch"
    }
    watch = read.value("watch", looks_of, "a list of durations and {every, until}, ascending")
    refresh, warning = spans["refresh"], spans["refresh_warning"]
    if refresh is not None and warning is not None and not timedelta() < warning < refresh:
        read.fault("refresh_warning", f"is {warning.days} d of a refresh of {refresh.days} d", "less than refresh")
    read.nothing_else()
    if watch is None or None in spans.values():
        return None
    return Windows(**typing.cast("dict[str, timedelta]", spans), watch=watch)


def _accuracy(read: Reader) -> AccuracyBound | None:
    """Optional: without it no organisation is ever on probation, since a bound is a matter of the agreement."""
    if "accuracy" not in read.data:
        return None
    table = read.table("accuracy")
    minimum = table.value("minimum", *reading_of(float, {"low": 0, "high": 1}))
    window = table.value("window", parse_duration, A_DURATION)
    min_cases = table.value("min_cases", *reading_of(int, {"low": 1, "high": 100_000}))
    table.nothing_else()
    if minimum is None or window is None or min_cases is None:
        return None
    return AccuracyBound(float(minimum), window, min_cases)


def _due_process(read: Reader) -> dict[str, Wait | None]:
    """Optional: how long an appeal may wait for a first word, and for its decision."""
    if "due_process" not in read.data:
        return {}
    table = read.table("due_process")
    expected = f"{A_DURATION}, or {{working_days, calendar}}"
    found = {
        "acknowledge_appeal": table.value("acknowledge", parse_wait, expected),
        "decide_appeal": table.value("decide", parse_wait, expected),
    }
    table.nothing_else()
    return found


def _hops_to(read: Reader) -> frozenset[str]:
    """Optional: nothing is shared unless the program says so, and says with whom."""
    shares = read.optional("share_hops", a_flag, "true or false", False)
    nobody: tuple[str, ...] = ()
    readers = read.optional("share_hops_with", some_ids, "a list of registries' ids, each once", nobody)
    if shares != bool(readers) and not read.faults:
        read.fault("share_hops_with", "does not go with share_hops", "share_hops = true, and at least one registry")
    return frozenset(readers)


def _registrant_languages(read: Reader) -> tuple[str, ...]:
    """Optional: in which languages beside English a notice speaks to the registrant."""
    nothing: tuple[str, ...] = ()
    expected = f"a list of {', '.join(REGISTRANT_LANGUAGES)}, each once"
    return read.optional("registrant_languages", _some_languages, expected, nothing)


def _some_languages(value: Any) -> tuple[str, ...] | None:
    listed = value if isinstance(value, list) else []
    fits = listed and all(one in REGISTRANT_LANGUAGES for one in listed) and len(set(listed)) == len(listed)
    return tuple(listed) if fits else None


def _ladder(read: Reader, measures: Collection[Measure]) -> tuple[LadderStep, ...]:
    steps: list[LadderStep] = []
    for row in read.tables("ladder"):
        recipient = row.value("recipient", an_enum(Recipient), f"one of {', '.join(Recipient)}")
        measure = row.value("measure", an_enum(Measure), f"one of {', '.join(Measure)}")
        window = row.value("window", parse_wait, f"{A_DURATION}, or {{working_days, calendar}}")
        row.nothing_else()
        if measure and measures and measure not in measures:
            row.fault("measure", f"is {measure}", "one of `measures`")
        if recipient and any(recipient is step.recipient for step in steps):
            row.fault("recipient", f"{recipient} stands twice", "each recipient once")
        if recipient and measure and window:
            steps.append(LadderStep(recipient, measure, window))
    return tuple(steps)


def _rules(read: Reader) -> tuple[Rule, ...]:
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
        hard = row.optional("hard", a_flag, "true or false", False)
        steps = row.optional("steps", some_recipients, f"a list of {', '.join(Recipient)}", frozenset(Recipient))
        hints = typing.get_type_hints(kind)
        numbers = {
            field.name: row.value(field.name, *reading_of(hints[field.name], field.metadata))
            for field in fields(kind)
            if field.name not in _RULE_FIELDS
        }
        row.nothing_else()
        if rule_id and None not in numbers.values():
            rules.append(kind(id=rule_id, hard=hard, steps=steps, **numbers))
            _alternatives(row, rules[-1], read.data)
    return tuple(rules)


def _alternatives(row: Reader, rule: Rule, program: Mapping[str, Any]) -> None:
    """`any_of` names at least two other rules of the file, none of them an `any_of` or one that rejects by itself."""
    if not isinstance(rule, AnyOf):
        return
    tables = [table for table in program["rules"] if isinstance(table, Mapping)]
    known = {table.get("id"): table for table in tables if isinstance(table.get("id"), str)}
    for part in rule.of:
        if part not in known or part == rule.id or known[part].get("type") == AnyOf.type or known[part].get("hard"):
            row.fault("of", f"names {part}", "ids of other rules of this file that are neither any_of nor hard")
    if len(rule.of) < 2:
        row.fault("of", f"has {len(rule.of)} rule", "at least two rules to choose from")


_RULE_FIELDS = frozenset(field.name for field in fields(Rule))
