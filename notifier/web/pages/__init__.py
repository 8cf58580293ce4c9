"""Pages for people: rendered here, whole without a script, and with nothing from another site."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from notifier import resources
from notifier.domain.hostile import defang
from notifier.domain.names import display
from notifier.translations import LANGUAGES, catalog, words_for_templates
from notifier.web.pages.nav import NAV, current
from notifier.web.pages.said import SAID

# A page shows what is ours, sends nothing, and nobody may frame it; more is said by the page that needs it.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Pages:
    """The templates of `templates/web`; what is shown is escaped, and a missing value is an error, never a gap."""

    def __init__(self, *, organisation: str, simulated: bool) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(resources.folder("templates") / "web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._templates.newstyle_gettext = True  # type: ignore[attr-defined]
        for language in LANGUAGES:
            catalog(language)  # read now, and not while somebody waits
        self._templates.policies["ext.i18n.trimmed"] = True  # line breaks in a template are none of a text's
        self._templates.globals |= words_for_templates(lambda text, values: Markup(text) % values)  # noqa: S704
        self._templates.globals |= {
            "organisation": organisation,
            "simulated": simulated,
            "visitor": None,
            "nav": NAV,
            "current": current,
            "said": SAID,
            "other_query": other_query,
        }
        self._templates.filters |= {"when": when, "span": span, "words": words, "defang": defang, "unicode": display}

    def page(self, template: str, status: int = 200, /, *, policy: str = POLICY, **shown: object) -> web.Response:
        """One page, under its Content-Security-Policy."""
        text = self._templates.get_template(f"{template}.html").render(**shown)
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": policy}
        )


def when(at: datetime | None, empty: str = "") -> Markup:
    """An instant in UTC; the script shows it in the reader's zone, with UTC on hover."""
    if at is None:
        return escape(empty)
    utc = at.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(timespec="seconds"), utc, utc)


def span(length: timedelta | float | None) -> str:
    """A length of time as people say it: two units at most. Seconds, when it is a number."""
    if length is None:
        return ""
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for name, size in units:
        if left >= size:
            parts.append(f"{left // size} {name}")
            left %= size
        elif parts:
            break
    return sign + " ".join(parts[:2]) if parts else "0 s"


def words(code: object) -> str:
    """A code of ours as words."""
    return str(code).replace("_", " ")


def other_query(query: Mapping[str, str], **changed: Any) -> str:
    """The address's query with other values; None takes a parameter away."""
    kept = {name: value for name, value in query.items() if name not in changed and name != "said"}
    kept |= {name: str(value) for name, value in changed.items() if value is not None}
    return "?" + urlencode(kept)
