"""The messages between the engine and the media process.

Each message crosses the pipe as MessagePack behind a 4-byte big-endian length. Whole utterances and playouts cross, single
frames never do. Audio crosses as little-endian int16 (`pcm`) at the rate that stands beside it (`rate_hz`): utterances come at
the audio rate of the call's codec, playouts had best be at that rate too (see `voip_engine.codecs.base.AUDIO_RATE_HZ`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from voip_engine.sdp.plan import HostPort, MediaPlan


class RtpStart(msgspec.Struct, frozen=True):
    """Where a leg's outbound RTP stream begins; a replaced media process goes on where the lost one stopped."""

    ssrc: int
    sequence: int
    timestamp: int


class VoiceActivitySettings(msgspec.Struct, frozen=True):
    """When a caller counts as speaking, and what of it makes an utterance.

    `silero` compares a model's probability of speech with the two thresholds, `energy` the loudness with `threshold_rms`
    (full-scale units, 1.0 being the loudest). Where the model is not to be had, energy decides.
    """

    detector: Literal["silero", "energy"] = "energy"
    threshold_rms: float = 0.001
    start_threshold: float = 0.5
    stop_threshold: float = 0.35
    silence_s: float = 0.5
    minimum_speech_s: float = 0.06
    minimum_utterance_s: float = 0.0
    """Utterances that are shorter, from the margin before them to the end of the silence after them, are not reported."""
    longest_utterance_s: float = 60.0
    leading_s: float = 0.3
    """Audio from before the onset that belongs to the utterance."""
    trailing_s: float = 0.3
    """Of the silence that ended an utterance, so much stays with it."""


class SrtpMark(msgspec.Struct, frozen=True, array_like=True):
    """How far both directions of an encrypted leg are, so that a replaced media process neither repeats nor loses count.

    `heard` is the peer's SSRC and its newest packet's index, None before the first (RFC 3711 §3.3.1).
    """

    next_index: int
    rtcp_packets: int
    heard: tuple[int, int] | None = None


# ---- engine → media process -------------------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, tag=True):
    """Base of all commands, for typing alone."""


class OpenLeg(Command, frozen=True, tag=True):
    """Bind an RTP and an RTCP socket. Port 0 takes a free even port and the odd one above (RFC 3550 §11).

    `ports` bounds that choice: lowest and highest port, both included.
    """

    leg_id: int
    local: HostPort
    start: RtpStart
    ports: tuple[int, int] | None = None


class ConfigureLeg(Command, frozen=True, tag=True):
    """Apply a negotiated plan to an open leg; again after every re-INVITE.

    Nothing received for `media_timeout_s` is reported once, if the plan lets the peer send. `latched` is the source that was
    the peer under this plan in a media process that was lost.
    """

    leg_id: int
    plan: MediaPlan
    media_timeout_s: float | None = None
    latched: HostPort | None = None
    srtp_mark: SrtpMark | None = None
    """Where that process stopped, or any with a key that comes back, if the audio is encrypted."""
    parties: tuple[str, ...] = ()
    """The hosts that have a part in the call's signalling: its audio may come from them too (see `rtp.latch`)."""


class MapLeg(Command, frozen=True, tag=True):
    """Ask a STUN server through a leg's two ports where they are seen, and report the answers within half a second.

    `requests` are the datagrams for the RTP and the RTCP port. The media process reads no more of the answers than whose
    they are; until the leg has a plan it repeats the requests so that the addresses stay open.
    """

    leg_id: int
    server: HostPort
    requests: tuple[bytes, bytes]


class MoveLeg(Command, frozen=True, tag=True):
    """Bind other sockets for an open leg, as OpenLeg does, because its address is this machine's no more.

    Everything else goes on: SSRC, sequence, timestamp, keys, what is heard and said.
    """

    leg_id: int
    local: HostPort
    ports: tuple[int, int] | None = None


class CloseLeg(Command, frozen=True, tag=True):
    """Send RTCP BYE, close both sockets, forget the leg."""

    leg_id: int


class Listen(Command, frozen=True, tag=True):
    """Turn voice activity detection on or off for a leg, and say whether whole utterances are wanted."""

    leg_id: int
    settings: VoiceActivitySettings | None
    utterances: bool = False


class Play(Command, frozen=True, tag=True):
    """Queue audio for a leg. The same `playout_id` again appends; `final` says that nothing more follows."""

    leg_id: int
    playout_id: int
    pcm: bytes
    final: bool = True
    rate_hz: int = 16_000
    progress: bool = False
    """Whether PlayoutProgress is wanted."""


class PausePlayout(Command, frozen=True, tag=True):
    """Stop sending a playout at the next frame, keeping the rest. A frame that fades out is sent and not counted as heard."""

    leg_id: int
    playout_id: int


class ResumePlayout(Command, frozen=True, tag=True):
    """Go on with a paused playout at the sample where it stopped."""

    leg_id: int
    playout_id: int


class StopPlayout(Command, frozen=True, tag=True):
    """Fade a playout out within one frame and drop the rest."""

    leg_id: int
    playout_id: int


class SendDtmf(Command, frozen=True, tag=True):
    """Send one digit as telephone-events (RFC 4733)."""

    leg_id: int
    digit: str
    duration_ms: int = 160


class StartMonitor(Command, frozen=True, tag=True):
    """Send a leg's two directions to the speaker process as UDP datagrams on loopback (see media/monitor.py)."""

    leg_id: int
    speaker: HostPort


