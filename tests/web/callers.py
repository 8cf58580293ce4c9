"""The API as its callers see it: one session, a token for each role, and answers with their problem documents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from notifier.services import access
from notifier.services.access import Role
from tests.services.stages import Stage, row

BASE = "/api/v1"
PROBLEM = "application/problem+json"
NOBODY = "nobody"

# One person for each role; two reviewers and two admins, since four eyes compare people.
PEOPLE: Mapping[str, tuple[str, Role, dict[str, Any]]] = {
    "submitter": ("Sam Submitter", Role.SUBMITTER, {}),
    "stranger": ("Tim Submitter", Role.SUBMITTER, {"organisation": "elsewhere"}),
    "reviewer": ("Rita Reviewer", Role.REVIEWER, {}),
    "second_reviewer": ("Rolf Reviewer", Role.REVIEWER, {}),
    "registry": ("verisign analyst", Role.REGISTRY, {"registry": "verisign"}),
    "other_registry": ("pir analyst", Role.REGISTRY, {"registry": "pir"}),
    "evaluator": ("Eva Evaluator", Role.EVALUATOR, {}),
    "auditor": ("Otto Auditor", Role.AUDITOR, {}),
    "admin": ("Ada Admin", Role.ADMIN, {}),
    "second_admin": ("Boris Admin", Role.ADMIN, {}),
}


@dataclass(frozen=True)
class Answer:
    """What came back. `body` is decoded JSON, or the text when it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str | None:
        """The problem's stable code; None when it is no problem document."""
        return self.body["code"] if self.headers["Content-Type"].startswith(PROBLEM) else None


@dataclass(repr=False)
class Callers:
    """Everybody who calls one running house."""

    stage: Stage
    session: aiohttp.ClientSession
    tokens: Mapping[str, str]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str = "submitter",
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. `path` below the base unless it names a page outside; `by` names a caller or nobody."""
        sent = dict(headers or {})
        if by != NOBODY:
            sent.setdefault("Authorization", f"Bearer {self.tokens[by]}")
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(method, path, data=data, headers=sent) as answer:
            text = await answer.text()
            try:
                read = json.loads(text)
            except ValueError:
                read = text
            return Answer(answer.status, answer.headers, read)

    async def get(self, path: str, *, by: str = "submitter", **options: Any) -> Answer:
        return await self.call("GET", BASE + path, by=by, **options)

    async def post(self, path: str, body: Any = None, *, by: str = "submitter", **options: Any) -> Answer:
        return await self.call("POST", BASE + path, body, by=by, **options)

    async def case_in_review(self, domain: str, **changes: Any) -> str:
        """Report `domain` with everything its program asks for, let the first look happen; the case's id."""
        said = await self.post("/reports", row(domain, **changes))
        assert (said.status, said.body["state"]) == (201, "in_review"), said
        await self.stage.r.quiet()
        return str(said.body["case_id"])

    async def approve(self, case_id: str, by: str = "reviewer") -> Answer:
        """Read the preview and approve what it shows."""
        shown = await self.get(f"/cases/{case_id}/preview", by=by)
        return await self.post(f"/cases/{case_id}/approve", {"digest": shown.body["digest"]}, by=by)


async def tokens(stage: Stage) -> dict[str, str]:
    """A fresh token for everybody."""
    made = {}
    for caller, (name, role, reach) in PEOPLE.items():
        made[caller] = (await access.add_token(stage.ctx.db, name, role, by="test", **reach)).token
    return made
