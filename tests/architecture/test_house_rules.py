"""Rules that no import shows: a domain without clock or chance, business time not from SQL, plain names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.web.pages.said import SAID

ROOT = Path(__file__).parents[2]
SQL_TIME = re.compile(
    r"\b(now\(\)|(clock|statement|transaction)_timestamp\(\)|timeofday\(\)|current_(timestamp|date|time)\b|local(timestamp|time)\b)",
    re.IGNORECASE,
)
SQL = re.compile(r"\b(select|insert|update|delete|default|where)\b", re.IGNORECASE)
# Rate tokens, heartbeats and the like run on real time, and say so in a comment: "real time: why".
REAL_TIME = re.compile(r"--.*\breal time\b", re.IGNORECASE)


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def impurities(code: str) -> Iterator[str]:
    """What a pure module must not contain, each with its line."""
    clock_or_chance = {
        "now",
        "utcnow",
        "today",
        "uuid1",
        "uuid4",
        "uuid7",
        "token_hex",
        "token_bytes",
        "urandom",
    }
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor):
            yield f"{node.lineno}: async"
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in clock_or_chance or (isinstance(node.func, ast.Name) and name in {"open", "print", "input"}):
                yield f"{node.lineno}: {name}()"


def sql_times(code: str) -> Iterator[str]:
    """SQL in string constants that asks the server for the time."""
    tree = ast.parse(code)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if SQL.search(node.value) and SQL_TIME.search(node.value) and not REAL_TIME.search(node.value):
            yield f"{node.lineno}: {node.value.strip()}"


@pytest.mark.parametrize("path", sources("notifier/domain"), ids=lambda path: path.name)
def test_the_domain_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        "async def f(): ...",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.date.today()",
        "import uuid\nuuid.uuid4()",
        "open('x')",
    ],
)
def test_impurities_are_seen(code: str) -> None:
    assert list(impurities(code))


@pytest.mark.parametrize("path", sources("notifier", "registries"), ids=lambda path: str(path.relative_to(ROOT)))
def test_business_time_is_a_value_passed_into_sql(path: Path) -> None:
    assert list(sql_times(path.read_text())) == []


@pytest.mark.parametrize("path", sorted((ROOT / "migrations" / "versions").glob("*.sql")), ids=lambda path: path.name)
def test_the_schema_never_reads_the_servers_clock(path: Path) -> None:
    if path.name.startswith("0001_"):
        pytest.skip("the queue's own tables run on real time")
    offending, before = [], ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if SQL_TIME.search(line.partition("--")[0]) and not REAL_TIME.search(before + line):
            offending.append(f"{number}: {line.strip()}")
        before = line if line.lstrip().startswith("--") else ""
    assert offending == []


def test_sql_time_is_seen() -> None:
    assert list(sql_times("q = 'update cases set closed_at = now() where id = $1'"))
    assert list(sql_times("q = f'select * from timer where due_at < CURRENT_TIMESTAMP and kind = {kind}'"))
    assert not list(sql_times("'''now() is never used in a select'''"))
    assert not list(sql_times("q = 'update bucket set next_at = now() -- real time'"))


def test_each_revision_has_its_sql_and_follows_the_one_before() -> None:
    revisions = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    assert [path.name[:4] for path in revisions] == [f"{n:04}" for n in range(1, len(revisions) + 1)]
    for path in revisions:
        assert path.with_suffix(".sql").is_file(), path.name


def test_modules_are_named_for_what_they_do() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "manager", "process", "handle", "misc"}
    assert [path for path in sources("notifier", "registries") if path.stem in vague] == []


def test_what_a_page_says_afterwards_is_one_of_what_pages_say() -> None:
    """A key that is not in SAID would fail after the form has acted."""
    told = []
    for path in (ROOT / "notifier/web/pages").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "go":
                told += [(path.name, arg.value) for arg in call.args[1:] if isinstance(arg, ast.Constant)]
    assert len(told) > 20
    assert [(file, key) for file, key in told if key not in SAID] == []
