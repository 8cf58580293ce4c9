"""`notifier agreement` and `check-config --online`, as they are typed, over a database of their own."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from notifier.cli.main import app

OVERLAY = """
id = "test"
rdap = { "*" = "http://127.0.0.1:9/rdap/" }
dns = { "*" = "127.0.0.1:9" }

[agreements."opioids.pir"]
adapter = "webhook"
address = { url = "http://127.0.0.1:9/hook", secret = "hook" }
"""
AGREEMENT = "opioids.pir"


class Typed:
    """What is typed at one machine, and the tokens of who types it."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.tokens: dict[str, str] = {}

    def __call__(self, *args: object, by: str | None = None) -> Result:
        env = {**self.env, **({"NOTIFIER_TOKEN": self.tokens[by]} if by else {})}
        return CliRunner().invoke(app, [str(arg) for arg in args], env=env, catch_exceptions=False)

    def person(self, name: str, *options: str) -> None:
        said = self("token", "add", name, *options)
        assert said.exit_code == 0, said.output
        self.tokens[name] = said.stdout.strip().splitlines()[-1]


@pytest.fixture
def typed(database_url: str, tmp_path: Path) -> Typed:
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(OVERLAY)
    made = Typed(
        {
            "NOTIFIER_DATABASE_URL": database_url,
            "NOTIFIER_STATE_DIR": str(tmp_path / "state"),
            "NOTIFIER_CATALOG_OVERLAY": str(overlay),
            "NOTIFIER_EGRESS": "loopback",
            "NOTIFIER_SECRET_HOOK": "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODk=",
            "COLUMNS": "300",
        }
    )
    for name in ("zoe", "boris"):
        made.person(name, "--role", "admin")
    made.person("desk", "--role", "registry", "--registry", "pir")
    made.person("rita", "--role", "reviewer")
    return made


def rows(database_url: str, query: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        con = await asyncpg.connect(database_url)
        try:
            return [dict(row) for row in await con.fetch(query)]
        finally:
            await con.close()

    return asyncio.run(read())


def test_it_is_stopped_and_told_of(typed: Typed) -> None:
    said = typed("agreement", "suspend", AGREEMENT, "--reason", "our desk moves", by="desk")
    assert (said.exit_code, said.stdout) == (0, f"{AGREEMENT}: armed: 0 of 2; suspended: requests\n")
    wide = typed("agreement", "suspend", AGREEMENT, "--everything", "--reason", "a rumour", by="desk")
    assert wide.exit_code == 2
    said = typed("agreement", "suspend", AGREEMENT, "--everything", "--reason", "a rumour", by="zoe")
    assert said.stdout.endswith("suspended: everything\n")
    listed = typed("agreement", "list", by="rita")
    (line,) = [line for line in listed.stdout.splitlines() if line.strip().startswith(AGREEMENT)]
    assert line.split()[-1:] == ["never"]
    assert "everything" in line
    shown = json.loads(typed("agreement", "show", AGREEMENT, "--json", by="boris").stdout)
    assert (shown["suspended"]["reason"], shown["suspended"]["by"]) == ("a rumour", "zoe")
    theirs = typed("agreement", "show", AGREEMENT, by="desk").stdout
    assert "rumour" not in theirs
    assert "zoe" not in theirs
    log = [json.loads(text) for text in typed("agreement", "log", AGREEMENT, "--json", by="zoe").stdout.splitlines()]
    assert [(act["actor"], act["act"], act["via"]) for act in log] == [
        ("zoe", "suspended", "cli"),
        ("desk", "suspended", "cli"),
    ]
    first = typed("agreement", "log", AGREEMENT, "--limit", 1, by="desk").stdout
    assert "(staff)" in first
    assert "zoe" not in first
    cursor = first.split("--cursor ")[1].strip()
    assert "our desk moves" in typed("agreement", "log", AGREEMENT, "--cursor", cursor, by="desk").stdout


def test_a_check_that_fails_is_kept_and_arms_nothing(typed: Typed, database_url: str) -> None:
    """Nobody listens on port 9 of this machine."""
    online = typed("check-config", "--online")
    assert online.exit_code == 1
    assert AGREEMENT in online.stdout
    asked = typed("agreement", "check", AGREEMENT, by="zoe")
    assert asked.exit_code == 1
    armed = typed("agreement", "arm", AGREEMENT, by="zoe")
    assert armed.exit_code == 2
    assert "channel_not_ready" in armed.stderr
    kept = rows(database_url, "select by, problems::text from agreement_check order by at, id")
    assert [row["by"].partition(":")[0] for row in kept] == ["local", "zoe", "zoe"]
    assert all(row["problems"] != "[]" for row in kept)
    assert rows(database_url, "select 1 from arming") == []


def test_who_may_not(typed: Typed) -> None:
    for act in (("arm",), ("disarm",), ("resume",), ("check",), ("suspend", "--reason", "r"), ("log",)):
        said = typed("agreement", act[0], AGREEMENT, *act[1:], by="rita")
        assert said.exit_code == 2, act
        assert "(forbidden)" in said.stderr, act
    assert typed("agreement", "show", "opioids.nobody", by="zoe").exit_code == 2
    assert "verisign" not in typed("agreement", "list", by="desk").stdout
