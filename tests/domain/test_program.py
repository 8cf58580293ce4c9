"""Programs from TOML: the shipped ones, every fault at once, and durations."""

import copy
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.calendar import Wait
from notifier.domain.epp import Measure
from notifier.domain.program import Program, parse_duration, parse_program, parse_wait
from notifier.domain.rules import Pervasive, Recipient, SampleFloor
from notifier.domain.transparency import Transparency
from notifier.resources import folder

FILES = {path.stem: path for path in (folder("config") / "programs").glob("*.toml")}


def read(program_id: str) -> dict[str, Any]:
    return tomllib.loads(FILES[program_id].read_text())


def parsed(data: dict[str, Any]) -> Program:
    program, faults = parse_program(data, "d" * 64)
    assert program is not None, faults
    return program


@pytest.mark.parametrize("program_id", ["opioids", "pharmacy", "piracy"])
def test_the_shipped_programs_are_sound(program_id: str) -> None:
    program = parsed(read(program_id))
    assert program.id == program_id
    assert [step.recipient for step in program.ladder] == [Recipient.HOST, Recipient.REGISTRAR, Recipient.REGISTRY]
    assert program.default_measure is Measure.HOLD
    assert program.windows.verify_gap == timedelta(minutes=4)
    assert program.windows.recheck_max_age == timedelta(minutes=60)
    assert program.windows.evidence_max_age == timedelta(hours=72)
    looks = program.windows.watch
    assert looks[:8] == tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 360, 1440, 2880, 4320))
    assert looks[-3:] == (timedelta(days=170), timedelta(days=177), timedelta(days=180))
    assert timedelta(days=30) in looks
    assert timedelta(days=31) not in looks


def test_the_thresholds_of_piracy_are_values_of_its_file() -> None:
    program = parsed(read("piracy"))
    floor, pervasive = program.rule(SampleFloor), program.rule(Pervasive)
    assert floor is not None
    assert pervasive is not None
    assert (floor.min_pages, floor.hard) == (5, True)
    assert (pervasive.min_pages, pervasive.lower_bound, pervasive.solely_dedicated) == (20, 0.5, 0.8)
    changed = read("piracy")
    next(rule for rule in changed["rules"] if rule["type"] == "sample_floor")["min_pages"] = 9
    again = parsed(changed).rule(SampleFloor)
    assert again is not None
    assert again.min_pages == 9


def test_the_ladder_goes_on_after_the_last_step_done() -> None:
    program = parsed(read("piracy"))

    def after(*done: Recipient) -> Recipient | None:
        step = program.next_step(done)
        return step.recipient if step else None

    assert after() is Recipient.HOST
    assert after(Recipient.HOST) is Recipient.REGISTRAR
    assert after(Recipient.REGISTRAR) is Recipient.REGISTRY
    assert after(Recipient.REGISTRY) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("4min", timedelta(minutes=4)),
        ("4 min", timedelta(minutes=4)),
        ("72h", timedelta(hours=72)),
        ("14d", timedelta(days=14)),
        ("0s", timedelta()),
        ("4m", None),  # minutes or months?
        ("1w", None),
        ("-1d", None),
        ("1.5h", None),
        ("3651d", None),
        ("1d\n", None),
        ("", None),
        (60, None),
        (None, None),
    ],
)
def test_durations(text: object, expected: timedelta | None) -> None:
    assert parse_duration(text) == expected


