"""How to talk to recipients: one file a channel, each built from one agreement's data.

An adapter from outside registers under the entry point group `trusted_notifier.adapters`, with the same
signature.
"""

from collections.abc import Callable, Mapping

from notifier.adapter import AgreementChannel, Deps, RegistryAdapter
from registries import smtp, webhook

ADAPTERS: Mapping[str, Callable[[AgreementChannel, Deps], RegistryAdapter]] = {
    "smtp": smtp.build,
    "webhook": webhook.build,
}
