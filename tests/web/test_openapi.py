"""The OpenAPI document and the server behind it agree: schemathesis asks at every edge, as those who may."""

import asyncio
import json
import os
import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from notifier.domain import answer
from notifier.web.api import BASE, FAMILIES
from notifier.web.openapi import document
from tests.web.callers import NOBODY, PROBLEM, Callers

ROUTES = [route for family in FAMILIES.values() for route in family]
# `make fuzz`: every operation, and questions made at random too, so many for each. To make one takes longer than to answer a
# hundred, so each other run asks a third of the operations, drawn anew; and one in four those two that take as long as all others.
FUZZ = int(os.environ.get("NOTIFIER_TEST_FUZZ") or 0)
_LONG = [
    route for route in ROUTES if route.method == "POST" and route.path in ("/reports", "/cases/{case_id}/evidence")
]
ASKED = ROUTES if FUZZ else random.sample([route for route in ROUTES if route not in _LONG], len(ROUTES) // 3)
if not FUZZ and random.random() < 0.25:
    ASKED += _LONG
assert len(_LONG) == 2


def config(tokens: Mapping[str, str]) -> SchemathesisConfig:
    """Each operation as one of the roles that may call it: in turn the first and the last that its route declares.

    Texts have rules that JSON Schema cannot say, so 422 counts as a fair answer to what fits the schema.
    """
    bearers = {
        route.act.__name__: {"Authorization": f"Bearer {tokens[route.roles[-(n % 2)]]}"}
        for n, route in enumerate(ROUTES)
        if route.roles
    }
    asked = {route.act.__name__ for route in ASKED}
    return SchemathesisConfig.from_dict(
        {
            "headers": {"Authorization": f"Bearer {tokens['evaluator']}"},
            "operations": [
                {
                    "include-operation-id": name,
                    "enabled": name in asked,
                    **({"headers": bearers[name]} if name in bearers else {}),
                }
                for name in (route.act.__name__ for route in ROUTES)
            ],
            "generation": {"max-examples": FUZZ or 1, "deterministic": not FUZZ, "database": "none"},
            "phases": {
                "coverage": {"generate-duplicate-query-parameters": True},
                "fuzzing": {"enabled": bool(FUZZ)},
                "stateful": {"enabled": bool(FUZZ)},
            },
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429"]},
                # Too large, unsigned, or under a key that is used: each is told before the body is read for its shape.
                "negative_data_rejection": {
                    "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "415", "422"]
                },
            },
        }
    )


def fuzz(url: str, settings: SchemathesisConfig) -> tuple[int, list[str]]:
    """Run the phases against a server; the number of cases and each failure in words."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=settings)
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
@pytest.mark.timeout(7_200 if FUZZ else 1_500)  # some thousand questions
async def test_the_server_keeps_its_document(callers: Callers) -> None:
    cases, failures = await asyncio.to_thread(fuzz, callers.stage.r.url, config(callers.tokens))
    assert not failures, "\n".join(failures)
    assert cases > 20 * len(ASKED)
    taken = await callers.stage.ctx.db.fetchval("select count(*) from audit_entry where via = 'api'")
    assert taken  # the questions went deeper than refusals


async def test_the_document_is_openapi_3_1(callers: Callers) -> None:
    document = (await callers.call("GET", "/openapi.json", by=NOBODY)).body
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    refs = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
    assert refs
    for ref in refs:
        found = document
        for step in ref.split("/"):
            found = found[step]


def test_every_operation_declares_its_problems() -> None:
    """RFC 9457 documents by what can go wrong: a token, a role, an id, a body, the database."""
    made = document(FAMILIES, BASE)
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            declared = {code for code in operation["responses"] if code >= "400"}
            expected = {"422", "500", "503"}
            signed = {"401"} if operation["operationId"] == "receive_webhook" else set()
            expected |= {"401", "403"} if operation["security"] else signed
            expected |= {"404"} if "{" in path else set()
            expected |= {"413", "415"} if "requestBody" in operation else set()
            assert expected <= declared, (method, path)
            for code in declared:
                ref = operation["responses"][code]["$ref"].rpartition("/")[2]
                assert list(made["components"]["responses"][ref]["content"]) == [PROBLEM]


def test_the_words_for_declining_are_the_services_words() -> None:
    schema = document(FAMILIES, BASE)["components"]["schemas"]["AnswerIn"]["properties"]
    assert tuple(schema["reason"]["anyOf"][0]["enum"]) == answer.DECLINE_REASONS
    assert tuple(schema["actor"]["anyOf"][0]["enum"]) == answer.ACTORS
    assert tuple(schema["kind"]["enum"]) == answer.KINDS
