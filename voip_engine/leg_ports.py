"""The ports of calls' audio: opened where the peer can reach them, and told of in descriptions."""

from __future__ import annotations

from voip_engine.media.plane import MediaPlane
from voip_engine.negotiation import CallNegotiation
from voip_engine.sdp.plan import CodecName, HostPort, SrtpPolicy
from voip_engine.settings import EngineSettings
from voip_engine.sip.flow import LocalAddress, NextHop


class LegPorts:
    """Opens legs, each with the negotiation that describes it."""

    def __init__(self, plane: MediaPlane, settings: EngineSettings) -> None:
        self._plane = plane
        self._settings = settings
        self._srtp = {str(each.address_of_record): each.srtp for each in settings.accounts}

    def rehearse(self, local_host: str, account: str | None, offer: bytes) -> None:
        """See whether an offer could be answered. Raises MalformedSdp and NotAcceptable."""
        CallNegotiation(HostPort(local_host, 9), self._settings.codecs, srtp=self._policy(account)).answer(offer)

    async def open(
        self, leg_id: int, local: LocalAddress, peer: NextHop, account: str | None, codecs: tuple[CodecName, ...]
    ) -> CallNegotiation:
        """Open a leg where `peer`, who reaches us at `local`, can reach it. Raises MediaError."""
        shown = self._settings.media_host
        if shown is None:
            rtp = await self._plane.open_leg(leg_id, HostPort(local.host, 0), self._settings.rtp_ports)
        else:
            wildcard = "::" if ":" in shown else "0.0.0.0"
            bound = await self._plane.open_leg(leg_id, HostPort(wildcard, 0), self._settings.rtp_ports)
            rtp = HostPort(shown, bound.port)
        return CallNegotiation(rtp, codecs, srtp=self._policy(account))

    def _policy(self, account: str | None) -> SrtpPolicy:
        own = self._srtp.get(account) if account is not None else None
        return own if own is not None else self._settings.srtp
