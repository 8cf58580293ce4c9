"""The tables of the yearly report, by hand, over the ten cases of test_history."""

from dataclasses import replace

from notifier.domain.history import Asked, units
from notifier.domain.yearly import providers, requests, total
from tests.domain.test_history import at, change, claim, seen, sent, story, ten


def test_providers_types_and_actions() -> None:
    (line,) = providers(units(ten()), "illegal sale of opioids")
    assert (line.party, line.category, line.notices) == ("registry", "illegal sale of opioids", 9)
    assert dict(line.actions) == {
        "declined": 1, "hold, claimed and contradicted": 1, "hold, claimed and pending": 1, "hold, seen": 3, "no answer": 3,
    }  # fmt: skip
    assert (line.acted.n, line.acted.of) == (3, 9)
    assert sum(line.actions.values()) == line.notices == total([line])


def test_each_provider_of_a_unit_counts_once() -> None:
    (unit,) = units([story("1", "a.com", *sent(2), claim(6), seen(7, "verified"))])
    both = replace(unit, asked=(*unit.asked, Asked("registrar", "registrar-1", "declined")))
    assert [(line.party, line.provider, dict(line.actions)) for line in providers([both], "x")] == [
        ("registrar", "registrar-1", {"declined": 1}),
        ("registry", "none", {"hold, seen": 1}),
    ]


def test_requests_suspensions_and_reasons() -> None:
    found = requests(units(ten()))
    assert (found.requested, found.suspended.n, found.suspended.of, found.not_suspended) == (9, 3, 9, 6)
    assert found.reasons == {"claimed_not_done": 1, "declined_nexus": 1, "open": 3, "withdrawn_error": 1}
    assert sum(found.reasons.values()) == found.not_suspended
    assert (found.reversed_cured, found.reversed_error) == (0, 0)


def test_what_was_undone_is_told_by_why() -> None:
    def undone(ground: str) -> list[object]:
        undo = {"purpose": "withdrawal", "measure": "restore", "claim_id": "u", "notice_id": "m", "party": "registry"}
        return [
            change("case.withdrawn", 50, before="resolved", after="withdrawn", word=ground),
            change("answer.received", 60, word="action_claimed", **undo),
            change("outcome.observed", 61, word="verified", **undo),
        ]

    begun = [*sent(2), claim(6), seen(7, "verified", "registry_hold", "registry")]
    cured = story("1", "a.com", *begun, *undone("cured"))  # type: ignore[arg-type]
    wrong = story("2", "b.com", *begun, *undone("error"))  # type: ignore[arg-type]
    assert (cured.restored, cured.our_error, wrong.our_error) == (at(61), False, True)
    found = requests(units([cured, wrong]))
    assert (found.suspended.n, found.reversed_cured, found.reversed_error) == (2, 1, 1)
