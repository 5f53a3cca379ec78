"""Callers that are refused before there is a call: both sides learn why."""

from __future__ import annotations

import pytest
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine.events import CallAnswered, CallCreated, CallEnded, CallRefused, MediaChangeRefused
from voip_engine.snapshots import MediaChange


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "reason"),
    [
        (
            {"srtp": "required"},
            {"srtp": "off"},
            488,
            "The offer wants encrypted audio only, which is switched off here (srtp).",
        ),
        ({"codecs": ("PCMU",)}, {"codecs": ("G722",)}, 488, "The offer names none of our codecs (G722)."),
    ],
)
async def test_an_offer_that_cannot_be_taken_leaves_a_trace_on_both_sides(make_engine, ours, theirs, status, reason):
    desk, caller = await make_engine(**theirs), await make_engine(**ours)
    at_desk, at_caller = Happenings(desk), Happenings(caller)
    await caller.dial(uri_of(desk), caller="sip:ada@example.org")
    refused = await at_desk.wait_for(CallRefused)
    assert (refused.caller, refused.status, refused.reason) == ("sip:ada@example.org", status, reason)
    ended = await at_caller.wait_for(CallEnded)
    assert ended.reason == f"Nothing acceptable, the other side says: {reason.rstrip('.')} ({status})."
    assert not any(isinstance(event, CallCreated) for event in at_desk.seen)


async def test_a_call_too_many_leaves_a_trace(make_engine):
    desk, caller = await make_engine(max_calls=1), await make_engine()
    happened = Happenings(desk)
    await caller.dial(uri_of(desk))
    await happened.wait_for(CallCreated)
    await caller.dial(uri_of(desk))
    refused = await happened.wait_for(CallRefused)
    assert (refused.status, refused.reason) == (486, "No further call is taken at present.")


async def test_whoever_changes_a_call_is_told_why_it_stays_as_it_was(make_engine):
    desk, caller = await make_engine(codecs=("PCMU",), auto_answer=True), await make_engine(codecs=("PCMU", "G722"))
    at_caller = Happenings(caller)
    call = await caller.dial(uri_of(desk))
    await at_caller.wait_for(CallAnswered)
    await call.set_codecs(("G722",))
    refused = await at_caller.wait_for(MediaChangeRefused)
    assert (refused.by, refused.change) == ("remote", MediaChange.CODECS)
    assert refused.reason == "Nothing acceptable, the other side says: The offer names none of our codecs (PCMU) (488)."
    assert [event for event in at_caller.seen if isinstance(event, CallEnded)] == []
