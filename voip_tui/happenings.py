"""Engine events as log lines: what happened, in a sentence, and how it is meant."""

from __future__ import annotations

from voip_engine.events import (
    AccountChanged,
    AnyEvent,
    CallAnswered,
    CallCreated,
    CallEnded,
    CallerIdentified,
    CallEvent,
    CallReferred,
    CallRefused,
    CallReplaced,
    CallRinging,
    CallTransferring,
    DtmfReceived,
    EngineStarted,
    EngineStopped,
    MediaChanged,
    MediaChangeRefused,
    MediaRestarted,
    MediaTimedOut,
    ModeChanged,
    ModeFailed,
    ModeTroubled,
    MonitorChanged,
    PacketRejected,
    PlayoutEnded,
    PlayoutStarted,
    ReplyEnded,
    RequestTurnedAway,
    SpeechStarted,
    SpeechStopped,
    TranscriptAdded,
    TranscriptLost,
    UtteranceEnded,
    VoicemailChanged,
)
from voip_engine.snapshots import (
    AccountState,
    CallDirection,
    Holder,
    LineState,
    MonitorState,
    TransferSnapshot,
    TransferState,
)
from voip_tui import words
from voip_tui.history import LogLine, Tone

SPEECH_EVENTS = (
    SpeechStarted,
    SpeechStopped,
    UtteranceEnded,
    PlayoutStarted,
    PlayoutEnded,
    TranscriptAdded,
    ReplyEnded,
)
"""These come by the second; they belong to their call's page and would drown everything else in the log."""


HOLD_SENTENCES = {
    Holder.NOBODY: "Put on hold",
    Holder.US: "We hold the call",
    Holder.THEM: "{} holds the call",
    Holder.BOTH: "Both sides hold the call",
}


def log_line(event: AnyEvent, *, other_side: str = "Caller", held_by: Holder = Holder.NOBODY) -> LogLine:
    """The event in plain words; `other_side` is what the person at the other end is called, `held_by` who held the call."""
    text, tone = sentence(event, other_side, held_by)
    return LogLine(event.at, words.clean(text), tone, event.call_id if isinstance(event, CallEvent) else None)


def sentence(event: AnyEvent, other_side: str = "Caller", held_by: Holder = Holder.NOBODY) -> tuple[str, Tone]:
    """What happened, and how it is meant."""
    match event:
        case EngineStarted(listening=listening):
            where = ", ".join(words.listening(address) for address in listening)
            return (f"Ready, listening on {where}" if where else "Ready"), Tone.GOOD
        case EngineStopped():
            return "Everything is hung up and closed", Tone.QUIET
        case AccountChanged(account=account):
            return account_sentence(account.account, account.state, account.detail)
        case CallCreated():
            who = words.clean(event.peer_name) or words.bare_uri(event.peer_uri)
            inbound = event.direction is CallDirection.INBOUND
            return (f"{who} calls" if inbound else f"Calling {who}"), Tone.PLAIN
        case CallRinging(early_media=True):
            return "Rings, and may already send audio", Tone.QUIET
        case CallRinging():
            return "Rings", Tone.QUIET
        case CallAnswered(codec=codec):
            return (f"Answered with {words.codec(codec)}" if codec else "Answered"), Tone.GOOD
        case CallEnded(by=by):
            reason = event.reason or ("We hung up." if by == "local" else "The other side hung up.")
            lasted = f" after {words.duration(event.duration_s)}" if event.duration_s else ""
            failed = event.status is not None and event.status >= 400
            return f"Ended{lasted}: {reason}", Tone.FAIR if failed else Tone.PLAIN
        case CallRefused(caller=caller, status=status, reason=reason):
            return f"Refused a call of {words.bare_uri(caller)} ({status}): {reason}", Tone.FAIR
        case MediaChanged(codec=codec):
            if event.on_hold:
                return HOLD_SENTENCES[event.held_by].format(other_side), Tone.PLAIN
            if held_by is not Holder.NOBODY:
                return "Taken back from hold" if held_by is Holder.THEM else "Call resumed", Tone.PLAIN
            return f"Media now {words.codec(codec)}" if codec else "Media changed", Tone.PLAIN
        case MediaChangeRefused():
            return words.unchanged(event), Tone.FAIR
        case ModeChanged(mode=mode):
            return f"Mode is {mode}", Tone.PLAIN
        case ModeFailed(mode=mode, reason=reason):
            return f"Mode {mode} failed: {reason}", Tone.BAD
        case SpeechStarted():
            return f"{other_side} speaks", Tone.QUIET
        case SpeechStopped():
            return f"{other_side} stops", Tone.QUIET
        case UtteranceEnded(duration_s=seconds):
            return f"{other_side} said {seconds:.1f} s", Tone.QUIET
        case PlayoutStarted(duration_s=seconds):
            return f"We speak for {seconds:.1f} s", Tone.QUIET
        case PlayoutEnded(heard_s=seconds):
            return (
                f"We spoke {seconds:.1f} s" if event.complete else f"We were cut off at {seconds:.1f} s"
            ), Tone.QUIET
        case TranscriptAdded(line=line):
            sure = f" ({line.confidence * 100:.0f} % sure)" if line.confidence is not None else ""
            return f"{other_side}: “{words.one_line(line.text)}”{sure}", Tone.PLAIN
        case TranscriptLost(reason=reason):
            return f"Not transcribed: {reason}", Tone.FAIR
        case ReplyEnded():
            return reply_sentence(event)
        case ModeTroubled(trouble=trouble):
            mend = f" Mended by: {trouble.mend}" if trouble.mend else ""
            return f"{trouble.detail or trouble.what}{mend}", Tone.BAD
        case DtmfReceived(digit=digit):
            return f"{other_side} pressed {digit}", Tone.PLAIN
        case MonitorChanged():
            return monitor_sentence(event)
        case MediaTimedOut(silent_s=seconds):
            return f"No audio from the other side for {seconds:.0f} s", Tone.BAD
        case MediaRestarted(calls=calls):
            return (
                f"Media was restarted: {event.outage_s:.1f} s without audio on {words.count(calls, 'call')}",
                Tone.FAIR,
            )
        case PacketRejected(source=source, reason=reason):
            return f"Not taken from {source}: {reason}", Tone.FAIR
        case RequestTurnedAway(source=source, reason=reason):
            return f"Turned {source} away: {reason}", Tone.FAIR
        case CallTransferring(transfer=transfer):
            return transfer_sentence(transfer, other_side)
        case CallReferred(target=target, refusal=refusal):
            asked = f"{other_side} sends us to {words.bare_uri(target)}"
            return (f"{asked}, refused: {refusal}", Tone.FAIR) if refusal else (asked, Tone.PLAIN)
        case CallReplaced(by_call_id=by):
            return f"Call {by} takes this one's place", Tone.PLAIN
        case CallerIdentified(uri=uri, name=name):
            return f"The network says that this is {words.clean(name) or words.bare_uri(uri)}", Tone.PLAIN
        case VoicemailChanged(account=account, voicemail=voicemail):
            waiting = words.count(voicemail.new, "new message") if voicemail.waiting else "no new messages"
            return f"{words.bare_uri(account)} has {waiting}", Tone.PLAIN


