"""What must hold for everything of SDP, RTP and RTCP that strangers send."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from ipaddress import ip_address
from itertools import pairwise
from random import Random

from voip_engine.media.inbound import Inbound
from voip_engine.media.sockets import ArrivalClock
from voip_engine.rtp.dtmf import DtmfReceiver, KeyPress, MalformedEvent
from voip_engine.rtp.jitter import JitterBuffer
from voip_engine.rtp.packet import MalformedRtp, RtpPacket
from voip_engine.rtp.rtcp import MalformedRtcp, SourceDescription, parse_compound, serialize_compound
from voip_engine.rtp.session import RtcpSession
from voip_engine.rtp.srtp import Replayed, SrtpError, SrtpReceiver, SrtpSender
from voip_engine.sdp.crypto import KEY_BYTES
from voip_engine.sdp.description import MalformedSdp, SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, NotAcceptable, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import HostPort, MediaPlan, PayloadType, SrtpSuite
from voip_engine.stun.exchange import StunExchange
from voip_engine.stun.messages import MalformedStun, binding_request, mapped_address

from . import seeds
from .target import Target

_SDP_WORDS = (
    *(b"\r\n", b"v=0", b"o=- 1 1 IN IP4 ", b"s=-", b"c=IN IP4 ", b"c=IN IP6 ::1", b"t=0 0", b"m=audio ", b"m=video "),
    *(b"RTP/AVP", b"RTP/SAVP", b"a=rtpmap:", b"opus/48000/2", b"telephone-event/", b"a=fmtp:", b"a=crypto:1 "),
    *(b"AES_CM_128_HMAC_SHA1_80", b" inline:", b"a=ptime:", b"a=rtcp:", b"a=rtcp-mux", b"a=sendonly", b"0.0.0.0"),
)


def run_sdp(data: bytes) -> None:
    """A description survives writing and reading; an offer is answered, or refused in words, and so is an answer."""
    try:
        description = SessionDescription.parse(data)
    except MalformedSdp as error:
        assert str(error)
        return
    assert SessionDescription.parse(description.serialize()) == description
    local = LocalMedia("192.0.2.9", 40000, 1, 1)
    with contextlib.suppress(NotAcceptable):
        answer, plan = make_answer(description, local)
        assert plan.send in plan.receive
        assert len(answer.media) == len(description.media)
        reoffer = make_offer(replace(local, session_version=2, direction="sendonly"), previous=answer)
        assert SessionDescription.parse(reoffer.serialize()) == reoffer
    with contextlib.suppress(NotAcceptable):
        accept_answer(make_offer(local), description)
    with contextlib.suppress(NotAcceptable):
        accept_answer(description, description)


def run_rtp(data: bytes) -> None:
    """A packet survives writing and reading; a telephone-event is read or refused."""
    with contextlib.suppress(MalformedRtp):
        packet = RtpPacket.parse(data)
        assert RtpPacket.parse(packet.serialize()) == packet
        with contextlib.suppress(MalformedEvent):
            DtmfReceiver(8000).receive(packet.payload, packet.timestamp, 0.0)


def run_rtcp(data: bytes) -> None:
    """A compound packet survives writing and reading, and leaves figures that make sense."""
    session = RtcpSession(0x0A0B0C0D, Random(1))
    try:
        packets = parse_compound(data)
        session.receive(data, 1e9, 8000)
    except MalformedRtcp:
        return
    assert session.round_trip_s is None or session.round_trip_s >= 0
    assert session.remote_loss_fraction is None or 0 <= session.remote_loss_fraction < 1
    assert parse_compound(session.goodbye(1e9, 0, 1, 1, None))
    # A text that was not UTF-8 grows when it is written, and a chunk with two names becomes two.
    written = serialize_compound([packet for packet in packets if not isinstance(packet, SourceDescription)])
    if "\N{REPLACEMENT CHARACTER}" not in repr(packets) and written:
        with contextlib.suppress(MalformedRtcp):  # two reports' SDES between them are left out
            again = parse_compound(written)
            assert again == [packet for packet in packets if not isinstance(packet, SourceDescription)]


_PLAN = MediaPlan(
    HostPort("10.0.0.1", 4000),
    HostPort("10.0.0.1", 4001),
    PayloadType(0, "PCMU", 8000),
    (PayloadType(0, "PCMU", 8000), PayloadType(96, "opus", 48000), PayloadType(9, "G722", 8000)),
    telephone_event_receive=101,
)
_SOURCES = (("10.0.0.1", 4000), ("10.0.0.1", 4000), ("10.0.0.1", 4002), ("192.0.2.66", 4000))
_LENGTH_BYTES = 1


def run_inbound(data: bytes) -> None:
    """Datagrams of anybody's, in any order: each is filed once and given in sequence, and queues stay short.

    The bytes read as <control><length><datagram> again and again; the control byte says whose and when.
    """
    clock = ArrivalClock()
    jitter = JitterBuffer(8000)
    pressed: list[KeyPress] = []
    restarts: list[int] = []
    taken: list[int] = []
    inbound = Inbound(
        jitter,
        clock,
        rejected=lambda source, reason: None,
        latched=lambda source: None,
        new_source=lambda: restarts.append(len(taken)),
        key_pressed=pressed.append,
    )
    inbound.latch_onto(("10.0.0.1", 4000), None)
    inbound.configure(_PLAN)
    now = 100.0
    at = 0
    while at + 1 < len(data):
        control, length = data[at], data[at + 1]
        datagram = data[at + 2 : at + 2 + length]
        at += 2 + length
        clock.now_s = now
        clock.due_s = now
        rate_hz = jitter.clock_rate_hz
        inbound.receive(datagram, _SOURCES[control & 3], now - (control >> 2 & 7) * 0.005)
        if jitter.clock_rate_hz != rate_hz:
            restarts.append(len(taken))  # timestamps that count in another clock begin anew, too
        for _ in range(control >> 5):
            now += 0.02
            due = jitter.take()
            assert 0 < jitter.gap <= jitter.clock_rate_hz // 50
            if due is not None:
                taken.append(due[3])
        assert len(jitter) <= 400
    inbound.second(now + 1)
    starts = [0, *restarts, len(taken)]
    for start, end in pairwise(starts):
        assert all(earlier < later for earlier, later in pairwise(taken[start:end]))
    assert all(0 <= key.duration_ms <= 65_536 // 8 for key in pressed)


_STUN = bytes.fromhex("0101000c2112a442000102030405060708090a0b0020000800011292e112a669")
"""A binding response with XOR-MAPPED-ADDRESS."""
_SUITES: tuple[SrtpSuite, ...] = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80")


def run_srtp(data: bytes) -> None:
    """What was not made with the key is refused, and what was comes through once; the bytes read as `run_inbound`'s."""
    suite = _SUITES[data[0] % len(_SUITES)] if data else _SUITES[0]
    key = bytes(range(KEY_BYTES[suite]))
    mki = b"\x01" if data[:1] > b"\x7f" else b""
    sender = SrtpSender(suite, key, ssrc=7, next_index=0)
    receiver = SrtpReceiver(suite, key, mki=mki)
    at = 1
    while at + 1 < len(data):
        own, length = data[at] & 1, data[at + 1]
        packet = data[at + 2 : at + 2 + length]
        at += 2 + length
        for accept in (receiver.unprotect, receiver.unprotect_rtcp):
            with contextlib.suppress(SrtpError):
                accept(packet)
                raise AssertionError("made up, and taken all the same")
        if own and not mki:
            with contextlib.suppress(SrtpError):
                protected = sender.protect(packet)
                assert receiver.unprotect(protected) == packet
                with contextlib.suppress(Replayed):
                    receiver.unprotect(protected)
                    raise AssertionError("a packet was taken twice")


