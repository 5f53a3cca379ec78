"""RTP packets, from the layout in RFC 3550 §5.1."""

from __future__ import annotations

import pytest

from voip_engine.rtp.packet import HeaderExtension, MalformedRtp, RtpPacket, looks_like_rtcp

PLAIN = bytes.fromhex("80 80 0001 000000a0 deadbeef ffff")


def test_reads_the_fixed_header():
    packet = RtpPacket.parse(PLAIN)
    assert packet == RtpPacket(0, 1, 160, 0xDEADBEEF, b"\xff\xff", marker=True)


def test_reads_over_sources_extension_and_padding():
    data = bytes.fromhex("b2 08 ffff ffffffff 00000001 0000000a 0000000b bede0001 10203040 d5d5d5 00000003")
    packet = RtpPacket.parse(data)
    assert packet.csrcs == (10, 11)
    assert packet.extension == HeaderExtension(0xBEDE, bytes.fromhex("10203040"))
    assert packet.payload == bytes.fromhex("d5d5d5 00")
    assert not packet.marker


def test_writes_what_it_reads():
    packet = RtpPacket(111, 65535, 2**32 - 1, 7, b"audio", csrcs=(1, 2, 3), extension=HeaderExtension(1, b"12345678"))
    assert RtpPacket.parse(packet.serialize(padding=5)) == packet


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "too few"),
        (PLAIN[:11], "too few"),
        (b"\x40" + PLAIN[1:], "version 1"),
        (b"\x8f" + PLAIN[1:], "contributing"),
        (b"\x90" + PLAIN[1:], "extension"),
        (b"\x90" + PLAIN[1:12] + bytes.fromhex("00000002 01020304"), "extension"),
        (b"\xa0" + PLAIN[1:12] + b"\x00", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\x02", "padding"),
    ],
)
def test_says_what_is_malformed(data, word):
    with pytest.raises(MalformedRtp, match=word):
        RtpPacket.parse(data)


def test_tells_rtcp_by_its_second_byte():
    assert looks_like_rtcp(b"\x80\xc8\x00\x06")
    assert not looks_like_rtcp(PLAIN)
    assert not looks_like_rtcp(b"")
