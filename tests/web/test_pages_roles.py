"""Every page behind a sign-in × every role: who has no business there finds nothing, and nobody acts from another site."""

import re
from collections.abc import AsyncIterator, Mapping

import pytest

from notifier.services.access import Role
from notifier.web.app import SIGNED
from notifier.web.pages.desk import Page
from tests.web.browsing import Reader, seated
from tests.web.callers import Callers

NOTHING = "00000000-0000-0000-0000-000000000000"


def address(page: Page) -> str:
    """The page's path with ids that nothing has, each as long as its pattern wants it."""
    return re.sub(r"{(\w+)(?::((?:[^{}]|{[^}]*})*))?}", lambda named: _nothing(named[2] or ""), page.path)


def _nothing(pattern: str) -> str:
    if "|" in pattern:  # one of some words
        return pattern.split("|")[0]
    if exact := re.search(r"{(\d+)}\Z", pattern):
        return "0" * int(exact[1]) if int(exact[1]) != len(NOTHING) else NOTHING
    return "1" if pattern and re.fullmatch(pattern, "1") else NOTHING


@pytest.fixture(scope="module")
async def readers(callers: Callers) -> AsyncIterator[Mapping[Role, Reader]]:
    made = {
        role: await seated(callers.stage, f"Table {role}", role, registry="verisign" if role is Role.REGISTRY else None)
        for role in Role
    }
    yield made
    for reader in made.values():
        await reader.close()


@pytest.mark.parametrize("page", SIGNED, ids=lambda page: f"{page.method} {page.path}")
async def test_whoever_has_no_business_there_finds_nothing(
    callers: Callers, readers: Mapping[Role, Reader], page: Page
) -> None:
    path, nobody = address(page), Reader(callers.stage.r.url)
    for role, reader in readers.items():
        if role not in page.roles:
            shown = await (reader.get(path) if page.method == "GET" else reader.send(path))
            assert (shown.status, "your role" in shown.words) == (404, True), role
        if page.method == "POST":
            assert (await reader.send(path, {"Origin": "https://elsewhere.example"})).status == 403, role
    shown = await (nobody.get(path, follow=False) if page.method == "GET" else nobody.send(path, follow=False))
    assert (shown.status, shown.headers["Location"].split("?")[0]) == (303, "/sign-in")
    await nobody.close()


def test_every_page_is_declared_once() -> None:
    declared = [(page.method, page.path) for page in SIGNED]
    assert len(declared) == len(set(declared))
    assert all(page.roles for page in SIGNED)
