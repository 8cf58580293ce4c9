"""What holds for every rule of every program, whatever is given: both sides are tested, order and repetition do not
matter, and nothing but its own evidence ever lifts a rule to a pass."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.policy import CHECKS, Verdict
from notifier.domain.rules import RULES, Recipient
from tests.domain.drafts import (
    EVIDENCE,
    FAIL,
    NOW,
    PASS,
    PROGRAMS,
    TARGET,
    UNKNOWN,
    Draft,
    Json,
    ago,
    good,
    judge,
    judgment,
    lawful_use,
    order,
)
from tests.domain.test_policy import ROWS
from tests.domain.test_policy_events import EVENT_ROWS

EVERY_ROW = ROWS + EVENT_ROWS
TYPES = {(program.id, rule.id): rule for program in PROGRAMS.values() for rule in program.rules}


def results(verdict: Verdict) -> dict[str, Any]:
    return {found.rule: found.result for found in verdict.findings}


def test_every_rule_type_has_a_check() -> None:
    assert set(CHECKS) == set(RULES.values())


def test_each_rule_type_has_a_row_that_fails_and_one_that_is_unknown() -> None:
    seen = {(TYPES[program, rule].type, expected) for program, rule, _, _, expected in EVERY_ROW}
    # The floor fails in scenario 5, and corroboration has a table of its own; a conflict is weighed and never fails.
    elsewhere = {("sample_floor", FAIL), ("conflicts_weighed", FAIL)}
    elsewhere |= {("corroborated", FAIL), ("corroborated", UNKNOWN)}
    wanted = {(kind, expected) for kind in RULES for expected in (FAIL, UNKNOWN)}
    assert wanted - seen == elsewhere


def test_each_rule_of_the_two_new_programs_is_shared_or_has_rows_of_its_own() -> None:
    for program in ("live-event", "authority-order"):
        kinds = {rule.type for rule in PROGRAMS[program].rules}
        assert kinds <= {TYPES[p, r].type for p, r, _, _, _ in EVERY_ROW} | {"sample_floor"}


UNRELATED: list[Json] = [
    {
        "kind": "screenshot",
        "url": f"https://{TARGET}/",
        "captured_at": ago(hours=1),
        "sha256": "b" * 64,
        "media_type": "image/png",
    },
    {
        "kind": "dns_snapshot",
        "domain": TARGET,
        "server": "a.example",
        "queried_at": ago(hours=1),
        "rrtype": "NS",
        "rcode": "NOERROR",
    },
    {"kind": "rdap_snapshot", "domain": TARGET, "server": "https://rdap.example/", "queried_at": ago(hours=1)},
    {"kind": "letter_cited", "reference": "another letter"},
]
EVERY_ITEM = [item for items in EVIDENCE.values() for item in items] + UNRELATED
EVERY_ITEM += [judgment(), judgment("lawful"), lawful_use(), order(standing="lifted"), order(domains=["other.example"])]


@given(
    row=st.sampled_from(EVERY_ROW),
    extra=st.lists(st.sampled_from(UNRELATED), min_size=1, max_size=4),
    order_=st.randoms(use_true_random=False),
)
def test_evidence_of_an_unrelated_kind_changes_no_finding(row: Any, extra: list[Json], order_: Any) -> None:
    program, _, _, change, _ = row
    draft = good(program)
    change(draft)
    before = results(judge(program, draft))
    draft.evidence = [*draft.evidence, *extra]
    order_.shuffle(draft.evidence)
    assert results(judge(program, draft)) == before


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    start=st.lists(st.sampled_from(EVERY_ITEM), max_size=6),
    extra=st.sampled_from(EVERY_ITEM),
)
def test_only_evidence_of_its_own_kind_lifts_a_rule_to_a_pass(program: str, start: list[Json], extra: Json) -> None:
    before = judge(program, Draft(list(start), category=PROGRAMS[program].category))
    after = judge(program, Draft([*start, extra], category=PROGRAMS[program].category))
    for rule, old, new in zip(PROGRAMS[program].rules, before.findings, after.findings, strict=True):
        if old.result is not PASS and new.result is PASS:
            parts = [part for part in PROGRAMS[program].rules if part.id in getattr(rule, "of", ())]
            assert extra["kind"] in {kind for each in (rule, *parts) for kind in each.evidence}


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    evidence=st.lists(st.sampled_from(EVERY_ITEM), max_size=8),
    step=st.sampled_from(list(Recipient)),
)
def test_evidence_that_the_daemon_supplied_lifts_no_rule_but_prior_contact(
    program: str, evidence: list[Json], step: Recipient
) -> None:
    category = PROGRAMS[program].category
    without = judge(program, Draft([], step=step, category=category))
    ours = judge(program, Draft([{**item, "by": "daemon"} for item in evidence], step=step, category=category))
    for rule, old, new in zip(PROGRAMS[program].rules, without.findings, ours.findings, strict=True):
        if old.result is not PASS and new.result is PASS:
            assert rule.type == "prior_contact"


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    evidence=st.lists(st.sampled_from(EVERY_ITEM), max_size=8),
    order_=st.randoms(use_true_random=False),
)
def test_order_and_repetition_do_not_matter(program: str, evidence: list[Json], order_: Any) -> None:
    draft = Draft(list(evidence), category=PROGRAMS[program].category)
    first = judge(program, draft)
    assert judge(program, draft) == first
    shuffled = list(evidence)
    order_.shuffle(shuffled)
    again = judge(program, Draft(shuffled, category=PROGRAMS[program].category))
    assert results(again) == results(first)
    assert (again.sufficient, again.blocking, again.rejects) == (first.sufficient, first.blocking, first.rejects)
    assert again.second_reasons == first.second_reasons


@given(
    program=st.sampled_from(sorted(PROGRAMS)),
    evidence=st.lists(st.sampled_from(EVERY_ITEM), max_size=8),
    step=st.sampled_from(list(Recipient)),
)
def test_sufficient_means_that_no_guarding_rule_failed_or_is_unknown(
    program: str, evidence: list[Json], step: Recipient
) -> None:
    draft = Draft(list(evidence), step=step, category=PROGRAMS[program].category)
    verdict = judge(program, draft)
    spare = PROGRAMS[program].alternatives
    guarding = {rule.id for rule in PROGRAMS[program].rules if step in rule.steps} - spare
    assert len(verdict.findings) == len(PROGRAMS[program].rules)
    assert verdict.sufficient is (guarding <= set(verdict.ids(PASS)))
    assert set(verdict.blocking) == guarding - set(verdict.ids(PASS))


@given(program=st.sampled_from(sorted(PROGRAMS)), evidence=st.lists(st.sampled_from(EVERY_ITEM), max_size=6))
def test_a_younger_registration_never_lifts_a_rule(program: str, evidence: list[Json]) -> None:
    """What is older than the registration counts for nothing: to learn of one can only take away."""
    draft = Draft(list(evidence), category=PROGRAMS[program].category)
    before = judge(program, draft)
    draft.registered_at = NOW
    after = judge(program, draft)
    for old, new in zip(before.findings, after.findings, strict=True):
        if old.result is not PASS:
            assert new.result is not PASS
