"""`notifier hops`, as it is typed."""

import json
from pathlib import Path

from tests.cli.test_agreement import Typed, typed

__all__ = ["typed"]

NO_ID = "0190ffff-0000-7000-8000-000000000000"


def test_each_command_and_who_may(typed: Typed, tmp_path: Path) -> None:
    shown = typed("hops", "list", "--all", by="rita")
    assert (shown.exit_code, [json.loads(line) for line in shown.stdout.splitlines()]) == (0, []), shown.output
    out = tmp_path / "list.csv"
    assert typed("hops", "export", "--program", "opioids", "--out", out, by="rita").exit_code == 0
    assert out.read_text().splitlines() == [
        "name,program,state,first_seen_at,listed_at,linked_by,removed_at,removed_why"
    ]
    assert typed("hops", "clusters", by="desk").exit_code == 2
    assert "not_found" in typed("hops", "accept", NO_ID, "--reason", "r", by="rita").output
