"""What the navigation of a signed-in page shows to each role, and where that role begins."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from notifier.services.access import Role


class Link(NamedTuple):
    path: str
    label: str


_CASES = Link("/desk/cases", "Cases")
_ALARMS = Link("/desk/alarms", "Alarms")
_APPEALS = Link("/desk/appeals", "Appeals")
_FIGURES = Link("/figures", "Figures")
_LOG = Link("/audit", "Audit log")

NAV: Mapping[Role, Sequence[Link]] = {
    Role.SUBMITTER: (Link("/desk/submit", "Submit"), _CASES, Link("/desk/batches", "Uploads")),
    Role.REVIEWER: (
        Link("/desk/queue", "Queue"),
        _CASES,
        Link("/desk/work", "Work"),
        _ALARMS,
        Link("/desk/watch", "Watch"),
        _APPEALS,
        Link("/desk/events", "Events"),
        Link("/desk/submit", "Check a name"),
        _FIGURES,
    ),
    Role.REGISTRY: (Link("/portal", "Notices"), Link("/portal/history", "History"), Link("/portal/channel", "Channel")),
    Role.EVALUATOR: (_FIGURES,),
    Role.AUDITOR: (_LOG, _CASES, _FIGURES),
    Role.ADMIN: (
        Link("/admin", "Overview"),
        Link("/admin/config", "Configuration"),
        Link("/admin/people", "People"),
        Link("/admin/tokens", "Tokens"),
        Link("/admin/grants", "Grants"),
        _ALARMS,
        _APPEALS,
        _CASES,
        _LOG,
        _FIGURES,
    ),
}


def home(role: Role) -> str:
    """Where somebody of this role begins."""
    return NAV[role][0].path if NAV[role] else "/account"


def current(role: Role, path: str) -> str:
    """The link that a page belongs to: of several that its address begins with the longest."""
    fitting = [link.path for link in NAV[role] if path == link.path or path.startswith(f"{link.path}/")]
    return max(fitting, key=len, default="")
