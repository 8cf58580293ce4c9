"""The parts of the documents that follow from the code: `<!-- name -->` to `<!-- /name -->`, made anew from it.

Where a table ends in words of ours (what a setting is for, what a code means), those are kept from the document.
"""

import importlib
import pkgutil
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup

from notifier import catalog, resources
from notifier.domain import answer, case_state, definitions, hopping, mail_class, notice
from notifier.domain.alarms import ALARMS
from notifier.domain.outcome import Verdict
from notifier.domain.rules import RULES, Rule
from notifier.services import tasks
from notifier.services.access import Role
from notifier.settings import Settings, load_settings
from notifier.web import api
from notifier.web.routes import Route
from tests.docs import codes

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n)(?P<text>.*?)(<!-- /(?P=name) -->)", re.DOTALL)


def filled(text: str) -> str:
    """A document with every block as the code has it now. A block that nobody makes raises KeyError."""
    return _BLOCK.sub(lambda found: f"{found[1]}{made(found['name'], found['text'])}\n{found[4]}", text)


def made(name: str, before: str = "") -> str:
    """One block. `before`: its text until now, for the words that are ours."""
    if name in KEEPING:
        return KEEPING[name](_last_cells(before))
    return BLOCKS[name]()


def names_in(text: str) -> list[str]:
    return [found["name"] for found in _BLOCK.finditer(text)]


# --- programs, agreements, rules ----------------------------------------------------------------------------------


def _programs() -> str:
    return _table(
        ("program", "what it is about", "notifier", "may ask for", "rules"),
        (
            (f"`{p.id}`", p.name, p.owner, ", ".join(sorted(p.measures)), str(len(p.rules)))
            for p in _catalog().programs.values()
        ),
    )


def _agreements() -> str:
    def suffixes(tlds: frozenset[str]) -> str:
        few = " ".join(f".{tld}" for tld in sorted(tlds))
        return few if len(tlds) <= 3 else f"{len(tlds)} top-level domains"

    return _table(
        ("agreement", "recipient", "names under", "measure, and the recipient's word", "channel"),
        (
            (
                f"`{a.id}`",
                a.recipient_name,
                suffixes(a.tlds),
                ", ".join(
                    measure if word == measure else f"{measure} (“{word}”)" for measure, word in a.measures.items()
                ),
                a.adapter or "none known",
            )
            for a in _catalog().agreements.values()
        ),
    )


def _catalog() -> catalog.Catalog:
    return catalog.load_catalog(resources.folder("config"))


def _rules() -> str:
    common = {field.name for field in fields(Rule)}
    rows = []
    for kind, rule in RULES.items():
        own = [f"`{field.name}`" for field in fields(rule) if field.name not in common]
        rows.append((f"`{kind}`", _first_sentence(rule), ", ".join(own) or "-"))
    return _table(("type", "holds when", "its keys"), rows)


# --- measures -----------------------------------------------------------------------------------------------------


def _measures() -> str:
    def begins(d: definitions.Definition) -> str:
        return f"`{d.of}`" if d.of else "-"

    rows = (
        (part, f"`{d.key}`", d.basis, d.unit, begins(d), d.words)
        for part, found in definitions.PARTS.items()
        for d in found.values()
    )
    return _table(("part", "figure", "basis", "unit", "of, or since", "means"), rows)


def _hop_signals() -> str:
    rows = (
        (f"`{kind}`", str(hopping.CLASS_OF[kind]), str(hopping.WEIGHTS[kind]), hopping.WORDS[kind])
        for kind in hopping.Kind
    )
    return _table(("signal", "class", "weight", "means"), rows)


# --- states and words ---------------------------------------------------------------------------------------------


def _case_states() -> str:
    rows = ((f"`{s}`", _codes(case_state.TRANSITIONS[s]) or "(end)") for s in case_state.CaseState)
    return _table(("case is", "and may become"), rows)


def _notice_states() -> str:
    def moves(state: notice.NoticeState) -> str:
        found = [f"{event} → `{to}`" for (at, event), to in notice.TRANSITIONS.items() if at is state]
        return ", ".join(found) or "(end)"

    return _table(("notice is", "what happens → becomes"), ((f"`{s}`", moves(s)) for s in notice.NoticeState))


def _answers() -> str:
    return _table(
        ("field", "words"),
        (
            ("`kind` of an answer", _codes(answer.KINDS, keep_order=True)),
            ("`actor` of a claimed act", _codes(answer.ACTORS, keep_order=True)),
            ("`reason` of a decline", _codes(answer.DECLINE_REASONS, keep_order=True)),
            ("`verdict` on a claim", _codes(Verdict, keep_order=True)),
            *((f"end of a task `{kind}`", _codes(ends)) for kind, ends in tasks.RESOLUTIONS.items()),
        ),
    )


# --- settings -----------------------------------------------------------------------------------------------------


def _verdicts(words: Mapping[str, str]) -> str:
    return _table(("verdict", "means"), ((f"`{v}`", words.get(f"`{v}`", "")) for v in Verdict))


