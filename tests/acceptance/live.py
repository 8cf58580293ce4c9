"""A live event on the real clock: a configuration that has one, its agreement, and reports of the moment."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from notifier import resources
from tests.acceptance.daemons import INSTANT, MADE_FOR, move, quick_config

EVENT, NAME = "sample-final-2026", "imovietube.com"  # config/events/sample.toml, config/samples/more.ndjson
ON_DUTY = "Rita Reviewer"  # who may approve alone
AGREEMENT = "live-event.verisign"


def live_config(folder: Path) -> Path:
    """The shipped configuration with an agreement of the live-event program for .com, and its event running now."""
    config = quick_config(folder)
    agreement = (config / "agreements" / "opioids.verisign.toml").read_text()
    agreement = re.sub(r'^program = ".*?"', 'program = "live-event"', agreement, flags=re.MULTILINE)
    agreement = re.sub(r"^categories = .*$", 'categories = ["live-event"]', agreement, flags=re.MULTILINE)
    agreement = re.sub(r"\[measures\]\n(?:.+\n)+", '[measures]\nhold = "hold"\n', agreement)
    (config / "agreements" / f"{AGREEMENT}.toml").write_text(agreement)
    ends_at(config, datetime.now(UTC) + timedelta(hours=2))
    return config


def ends_at(config: Path, ends: datetime) -> None:
    """What the event's file says from now on: it began two hours ago."""
    path = config / "events" / "sample.toml"
    text = path.read_text()
    text = re.sub(
        r"^starts = \S+", f"starts = {_toml(datetime.now(UTC) - timedelta(hours=2))}", text, flags=re.MULTILINE
    )
    path.write_text(re.sub(r"^ends = \S+", f"ends = {_toml(ends)}", text, flags=re.MULTILINE))


def _toml(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fresh_stream(name: str = NAME) -> dict[str, Any]:
    """The sample report about a stream, made now."""
    lines = (resources.folder("config") / "samples" / "more.ndjson").read_text().splitlines()
    text = next(line for line in lines if json.loads(line)["program"] == "live-event")
    moved = datetime.now(UTC) - MADE_FOR
    report: dict[str, Any] = json.loads(INSTANT.sub(lambda at: move(at[0], moved), text).replace(NAME, name))
    # An urgent one would count against a quota, and leaves at once with its approval in any case.
    return {key: value for key, value in report.items() if key not in ("external_id", "priority")}
