"""What every rule of a program is made of: its id, the ladder steps it guards, and what it rests on."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


class Recipient(StrEnum):
    """Who can be asked, closest to the content first."""

    HOST = "host"
    REGISTRAR = "registrar"
    REGISTRY = "registry"


def between(low: float, high: float) -> Any:
    """A number's field whose TOML value must lie in low..high."""
    return field(metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`steps`: the ladder steps before which the rule must pass. `hard`: a fail is a reason to reject.

    `evidence`: kinds that can lift it to a pass; `said`: fields of a report that can. Neither: we look ourselves.
    """

    type: ClassVar[str]
    evidence: ClassVar[tuple[str, ...]] = ()
    said: ClassVar[tuple[str, ...]] = ()
    id: str
    steps: frozenset[Recipient] = frozenset(Recipient)
    hard: bool = False
