"""Behaviours as data: draws follow weights and names, and configurations with faults are refused."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.sandbox.config import Party, SandboxConfig, loopback
from notifier.sandbox.script import BEHAVIOURS, act_of, behaviour, draw, mistyped, wait_of
from notifier.sandbox.world import Act

PARTY = Party("p", "r", "smtp", address="p@registry.example")


def test_every_behaviour_of_the_brief_is_there() -> None:
    assert set(BEHAVIOURS) == {
        "obey",
        "registrar_acts",
        "host_acts",
        "decline:declined_nexus",
        "decline:declined_insufficient",
        "decline:declined_court_order_required",
        "wrong_verb",
        "lie",
        "leaky_hold",
        "glue_hold",
        "rdap_lies",
        "rdap_lags",
        "keeps_hold",
        "keeps_hold_silently",
        "transfer_under_hold",
        "escapes_by_transfer",
        "freed_by_transfer",
        "frees_quietly",
        "deletes_for_good",
        "deaf_once",
        "wrong_name",
        "silent",
        "bounce",
        "dsn_bounce",
        "delay_then_obey",
        "throttle_then_obey",
        "auto_reply_then_obey",
    }


def test_a_draw_is_the_hash_of_seed_and_name_on_the_weights() -> None:
    share = int(hashlib.sha256(b"demorx-pills.com").hexdigest()[:16], 16) / 2**64
    assert draw("demo", "rx-pills.com", {"obey": share * 1.001, "lie": 1 - share * 1.001}) == "obey"
    assert draw("demo", "rx-pills.com", {"obey": share * 0.999, "lie": 1 - share * 0.999}) == "lie"


def test_draws_follow_the_weights() -> None:
    mix = {"registrar_acts": 45, "obey": 25, "host_acts": 8, "silent": 22, "lie": 0}
    drawn = Counter(draw("s", f"n{number}.com", mix) for number in range(4000))
    assert drawn["lie"] == 0
    for name, weight in mix.items():
        # Four standard deviations of a binomial share at n = 4000.
        spread = 4 * (weight / 100 * (1 - weight / 100) / 4000) ** 0.5
        assert abs(drawn[name] / 4000 - weight / 100) <= spread


@given(st.text(max_size=10), st.from_regex(r"[a-z]{1,9}\.com", fullmatch=True))
def test_a_draw_never_falls_off_the_weights(seed: str, name: str) -> None:
    assert draw(seed, name, {"lie": 0.0, "obey": 0.1, "silent": 0.2, "bounce": 0.0}) in ("obey", "silent")


@pytest.mark.parametrize(
    ("name", "role", "measure", "act"),
    [
        ("obey", "registry", "lock", Act.LOCK),
        ("obey", "registry", "hold", Act.HOLD),
        ("obey", "registry", "delete", Act.DELETE),
        ("obey", "registry", "content_removal", None),
        ("obey", "registrar", "hold", Act.CLIENT_HOLD),
        ("obey", "registrar", "lock", Act.CLIENT_LOCK),
        ("obey", "host", "content_removal", Act.REMOVE_CONTENT),
        ("obey", "host", "hold", None),
        ("obey", "registry", "restore", Act.LIFT),
        ("obey", "host", "restore", Act.PUT_BACK),
        ("registrar_acts", "registry", "hold", Act.CLIENT_HOLD),
        ("registrar_acts", "registry", "restore", Act.LIFT),
        ("host_acts", "registry", "hold", Act.REMOVE_CONTENT),
        ("wrong_verb", "registry", "lock", Act.HOLD),
        ("wrong_verb", "registry", "hold", Act.LOCK),
        ("lie", "registry", "hold", None),
        ("lie", "registry", "restore", None),
        ("decline:declined_nexus", "registry", "hold", None),
    ],
)
def test_which_act_follows(name: str, role: str, measure: str, act: Act | None) -> None:
    assert act_of(behaviour(name), role, Measure(measure)) is act


def test_later_acts_are_spread_over_whole_days_by_name() -> None:
    [later] = behaviour("frees_quietly").then
    waits = Counter(wait_of(later, "s", f"n{number}.com").days for number in range(1300))
    assert set(waits) == set(range(9, 22))
    assert wait_of(later, "s", "a.com") == wait_of(later, "s", "a.com")


def test_a_clerk_types_the_last_letter_twice() -> None:
    assert mistyped("rx-pills.com") == "rx-pillss.com"
    assert mistyped("books.co.uk") == "bookss.co.uk"


@pytest.mark.parametrize(
    "settings",
    [
        {"mix": {"obeys": 1}},
        {"mix": {}},
        {"mix": {"obey": 0}},
        {"mix": {"obey": 2, "lie": -1}},
        {"behaviours": {"a.com": "decline"}},
        {"parties": (PARTY, PARTY)},
        {"parties": (replace(PARTY, behaviour="sleep"),)},
        {"parties": (replace(PARTY, address=""),)},
        {"parties": (replace(PARTY, channel="webhook"),)},
        {"parties": (PARTY, replace(PARTY, id="q"))},
    ],
)
def test_a_configuration_with_a_fault_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        SandboxConfig(**({"parties": (PARTY,)} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_hosts_are_taken(host: str) -> None:
    assert loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "notifier.example", "", "0.0.0.0", "::", "10.0.0.1"])
def test_any_other_host_is_refused(host: str) -> None:
    with pytest.raises(Invalid) as refused:
        loopback(host)
    assert refused.value.code == "not_loopback"
