"""A recursive resolver's answers, through the egress guard; a server that tells nothing is never "there is none"."""

from typing import Any

import dns.asyncresolver
import dns.exception
import dns.resolver

from notifier.net.safe_http import Egress, EgressBlocked, check_connect

Endpoint = tuple[str, int]


class Untold(Exception):
    """Nothing was told, and why. `failed`: it was asked and did not answer; else it may not be asked at all."""

    def __init__(self, why: str, *, failed: bool = True) -> None:
        super().__init__(why)
        self.why, self.failed = why, failed


class Resolving:
    """Asks `endpoint`, or the system's resolver, which loopback egress does not reach. `timeout` in seconds, for all."""

    def __init__(self, egress: Egress, endpoint: Endpoint | None, timeout: float) -> None:
        self._egress, self._endpoint, self._timeout = egress, endpoint, timeout

    async def records(self, name: str, kind: str) -> list[Any]:
        """The records; none where the name or the kind does not exist. Raises Untold for anything else."""
        try:
            answer = await self._resolver().resolve(f"{name}.", kind, lifetime=self._timeout)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except EgressBlocked as fault:
            raise Untold(str(fault), failed=False) from fault
        except (dns.exception.DNSException, OSError, EOFError, ValueError) as fault:
            raise Untold(f"the resolver does not tell: {type(fault).__name__}") from fault
        return list(answer)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._endpoint is None:
            if self._egress is Egress.LOOPBACK:
                raise EgressBlocked("egress loopback asks no resolver of the system")
            return dns.asyncresolver.Resolver()
        check_connect(self._endpoint[0], self._egress)
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [self._endpoint[0]], self._endpoint[1]
        return resolver
