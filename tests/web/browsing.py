"""Pages as a browser without a script has them: cookies are kept, forms carry their origin, redirects are followed."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from notifier.services import people, sign_in
from notifier.services.access import Role
from notifier.services.people import Reach
from tests.services.stages import Stage

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Shown:
    """One page as it came."""

    status: int
    url: str
    headers: Mapping[str, str]
    text: str

    @property
    def words(self) -> str:
        """What a reader reads, without the tags."""
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", self.text)))

    @property
    def heading(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text, re.DOTALL)
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", found[1]))).strip() if found else ""


class Reader:
    """One person's browser."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = aiohttp.ClientSession(base_url=base, cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def close(self) -> None:
        await self._session.close()

    async def get(self, path: str, *, follow: bool = True) -> Shown:
        return await self._ask("GET", path, None, {}, follow)

    async def send(
        self, path: str, headers: Mapping[str, str] | None = None, follow: bool = True, **fields: Any
    ) -> Shown:
        """A form of our own page; other headers for one that is not."""
        given = {"Origin": self.base} if headers is None else dict(headers)
        return await self._ask("POST", path, fields, given, follow)

    async def _ask(
        self, method: str, path: str, fields: Mapping[str, Any] | None, headers: Mapping[str, str], follow: bool
    ) -> Shown:
        headers = {"Accept": "text/html", **headers}
        async with self._session.request(method, path, data=fields, headers=headers, allow_redirects=follow) as got:
            return Shown(got.status, str(got.url.relative()), got.headers, await got.text())


async def seated(stage: Stage, name: str, role: Role, **reach: Any) -> Reader:
    """Somebody new with this seat, signed in."""
    ctx = stage.ctx
    link = await people.add(ctx.db, name, Reach(role, **reach), by="test")
    await sign_in.accept(ctx, link, "", PASSWORD, "test", "test")
    reader = Reader(stage.r.url)
    shown = await reader.send("/sign-in", name=name, password=PASSWORD, code="", back="")
    assert shown.status == 200, shown.words
    return reader
