"""How to talk to recipients: one file a channel, each built from one agreement's data.

An adapter from outside registers under the entry point group `trusted_notifier.adapters`, with the same
signature. It may not take the name of one that is here, nor of another package's: which of the two wrote to a
recipient would depend on the order in which they were installed.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from notifier.adapter import AgreementChannel, Deps, RegistryAdapter
from notifier.errors import Invalid
from registries import api, authority, smtp, webform, webhook

Build = Callable[[AgreementChannel, Deps], RegistryAdapter]
GROUP = "trusted_notifier.adapters"

ADAPTERS: Mapping[str, Build] = {
    "api": api.build,
    "authority": authority.build,
    "smtp": smtp.build,
    "webform": webform.build,
    "webhook": webhook.build,
}


def _outside() -> EntryPoints:
    """What installed packages bring; packages do not come and go under a running process, only its search path moves."""
    return _found(tuple(sys.path))


@cache
def _found(search: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=GROUP)


def names() -> frozenset[str]:
    """Every channel there is: ours, and those that installed packages bring. Loads none of them."""
    return frozenset(ADAPTERS) | {point.name for point in _outside()}


def conflicts() -> Iterator[tuple[str, str]]:
    """Names that more than one package gives, each with what is wrong."""
    givers: dict[str, list[str]] = {name: ["this program"] for name in ADAPTERS}
    for point in _outside():
        givers.setdefault(point.name, []).append(_package(point))
    for name, packages in sorted(givers.items()):
        if len(packages) > 1:
            yield name, f"is given by {' and by '.join(sorted(packages))}"


def builder(name: str) -> Build:
    """What builds an adapter of this name. Raises Invalid when there is none, several, or one that cannot be loaded."""
    if wrong := dict(conflicts()).get(name):
        raise Invalid(f"the adapter {name} {wrong}")
    if name in ADAPTERS:
        return ADAPTERS[name]
    for point in _outside().select(name=name):
        try:
            build: Build = point.load()
        except Exception as fault:  # another's module, which may fail at anything
            raise Invalid(f"the adapter {name} of {_package(point)} cannot be loaded: {fault!r}") from fault
        if not callable(build):
            raise Invalid(f"the adapter {name} of {_package(point)} is no build(agreement, deps)")
        return build
    raise Invalid(f"no adapter {name!r}; there are {', '.join(sorted(names()))}")


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
