"""Which registration of a name is meant: a name that was dropped and registered again has another owner.

Evidence, approvals and notices bind to one registration object, told apart by its handle (the ROID, RFC 5730 §2.8)
and its latest registration event (RFC 9083 §10.2.3). A transfer between registrars is no new registration.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from notifier.errors import Invalid

_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One registration. A part that the registry did not tell is None; `registered_at` is aware."""

    handle: str | None = None
    registered_at: datetime | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """The epoch that `str` wrote. Raises Invalid for another text."""
        handle, at, moment = text.rpartition("@")
        if not at:
            raise Invalid(f"not a stored epoch: {text!r}")
        try:
            registered_at = None if moment == _NOTHING else datetime.fromisoformat(moment)
        except ValueError as fault:
            raise Invalid(f"not a stored epoch: {text!r}") from fault
        return cls(None if handle == _NOTHING else handle, registered_at)

    def __str__(self) -> str:
        moment = self.registered_at.astimezone(UTC).isoformat() if self.registered_at else _NOTHING
        return f"{self.handle or _NOTHING}@{moment}"

    @property
    def known(self) -> bool:
        """Whether anything names this registration."""
        return self.handle is not None or self.registered_at is not None

    def succeeded_by(self, seen: "Epoch", *, purged: bool = False) -> bool:
        """Whether `seen` is another registration than this one. What either did not tell is not held against it.

        `purged`: in between, registry and zone both knew no such name. Then only the same registration event proves
        that it is the same object; a handle may be no more than the name itself.
        """
        if self.handle and seen.handle and self.handle != seen.handle:
            return True
        if self.registered_at and seen.registered_at:
            return seen.registered_at > self.registered_at
        return purged

    def completed_by(self, seen: "Epoch") -> "Epoch":
        """This registration with what a later look told beside it; nothing that was told before is replaced."""
        return replace(self, handle=self.handle or seen.handle, registered_at=self.registered_at or seen.registered_at)
