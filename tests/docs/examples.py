"""The examples of docs/adding.md, as they stand there."""

import re
import types
from pathlib import Path

_TEXT = (Path(__file__).parents[2] / "docs/adding.md").read_text(encoding="utf-8")
_FENCE = r"(?ms)^<!-- {}: (.+?) -->\n```\w+\n(.*?)^```$"

EXAMPLES: list[tuple[str, str]] = re.findall(_FENCE.format("example"), _TEXT)
"""Files, each as (place, content)."""

ADDRESSES: dict[str, str] = dict(re.findall(_FENCE.format("address"), _TEXT))
"""An agreement's `[address]`, TOML, by adapter."""

ADAPTER = "your_package/json_api.py"


def adapter() -> types.ModuleType:
    """The example adapter's module."""
    module = types.ModuleType("json_api")
    exec(dict(EXAMPLES)[ADAPTER], module.__dict__)
    return module