class StopMonitor(Command, frozen=True, tag=True):
    """End what StartMonitor began."""


class Shutdown(Command, frozen=True, tag=True):
    """Close every leg and exit."""


AnyCommand = (
    OpenLeg
    | ConfigureLeg
    | MapLeg
    | MoveLeg
    | CloseLeg
    | Listen
    | Play
    | PausePlayout
    | ResumePlayout
    | StopPlayout
    | SendDtmf
    | StartMonitor
    | StopMonitor
    | Shutdown
)


# ---- media process → engine -------------------------------------------------------------------------------------------


class Report(msgspec.Struct, frozen=True, tag=True):
    """Base of all reports, for typing alone."""


class Ready(Report, frozen=True, tag=True):
    """The clock runs."""

    process_id: int


class LegOpened(Report, frozen=True, tag=True):
    """Both sockets of a leg are bound."""

    leg_id: int
    local: HostPort


class LegFailed(Report, frozen=True, tag=True):
    """A leg's sockets could not be bound; `reason` is a plain sentence."""

    leg_id: int
    reason: str


class LegMoved(Report, frozen=True, tag=True):
    """Where a leg's sockets are bound now; None if they could not be and are what they were, `reason` says why."""

    leg_id: int
    local: HostPort | None
    reason: str = ""


class LegMapped(Report, frozen=True, tag=True):
    """What a STUN server answered to a leg's two ports; None for no answer in time."""

    leg_id: int
    rtp: bytes | None
    rtcp: bytes | None


class SpeechStarted(Report, frozen=True, tag=True):
    """The caller began to speak. Times are seconds since the leg was opened, on the caller's media clock.

    `decided_s`, here and below, is when that was known, on `time.monotonic`, which all processes share.
    """

    leg_id: int
    at_s: float
    decided_s: float


class SpeechStopped(Report, frozen=True, tag=True):
    """The caller has been silent for the settled time; `at_s` is where the speech ended, not where that was known.

    `fragment`: it was too short to become an utterance, so none follows.
    """

    leg_id: int
    at_s: float
    decided_s: float
    fragment: bool


class UtteranceHeard(Report, frozen=True, tag=True):
    """One whole utterance, as int16 at `rate_hz`. `started_s` is where its audio begins, `ended_s` where the speech ended."""

    leg_id: int
    started_s: float
    ended_s: float
    decided_s: float
    pcm: bytes
    rate_hz: int
    silent_s: float = 0.0
    """How long the speech had been over when that was known."""
    split: bool = False
    """It was cut because it is as long as may be; the caller is still speaking."""


class PlayoutEnded(Report, frozen=True, tag=True):
    """A playout is over. `heard_samples` really went out, counted at the `rate_hz` it was given in.

    `complete` says whether that was all of it.
    """

    leg_id: int
    playout_id: int
    heard_samples: int
    complete: bool
    rate_hz: int = 16_000


class PlayoutProgress(Report, frozen=True, tag=True):
    """How far a playout is: at its first packet, ten times a second while it sounds, and when it pauses.

    `sent_s`: when the last of these samples went out, on `time.monotonic`.
    """

    leg_id: int
    playout_id: int
    heard_samples: int
    rate_hz: int
    sent_s: float


class DtmfHeard(Report, frozen=True, tag=True):
    """The caller pressed a key (RFC 4733)."""

    leg_id: int
    digit: str
    duration_ms: int


class LegFigures(msgspec.Struct, frozen=True, array_like=True):
    """What is measured on one leg. Levels in dBFS over the last report interval, -100 for silence."""

    leg_id: int
    level_in_dbfs: float
    level_out_dbfs: float
    received_packets: int
    sent_packets: int
    lost_packets: int
    loss_fraction: float
    late_packets: int
    duplicate_packets: int
    rejected_packets: int
    concealed_ms: int
    jitter_ms: float
    buffer_ms: float
    round_trip_ms: float | None
    remote_loss_fraction: float | None
    remote_jitter_ms: float | None
    speaking: bool
    playing: bool
    remote_rtp: HostPort | None
    next_sequence: int
    next_timestamp: int
    srtp_mark: SrtpMark | None = None


class Figures(Report, frozen=True, tag=True):
    """All legs at once, ten times a second, with the health of the clock since the last report."""

    legs: tuple[LegFigures, ...]
    ticks: int
    overruns: int
    lateness_p99_ms: float
    busy_fraction: float
    unjudged_windows: int = 0
    """Windows of 32 ms that the voice activity model was too late for; loudness decided."""
    begun_s: float = 0.0
    """When the gathering began, on `time.monotonic`: nothing that the legs say is older."""


class MediaTimedOut(Report, frozen=True, tag=True):
    """Nothing has been received on a leg for `silent_s` although the plan lets the peer send. Said once a silence."""

    leg_id: int
    silent_s: float


class PacketRejected(Report, frozen=True, tag=True):
    """The first packet from a source that was malformed or foreign; later ones only count."""

    leg_id: int
    source: HostPort
    reason: str


AnyReport = (
    Ready
    | LegOpened
    | LegFailed
    | LegMoved
    | LegMapped
    | SpeechStarted
    | SpeechStopped
    | UtteranceHeard
    | PlayoutEnded
    | PlayoutProgress
    | DtmfHeard
    | Figures
    | MediaTimedOut
    | PacketRejected
)
