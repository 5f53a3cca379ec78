"""The accounts of a user agent by name: their registrations, and what calls take from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from voip_engine.sip.authentication.askers import Askers
from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.endpoint import Endpoint, contact_uri
from voip_engine.sip.flow import Flow, LocalAddress
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import NameAddress
from voip_engine.sip.registrations.registration import AccountConfig, Registration


class AccountBook:
    """All accounts of one core. Where a name may be None, it stands for a call without an account."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._registrations: dict[str, Registration] = {}

    def add(self, account: AccountConfig) -> None:
        """Make an account known. Raises ValueError when it is known already."""
        if account.account in self._registrations:
            raise ValueError(f"The account {account.account} is there already.")
        self._registrations[account.account] = Registration(self._endpoint, account)

    def registrations(self) -> tuple[Registration, ...]:
        """Return every account's registration."""
        return tuple(self._registrations.values())

    def registration(self, account: str) -> Registration:
        """Return an account's registration. Raises KeyError."""
        return self._registrations[account]

    def config(self, account: str | None) -> AccountConfig | None:
        """Return how an account is set. Raises KeyError for an unknown one."""
        return None if account is None else self._registrations[account].config

    def servers_found(self, account: str | None, hosts: Iterable[str], now: float) -> None:
        """Take hosts for an account's servers. Raises KeyError for an unknown account."""
        if account is not None:
            self._registrations[account].askers.found(hosts, now)

    def routes(self, account: str | None) -> tuple[str, ...]:
        """Return the way for an account's requests: its outbound proxy, then what its registrar wants (RFC 3608 §6.1)."""
        if account is None:
            return ()
        ours, theirs = self._registrations[account].config.routes, self._registrations[account].binding.service_route
        return ours + (theirs[1:] if ours and theirs and _same_place(ours[-1], theirs[0]) else theirs)

    def credentials(self, account: str | None) -> Callable[[], Credentials]:
        """Return what makes credentials for a request of an account's."""
        config = self.config(account)
        if account is None or config is None:
            return lambda: Credentials(None, Askers())
        askers = self._registrations[account].askers
        return lambda: Credentials(config.digest(self._endpoint.random), askers)

    def contact(
        self, account: str | None, user: str, local: LocalAddress, secure: bool, seen: LocalAddress | None = None
    ) -> str:
        """Return a call's Contact: the address that the account's registrar sees us at, else `seen`, else our own."""
        binding = None if account is None else self._registrations[account].binding
        behind = local if binding is None else binding.address_behind(local)
        uri = contact_uri(user, seen if seen is not None and behind == local else behind, secure=secure)
        if binding is None:
            return f"<{uri}>"
        if binding.outbound and binding.local is not None and binding.local.transport == local.transport:
            uri = uri.with_parameter("ob")  # RFC 5626 §4.3
        return f"<{uri}>"

    def of_server(self, host: str, now: float) -> tuple[str, ...]:
        """Return the accounts that a literal address is a server of."""
        return tuple(name for name, each in self._registrations.items() if each.askers.is_server(host, now))

    def called_by(self, request: Request, flow: Flow, now: float) -> str | None:
        """Return the account that a request is for: one that it came from a server of, and no other source names one.

        Of several the one whose user and domain, or else whose user, is called. A trunk's only account takes all its numbers.
        """
        theirs = [self._registrations[name].config for name in self.of_server(flow.remote_host, now)]
        user, domain = request.uri.user, request.to.uri.host.lower()
        for config in theirs:
            if config.aor.user == user and config.aor.host.lower() == domain:
                return config.account
        for config in theirs:
            if user is not None and user in (config.contact_user, config.aor.user):
                return config.account
        return theirs[0].account if len(theirs) == 1 else None


def _same_place(one: str, other: str) -> bool:
    first, second = NameAddress.parse(one).uri, NameAddress.parse(other).uri
    return (first.host.lower(), first.port) == (second.host.lower(), second.port)
