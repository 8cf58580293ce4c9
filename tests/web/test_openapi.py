"""The OpenAPI document and the server behind it agree: schemathesis asks, in every phase, as each role."""

import asyncio
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from notifier.web.api import FAMILIES
from tests.web.callers import Callers

ROUTES = [route for family in FAMILIES.values() for route in family]
EXAMPLES = 12


def config(token: str) -> SchemathesisConfig:
    """Everything is on but one question: texts have rules that JSON Schema cannot say, such as `strip and be left`."""
    return SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {token}"},
            "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
            "phases": {"coverage": {"generate-duplicate-query-parameters": True}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]},
                # Too large, unsigned, or under a key that is used: each is told before the body is read for its shape.
                "negative_data_rejection": {
                    "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "415", "422"]
                },
            },
        }
    )


def fuzz(url: str, token: str) -> tuple[int, list[str]]:
    """Run every phase against a server; the number of cases and each failure in words."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config(token))
    schema.config.base_url = url
    cases, failures = 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(str(getattr(event, "info", None) or event.exception))
        if isinstance(event, events.ScenarioFinished):
            cases += len(event.recorder.cases)
            if event.status is Status.FAILURE:
                failures += [str(f) for f in told(event)]
    return cases, failures


def told(event: Any) -> list[str]:
    found = []
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.status is Status.FAILURE:
                info = check.failure_info
                found.append(f"{check.name}: {info.failure}\n{info.code_sample[:2000]}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("role", ["submitter", "reviewer", "registry", "admin"])
async def test_the_server_keeps_its_document(callers: Callers, role: str) -> None:
    cases, failures = await asyncio.to_thread(fuzz, callers.stage.r.url, callers.tokens[role])
    assert not failures, "\n".join(failures)
    assert cases > 12 * len(ROUTES)
