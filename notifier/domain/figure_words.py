"""Figures as people read them: stages, times and shares in words, a share with its interval, a length of time."""

from notifier.domain.figures import Share

STAGE_WORDS = {"opened": "cases opened", "sent": "notified", "received": "reached the recipient"}
TIME_WORDS = {
    "notice": "From opening to notice",
    "receipt": "From notice to receipt",
    "acknowledgement": "From notice to first answer",
    "claim": "From notice to claimed act",
    "verified": "From notice to verified success",
    "relapse": "From success to relapse",
    "hop": "From success to a successor",
}
SHARE_WORDS = {
    "success": "verified success",
    "accuracy": "accuracy",
    "gap": "claims not seen",
    "relapsed": "relapsed",
    "hopped": "followed by a successor",
}


def share_words(share: Share) -> str:
    """`1 of 2: 50.0 % (9.5 to 90.5)*`; the star marks fewer than ten."""
    if share.share is None:
        return "0 of 0"
    interval = f"{100 * share.low:.1f} to {100 * share.high:.1f}"
    return f"{share.n} of {share.of}: {100 * share.share:.1f} % ({interval}){'*' if share.few else ''}"


def span(seconds: float | None) -> str:
    """A length of time in the unit that fits it; a dash when there is none."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
