"""A real browser before our pages: what it shows, what its reader can reach, and what it refused to do."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page

PHONE, DESK, WALL = (320, 640), (1280, 900), (2560, 1440)
# WCAG 2.2 AA and what it builds on. Of what is right on a page nothing is told, and no path to it is made: on a long page
# that takes seconds.
_ASKED = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
    "selectors": False,
}


@dataclass
class Screen:
    """One page of one browser. `faults`: refused by the policy, failed scripts, requests to elsewhere."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    scripts: bool = True

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.base}{path}", wait_until="load")

    async def heading(self) -> str:
        return re.sub(r"\s+", " ", await self.page.locator("h1").inner_text()).strip()

    async def words(self) -> str:
        return re.sub(r"\s+", " ", await self.page.locator("body").inner_text())

    async def press(self, name: str) -> None:
        """A button or link by its name, and the page that it leads to."""
        either = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
        await either.first.click()
        await self.page.wait_for_load_state("load")

    async def write(self, label: str, text: str) -> None:
        await self.page.get_by_label(label, exact=True).fill(text)

    async def sign_in(self, name: str, password: str) -> None:
        await self.open("/sign-in")
        await self.write("Name", name)
        await self.page.locator("#password").fill(password)
        await self.press("Sign in")

    async def violations(self) -> list[str]:
        """What axe finds against WCAG 2.2 AA, each with the elements concerned. It is a script itself."""
        if not self.scripts:
            return []
        found = await Axe().run(self.page, options=_ASKED)
        return [
            f"{self.page.url}: {each['id']}: {each['help']}: {[node['html'][:150] for node in each['nodes'][:3]]}"
            for each in found.response["violations"]
        ]

    async def is_too_wide(self) -> bool:
        """Whether the reader must scroll sideways to read (WCAG 2.2 1.4.10); tables scroll within themselves."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    async def shot(self, to: Path) -> None:
        """What the reader sees first."""
        await self.page.screenshot(path=to)


@asynccontextmanager
async def screen(
    browser: Browser,
    base: str,
    size: tuple[int, int] = DESK,
    *,
    dark: bool = False,
    scripts: bool = True,
    keep: Sequence[dict[str, object]] = (),
) -> AsyncIterator[Screen]:
    """A fresh browser for one reader; at its end nothing may have been refused. `keep`: cookies that it has."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        # axe's own scripts must run, so violations are told by the page's console and not by blocking axe.
        bypass_csp=False,
    )
    await context.add_cookies(list(keep))  # type: ignore[arg-type]
    opened = Screen(await context.new_page(), base, scripts=scripts)

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            opened.faults.append(f"{opened.page.url}: {message.text}")

    def asked(url: str) -> None:
        if not url.startswith((base, "data:", "blob:")):
            opened.faults.append(f"{opened.page.url}: asked {url}")

    opened.page.on("console", said)
    opened.page.on("pageerror", lambda error: opened.faults.append(f"{opened.page.url}: {error}"))
    opened.page.on("request", lambda request: asked(request.url))
    try:
        yield opened
        if opened.faults:
            raise AssertionError("\n".join(opened.faults))
    finally:
        await context.close()
