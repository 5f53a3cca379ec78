"""Where a call of ours may go on when it is sent elsewhere (RFC 3261 §8.1.3.4): which addresses, how often, never twice."""

from __future__ import annotations

from voip_engine.sip.messages.message import Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.sessions.dialog import strip_for_request

REDIRECTIONS = frozenset({300, 301, 302})
"""Not 305, whose Contact is a proxy that nobody vouches for, nor 380, which describes another service."""
MAX_REDIRECTS = 5
MAX_TARGETS = 10
DECISION_S = 32.0
"""How long the engine may take to choose where a call goes on."""


class Redirects:
    """The addresses that one call has been to, and those that are left."""

    def __init__(self, target: SipUri) -> None:
        self._tried = [target]
        self.targets: tuple[SipUri, ...] = ()
        """Where the call may go on, best first."""

    @property
    def dialled(self) -> SipUri:
        """Where the call went first."""
        return self._tried[0]

    def take(self, response: Response) -> None:
        """Add the Contacts of a 3xx before those that are left; the ones that were tried are passed over."""
        ranked = sorted(response.contacts, key=_preference, reverse=True)
        found = [strip_for_request(contact.uri) for contact in ranked if contact.uri.scheme in ("sip", "sips")]
        self.targets = tuple(self._fresh([*found, *self.targets]))[:MAX_TARGETS]

    def choose(self, target: SipUri) -> None:
        """Note that the call goes on to `target`."""
        self._tried.append(target)
        self.targets = () if len(self._tried) > MAX_REDIRECTS else tuple(self._fresh(self.targets))

    def _fresh(self, uris: list[SipUri] | tuple[SipUri, ...]) -> list[SipUri]:
        if len(self._tried) > MAX_REDIRECTS:
            return []
        fresh: list[SipUri] = []
        for uri in uris:
            if not any(uri.matches(known) for known in (*self._tried, *fresh)):
                fresh.append(uri)
        return fresh


def _preference(contact: NameAddress) -> float:
    """The q of a Contact, 1 where it says none or nonsense (RFC 3261 §20.10)."""
    try:
        return min(max(float(contact.parameter("q") or 1), 0.0), 1.0)
    except ValueError:
        return 1.0
