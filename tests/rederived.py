"""Figures made again from a list of cases, as somebody with a sheet and SciPy would: our own arithmetic plays no part."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

_BEFORE = {
    "opened": "opened",
    "approved": "opened",
    "sent": "approved",
    "received": "sent",
    "answered": "received",
    "claimed": "answered",
    "verified": "claimed",
}
_TIMES = {
    "notice": ("opened", "sent"),
    "receipt": ("sent", "received"),
    "acknowledgement": ("sent", "answered"),
    "claim": ("sent", "claimed"),
    "verified": ("sent", "verified"),
    "relapse": ("verified", "relapsed"),
    "hop": ("verified", "hopped"),
}
_SHARES = {"success": "sent", "accuracy": "approved", "relapsed": "verified", "hopped": "verified", "gap": "judged"}
_PARTY = ("asked", "answered", "claimed", "seen")
_STOPPED = ("rejected", "withdrawn", "superseded")


def read(text: str) -> tuple[Mapping[str, str], list[dict[str, str]]]:
    """What a file says of itself, and its rows."""
    lines = list(csv.reader(io.StringIO(text, newline="")))
    about = {line[1]: line[2] for line in lines if line[0] == "about"}
    return about, [dict(zip(lines[0], line, strict=True)) for line in lines[1:] if line[0] != "about"]


def of_cohort(units: Iterable[Mapping[str, str]], as_of: datetime) -> dict[str, dict[str, Any]]:
    """By cell: `n`, and where a figure has them `of`, its interval, or who is censored and the median."""
    rows = [dict(unit) for unit in units]
    stages: Counter[str] = Counter()
    shares: Counter[str] = Counter()
    others: Counter[str] = Counter()
    work_of: dict[str, Counter[str]] = {}
    for unit in rows:
        sent = bool(unit["sent"])
        reached = {
            "opened": True,
            "approved": bool(unit["approved"]) or sent,
            "sent": sent,
            "received": bool(unit["received"] or unit["answered"]),
            **{stage: bool(unit[stage]) for stage in ("answered", "claimed", "verified")},
        }
        stages.update(stage for stage, there in reached.items() if there)
        shares["success"] += reached["verified"]
        shares["accuracy"] += reached["approved"] and unit["our_error"] == "false"
        shares["relapsed"] += bool(unit["relapsed"])
        if unit["verified"] and unit["hopped"]:
            shares["hopped"] += moment(unit["hopped"]) - moment(unit["verified"]) <= timedelta(days=30)
        others[f"outcome/{unit['outcome']}/{unit['actor']}"] += 1
        parties: dict[str, set[str]] = {}
        for asked in unit["asked"].split():
            party, answer = asked.split("/")
            parties.setdefault(party, {"asked"}).update(["answered"] if answer != "none" else [])
        for claim in unit["claims"].split():
            party, measure, verdict, seen = claim.split("/")
            others[f"claim/{party}/{measure}/{verdict}"] += 1
            done = {"asked", "answered", "claimed"} | ({"seen"} if seen == "seen" else set())
            parties.setdefault(party, set()).update(done)
            stages["judged"] += verdict != "pending"
            shares["gap"] += verdict in ("contradicted", "unverifiable")
        for party, steps in parties.items():
            work_of.setdefault(party, Counter()).update(steps)
        for step in unit["work"].split():
            kind, n = step.split("/")
            others[f"work/{kind}"] += int(n)
    found = {f"funnel/{stage}": _share(stages[stage], stages[before]) for stage, before in _BEFORE.items()}
    found |= {f"share/{key}": _share(shares[key], stages[of]) for key, of in _SHARES.items()}
    for party, did in work_of.items():
        found |= {f"party/{party}/{what}": _share(did[what], did["asked"]) for what in _PARTY}
    found |= {cell: {"n": n} for cell, n in others.items()}
    found |= {f"time/{key}/n": _time(rows, key, as_of) for key in _TIMES}
    return found


def _share(n: int, of: int) -> dict[str, Any]:
    if not of:
        return {"n": n, "of": of}
    from scipy import stats  # takes seconds to import, and every process of a run reads this file

    interval = stats.binomtest(n, of).proportion_ci(0.95, method="wilson")
    return {"n": n, "of": of, "share": n / of, "low": interval.low, "high": interval.high}


def _time(rows: list[dict[str, str]], key: str, as_of: datetime) -> dict[str, Any]:
    since, until = _TIMES[key]
    lasted: dict[bool, list[float]] = {True: [], False: []}
    for unit in rows:
        if not unit[since]:
            continue
        over = unit["state"] in _STOPPED or (key in ("relapse", "hop") and unit["ended"])
        end = unit[until] or (unit["ended"] if over else "")
        lasted[bool(unit[until])].append(
            max(0.0, ((moment(end) if end else as_of) - moment(unit[since])).total_seconds())
        )
    n = len(lasted[True]) + len(lasted[False])
    if not lasted[True]:
        return {"n": n, "censored": n, "median": None}
    from scipy import stats

    curve = stats.ecdf(stats.CensoredData(uncensored=lasted[True], right=lasted[False])).sf
    below = [t for t, p in zip(curve.quantiles, curve.probabilities, strict=True) if p <= 0.5 + 1e-12]
    return {"n": n, "censored": len(lasted[False]), "median": below[0] if below else None}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def agrees(figures: str, cases: str) -> int:
    """Hold a file of a cohort's figures against the list of its cases; how many figures were compared."""
    about, rows = read(figures)
    its_own, units = read(cases)
    assert {**about, "checkpoint": ""} == {**its_own, "checkpoint": ""}
    found = of_cohort(units, moment(about["as_of"]))
    told = {row["cell"].partition("/")[2]: row for row in rows if row["slice"] == "all"}
    assert set(told) == set(found)
    for cell, mine in found.items():
        row = told[cell]
        assert int(row["n"]) == mine["n"], cell
        for name, column in {"of": "out_of", "censored": "censored"}.items():
            if name in mine:
                assert int(row[column]) == mine[name], (cell, name)
        for name in ("share", "low", "high"):
            if name in mine:
                assert float(row[name]) == pytest.approx(mine[name], abs=1e-12), (cell, name)
        if "median" in mine:
            assert (float(row["median_s"]) if row["median_s"] else None) == mine["median"], cell
    return len(told)
