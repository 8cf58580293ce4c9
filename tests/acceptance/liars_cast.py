"""Ten registries, each with a fault of its own, and what is to be said of each by hand (domain.md 5.5, design.md 3)."""

import csv
import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from notifier import resources
from notifier.rehearsal import Cast, Plan
from notifier.sandbox.world import Act

from .truth import Words

START = datetime(2026, 11, 2, 14, tzinfo=UTC)  # the day that the sample evidence was made for
SEED = "liars"
SUBJECTS = {"hold": "opioids", "lock": "opioids-lock", "delete": "opioids-delete"}
_WORDS = ("pills", "meds", "rx", "pharma", "dose", "relief", "tabs", "script")


class Fate(StrEnum):
    LEFT = "left"
    KEPT = "kept"
    LAPSES = "lapses"
    WITHDRAWN = "withdrawn"
    OVERTURNED = "overturned"
    MISTYPED = "mistyped"


@dataclass(frozen=True, slots=True)
class Liar:
    """A registry: its only top-level domain, what it is asked for, and how it behaves in the sandbox."""

    tld: str
    asked: str
    behaviour: str
    lags: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"liar-{self.tld}"

    @property
    def agreement(self) -> str:
        return f"{SUBJECTS[self.asked]}.{self.id}"


LIARS = (
    Liar("xyz", "hold", "lie"),
    Liar("top", "hold", "wrong_verb"),
    Liar("click", "lock", "wrong_verb"),
    Liar("buzz", "hold", "freed_by_transfer"),
    Liar("icu", "hold", "rdap_lies"),
    Liar("men", "hold", "rdap_lags"),
    Liar("wang", "hold", "glue_hold", {"dns": timedelta(minutes=20)}),
    Liar("asia", "delete", "deletes_for_good"),
    Liar("bond", "hold", "frees_quietly", {"rdap": timedelta(hours=3)}),
    Liar("cyou", "hold", "deaf_once"),
)


def fate(liar: Liar, number: int) -> Fate:
    """What our people do about the n-th name of a registry: of what is held they keep every other one."""
    match liar.tld:
        case "xyz":
            return Fate.MISTYPED if number == 0 else Fate.LEFT
        case "click":
            return Fate.WITHDRAWN  # at the alarm
        case "cyou":
            return Fate.OVERTURNED if number % 2 else Fate.WITHDRAWN
        case "asia":
            return Fate.KEPT
        case "buzz" | "bond" | "wang":
            return Fate.LAPSES if number % 2 else Fate.KEPT
    return Fate.LEFT


def words(liar: Liar, number: int) -> Words:
    """What is to be said in the end, by hand: domain.md 5.5 for verdicts, outcomes and alarms, design.md 3 for the rest."""
    kept = fate(liar, number) is Fate.KEPT
    after = {"aftermath": "standing"} if kept else {"aftermath": "lifted_lapsed", "undo": "verified"}
    refuted = Words([["contradicted"]], "claimed_not_done", "none", alarms={"claim_contradicted": "deadline"})
    match liar.tld:
        case "xyz" | "top":
            return refuted
        case "icu":  # RDAP says hold, the zone delegates: a lag of the registry, or a bug
            return replace(refuted, alarms={**refuted.alarms, "inconsistent": "deadline"})
        case "click":  # a lock leaves the name up; taking it down is the alarm of Zoom's name
            alarms = {"wrong_verb": "claim"}
            return replace(refuted, alarms=alarms, quiet=_UNDOING, undo="verified")
        case "men":  # out of the zone while RDAP says active: expiry, no credit to anybody
            return Words([["unverifiable"]], None, "none")
        case "wang":
            alarms = {"hold_residual_glue": "claim"}
            return Words([["partial"]], "registry_hold", "registry", alarms=alarms, quiet=_LAPSING, **after)
        case "buzz":
            alarms = {"leaky_hold": "claim", "registrar_changed": Act.TRANSFER}
            said = [["verified", "relapsed"], ["verified"]]
            return Words(
                said, "registry_hold", "registry", alarms=alarms, quiet=_LAPSING, shows=Act.LEAKY_HOLD, **after
            )
        case "bond":
            said = [["verified", "relapsed"], ["verified"]]
            return Words(said, "registry_hold", "registry", quiet=_LAPSING, shows=Act.HOLD, **after)
        case "asia":
            alarms = {"epoch_changed": Act.REREGISTER}
            return Words(
                [["verified"]],
                "registry_delete",
                "registry",
                "reregistered",
                alarms=alarms,
                quiet=_LAPSING,
                shows=Act.DELETE,
            )
        case "cyou":
            wrong = "lifted_wrong" if fate(liar, number) is Fate.OVERTURNED else None
            return Words([["verified"]], "registry_hold", "registry", wrong, "verified", quiet=_UNDOING, shows=Act.HOLD)
    raise LookupError(liar.tld)


