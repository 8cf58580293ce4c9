"""What a page says once after a form was taken. Closed: an address can't put words of its own into our pages."""

from collections.abc import Mapping

SAID: Mapping[str, str] = {
    "password_changed": "Your password is changed, and your other sessions are over.",
    "session_ended": "That session is over.",
    "second_step_set": "Your second step is set: from now on you sign in with a code of your app.",
    "seat_given": "The seat is given.",
    "seat_ended": "The seat is ended, and so is every session in it.",
    "case_assigned": "The case is assigned.",
    "case_rejected": "The case is rejected.",
    "case_returned": "The case went back for more evidence.",
    "case_withdrawn": "The case is withdrawn, and everyone who was told is told so.",
    "case_closed": "The watch over the case is ended.",
    "case_merged": "The case is merged into this one.",
    "reports_moved": "The reports are here now, with their evidence; both cases were judged anew.",
    "case_kept": "What is held is kept for one more term.",
    "case_approved": "Approved. The notice leaves when the cancel window is over.",
    "case_approved_once": "Your approval is recorded; a second person must approve too.",
    "approval_cancelled": "The approval is cancelled, and the case is under review again.",
    "party_passed": "That party is passed over.",
    "contact_given": "The contact is kept. You may not approve this case any more.",
    "answer_kept": "The answer is kept; another person approves the amended notice.",
    "look_asked": "A look at the name is asked for, and is taken in a moment.",
    "evidence_added": "The evidence is added. You may not approve this case any more.",
    "hold_placed": "The case is under a legal hold: nothing of it is erased.",
    "hold_lifted": "The legal hold is lifted.",
    "bulk_done": "Done, for every case that you chose.",
    "queue_done": "That was the last case of this queue.",
}
