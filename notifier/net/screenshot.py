"""A picture of a hostile page: a fresh Chromium for each, behind a proxy that is its only way out, killed when done.

Needs the extra `capture` (Playwright) and a Chromium of the system. As root Chromium refuses its own sandbox; run the
daemon as another user, or the page's code has only the process between itself and this machine.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from notifier.net.egress_proxy import EgressProxy
from notifier.net.safe_http import Egress
from notifier.net.visitors import DESKTOP

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Dialog, Page

_CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_VIEW: Final = {"width": 1280, "height": 900}
_SETTLE_S: Final = 1.0  # scripts that draw the page after it has loaded
_ARGUMENTS: Final = (
    # The browser resolves nothing by itself; every name goes to the proxy, also those of this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-gpu",
    "--no-first-run",
    "--no-pings",
)


@dataclass(frozen=True, slots=True)
class Shot:
    """`unavailable`: no browser is here; `failed`: this page gave no picture. Both say `why`. `url`: where the page ended."""

    state: Literal["made", "unavailable", "failed"]
    png: bytes | None
    why: str
    url: str | None


class Browser:
    """`site` sends every host to one (address, port), over plain HTTP: the sandbox's stand-in for the web.

    Times are in seconds: for the page to load, and for everything with start and end of the browser.
    """

    def __init__(
        self,
        egress: Egress,
        site: tuple[str, int] | None = None,
        *,
        executable: str | None = None,
        page_timeout: float = 20.0,
        total_timeout: float = 45.0,
        max_png_bytes: int = 8_000_000,
    ) -> None:
        self._egress, self._site, self._executable = egress, site, executable
        self._page_timeout, self._total_timeout, self._max_png = page_timeout, total_timeout, max_png_bytes

    async def shot(self, url: str) -> Shot:
        """The top of the page as a PNG. Raises nothing."""
        executable = self._executable or next(filter(None, map(shutil.which, _CHROMIUMS)), None)
        try:
            import playwright.async_api  # noqa: F401
        except ImportError:
            return Shot("unavailable", None, "install the extra capture: pip install 'trusted-notifier[capture]'", None)
        if executable is None or not os.access(executable, os.X_OK):
            return Shot("unavailable", None, "install Chromium, such as the package chromium", None)
        if urlsplit(url).scheme not in ("http", "https"):
            return Shot("failed", None, "no http or https address", None)
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="tn-page-")
        try:
            async with asyncio.timeout(self._total_timeout), EgressProxy(self._egress, self._site) as proxy:
                return await self._opened(self._target(url), executable, folder, proxy)
        except TimeoutError:
            return Shot("failed", None, f"not finished in {self._total_timeout:g} s", None)
        except Exception as fault:  # whatever a hostile page makes of the driver is this page's end, and nobody else's
            return Shot("failed", None, _first_line(fault), None)
        finally:
            await asyncio.to_thread(_sweep, folder)

    def _target(self, url: str) -> str:
        if self._site is None:
            return url
        parts = urlsplit(url)
        return parts._replace(scheme="http", netloc=parts.hostname or "").geturl()

    async def _opened(self, url: str, executable: str, folder: str, proxy: EgressProxy) -> Shot:
        from playwright.async_api import async_playwright

        manager = async_playwright()
        driver = await manager.start()
        try:
            context = await driver.chromium.launch_persistent_context(
                f"{folder}/profile",
                executable_path=executable,
                headless=True,
                chromium_sandbox=os.geteuid() != 0,
                args=list(_ARGUMENTS),
                env={"PATH": os.environ.get("PATH", ""), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"},
                downloads_path=f"{folder}/downloads",
                proxy={
                    "server": f"http://127.0.0.1:{proxy.port}",
                    "username": proxy.user,
                    "password": proxy.password,
                    "bypass": "<-loopback>",
                },
                accept_downloads=False,
                service_workers="block",
                permissions=[],
                viewport={"width": _VIEW["width"], "height": _VIEW["height"]},
                user_agent=DESKTOP.headers["User-Agent"],
                locale="en-US",
                timeout=self._page_timeout * 1000,
            )
            page = context.pages[0] if context.pages else await context.new_page()
            context.on("page", lambda opened: asyncio.ensure_future(_close(opened)))
            return await self._pictured(context, page, url, proxy)
        finally:
            # Whatever state driver and browser are in: the browser goes first, so that the driver has nothing to wait for.
            await asyncio.to_thread(_kill, folder)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5.0):
                    await driver.stop()

    async def _pictured(self, context: "BrowserContext", page: "Page", url: str, proxy: EgressProxy) -> Shot:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as TooSlow

        page.on("dialog", lambda dialog: asyncio.ensure_future(_dismiss(dialog)))
        why = ""
        try:
            await page.goto(url, wait_until="load", timeout=self._page_timeout * 1000)
            await asyncio.sleep(_SETTLE_S)
        except TooSlow:
            why = "the page had not loaded fully"
        except Error as fault:
            if not proxy.blocked:
                raise
            return Shot("failed", None, f"{_first_line(fault)}; blocked: {', '.join(proxy.blocked[:5])}", None)
        if urlsplit(page.url).scheme not in ("http", "https"):
            return Shot("failed", None, "the page went to no http or https address", None)
        png = await page.screenshot(type="png", animations="disabled", timeout=self._page_timeout * 1000)
        if len(png) > self._max_png:
            return Shot("failed", None, f"the picture is over {self._max_png} bytes", None)
        return Shot("made", png, why, page.url)


async def _close(opened: "Page") -> None:
    with contextlib.suppress(Exception):
        await opened.close()


async def _dismiss(dialog: "Dialog") -> None:
    with contextlib.suppress(Exception):
        await dialog.dismiss()


def _first_line(fault: Exception) -> str:
    return (str(fault).strip().splitlines() or [type(fault).__name__])[0][:300]


def _kill(folder: str) -> None:
    """End every process that was started with this folder in its arguments: the browser and all it started."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError, ValueError):
            if folder.encode() in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)


def _sweep(folder: str) -> None:
    _kill(folder)
    shutil.rmtree(folder, ignore_errors=True)
