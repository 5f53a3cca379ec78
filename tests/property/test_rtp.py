"""Whatever arrives: parsers raise their own error only, the jitter buffer never repeats and never reorders."""

from __future__ import annotations

import contextlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voip_engine.media.inbound import duration_of
from voip_engine.rtp.dtmf import DtmfReceiver, MalformedEvent
from voip_engine.rtp.jitter import JitterBuffer
from voip_engine.rtp.packet import HeaderExtension, MalformedRtp, RtpPacket
from voip_engine.rtp.rtcp import (
    MalformedRtcp,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse_compound,
    serialize_compound,
)
from voip_engine.rtp.stats import SourceStatistics
from voip_engine.sdp.plan import PayloadType

words = st.integers(0, 2**32 - 1)
sequences = st.integers(0, 2**16 - 1)


@given(st.binary(max_size=100))
def test_rtp_parser_raises_its_own_error_only(data):
    with contextlib.suppress(MalformedRtp):
        RtpPacket.parse(data)


@given(st.integers(0, 63).map(lambda low: 0x80 | low), st.binary(min_size=11, max_size=60))
def test_rtp_parser_survives_every_first_byte(first, rest):
    with contextlib.suppress(MalformedRtp):
        RtpPacket.parse(bytes([first]) + rest)


extensions = st.builds(HeaderExtension, sequences, st.binary(max_size=16).map(lambda data: data[: len(data) // 4 * 4]))
packets = st.builds(
    RtpPacket,
    st.integers(0, 127),
    sequences,
    words,
    words,
    st.binary(max_size=40),
    st.booleans(),
    st.lists(words, max_size=15).map(tuple),
    st.none() | extensions,
)


@given(packets, st.integers(0, 255))
def test_rtp_packets_come_back_as_they_were(packet, padding):
    assert RtpPacket.parse(packet.serialize(padding)) == packet


headers = st.tuples(st.integers(0x80, 0xBF), st.integers(200, 204), st.integers(0, 8), st.binary(max_size=32))


@given(
    st.binary(max_size=100)
    | st.lists(headers, max_size=4).map(
        lambda parts: b"".join(bytes([a, b]) + n.to_bytes(2, "big") + body for a, b, n, body in parts)
    )
)
def test_rtcp_parser_raises_its_own_error_only(data):
    with contextlib.suppress(MalformedRtcp):
        parse_compound(data)


blocks = st.builds(
    ReportBlock, words, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), words, words, words, words
)
reports = st.builds(
    SenderReport, words, st.integers(0, 2**64 - 1), words, words, words, st.lists(blocks, max_size=3).map(tuple)
)
names = st.text(max_size=60)


@given(reports, st.lists(st.tuples(words, names), max_size=3).map(tuple))
def test_rtcp_packets_come_back_as_they_were(report, cnames):
    compound = [report, SourceDescription(cnames)]
    assert parse_compound(serialize_compound(compound)) == compound


arrivals = st.lists(
    st.tuples(
        st.integers(-20, 20) | sequences,
        st.integers(-20, 20) | words,
        st.sampled_from((160, 80, 320, 960)),
        st.integers(0, 4),
    ),
    max_size=120,
)


@given(arrivals, st.sampled_from((0, 65530)), st.sampled_from((0, 2**32 - 900)))
def test_jitter_buffer_never_repeats_and_never_reorders(arrivals, first_sequence, first_timestamp):
    buffer = JitterBuffer(8000)
    taken, now = [], 0.0
    for next_number, (sequence_step, timestamp_step, duration, takes) in enumerate(arrivals, 1):
        sequence = first_sequence + next_number + (sequence_step if abs(sequence_step) > 3 else 0) & 0xFFFF
        timestamp = (
            first_timestamp + 160 * (next_number + (timestamp_step if abs(timestamp_step) > 3 else 0)) & 0xFFFFFFFF
        )
        buffer.put(sequence, timestamp, 0, bytes(duration), duration, now, now)
        for _ in range(takes):
            now += 0.02
            due = buffer.take()
            assert 0 < buffer.gap <= 160
            if due is not None:
                taken.append(due[3])
    assert all(earlier < later for earlier, later in pairwise(taken))
    assert len(buffer) <= len(arrivals)


@given(st.lists(st.tuples(sequences, words), min_size=1, max_size=60))
def test_statistics_of_any_stream_make_a_report(stream):
    statistics = SourceStatistics(1, stream[0][0], 8000)
    for index, (sequence, timestamp) in enumerate(stream):
        statistics.receive(sequence, timestamp, index * 0.02)
    block = statistics.report_block(1, 1e9)
    assert 0 <= block.fraction_lost <= 255
    assert parse_compound(serialize_compound([SenderReport(1, 0, 0, 0, 0, (block,))]))


@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, 5).map(lambda n: n * 400))))
def test_event_receiver_raises_its_own_error_only(payloads):
    receiver = DtmfReceiver(8000)
    for index, (payload, timestamp) in enumerate(payloads):
        with contextlib.suppress(MalformedEvent):
            receiver.receive(payload, timestamp, index * 0.1)


@given(st.binary(max_size=40))
def test_durations_of_any_payload(payload):
    assert duration_of(PayloadType(111, "opus", 48000), payload) <= 48 * 60 * 63