@given(st.integers(0, 9999), st.sampled_from([("s", 1), ("min", 60), ("h", 3600)]))
def test_a_duration_is_its_number_of_units(number: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == timedelta(seconds=number * unit[1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("72h", Wait(length=timedelta(hours=72))),
        ({"working_days": 10, "calendar": "us-federal"}, Wait(working_days=10, calendar="us-federal")),
        ({"working_days": 0, "calendar": "us-federal"}, None),
        ({"working_days": True, "calendar": "us-federal"}, None),
        ({"working_days": 10}, None),
        ({"working_days": 10, "calendar": "us-federal", "zone": "x"}, None),
        (10, None),
    ],
)
def test_waits(value: object, expected: Wait | None) -> None:
    assert parse_wait(value) == expected


BREAKS: list[tuple[str, str, Any]] = [
    ("id", "id", "Opi Oids"),
    ("name", "name", "  "),
    ("effective_from", "effective_from", "2020-06-08"),
    ("measures", "measures", ["hold", "hold"]),
    ("measures", "measures", ["serverHold"]),
    ("default_measure", "default_measure", "redirect"),
    ("second_review", "second_review", "yes"),
    ("escalation", "escalation", "automatic"),
    ("templates", "templates", "../opioids"),
    ("colour", "colour", "red"),
    ("windows.verify_gap", "windows.verify_gap", 4),
    ("windows.verify_gaps", "windows.verify_gaps", "4min"),
    ("windows.watch", "windows.watch", ["5min", "1min"]),
    ("windows.watch", "windows.watch", ["1min", {"every": "0d", "until": "3d"}]),
    ("windows.watch", "windows.watch", ["9d", {"every": "1d", "until": "3d"}]),
    ("windows.watch", "windows.watch", [{"every": "1s", "until": "3d"}]),
    ("windows.watch", "windows.watch", []),
    ("ladder", "ladder", []),
    ("ladder.0.recipient", "ladder[0].recipient", "court"),
    ("ladder.1.recipient", "ladder[1].recipient", "host"),
    ("ladder.0.measure", "ladder[0].measure", "redirect"),
    ("ladder.0.window", "ladder[0].window", "3 days"),
    ("rules", "rules", "all"),
    ("rules.1.id", "rules[1].id", "target-safe"),
    ("rules.1.type", "rules[1].type", "looks_bad"),
    ("rules.2.min_chars", "rules[2].min_chars", 0),
    ("rules.2.min_chars", "rules[2].min_chars", True),
    ("rules.2.min_chars", "rules[2].min_chars", 1.5),
    ("rules.2.max_chars", "rules[2].max_chars", 9),
    ("rules.2.hard", "rules[2].hard", 1),
    ("rules.2.steps", "rules[2].steps", ["court"]),
    ("rules.3.statement", "rules[3].statement", "honesty"),
    ("rules.5.max_age", "rules[5].max_age", "long"),
    ("rules.13.classes", "rules[13].classes", ["opioid", "opioid"]),
    ("rules.14.substances", "rules[14].substances", ["Tramadol"]),
    ("rules.14.consumer_signs", "rules[14].consumer_signs", []),
    ("share_hops", "share_hops", 1),
    ("share_hops", "share_hops_with", True),  # with nobody
    ("share_hops_with", "share_hops_with", ["pir"]),  # nothing is shared
    ("share_hops_with", "share_hops_with", ["PIR"]),
    ("share_hops_with", "share_hops_with", ["pir", "pir"]),
    ("share_hops_with", "share_hops_with", []),
    ("transparency", "transparency", True),
    ("transparency.public", "transparency.public", "yes"),
    ("transparency.delay_days", "transparency.delay_days", 6),  # a week at least
    ("transparency.delay_days", "transparency.delay_days", "30d"),
    ("transparency.names", "transparency.names", "always"),
    ("transparency.suppress_below", "transparency.suppress_below", 1),  # keeps nothing back
    ("transparency.suppress_below", "transparency.suppress_below", 2),  # tells what it keeps back
    ("transparency.suppress_below", "transparency.suppress_below", True),
    ("transparency.registries", "transparency.registries", 1),
    ("transparency.reporters", "transparency.reporters", True),
]


def put(data: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        data = data[int(parent)] if isinstance(data, list) else data[parent]
    data[last] = value


@pytest.mark.parametrize(("path", "key", "value"), BREAKS)
def test_a_fault_names_its_key_and_what_is_expected(path: str, key: str, value: Any) -> None:
    data = copy.deepcopy(read("opioids"))
    put(data, path, value)
    program, faults = parse_program(data, "")
    assert program is None
    assert {fault[0] for fault in faults} == {key}
    assert all(what and expected for _, what, expected in faults)


def test_a_program_shares_its_hopping_list_only_where_it_says_with_whom() -> None:
    data = read("opioids")
    silent, _ = parse_program(data, "")
    assert silent is not None
    assert silent.hops_to == frozenset()
    said, faults = parse_program({**data, "share_hops": True, "share_hops_with": ["pir", "verisign"]}, "")
    assert (said and said.hops_to, faults) == ({"pir", "verisign"}, [])
    not_shared, faults = parse_program({**data, "share_hops": False}, "")
    assert (not_shared and not_shared.hops_to, faults) == (frozenset(), [])


def test_nothing_is_public_unless_the_program_says_so() -> None:
    data = read("opioids")
    del data["transparency"]
    assert parsed(data).transparency == Transparency(False, 90, "none", 0, registries=False)
    assert parsed({**data, "transparency": {"public": True}}).transparency.public
    program, faults = parse_program({**data, "transparency": {"delay_days": 30}}, "")
    assert (program, [key for key, _, _ in faults]) == (None, ["transparency.public"])
    _, faults = parse_program({**data, "transparency": {"public": False, "names": "after_end"}}, "")
    assert [key for key, _, _ in faults] == ["transparency.names"]


def test_what_may_be_shown_ends_with_a_day() -> None:
    told = Transparency(public=True, delay_days=30)
    # On 14 March what happened on 12 February may be less than 30 days ago; the 11th is over for 30.
    for at in (datetime(2026, 3, 14, tzinfo=UTC), datetime(2026, 3, 14, 23, 59, 59, tzinfo=UTC)):
        assert told.as_of(at) == datetime(2026, 2, 12, tzinfo=UTC)


def test_the_shipped_programs_say_what_is_public() -> None:
    told = {name: parsed(read(name)).transparency for name in FILES}
    assert {name for name, one in told.items() if one.public} == {"opioids", "pharmacy", "piracy"}
    assert {name for name, one in told.items() if one.names == "after_end"} == {"piracy"}


def test_every_fault_comes_at_once() -> None:
    data = copy.deepcopy(read("opioids"))
    broken = [("name", ""), ("windows.validity", "x"), ("ladder.2.window", "x"), ("rules.4.statement", "x"), ("z", 1)]
    for path, value in broken:
        put(data, path, value)
    _, faults = parse_program(data, "")
    keys = {"name", "windows.validity", "ladder[2].window", "rules[4].statement", "z"}
    assert {fault[0] for fault in faults} == keys


KEYS = sorted(read("opioids"))
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(KEYS), JUNK)
def test_junk_is_a_fault_and_never_an_exception(key: str, junk: Any) -> None:
    program, faults = parse_program({**read("opioids"), key: junk}, "")
    assert (program is None) is bool(faults)


def test_an_empty_file_names_every_missing_key() -> None:
    program, faults = parse_program({}, "")
    assert program is None
    assert set(KEYS) - {"transparency"} <= {fault[0] for fault in faults}
