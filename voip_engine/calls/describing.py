"""One call as others see it: its snapshot, put together from its parts."""

from __future__ import annotations

from voip_engine.calls.call_media import CallMedia
from voip_engine.calls.call_services import CallIdentity
from voip_engine.calls.course import CallCourse
from voip_engine.calls.voice_host import CallVoiceHost
from voip_engine.hosts import host_port
from voip_engine.snapshots import CallSnapshot, MonitorState, TransferSnapshot


def call_snapshot(
    identity: CallIdentity,
    course: CallCourse,
    media: CallMedia,
    host: CallVoiceHost,
    *,
    mode: str,
    monitor: MonitorState,
    transfer: TransferSnapshot | None,
) -> CallSnapshot:
    """Describe the call that these are the parts of, as it stands."""
    return CallSnapshot(
        call_id=str(identity.number),
        sip_call_id=identity.session,
        direction=identity.direction,
        state=course.state,
        account=identity.account,
        peer_uri=identity.peer_uri,
        peer_name=identity.peer_name,
        mode=mode,
        transport=identity.peer_hop.transport,
        created_at=course.created_at,
        answered_at=course.answered_at,
        ended_at=course.ended_at,
        end_status=course.end_status,
        end_reason=course.end_reason,
        held_by=media.held_by,
        early_media=course.early_media,
        asserted_uri=identity.asserted_uri,
        asserted_name=identity.asserted_name,
        transfer=transfer,
        referred_by=identity.referred_by,
        codec=media.codec,
        security=media.security,
        local_rtp=media.local_rtp,
        remote_rtp=media.remote_rtp,
        remote_signalling=host_port(identity.peer_hop.host, identity.peer_hop.port or 5060),
        media=media.meter.snapshot,
        monitor=monitor,
        activity=host.activity,
        dialogue=host.dialogue.lines,
        turns=host.dialogue.turns,
        trouble=host.trouble,
    )
