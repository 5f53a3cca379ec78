"""SRTP against an implementation of its own in the tests, which is itself checked against RFC 3711 Appendix B."""

from __future__ import annotations

import contextlib
import struct

import pytest
from support.srtp_reference import Reference, derive, keystream

from voip_engine.rtp.rtcp import ReceiverReport, serialize_compound
from voip_engine.rtp.srtp import Replayed, SrtpError, SrtpReceiver, SrtpSender

SUITES = {"AES_CM_128_HMAC_SHA1_80": (30, 10), "AES_256_CM_HMAC_SHA1_80": (46, 10), "AES_CM_128_HMAC_SHA1_32": (30, 4)}
SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = bytes(range(30))
SSRC = 0xCAFE
REPORT = serialize_compound([ReceiverReport(SSRC, ())])


def packet(index: int, ssrc: int = SSRC) -> bytes:
    return struct.pack("!BBHII", 0x80, 0, index & 0xFFFF, index * 160 & 0xFFFFFFFF, ssrc) + bytes([index & 0xFF]) * 160


def test_the_reference_gives_the_keystream_of_appendix_b_2() -> None:
    key, salt = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), 0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD
    stream = keystream(key, salt << 16, 48).hex().upper()
    assert stream == (
        "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
    )


def test_the_reference_derives_the_keys_of_appendix_b_3() -> None:
    master, salt = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
    assert derive(master, salt, 0, 16).hex().upper() == "C61E7A93744F39EE10734AFE3FF7A087"
    assert derive(master, salt, 2, 14).hex().upper() == "30CBBC08863D8C85D49DB34A9AE1"
    assert derive(master, salt, 1, 20).hex().upper() == "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"


@pytest.mark.parametrize("suite", SUITES)
def test_what_we_send_is_read_by_the_reference_beyond_two_wraps(suite) -> None:
    length, tag_bytes = SUITES[suite]
    key = bytes(range(length))
    sender, reference = SrtpSender(suite, key, ssrc=SSRC, next_index=30_000), Reference(key, tag_bytes)
    for index in range(30_000, 150_000, 997):
        protected = sender.protect(packet(index))
        assert len(protected) == len(packet(index)) + tag_bytes
        assert packet(index)[12:] not in protected
        assert reference.decrypt(protected, index >> 16) == packet(index)
    assert sender.next_index == index + 1


@pytest.mark.parametrize("suite", SUITES)
def test_what_the_reference_sends_is_read_beyond_two_wraps(suite) -> None:
    length, tag_bytes = SUITES[suite]
    key = bytes(range(length))
    receiver, reference = SrtpReceiver(suite, key), Reference(key, tag_bytes)
    for index in range(30_000, 150_000, 997):
        assert receiver.unprotect(reference.encrypt(packet(index), index >> 16)) == packet(index)
    assert (receiver.ssrc, receiver.index) == (SSRC, index)


def test_every_packet_around_a_wrap_is_heard_in_any_order() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY), Reference(KEY)
    around = list(range(65_500, 65_580))
    for index in [*around[:20], *(one ^ 1 for one in around[20:])]:
        assert receiver.unprotect(reference.encrypt(packet(index), index >> 16)) == packet(index)
    assert receiver.index == 65_579


@pytest.mark.parametrize("suite", SUITES)
def test_rtcp_is_read_by_the_reference_and_counts_on(suite) -> None:
    length, _ = SUITES[suite]
    key = bytes(range(length))
    sender, reference, receiver = (
        SrtpSender(suite, key, ssrc=SSRC, next_index=0),
        Reference(key),
        SrtpReceiver(suite, key),
    )
    indices = []
    for _ in range(3):
        protected = sender.protect_rtcp(REPORT)
        plain, index = reference.decrypt_rtcp(protected)
        indices.append(index)
        assert plain == REPORT == receiver.unprotect_rtcp(protected)
    with pytest.raises(Replayed):
        receiver.unprotect_rtcp(protected)
    later = SrtpSender(suite, key, ssrc=SSRC, next_index=0, rtcp_packets=sender.rtcp_packets)
    indices.append(reference.decrypt_rtcp(later.protect_rtcp(REPORT))[1])
    assert indices == [indices[0] + number for number in range(4)]


def test_replays_and_forgeries_are_told_apart() -> None:
    sender, receiver = SrtpSender(SUITE, KEY, ssrc=SSRC, next_index=5), SrtpReceiver(SUITE, KEY)
    first = sender.protect(packet(5))
    receiver.unprotect(first)
    with pytest.raises(Replayed):
        receiver.unprotect(first)
    for index in range(6, 400):
        receiver.unprotect(sender.protect(packet(index)))
    with pytest.raises(Replayed):
        receiver.unprotect(first)
    good = sender.protect(packet(400))
    for forged in (
        good[:-1],
        good[:20] + b"?" + good[21:],
        b"",
        b"\x80" * 11,
        b"\x80" * 1499,
        bytes(2048),
        packet(401),
    ):
        with pytest.raises(SrtpError) as refused:
            receiver.unprotect(forged)
        assert not isinstance(refused.value, Replayed)
    assert receiver.unprotect(good) == packet(400)