def transfer_sentence(transfer: TransferSnapshot, other_side: str) -> tuple[str, Tone]:
    """How a transfer of ours goes, in a sentence."""
    target = words.bare_uri(transfer.target)
    match transfer.state:
        case TransferState.ASKED:
            return f"{other_side} is asked to call {target}", Tone.PLAIN
        case TransferState.TRYING:
            return f"{other_side} calls {target}", Tone.QUIET
        case TransferState.RINGING:
            return f"{target} rings", Tone.QUIET
        case TransferState.DONE:
            return f"Transferred to {target}", Tone.GOOD
        case TransferState.FAILED:
            return f"Not transferred to {target}: {transfer.detail}", Tone.FAIR


def reply_sentence(event: ReplyEnded) -> tuple[str, Tone]:
    """What the other side heard of a reply, and how long they waited for it."""
    line, turn = event.line, event.turn
    took = f", after {turn.first_packet_ms / 1000:.2f} s" if turn is not None and turn.first_packet_ms else ""
    text = words.one_line(line.text)
    if line.state is not LineState.CUT:
        return f"Agent: “{text}”{took}", Tone.PLAIN
    heard = text[: line.heard_characters].rstrip()
    return (f"Agent, cut off: “{heard}…”{took}" if heard else "Agent was cut off before a word was heard"), Tone.FAIR


def account_sentence(account: str, state: AccountState, detail: str) -> tuple[str, Tone]:
    """How an account's registration stands, in a sentence."""
    name = words.bare_uri(account)
    match state:
        case AccountState.REGISTERED:
            return f"{name} is registered", Tone.GOOD
        case AccountState.REGISTERING:
            return f"{name} is registering", Tone.QUIET
        case AccountState.FAILED:
            return f"{name} is not registered: {detail}", Tone.BAD
        case AccountState.UNREGISTERED:
            return f"{name} is unregistered", Tone.QUIET


def monitor_sentence(event: MonitorChanged) -> tuple[str, Tone]:
    """Whether the call is on the local speakers, in a sentence."""
    match event.state:
        case MonitorState.ON:
            return "On the speakers", Tone.PLAIN
        case MonitorState.STARTING:
            return "Speakers are starting", Tone.QUIET
        case MonitorState.FAILED:
            return f"Cannot play on the speakers: {event.detail}", Tone.BAD
        case MonitorState.OFF:
            return "Off the speakers", Tone.QUIET
