"""Every code that a caller can meet, with what is said then, read from the source."""

import ast
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
_INTAKE = (
    "domain/names.py",
    "domain/urlparts.py",
    "domain/sheet.py",
    "domain/report.py",
    "services/understanding.py",
    "services/batch.py",
    "services/intake.py",
)
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, order=True)
class Code:
    """`said`: what the source says first under this code; `intake`: a report is refused with it."""

    code: str
    http: int
    intake: bool
    said: str


@dataclass(frozen=True, slots=True)
class _Class:
    code: str
    http: int
    doc: str


@cache  # several blocks and tests ask for the same, and to read all of the source takes seconds
def collect(folder: Path = ROOT / "notifier") -> list[Code]:
    """Codes of `folder`, each once by code, HTTP status and place, sorted. The sandbox speaks to nobody outside."""
    files = [path for path in sorted(folder.rglob("*.py")) if "sandbox" not in path.parts]
    trees = {path.relative_to(folder).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}
    classes = _classes(trees)
    found: dict[tuple[str, int, bool], Code] = {}
    for place, tree in trees.items():
        for code in _in_module(tree, place in _INTAKE, classes):
            known = found.get((code.code, code.http, code.intake))
            if known is None or not known.said:
                found[code.code, code.http, code.intake] = code
    for each in classes.values():
        found.setdefault((each.code, each.http, False), Code(each.code, each.http, False, each.doc))
    return sorted(found.values())


def _classes(trees: Mapping[str, ast.Module]) -> dict[str, _Class]:
    """The error classes by name; a class that sets nothing has what its base has."""
    found: dict[str, _Class] = {}
    nodes = [node for tree in trees.values() for node in tree.body if isinstance(node, ast.ClassDef)]
    while True:
        before = len(found)
        for node in nodes:
            base = next((base.id for base in node.bases if isinstance(base, ast.Name)), "")
            if node.name not in found and (node.name == "NotifierError" or base in found):
                inherited = found.get(base, _Class("", 0, ""))
                values = dict(_class_values(node))
                doc = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                http = int(values.get("http_status", inherited.http))
                found[node.name] = _Class(str(values.get("code", inherited.code)), http, doc)
        if len(found) == before:
            return found


def _class_values(node: ast.ClassDef) -> Iterator[tuple[str, str | int]]:
    """`code = "x"`, `http_status = 4` and `code, http_status = "x", 4`."""
    for statement in node.body:
        if not isinstance(statement, ast.Assign):
            continue
        (target,) = statement.targets
        pairs = (
            zip(target.elts, statement.value.elts, strict=True)
            if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple)
            else [(target, statement.value)]
        )
        for name, value in pairs:
            if isinstance(name, ast.Name) and name.id in ("code", "http_status") and isinstance(value, ast.Constant):
                yield name.id, typing.cast("str | int", value.value)


def _in_module(tree: ast.Module, intake: bool, classes: Mapping[str, _Class]) -> Iterator[Code]:
    named = _named(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from _by_status(node)
        if not isinstance(node, ast.Call):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called == "refused" and isinstance(node.args[0], ast.Constant):
            for code in _texts(node.args[0]):
                yield Code(code, _UNPROCESSABLE, True, f"NAME {_said(node.args[2])}")
        if called not in classes:
            continue
        http = classes[called].http
        for keyword in node.keywords:
            if keyword.arg == "code":
                said = _said(node.args[0]) if node.args else ""
                for code in _codes_of(keyword.value, named):
                    yield Code(code, http, intake and http == _UNPROCESSABLE, said)


def _named(tree: ast.Module) -> dict[str, list[str]]:
    """What a variable `code` or a function that makes codes can hold."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "code":
            found.setdefault("code", []).extend(_branches(node.value))
        if isinstance(node, ast.FunctionDef) and "code" in node.name:
            returned = [sub.value for sub in ast.walk(node) if isinstance(sub, ast.Return) and sub.value]
            found[node.name] = [text for value in returned for text in _texts(value)]
    return found


def _branches(value: ast.expr) -> list[str]:
    if isinstance(value, ast.IfExp):
        return [*_branches(value.body), *_branches(value.orelse)]
    return _texts(value) if isinstance(value, ast.Constant) else []


def _codes_of(value: ast.expr, named: Mapping[str, list[str]]) -> list[str]:
    if isinstance(value, ast.Name):
        return named.get(value.id, [])
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return named.get(value.func.id, [])
    return _texts(value) if isinstance(value, ast.Constant) else []


def _by_status(node: ast.Dict) -> Iterator[Code]:
    """`{404: "not_found"}`: what a status is called when nothing of ours was raised."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, int) and 400 <= key.value <= 599:
            for code in _texts(value) if isinstance(value, ast.Constant) else ():
                yield Code(code, key.value, False, "")


def _texts(value: ast.expr) -> list[str]:
    """Every constant in an expression that can be a code."""
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    return [text for text in constants if isinstance(text, str) and _CODE.fullmatch(text)]


def _said(value: ast.expr) -> str:
    """A message as its source has it, with an ellipsis for what is filled in; empty when it is no literal."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return " ".join(value.value.split())
    if isinstance(value, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "…" for part in value.values]
        return " ".join("".join(str(part) for part in parts).split())
    if isinstance(value, ast.BoolOp):
        return next((said for part in value.values if (said := _said(part))), "")
    return ""
