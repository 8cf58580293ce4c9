"""Sample people of the demonstration: how one reaches the API, and how one carries notices to web forms.

They work over HTTP alone, as people do: fetch the form, find each field by its label, send it, and note the ticket.
"""

import re
from html.parser import HTMLParser
from typing import Any

import aiohttp

from notifier.errors import Invalid, NotifierError
from notifier.net.safe_http import Egress, guarded_session

_PATIENCE_S = 20.0
_TICKET = re.compile(r"id='ticket'>([A-Z0-9-]{3,40})<")


class Api:
    """The API as one person sees it."""

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session, self._headers = session, {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        async with self._session.get(f"/api/v1{path}", headers=self._headers) as answer:
            return await _said(answer)

    async def take(self, path: str) -> bytes:
        """A file."""
        async with self._session.get(f"/api/v1{path}", headers=self._headers) as answer:
            if answer.status >= 400:
                await _said(answer)
            return await answer.read()

    async def post(self, path: str, body: Any) -> Any:
        async with self._session.post(f"/api/v1{path}", json=body, headers=self._headers) as answer:
            return await _said(answer)

    async def post_lines(self, path: str, body: bytes) -> Any:
        headers = {**self._headers, "Content-Type": "application/x-ndjson"}
        async with self._session.post(f"/api/v1{path}", data=body, headers=headers) as answer:
            return await _said(answer)


async def _said(answer: aiohttp.ClientResponse) -> Any:
    body = await answer.json(content_type=None)
    if answer.status >= 400:
        raise Invalid(f"{answer.url.path}: {body.get('detail', answer.reason)}", code=body.get("code", "invalid"))
    return body


class Clerk:
    """Takes every notice that waits to be carried to a form, files it, and says what came of it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def work(self) -> int:
        """Do what is there to do; the number of tasks ended."""
        page = await self._api.get("/tasks?limit=200")
        ids = [task["id"] for task in page["items"] if task["kind"] == "webform" and task["taken_by"] is None]
        return sum([await self._carry(task_id) for task_id in ids])

    async def _carry(self, task_id: str) -> bool:
        try:
            await self._api.post(f"/tasks/{task_id}/take", None)
        except Invalid as refused:
            if refused.code != "not_now":
                raise
            return False
        carrying = (await self._api.get(f"/tasks/{task_id}"))["carrying"]
        values = {field["label"]: field["value"] for field in carrying["fields"]}
        await self._api.post(f"/tasks/{task_id}/resolve", await file(carrying["place"], values))
        return True


async def file(form: str, values: dict[str, str]) -> dict[str, str]:
    """File values by label at a form of this machine; how the task ends. A form that is busy is tried once more."""
    async with guarded_session(Egress.LOOPBACK, total_timeout=_PATIENCE_S) as session:
        try:
            async with session.get(form, allow_redirects=False) as page:
                names = names_of(await page.text())
        except (aiohttp.ClientError, TimeoutError, NotifierError) as failure:
            return {"resolution": "not_filed", "note": f"the form cannot be fetched: {type(failure).__name__}"}
        if missing := sorted(values.keys() - names.keys()):
            return {"resolution": "not_filed", "note": f"the form has no field {', '.join(missing)}"}
        filled = {names[label]: value for label, value in values.items()}
        code = 429
        for _ in range(2):
            try:
                async with session.post(form, data=filled, allow_redirects=False) as answer:
                    code, said = answer.status, await answer.text()
            except (aiohttp.ClientError, TimeoutError) as lost:
                return {"resolution": "unsure", "note": f"the page did not come back: {type(lost).__name__}"}
            if code != 429:
                break
    if code >= 400:
        return {"resolution": "not_filed", "note": f"the form answers {code}"}
    if (ticket := _TICKET.search(said)) is None:
        return {"resolution": "unsure", "note": "the page names no ticket"}
    return {"resolution": "filed", "reference": ticket[1]}


def names_of(page: str) -> dict[str, str]:
    """The name of the field behind each label of a form."""
    reader = _Labels()
    reader.feed(page)
    return {" ".join(label.split()): reader.names[at] for at, label in reader.labels.items() if at in reader.names}


class _Labels(HTMLParser):
    """Labels by the id that they are for, and fields' names by id."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "label":
            self._open = given.get("for")
        elif tag in ("input", "textarea", "select") and given.get("id") and given.get("name"):
            self.names[str(given["id"])] = str(given["name"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.labels[self._open] = self.labels.get(self._open, "") + data
