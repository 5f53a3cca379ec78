"""How things stand: frozen snapshots, and the states they name. What changes many times a second is read from these."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CallDirection(StrEnum):
    """Who placed the call."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallState(StrEnum):
    """Where a call stands, from the first INVITE to the end."""

    INCOMING = "incoming"
    """Somebody calls us and nobody has answered yet."""
    CALLING = "calling"
    """Our INVITE is out; nothing but 100 has come back."""
    RINGING = "ringing"
    """The other side rings, or plays early media."""
    CONNECTED = "connected"
    ENDED = "ended"


class AccountState(StrEnum):
    """Where an account's registration stands."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    """The registrar refused or cannot be reached; another attempt is scheduled unless the refusal is final."""


class MonitorState(StrEnum):
    """Whether an operator hears a call on the local speakers."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    FAILED = "failed"


class Speaker(StrEnum):
    """Who said a line of the dialogue."""

    CALLER = "caller"
    AGENT = "agent"


class LineState(StrEnum):
    """How far a line of the dialogue is. The caller's go the first way, the agent's the second."""

    HEARING = "hearing"
    """The caller is speaking."""
    TRANSCRIBING = "transcribing"
    """The utterance is over, its text not there yet."""
    HEARD = "heard"
    """The text is there."""
    LOST = "lost"
    """There will be no text; `detail` says why."""

    THINKING = "thinking"
    """The model works; nothing has been heard of the reply."""
    SPEAKING = "speaking"
    PAUSED = "paused"
    """Held, because the caller speaks."""
    SPOKEN = "spoken"
    """All of it went out."""
    CUT = "cut"
    """Broken off: the caller heard the first `heard_characters` of the text."""


class Holder(StrEnum):
    """Who has put a call on hold."""

    NOBODY = ""
    US = "us"
    THEM = "them"
    BOTH = "both"


class MediaChange(StrEnum):
    """What an offer of ours is to change in a call that is up."""

    HOLD = "hold"
    RESUME = "resume"
    CODECS = "codecs"
    ADDRESS = "address"
    """Where we are."""


class TransferState(StrEnum):
    """How far a transfer of ours is."""

    ASKED = "asked"
    """REFER is out, or goes out once holding is settled, two seconds later at most; nothing was replied to it."""
    TRYING = "trying"
    """The other side has agreed and calls the target."""
    RINGING = "ringing"
    DONE = "done"
    FAILED = "failed"
    """The call goes on as it was; `detail` says why."""


class CodecSnapshot(msgspec.Struct, frozen=True):
    """The negotiated codec. `audio_rate_hz` is what is heard; `clock_rate_hz` what RTP counts in."""

    name: str
    payload_type: int
    clock_rate_hz: int
    audio_rate_hz: int
    packet_ms: int


class MediaSnapshot(msgspec.Struct, frozen=True):
    """One call's media as last measured. Levels in dBFS (-100 is silence), `loss_percent` over the last seconds."""

    level_in_dbfs: float = -100.0
    level_out_dbfs: float = -100.0
    received_packets: int = 0
    silent_s: float = 0.0
    """How long no packet has come although the other side may send; 0 while they come."""
    sent_packets: int = 0
    lost_packets: int = 0
    loss_percent: float = 0.0
    late_packets: int = 0
    duplicate_packets: int = 0
    rejected_packets: int = 0
    concealed_ms: int = 0
    jitter_ms: float = 0.0
    buffer_ms: float = 0.0
    round_trip_ms: float | None = None
    remote_loss_percent: float | None = None
    remote_jitter_ms: float | None = None
    speaking: bool = False
    """The caller speaks."""
    playing: bool = False
    """We speak."""


class DialogueLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing said on a call. Times are seconds since the epoch; `media_s` on the call's media clock.

    `confidence` (0 to 1) and `language` are the recognizer's. Of an agent's text the caller has heard `heard_characters`.
    """

    number: int
    """Counts up over the call; a line keeps its number while it grows."""
    speaker: Speaker
    state: LineState
    started_at: float
    ended_at: float | None = None
    media_s: float = 0.0
    text: str = ""
    heard_characters: int = 0
    confidence: float | None = None
    language: str = ""
    detail: str = ""


class TurnSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """How long one reply took: milliseconds from the end of the caller's speech to each stage. None: not reached (yet)."""

    number: int
    """Of the agent's dialogue line."""
    endpoint_ms: float | None = None
    """The silence was long enough."""
    text_ms: float | None = None
    """The transcript was there."""
    first_token_ms: float | None = None
    first_audio_ms: float | None = None
    first_packet_ms: float | None = None


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call's mode cannot do its work, and what mends it."""

    what: str
    """The missing part, `Whisper model base`."""
    detail: str
    """A plain sentence."""
    mend: str = ""
    """The one command that mends it."""
    model: str | None = None
    """What `Engine.pull_model` takes, where that helps."""


class SecuritySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What of a call is encrypted. Audio whose keys went over unencrypted signalling is open to whoever saw them pass."""

    signalling: bool = False
    """Whether SIP goes over TLS, as far as the next hop."""
    suite: str = ""
    """The SRTP suite by its RFC 4568 or RFC 6188 name, empty for plain RTP."""

    @property
    def keys_in_clear(self) -> bool:
        """Whether audio is encrypted with keys that anybody on the way could read."""
        return bool(self.suite) and not self.signalling


class TransferSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer that we asked for."""

    target: str
    state: TransferState
    status: int | None = None
    detail: str = ""


class VoicemailSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's mailbox holds (RFC 3842)."""

    waiting: bool
    new: int = 0
    old: int = 0


class CallSnapshot(msgspec.Struct, frozen=True):
    """One call as it stands. Times are seconds since the epoch; addresses are `host:port`."""

    call_id: str
    """The engine's own short name for the call, unique while the engine lives: `1`, `2`, …"""
    sip_call_id: str
    direction: CallDirection
    state: CallState
    account: str | None
    peer_uri: str
    peer_name: str
    mode: str
    transport: str
    created_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    end_status: int | None = None
    end_reason: str = ""
    """Plain words: `The other side hung up.`, `Busy (486).`"""
    held_by: Holder = Holder.NOBODY
    early_media: bool = False
    """The call still rings, and what the other side plays meanwhile is heard."""
    asserted_uri: str = ""
    """Who is at the other end, as a trusted network says (P-Asserted-Identity); empty where it says nothing."""
    asserted_name: str = ""
    security: SecuritySnapshot = SecuritySnapshot()
    transfer: TransferSnapshot | None = None
    referred_by: str = ""
    """Who sent this call here, if somebody did."""
    codec: CodecSnapshot | None = None
    local_rtp: str = ""
    remote_rtp: str = ""
    remote_signalling: str = ""
    media: MediaSnapshot = MediaSnapshot()
    monitor: MonitorState = MonitorState.OFF
    activity: str = ""
    """What the call's mode is doing, in a word: `listening`, `hearing`, `transcribing`, `thinking`, `speaking`."""
    dialogue: tuple[DialogueLine, ...] = ()
    """The last lines that were said, the oldest first."""
    turns: tuple[TurnSnapshot, ...] = ()
    """The last replies' timings, the oldest first."""
    trouble: Trouble | None = None

    @property
    def on_hold(self) -> bool:
        """Whether either side holds the call."""
        return self.held_by is not Holder.NOBODY


class AccountSnapshot(msgspec.Struct, frozen=True):
    """One account as it stands. `detail` says in plain words what is wrong, or is empty."""

    account: str
    """The address of record, `sip:alice@pbx.example`."""
    state: AccountState
    transport: str
    registrar: str
    status: int | None = None
    detail: str = ""
    expires_at: float | None = None
    retry_at: float | None = None
    public_address: str = ""
    """How the registrar sees us, where that is not how we see ourselves (behind NAT)."""
    voicemail: VoicemailSnapshot | None = None


class EngineSnapshot(msgspec.Struct, frozen=True):
    """The engine as a whole."""

    listening: tuple[str, ...]
    """Bound addresses, `udp:127.0.0.1:5060`."""
    modes: tuple[str, ...]
    media_running: bool
    media_restarts: int
    tick_overruns: int
    lateness_p99_ms: float
    busy_fraction: float
    malformed_messages: int
    turned_away: int = 0
    """Requests from those who may not call here, or who asked too often."""
