"""What each party of a case was asked and what it said, as the rules count it and as the next party is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notifier.domain.evidence import Evidence, parse_evidence
from notifier.domain.facts import OURS, Supplied
from notifier.domain.outcome import PROVEN
from notifier.domain.rule import Recipient
from notifier.store import contacts
from notifier.store.contacts import Exchange
from notifier.store.database import Connection

_COMMENT = 1_000  # characters of an answer that the rules read; the whole of it is with the notice
_HEARD = {
    None: "none",
    "acknowledged": "acknowledged",
    "needs_info": "acknowledged",
    "declined": "declined",
}


async def asked_by_us(con: Connection, case_id: str, until: datetime | None = None) -> list[Supplied]:
    """Our own notices to host and registrar as `prior_contact`: what we asked ourselves need not be proven by papers."""
    found = await contacts.exchanges(con, case_id, until)
    return [Supplied(e.notice_id, OURS, _contact(e)) for e in found if e.party is not Recipient.REGISTRY]


def _contact(said: Exchange) -> Evidence:
    # A claim that was not seen done is no act: else a word alone would end the ladder.
    done = said.answer == "action_taken" and said.verdict in {str(verdict) for verdict in PROVEN}
    heard = _HEARD.get(said.answer, "acknowledged")
    return parse_evidence(
        {
            "kind": "prior_contact",
            "party": str(said.party),
            "address": said.address,
            "contacted_at": said.at,
            "response": "undeliverable" if said.bounced else "acted" if done else heard,
            "responded_at": said.answered_at,
            "summary": in_words(replace(said, comment=said.comment[:_COMMENT])),
        }
    )


def in_words(said: Exchange) -> str:
    """One sentence, for the next party and for the reviewer."""
    asked = f"asked for {said.measure} by notice {said.notice_id}"
    if said.bounced:
        return f"{asked}; it could not be delivered"
    if said.answer is None:
        return f"{asked}; no answer"
    at = f" at {said.answered_at:%Y-%m-%d %H:%M} UTC" if said.answered_at else ""
    heard = {
        "acknowledged": "it acknowledged",
        "needs_info": "it asked for more",
        "declined": f"it declined ({said.reason or 'no reason given'})",
        "action_taken": f"it said that it acted; what we saw of it: {(said.verdict or 'pending').replace('_', ' ')}",
    }[said.answer]
    return f"{asked}; {heard}{at}" + (f': "{said.comment}"' if said.comment else "")


def told(exchanges: Sequence[Exchange]) -> str:
    """The whole correspondence of a case, a line for each notice."""
    return "\n".join(f"{e.at:%Y-%m-%d %H:%M} UTC, {e.party} {e.name}: {in_words(e)}" for e in exchanges)
