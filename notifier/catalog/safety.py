"""Reads `config/safety.toml`: from which numbers on a name needs a second person, or is no matter for a registry."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from notifier.catalog.reading import Fault, Table, a_list_of_texts, a_text, digest, read_toml
from notifier.domain.blast import SIGNS, Thresholds
from notifier.domain.page_text import page_text
from notifier.domain.program_reading import A_DURATION, parse_duration

FILE = "safety.toml"
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\Z")
_TIMES = ("measure_again", "trust", "retry", "source_max_age", "remember")
_COUNT = "a whole number from 1 to 100000000"


def read_thresholds(folder: Path, faults: list[Fault]) -> Thresholds | None:
    """The checked thresholds, or None and every fault."""
    data = read_toml(folder / FILE, FILE, faults)
    if data is None:
        return None
    before = len(faults)
    table = Table(FILE, data, faults)
    version = table.text("version")
    hosts = _steps(table, "host_names", "second_review", "reroute")
    dependents = _steps(table, "dependents", "second_review", "reroute")
    points = _steps(table, "compromised", "second_review", "reroute")
    signs, paths = points.table("signs"), points.table("paths")
    wildcard, mail, age, rank, parked, times = map(
        table.table, ("wildcard", "mail", "age", "popularity", "parked", "times")
    )
    read: dict[str, Any] = {
        "host_names_second": hosts.get("second_review", _count, _COUNT),
        "host_names_reroute": hosts.get("reroute", _count, _COUNT),
        "host_names_pages": hosts.get("pages_reroute", _count, _COUNT),
        "dependents_second": dependents.get("second_review", _count, _COUNT),
        "dependents_reroute": dependents.get("reroute", _count, _COUNT),
        "wildcard_second": wildcard.get("second_review", _flag, "true or false"),
        "mail_age": _span(mail, "second_review_age"),
        "age": _span(age, "second_review_age"),
        "rank_second": rank.get("second_review_rank", _count, _COUNT),
        "rank_pages_reroute": rank.get("pages_reroute", _flag, "true or false"),
        "signs_second": points.get("second_review", _count, _COUNT),
        "signs_reroute": points.get("reroute", _count, _COUNT),
        "sign_points": {sign: signs.get(sign, _points, "a whole number from 0 to 100") for sign in SIGNS},
        "cms_parts": paths.get("parts", _parts, "a list of lower-case texts, each with a slash"),
        "parking_servers": parked.get("name_servers", _servers, "a list of lower-case names"),
        "parking_phrases": parked.get("phrases", _phrases, "a list of lower-case words, one space between"),
        **{key: _span(times, key) for key in _TIMES},
    }
    for part in (table, hosts, dependents, points, signs, paths, wildcard, mail, age, rank, parked, times):
        part.nothing_else()
    if len(faults) > before:
        return None
    return Thresholds(version=f"{FILE} {version} sha256:{digest(data)[:12]}", **read)


def _steps(table: Table, key: str, lower: str, upper: str) -> Table:
    """A table of two numbers, of which the second may not be below the first."""
    found = table.table(key)
    low, high = found.data.get(lower), found.data.get(upper)
    if type(low) is int and type(high) is int and high < low:
        found.fault(upper, f"is {high}", f"at least {lower}, {low}")
    return found


def _span(table: Table, key: str) -> timedelta | None:
    return table.get(key, parse_duration, A_DURATION)


def _whole(low: int, high: int) -> Callable[[Any], int | None]:
    return lambda value: value if type(value) is int and low <= value <= high else None


_count, _points = _whole(1, 100_000_000), _whole(0, 100)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _parts(value: Any) -> tuple[str, ...] | None:
    texts = a_list_of_texts(value)
    fits = texts is not None and all(a_text(t) == t.lower() and "/" in t for t in texts)
    return texts if fits else None


def _phrases(value: Any) -> tuple[str, ...] | None:
    texts = a_list_of_texts(value)
    fits = texts is not None and all(" ".join(page_text(t).words) == t for t in texts)
    return texts if fits else None


def _servers(value: Any) -> frozenset[str] | None:
    texts = a_list_of_texts(value)
    return frozenset(texts) if texts is not None and all(_NAME.match(t) for t in texts) else None
