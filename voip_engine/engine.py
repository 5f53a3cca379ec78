"""The engine: accounts, calls and the planes that carry them, in the caller's event loop.

async with Engine(settings) as engine:
    call = await engine.dial("sip:bob@192.0.2.7")
    async for event in engine.events():
        ...
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any

from voip_engine import events
from voip_engine.account_servers import watch_servers
from voip_engine.accounts import Accounts
from voip_engine.addresses import destination
from voip_engine.admission import Admission
from voip_engine.bus import Bus, Subscription
from voip_engine.calls.call import Call
from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.calls.dialler import Dialler
from voip_engine.calls.leg_ports import LegPorts
from voip_engine.calls.moving import move_calls
from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.calls.placed_calls import PlacedCalls
from voip_engine.calls.receiver import Receiver
from voip_engine.calls.redirection import Redirection
from voip_engine.calls.referrals import Referrals
from voip_engine.calls.roster import Roster
from voip_engine.errors import EngineError
from voip_engine.events import AnyEvent
from voip_engine.hosts import host_port
from voip_engine.media import protocol
from voip_engine.media.monitor import MonitorError, OutputDevice, list_devices
from voip_engine.media.plane import MediaError, MediaPlane
from voip_engine.modes.base import Mode
from voip_engine.modes.registry import available_modes
from voip_engine.monitoring import Monitoring
from voip_engine.sdp.plan import CodecName
from voip_engine.settings import EngineSettings, ListenAddress
from voip_engine.signalling import Signalling
from voip_engine.sip import effects
from voip_engine.sip.core import SipCore
from voip_engine.sip.network.transport import TransportError
from voip_engine.snapshots import AccountSnapshot, EngineSnapshot
from voip_engine.speech.base import ModelMissing, SpeechError
from voip_engine.speech.plane import SpeechPlane
from voip_engine.speech_settings import AgentSettings
from voip_engine.strangers import Strangers
from voip_engine.version import USER_AGENT

if TYPE_CHECKING:
    from voip_engine.speech.models import PullProgress

GOODBYE_S = 2.0
"""How long closing waits for the other sides to confirm BYE, and then for the registrars."""

logger = logging.getLogger(__name__)


class Engine:
    """A SIP phone with many lines. Use it as an async context manager, or call `start` and `close`."""

    def __init__(
        self, settings: EngineSettings | None = None, *, modes: Mapping[str, Callable[[], Mode]] | None = None
    ) -> None:
        """Take settings, and modes beside the installed ones, each by a factory. Raises EngineError for an unknown mode."""
        self.settings = settings or EngineSettings()
        self._modes = {**available_modes(), **(modes or {})}
        self._require_mode(self.settings.mode)
        self._bus: Bus[AnyEvent] = Bus()
        self._listening: tuple[str, ...] = ()
        self._closing = False
        self._overruns = 0
        self._clock = protocol.Figures(legs=(), ticks=0, overruns=0, lateness_p99_ms=0.0, busy_fraction=0.0)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._strangers = Strangers(self._publish)
        self._roster = Roster(
            max_calls=self.settings.max_calls,
            keep_ended_s=self.settings.keep_ended_s,
            publish=self._publish,
            spawn=self._spawn,
        )
        self._plane = MediaPlane(self._reported, self._media_restarted)
        self._monitoring = Monitoring(
            self._plane.send,
            device=self.settings.monitor_device,
            volume=self.settings.monitor_volume,
            layout=self.settings.monitor_layout,
        )
        self._ports = LegPorts(self._plane, self.settings)
        self._speech = SpeechPlane(self.settings.transcription, self.settings.speaking)
        self._signalling: Signalling
        self._accounts: Accounts
        self._placed: PlacedCalls
        self._redirection: Redirection
        self._referrals: Referrals
        self._dialler: Dialler
        self._receiver: Receiver

    # ---- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the media process, bind the listening sockets, begin to register. Raises EngineError in plain words."""
        # Tags, branches and nonces are to be guessed by nobody (RFC 3261 §19.3), not even from those seen before.
        randomness = random.SystemRandom()
        door = Admission(
            self.settings.admission,
            has_accounts=bool(self.settings.accounts),
            random=randomness,
            max_calls=self.settings.max_calls,
        )
        core = SipCore(randomness, user_agent=USER_AGENT, door=door, session_timer_s=self.settings.session_timer_s)
        self._signalling = Signalling(core, self._apply, tls=self.settings.tls, stun=self.settings.stun)
        self._accounts = Accounts(self.settings.accounts, self._signalling, self._publish)
        self._placed = PlacedCalls(self.settings.dialling, self._roster.end)
        self._redirection = Redirection(self.settings.accounts, self._signalling, self._placed)
        services = CallServices(
            signalling=self._signalling,
            plane=self._plane,
            modes=self._modes,
            voice=self.settings.voice,
            agent=self.settings.agent_of,
            speech=self._speech.services,
            language=self.settings.transcription.language,
            publish=self._publish,
            monitor=self._monitoring.switch,
            open_leg=self._open_leg,
            move_leg=self._ports.move,
            placed=self._placed,
            find=lambda text, account: destination(text, self.settings.accounts, account).target,
            dtmf=self.settings.dtmf_of,
            referred=lambda call, effect: self._referrals.referred(call, effect),
            spawn=self._spawn,
            media_timeout_s=self.settings.media_timeout_s,
            hang_up_on_media_timeout=self.settings.hang_up_on_media_timeout,
        )
        self._dialler = Dialler(self.settings, services, self._roster, self._accounts, self._ports, self._placed)
        self._referrals = Referrals(services, self._dialler.dial)
        self._receiver = Receiver(self.settings, services, self._roster, self._ports, self._referrals)
        try:
            await self._signalling.check_certificates()
            await self._plane.start()
            self._listening = await self._listen()
        except BaseException as error:  # whatever it was, also being cancelled: no process and no socket stays behind
            await self._plane.close()
            await self._signalling.close()
            if isinstance(error, MediaError | TransportError):
                raise EngineError(str(error)) from error
            raise
        self._publish(events.EngineStarted(time.time(), self._listening))
        self._accounts.start()

        def servers_found(account: str, hosts: list[str]) -> None:
            door.servers_found(hosts, self._signalling.now)
            core.servers_found(account, hosts, self._signalling.now)

        self._spawn(watch_servers(self.settings.accounts, self._signalling, servers_found), "watch servers")
        self._spawn(move_calls(self._roster.calls, self._signalling, self._spawn), "move calls")
        self._spawn(self._warm_up(), "warm up")

    async def close(self) -> None:
        """Hang up, unregister, close every socket and end the media process."""
        if self._closing:
            return
        self._closing = True
        await self._roster.close(GOODBYE_S)
        self._placed.close()
        await self._accounts.close(GOODBYE_S)
        await self._monitoring.close()
        await self._plane.close()
        await self._signalling.close()
        await self._speech.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._publish(events.EngineStopped(time.time()))
        self._bus.close()

    async def __aenter__(self) -> Engine:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ---- what there is ------------------------------------------------------------------------------------------------

    @property
    def calls(self) -> Mapping[str, Call]:
        """All calls by their id: the live ones, and for a while those that ended."""
        return self._roster.calls

    @property
    def modes(self) -> tuple[str, ...]:
        """The names of the modes that can handle a call."""
        return tuple(self._modes)

    @property
    def monitor_volume(self) -> float:
        """How loud monitored calls are, from 0 to 1."""
        return self._monitoring.volume

    def accounts(self) -> tuple[AccountSnapshot, ...]:
        """Return every account as it stands."""
        return self._accounts.snapshots()

    def events(self) -> Subscription[AnyEvent]:
        """Return what happens from now on; of more than 1,000 unread events the oldest is dropped."""
        return self._bus.subscribe()

    def snapshot(self) -> EngineSnapshot:
        """Return the engine as it stands."""
        return EngineSnapshot(
            listening=self._listening,
            modes=self.modes,
            media_running=self._plane.running,
            media_restarts=self._plane.restarts,
            tick_overruns=self._overruns,
            lateness_p99_ms=self._clock.lateness_p99_ms,
            busy_fraction=self._clock.busy_fraction,
            malformed_messages=self._strangers.malformed_messages,
            turned_away=self._strangers.turned_away,
        )

    @property
    def media_process_id(self) -> int | None:
        """The media process, for whoever wants to watch or pin it."""
        return self._plane.process_id

    # ---- commands -----------------------------------------------------------------------------------------------------

    async def dial(
        self,
        target: str,
        *,
        account: str | None = None,
        mode: str | Mode | None = None,
        agent: AgentSettings | None = None,
        codecs: tuple[CodecName, ...] | None = None,
        caller: str | None = None,
    ) -> Call:
        """Call somebody: a SIP URI, `user@host`, or a bare number at an account's domain.

        Returns when the INVITE is out. `mode` is a mode's name or a mode itself, `agent` how an agent behaves on this call if
        not as everywhere. `caller` (a name-addr) says who calls when no account does. Raises EngineError in
        plain words for an address that is none, a host that does not resolve, one that [dialling] of the settings does not
        let be called, or one call more than the settings allow.
        """
        chosen = self.settings.mode if mode is None else mode
        if isinstance(chosen, str):
            self._require_mode(chosen)
        return await self._dialler.dial(target, account=account, mode=chosen, agent=agent, codecs=codecs, caller=caller)

    def register(self, account: str) -> None:
        """Register an account now. Raises EngineError for an unknown one."""
        self._accounts.register(account)

    def unregister(self, account: str) -> None:
        """Take an account's registration back. Raises EngineError for an unknown one."""
        self._accounts.unregister(account)

    async def pull_model(self, model: str, on_progress: Callable[[PullProgress], None] = lambda _: None) -> None:
        """Fetch a model (`Trouble.model`), then let the modes that lacked it try again. Raises EngineError in plain words.

        Cancelling keeps what has arrived for the next time.
        """
        from voip_engine.speech.models import pull

        await pull(model, self.settings, on_progress)
        for call in tuple(self._roster.calls.values()):
            trouble = call.snapshot().trouble
            if not call.ended and trouble is not None and trouble.model == model:
                await call.restart_mode()

    async def set_monitor_volume(self, volume: float) -> None:
        """Set how loud monitored calls are, from 0 to 1."""
        self._monitoring.set_volume(volume)

    async def set_monitor_device(self, device: str | None) -> None:
        """Play monitored calls on another output device; None is the system's default."""
        await self._monitoring.set_device(device)

    async def output_devices(self) -> tuple[OutputDevice, ...]:
        """Return the output devices there are. Raises EngineError with the mending command if PortAudio is missing."""
        try:
            return tuple(await list_devices())
        except MonitorError as error:
            raise EngineError(str(error)) from error

    # ---- from the SIP core --------------------------------------------------------------------------------------------

    def _apply(self, effect: effects.Effect) -> None:
        match effect:
            case effects.SessionInvited():
                self._receiver.invited(effect)
            case effects.RegistrationChanged():
                self._accounts.apply(effect)
            case effects.MessageRejected(flow=flow, reason=reason):
                self._strangers.rejected(flow, reason)
            case effects.RequestTurnedAway(flow=flow, reason=reason):
                self._strangers.turned_back(flow, reason)
            case effects.MessagesWaiting():
                self._accounts.messages_waiting(effect)
            case effects.SessionRedirected(session=session) if (
                sent_on := self._roster.by_session(session)
            ) is not None:
                self._spawn(self._redirection.follow(sent_on, effect), f"redirect call {sent_on.call_id}")
            case (
                effects.SendOnFlow()
                | effects.SendRequest()
                | effects.KeepAlive()
                | effects.CloseConnection()
                | effects.KeepConnection()
                | effects.Unanswered()
            ):
                raise AssertionError("sending is the signalling's business")
            case _:
                call = self._roster.by_session(effect.session)
                if call is not None:
                    call.apply(effect)
                    self._placed.follow(call.call_id, call.state)

    async def _warm_up(self) -> None:
        """Load what the first call would wait for: FFmpeg, and the models of the mode that new calls get.

        What is missing is said on the calls, when they come.
        """
        await asyncio.to_thread(import_module, "av")
        warm = getattr(self._modes[self.settings.mode], "warm", None)
        if warm is None:
            return
        try:
            await warm(self._speech.services(self.settings.agent), self.settings.agent)
        except* SpeechError as failed:
            for error in failed.exceptions if not self._closing else ():
                mend = f" Run: {error.mend}" if isinstance(error, ModelMissing) else ""
                logger.warning("%s%s", error, mend)

    # ---- from the media plane -----------------------------------------------------------------------------------------

    def _reported(self, report: protocol.AnyReport) -> None:
        if isinstance(report, protocol.Figures):
            self._clock = report
            self._overruns += report.overruns
            for figures in report.legs:
                call = self._roster.calls.get(str(figures.leg_id))
                if call is not None:
                    call.measured(figures)
        elif not isinstance(report, protocol.Ready):
            call = self._roster.calls.get(str(report.leg_id))
            if call is not None:
                call.receive(report)

    def _media_restarted(self, outage_s: float, legs: int) -> None:
        self._publish(events.MediaRestarted(time.time(), outage_s, legs))

    async def _open_leg(self, call: CallIdentity, offer: bytes | None) -> CallNegotiation:
        """Open the ports of a call where its peer can reach them. Raises EngineError."""
        try:
            local = await self._signalling.local_address_for(call.peer_hop)
            return await self._ports.open(call.number, local, call.peer_hop, call.srtp, call.codecs, offer)
        except (MediaError, TransportError) as error:
            raise EngineError(str(error)) from error

    # ---- small things -------------------------------------------------------------------------------------------------

    async def _listen(self) -> tuple[str, ...]:
        bound = []
        for text in self.settings.addresses_to_listen_on:
            address = ListenAddress.parse(text)
            local = await self._signalling.listen(address.transport, address.host, address.port)
            self._signalling.core.add_local_address(local)
            bound.append(f"{local.transport.lower()}:{host_port(local.host, local.port)}")
        return tuple(bound)

    def _require_mode(self, name: str) -> None:
        if name not in self._modes:
            raise EngineError(f"There is no mode {name!r}; there are {', '.join(self._modes)}.")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _publish(self, event: AnyEvent) -> None:
        self._bus.publish(event)