def _alarms() -> str:
    rows = ((f"`{a.kind}`", a.when, a.sentence.format(name="NAME", drop="DROP FORECAST")) for a in ALARMS.values())
    return _table(("alarm", "raised by", "what a person is told"), rows)


def _settings(words: Mapping[str, str]) -> str:
    hints = typing.get_type_hints(Settings, include_extras=True)
    state_dir = load_settings(environ={"HOME": "~"}).state_dir.as_posix()
    rows = []
    for field in fields(Settings):
        if typing.get_origin(hints[field.name]) is not typing.Annotated:
            continue
        default = state_dir if field.default is MISSING else field.default
        expected = hints[field.name].__metadata__[0].expected
        rows.append((f"`{field.name}`", _value(default), expected, words.get(f"`{field.name}`", "")))
    return _table(("key", "default", "expected", "for"), rows)


def _value(default: Any) -> str:
    if default is None or default == ():
        return "none"
    return f"`{default}`"


def _mail_classes() -> str:
    rows = ((f"`{s.kind}`", s.reason, s.source or "-") for s in mail_class.SIGNS)
    return _table(("class", "because", "known from"), rows)


# --- codes, commands ----------------------------------------------------------------------------------------------


def _refusals(words: Mapping[str, str]) -> str:
    rows = ((f"`{c.code}`", words.get(f"`{c.code}`", c.said)) for c in codes.collect() if c.intake)
    return _table(("code", "means"), rows)


def _errors(words: Mapping[str, str]) -> str:
    rows: dict[str, list[str]] = {}
    for each in codes.collect():
        if not each.intake:
            row = rows.setdefault(f"`{each.code}`", ["", each.said])
            row[0] = f"{row[0]}, {each.http}".removeprefix(", ")
    return _table(
        ("code", "HTTP", "means"), ((code, http, words.get(code, said)) for code, (http, said) in rows.items())
    )


def _commands() -> str:
    rows = ((f"`notifier {name}`", (c.help or "").split("\n")[0], _options(c)) for name, c in commands().items())
    return _table(("command", "does", "options"), rows)


def _options(command: TyperCommand | TyperGroup) -> str:
    found = []
    for each in command.params:
        if isinstance(each, TyperArgument):
            found.append(each.metavar or str(each.name).upper())
        elif each.opts[0] not in ("--config", "--token"):
            found.append(f"`{each.opts[0]}`")
    return " ".join(found)


def _calls() -> str:
    def who(route: Route) -> str:
        if route.anonymous:
            return "a valid signature" if 401 in route.problems else "anybody"
        return "everyone" if set(route.roles) == set(Role) else ", ".join(route.roles)

    return _table(("call", "does", "for"), ((f"`{r.method} {r.path}`", r.summary, who(r)) for r in routes()))


def routes() -> list[Route]:
    """Every operation below `/api/v1`, by address."""
    modules = [importlib.import_module(f"{api.__name__}.{found.name}") for found in pkgutil.iter_modules(api.__path__)]
    found = [route for module in modules for route in getattr(module, "ROUTES", ())]
    return sorted(found, key=lambda route: (route.path, route.method))


@cache
def commands() -> dict[str, TyperCommand | TyperGroup]:
    """Every command of `notifier`, by its words."""
    from notifier.cli.main import app  # here, since the faces are the last to be importable

    def leaves(group: TyperGroup, words: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
        context = typer.Context(group)
        for name in group.list_commands(context):
            sub = group.get_command(context, name)
            if isinstance(sub, TyperGroup):
                if sub.invoke_without_command:  # it does something by itself, too
                    yield " ".join((*words, name)), sub
                yield from leaves(sub, (*words, name))
            elif isinstance(sub, TyperCommand):
                yield " ".join((*words, name)), sub

    return dict(leaves(typer.main.get_group(app), ()))


# --- small --------------------------------------------------------------------------------------------------------


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    columns = tuple(head)
    return "\n".join((line(columns), line("---" for _ in columns), *map(line, rows)))


def _last_cells(table: str) -> dict[str, str]:
    """The last cell of each row, by its first."""
    rows = (re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in table.splitlines())
    return {cells[0].strip(): cells[-1].strip().replace("\\|", "|") for cells in rows if len(cells) > 1}


def _codes(words: Iterable[str], *, keep_order: bool = False) -> str:
    listed = list(map(str, words))
    return ", ".join(f"`{word}`" for word in (listed if keep_order else sorted(listed)))


def _first_sentence(rule: type[Rule]) -> str:
    return " ".join((rule.__doc__ or "").split()).removesuffix(".")


BLOCKS: Mapping[str, Callable[[], str]] = {
    "measures": _measures,
    "hop-signals": _hop_signals,
    "programs": _programs,
    "agreements": _agreements,
    "rules": _rules,
    "case-states": _case_states,
    "notice-states": _notice_states,
    "answers": _answers,
    "alarms": _alarms,
    "mail-classes": _mail_classes,
    "commands": _commands,
    "calls": _calls,
}
KEEPING: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "verdicts": _verdicts,
    "settings": _settings,
    "refusals": _refusals,
    "errors": _errors,
}
