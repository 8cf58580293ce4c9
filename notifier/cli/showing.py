"""How commands show what they found: JSON that a program reads back, and a table for people."""

import json
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table


def json_line(value: object, *, plain: bool = False) -> str:
    """One line of JSON. `plain`: in ASCII alone, for what somebody hostile wrote: no control character survives it."""
    return json.dumps(value, default=_plain, ensure_ascii=plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def bare_table(*columns: str) -> Table:
    """A table without a frame; the first column is not broken, the others fold."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="ellipsis" if number == 0 else "fold")
    return table
