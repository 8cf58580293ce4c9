"""Every fault of a configuration is found in one pass, with its file and its key."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from notifier.catalog import ConfigFaults, check, load_catalog, program_of
from notifier.resources import folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("samples", "*.py", "*.md")
    return Path(shutil.copytree(folder("config"), tmp_path / "config", ignore=ignored))


def edit(file: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(config: Path) -> None:
        path = config / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer has {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return apply


def write(file: str, text: str) -> Callable[[Path], None]:
    def apply(config: Path) -> None:
        (config / file).write_text(text, encoding="utf-8")

    return apply


def move(old: str, new: str) -> Callable[[Path], None]:
    def apply(config: Path) -> None:
        (config / old).rename(config / new)

    return apply


def test_a_folder_that_changed_in_place_is_read_anew(config: Path) -> None:
    """A running daemon is told to look again; what a process read before must not be what it finds."""
    before = load_catalog(config)
    edit("programs/opioids.toml", "second_review = false", "second_review = true")(config)
    after = load_catalog(config)
    assert (before.programs["opioids"].second_review, after.programs["opioids"].second_review) == (False, True)
    edit("programs/opioids.toml", "second_review = true", "second_review = maybe")(config)
    with pytest.raises(ConfigFaults):
        load_catalog(config)


EVENT = """
program = "live-event"
[[events]]
id = "cup-2027"
title = "Cup"
starts = 2027-01-02T18:00:00Z
ends = 2027-01-02T20:00:00Z
margin = "30min"
organisations = ["live-rights"]
feed = "feed-1"
"""

VERISIGN, PIR = "agreements/opioids.verisign.toml", "agreements/opioids.pir.toml"
RADIX, DIGITAL = "agreements/piracy.radix.toml", "agreements/piracy.identity-digital.toml"
US = "agreements/opioids.registry-services.toml"

# What is done to the shipped folder, and (file, key, words) of the fault. All of it is done at once, too.
BROKEN: dict[str, tuple[Callable[[Path], None], tuple[str, str, str]]] = {
    "unknown key": (edit(VERISIGN, "as_of", "colour = 1\nas_of"), (VERISIGN, "colour", "is not known")),
    "unknown program": (edit(PIR, '"opioids"', '"opiods"'), (PIR, "program", "opiods is no program")),
    "unknown registry": (edit(US, '"registry-services"', '"neustar"'), (US, "registry", "neustar is no registry")),
    "hopping list for nobody": (
        edit(
            "programs/authority-order.toml", "appeal = ", 'share_hops = true\nshare_hops_with = ["neustar"]\nappeal = '
        ),
        ("programs/authority-order.toml", "share_hops_with", "neustar is no registry"),
    ),
    "wrong type": (edit(RADIX, "as_of = 2026-11-25", 'as_of = "soon"'), (RADIX, "as_of", "is 'soon'")),
    "missing key": (edit(DIGITAL, "recipient = ", "# recipient = "), (DIGITAL, "recipient", "is missing")),
    "foreign top-level domain": (edit(VERISIGN, '"net"]', '"org"]'), (VERISIGN, "tlds", "org is not operated by")),
    "measure outside the program": (
        edit(RADIX, 'hold = "suspension"', 'hold = "suspension"\ndelete = "delete"'),
        (RADIX, "measures.delete", "may not be asked for"),
    ),
    "unknown calendar": (
        edit(VERISIGN, 'days = 1, calendar = "us-federal"', 'days = 1, calendar = "mars"'),
        (VERISIGN, "clocks.acknowledge.within", "there is no calendar mars"),
    ),
    "wrong commitment": (
        edit(DIGITAL, 'commitment = "none"', 'commitment = "maybe"'),
        (DIGITAL, "clocks.acknowledge.commitment", "is 'maybe'"),
    ),
    "address without adapter": (
        edit(PIR, "[measures]", '[address]\nto = "x@y.example"\n[measures]'),
        (PIR, "adapter", "is missing beside an address"),
    ),
    "unknown adapter": (
        edit(RADIX, "as_of", 'adapter = "fax"\naddress = { to = "1" }\nas_of'),
        (RADIX, "adapter", "fax is no adapter"),
    ),
    "smtp without a mailbox": (
        edit(DIGITAL, "as_of", 'adapter = "smtp"\naddress = { to = "nobody" }\nas_of'),
        (DIGITAL, "address.to", "is 'nobody'"),
    ),
    "category left out": (
        edit(US, 'categories = ["opioids"]', 'categories = ["piracy"]'),
        (US, "categories", "leave out opioids"),
    ),
    "file name": (
        move("agreements/opioids.pir.toml", "agreements/opioids.com.toml"),
        ("agreements/opioids.com.toml", "", "is named opioids.com"),
    ),
    "two registries for one": (
        edit("registries/tlds.csv", "\norg,", "\ncom,gtld,pir,PIR,,,,,\norg,"),
        ("registries/tlds.csv", "line *", "belongs to verisign and to pir"),
    ),
    "bad RDAP base": (
        edit("registries/tlds.csv", "https://rdap.nic.aaa/", "rdap.nic.aaa"),
        ("registries/tlds.csv", "line 2 aaa", "rdap is 'rdap.nic.aaa'"),
    ),
    "words for no measure": (
        edit("registries/nominet.toml", "[words]", '[words]\nfreeze = "x"'),
        ("registries/nominet.toml", "words.freeze", "is no measure"),
    ),
    "facts about nobody": (
        write("registries/atlantis.toml", 'name = "A"\nsource = "B"\nas_of = 2026-01-01\n'),
        ("registries/atlantis.toml", "", "names no registry"),
    ),
    "rule of no kind": (
        edit("programs/piracy.toml", 'type = "pervasive"', 'type = "hunch"'),
        ("programs/piracy.toml", "rules[*].type", "is 'hunch'"),
    ),
    "ladder by an unknown calendar": (
        edit("programs/pharmacy.toml", 'calendar = "us-federal"', 'calendar = "moon"'),
        ("programs/pharmacy.toml", "ladder[2].window", "there is no calendar moon"),
    ),
    "program under another name": (
        edit("programs/pharmacy.toml", 'id = "pharmacy"', 'id = "chemist"'),
        ("programs/pharmacy.toml", "id", "is chemist"),
    ),
    "no TOML": (write("agreements/x.y.toml", "= ="), ("agreements/x.y.toml", "", "is not TOML")),
    "calendar without a zone": (
        edit("calendars/utc-weekdays.toml", '"Etc/UTC"', '"Etc/Nowhere"'),
        ("calendars/utc-weekdays.toml", "timezone", "is 'Etc/Nowhere'"),
    ),
    "calendar with a day off on a Saturday": (
        edit("calendars/us-federal.toml", "2026-06-19, 2026-07-03,", "2026-06-19, 2026-07-04,"),
        ("calendars/us-federal.toml", "holidays", "lists 2026-07-04, on a weekend"),
    ),
    "calendar under another name": (
        edit("calendars/england-wales.toml", 'id = "england-wales"', 'id = "britain"'),
        ("calendars/england-wales.toml", "id", "is britain"),
    ),
    "calendar that is no TOML": (write("calendars/mars.toml", "sol 1"), ("calendars/mars.toml", "", "is not TOML")),
    "calendar of nothing": (write("calendars/venus.toml", ""), ("calendars/venus.toml", "covers", "is None")),
    "event without a zone": (
        edit("events/sample.toml", "starts = 2026-11-02T13:00:00Z", "starts = 2026-11-02T13:00:00"),
        ("events/sample.toml", "events[0].starts", "datetime.datetime(2026, 11, 2, 13, 0)"),
    ),
    "event of no program": (
        write("events/x.toml", EVENT.replace("live-event", "boxing")),
        ("events/x.toml", "program", "boxing is no program"),
    ),
    "event of a program without windows": (
        write("events/y.toml", EVENT.replace("live-event", "piracy")),
        ("events/y.toml", "program", "piracy has no rule in_event_window"),
    ),
    "event longer than its program takes": (
        write("events/z.toml", EVENT.replace("ends = 2027-01-02T20:00:00Z", "ends = 2027-01-03T06:00:01Z")),
        ("events/z.toml", "cup-2027", "lasts"),
    ),
    "event that is registered twice": (
        write("events/w.toml", EVENT.replace("cup-2027", "sample-final-2026")),
        ("events/w.toml", "sample-final-2026", "is registered in another file"),
    ),
    "alternative that is no rule": (
        edit("programs/live-event.toml", '"verified-before", "dedicated"]', '"verified-before", "famous"]'),
        ("programs/live-event.toml", "rules[*].of", "names famous"),
    ),
    "rule about no program": (
        edit("programs/live-event.toml", 'programs = ["live-event", "piracy"]', 'programs = ["opera"]'),
        ("programs/live-event.toml", "rules[*].programs", "opera is no program"),
    ),
    "threshold that is no number": (
        edit("safety.toml", "pages_reroute = 40", 'pages_reroute = "many"'),
        ("safety.toml", "host_names.pages_reroute", "is 'many'"),
    ),
    "thresholds the wrong way round": (
        edit("safety.toml", "reroute = 10\n", "reroute = 0\n"),
        ("safety.toml", "dependents.reroute", "is 0"),
    ),
    "threshold that is missing": (
        edit("safety.toml", "[mail] # a name that takes mail", "[mail]\nage = 3 #"),
        ("safety.toml", "mail.age", "is not known"),
    ),
    "sign that nobody knows": (
        edit("safety.toml", "stated = 2", "stated = 2\nsmell = 1"),
        ("safety.toml", "compromised.signs.smell", "is not known"),
    ),
    "a span in words": (
        edit("safety.toml", 'retry = "15min"', 'retry = "soon"'),
        ("safety.toml", "times.retry", "is 'soon'"),
    ),
    "parking server with a capital": (
        edit("safety.toml", '"bodis.com"', '"Bodis.com"'),
        ("safety.toml", "parked.name_servers", "is ["),
    ),
    "list entry": (
        edit("lists/platforms.txt", "\nbit.ly", "\nBit.ly"),
        ("lists/platforms.txt", "line *", "name 'Bit.ly'"),
    ),
}


def matches(fault: object, wanted: tuple[str, str, str]) -> bool:
    file, key, words = wanted
    pattern = re.escape(key).replace(r"\*", ".+")
    return (
        getattr(fault, "file", "") == file
        and re.fullmatch(pattern, getattr(fault, "key", "")) is not None
        and words in getattr(fault, "what", "")
    )


def test_the_shipped_folder_has_no_fault(config: Path) -> None:
    assert check(config, adapters={"smtp", "webhook"}) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_is_named_with_file_and_key(config: Path, name: str) -> None:
    break_it, wanted = BROKEN[name]
    break_it(config)
    found = check(config, adapters={"smtp", "webhook"})
    assert any(matches(fault, wanted) for fault in found), list(map(str, found))
    assert all(fault.expected for fault in found)


def test_all_faults_are_named_at_once(config: Path) -> None:
    # These speak of a program or registry that another one of them breaks, or of a file that it moves.
    clash = {
        "category left out",
        "measure outside the program",
        "file name",
        "unknown calendar",
        "foreign top-level domain",
        "alternative that is no rule",
        "event without a zone",
        "event that is registered twice",
        "event of a program without windows",
        "event longer than its program takes",
    }
    chosen = {name: what for name, what in BROKEN.items() if name not in clash}
    assert len(chosen) >= 12
    for break_it, _ in chosen.values():
        break_it(config)
    with pytest.raises(ConfigFaults) as raised:
        load_catalog(config, adapters={"smtp", "webhook"})
    faults = raised.value.faults
    missing = [name for name, (_, wanted) in chosen.items() if not any(matches(f, wanted) for f in faults)]
    assert missing == [], str(raised.value)
    assert str(faults[0]) in str(raised.value).splitlines()


def test_a_fault_reads_as_file_key_what_expected(config: Path) -> None:
    BROKEN["missing key"][0](config)
    assert [str(fault) for fault in check(config)] == [f"{DIGITAL}: recipient: is missing, expected a text"]


def test_a_top_level_domain_with_two_operators_stops_the_catalog(config: Path) -> None:
    BROKEN["two registries for one"][0](config)
    with pytest.raises(ConfigFaults):
        load_catalog(config)


def test_an_empty_folder_names_what_is_missing(tmp_path: Path) -> None:
    files = {fault.file for fault in check(tmp_path)}
    assert {"registries/tlds.csv", "programs", "lists/protected.txt"} <= files


def test_a_changed_channel_changes_the_digest_that_was_armed(config: Path) -> None:
    before = load_catalog(config).agreements["opioids.pir"].digest
    edit(PIR, "as_of", 'adapter = "smtp"\naddress = { to = "a@b.example" }\nas_of')(config)
    first = load_catalog(config).agreements["opioids.pir"]
    edit(PIR, "a@b.example", "a@c.example")(config)
    second = load_catalog(config).agreements["opioids.pir"]
    assert len({before, first.digest, second.digest}) == 3
    assert (first.recipient_address, second.recipient_address) == ("a@b.example", "a@c.example")


def test_layout_and_comments_do_not_change_a_digest(config: Path) -> None:
    before = load_catalog(config)
    edit(PIR, 'program = "opioids"', '# why\n\nprogram   =   "opioids"')(config)
    edit("programs/piracy.toml", 'id = "piracy"', '# why\nid = "piracy"')(config)
    after = load_catalog(config)
    assert before.agreements["opioids.pir"].digest == after.agreements["opioids.pir"].digest
    assert before.programs["piracy"].digest == after.programs["piracy"].digest


# --- a program's file before it is adopted ------------------------------------------------------------------------


def test_a_program_is_checked_wherever_it_lies(config: Path, tmp_path: Path) -> None:
    known = load_catalog(config)
    shipped = config / "programs" / "opioids.toml"
    assert program_of(shipped, known) == known.programs["opioids"]
    draft = tmp_path / "draft.toml"
    draft.write_text(shipped.read_text().replace('max_age = "14d"', 'max_age = "7d"'))
    assert program_of(draft, known).digest != known.programs["opioids"].digest


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (
            '"lock", "hold", "delete", "content_removal"',
            '"hold", "content_removal"',
            ("draft.toml", "measures", "lack delete"),
        ),
        ('category = "opioids"', 'category = "drugs"', ("draft.toml", "category", "is drugs")),
        ('type = "fresh"', 'type = "new"', ("draft.toml", "rules[8].type", "is 'new'")),
        ('calendar = "us-federal"', 'calendar = "moon"', ("draft.toml", "ladder[2].window", "no calendar moon")),
    ],
)
def test_a_program_that_does_not_fit_what_is_configured(
    config: Path, tmp_path: Path, old: str, new: str, wanted: tuple[str, str, str]
) -> None:
    draft = tmp_path / "draft.toml"
    text = (config / "programs" / "opioids.toml").read_text()
    assert old in text
    draft.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigFaults) as raised:
        program_of(draft, load_catalog(config))
    assert any(matches(fault, wanted) for fault in raised.value.faults), str(raised.value)
