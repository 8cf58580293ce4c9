"""What the transparency database would refuse, field by field, after its own documentation."""

from typing import Any

import pytest

from notifier.domain.dsa_schema import batches, faults

# The smallest statement that the API documentation allows for illegal content.
LEAST: dict[str, Any] = {
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
    "illegal_content_legal_ground": "a law",
    "illegal_content_explanation": "why",
    "decision_provision": "DECISION_PROVISION_TOTAL_SUSPENSION",
    "content_type": ["CONTENT_TYPE_VIDEO"],
    "category": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    "content_date": "2023-08-08",
    "application_date": "2023-08-08",
    "decision_facts": "facts about the decision",
    "source_type": "SOURCE_TRUSTED_FLAGGER",
    "automated_detection": "No",
    "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
    "puid": "TK421",
}


def test_the_least_and_the_most_fit() -> None:
    assert faults(LEAST) == []
    most = {"decision_facts": "x" * 5_000, "illegal_content_explanation": "x" * 2_000, "puid": "a-Z_0" * 100}
    assert faults({**LEAST, **most, "illegal_content_legal_ground": "x" * 500}) == []


@pytest.mark.parametrize("name", [name for name in LEAST if name != "decision_provision"])
def test_nothing_required_may_be_missing(name: str) -> None:
    assert any(fault.startswith(f"{name}: is missing") for fault in faults({**LEAST, name: ""}))
    without = {key: value for key, value in LEAST.items() if key != name}
    assert any(fault.startswith(name) for fault in faults(without))


@pytest.mark.parametrize(
    "changes",
    [
        {"decision_provision": None},
        {"decision_provision": "DECISION_PROVISION_NONE"},
        {"content_type": "CONTENT_TYPE_VIDEO"},
        {"content_type": []},
        {"content_type": ["CONTENT_TYPE_OTHER"]},
        {"content_type_other": "a domain name"},
        {"category": "STATEMENT_CATEGORY_NONE"},
        {"category_specification": ["KEYWORD_OTHER"]},
        {"category_specification": ["KEYWORD_NONE"]},
        {"content_date": "1999-12-31"},
        {"content_date": "2023-02-30"},
        {"content_date": "08/08/2023"},
        {"application_date": "2019-12-31"},
        {"application_date": "2023-08-08T00:00:00Z"},
        {"decision_facts": "x" * 5_001},
        {"illegal_content_legal_ground": "x" * 501},
        {"illegal_content_explanation": "x" * 2_001},
        {"incompatible_content_ground": "the terms"},
        {"decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT"},
        {"automated_detection": False},
        {"automated_decision": "No"},
        {"source_type": "SOURCE_ARTICLE_22"},
        {"puid": "TN 1"},
        {"puid": "x" * 501},
        {"redress": "whom to ask"},
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any]) -> None:
    assert faults({**LEAST, **changes}) != []


def test_a_hundred_in_a_batch() -> None:
    many = [{**LEAST, "puid": f"n{n}"} for n in range(201)]
    assert [len(batch) for batch in batches(many)] == [100, 100, 1]
    assert batches([]) == []
    with pytest.raises(ValueError, match="puid"):
        batches([LEAST, LEAST])
