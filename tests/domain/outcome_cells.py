"""The verification table as data: claim by claim, what the registry's RDAP says by what the parent zone says.

Written by hand from the fact sheet (5.5) and RFC 5731 §2.3, RFC 3915 §3.1, RFC 9083 §5.3, RFC 2308 §2. Columns: the parent
zone delegates as before (`up`) or to other servers (`moved`), denies the name (`gone`), denies it and keeps something
of it (`glue`), or does not tell (`mute`). A cell is what stands after two looks that agree, and after the deadline:

    .     pending, and pending                       C     pending, then contradicted: claimed_not_done
    CI    the same, and RDAP and zone disagree       W     contradicted at once: the wrong verb was applied
    U     pending, then unverifiable                 UD    the same, and a deletion nobody claimed is told at once
    US    the same, and told at once that the whole name was suspended
    E     another registration: superseded_epoch

or, for both, a word of SHORT: verdict, outcome, who is credited (`-`: none). Alarms have an exclamation mark.
"""

SHORT = {
    "NS": "partial registrar_ns_change registrar !nameservers_changed",
    "RH": "verified registry_hold registry",
    "PH": "partial registry_hold registry",
    "rh": "verified registrar_hold registrar",
    "ph": "partial registrar_hold registrar",
    "RD": "verified registry_delete registry",
    "PD": "partial registry_delete registry",
    "RL": "verified registry_lock registry",
    "PL": "partial registry_lock registry",
    "PP": "partial partial_lock registry",
    "dRH": "verified_dns_only registry_hold registry",
    "dRD": "verified_dns_only registry_delete registry",
    "dB": "verified_dns_only - registry",
    "HR": "verified host_removed host",
    "S": "unverifiable already_suspended none",
    "L": "unverifiable already_locked none",
    "X": "unverifiable expired_lapsed none",
    "N": "unverifiable - none",
    "B": "verified - registry",
    "b": "verified - registrar",
    "!glue": "!hold_residual_glue",
    "!leaky": "!leaky_hold",
    "!ns": "!nameservers_changed",
    "-": "unverifiable - -",
}

COLUMNS = ("up", "moved", "gone", "glue", "mute")

HOLD = """
active         | C            | C            | U            | U            | .
inactive       | C            | C            | U            | U            | .
lock           | C            | C            | U            | U            | .
part_lock      | C            | C            | U            | U            | .
client_lock    | C            | C            | U            | U            | .
pending_update | C            | C            | U            | U            | .
hold           | CI           | CI           | RH           | PH !glue     | .
bare_hold      | CI           | CI           | RH !leaky    | PH !glue !leaky | .
client_hold    | CI           | CI           | rh           | ph !glue     | .
both_holds     | CI           | CI           | RH           | PH !glue     | .
redemption     | CI           | CI           | UD           | UD           | .
pending_delete | CI           | CI           | UD           | UD           | .
absent         | C            | C            | X            | .            | .
no_rdap        | C            | C            | dRH          | PH !glue     | .
mute           | C            | C            | .            | .            | .
other          | E            | E            | E            | E            | E
"""

LOCK = """
active         | C            | C            | W            | W            | .
inactive       | C            | C            | W            | W            | .
lock           | RL           | PL !ns       | W            | W            | .
part_lock      | PP           | PP !ns       | W            | W            | .
client_lock    | C            | C            | W            | W            | .
pending_update | C            | C            | W            | W            | .
hold           | W            | W            | W            | W            | W
bare_hold      | W            | W            | W            | W            | W
client_hold    | W            | W            | W            | W            | W
both_holds     | W            | W            | W            | W            | W
redemption     | W            | W            | W            | W            | W
pending_delete | W            | W            | W            | W            | W
absent         | .            | .            | W            | W            | .
no_rdap        | .            | .            | W            | W            | .
mute           | .            | .            | W            | W            | .
other          | E            | E            | E            | E            | E
"""

DELETE = """
active         | C            | C            | U            | U            | .
inactive       | C            | C            | U            | U            | .
lock           | C            | C            | U            | U            | .
part_lock      | C            | C            | U            | U            | .
client_lock    | C            | C            | U            | U            | .
pending_update | C            | C            | U            | U            | .
hold           | CI           | CI           | PH           | PH !glue     | .
bare_hold      | CI           | CI           | PH !leaky    | PH !glue !leaky | .
client_hold    | CI           | CI           | ph           | ph !glue     | .
both_holds     | CI           | CI           | PH           | PH !glue     | .
redemption     | CI           | CI           | RD           | PD !glue     | .
pending_delete | CI           | CI           | RD           | PD !glue     | .
absent         | C            | C            | RD           | PD !glue     | .
no_rdap        | C            | C            | dRD          | PD !glue     | .
mute           | C            | C            | .            | .            | .
other          | E            | E            | E            | E            | E
"""

