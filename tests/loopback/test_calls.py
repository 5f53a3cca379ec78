"""Two engines call each other over real SIP and RTP on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket

import pytest
from support.happenings import Happenings
from support.ports import free_port, free_port_range
from support.talker import Talker
from support.uris import uri_of

from voip_engine import EngineError
from voip_engine.calls.call import Call
from voip_engine.demo.speech import load_speech
from voip_engine.events import (
    CallAnswered,
    CallCreated,
    CallEnded,
    CallRinging,
    DtmfReceived,
    MediaChanged,
    MediaRestarted,
    MediaTimedOut,
    ModeChanged,
    ModeFailed,
    UtteranceEnded,
)
from voip_engine.snapshots import CallState, Holder

SPEECH = load_speech("ben_saturday")


@pytest.mark.parametrize(
    ("codec", "transport"), [("opus", "udp"), ("G722", "tcp"), ("PCMA", "udp"), ("PCMU", "tcp")], ids=str
)
async def test_a_caller_hears_its_own_words(make_engine, echo, codec, transport):
    talker = Talker(SPEECH)
    caller = await make_engine(modes={"talker": lambda: talker})
    happened = Happenings(caller)
    call = await caller.dial(uri_of(echo, transport), mode="talker", codecs=(codec,))
    answered = await happened.wait_for(CallAnswered)
    assert answered.codec is not None
    assert answered.codec.name == codec
    assert await talker.own_words(2.5) > 0.9
    await call.hang_up()
    ended = await happened.wait_for(CallEnded)
    assert (ended.by, ended.status) == ("local", None)


async def test_a_call_over_ipv6(make_engine):
    callee = await make_engine(listen=("udp:[::1]:0",), auto_answer=True)
    talker = Talker(SPEECH)
    caller = await make_engine(modes={"talker": lambda: talker})
    call = await caller.dial(uri_of(callee), mode="talker")
    assert await talker.own_words() > 0.9
    assert call.snapshot().remote_rtp.startswith("[::1]:")


async def test_both_sides_agree_on_what_they_see(make_engine, echo):
    caller = await make_engine()
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    call = await caller.dial(uri_of(echo), caller='"Ada Lovelace" <sip:ada@example.org>', codecs=("PCMU",))
    await at_caller.wait_for(CallAnswered)
    created = await at_echo.wait_for(CallCreated)
    assert (created.peer_name, created.peer_uri) == ("Ada Lovelace", "sip:ada@example.org")
    ours, theirs = call.snapshot(), echo.calls[created.call_id].snapshot()
    assert ours.sip_call_id == theirs.sip_call_id
    assert (ours.local_rtp, ours.remote_rtp) == (theirs.remote_rtp, theirs.local_rtp)
    assert ours.codec == theirs.codec
    assert (ours.codec.payload_type, ours.codec.clock_rate_hz, ours.codec.audio_rate_hz) == (0, 8000, 8000)
    await echo.calls[created.call_id].hang_up()
    ended = await at_caller.wait_for(CallEnded)
    assert ended.by == "remote"


async def test_an_operator_answers_and_rejects(make_engine):
    desk, caller = await make_engine(), await make_engine()
    at_desk, at_caller = Happenings(desk), Happenings(caller)
    await caller.dial(uri_of(desk))
    first = await at_desk.wait_for(CallCreated)
    await at_caller.wait_for(CallRinging, status=180)
    assert desk.calls[first.call_id].state is CallState.INCOMING
    await desk.calls[first.call_id].answer(mode="silence")
    await at_caller.wait_for(CallAnswered)
    assert desk.calls[first.call_id].snapshot().mode == "silence"
    with pytest.raises(EngineError, match="coming in"):
        await desk.calls[first.call_id].answer()

    refused = await caller.dial(uri_of(desk))
    second = await at_desk.wait_for(CallCreated)
    await desk.calls[second.call_id].reject()
    ended = await at_caller.wait_for(CallEnded, call_id=refused.call_id)
    assert ended.status == 486
    assert "busy" in ended.reason.lower()


async def test_a_caller_who_gives_up_leaves_nothing_ringing(make_engine):
    desk, caller = await make_engine(), await make_engine()
    at_desk, at_caller = Happenings(desk), Happenings(caller)
    call = await caller.dial(uri_of(desk))
    created = await at_desk.wait_for(CallCreated)
    await at_caller.wait_for(CallRinging)
    await call.hang_up()
    await at_desk.wait_for(CallEnded, call_id=created.call_id)
    await at_caller.wait_for(CallEnded, call_id=call.call_id)
    with pytest.raises(EngineError):
        await desk.calls[created.call_id].answer()


async def test_one_call_too_many_is_busy(make_engine):
    desk = await make_engine(max_calls=1, auto_answer=True)
    caller = await make_engine()
    happened = Happenings(caller)
    await caller.dial(uri_of(desk))
    await happened.wait_for(CallAnswered)
    second = await caller.dial(uri_of(desk))
    assert (await happened.wait_for(CallEnded, call_id=second.call_id)).status == 486
    assert sum(not call.ended for call in desk.calls.values()) == 1


async def test_no_codec_in_common_is_488(make_engine):
    desk = await make_engine(codecs=("PCMU",), auto_answer=True)
    caller = await make_engine(codecs=("opus",))
    happened = Happenings(caller)
    await caller.dial(uri_of(desk))
    ended = await happened.wait_for(CallEnded)
    assert ended.status == 488
    assert not desk.calls


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("", "nothing to dial"),
        ("sip:bob@no-such-host.invalid", "no-such-host.invalid"),
        ("sip:bob@127.0.0.1;transport=smoke", "transport"),
        ("sip:@", "no SIP address"),
        ("100", "no host"),
        ("tel:+15550100", "sip:"),
    ],
)
async def test_what_cannot_be_dialled_is_said_in_plain_words(make_engine, target, words):
    caller = await make_engine()
    with pytest.raises(EngineError, match=words):
        await caller.dial(target)
    assert not caller.calls


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nobody_at_the_other_end(make_engine, transport):
    with socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", udp.getsockname()[1]))
        port = udp.getsockname()[1]
    caller = await make_engine()
    happened = Happenings(caller)
    await caller.dial(f"sip:bob@127.0.0.1:{port};transport={transport}")
    ended = await happened.wait_for(CallEnded)
    assert f"127.0.0.1:{port}" in ended.reason


async def test_modes_switch_on_a_live_call_without_a_gap(make_engine, echo):
    talker = Talker(SPEECH)
    caller = await make_engine(modes={"talker": lambda: talker})
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    call = await caller.dial(uri_of(echo), mode="talker", codecs=("PCMU",))
    created = await at_echo.wait_for(CallCreated)
    await at_caller.wait_for(CallAnswered)
    answered = echo.calls[created.call_id]
    for mode in ("silence", "echo", "silence", "echo"):
        await answered.set_mode(mode)
        await at_echo.wait_for(ModeChanged, mode=mode)
    assert await talker.own_words() > 0.9
    figures = call.snapshot().media
    assert figures.received_packets > 100
    assert (figures.lost_packets, figures.late_packets, figures.concealed_ms) == (0, 0, 0)


async def test_silence_says_nothing(make_engine):
    quiet = await make_engine(auto_answer=True, mode="silence")
    talker = Talker(SPEECH)
    caller = await make_engine(modes={"talker": lambda: talker})
    call = await caller.dial(uri_of(quiet), mode="talker")
    await talker.spoken.wait()
    assert not talker.heard
    assert call.snapshot().media.received_packets > 50


async def test_an_unknown_mode_changes_nothing(make_engine, echo):
    caller = await make_engine()
    happened = Happenings(caller)
    call = await caller.dial(uri_of(echo))
    await happened.wait_for(CallAnswered)
    with pytest.raises(EngineError, match="no mode 'karaoke'"):
        await call.set_mode("karaoke")
    assert call.snapshot().mode == "echo"


async def test_a_mode_that_fails_costs_the_mode_not_the_call(make_engine, echo):
    class Broken:
        name = "broken"

        async def run(self, leg):
            raise RuntimeError("out of ideas")

    talker = Talker(SPEECH)
    caller = await make_engine(modes={"broken": Broken, "talker": lambda: talker})
    happened = Happenings(caller)
    call = await caller.dial(uri_of(echo), mode="broken")
    assert "out of ideas" in (await happened.wait_for(ModeFailed)).reason
    await call.set_mode("talker")
    assert await talker.own_words() > 0.9


async def test_hold_and_resume(make_engine, echo):
    caller = await make_engine()
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    call = await caller.dial(uri_of(echo))
    await at_caller.wait_for(CallAnswered)
    await at_echo.wait_for(CallAnswered)
    await call.hold(True)
    assert (await at_echo.wait_for(MediaChanged)).on_hold
    assert (await at_caller.wait_for(MediaChanged)).on_hold
    await call.hold(False)
    assert not (await at_echo.wait_for(MediaChanged)).on_hold
    assert not (await at_caller.wait_for(MediaChanged)).on_hold


async def test_digits_arrive_one_by_one(make_engine, echo):
    caller = await make_engine()
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    call = await caller.dial(uri_of(echo))
    await at_caller.wait_for(CallAnswered)
    await call.send_dtmf("19#")
    assert [(await at_echo.wait_for(DtmfReceived)).digit for _ in range(3)] == ["1", "9", "#"]
    with pytest.raises(EngineError, match="no key X"):
        await call.send_dtmf("1X")


async def test_keys_are_refused_while_the_other_side_holds_us(make_engine, echo):
    caller = await make_engine()
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    call = await caller.dial(uri_of(echo))
    await at_caller.wait_for(CallAnswered)
    other = echo.calls[(await at_echo.wait_for(CallAnswered)).call_id]
    await other.hold(True)
    await at_caller.wait_for(MediaChanged, held_by=Holder.THEM)
    with pytest.raises(EngineError, match="holding the call"):
        await call.send_dtmf("1")
    await other.send_dtmf("2")
    assert (await at_caller.wait_for(DtmfReceived)).digit == "2"
    await other.hold(False)
    await at_caller.wait_for(MediaChanged, held_by=Holder.NOBODY)
    await at_echo.wait_for(MediaChanged, held_by=Holder.NOBODY)
    await call.send_dtmf("3")
    assert (await at_echo.wait_for(DtmfReceived)).digit == "3"


async def test_a_line_that_goes_dead_is_hung_up(make_engine):
    desk = await make_engine(auto_answer=True, media_timeout_s=1.0)
    at_desk = Happenings(desk)
    with socket.socket(type=socket.SOCK_DGRAM) as phone:  # signals, but never sends a packet of audio
        phone.bind(("127.0.0.1", 0))
        port = phone.getsockname()[1]
        host, _, sip_port = uri_of(desk).partition("@")[2].partition(";")[0].partition(":")
        offer = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        invite = (
            f"INVITE sip:echo@{host}:{sip_port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKdead\r\n"
            f"From: <sip:mute@127.0.0.1:{port}>;tag=1\r\nTo: <sip:echo@{host}:{sip_port}>\r\nCall-ID: dead@line\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:mute@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(offer)}\r\n\r\n{offer}"
        )
        phone.sendto(invite.encode(), (host, int(sip_port)))
        timed_out = await at_desk.wait_for(MediaTimedOut)
        ended = await at_desk.wait_for(CallEnded)
    assert timed_out.silent_s >= 1.0
    assert "Nothing was heard" in ended.reason


async def test_a_peer_that_stops_sending_is_seen_to(make_engine, echo):
    caller = await make_engine()
    happened = Happenings(caller)
    call = await caller.dial(uri_of(echo), codecs=("PCMU",))
    await happened.wait_for(CallAnswered)
    os.kill(caller.media_process_id, signal.SIGSTOP)  # until the watch replaces it, the callee hears nothing
    callee = next(iter(echo.calls.values()))
    async with asyncio.timeout(10):
        while not callee.snapshot().media.silent_s:
            await asyncio.sleep(0.05)
    await happened.wait_for(MediaRestarted)
    async with asyncio.timeout(10):
        while callee.snapshot().media.silent_s:
            await asyncio.sleep(0.05)
    assert call.state is CallState.CONNECTED


async def test_an_utterance_is_told_with_its_length(make_engine, echo):
    talker = Talker(SPEECH)
    caller = await make_engine(modes={"talker": lambda: talker})
    at_echo = Happenings(echo)
    await caller.dial(uri_of(echo), mode="talker")
    told = await at_echo.wait_for(UtteranceEnded)
    spoken_s = len(SPEECH) / 16_000
    assert told.duration_s == pytest.approx(spoken_s, abs=0.6)


async def test_ended_calls_give_their_ports_back(make_engine):
    lowest = free_port_range(4)
    narrow = await make_engine(auto_answer=True, rtp_ports=(lowest, lowest + 3))  # two calls' worth
    caller = await make_engine()
    happened = Happenings(caller)
    for _ in range(10):
        calls = [await caller.dial(uri_of(narrow), codecs=("PCMU",)) for _ in range(2)]
        for call in calls:
            await happened.wait_for(CallAnswered, call_id=call.call_id)
        for call in calls:
            await call.hang_up()
        for call in [*calls, *narrow.calls.values()]:
            await call.wait_ended()


async def test_calls_that_are_over_are_given_back_without_the_garbage_collector(make_engine):
    desk = await make_engine(auto_answer=True, keep_ended_s=0)
    caller = await make_engine(keep_ended_s=0)
    happened = Happenings(caller)
    gc.collect()
    gc.disable()
    try:
        for by in (caller, desk):
            call = await caller.dial(uri_of(desk), codecs=("PCMU",))
            await happened.wait_for(CallAnswered)
            await next(iter(by.calls.values())).hang_up()
            await call.wait_ended()
            del call
            async with asyncio.timeout(20):
                while caller.calls or desk.calls or any(type(each) is Call for each in gc.get_objects()):
                    await asyncio.sleep(0.05)
    finally:
        gc.enable()


async def test_a_call_that_is_too_long_for_udp_is_shown_as_what_it_became(make_engine):
    port = free_port()
    await make_engine(auto_answer=True, listen=(f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"))
    caller = await make_engine()
    happened = Happenings(caller)
    call = await caller.dial(f"sip:echo@127.0.0.1:{port}", caller=f'"{1300 * "x"}" <sip:alice@127.0.0.1>')
    assert call.snapshot().transport == "UDP"
    await happened.wait_for(CallAnswered)
    assert call.snapshot().transport == "TCP"
