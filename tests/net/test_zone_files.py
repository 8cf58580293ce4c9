"""Counts out of zone files, in both styles that registries publish, counted by hand."""

import gzip
import io
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner

from notifier.cli.main import app
from notifier.net.name_files import NameFile
from notifier.net.zone_files import count_dependents, read_zone, write_counts
from notifier.suffixes import load_suffixes

SUFFIXES = load_suffixes()
ABSOLUTE = """\
com.\t900\tin\tsoa\ta.gtld-servers.net. nstld.verisign-grs.com. 1 2 3 4 5
alpha.com.\t172800\tin\tns\tns1.host.net.
alpha.com.\t172800\tin\tns\tns2.host.net.
beta.com.\t172800\tin\tns\tns1.host.net.
beta.com.\t172800\tin\tns\tns1.other.co.uk.
own.com.\t172800\tin\tns\tns1.own.com.
gamma.com.\t172800\tin\tns\tNS1.OWN.COM.
gamma.com.\t86400\tin\tds\t1 8 2 ABCD
ns1.own.com.\t172800\tin\ta\t192.0.2.1
"""
RELATIVE = """\
; the older style
$ORIGIN COM.
$TTL 172800
@ NS A.GTLD-SERVERS.NET.
ALPHA NS NS1.HOST.NET.
      NS NS2.HOST.NET.
BETA IN NS NS1.HOST.NET.
BETA 3600 IN NS NS1.OTHER.CO.UK. ; a remark
OWN NS NS1.OWN
GAMMA NS NS1.OWN
NS1.OWN A 192.0.2.1
"""
# host.net: alpha, beta. other.co.uk: beta. own.com: gamma, not itself. gtld-servers.net serves the zone, no name.
BY_HAND = Counter({"host.net": 2, "other.co.uk": 1, "own.com": 1})


def test_both_styles() -> None:
    assert count_dependents(ABSOLUTE.splitlines(), SUFFIXES) == BY_HAND
    assert count_dependents(RELATIVE.splitlines(), SUFFIXES) == BY_HAND
    assert count_dependents(["", ";", "$INCLUDE x", "x", "x ns", "x ns a b", "  ns a."], SUFFIXES) == Counter()


async def test_what_is_written_is_what_is_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "dependents.csv"
    text = io.StringIO()
    write_counts(BY_HAND, ["net", "com"], date(2026, 11, 20), text)
    path.write_text(text.getvalue(), encoding="utf-8")
    assert text.getvalue().splitlines()[:3] == [
        "# source: NS records of the zones com net",
        "# date: 2026-11-20",
        "host.net,2",
    ]
    file, at = NameFile(path, "name,count"), datetime(2026, 11, 25, tzinfo=UTC)
    assert (await file.number_of("host.net", at, timedelta(days=30))).value == 2
    assert (await file.number_of("alpha.com", at, timedelta(days=30))).value == 0


def test_the_command_reads_packed_zones(tmp_path: Path) -> None:
    zone, out = tmp_path / "com.txt.gz", tmp_path / "out.csv"
    zone.write_bytes(gzip.compress(ABSOLUTE.encode()))
    assert list(read_zone(zone)) == ABSOLUTE.splitlines(keepends=True)
    ran = CliRunner().invoke(app, ["survey", "count-dependents", str(zone), "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    assert out.read_text(encoding="utf-8").splitlines()[2:] == ["host.net,2", "other.co.uk,1", "own.com,1"]
    missing = CliRunner().invoke(app, ["survey", "count-dependents", str(tmp_path / "no.zone"), "--out", str(out)])
    assert missing.exit_code == 1
    zone.write_bytes(zone.read_bytes()[:-12])
    cut = CliRunner().invoke(app, ["survey", "count-dependents", str(zone), "--out", str(tmp_path / "new.csv")])
    assert cut.exit_code == 1
    assert not (tmp_path / "new.csv").exists()


async def test_names_of_a_label_are_found_in_a_list(tmp_path: Path) -> None:
    at, month = datetime(2026, 11, 2, tzinfo=UTC), timedelta(days=30)
    names, ranks, old = tmp_path / "names", tmp_path / "ranks", tmp_path / "old"
    listed = (
        "moviehaven.to\nmoviehaven.co.uk\nmymoviehaven.to\nmoviehaven.to.example.com\nx.moviehaven.to\nMoviehaven.se\n"
    )
    names.write_text(f"# source: a zone\n# date: 2026-11-01\n# moviehaven.comment\n{listed}")
    ranks.write_text("# date: 2026-11-01\n7,moviehaven.to\n8,other.to\n")
    old.write_text(f"# date: 2026-01-01\n{listed}")
    # A name of an upper case is none of a zone file; what lies below the label is a host that somebody else has.
    found = await NameFile(names, "name").labelled("moviehaven", at, month)
    assert found == ["moviehaven.to", "moviehaven.co.uk", "moviehaven.to.example.com"]
    assert await NameFile(ranks, "rank,name").labelled("moviehaven", at, month) == ["moviehaven.to"]
    assert await NameFile(old, "name").labelled("moviehaven", at, month) == []
    assert await NameFile(tmp_path / "none", "name").labelled("moviehaven", at, month) == []
