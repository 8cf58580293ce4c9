"""Figures as a Parquet file, where the package `pyarrow` is installed: the rows of the CSV, with their types."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from notifier.domain.table_rows import COLUMNS
from notifier.errors import Invalid

_INTEGERS = ("n", "out_of", "censored")
_NUMBERS = ("share", "low", "high", "median_s", "median_low_s", "median_high_s")


def available() -> bool:
    """Whether such files can be written here."""
    return find_spec("pyarrow") is not None


def require() -> None:
    """Raises Invalid where such files cannot be written."""
    if not available():
        raise Invalid("Parquet files need the extra: pip install 'trusted-notifier[parquet]'")


def written(document: Mapping[str, Any]) -> bytes:
    """A document of `statistics`; what it is of stands in the schema's metadata, as JSON under `about`."""
    import pyarrow as pa  # optional, and it takes a third of a second
    import pyarrow.parquet as pq

    def kind(column: str) -> Any:
        if column in _INTEGERS:
            return pa.int64()
        return pa.float64() if column in _NUMBERS else pa.bool_() if column == "few" else pa.string()

    about = json.dumps(document["about"], ensure_ascii=False)
    schema = pa.schema([(column, kind(column)) for column in COLUMNS], metadata={"about": about})
    out = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(document["rows"]), schema=schema), out)
    return out.getvalue()