_REQUEST_ID = bytes(range(12))


def run_stun(data: bytes) -> None:
    """An answer of a STUN server tells an address, or is refused; what is no answer to our request is not taken for one."""
    for message in (data, _STUN[:20] + data):
        with contextlib.suppress(MalformedStun):
            host, port = mapped_address(message)
            assert str(ip_address(host)) == host
            assert 0 <= port <= 65_535
    exchange = StunExchange(binding_request(_REQUEST_ID), 0.0)
    assert exchange.receive(data) == (exchange.answer is not None)
    assert exchange.answer is None or data[8:20] == _REQUEST_ID


def _stream(*datagrams: bytes) -> bytes:
    return b"".join(bytes([0x21, len(datagram)]) + datagram for datagram in datagrams)


MEDIA_TARGETS = {
    "sdp": Target(run_sdp, (seeds.SDP, seeds.SDP_ON_HOLD, seeds.SDP_SLOPPY), _SDP_WORDS),
    "rtp": Target(run_rtp, (seeds.RTP, seeds.RTP_EXTENDED, seeds.RTP_EVENT), longest=512),
    "rtcp": Target(run_rtcp, (seeds.RTCP,), longest=1024),
    "stun": Target(
        run_stun,
        (
            _STUN,
            bytes.fromhex("010100242112a442000102030405060708090a0b00010008000113880a000001")  # MAPPED-ADDRESS
            + bytes.fromhex("002000140002c0f02112a442000102030405060708090a0b"),  # and an IPv6 one
            bytes.fromhex("0111000c2112a442000102030405060708090a0b0009000700000401556e6b00"),  # an error
        ),
        (b"\x00\x20\x00\x08", b"\x00\x01\x00\x14", b"\x80\x28\x00\x04", b"\x00\x08\x00\x14", b"\x21\x12\xa4\x42"),
        256,
    ),
    "srtp": Target(
        run_srtp,
        tuple(
            bytes([kind]) + _stream(seeds.RTP, seeds.RTP_EXTENDED + bytes(10), seeds.RTCP + bytes(14))
            for kind in (0, 1, 128)
        ),
        longest=1024,
    ),
    "inbound": Target(
        run_inbound,
        (
            _stream(seeds.RTP, seeds.RTP_EVENT, seeds.RTP_EXTENDED, seeds.RTP),
            _stream(*(seeds.RTP[:3] + bytes([number]) + seeds.RTP[4:] for number in (1, 2, 4, 3, 3, 9))),
        ),
        longest=2048,
    ),
}
