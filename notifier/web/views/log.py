"""Views of the audit log and its proofs. Hashes are lower-case hex."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pydantic import Field

from notifier.services.audit import ConsistencyProof, InclusionProof
from notifier.store.audit import SignedCheckpoint
from notifier.web.views.base import View


class AuditEntryOut(View):
    """An audit entry. `body` is the exact text that is hashed."""

    id: int
    at: datetime
    actor: str
    via: str
    tag: str
    subject: str
    case_id: UUID | None
    rev: int | None
    body: str


class AuditPage(View):
    items: list[AuditEntryOut]
    next_since_id: int | None = Field(description="`since_id` of the next page; null at the end.")


class CheckpointOut(View):
    """The newest signed tree head."""

    size: int
    root: str = Field(description="Root hash, lower-case hex.")
    note: str = Field(description="The C2SP signed note.")

    @classmethod
    def shown(cls, checkpoint: SignedCheckpoint) -> "CheckpointOut":
        return cls(size=checkpoint.size, root=checkpoint.root.hex(), note=checkpoint.note)


def _hex(hashes: Iterable[bytes]) -> list[str]:
    return [digest.hex() for digest in hashes]


class InclusionOut(View):
    """Proof that an entry is under a checkpoint (RFC 9162 §2.1.3). Hashes in lower-case hex."""

    entry_id: int
    index: int
    size: int
    leaf_hash: str
    path: list[str]
    checkpoint: str

    @classmethod
    def shown(cls, proof: InclusionProof) -> "InclusionOut":
        return cls(
            entry_id=proof.entry_id,
            index=proof.index,
            size=proof.size,
            leaf_hash=proof.leaf_hash.hex(),
            path=_hex(proof.path),
            checkpoint=proof.checkpoint,
        )


class ConsistencyOut(View):
    """Proof that a newer tree only adds to an older one (RFC 9162 §2.1.4). Hashes in lower-case hex."""

    old: int
    new: int
    old_root: str
    new_root: str
    path: list[str]

    @classmethod
    def shown(cls, proof: ConsistencyProof) -> "ConsistencyOut":
        return cls(
            old=proof.old,
            new=proof.new,
            old_root=proof.old_root.hex(),
            new_root=proof.new_root.hex(),
            path=_hex(proof.path),
        )