def test_both_ends_go_on_where_others_stopped() -> None:
    index = 200_123
    sender = SrtpSender(SUITE, KEY, ssrc=SSRC, next_index=index)
    receiver = SrtpReceiver(SUITE, KEY, heard=(SSRC, index - 30))
    reference = Reference(KEY)
    protected = sender.protect(packet(index))
    assert reference.decrypt(protected, 3) == packet(index)
    assert receiver.unprotect(protected) == packet(index)
    for earlier in (index - 30, index - 31, index - 157, index - 200, index - 20_000):
        with pytest.raises(Replayed):
            receiver.unprotect(reference.encrypt(packet(earlier), earlier >> 16))


@pytest.mark.parametrize(("roll_over", "hint"), [(0, 0), (1, 0), (0, 7), (7, 7), (8, 7)])
def test_a_stream_heard_from_its_middle_is_found(roll_over, hint) -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY, roll_over_hint=hint), Reference(KEY)
    for index in range(roll_over << 16 | 3, (roll_over << 16) + 200):
        assert receiver.unprotect(reference.encrypt(packet(index), roll_over)) == packet(index)
    assert receiver.index == index


def test_looking_for_a_streams_place_ends_in_time() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY, roll_over_hint=7), Reference(KEY)
    for index in range(60):
        with pytest.raises(SrtpError):
            receiver.unprotect(Reference(KEY[::-1]).encrypt(packet(index, ssrc=index), 0))
    with pytest.raises(SrtpError):
        receiver.unprotect(reference.encrypt(packet(7 << 16), 7))
    assert receiver.unprotect(reference.encrypt(packet(9), 0)) == packet(9)


@pytest.mark.parametrize(("unheard", "within"), [(40_000, 25), (70_000, 25), (300_000, 75), (1_000_000, 375)])
def test_a_stream_is_found_again_however_long_it_was_not_heard(unheard, within) -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY, heard=(SSRC, 70_000)), Reference(KEY)
    before = [reference.encrypt(packet(index), index >> 16) for index in range(69_900, 70_020)]
    for protected in before[101:]:
        receiver.unprotect(protected)
    first = 70_020 + unheard
    found = first + within - 1
    for index in range(first, first + within + 100):
        protected = reference.encrypt(packet(index), index >> 16)
        if index < found:
            with pytest.raises(SrtpError):
                receiver.unprotect(protected)
        else:
            assert receiver.unprotect(protected) == packet(index)
    for heard_before in (*before, protected):
        with pytest.raises(SrtpError):
            receiver.unprotect(heard_before)
    assert receiver.index == index


def test_a_new_source_that_counts_on_under_the_same_key_is_found_and_opens_no_way_for_replays() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY), Reference(KEY)
    before = [reference.encrypt(packet(index), index >> 16) for index in range(65_400, 65_700)]
    for protected in before:
        receiver.unprotect(protected)
    taken = 0
    for index in range(65_700, 65_750):
        with contextlib.suppress(SrtpError):
            taken += receiver.unprotect(reference.encrypt(packet(index, ssrc=5), 1)) == packet(index, ssrc=5)
    assert taken > 20
    for protected in before:
        with pytest.raises(SrtpError):
            receiver.unprotect(protected)


def test_forgeries_lead_nowhere() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY, heard=(SSRC, 70_000)), Reference(KEY)
    others = Reference(KEY[::-1])
    for index in range(70_001, 72_000):
        with pytest.raises(SrtpError):
            receiver.unprotect(others.encrypt(packet(index), 1))
    assert receiver.unprotect(reference.encrypt(packet(70_001), 1)) == packet(70_001)
    assert receiver.index == 70_001


def test_another_source_under_the_same_key_begins_at_its_own_first_packet() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY), Reference(KEY)
    for index in (65_530, 65_540, 90_000, 120_000, 131_080):
        receiver.unprotect(reference.encrypt(packet(index), index >> 16))
    assert receiver.unprotect(reference.encrypt(packet(77, ssrc=5), 0)) == packet(77, ssrc=5)
    assert (receiver.ssrc, receiver.index) == (5, 77)


def test_a_key_identifier_is_read_over_and_has_to_be_the_agreed_one() -> None:
    receiver, reference = SrtpReceiver(SUITE, KEY, mki=b"\0\1"), Reference(KEY)
    assert receiver.unprotect(reference.encrypt(packet(1), 0, mki=b"\0\1")) == packet(1)
    for mki in (b"\0\2", b""):
        with pytest.raises(SrtpError, match="MKI"):
            receiver.unprotect(reference.encrypt(packet(2), 0, mki=mki))
    sender = SrtpSender(SUITE, KEY, ssrc=SSRC, next_index=0)
    report = sender.protect_rtcp(REPORT)
    assert receiver.unprotect_rtcp(report[:-10] + b"\0\1" + report[-10:]) == REPORT
