"""voip_engine: SIP calls on asyncio, without a screen.

The names below are the public ones. They are imported when they are first used, so that `--help` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voip_engine.audio import SAMPLE_RATE_HZ, Audio
    from voip_engine.calls.call import Call
    from voip_engine.engine import Engine
    from voip_engine.errors import EngineError
    from voip_engine.media.monitor import MonitorError, list_devices
    from voip_engine.modes.base import Mode, Playout, Speech, Utterance, VoiceLeg
    from voip_engine.modes.say import SayMode
    from voip_engine.options import add_engine_options, settings_from
    from voip_engine.recordings import load_recording
    from voip_engine.secret import Secret
    from voip_engine.settings import AccountSettings, EngineSettings, ListenAddress, SettingsError
    from voip_engine.sip.trace import SipTraceEntry
    from voip_engine.speech import models
    from voip_engine.speech.base import Message, ModelMissing, SpeechError, SpeechServices, Transcript
    from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings, VoiceSettings
    from voip_engine.version import VERSION

_HOMES = {
    "SAMPLE_RATE_HZ": "audio",
    "Audio": "audio",
    "AdmissionSettings": "network_settings",
    "AdmittedUser": "network_settings",
    "Call": "calls.call",
    "DiallingSettings": "network_settings",
    "TlsSettings": "network_settings",
    "Engine": "engine",
    "EngineError": "errors",
    "ListenAddress": "settings",
    "Mode": "modes.base",
    "MonitorError": "media.monitor",
    "Playout": "modes.base",
    "SayMode": "modes.say",
    "Speech": "modes.base",
    "Utterance": "modes.base",
    "VoiceLeg": "modes.base",
    "AccountSettings": "settings",
    "EngineSettings": "settings",
    "Secret": "secret",
    "add_engine_options": "options",
    "list_devices": "media.monitor",
    "load_recording": "recordings",
    "settings_from": "options",
    "SettingsError": "settings",
    "SipTraceEntry": "sip.trace",
    "AgentSettings": "speech_settings",
    "Message": "speech.base",
    "ModelMissing": "speech.base",
    "SpeakingSettings": "speech_settings",
    "SpeechError": "speech.base",
    "SpeechServices": "speech.base",
    "Transcript": "speech.base",
    "TranscriptionSettings": "speech_settings",
    "VoiceSettings": "speech_settings",
    "VERSION": "version",
}

__all__ = [
    "SAMPLE_RATE_HZ",
    "VERSION",
    "AccountSettings",
    "AdmissionSettings",
    "AdmittedUser",
    "AgentSettings",
    "Audio",
    "Call",
    "DiallingSettings",
    "Engine",
    "EngineError",
    "EngineSettings",
    "ListenAddress",
    "Message",
    "Mode",
    "ModelMissing",
    "MonitorError",
    "Playout",
    "SayMode",
    "Secret",
    "SettingsError",
    "SipTraceEntry",
    "SpeakingSettings",
    "Speech",
    "SpeechError",
    "SpeechServices",
    "TlsSettings",
    "Transcript",
    "TranscriptionSettings",
    "Utterance",
    "VoiceLeg",
    "VoiceSettings",
    "add_engine_options",
    "events",
    "list_devices",
    "load_recording",
    "models",
    "settings_from",
    "snapshots",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"voip_engine.{_HOMES[name]}"), name)
    if name in ("events", "snapshots"):
        return import_module(f"voip_engine.{name}")
    if name == "models":
        return import_module("voip_engine.speech.models")
    raise AttributeError(f"module 'voip_engine' has no attribute {name!r}")
