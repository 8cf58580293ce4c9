"""Every scenario of the fact sheet's section 5.11 has its test, under its number."""

import re
from collections import Counter
from pathlib import Path


def test_each_of_the_34_is_here_once() -> None:
    found = Counter(
        int(number)
        for file in Path(__file__).parent.glob("test_*.py")
        for number in re.findall(r"^(?:async )?def test_(\d\d)_", file.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert dict(found) == dict.fromkeys(range(1, 35), 1)
