"""The schema of the DSA transparency database (version 2), as far as our statements use it, and what breaks it.

After its API documentation and `StatementStoreRequest` (domain.md 1.14). Of its keywords only ours are known here.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

BATCH: Final = 100  # statements in one call
_PUID = re.compile(r"[a-zA-Z0-9_-]{1,500}\Z")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)


def _of(prefix: str, *names: str) -> frozenset[str]:
    return frozenset(f"{prefix}_{name}" for name in names)


_CATEGORIES = _of(
    "STATEMENT_CATEGORY",
    *("ANIMAL_WELFARE", "CONSUMER_INFORMATION", "CYBER_VIOLENCE", "CYBER_VIOLENCE_AGAINST_WOMEN"),
    *("DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", "ILLEGAL_OR_HARMFUL_SPEECH", "INTELLECTUAL_PROPERTY_INFRINGEMENTS"),
    *("NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS", "NOT_SPECIFIED_NOTICE", "OTHER_VIOLATION_TC"),
    *("PROTECTION_OF_MINORS", "RISK_FOR_PUBLIC_SECURITY", "SCAMS_AND_FRAUD", "SELF_HARM"),
    *("UNSAFE_AND_PROHIBITED_PRODUCTS", "VIOLENCE"),
)
_ONE: Mapping[str, frozenset[str]] = {
    "decision_ground": _of("DECISION_GROUND", "ILLEGAL_CONTENT", "INCOMPATIBLE_CONTENT"),
    "decision_monetary": _of("DECISION_MONETARY", "SUSPENSION", "TERMINATION", "OTHER"),
    "decision_provision": _of(
        "DECISION_PROVISION", "PARTIAL_SUSPENSION", "TOTAL_SUSPENSION", "PARTIAL_TERMINATION", "TOTAL_TERMINATION"
    ),
    "decision_account": _of("DECISION_ACCOUNT", "SUSPENDED", "TERMINATED"),
    "category": _CATEGORIES,
    "source_type": frozenset(
        {"SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_TYPE_OTHER_NOTIFICATION", "SOURCE_VOLUNTARY"}
    ),
    "automated_detection": frozenset({"Yes", "No"}),
    "automated_decision": _of("AUTOMATED_DECISION", "FULLY", "PARTIALLY", "NOT_AUTOMATED"),
}
_MANY: Mapping[str, frozenset[str]] = {
    "decision_visibility": _of(
        "DECISION_VISIBILITY",
        *("CONTENT_REMOVED", "CONTENT_DISABLED", "CONTENT_DEMOTED", "CONTENT_AGE_RESTRICTED"),
        *("CONTENT_INTERACTION_RESTRICTED", "CONTENT_LABELLED", "OTHER"),
    ),
    "content_type": _of(
        "CONTENT_TYPE", "APP", "AUDIO", "IMAGE", "PRODUCT", "SYNTHETIC_MEDIA", "TEXT", "VIDEO", "OTHER"
    ),
    "category_specification": _of(
        "KEYWORD", "COPYRIGHT_INFRINGEMENT", "PROHIBITED_PRODUCTS", "UNSAFE_PRODUCTS", "OTHER"
    ),
}
_TEXTS: Mapping[str, int] = {
    "decision_facts": 5_000,
    "illegal_content_legal_ground": 500,
    "illegal_content_explanation": 2_000,
    "incompatible_content_ground": 500,
    "incompatible_content_explanation": 2_000,
    "content_type_other": 500,
    "category_specification_other": 500,
    "decision_visibility_other": 500,
    "puid": 500,
}
_DAYS: Mapping[str, date] = {"content_date": date(2000, 1, 1), "application_date": date(2020, 1, 1)}
_REQUIRED = (
    *("decision_ground", "content_type", "category", "content_date", "application_date", "decision_facts"),
    *("source_type", "automated_detection", "automated_decision", "puid"),
)
_DECISIONS = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")
# A field that a value of another one asks for, and that may not stand without it.
_WITH: Mapping[str, tuple[str, str]] = {
    "illegal_content_legal_ground": ("decision_ground", "DECISION_GROUND_ILLEGAL_CONTENT"),
    "illegal_content_explanation": ("decision_ground", "DECISION_GROUND_ILLEGAL_CONTENT"),
    "incompatible_content_ground": ("decision_ground", "DECISION_GROUND_INCOMPATIBLE_CONTENT"),
    "incompatible_content_explanation": ("decision_ground", "DECISION_GROUND_INCOMPATIBLE_CONTENT"),
    "content_type_other": ("content_type", "CONTENT_TYPE_OTHER"),
    "category_specification_other": ("category_specification", "KEYWORD_OTHER"),
    "decision_visibility_other": ("decision_visibility", "DECISION_VISIBILITY_OTHER"),
}
FIELDS: Final = frozenset({*_ONE, *_MANY, *_TEXTS, *_DAYS})


def faults(statement: Mapping[str, Any]) -> list[str]:
    """What the database would refuse of a statement, in the order of its fields; nothing when it fits."""
    found = [f"{name}: is missing" for name in _REQUIRED if not statement.get(name)]
    if not any(statement.get(name) for name in _DECISIONS):
        found.append(f"one of {', '.join(_DECISIONS)}: is missing")
    for name, (other, value) in _WITH.items():
        asked = value in _listed(statement.get(other))
        if asked and not statement.get(name):
            found.append(f"{name}: is missing, since {other} is {value}")
        if not asked and name in statement:
            found.append(f"{name}: may not stand without {other} {value}")
    return found + [fault for name, value in statement.items() if (fault := _fault(name, value)) is not None]


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _fault(name: str, value: Any) -> str | None:
    if name in _ONE:
        return (
            None if isinstance(value, str) and value in _ONE[name] else f"{name}: {value!r:.80} is none of its values"
        )
    if name in _MANY:
        fits = isinstance(value, list) and value and all(isinstance(v, str) and v in _MANY[name] for v in value)
        return None if fits else f"{name}: a list of its values"
    if name in _DAYS:
        return None if _is_day(value, _DAYS[name]) else f"{name}: a day from {_DAYS[name]} on, as 2026-03-09"
    if name in _TEXTS:
        if not isinstance(value, str) or not 0 < len(value) <= _TEXTS[name]:
            return f"{name}: a text of at most {_TEXTS[name]} characters"
        return "puid: letters, digits, - and _" if name == "puid" and not _PUID.match(value) else None
    return f"{name}: no field of the schema"


def _is_day(value: Any, first: date) -> bool:
    if not isinstance(value, str) or not _DAY.match(value):
        return False
    try:
        return date.fromisoformat(value) >= first
    except ValueError:
        return False


def batches(statements: Sequence[Mapping[str, Any]]) -> list[Sequence[Mapping[str, Any]]]:
    """At most a hundred in each. Raises ValueError for two with one `puid`."""
    if len({one["puid"] for one in statements}) != len(statements):
        raise ValueError("two statements have one puid")
    return [statements[start : start + BATCH] for start in range(0, len(statements), BATCH)]
