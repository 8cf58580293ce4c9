"""The demonstration, whole, as a newcomer runs it; any connection that leaves the machine ends it at once."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

# Every way out of a Python process that names an address: connect, send without connecting, and asking for a name.
_GUARDED = """
import ipaddress, os, sys

def guard(event, args):
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if isinstance(address, tuple) and not ipaddress.ip_address(address[0].split("%")[0]).is_loopback:
            os.write(2, f"LEFT THE MACHINE: {event} {address}\\n".encode()); os._exit(97)
    if event == "socket.getaddrinfo" and args[0] not in (None, "localhost", "127.0.0.1", "::1", b"127.0.0.1"):
        os.write(2, f"ASKED FOR A NAME: {args[0]!r}\\n".encode()); os._exit(98)

sys.addaudithook(guard)
sys.argv = ["notifier", "demo", "--json"]
from notifier.cli.main import app
app()
"""


pytestmark = pytest.mark.timeout(900)  # the first waits for it


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    run = subprocess.run([sys.executable, "-c", _GUARDED], capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_every_report_settles_and_the_log_verifies(summary: dict[str, Any]) -> None:
    assert (summary["reports"], summary["settled"], summary["unsettled"]) == (200, 200, [])
    assert summary["audit"]["verified"]
    assert summary["audit"]["sealed"] == summary["audit"]["entries"]


def test_what_may_not_be_touched_is_refused(summary: dict[str, Any]) -> None:
    # config/samples/README.md, rows 171 to 185.
    assert summary["refused"] == {"public_suffix": 4, "ip_not_domain": 4, "protected": 6, "invalid_name": 1}
    assert summary["cases"] == 185


def test_the_outcomes_are_those_of_the_mix(summary: dict[str, Any]) -> None:
    """145 notices shared out by the mix of demo.toml, by hand: whole parts 138, and the seven largest remainders.

    registrar_acts 65.25, obey 36.25, host_acts 11.6, nexus 4.35, insufficient 4.35, court order 2.9, lie 5.8,
    silent 5.8, wrong_verb 2.9, bounce 2.9, delay 1.45, throttle 1.45.
    """
    counted: Counter[str] = Counter()
    for row in summary["outcomes"]:
        counted[row["outcome"]] += row["n"]
    assert counted == {
        "registrar_hold": 65,
        "registry_hold": 36 + 2 + 1,  # obey, and those that delay or were throttled first
        "host_removed": 12,
        "declined_nexus": 4,
        "declined_insufficient": 4,
        "declined_court_order_required": 3,
        "claimed_not_done": 6 + 3,  # lies, and a lock where a hold was asked and claimed
        "no_response": 6,
    }
    assert summary["notices"] == {"bounced": 3, "sent": 142}


def test_credit_goes_to_whom_the_status_names(summary: dict[str, Any]) -> None:
    actors = {(row["outcome"], row["actor"], row["observed"]) for row in summary["outcomes"] if row["claimed"] != "-"}
    assert actors == {
        ("registrar_hold", "registrar", "verified"),
        ("registry_hold", "registry", "verified"),
        ("host_removed", "host", "verified"),
        ("claimed_not_done", "none", "contradicted"),
    }


def test_shared_names_and_lost_notices_wait_for_a_person(summary: dict[str, Any]) -> None:
    # 15 shared names or names without an agreement that may be reviewed, and 3 notices that bounced.
    assert summary["waiting_for_person"] == {"no_contact": 15 + 3}
    # Nobody waited longer than the cancel window of 30 minutes.
    assert summary["median_time_to_notice_s"] == 30 * 60
