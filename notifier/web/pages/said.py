"""What a page says once after a form was taken. Closed: an address can't put words of its own into our pages."""

from collections.abc import Mapping

SAID: Mapping[str, str] = {
    "password_changed": "Your password is changed, and your other sessions are over.",
    "session_ended": "That session is over.",
    "second_step_set": "Your second step is set: from now on you sign in with a code of your app.",
    "seat_given": "The seat is given.",
    "seat_ended": "The seat is ended, and so is every session in it.",
}
