"""One call: a SIP session, a media leg and the mode that handles it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from voip_engine import events
from voip_engine.calls.call_media import CallMedia
from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.calls.course import CallCourse
from voip_engine.calls.describing import call_snapshot
from voip_engine.calls.keys import CallKeys
from voip_engine.calls.mode_runner import ModeRunner
from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.calls.transfers import CallTransfers, OnCourse
from voip_engine.calls.voice import CallVoice
from voip_engine.calls.voice_host import CallVoiceHost
from voip_engine.errors import EngineError
from voip_engine.hosts import host_port
from voip_engine.media import protocol
from voip_engine.modes.base import Mode
from voip_engine.sdp.description import MalformedSdp
from voip_engine.sdp.negotiation import NotAcceptable
from voip_engine.sdp.plan import CodecName
from voip_engine.sip import effects
from voip_engine.sip.core import SipCore
from voip_engine.sip.flow import NextHop
from voip_engine.sip.trace import SipTraceEntry
from voip_engine.snapshots import CallDirection, CallSnapshot, CallState, MonitorState
from voip_engine.speech_settings import AgentSettings, VoiceSettings


class Call:
    """One call of the engine. Commands answer with their result or raise EngineError; `snapshot` says how things stand."""

    def __init__(self, services: CallServices, identity: CallIdentity, mode: str | Mode) -> None:
        self._services = services
        self._identity = identity
        self._trace = services.signalling.trace(identity.session)
        self._course = CallCourse(self.call_id, identity.direction, services.publish)
        self._offer: bytes | None = None
        self._answering = False
        self._monitor_state = MonitorState.OFF
        self._finished = asyncio.Event()
        self._host = CallVoiceHost(
            self.call_id,
            outbound=identity.direction is CallDirection.OUTBOUND,
            agent=lambda: services.agent(identity.account),
            speech=services.speech,
            language=services.language,
            publish=services.publish,
            hang_up=self.hang_up,
            send_dtmf=self.send_dtmf,
            transfer=self.transfer,
        )
        self._voice = CallVoice(self.call_id, identity.number, services.plane.send, services.voice, self._host)
        self._media = CallMedia(services, identity.session, self._voice)
        self._go_over(identity.peer_hop)
        self._runner = ModeRunner(self._voice, services.modes, mode, self._host.mode_failed)
        self._transfers = CallTransfers(self, services)
        self._keys = CallKeys(services, identity)

    # ---- what others see ----------------------------------------------------------------------------------------------

    @property
    def call_id(self) -> str:
        """The engine's own short name for the call."""
        return str(self._identity.number)

    @property
    def session(self) -> str:
        """The SIP session, by its Call-ID."""
        return self._identity.session

    @property
    def account(self) -> str | None:
        """The account that the call goes through."""
        return self._identity.account

    @property
    def mode(self) -> str | Mode:
        """What handles the call, for `set_mode` or `Engine.dial`: a name, or a mode that has none the engine knows."""
        return self._runner.mode

    @property
    def agent(self) -> AgentSettings:
        """How an agent behaves on this call."""
        return self._host.agent

    @property
    def state(self) -> CallState:
        """Where the call stands."""
        return self._course.state

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self._course.ended

    def trace(self) -> tuple[SipTraceEntry, ...]:
        """Return the SIP messages of this call without their secrets, the oldest first: the first 40 and the latest 160."""
        return self._trace.entries()

    async def wait_ended(self) -> None:
        """Wait until the call is over and its mode, leg and ports are released."""
        await self._finished.wait()

    def snapshot(self) -> CallSnapshot:
        """Return the call as it stands."""
        return call_snapshot(
            self._identity,
            self._course,
            self._media,
            self._host,
            mode=self._runner.name,
            monitor=self._monitor_state,
            transfer=self._transfers.snapshot,
        )

    # ---- commands -----------------------------------------------------------------------------------------------------

    async def answer(self, mode: str | Mode | None = None) -> None:
        """Answer an incoming call, in `mode` or in the one already chosen."""
        if not self._course.incoming or self._answering:
            raise EngineError("Only a call that is coming in can be answered.")
        self._answering = True
        try:
            if mode is not None:
                await self.set_mode(mode)
            negotiation = await self._open_media()
            try:
                body = negotiation.offer() if self._offer is None else negotiation.answer(self._offer)
            except (MalformedSdp, NotAcceptable) as error:
                await self.reject(488)
                raise EngineError(f"The caller's offer cannot be accepted: {error}") from error
            self._media.follow()
            self._perform(self._core.answer(self.session, body, self._now))
            self._connected()
        finally:
            self._answering = False

    async def reject(self, status: int = 486) -> None:
        """Refuse an incoming call with a final status, 486 (busy) unless told otherwise."""
        if not self._course.incoming:
            raise EngineError("Only a call that is coming in can be rejected.")
        self._perform(self._core.reject(self.session, status, self._now))

    async def hang_up(self) -> None:
        """End the call, whatever state it is in; nothing happens to one that is over."""
        if not self.ended:
            self._perform(self._core.hang_up(self.session, self._now))

    def end(self, reason: str) -> None:
        """End the call at once and say why, in plain words; nothing happens to one that is over."""
        if not self.ended:
            self._give_up(reason)

    def goes_over(self, reason: str) -> None:
        """Take word that the other side hangs up because it is joined with somebody else; an empty text takes it back."""
        self._course.goes_over(reason)

    async def set_mode(self, mode: str | Mode) -> None:
        """Let another mode, by its name or a mode itself, handle the call from now on. RTP goes on without a gap."""
        name, factory = self._runner.find(mode)
        self._course.require_alive()
        self._host.mode_troubled(None)
        await self._runner.switch(name, factory)
        self._publish(events.ModeChanged(time.time(), self.call_id, name))

    async def restart_mode(self) -> None:
        """Let the call's mode begin anew, because what it lacked may be there now."""
        self._course.require_alive()
        self._host.mode_troubled(None)
        await self._runner.restart()

    def set_agent(self, settings: AgentSettings) -> None:
        """Give this call's agent its own prompt, model, voice …; what is being said is finished as it was begun."""
        self._course.require_alive()
        self._host.agent_settings = settings

    def set_voice(self, settings: VoiceSettings) -> None:
        """Tell this caller's speech from silence by other rules from now on."""
        self._course.require_alive()
        self._voice.set_voice(settings)

    async def monitor(self, on: bool) -> None:
        """Put the call on the local speakers, or take it off. One call at a time is heard."""
        if on and not self._course.early_media:
            self._course.require_connected()
        await self._services.monitor(self, on)

    async def hold(self, on: bool) -> None:
        """Put the other side on hold by re-INVITE, or take it back (RFC 3264 §8.4). The other side may hold us besides."""
        self._course.require_connected()
        self._media.hold(on)

    async def set_codecs(self, codecs: tuple[CodecName, ...]) -> None:
        """Offer other codecs in mid-call, the first being what we like best; `MediaChanged` says what came of it."""
        if not codecs:
            raise EngineError("There is no codec to offer; name at least one.")
        self._course.require_connected()
        self._media.set_codecs(codecs)

    async def send_dtmf(self, digits: str) -> None:
        """Press keys one after the other: as telephone-events (RFC 4733) or by INFO, as the account and the other side want."""
        self._course.require_connected()
        await self._keys.send(digits, self._media.plan)

    async def transfer(self, target: str) -> None:
        """Send the other side on to somebody else (RFC 3515): dialled as in `Engine.dial`.

        The other side is put on hold. Returns when it has reached the target, and the call is over then; raises EngineError
        when it has not, and the call goes on. Cancelling leaves to the other side what it has begun.
        """
        await self._transfers.transfer(target)

    async def transfer_to(self, other: Call) -> None:
        """Join the other sides of this call and another one that is up; both end then. As `transfer` otherwise."""
        await self._transfers.transfer_to(other)

    # ---- called by the engine -----------------------------------------------------------------------------------------

    def invited(self, offer: bytes | None) -> None:
        """Keep an incoming call's offer and let the caller hear ringing."""
        self._offer = offer
        self._perform(self._core.ring(self.session, self._now))

    def placed(self, negotiation: CallNegotiation) -> None:
        """Keep the offer that our INVITE carries; the leg is open already."""
        self._media.negotiation = negotiation

    def redirected(self, peer_uri: str, peer_hop: NextHop) -> None:
        """Note where a call goes on that was sent elsewhere."""
        self._identity = replace(self._identity, peer_uri=peer_uri)
        self._go_over(peer_hop)
        self._course.sent_elsewhere()

    def is_stranded(self, address_towards: Callable[[str], str]) -> bool:
        """Whether this machine's address towards the other side, empty for none, is not the one that the call was made from."""
        return self._media.is_stranded(address_towards)

    async def move(self) -> None:
        """Go on from this machine's present address. Raises MediaError and TransportError; then the call is where it was."""
        await self._media.move(self._identity)

    def apply(self, effect: effects.Effect) -> None:
        """Follow what the SIP core says of this call's session."""
        match effect:
            case effects.SessionProgressed():
                self._progressed(effect)
            case effects.AlternativeOffered():
                self._media.alternative_offered()
            case effects.SessionAnswered():
                if effect.flow is not None and not self._course.connected:
                    # Not always where the call was first sent: another server took it, or it was too long for UDP.
                    flow = effect.flow
                    hop = NextHop(flow.transport, flow.remote_host, flow.remote_port)
                    self._go_over(hop)
                self._answered(effect.body, effect.branch)
            case effects.SessionConfirmed(body=body):
                self._confirmed(body)
            case effects.SessionReoffered(offer=offer, branch=branch):
                self._media.reoffered(offer, branch, connected=self._course.connected)
            case effects.SessionReofferFailed(reason=reason, by=by):
                self._media.reoffer_refused(reason, by)
            case effects.SessionEnded():
                self._end(effect.by, effect.status, effect.reason)
            case effects.SessionDigitPressed():
                if self._keys.heard(effect.digit, "info", effect.duration_ms):
                    self._digit_pressed(effect.digit, effect.duration_ms)
            case effects.SessionIdentified(asserted=who):
                self._identity = replace(self._identity, asserted_uri=str(who.uri), asserted_name=who.display_name)
                self._publish(events.CallerIdentified(time.time(), self.call_id, str(who.uri), who.display_name))
            case _:
                pass
        self._keys.apply(effect)
        self._transfers.apply(effect)

    def watch(self, on_course: OnCourse) -> None:
        """Tell from now on how the call comes about, in SIP's statuses, up to the first final one."""
        self._transfers.watch(on_course)

    def receive(self, report: protocol.AnyReport) -> None:
        """Take a report of this call's leg."""
        match report:
            case protocol.DtmfHeard():
                if self._keys.heard(report.digit, "event", report.duration_ms):
                    self._digit_pressed(report.digit, report.duration_ms)
            case protocol.MediaTimedOut(silent_s=silent_s):
                self._publish(events.MediaTimedOut(time.time(), self.call_id, silent_s))
                if self._services.hang_up_on_media_timeout and not self.ended:
                    self._give_up(f"Nothing was heard from the other side for {silent_s:.0f} s.")
            case protocol.PacketRejected():
                source = host_port(report.source.host, report.source.port)
                self._publish(events.PacketRejected(time.time(), source, report.reason, self.call_id))
            case _:
                self._voice.receive(report)

    def measured(self, figures: protocol.LegFigures) -> None:
        """Keep the latest figures of the leg."""
        self._media.measured(figures)

    def monitor_changed(self, state: MonitorState, detail: str = "") -> None:
        """Note whether the operator hears the call."""
        if state is not self._monitor_state:
            self._monitor_state = state
            self._publish(events.MonitorChanged(time.time(), self.call_id, state, detail))

    async def carry(self) -> None:
        """Live as long as the call does; then release mode, leg and ports. The engine owns this task."""
        await self._voice.hung_up.wait()
        await self._runner.stop()
        if self._monitor_state is not MonitorState.OFF:
            await self._services.monitor(self, False)
        self._media.close()
        self._finished.set()
        await self._host.transcription.settle()
        self._host.call_over()

    # ---- the session's course -----------------------------------------------------------------------------------------

    def _progressed(self, effect: effects.SessionProgressed) -> None:
        if not self._course.placed or effect.status == 100:
            return
        early = effect.body is not None and self._media.progressed(effect.body)
        self._course.rang(effect.status, early_media=early)

    def _answered(self, body: bytes | None, branch: str) -> None:
        if self._course.connected:  # the answer to a re-INVITE of ours
            self._media.confirmed(body)
            return
        try:
            self._media.answered(body, branch)
        except EngineError as error:
            self._give_up(str(error))
        else:
            self._connected()

    def _confirmed(self, body: bytes | None) -> None:
        try:
            self._media.acknowledged(body)
        except EngineError as error:
            self._give_up(str(error))

    def _connected(self) -> None:
        self._course.answered(self._media.codec, self._media.security)
        self._runner.start()

    def _go_over(self, hop: NextHop) -> None:
        """Note over which hop the call's signalling goes."""
        self._identity = replace(self._identity, peer_hop=hop)
        self._media.go_over(hop)

    def _give_up(self, reason: str) -> None:
        self._course.will_end(reason)
        self._perform(self._core.hang_up(self.session, self._now))

    def _end(self, by: Literal["local", "remote"], status: int | None, reason: str) -> None:
        if not self.ended:
            self._host.activity_changed("")
            self._voice.hang_up()
            self._course.over(by, status, reason)

    # ---- small things -------------------------------------------------------------------------------------------------

    def _digit_pressed(self, digit: str, duration_ms: int) -> None:
        self._publish(events.DtmfReceived(time.time(), self.call_id, digit, duration_ms))
        self._voice.digit_pressed(digit)

    async def _open_media(self) -> CallNegotiation:
        try:
            opened = await self._services.open_leg(self._identity, self._offer)
        except EngineError:
            if self._course.incoming:
                self._perform(self._core.reject(self.session, 503, self._now))
            raise
        if self.ended:  # meanwhile, so nobody else closes this leg
            self._services.plane.send(protocol.CloseLeg(self._identity.number))
            raise EngineError("The caller hung up before the call was answered.")
        self._media.negotiation = opened
        return opened

    def _perform(self, wanted: list[effects.Effect]) -> None:
        self._services.signalling.perform(wanted)

    @property
    def _core(self) -> SipCore:
        return self._services.signalling.core

    @property
    def _now(self) -> float:
        return self._services.signalling.now

    def _publish(self, event: events.AnyEvent) -> None:
        self._services.publish(event)
