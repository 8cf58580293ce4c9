"""Every text that a registrant may read, found where it stands: in templates, in code, in the shipped programs."""

import ast
import inspect
from types import ModuleType

from jinja2 import Environment

from notifier import rendering, resources
from notifier.catalog import Catalog
from notifier.domain.epp import Measure
from notifier.domain.rule import Recipient
from notifier.services import reasons
from notifier.web.pages import appeal

PAGES = ("index", "appeal", "appeal_status", "no_appeal", "registrant", "languages", "base", "simulated")
NOTICES = ("registrant.txt", "reasons.txt")
_EXTRACT = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
_EXTRACT.policies["ext.i18n.trimmed"] = True
Text = str | tuple[str, str]


def of_templates() -> set[Text]:
    """The texts of pages and notices; of one that counts, singular and plural."""
    folder = resources.folder("templates")
    files = [folder / "web" / f"{name}.html" for name in PAGES]
    files += [folder / "notices" / "base" / name for name in NOTICES]
    found: set[Text] = set()
    for file in files:
        for _, _, text in _EXTRACT.extract_translations(file.read_text(encoding="utf-8")):  # type: ignore[attr-defined]
            if isinstance(text, tuple):
                singular, plural, *_ = text
                found.add((singular, plural))
            elif text:
                found.add(text)
    return found


def said_by(module: ModuleType) -> set[str]:
    """The texts that a module gives to `say`."""
    return {
        ast.literal_eval(node.args[0])
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"
    }


def every(catalog: Catalog) -> set[Text]:
    """All of them, with the words of the shipped programs."""
    words = {measure.value.replace("_", " ") for measure in Measure if measure is not Measure.RESTORE}
    means = {m.does for measure, m in rendering._MEANINGS.items() if measure is not Measure.RESTORE}
    programs = {text for p in catalog.programs.values() for text in (p.name, p.basis, p.appeal)}
    parties = {str(party) for party in Recipient}
    return of_templates() | said_by(reasons) | set(appeal._FAULTS.values()) | words | means | programs | parties
