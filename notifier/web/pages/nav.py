"""What the navigation of a signed-in page shows to each role, and where that role begins."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from notifier.services.access import Role


class Link(NamedTuple):
    path: str
    label: str


NAV: Mapping[Role, Sequence[Link]] = {
    Role.SUBMITTER: (Link("/desk/cases", "Cases"),),
    Role.REVIEWER: (Link("/desk/queue", "Queue"), Link("/desk/cases", "Cases")),
    Role.REGISTRY: (),
    Role.EVALUATOR: (),
    Role.AUDITOR: (Link("/desk/cases", "Cases"),),
    Role.ADMIN: (Link("/admin/people", "People"), Link("/desk/cases", "Cases")),
}


def home(role: Role) -> str:
    """Where somebody of this role begins."""
    return NAV[role][0].path if NAV[role] else "/account"
