"""Phones that hear themselves: what they are set to, the call, and how well they must hear."""

from __future__ import annotations

from dataclasses import dataclass

from support.baresip import Baresip
from support.correlation import Match, find_speech
from support.happenings import Happenings
from support.speech import SpokenFile

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallEnded, PlayoutEnded
from voip_engine.snapshots import CallSnapshot

BARESIP_CODECS = {"opus": "opus/48000/2", "G722": "g722/16000/1", "PCMA": "PCMA/8000/1", "PCMU": "PCMU/8000/1"}
"""Our name of a codec → baresip's."""

ENOUGH = {"opus": 0.8, "G722": 0.9, "PCMA": 0.9, "PCMU": 0.9}
"""The least correlation of an echo with what was said: 0.90 to 0.99 is usual, other speech reaches 0.13."""

PHONE_SECURITY = {"plain RTP": (), "SRTP": ("mediaenc=srtp-mand",)}
"""How audio is protected → baresip's account parameters for it."""


@dataclass(frozen=True)
class Echo:
    """What became of one call: as the engine saw it while it was up, and what the phone heard."""

    call: CallSnapshot
    match: Match


async def call_and_listen(engine: Engine, phone: Baresip, uri: str, *, user: str, speech: SpokenFile) -> Echo:
    """Call an engine that echoes from a phone of that name; stays until the file ends and the phone hangs up."""
    seen = Happenings(engine)
    await phone.dial(uri)
    await phone.event("CALL_ESTABLISHED")
    while seen.call_id is None:
        answered = await seen.wait_for(CallAnswered)
        if f":{user}@" in engine.calls[answered.call_id].snapshot().peer_uri:
            seen.call_id = answered.call_id
    snapshot = engine.calls[seen.call_id].snapshot()
    assert (await seen.wait_for(PlayoutEnded)).complete
    assert (await seen.wait_for(CallEnded)).by == "remote"
    await phone.child.stop()
    match = find_speech(speech.known, phone.heard())
    assert match.delay_s > speech.length_s, match
    return Echo(snapshot, match)
