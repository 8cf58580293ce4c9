"""Pages for people: rendered here, whole without a script, and with nothing from another site."""

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from notifier import resources

# A page shows what is ours, sends nothing, and nobody may frame it; more is said by the page that needs it.
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"


class Pages:
    """The templates of `templates/web`; what is shown is escaped, and a missing value is an error, never a gap."""

    def __init__(self, *, organisation: str, simulated: bool) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(resources.folder("templates") / "web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"organisation": organisation, "simulated": simulated}

    def page(self, name: str, status: int = 200, *, policy: str = POLICY, **shown: object) -> web.Response:
        """One page, under its Content-Security-Policy."""
        text = self._templates.get_template(f"{name}.html").render(**shown)
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": policy}
        )
