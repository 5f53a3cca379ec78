"""What a REGISTER says of where we are, and what its answer tells about that (RFC 3261 §10, RFC 3581, RFC 5626, RFC 3608)."""

from __future__ import annotations

from voip_engine.hosts import is_literal
from voip_engine.sip.endpoint import contact_uri
from voip_engine.sip.flow import DEFAULT_PORTS, LocalAddress
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Headers, Response, Via
from voip_engine.sip.messages.uri import NameAddress, SipUri

_LONGEST_FLOW_TIMER_S = 86_400


class Binding:
    """One account's Contact. `instance` is our URN for outbound, empty for none of that."""

    def __init__(self, user: str, *, secure: bool, instance: str) -> None:
        self._user = user
        self._secure = secure
        self._instance = instance
        self._public: tuple[str, int] | None = None
        self._bound: SipUri | None = None
        self.local: LocalAddress | None = None
        self.outbound = False
        """Whether the registrar sends requests for us along the flow we registered on (RFC 5626 §6)."""
        self.flow_timer_s: int | None = None
        """How long the registrar lets the flow be silent."""
        self.service_route: tuple[str, ...] = ()
        """Routes for our requests to others."""

    @property
    def public_address(self) -> str:
        """`host:port` that others see us at, empty where it is our own."""
        if self._public is None:
            return ""
        host, port = self._public
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def move(self, local: LocalAddress) -> None:
        """Go on from another address of ours."""
        if local != self.local:
            self.local = local
            self._public = None

    def address_behind(self, local: LocalAddress) -> LocalAddress:
        """Return what a Contact in place of an address of ours says, so that others reach us."""
        if (
            self._public is None
            or self.local is None
            or (local.transport, local.host)
            != (
                self.local.transport,
                self.local.host,
            )
        ):
            return local
        return LocalAddress(local.transport, *self._public)

    def write(self, headers: Headers, expires_s: int) -> None:
        """Put Contact and what goes with it on a REGISTER; an older binding of ours is taken back with it."""
        contact = self._contact()
        if expires_s == 0:
            headers.add("Contact", f"<{self._bound or contact}>;expires=0")
        else:
            with_outbound = self._instance and self._stream
            parameters = f';+sip.instance="<{self._instance}>";reg-id=1' if with_outbound else ""
            headers.add("Contact", f"<{contact}>{parameters};expires={expires_s}")
            if self._bound is not None and self._bound != contact and not self.outbound:
                headers.add("Contact", f"<{self._bound}>;expires=0")
            headers.add("Supported", "path, outbound" if with_outbound else "path")
        headers.add("Expires", str(expires_s))

    def accepted(self, response: Response, expires_s: int) -> bool:
        """Take a 2xx to a REGISTER; True when others see us elsewhere than the Contact said, so that it has to be sent anew."""
        if expires_s == 0:
            self._bound = None
            return False
        self._bound = self._contact()
        required = [token.lower() for token in response.headers.get_list("Require")]
        self.outbound = "outbound" in required
        timer = response.headers.get("Flow-Timer") or ""
        self.flow_timer_s = int(timer) if _is_number(timer, _LONGEST_FLOW_TIMER_S) else None
        self.service_route = _readable_routes(response.headers)
        return self._learn(response.vias[0])

    def granted_s(self, response: Response) -> str | None:
        """Return the `expires` that a 2xx gives our Contact."""
        ours = self._contact()
        port = ours.port or self._default_port
        for contact in response.contacts:
            uri = contact.uri
            same_place = (uri.host.lower(), uri.port or self._default_port) == (ours.host.lower(), port)
            if uri.user == ours.user and same_place and contact.parameter("expires") is not None:
                return contact.parameter("expires")
        return None

    def give_up_outbound(self) -> bool:
        """Register without outbound from now on; False if that was so before."""
        had, self._instance = self._instance, ""
        return bool(had)

    @property
    def _stream(self) -> bool:
        return self.local is not None and self.local.transport != "UDP"

    @property
    def _default_port(self) -> int:
        return DEFAULT_PORTS[self.local.transport] if self.local is not None else DEFAULT_PORTS["UDP"]

    def _contact(self) -> SipUri:
        assert self.local is not None
        return contact_uri(self._user, self.address_behind(self.local), secure=self._secure)

    def _learn(self, via: Via) -> bool:
        """Compare our address with the one the registrar saw (RFC 3581 §4)."""
        assert self.local is not None
        host, port = via.parameter("received") or self.local.host, via.parameter("rport") or ""
        if not _is_number(port, 65_535) or not is_literal(host):
            return False
        seen = host, int(port)
        # Behind no NAT a TCP connection comes from a port of its own, while others connect to the one we listen on.
        ours = self.local.host, self.local.port
        at_home = seen == ours or (self.local.transport == "TCP" and host == self.local.host)
        public = None if at_home else seen
        changed, self._public = public != self._public, public
        return changed


def _is_number(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and 0 < int(text) <= largest


def _readable_routes(headers: Headers) -> tuple[str, ...]:
    """The Service-Route, none of it if a part can't be read: it would stand in each of our requests, and spoil it."""
    routes = tuple(headers.get_list("Service-Route"))
    try:
        readable = all(NameAddress.parse(route).uri.scheme in ("sip", "sips") for route in routes)
    except MalformedHeader:
        return ()
    return routes if readable else ()
