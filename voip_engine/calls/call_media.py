"""One call's media: what is negotiated, the leg that follows it, and what is measured of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.calls.figures import MediaMeter, codec_snapshot
from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.calls.voice import CallVoice
from voip_engine.errors import EngineError
from voip_engine.events import MediaChanged, MediaChangeRefused
from voip_engine.hosts import host_port, is_unspecified
from voip_engine.media import protocol
from voip_engine.sdp.description import MalformedSdp
from voip_engine.sdp.negotiation import NotAcceptable
from voip_engine.sdp.plan import CodecName, MediaPlan
from voip_engine.sip import effects
from voip_engine.sip.core import SipCore
from voip_engine.sip.flow import NextHop, Path
from voip_engine.sip.network.sockets import family_of
from voip_engine.snapshots import CodecSnapshot, Holder, MediaChange, SecuritySnapshot


class CallMedia:
    """The media of the call that `voice` is of; `session` is its SIP session. Nothing is sent to the leg of an ended call."""

    def __init__(self, services: CallServices, session: str, voice: CallVoice) -> None:
        self._services = services
        self._session = session
        self._secure_signalling = False
        """Whether the session's signalling is encrypted, as far as the next hop."""
        self._voice = voice
        self.negotiation: CallNegotiation | None = None
        """None while there is no leg."""
        self._offered_late = False
        self._wanted: MediaChange | None = None
        """What our last offer was to change."""
        self._ways: dict[str, tuple[str, str]] = {}
        """The other side's host for signalling, and for audio of the other family, each with our own address on the way."""
        self._moving = asyncio.Lock()
        self.meter = MediaMeter()

    @property
    def plan(self) -> MediaPlan | None:
        """What is agreed on."""
        return self.negotiation.plan if self.negotiation is not None else None

    @property
    def codec(self) -> CodecSnapshot | None:
        """The codec that is agreed on."""
        return codec_snapshot(self.plan) if self.plan is not None else None

    @property
    def security(self) -> SecuritySnapshot:
        """What is encrypted."""
        srtp = self.plan.srtp if self.plan is not None else None
        return SecuritySnapshot(signalling=self._secure_signalling, suite=srtp.suite if srtp is not None else "")

    @property
    def held_by(self) -> Holder:
        """Who holds the call."""
        return self.negotiation.held_by if self.negotiation is not None else Holder.NOBODY

    @property
    def local_rtp(self) -> str:
        """Where we take audio, empty while nowhere."""
        local = self.negotiation.local if self.negotiation is not None else None
        return host_port(local.host, local.port) if local is not None else ""

    @property
    def remote_rtp(self) -> str:
        """Where audio goes, empty while nowhere: to whom is heard, until then to where the other side said."""
        far = self.meter.remote_rtp or (self.plan.remote_rtp if self.plan is not None else None)
        return host_port(far.host, far.port) if far is not None else ""

    def follow(self, *, early: bool = False) -> None:
        """Let the leg follow the plan. Early media may pause for as long as it rings."""
        if self.plan is not None and not self._voice.hung_up.is_set():
            timeout_s = None if early else self._services.media_timeout_s
            parties = self._core.features.parties(self._session)
            self._services.plane.send(protocol.ConfigureLeg(self._voice.leg_id, self.plan, timeout_s, parties=parties))
            self._voice.configure(codec_snapshot(self.plan).audio_rate_hz)
            self._watch_audio(self.plan.remote_rtp.host)

    def go_over(self, hop: NextHop) -> None:
        """Note over which hop the session's signalling goes.

        To one of the same family that we have another address towards, the leg has to move: the peer may not reach this one.
        """
        self._secure_signalling = hop.transport == "TLS"
        host, ours = self._ways.get("signalling", ("", ""))
        if not ours or family_of(host) is not family_of(hop.host):
            ours = self._services.signalling.source_address(hop.host)
        self._ways["signalling"] = hop.host, ours

    def progressed(self, answer: bytes) -> bool:
        """Follow what a branch answers that has not taken the call, for as long as no other one does; False for nonsense."""
        if self.negotiation is None:
            return False
        try:
            self.negotiation.take_answer(answer, final=False)
        except (MalformedSdp, NotAcceptable):
            return False
        self.follow(early=True)
        return True

    def answered(self, answer: bytes | None, branch: str) -> None:
        """Follow the branch that takes the call: its answer, or what it has agreed on with us by UPDATE while it rang.

        Raises EngineError where it has said nothing that can be used; what other branches said does not count (RFC 3261
        §13.2.1).
        """
        negotiation = self.negotiation
        try:
            if negotiation is not None and answer is not None:
                negotiation.take_answer(answer)
            elif negotiation is None or not negotiation.go_back_to(branch):
                raise EngineError("The other side answered without a session description.")
        except (MalformedSdp, NotAcceptable) as error:
            raise _unusable(error) from error
        self.follow()

    def alternative_offered(self) -> None:
        """Expect the answer to the alternative offer."""
        if self.negotiation is not None:
            self.negotiation.alternative_offered()

    def acknowledged(self, body: bytes | None) -> None:
        """Take the ACK for a 2xx of ours: it has to bring the answer where that made the offer (RFC 3261 §13.2.1).

        Raises EngineError where a call is left without a plan.
        """
        late, self._offered_late = self._offered_late, False
        if late or body is not None:
            self.confirmed(body)
        elif self.negotiation is not None and self.plan is None:
            raise EngineError("The caller never said where to send audio to.")

    def confirmed(self, body: bytes | None) -> None:
        """Take the answer to an offer that was made while the call was up, or with our 200; tells what it changed.

        One that is missing or cannot be used leaves everything as it was.
        """
        before = self._agreed()
        if body is not None and self._takes(body):
            self._tell_change(before)
        elif self.negotiation is not None and self.negotiation.awaits_answer:
            words = "without a session description" if body is None else "with one that cannot be used"
            self.reoffer_refused(f"The other side answered {words}.")

    def hold(self, on: bool) -> None:
        """Hold or resume by re-INVITE. Raises EngineError while another offer is out."""
        if on is not (self.held_by in (Holder.US, Holder.BOTH)):
            self._reoffer(self._negotiable().offer(hold=on), MediaChange.HOLD if on else MediaChange.RESUME)

    def set_codecs(self, codecs: tuple[CodecName, ...]) -> None:
        """Offer other codecs. Raises EngineError while another offer is out."""
        self._reoffer(self._negotiable().offer(codecs=codecs), MediaChange.CODECS)

    def is_stranded(self, address_towards: Callable[[str], str]) -> bool:
        """Whether our address on the way to the other side, empty for no way, is another one than it was."""
        return any(address_towards(host) not in ("", ours) for host, ours in self._ways.values())

    async def move(self, identity: CallIdentity) -> None:
        """Bind the leg to our present address towards the call's peer, and tell the peer, unless the call is over by then.

        Raises MediaError and TransportError, and then the leg is where it was, and stays there until the address changes again.
        """
        signalling, hop, negotiation = self._services.signalling, identity.peer_hop, self.negotiation
        if negotiation is None:
            return
        self._ways = {what: (host, signalling.source_address(host)) for what, (host, _) in self._ways.items()}
        async with self._moving:
            local = await signalling.local_address_for(hop)
            contact = await signalling.contact_for(Path(hop, local))
            await self._services.move_leg(identity.number, negotiation, local, hop)
            if self._voice.hung_up.is_set():
                return
            moved = self._core.move(
                self._session,
                negotiation.offer(),
                account=identity.account,
                local=local,
                contact=contact,
                now=self._now,
            )
            self._wanted = MediaChange.ADDRESS
            self._perform(moved)

    def reoffered(self, offer: bytes | None, branch: str, *, connected: bool) -> None:
        """Answer their re-INVITE or UPDATE, one that a branch sends while a call of ours rings too."""
        negotiation, before = self.negotiation, self._agreed()
        ours_waits = negotiation is not None and negotiation.awaits_answer and connected
        if negotiation is None or (ours_waits and offer is None):
            # An offer of ours that met one of theirs goes out again soon; it cannot stand for two.
            self._reject(491 if negotiation else 488)
            return
        try:
            early_branch = None if connected else branch
            body = negotiation.offer() if offer is None else negotiation.answer(offer, early_branch=early_branch)
        except NotAcceptable as error:
            self._reject(488, str(error))
            return
        except MalformedSdp as error:
            self._reject(488, f"The offer could not be read: {error}")
            return
        self._offered_late = offer is None
        if offer is None:
            self._wanted = None
        self.follow(early=not connected)
        self._perform(self._core.accept_reoffer(self._session, body, self._now))
        if ours_waits:  # with what has been agreed on meanwhile
            self._reoffer(negotiation.offer(), self._wanted)
        if offer is not None:
            self._tell_change(before)

    def reoffer_refused(self, reason: str, by: Literal["local", "remote"] = "remote") -> None:
        """Go on as it was; `by` says on which side the offer failed."""
        if self.negotiation is not None:
            self.negotiation.drop_offer()
        self._services.publish(MediaChangeRefused(time.time(), self._voice.call_id, reason, by, self._wanted))

    def measured(self, figures: protocol.LegFigures) -> None:
        """Keep the latest figures of the leg."""
        sends = self.plan is not None and self.plan.direction in ("sendrecv", "recvonly")
        self.meter.measured(figures, peer_sends=sends)

    def close(self) -> None:
        """Release the leg and its ports."""
        if self.negotiation is not None:
            self._services.plane.send(protocol.CloseLeg(self._voice.leg_id))

    def _takes(self, answer: bytes) -> bool:
        """Follow an answer in a call that is up; False for one that changes nothing. Raises EngineError without any plan."""
        if self.negotiation is None:
            return False
        try:
            self.negotiation.take_answer(answer)
        except (MalformedSdp, NotAcceptable) as error:
            if self.plan is None:
                raise _unusable(error) from error
            return False
        self.follow()
        return True

    def _watch_audio(self, host: str) -> None:
        """Note our address on the way to the other side's audio where that is of the other family than signalling."""
        apart = family_of(host) is not family_of(self._ways["signalling"][0])
        if apart and not is_unspecified(host) and self._ways.get("audio", ("", ""))[0] != host:
            self._ways["audio"] = host, self._services.signalling.source_address(host)

    def _agreed(self) -> tuple[MediaPlan | None, Holder]:
        return self.plan, self.held_by

    def _tell_change(self, before: tuple[MediaPlan | None, Holder]) -> None:
        """Tell what is agreed on now, unless a call was merely confirmed."""
        if self.plan is not None and self._agreed() != before:
            on_hold = self.held_by is not Holder.NOBODY
            changed = MediaChanged(time.time(), self._voice.call_id, self.codec, on_hold, self.held_by, self.security)
            self._services.publish(changed)

    def _negotiable(self) -> CallNegotiation:
        if self.negotiation is None or self.negotiation.awaits_answer:
            raise EngineError("The call is being renegotiated; try again in a moment.")
        return self.negotiation

    def _reoffer(self, offer: bytes, wanted: MediaChange | None) -> None:
        self._wanted = wanted
        self._perform(self._core.reoffer(self._session, offer, self._now))

    def _reject(self, status: int, why: str = "") -> None:
        self._perform(self._core.reject_reoffer(self._session, status, self._now, warning_text=why))

    def _perform(self, wanted: list[effects.Effect]) -> None:
        self._services.signalling.perform(wanted)

    @property
    def _core(self) -> SipCore:
        return self._services.signalling.core

    @property
    def _now(self) -> float:
        return self._services.signalling.now


def _unusable(error: Exception) -> EngineError:
    return EngineError(f"The other side's answer cannot be used: {error}")
