"""What a call is given by the engine that carries it, and what is fixed for its life."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voip_engine import events
from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.calls.placed_calls import PlacedCalls
from voip_engine.media.plane import MediaPlane
from voip_engine.modes.base import Mode
from voip_engine.network_settings import DtmfPolicy
from voip_engine.sdp.plan import CodecName, SrtpPolicy
from voip_engine.signalling import Signalling
from voip_engine.sip.effects import SessionReferred
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.messages.uri import SipUri
from voip_engine.snapshots import CallDirection
from voip_engine.speech.base import SpeechServices
from voip_engine.speech_settings import AgentSettings, VoiceSettings

if TYPE_CHECKING:
    from voip_engine.calls.call import Call


@dataclass(frozen=True, slots=True)
class CallServices:
    """What a call needs of the engine that carries it."""

    signalling: Signalling
    plane: MediaPlane
    modes: Mapping[str, Callable[[], Mode]]
    voice: VoiceSettings
    agent: Callable[[str | None], AgentSettings]
    """How an agent behaves on an account's calls."""
    speech: Callable[[AgentSettings], SpeechServices]
    language: str | None
    publish: Callable[[events.AnyEvent], None]
    monitor: Callable[[Call, bool], Awaitable[None]]
    open_leg: Callable[[CallIdentity, bytes | None], Awaitable[CallNegotiation]]
    """Opens the ports of a call that came in with that offer, or with none. Raises EngineError."""
    move_leg: Callable[[int, CallNegotiation, LocalAddress, NextHop], Awaitable[None]]
    """Binds an open leg to another address, which its negotiation names then. Raises MediaError."""
    placed: PlacedCalls
    """Whom this call may be transferred to, and whether now."""
    find: Callable[[str, str | None], SipUri]
    """Whom a text means, dialled on an account's call. Raises EngineError."""
    dtmf: Callable[[str | None], DtmfPolicy]
    """How keys are sent on an account's calls."""
    referred: Callable[[Call, SessionReferred], None]
    """The other side of a call sends us on."""
    spawn: Callable[[Coroutine[Any, Any, None], str], None]
    """Runs a task, by its name, that the engine owns."""
    media_timeout_s: float
    hang_up_on_media_timeout: bool


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """Who calls whom, and over what. Fixed for the life of a call, unless it is sent elsewhere before it is answered."""

    number: int
    session: str
    direction: CallDirection
    account: str | None
    peer_uri: str
    peer_name: str
    peer_hop: NextHop
    codecs: tuple[CodecName, ...]
    srtp: SrtpPolicy
    """Whether its audio is encrypted."""
    asserted_uri: str = ""
    asserted_name: str = ""
    referred_by: str = ""
