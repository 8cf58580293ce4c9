"""A program in plain words: every rule is there with its numbers, and the words follow the data."""

import tomllib
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from notifier.domain.explaining import explain, words
from notifier.domain.program import Program, parse_program
from notifier.domain.rules import RULES, Rule
from notifier.resources import folder
from tests.domain.drafts import PROGRAMS

_COMMON = {field.name for field in fields(Rule)}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.id)
def test_every_rule_and_its_numbers_are_told(program: Program) -> None:
    shown = explain(program)
    assert [rule.id for rule in shown.rules] == [rule.id for rule in program.rules]
    for rule, told in zip(program.rules, shown.rules, strict=True):
        assert told.asks.endswith(".")
        assert told.asks in shown.text
        for field in fields(rule):
            value = getattr(rule, field.name)
            if field.name not in _COMMON and type(value) is int and field.name != "reviewers":
                assert str(value) in told.asks, (rule.id, field.name)
    assert len(shown.ladder) == len(program.ladder)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=lambda program: program.id)
def test_what_satisfies_a_rule_is_told(program: Program) -> None:
    for rule in explain(program).rules:
        ours = rule.type in {"target_safe", "not_already_down", "not_signalled", "verified_before"}
        assert bool(rule.evidence or rule.said) is not ours, rule


def test_every_rule_type_has_words() -> None:
    told = {rule.type for program in PROGRAMS.values() for rule in program.rules}
    assert set(RULES) - told == {"corroborated"}
    assert "3 different organisations" in words(RULES["corroborated"](id="x", organisations=3))


def piracy(**changes: Any) -> Program:
    data = tomllib.loads((folder("config") / "programs" / "piracy.toml").read_text())
    for rule in data["rules"]:
        rule.update(changes.get(rule["type"], {}))
    data["windows"].update(changes.get("windows", {}))
    program, faults = parse_program(data, "d" * 64)
    assert program is not None, faults
    return program


def test_the_words_follow_the_numbers() -> None:
    text = explain(piracy(sample_floor={"min_pages": 9}, pervasive={"lower_bound": 0.75, "draw": "verified"})).text
    for said in ("At least 9 different infringing pages", "at least 75 %", "from which the draw is repeated"):
        assert said in text
    assert "a reason to reject" in text
    assert "90 seconds" in explain(piracy(windows={"cancel_window": "90s"})).text
    assert piracy(windows={"cancel_window": "90s"}).windows.cancel_window == timedelta(seconds=90)


def test_steps_and_alternatives_are_told() -> None:
    live = {rule.id: rule for rule in explain(PROGRAMS["live-event"]).rules}
    assert live["justification"].guards == ("registry",)
    assert live["dedicated"].guards == ()
    assert live["dedicated"].part_of == ("known-target",)
    assert set(live["known-target"].evidence) == {"court_order", "case_law", "sample"}
    assert live["good-faith"].said == ("statements.good_faith",)
    text = explain(PROGRAMS["live-event"]).text
    assert "Only before: registrar, registry." in text
    assert "3. The registry is asked for hold and has 30 minutes." in text
    assert "10 working days (us-federal)" in explain(PROGRAMS["opioids"]).text
