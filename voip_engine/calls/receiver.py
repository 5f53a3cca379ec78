"""Takes the calls that come in, or says at once why not."""

from __future__ import annotations

import logging
import time

from voip_engine.calls.call import Call
from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.calls.leg_ports import LegPorts
from voip_engine.calls.referrals import Referrals
from voip_engine.calls.roster import Roster
from voip_engine.errors import EngineError
from voip_engine.events import CallRefused
from voip_engine.sdp.description import MalformedSdp
from voip_engine.sdp.negotiation import NotAcceptable
from voip_engine.sdp.plan import SrtpPolicy
from voip_engine.settings import EngineSettings
from voip_engine.sip.effects import SessionInvited
from voip_engine.sip.flow import NextHop
from voip_engine.snapshots import CallDirection

logger = logging.getLogger(__name__)


class Receiver:
    """One engine's way to be called: refused, ringing, answered by itself, or put in another call's place."""

    def __init__(
        self,
        settings: EngineSettings,
        services: CallServices,
        roster: Roster,
        ports: LegPorts,
        referrals: Referrals,
    ) -> None:
        self._settings = settings
        self._services = services
        self._roster = roster
        self._ports = ports
        self._referrals = referrals

    def invited(self, effect: SessionInvited) -> None:
        """Take a call, or refuse it."""
        replaced = self._roster.by_session(effect.replaces) if effect.replaces is not None else None
        signalling, flow = self._services.signalling, effect.flow
        # A call that is for none of a server's accounts in particular may be for any of them.
        accounts = (
            (effect.account,) if effect.account else signalling.core.accounts_at(flow.remote_host, signalling.now)
        )
        srtp = self._ports.policy(*accounts)
        refusal = self._refusal(effect.offer, flow.local_host, srtp, makes_room=replaced is not None)
        if refusal is not None:
            status, reason = refusal
            self._services.publish(CallRefused(time.time(), str(effect.caller.uri), status, reason))
            told = "" if status == 486 else reason
            signalling.perform(signalling.core.reject(effect.session, status, signalling.now, warning_text=told))
            return
        identity = CallIdentity(
            number=self._roster.take_number(),
            session=effect.session,
            direction=CallDirection.INBOUND,
            account=effect.account,
            peer_uri=str(effect.caller.uri),
            peer_name=effect.caller.display_name,
            peer_hop=NextHop(flow.transport, flow.remote_host, flow.remote_port),
            codecs=self._settings.codecs,
            srtp=srtp,
            asserted_uri=str(effect.asserted.uri) if effect.asserted is not None else "",
            asserted_name=effect.asserted.display_name if effect.asserted is not None else "",
            referred_by=effect.referred_by,
        )
        mode = self._settings.mode if replaced is None else replaced.mode
        call = self._roster.add(self._services, identity, mode)
        call.invited(effect.offer)
        if replaced is not None:
            self._referrals.replace(replaced, call)
        elif self._settings.auto_answer:
            self._services.spawn(self._answer(call), f"answer call {call.call_id}")

    async def _answer(self, call: Call) -> None:
        try:
            await call.answer()
        except EngineError as error:
            logger.warning("Call %s could not be answered: %s", call.call_id, error)

    def _refusal(
        self, offer: bytes | None, local_host: str, srtp: SrtpPolicy, *, makes_room: bool
    ) -> tuple[int, str] | None:
        if not (self._roster.has_room or (makes_room and not self._roster.closing)):
            return 486, "No further call is taken at present."
        if offer is None:
            return None
        try:
            self._ports.rehearse(local_host, srtp, offer)
        except NotAcceptable as error:
            return 488, str(error)
        except MalformedSdp as error:
            return 400, f"The offer could not be read: {error}"
        return None
