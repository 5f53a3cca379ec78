"""Places calls: from what somebody typed to an INVITE on its way."""

from __future__ import annotations

from voip_engine.accounts import Accounts
from voip_engine.addresses import destination
from voip_engine.calls.call import Call
from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.calls.leg_ports import LegPorts
from voip_engine.calls.placed_calls import PlacedCalls
from voip_engine.calls.roster import Roster
from voip_engine.errors import EngineError
from voip_engine.hosts import bracketed
from voip_engine.media import protocol
from voip_engine.media.plane import MediaError
from voip_engine.modes.base import Mode
from voip_engine.sdp.plan import CodecName
from voip_engine.settings import EngineSettings
from voip_engine.sip.core import CapacityError
from voip_engine.sip.flow import LocalAddress
from voip_engine.sip.messages.uri import MalformedUri, NameAddress, SipUri
from voip_engine.sip.network.transport import TransportError
from voip_engine.snapshots import CallDirection
from voip_engine.speech_settings import AgentSettings


class Dialler:
    """One engine's way to call, for people, agents and transfers alike; [dialling] of the settings holds for all."""

    def __init__(
        self,
        settings: EngineSettings,
        services: CallServices,
        roster: Roster,
        accounts: Accounts,
        ports: LegPorts,
        placed: PlacedCalls,
    ) -> None:
        self._settings = settings
        self._services = services
        self._roster = roster
        self._accounts = accounts
        self._ports = ports
        self._placed = placed

    async def dial(
        self,
        target: str,
        *,
        account: str | None,
        mode: str | Mode,
        agent: AgentSettings | None,
        codecs: tuple[CodecName, ...] | None = None,
        caller: str | None = None,
        extra: tuple[tuple[str, str], ...] = (),
        referred_by: str = "",
    ) -> Call:
        """Place a call as `Engine.dial` does; `extra` headers stand in its INVITE. Raises EngineError."""
        signalling, plane = self._services.signalling, self._services.plane
        self._roster.require_room()
        to = destination(target, self._settings.accounts, account)
        self._placed.require(to.target)
        number = self._roster.take_number()
        codecs = codecs or self._settings.codecs
        try:
            first, *further = await signalling.paths_to(to.next_hop)
            contact = await signalling.contact_for(first)
            srtp = self._ports.policy(to.account)
            negotiation = await self._ports.open(number, first.local, first.hop, srtp, codecs)
        except (MediaError, TransportError) as error:
            raise EngineError(str(error)) from error
        try:
            # Meanwhile others may have taken the room that there was.
            self._roster.require_room()
            self._placed.require(to.target)
            session, wanted = signalling.core.invite(
                target=to.target,
                next_hop=first.hop,
                local=first.local,
                contact=contact,
                further=tuple(path.hop for path in further),
                account=to.account,
                caller=self._caller(to.account, caller, first.local),
                offer=negotiation.offer(),
                alternative=negotiation.alternative(),
                now=signalling.now,
                extra=extra,
            )
        except (CapacityError, EngineError) as error:
            plane.send(protocol.CloseLeg(number))
            raise EngineError(str(error)) from error
        identity = CallIdentity(
            number=number,
            session=session,
            direction=CallDirection.OUTBOUND,
            account=to.account,
            peer_uri=str(to.target),
            peer_name="",
            peer_hop=first.hop,
            codecs=codecs,
            srtp=srtp,
            referred_by=referred_by,
        )
        call = self._roster.add(self._services, identity, mode)
        if agent is not None:
            call.set_agent(agent)
        self._placed.placed(call.call_id)
        call.placed(negotiation)
        signalling.perform(wanted)
        return call

    def _caller(self, account: str | None, caller: str | None, local: LocalAddress) -> NameAddress:
        if account is not None:
            return NameAddress(self._accounts.display_name(account), SipUri.parse(account))
        try:
            return NameAddress.parse(caller or f"<sip:voip-tui@{bracketed(local.host)}>")
        except MalformedUri as error:
            raise EngineError(f"{caller!r} is no caller address: {error}") from error
