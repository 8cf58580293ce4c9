"""Batches as people send them: the header row decides what is read, and nothing in it is guessed."""

import json

import pytest

from notifier.domain import sheet
from notifier.errors import Invalid


def test_a_head_of_another_name_is_read_and_told() -> None:
    batch = sheet.read(b"Reported host,registrable_domain\nevil.shop.example,shop.example\n", "text/csv", "piracy")
    assert batch.read_as == (("reported host", "domain"),)
    assert batch.ignored_columns == ("registrable_domain",)
    assert json.loads(batch.rows[0].raw or b"")["domain"] == "evil.shop.example"
    assert sheet.read(b"domain,host\na.example,b.example\n", "text/csv").read_as == (), "our own name comes first"


def test_a_column_that_could_be_one_of_two_is_not_guessed() -> None:
    with pytest.raises(Invalid, match="host and fqdn could each be the column domain"):
        sheet.read(b"host,fqdn\na.example,b.example\n", "text/csv")
