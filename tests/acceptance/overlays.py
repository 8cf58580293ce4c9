"""A catalog overlay as the file that a daemon of another process reads."""

from collections.abc import Mapping
from typing import Any


def overlay_toml(data: Mapping[str, Any]) -> str:
    """What `rehearsal.overlay_of` gives, as TOML."""
    lines = [f'{key} = "{data[key]}"' for key in ("id", "site", "smtp", "rdap_networks")]
    for table in ("rdap", "dns", "survey"):
        lines += [f"[{table}]", *(f'"{k}" = "{v}"' for k, v in data[table].items())]
    for name, keys in data["agreements"].items():
        address = ", ".join(f'{k} = "{v}"' for k, v in keys["address"].items())
        lines += [f'[agreements."{name}"]', f'adapter = "{keys["adapter"]}"', f"address = {{ {address} }}"]
    return "\n".join(lines) + "\n"
