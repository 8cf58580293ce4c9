"""Figures as a Parquet file, where the package `pyarrow` is installed: the rows of the CSV, with their types."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from notifier.domain.table_rows import COLUMNS
from notifier.errors import Invalid

_INTEGERS = ("n", "out_of", "censored")
# A small file may hold very many rows, and very long words, that are alike.
_MOST_ROWS, _MOST_LETTERS = 200_000, 50_000_000
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = json.dumps(document["about"], ensure_ascii=False)
    out = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(document["rows"]), schema=_schema().with_metadata({"about": about})), out)
    return out.getvalue()


def read(content: bytes) -> dict[str, Any]:
    """What such a file was written from. Raises ValueError for one that has other columns, or is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = [column for column in COLUMNS if _schema().field(column).type == pa.string()]
    try:
        file = pq.ParquetFile(BytesIO(content))
        held = file.schema_arrow
        if not held.equals(_schema()) or file.metadata.num_rows > _MOST_ROWS:
            raise ValueError("other columns, or more rows, than any of ours has")
        table = pq.ParquetFile(BytesIO(content), read_dictionary=words).read()  # each word once
        if sum(_letters(chunk) for word in words for chunk in table.column(word).chunks) > _MOST_LETTERS:
            raise ValueError("longer words than any of ours has")
        return {"about": json.loads((held.metadata or {})[b"about"]), "rows": table.to_pylist()}
    except (pa.ArrowException, OSError, KeyError) as error:
        raise ValueError("no file of ours") from error


def _letters(words: Any) -> int:
    """How many bytes the words of an array take, each as often as it stands there."""
    import pyarrow.compute as pc

    return pc.sum(pc.binary_length(words.dictionary).cast("int64").take(words.indices)).as_py() or 0


def _schema() -> Any:
    import pyarrow as pa  # optional, and it takes a third of a second

    def kind(column: str) -> Any:
        if column in _INTEGERS:
            return pa.int64()
        return pa.float64() if column in _NUMBERS else pa.bool_() if column == "few" else pa.string()

    return pa.schema([(column, kind(column)) for column in COLUMNS])
