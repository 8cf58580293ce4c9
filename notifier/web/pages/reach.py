"""The fields by which an admin says what a seat or a token may do, and how far: read and shown the same way for both."""

from collections.abc import Mapping
from typing import Any

from notifier.errors import Invalid
from notifier.services.access import PERMISSIONS, Role
from notifier.services.people import Reach
from notifier.web.pages.desk import Visit

FIELDS = ("role", "organisation", "registry", "programs", "permissions")


def read(visit: Visit, given: Mapping[str, str]) -> Reach:
    """What the fields say; without an organisation, the admin's own. Raises Invalid."""
    role = given.get("role", "")
    if role not in tuple(Role):
        raise Invalid(f"a role is one of {', '.join(Role)}")
    programs = given.get("programs", "").replace(",", " ").split()
    return Reach(
        Role(role),
        given.get("organisation", "") or visit.who.organisation,
        given.get("registry") or None,
        frozenset(programs) if programs else None,
        frozenset(given.get("permissions", "").replace(",", " ").split()),
    )


def choices(visit: Visit) -> dict[str, Any]:
    """What `reach_fields.html` offers."""
    return {
        "roles": list(Role),
        "permissions": PERMISSIONS,
        "registries": sorted(visit.ctx.catalog.registries),
        "programs": sorted(visit.ctx.catalog.programs),
    }
