"""Who the registries are, which programs run, what was agreed: read from `config/`, checked, frozen."""

from notifier.catalog.agreements import channel_faults
from notifier.catalog.load import OverlaySource, check, folder_digest, load_catalog, program_of
from notifier.catalog.model import Agreement, AnswerClock, Catalog, Registry
from notifier.catalog.reading import ConfigFaults, Fault

__all__ = [
    "Agreement",
    "AnswerClock",
    "Catalog",
    "ConfigFaults",
    "Fault",
    "OverlaySource",
    "Registry",
    "channel_faults",
    "check",
    "folder_digest",
    "load_catalog",
    "program_of",
]
