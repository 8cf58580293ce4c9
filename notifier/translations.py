"""What registrants read, in their language: English stands in the templates and the code, the rest in gettext catalogs.

The catalogs are read as they are written, so that neither a checkout nor a wheel needs a step that compiles them.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from notifier import resources

ENGLISH = "en"
# Each language by its own name.
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "de": "Deutsch", "es": "Español"}
Say = Callable[..., str]


@cache
def catalog(language: str) -> Mapping[str, str | tuple[str, ...]]:
    """Each English text with its translation; of one that counts, by the singular, all its forms."""
    if language == ENGLISH or language not in LANGUAGES:
        return {}
    from babel.messages.pofile import read_po  # 50 ms that most commands never need

    path = resources.folder("templates") / "locale" / language / "LC_MESSAGES" / "registrant.po"
    with path.open("rb") as file:
        messages = read_po(file, locale=language)
    return {
        (m.id if isinstance(m.id, str) else m.id[0]): m.string if isinstance(m.string, str) else tuple(m.string)
        for m in messages
        if m.id and m.string
    }


def translated(language: str, text: str) -> str:
    """The text in a language, in English where it has none."""
    found = catalog(language).get(text)
    return found if isinstance(found, str) and found else text


def counted(language: str, one: str, many: str, n: int) -> str:
    """The form for `n`. English, German and Spanish have two, and the same rule."""
    found = catalog(language).get(one)
    forms = found if isinstance(found, tuple) and len(found) == 2 and all(found) else (one, many)
    return forms[0] if n == 1 else forms[1]


def speaker(language: str) -> Say:
    """What says an English text with its named values in a language."""

    def say(text: str, **values: object) -> str:
        return translated(language, text) % values

    return say


def words_for_templates(shape: Callable[[str, Mapping[str, Any]], Any]) -> Mapping[str, Any]:
    """The globals of jinja2's `i18n` extension in its new style. The language is the template's `lang`.

    `shape` puts the values into the text: what is hostile in a value is made safe there.
    """

    @pass_context
    def gettext(context: Context, text: str, /, **values: Any) -> Any:
        return shape(translated(_language(context), text), values)

    @pass_context
    def ngettext(context: Context, one: str, many: str, n: int, /, **values: Any) -> Any:
        values.setdefault("num", n)
        return shape(counted(_language(context), one, many, n), values)

    @pass_context
    def plain(context: Context, text: str) -> str:
        return translated(
            _language(context), text
        )  # a value of ours, such as a program's name: made safe where it is put

    return {"gettext": gettext, "ngettext": ngettext, "_": plain}


def _language(context: Context) -> str:
    found = context.get("lang")
    return found if isinstance(found, str) else ENGLISH
