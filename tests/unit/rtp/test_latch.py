"""Whose packets are heard."""

from __future__ import annotations

import pytest

from voip_engine.rtp.latch import HOLD_PACKETS, STRANGER_PACKETS, Latch, Verdict

SIGNALLED, NATTED, STRANGER = ("192.0.2.1", 4000), ("198.51.100.7", 31000), ("203.0.113.9", 9)
PARTIES = ("sip.example", "198.51.100.7")
PRIVATE, PUBLIC = ("192.168.1.7", 4000), "9.9.9.9"


def judge(latch, source, numbers, ssrc=1):
    return [latch.judge(source, ssrc, number & 0xFFFF) for number in numbers]


def test_the_signalled_address_is_heard_at_once_and_for_good():
    latch = Latch(SIGNALLED)
    assert judge(latch, SIGNALLED, [1]) == [Verdict.ACCEPTED]
    assert judge(latch, STRANGER, range(50)) == [Verdict.FOREIGN] * 50
    assert latch.peer == SIGNALLED


def test_another_source_that_holds_becomes_the_peer():
    latch = Latch(SIGNALLED, parties=PARTIES)
    verdicts = judge(latch, NATTED, range(65534, 65534 + HOLD_PACKETS))
    assert verdicts == [Verdict.HELD] * (HOLD_PACKETS - 1) + [Verdict.LATCHED]
    assert latch.peer == NATTED
    assert judge(latch, (NATTED[0], 5), range(50)) == [Verdict.FOREIGN] * 50, "nobody with an equal claim moves it"
    assert judge(latch, STRANGER, range(50)) == [Verdict.FOREIGN] * 50


def test_another_port_of_the_signalled_host_that_holds_becomes_the_peer():
    latch = Latch(SIGNALLED)
    assert judge(latch, (SIGNALLED[0], 4010), range(HOLD_PACKETS))[-1] is Verdict.LATCHED


@pytest.mark.parametrize("parties", [(), PARTIES, (PUBLIC,)])
def test_a_stranger_never_takes_the_place_of_an_address_that_can_reach_us(parties):
    latch = Latch((PUBLIC, 4000), parties=parties)
    assert judge(latch, STRANGER, range(500)) == [Verdict.FOREIGN] * 500
    assert judge(latch, (PUBLIC, 4000), [1]) == [Verdict.ACCEPTED]


def test_the_signalled_address_wins_back_what_another_took_first():
    latch = Latch(SIGNALLED, parties=PARTIES)
    judge(latch, NATTED, range(HOLD_PACKETS))
    verdicts = []
    for number in range(HOLD_PACKETS):  # both go on at once
        verdicts += judge(latch, SIGNALLED, [number])
        assert judge(latch, NATTED, [100 + number]) == [Verdict.ACCEPTED if latch.peer == NATTED else Verdict.FOREIGN]
    assert verdicts == [Verdict.HELD] * (HOLD_PACKETS - 1) + [Verdict.LATCHED]
    assert judge(latch, NATTED, range(200, 250)) == [Verdict.FOREIGN] * 50, "and for good"


def test_a_peer_behind_nat_whose_call_a_server_passes_on_has_to_hold_for_long():
    latch = Latch(PRIVATE, parties=(PUBLIC,))
    verdicts = judge(latch, STRANGER, range(STRANGER_PACKETS))
    assert verdicts == [Verdict.HELD] * (STRANGER_PACKETS - 1) + [Verdict.LATCHED]
    assert judge(latch, NATTED, range(500)) == [Verdict.FOREIGN] * 500
    assert judge(latch, (PUBLIC, 30000), range(HOLD_PACKETS))[-1] is Verdict.LATCHED, "who has a part goes before"


def test_in_one_network_a_private_address_is_reached_and_no_stranger_taken():
    latch = Latch(PRIVATE, parties=("192.168.1.5",))
    assert judge(latch, STRANGER, range(500)) == [Verdict.FOREIGN] * 500


def test_a_party_that_is_learnt_of_later_counts():
    latch = Latch(SIGNALLED)
    assert judge(latch, NATTED, range(20)) == [Verdict.FOREIGN] * 20
    latch.take_parties(PARTIES)
    assert judge(latch, NATTED, range(HOLD_PACKETS))[-1] is Verdict.LATCHED


def test_addresses_are_the_same_however_they_are_written():
    latch = Latch(("2001:DB8:0::1", 4000), parties=("[2001:db8:0:0::2]",))
    assert judge(latch, ("2001:db8::2", 9), range(HOLD_PACKETS))[-1] is Verdict.LATCHED
    assert judge(latch, ("2001:db8::1", 4000), range(HOLD_PACKETS))[-1] is Verdict.LATCHED


def test_random_packets_never_become_the_peer():
    latch = Latch(SIGNALLED, parties=PARTIES)
    verdicts = judge(latch, NATTED, range(0, 100, 2))
    assert Verdict.LATCHED not in verdicts
    for number in range(20):
        latch.judge(NATTED, number, number)
    assert not latch.decided


def test_many_strangers_do_not_keep_the_peer_out():
    latch = Latch(PRIVATE, parties=(*PARTIES, PUBLIC))
    for port in range(100):
        judge(latch, (NATTED[0], port), [1])
    for number in range(HOLD_PACKETS):
        verdicts = judge(latch, NATTED, [number])
        for port in range(100):
            judge(latch, ("203.0.113.9", port), [number])
    assert verdicts == [Verdict.LATCHED]


def test_the_signalled_address_wins_while_another_is_held():
    latch = Latch(SIGNALLED, parties=PARTIES)
    judge(latch, NATTED, range(HOLD_PACKETS - 1))
    judge(latch, SIGNALLED, [7])
    assert judge(latch, NATTED, [HOLD_PACKETS - 1]) == [Verdict.FOREIGN]


def test_a_peer_known_from_before_is_kept_as_it_was():
    latch = Latch(SIGNALLED, NATTED, PARTIES)
    assert judge(latch, NATTED, [1]) == [Verdict.ACCEPTED]
    assert judge(latch, STRANGER, range(50)) == [Verdict.FOREIGN] * 50
    assert judge(latch, SIGNALLED, range(HOLD_PACKETS))[-1] is Verdict.LATCHED
