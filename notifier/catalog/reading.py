"""Reading of configuration files so that every fault is named at once, as `file: key: what, expected`."""

import hashlib
import tomllib
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, TypeVar

import rfc8785

from notifier.errors import NotifierError

T = TypeVar("T")
NO_TABLE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in one file; `key` is empty when it is the file as a whole."""

    file: str
    key: str
    what: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}" if self.key else self.file
        return f"{where}: {self.what}, expected {self.expected}"


class ConfigFaults(NotifierError):
    """The configuration cannot be used; `faults` has every reason, and so has the text, one a line."""

    code, http_status = "config", 500

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(map(str, self.faults)))


class Table:
    """Takes keys from one TOML table; `nothing_else()` then names the keys that nobody took."""

    def __init__(self, file: str, data: Mapping[str, Any], faults: list[Fault], path: str = "") -> None:
        self.file, self.data, self.faults = file, data, faults
        self._path, self._taken = path, set[str]()

    def fault(self, key: str, what: str, expected: str) -> None:
        self.faults.append(Fault(self.file, f"{self._path}{key}", what, expected))

    def get(self, key: str, read: Callable[[Any], T | None], expected: str, default: T | None = None) -> T | None:
        """`read` of the value; a value it answers None for is a fault. Missing: the default, if there is one."""
        self._taken.add(key)
        if key not in self.data:
            if default is None:
                self.fault(key, "is missing", expected)
            return default
        got = read(self.data[key])
        if got is None:
            self.fault(key, f"is {shown(self.data[key])}", expected)
            return default
        return got

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank; the empty text after a fault."""
        return self.get(key, a_text, "a text", default) or ""

    def table(self, key: str, *, required: bool = True) -> "Table":
        """The table `[key]`; an empty one after a fault, and when a not required one is missing."""
        got = self.get(key, a_table, f"a table [{key}]", None if required else NO_TABLE)
        return Table(self.file, got or NO_TABLE, self.faults, f"{self._path}{key}.")

    def texts(self) -> dict[str, str]:
        """The whole table as key to text; every other value is a fault."""
        return {key: value for key in self.data if (value := self.text(key))}

    def nothing_else(self) -> None:
        for key in sorted(self.data.keys() - self._taken):
            self.fault(key, "is not known here", f"one of {', '.join(sorted(self._taken))}")


def a_text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None


def a_table(value: Any) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


def a_day(value: Any) -> date | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def a_list_of_texts(value: Any) -> tuple[str, ...] | None:
    """A list of texts, not empty, each once."""
    if not isinstance(value, list) or not value or any(a_text(item) is None for item in value):
        return None
    return tuple(value) if len(set(value)) == len(value) else None


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def read_toml(path: Path, file: str, faults: list[Fault]) -> Mapping[str, Any] | None:
    """Decoded TOML, or None and a fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        faults.append(Fault(file, "", f"cannot be read ({reason})", "a UTF-8 TOML file"))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(file, "", f"is not TOML: {error}", "a TOML file"))
    return None


def digest(content: Any) -> str:
    """Hex SHA-256 over the RFC 8785 form: the same for the same content in any order or layout."""
    return hashlib.sha256(rfc8785.dumps(_plain(content))).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(_plain(item) for item in typing.cast("frozenset[Any]", value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value