# Of the name that a clerk typed by mistake: there is a report of ours about it, and nobody was asked.
NEIGHBOUR = Words([], None, None, alarms={"neighbour_changed": Act.HOLD})

# What may be told beside: a name that is given back stays away for a day, and whoever looks after a hold is warned.
_UNDOING = frozenset({"hold_after_withdrawal", "undo_unanswered", "not_restored"})
_LAPSING = frozenset({"hold_lapsing", "hold_after_withdrawal"})
BY_TLD = {liar.tld: liar for liar in LIARS}


def names_of(liar: Liar, count: int) -> list[str]:
    """So many names of a registry, none of them a letter from another."""
    drawn = (hashlib.sha256(f"{SEED}/{liar.tld}/{n}".encode()).hexdigest()[:8] for n in range(count))
    return [f"{_WORDS[n % len(_WORDS)]}-{digest}.{liar.tld}" for n, digest in enumerate(drawn)]


def plan(folder: Path) -> Plan:
    """Five are written to by mail, five by webhook. Their clocks are short, so that an undo is repeated after a day."""
    cast = [
        Cast(
            liar.id,
            [liar.agreement],
            "smtp" if number % 2 else "webhook",
            f"notices@{liar.id}.sandbox.test",
            terms={
                "program": SUBJECTS[liar.asked],
                "registry": liar.id,
                "recipient": f"Registry of .{liar.tld}",
                "tlds": [liar.tld],
                "categories": ["opioids"],
                "basis": "simulated",
                "sources": ["https://registry.example/"],
                "as_of": datetime(2026, 11, 1, tzinfo=UTC).date(),
                "measures": {measure: measure for measure in SUBJECTS},
                "clocks": {
                    "acknowledge": {"within": "24h", "commitment": "none"},
                    "decide": {"within": "5d", "commitment": "none"},
                },
                "pace": {"per_hour": 1_000_000, "burst": 1_000_000, "per_day": 1_000_000},
            },
        )
        for number, liar in enumerate(LIARS)
    ]
    return Plan(cast, START, mix={"obey": 1.0}, seed=SEED, config=_config(folder))


def _config(folder: Path) -> Path:
    """The shipped configuration, in which ten top-level domains have other operators, and the program asks for more than
    holds."""
    copy = folder / "config"
    shutil.copytree(resources.folder("config"), copy)
    text = (copy / "programs" / "opioids.toml").read_text()
    for measure, program in SUBJECTS.items():
        changed = re.sub(r'^id = ".*"', f'id = "{program}"', text, count=1, flags=re.MULTILINE)
        changed = re.sub(r'^default_measure = ".*"', f'default_measure = "{measure}"', changed, flags=re.MULTILINE)
        (copy / "programs" / f"{program}.toml").write_text(changed)
    table = copy / "registries" / "tlds.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["tld"] in BY_TLD:
            row["registry"] = BY_TLD[row["tld"]].id
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return copy
