"""How many examples a run draws."""

import os

_ALL = bool(os.environ.get("NOTIFIER_TEST_FUZZ"))


def some(of: int) -> int:
    """A fifth of `of`: each run draws others, so what one misses the next ones meet. `make fuzz` draws them all."""
    return of if _ALL else of // 5
