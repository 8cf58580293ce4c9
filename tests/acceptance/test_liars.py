"""A sandbox that lies: ten registries with a fault each, 180 simulated days, and the closing table is the sandbox's own.

`make liars` runs it at full size, 500 cases.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from .liars import Liars

FULL = bool(os.environ.get("NOTIFIER_TEST_LIARS"))
COUNT = int(os.environ.get("NOTIFIER_TEST_LIARS_COUNT") or (50 if FULL else 1))  # names of each registry


@pytest.fixture
def only_warnings() -> Iterator[None]:
    """A line for each request would hide the table."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.configure(**before)


@pytest.mark.slow
@pytest.mark.usefixtures("only_warnings")
@pytest.mark.timeout(7_200 if FULL else 600)
async def test_what_we_say_is_what_they_did(tmp_path: Path, database_url: str) -> None:
    ending = await Liars(tmp_path, database_url, COUNT).run()
    print(f"\n{ending}")
    assert ending.faults == [], "\n".join(ending.faults)
