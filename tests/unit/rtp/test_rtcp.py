"""RTCP packets and the figures that travel in them."""

from __future__ import annotations

import random

import pytest

from voip_engine.rtp.rtcp import (
    Goodbye,
    MalformedRtcp,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    middle_of_ntp,
    next_interval_s,
    ntp_time,
    parse_compound,
    round_trip_s,
    serialize_compound,
)
from voip_engine.rtp.session import RtcpSession
from voip_engine.rtp.stats import SourceStatistics

BLOCK = ReportBlock(0xAABBCCDD, 64, -2, 0x00010005, 33, 0x11112222, 65536)
REPORT = SenderReport(1, 0x0123456789ABCDEF, 160, 10, 1600, (BLOCK,))


def test_writes_what_it_reads():
    packets = [REPORT, SourceDescription(((1, "name"), (2, ""))), Goodbye((1, 2), "done")]
    assert parse_compound(serialize_compound(packets)) == packets


def test_layout_of_a_receiver_report():
    data = serialize_compound([ReceiverReport(0x01020304, (BLOCK,))])
    assert data.hex() == (
        "81c90007" "01020304" "aabbccdd" "40fffffe" "00010005" "00000021" "11112222" "00010000"
    )  # fmt: skip


def test_unknown_packets_of_a_compound_are_skipped():
    application = bytes.fromhex("80cc0002 00000001 41424344")
    assert parse_compound(serialize_compound([ReceiverReport(1)]) + application) == [ReceiverReport(1)]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "no compound"),
        (serialize_compound([Goodbye((1,))]), "begins with a report"),
        (b"\x40" + serialize_compound([ReceiverReport(1)])[1:], "version"),
        (serialize_compound([ReceiverReport(1, (BLOCK,))])[:-4], "longer"),
        (bytes.fromhex("82c90007") + serialize_compound([ReceiverReport(1, (BLOCK,))])[4:], "report block"),
        (bytes.fromhex("80c80001 00000001"), "sender report"),
        (bytes.fromhex("a0c90001 00000001 80c90001 00000001"), "not the last"),
        (bytes.fromhex("80c90001 00000001 81ca0001 00000001"), "no end"),
        (bytes.fromhex("80c90001 00000001 81ca0002 00000001 01ff4142"), "item"),
        (bytes.fromhex("80c90001 00000001 82cb0001 00000001"), "BYE"),
    ],
)
def test_says_what_is_malformed(data, word):
    with pytest.raises(MalformedRtcp, match=word):
        parse_compound(data)


def test_round_trip_as_in_the_figure_of_rfc_3550():
    # §6.4.1, figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000, round trip 6.125 s
    block = ReportBlock(1, 0, 0, 0, 0, 0xB7052000, 0x00054000)
    assert round_trip_s(block, 0xB7108000 << 16) == 6.125


def test_no_round_trip_without_a_sender_report_or_from_a_wrong_delay():
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0, 0, 0), ntp_time(100.0)) is None
    last = middle_of_ntp(ntp_time(100.0))
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0, last, 10 * 65536), ntp_time(101.0)) is None


def test_interval_is_around_five_seconds_and_random():
    chance = random.Random(1)
    later = [next_interval_s(chance, initial=False) for _ in range(200)]
    assert 2.0 < min(later) < 2.5
    assert 5.5 < max(later) < 6.2
    assert max(next_interval_s(chance, initial=True) for _ in range(200)) < 3.1


def test_two_sessions_measure_each_other():
    ours, theirs = RtcpSession(1, random.Random(1)), RtcpSession(2, random.Random(2))
    heard = SourceStatistics(1, 0, 8000)
    for number in range(100):
        if number % 10 != 5:
            heard.receive(number, 160 * number, 0.02 * number)
    theirs.receive(ours.report(100.0, 0, 100, 16000, None), 100.05, 8000)
    ours.receive(theirs.report(101.0, 0, 0, 0, heard), 101.05, 8000)
    assert ours.round_trip_s == pytest.approx(0.1, abs=0.001)
    assert ours.remote_loss_fraction == pytest.approx(0.1, abs=0.01)
    assert ours.remote_jitter_s == pytest.approx(0.0, abs=0.001)


def test_reports_about_others_are_not_ours():
    ours = RtcpSession(1, random.Random(1))
    ours.receive(serialize_compound([ReceiverReport(2, (BLOCK,))]), 100.0, 8000)
    assert ours.remote_loss_fraction is None


def test_who_sent_nothing_reports_as_receiver_and_says_goodbye():
    ours = RtcpSession(1, random.Random(1))
    first = parse_compound(ours.report(100.0, 160, 1, 160, None))
    assert isinstance(first[0], SenderReport)
    last = parse_compound(ours.goodbye(105.0, 160, 1, 160, None))
    assert isinstance(last[0], ReceiverReport)
    assert last[-1] == Goodbye((1,))
    other = RtcpSession(2, random.Random(2))
    other.receive(ours.goodbye(106.0, 160, 1, 160, None), 106.0, 8000)
    assert other.left
