"""Everything at once: a sandbox that defers, refuses and cuts, daemons and sandbox killed, and two stories that agree.

`make chaos` runs it at full size, 1,000 notices and ten kills; NOTIFIER_TEST_CHAOS_SEED draws another run.
"""

import os
from pathlib import Path

import pytest

from .chaos import Chaos, Size

FULL = bool(os.environ.get("NOTIFIER_TEST_CHAOS"))
SEED = os.environ.get("NOTIFIER_TEST_CHAOS_SEED", "1")
SIZE = Size(1_000, 10, 5, SEED) if FULL else Size(30, 2, 1, SEED)


@pytest.mark.slow
@pytest.mark.timeout(3_000 if FULL else 300)
async def test_each_notice_is_accepted_once_or_asked_about(tmp_path: Path) -> None:
    outcome = await Chaos(tmp_path, SIZE).run()
    print(f"\nchaos, seed {SEED}: {outcome}\nfaults met: {dict(sorted(outcome.points.items()))}")
    assert outcome.faults == [], "\n".join(outcome.faults)
    assert sum(outcome.killed.values()) == SIZE.kills + SIZE.sandbox_kills
    assert outcome.states["sent"] > SIZE.notices / 2
