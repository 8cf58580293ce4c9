"""What each refusal code means to whoever typed the name, and what to do about it."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """`means` in a few words; `do`: the next step."""

    means: str
    do: str


REFUSALS: Mapping[str, Words] = {
    "no_host": Words("No name in it", "Give the domain, or the address of a page on it."),
    "ip_not_domain": Words(
        "An address, not a name", "Only domain names are taken here; an IP address goes to its host."
    ),
    "public_suffix": Words("An ending under which others register", "Name the one domain below it that does the harm."),
    "invalid_name": Words("No such name can exist", "Compare it letter by letter with what you saw, and type it anew."),
    "ambiguous_host": Words(
        "Programs read this address differently", "Give the plain domain, without what surrounds it."
    ),
    "too_large": Words("Too long", "Shorten it; files go to the case afterwards."),
    "protected": Words(
        "A name that is never acted on", "If the harm is real, write to its operator; nothing is asked for here."
    ),
    "several_domains": Words("More than one domain", "Send one report for each domain."),
    "unknown_program": Words("No such program for you", "Choose one of the programs in the list."),
    "csam_refused": Words(
        "Not taken here",
        "Report it to NCMEC (report.cybertip.org) or the IWF (report.iwf.org.uk). Nothing of it was kept.",
    ),
    "invalid_report": Words("A field cannot be read", "Mend the field that is named, and send it again."),
    "malformed": Words("It cannot be read", "Look at the row or field that is named; nothing of it was guessed."),
    "quota_exceeded": Words("Over what may be sent in this time", "Send it again later; what was sent stays."),
    "idempotency_mismatch": Words("Sent twice with other words", "Open the form anew and send it once."),
}
_OTHER = Words("Refused", "Read why below, mend it, and send it again.")


def words_of(code: str | None) -> Words:
    """The words for a code."""
    return REFUSALS.get(code or "", _OTHER)