# Nobody announced the new servers, so more than a change of servers is never seen. By the registrar.
_MOVED = "NS"
REDIRECT = (
    "\n".join(
        f"{rdap} | C | {_MOVED} | US | US | ."
        for rdap in (
            *("active", "inactive", "lock", "part_lock", "client_lock", "pending_update", "hold", "bare_hold"),
            *("client_hold", "both_holds", "redemption", "pending_delete", "absent", "no_rdap", "mute"),
        )
    )
    + "\nother     | E            | E            | E            | E            | E\n"
)

# By the host, the sample pages gone at every vantage. What RDAP says is about the name, and not about its pages.
_REMOVED = "HR"
CONTENT_GONE = REDIRECT.replace(_MOVED, _REMOVED).replace("| C |", f"| {_REMOVED} |")
# The pages cannot be judged, or were not asked for.
CONTENT_MUTE = REDIRECT.replace(_MOVED, ".").replace("| C |", "| . |")
# One page is served at one vantage: not removed, wherever else it is gone.
CONTENT_SERVED = REDIRECT.replace(_MOVED, "C").replace("US", "C").replace("| .", "| C")

# Before the undo the registry held the name, and the zone denied it.
RESTORE = """
active         | B            | B            | C            | C            | .
inactive       | B            | B            | C            | C            | .
lock           | B            | B            | C            | C            | .
part_lock      | B            | B            | C            | C            | .
client_lock    | B            | B            | C            | C            | .
pending_update | B            | B            | C            | C            | .
hold           | CI           | CI           | C            | C            | .
bare_hold      | CI           | CI           | C            | C            | .
client_hold    | CI           | CI           | C            | C            | .
both_holds     | CI           | CI           | C            | C            | .
redemption     | CI           | CI           | C            | C            | .
pending_delete | CI           | CI           | C            | C            | .
absent         | CI           | CI           | C            | C            | .
no_rdap        | dB           | dB           | C            | C            | .
mute           | .            | .            | C            | C            | .
other          | E            | E            | E            | E            | E
"""

# What stood before the notice, against two looks that show the act whole. RDAP/zone of the baseline, then a column a claim.
BASELINES = ("lock", "hold", "delete", "redirect", "content_removal", "restore")
BEFORE = """
active/up            | RL           | RH           | RD           | NS           | HR           | N
hold/gone            | S            | S            | RD           | -            | S            | B
client_hold/gone     | S            | S            | RD           | -            | S            | b
client_hold/up       | S            | S            | RD           | NS           | HR           | b
active/gone          | S            | S            | S            | -            | S            | B
inactive/gone        | S            | S            | S            | -            | S            | B
active/glue          | S            | S            | S            | -            | S            | B
lock/up              | L            | RH           | RD           | NS           | HR           | B
part_lock/up         | RL           | RH           | RD           | NS           | HR           | B
client_lock/up       | RL           | RH           | RD           | NS           | HR           | N
redemption/gone      | S            | S            | S            | -            | S            | B
absent/gone          | S            | S            | S            | -            | S            | -
mute/up              | -            | RH           | RD           | NS           | HR           | -
mute/gone            | S            | S            | S            | -            | S            | B
mute/mute            | -            | -            | -            | -            | HR           | B
"""

# Who is credited: the side that the status names, whoever says that it acted.
CREDIT = """
hold        | registry  | registry_hold registry
hold        | registrar | registry_hold registry
hold        | host      | registry_hold registry
bare_hold   | registry  | registry_hold registry
bare_hold   | registrar | registry_hold registry
bare_hold   | host      | registry_hold registry
client_hold | registry  | registrar_hold registrar
client_hold | registrar | registrar_hold registrar
client_hold | host      | registrar_hold registrar
both_holds  | registry  | registry_hold registry
both_holds  | registrar | registry_hold registry
both_holds  | host      | registry_hold registry
"""

# An undo, the parent zone delegating again since 10 minutes after the notice, by what resolvers say in two looks. The
# zone's negative TTL was 900 seconds (RFC 2308 §5), so 15 minutes later none may keep the denial.
PANEL = """
unasked      | verified | verified
inconclusive | verified | verified
served       | verified | verified
mixed        | pending  | partial
denied       | pending  | partial
"""
