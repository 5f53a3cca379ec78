"""What a leg's keys have carried is never sent again nor heard twice, whatever keys and processes come and go."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from support.media_peer import PCMU, SILENCE
from support.srtp_reference import Reference

from voip_engine.media.encryption import Encryption
from voip_engine.media.ledger import Ledger
from voip_engine.media.outbound import Outbound
from voip_engine.media.protocol import ConfigureLeg, Figures, LegFigures, OpenLeg, RtpStart, SrtpMark
from voip_engine.rtp.packet import RtpPacket
from voip_engine.rtp.srtp import KEPT_KEYS
from voip_engine.sdp.plan import HostPort, MediaPlan, SrtpPlan

OURS, THEIRS, NEW = bytes(range(30)), bytes(range(30, 60)), bytes(range(60, 90))
SRTP = SrtpPlan("AES_CM_128_HMAC_SHA1_80", OURS, THEIRS)
OTHER = msgspec.structs.replace(SRTP, receive_key=NEW)


def test_a_key_that_comes_back_repeats_no_packet_index():
    outbound = Outbound(RtpStart(9, 65_000, 0))
    encryption = Encryption(outbound)
    indices = []

    plan = MediaPlan(HostPort("192.0.2.1", 4000), HostPort("192.0.2.1", 4001), PCMU, (PCMU,))
    outbound.configure(plan)
    for srtp in (SRTP, None, msgspec.structs.replace(SRTP, send_key=NEW), SRTP):
        encryption.configure(srtp, None)
        for _ in range(400):
            datagram = outbound.coded_frame(SILENCE)
            if srtp is not None:
                assert encryption.protect(datagram)
        if encryption.mark is not None:
            indices.append(encryption.mark.next_index)
    assert indices[0] == 65_400
    assert indices[2] == 65_000 + 1600


def packet(index: int) -> bytes:
    return RtpPacket(0, index & 0xFFFF, index * 160 & 0xFFFFFFFF, 7, SILENCE).serialize()


def heard_by(encryption: Encryption, key: bytes, indices: range) -> list[bytes]:
    """Let the peer send under a key; gives what was sent and taken."""
    reference, taken = Reference(key), []
    for index in indices:
        protected = reference.encrypt(packet(index), index >> 16)
        if encryption.try_unprotect(protected) is not None:
            taken.append(protected)
    return taken


@pytest.mark.parametrize("between", [OTHER, None], ids=["another key", "plain"])
def test_a_key_that_comes_back_is_heard_on_and_nothing_of_it_twice(between):
    encryption = Encryption(Outbound(RtpStart(9, 65_000, 0)))
    encryption.configure(SRTP, SrtpMark(0, 0, (7, 3 << 16)))
    before = heard_by(encryption, THEIRS, range((3 << 16) + 1, (3 << 16) + 150))
    assert len(before) == 149
    encryption.configure(between, None)
    if between is not None:
        assert len(heard_by(encryption, NEW, range(500, 800))) == 300
    encryption.configure(SRTP, None)
    assert [encryption.try_unprotect(protected) for protected in before] == [None] * 149
    assert len(heard_by(encryption, THEIRS, range((3 << 16) + 150, (3 << 16) + 400))) == 250


def test_of_a_peers_many_keys_the_latest_are_remembered():
    encryption = Encryption(Outbound(RtpStart(9, 65_000, 0)))
    keys = [bytes([number]) * 30 for number in range(KEPT_KEYS + 2)]
    heard = {}
    for key in keys:
        encryption.configure(msgspec.structs.replace(SRTP, receive_key=key), None)
        heard[key] = heard_by(encryption, key, range(100, 120))
    for key in keys[-KEPT_KEYS:]:
        encryption.configure(msgspec.structs.replace(SRTP, receive_key=key), None)
        assert [encryption.try_unprotect(protected) for protected in heard[key]] == [None] * 20
    encryption.configure(msgspec.structs.replace(SRTP, receive_key=keys[0]), None)
    assert encryption.try_unprotect(heard[keys[0]][0]) is not None, "what is forgotten is nowhere kept"


def test_the_ledger_goes_on_ahead_of_all_that_was_sent():
    chance = random.Random(5)
    for _ in range(200):
        ledger = Ledger()
        plan = MediaPlan(HostPort("192.0.2.1", 4000), HostPort("192.0.2.1", 4001), PCMU, (PCMU,), srtp=SRTP)
        ledger.command(OpenLeg(1, HostPort("127.0.0.1", 4000), RtpStart(9, 30_000, 0)), now=99.0)
        ledger.command(ConfigureLeg(1, plan), now=100.0)
        read_s, died_s = 100.0 + chance.uniform(0, 5000), chance.uniform(0, 3)
        sent = 30_000 + int((read_s - 100.0) * 50)
        if chance.random() < 0.9:
            mark = SrtpMark(sent, 44, (7, 99_000))
            values = dict.fromkeys(LegFigures.__struct_fields__, 0)
            values |= {"leg_id": 1, "next_sequence": sent & 0xFFFF, "remote_rtp": None, "srtp_mark": mark}
            figures = Figures((LegFigures(**values),), 5, 0, 0.0, 0.0, begun_s=read_s)
            ledger.report(figures, now=read_s + chance.uniform(0, 10))
        else:
            sent, read_s = 30_000, 100.0
        last_sent = sent + int(died_s * 50) + 1
        opened, configured = ledger.reopening(now=read_s + died_s)
        assert isinstance(opened, OpenLeg)
        assert isinstance(configured, ConfigureLeg)
        begins = configured.srtp_mark.next_index if configured.srtp_mark is not None else opened.start.sequence
        assert last_sent < begins < last_sent + 20
        assert opened.start.sequence == begins & 0xFFFF


def told(ledger: Ledger, sequence: int, mark: SrtpMark | None, at_s: float) -> None:
    """Let a process tell how far it is."""
    values = dict.fromkeys(LegFigures.__struct_fields__, 0)
    values |= {"leg_id": 1, "next_sequence": sequence & 0xFFFF, "remote_rtp": None, "srtp_mark": mark}
    ledger.report(Figures((LegFigures(**values),), 5, 0, 0.0, 0.0, begun_s=at_s), now=at_s)


def ledger_of_an_encrypted_leg() -> tuple[Ledger, ConfigureLeg]:
    """A leg whose sequence numbers have wrapped once, with 44 RTCP packets sent."""
    ledger = Ledger()
    plan = MediaPlan(HostPort("192.0.2.1", 4000), HostPort("192.0.2.1", 4001), PCMU, (PCMU,), srtp=SRTP)
    ledger.command(OpenLeg(1, HostPort("127.0.0.1", 4000), RtpStart(9, 30_000, 0)), now=100.0)
    configured = ConfigureLeg(1, plan)
    ledger.command(configured, now=100.0)
    told(ledger, 60_000, SrtpMark(60_000, 30, None), 700.0)
    told(ledger, 80_000, SrtpMark(80_000, 44, None), 1100.0)
    return ledger, configured


def test_a_key_that_comes_back_in_another_process_repeats_no_index():
    ledger, encrypted = ledger_of_an_encrypted_leg()
    plain = msgspec.structs.replace(encrypted, plan=msgspec.structs.replace(encrypted.plan, srtp=None))
    ledger.command(plain, now=1100.0)
    for sequence in (100_000, 120_000, 140_000):
        told(ledger, sequence, None, 1100.0 + (sequence - 80_000) / 50)
    opened, reopened = ledger.reopening(now=2300.5)
    assert isinstance(reopened, ConfigureLeg)
    assert reopened.srtp_mark is None
    again = ledger.command(encrypted, now=2301.0)
    assert isinstance(again, ConfigureLeg)
    assert again.srtp_mark is not None
    assert 140_000 < again.srtp_mark.next_index < 140_100
    assert again.srtp_mark.rtcp_packets > 44
    assert isinstance(opened, OpenLeg)
    outbound = Outbound(opened.start)
    outbound.configure(again.plan)
    encryption = Encryption(outbound)
    encryption.configure(again.plan.srtp, again.srtp_mark)
    assert encryption.protect(outbound.coded_frame(SILENCE))
    assert encryption.mark is not None
    assert encryption.mark.next_index > 140_000


@pytest.mark.parametrize("between", [OTHER, None], ids=["another key", "plain"])
def test_a_key_that_comes_back_in_another_process_is_heard_on_and_nothing_of_it_twice(between):
    ledger, encrypted = ledger_of_an_encrypted_leg()
    told(ledger, 80_010, SrtpMark(80_010, 44, (7, 3 << 16)), 1100.2)
    changed = msgspec.structs.replace(encrypted, plan=msgspec.structs.replace(encrypted.plan, srtp=between))
    ledger.command(changed, now=1100.3)
    told(ledger, 80_050, SrtpMark(80_050, 44, (8, 700)) if between else None, 1101.0)
    opened, reopened = ledger.reopening(now=1101.2)
    assert isinstance(opened, OpenLeg)
    assert isinstance(reopened, ConfigureLeg)
    encryption = Encryption(Outbound(opened.start))
    encryption.configure(reopened.plan.srtp, reopened.srtp_mark)
    again = ledger.command(encrypted, now=1102.0)
    assert isinstance(again, ConfigureLeg)
    encryption.configure(again.plan.srtp, again.srtp_mark)
    assert heard_by(encryption, THEIRS, range((3 << 16) - 300, (3 << 16) + 1)) == []
    assert len(heard_by(encryption, THEIRS, range((3 << 16) + 1, (3 << 16) + 100))) == 99


def test_processes_that_are_lost_one_after_the_other_repeat_no_index():
    ledger, _ = ledger_of_an_encrypted_leg()
    marks = []
    for lost_s in (1100.2, 1100.4, 1100.6):
        _, configured = ledger.reopening(now=lost_s)
        assert isinstance(configured, ConfigureLeg)
        assert configured.srtp_mark is not None
        marks.append(configured.srtp_mark)
    for before, after in pairwise(marks):
        assert after.rtcp_packets > before.rtcp_packets
        assert after.next_index > before.next_index + 10, "what the one before may have sent"


def test_a_process_that_is_lost_right_after_a_change_of_keys_may_have_sent_rtcp():
    ledger, encrypted = ledger_of_an_encrypted_leg()
    other = msgspec.structs.replace(SRTP, send_key=NEW)
    changed = msgspec.structs.replace(encrypted, plan=msgspec.structs.replace(encrypted.plan, srtp=other))
    ledger.command(changed, now=1100.0)
    _, configured = ledger.reopening(now=1102.0)
    assert isinstance(configured, ConfigureLeg)
    assert configured.srtp_mark is not None
    assert configured.srtp_mark.rtcp_packets > 0
    assert configured.srtp_mark.next_index > (80_000 & 0xFFFF) + 100
