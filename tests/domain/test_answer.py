"""The words of an answer are the contract's: scripts of recipients say them."""

import pytest

from notifier.domain.answer import ACTORS, DECLINE_REASONS, KINDS, Answer, check
from notifier.domain.epp import Measure
from notifier.errors import Invalid


def test_the_words() -> None:
    assert KINDS == ("acknowledged", "needs_info", "declined", "action_taken")
    assert ACTORS == ("registry", "registrar", "host", "registrant")
    assert DECLINE_REASONS == (
        "declined_nexus",
        "declined_insufficient",
        "declined_out_of_scope",
        "declined_court_order_required",
        "declined_collateral",
        "declined_compromised",
        "declined_other",
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("burnt"), "kind is one of"),
        (Answer("action_taken"), "names its measure"),
        (Answer("declined"), "names its reason"),
        (Answer("declined", reason="because"), "names its reason"),
        (Answer("acknowledged", actor="somebody"), "actor is one of"),
    ],
)
def test_what_an_answer_must_name(answer: Answer, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        check(answer)
    check(Answer("action_taken", Measure.HOLD, "registry"))
