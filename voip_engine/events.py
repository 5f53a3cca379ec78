"""What happened: frozen events. Few, and each one matters; what changes many times a second is read from snapshots."""

from __future__ import annotations

import msgspec

from voip_engine.snapshots import (
    AccountSnapshot,
    CallDirection,
    CodecSnapshot,
    DialogueLine,
    Holder,
    MediaChange,
    MonitorState,
    SecuritySnapshot,
    TransferSnapshot,
    Trouble,
    TurnSnapshot,
    VoicemailSnapshot,
)


class Event(msgspec.Struct, frozen=True, tag=True, tag_field="event"):
    """Base of all events; `at` is seconds since the epoch."""

    at: float


class CallEvent(Event, frozen=True, tag=True, tag_field="event"):
    """Base of what happens on one call."""

    call_id: str


class EngineStarted(Event, frozen=True, tag=True, tag_field="event"):
    """All planes are up; `listening` holds the bound addresses."""

    listening: tuple[str, ...]


class EngineStopped(Event, frozen=True, tag=True, tag_field="event"):
    """Everything is hung up, unregistered and closed."""


class AccountChanged(Event, frozen=True, tag=True, tag_field="event"):
    """A registration succeeded, failed, expired or ended."""

    account: AccountSnapshot


class CallCreated(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A call exists: somebody calls us, or we call somebody."""

    direction: CallDirection
    peer_uri: str
    peer_name: str
    account: str | None
    sip_call_id: str


class CallRinging(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The other side rings; `early_media` when it already sends audio."""

    status: int
    early_media: bool


class CallAnswered(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The call is up."""

    codec: CodecSnapshot | None
    security: SecuritySnapshot = SecuritySnapshot()


class CallEnded(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The call is over and its ports are free. `by` is `local` or `remote`."""

    by: str
    status: int | None
    reason: str
    duration_s: float


class CallRefused(Event, frozen=True, tag=True, tag_field="event"):
    """Somebody called and was refused before there was a call; `reason` is plain words."""

    caller: str
    status: int
    reason: str


class MediaChanged(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A re-INVITE changed codec, address or direction."""

    codec: CodecSnapshot | None
    on_hold: bool
    held_by: Holder = Holder.NOBODY
    security: SecuritySnapshot = SecuritySnapshot()


class MediaChangeRefused(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Our re-INVITE (hold, resume …) came to nothing; the call goes on as it was.

    `by` is "remote" where the other side refused it, "local" where it could not be sent. `change` says what we wanted, None
    where the other side had asked for an offer.
    """

    reason: str
    by: str = "remote"
    change: MediaChange | None = None


class ModeChanged(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Another mode handles the call now."""

    mode: str


class ModeFailed(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A mode raised; the call goes on in silence."""

    mode: str
    reason: str


class SpeechStarted(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The caller began to speak, `media_s` seconds into the call's media."""

    media_s: float


class SpeechStopped(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The caller stopped speaking at `media_s`."""

    media_s: float


class UtteranceEnded(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A whole utterance was handed to the call's mode."""

    media_s: float
    duration_s: float


class PlayoutStarted(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Our side began to speak."""

    duration_s: float


class PlayoutEnded(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Our side stopped speaking; `heard_s` seconds really went out."""

    heard_s: float
    complete: bool


class TranscriptAdded(CallEvent, frozen=True, tag=True, tag_field="event"):
    """An utterance of the caller has its text."""

    line: DialogueLine


class TranscriptLost(CallEvent, frozen=True, tag=True, tag_field="event"):
    """An utterance was not transcribed; `reason` says why."""

    reason: str


class ReplyEnded(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The agent has finished a reply, or was interrupted in it."""

    line: DialogueLine
    turn: TurnSnapshot | None


class ModeTroubled(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The call's mode lacks something it needs; the call goes on."""

    trouble: Trouble


class DtmfReceived(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The caller pressed a key."""

    digit: str
    duration_ms: int


class MonitorChanged(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Monitoring began, ended or failed; `detail` says why and which command mends it."""

    state: MonitorState
    detail: str = ""


class MediaTimedOut(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Nothing has been heard from the peer for `silent_s`; the call is hung up if the settings say so."""

    silent_s: float


class MediaRestarted(Event, frozen=True, tag=True, tag_field="event"):
    """The media process died and was replaced; all calls have audio again."""

    outage_s: float
    calls: int


class PacketRejected(Event, frozen=True, tag=True, tag_field="event"):
    """The first malformed or foreign packet or message from a source; further ones are only counted."""

    source: str
    reason: str
    call_id: str | None = None


class CallTransferring(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A transfer of ours goes on, or has come to its end."""

    transfer: TransferSnapshot


class CallReferred(CallEvent, frozen=True, tag=True, tag_field="event"):
    """The other side of a call sent us on to somebody else; `refusal` says why we did not go, or is empty."""

    target: str
    refusal: str = ""


class CallReplaced(CallEvent, frozen=True, tag=True, tag_field="event"):
    """Another call has taken this one's place (attended transfer)."""

    by_call_id: str


class CallerIdentified(CallEvent, frozen=True, tag=True, tag_field="event"):
    """A trusted network says who is at the other end; after a transfer at their side that is somebody new."""

    uri: str
    name: str


class VoicemailChanged(Event, frozen=True, tag=True, tag_field="event"):
    """An account's mailbox has messages, or has been listened to."""

    account: str
    voicemail: VoicemailSnapshot


class RequestTurnedAway(Event, frozen=True, tag=True, tag_field="event"):
    """The first request from a source that may not call here or asks too often; further ones are only counted."""

    source: str
    reason: str


AnyEvent = (
    EngineStarted
    | EngineStopped
    | AccountChanged
    | CallCreated
    | CallRinging
    | CallAnswered
    | CallEnded
    | CallRefused
    | MediaChanged
    | MediaChangeRefused
    | ModeChanged
    | ModeFailed
    | SpeechStarted
    | SpeechStopped
    | UtteranceEnded
    | PlayoutStarted
    | PlayoutEnded
    | TranscriptAdded
    | TranscriptLost
    | ReplyEnded
    | ModeTroubled
    | DtmfReceived
    | MonitorChanged
    | MediaTimedOut
    | MediaRestarted
    | PacketRejected
    | CallTransferring
    | CallReferred
    | CallReplaced
    | CallerIdentified
    | VoicemailChanged
    | RequestTurnedAway
)
