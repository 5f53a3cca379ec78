"""The ports of calls' audio: opened where the peer can reach them, and told of in descriptions.

A call that comes in may be signalled over one family of addresses and want its audio over the other, as phones on hosts that
have both do it.

Behind NAT a STUN server says where a port is seen from outside. That is told only to peers outside: one in our own network
could seldom reach us there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from importlib import import_module
from itertools import islice
from typing import Final

from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.hosts import STUN_PORT, is_public, is_unspecified, literal
from voip_engine.media.plane import MediaError, MediaPlane
from voip_engine.media.protocol import CloseLeg
from voip_engine.sdp.description import MalformedSdp, SessionDescription
from voip_engine.sdp.negotiation import NotAcceptable
from voip_engine.sdp.plan import CodecName, HostPort, SrtpPolicy
from voip_engine.settings import EngineSettings
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.sockets import TransportError, source_address, wildcard_like
from voip_engine.stun.messages import TRANSACTION_ID_BYTES, MalformedStun, binding_request, seen_address

_log = logging.getLogger(__name__)

_STRICTNESS: Final[tuple[SrtpPolicy, ...]] = ("off", "offered", "required")
_HOSTS_TRIED: Final = 4
"""Of the addresses that a single offer names."""
_RESOLVE_TIMEOUT_S: Final = 0.5
_RESOLVED_FOR_S: Final = 300.0
_FAILED_FOR_S: Final = 30.0
"""For so long calls do not wait again for a STUN server that was not there."""


class LegPorts:
    """Opens legs, each with the negotiation that describes it."""

    def __init__(self, plane: MediaPlane, settings: EngineSettings) -> None:
        self._plane = plane
        self._settings = settings
        self._servers: dict[bool, tuple[HostPort | None, float]] = {}
        """The STUN server's address by whether it is one of IPv6, and until when that is trusted."""
        self._srtp = {str(each.address_of_record): each.srtp for each in settings.accounts}

    def policy(self, *accounts: str | None) -> SrtpPolicy:
        """Return how audio of a call is encrypted that is for one of these accounts: as the strictest wants it."""
        own = (self._srtp.get(account) if account is not None else None for account in accounts or (None,))
        return max((srtp or self._settings.srtp for srtp in own), key=_STRICTNESS.index)

    def rehearse(self, local_host: str, srtp: SrtpPolicy, offer: bytes) -> None:
        """See whether an offer that came to `local_host` could be answered. Raises MalformedSdp and NotAcceptable."""
        self._host_for(offer, self._settings.media_host or local_host, srtp)

    async def open(
        self,
        leg_id: int,
        local: LocalAddress,
        peer: NextHop,
        srtp: SrtpPolicy,
        codecs: tuple[CodecName, ...],
        offer: bytes | None = None,
    ) -> CallNegotiation:
        """Open a leg where `peer`, who reaches us at `local`, can reach it. Raises MediaError.

        For an `offer` of the peer's that is where it wants audio, if we have an address there.
        """
        shown = self._settings.media_host
        if shown is None:
            host = local.host
            if offer is not None:
                with contextlib.suppress(NotAcceptable, MalformedSdp):  # whoever answers it will say so
                    host = self._host_for(offer, host, srtp)
            rtp = await self._plane.open_leg(leg_id, HostPort(host, 0), self._settings.rtp_ports)
        else:
            bound = await self._plane.open_leg(leg_id, HostPort(wildcard_like(shown), 0), self._settings.rtp_ports)
            rtp = HostPort(shown, bound.port)
        try:
            seen, rtcp_port = await self._seen_from_outside(leg_id, rtp, peer)
        except BaseException:  # whoever wanted the leg does so no more
            self._plane.send(CloseLeg(leg_id))
            raise
        return CallNegotiation(seen, codecs, srtp=srtp, rtcp_port=rtcp_port)

    async def move(self, leg_id: int, negotiation: CallNegotiation, local: LocalAddress, peer: NextHop) -> None:
        """Bind an open leg to `local`, or where its audio is of the other family, and let its negotiation name that.

        Raises MediaError and TransportError, and then nothing has changed.
        """
        rtp, rtcp_port = negotiation.local, None
        if self._settings.media_host is None:  # else it is bound to all addresses, and is known by that one
            host = local.host
            if _is_ipv6(host) is not _is_ipv6(negotiation.local.host) and negotiation.plan is not None:
                remote = negotiation.plan.remote_rtp.host
                if is_unspecified(remote):
                    raise MediaError("The other side holds the call and does not say where its audio is.")
                host = source_address(remote)
            rtp = await self._plane.move_leg(leg_id, HostPort(host, 0), self._settings.rtp_ports)
            rtp, rtcp_port = await self._seen_from_outside(leg_id, rtp, peer)
        negotiation.move(rtp, rtcp_port)

    async def _seen_from_outside(self, leg_id: int, rtp: HostPort, peer: NextHop) -> tuple[HostPort, int | None]:
        """Where a leg's ports are seen by a peer outside, if that is elsewhere and a STUN server tells, within a second.

        Gives the RTP address, and the RTCP port if it is not one above.
        """
        if self._settings.stun is None or self._settings.media_host is not None:
            return rtp, None
        if is_public(rtp.host) or not is_public(peer.host):
            return rtp, None
        server = await self._stun_server(self._settings.stun, rtp.host)
        if server is None:
            return rtp, None
        requests = (_request(), _request())
        answered = await self._plane.ask_stun(leg_id, server, requests)
        if answered.rtp is None:
            _log.warning(
                "The STUN server %s does not answer; calls give out an address that may be unreachable.", server.host
            )
            self._servers[_is_ipv6(rtp.host)] = None, time.monotonic() + _FAILED_FOR_S
            return rtp, None
        try:
            seen = HostPort(*seen_address(answered.rtp, rtp.host))
            rtcp = seen_address(answered.rtcp, rtp.host)[1] if answered.rtcp is not None else seen.port + 1
        except MalformedStun as error:
            _log.warning("What the STUN server %s answers cannot be used: %s.", server.host, error)
            return rtp, None
        return seen, rtcp if rtcp != seen.port + 1 else None

    async def _stun_server(self, setting: str, local_host: str) -> HostPort | None:
        """The server's address of our family, looked up now and then; None while it is not to be had."""
        is_ipv6 = _is_ipv6(local_host)
        known, until_s = self._servers.get(is_ipv6, (None, 0.0))
        if time.monotonic() < until_s:
            return known
        uri = SipUri.parse(f"sip:{setting}")
        family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(
                    uri.host.strip("[]"), uri.port or STUN_PORT, family=family, type=socket.SOCK_DGRAM
                )
            server, valid_s = HostPort(*found[0][4][:2]), _RESOLVED_FOR_S
        except (TimeoutError, OSError):
            _log.warning("The STUN server %s is not found.", uri.host)
            server, valid_s = None, _FAILED_FOR_S
        await asyncio.to_thread(import_module, "aioice.stun")
        self._servers[is_ipv6] = server, time.monotonic() + valid_s
        return server

    def _host_for(self, offer: bytes, local_host: str, srtp: SrtpPolicy) -> str:
        """Where to take the audio that an offer wants: at `local_host`, or at an address of ours of the other family.

        Raises MalformedSdp and NotAcceptable.
        """
        try:
            self._answer(offer, local_host, srtp)
        except NotAcceptable:
            hosts = [] if self._settings.media_host is not None else _others(offer, local_host)
            for host in hosts:
                with contextlib.suppress(NotAcceptable):
                    self._answer(offer, host, srtp)
                    return host
            raise
        return local_host

    def _answer(self, offer: bytes, host: str, srtp: SrtpPolicy) -> None:
        CallNegotiation(HostPort(host, 9), self._settings.codecs, srtp=srtp).answer(offer)


def _is_ipv6(host: str) -> bool:
    return ":" in host


def _others(offer: bytes, local_host: str) -> list[str]:
    """Our addresses towards those of an offer that are not of our family; nobody outside is let into this machine."""
    described, own = SessionDescription.parse(offer), literal(local_host)
    found: list[str] = []
    for host in islice(dict.fromkeys(filter(None, map(described.media_host, described.media))), _HOSTS_TRIED):
        address = literal(host)
        if own is None or address is None or address.version == own.version or address.is_unspecified:
            continue
        with contextlib.suppress(TransportError):
            source = literal(source_address(host))
            if source is None or source.is_link_local or (source.is_loopback and not own.is_loopback):
                continue
            found.append(str(source))
    return list(dict.fromkeys(found))


def _request() -> bytes:
    return binding_request(secrets.token_bytes(TRANSACTION_ID_BYTES))
