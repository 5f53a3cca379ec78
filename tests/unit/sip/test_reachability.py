"""Where requests within a dialog go, and where they may come from."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.sip_bench import THEM, Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.admission import Admission
from voip_engine.network_settings import AdmissionSettings
from voip_engine.sip.effects import RequestTurnedAway, SessionConfirmed, SessionEnded, SessionReoffered
from voip_engine.sip.flow import NextHop, Transport

NAT = "203.0.113.9"


def hops_of_bye(bench: Bench, session: str) -> list[NextHop]:
    bench.sent.clear()
    bench.apply(bench.core.hang_up(session, bench.now))
    return bench.hops("BYE")


def taken(bench: Bench, *headers: str, source: str = THEM, port: int = 5060, contact: str, via: str = THEM) -> str:
    """Take a call of theirs, up and acknowledged; returns our tag."""
    bench.request("INVITE", *headers, body=OFFER, source=source, port=port, contact=contact, via=via)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("ACK", to_tag=tag, source=source, port=port)
    bench.told.clear()
    return tag


# ---- where ours go ----


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_caller_behind_nat_is_reached_where_its_call_came_from(transport: Transport) -> None:
    bench = Bench(transport=transport)
    taken(bench, source=NAT, port=40000, contact="<sip:carol@192.168.1.7:5060>", via="192.168.1.7:5060")
    connection = int(transport == "TCP")
    assert hops_of_bye(bench, "theirs") == [NextHop(transport, NAT, 40000, connection=connection)]


@pytest.mark.parametrize(
    ("contact", "via", "hop"),
    [
        (f"{THEM}:40000;transport=tls", THEM, NextHop("TLS", THEM, 40000, connection=1)),
        # It says where it listens, but a phone shows no certificate there.
        (f"{THEM}:5061;transport=tls", THEM, NextHop("TLS", THEM, 5061, connection=1)),
        (THEM, THEM, NextHop("TLS", THEM, 0, connection=1)),
        (f"{THEM}:5060;transport=udp", THEM, NextHop("UDP", THEM, 5060)),
        # The end of the connection is a proxy's on the same host, the Contact somebody's behind it.
        (f"{THEM}:5061;transport=tls", f"{THEM}, SIP/2.0/TLS phone.example", NextHop("TLS", THEM, 5061)),
    ],
)
def test_who_called_over_a_stream_is_answered_on_it(contact: str, via: str, hop: NextHop) -> None:
    bench = Bench(transport="TLS")
    taken(bench, source=THEM, port=40000, contact=f"<sip:c@{contact}>", via=via)
    assert hops_of_bye(bench, "theirs") == [hop]


@pytest.mark.parametrize(
    ("contact", "via", "source", "hop"),
    [
        ("<sip:c@192.168.1.7>", "192.168.1.7", NAT, NextHop("UDP", NAT, 40000)),
        ("<sip:c@198.51.100.7>", "198.51.100.7", NAT, NextHop("UDP", NAT, 40000)),  # it thinks so, and is wrong
        ("<sip:c@198.51.100.7>", NAT, NAT, NextHop("UDP", "198.51.100.7", 0)),  # a proxy passed it on
        ("<sip:c@10.0.0.7>", THEM, THEM, NextHop("UDP", "10.0.0.7", 0)),  # all in one network
        ("<sip:c@10.0.0.9:5080>", THEM, THEM, NextHop("UDP", "10.0.0.9", 5080)),
        ("<sip:c@phone.example>", THEM, THEM, NextHop("UDP", "phone.example", 0)),
        ("<sip:c@10.0.0.9:5080;ob>", THEM, THEM, NextHop("UDP", THEM, 40000)),
        ("<sip:c@[fd00::7]>", "[fd00::7]", "2001:db8::9", NextHop("UDP", "2001:db8::9", 40000)),
    ],
)
def test_a_contact_counts_unless_it_cannot_be_right(contact: str, via: str, source: str, hop: NextHop) -> None:
    bench = Bench()
    taken(bench, source=source, port=40000, contact=contact, via=via)
    assert hops_of_bye(bench, "theirs") == [hop]


def test_a_route_goes_before_everything() -> None:
    bench = Bench()
    route = "Record-Route: <sip:10.0.0.50;lr>"
    taken(bench, route, source=NAT, port=40000, contact="<sip:c@192.168.1.7>", via="192.168.1.7")
    assert hops_of_bye(bench, "theirs") == [NextHop("UDP", "10.0.0.50", 0)]


def test_somebody_behind_nat_whom_we_call_is_reached_where_the_answer_came_from() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 200, body=ANSWER, contact="<sip:c@192.168.1.7>", source=NAT)
    assert bench.hops("ACK") == [NextHop("UDP", NAT, 5060)]
    assert hops_of_bye(bench, bench.session) == [NextHop("UDP", NAT, 5060)]


def test_who_moves_is_followed() -> None:
    bench = Bench()
    tag = taken(bench, source=NAT, port=40000, contact="<sip:c@192.168.1.7>", via="192.168.1.7")
    moved = {"source": NAT, "port": 41111, "via": "192.168.1.7", "contact": "<sip:c@192.168.1.7>"}
    bench.request("UPDATE", to_tag=tag, cseq=2, **moved)  # type: ignore[arg-type]
    assert hops_of_bye(bench, "theirs") == [NextHop("UDP", NAT, 41111)]


# ---- where theirs may come from ----


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "REFER"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_stranger_who_knows_the_dialog_changes_nothing(method: str, transport: Transport) -> None:
    bench = Bench(transport=transport)
    invite = bench.connect()
    bench.in_dialog(invite, method, body=OFFER if method == "INVITE" else b"", source="10.6.6.6")
    assert bench.sent == []
    assert [(t.method, t.flow.remote_host) for t in bench.take_told(RequestTurnedAway)] == [(method, "10.6.6.6")]
    # Its number was not used up: the real one still counts.
    bench.in_dialog(invite, "BYE")
    assert len(bench.take_told(SessionEnded)) == 1


PEER, NODE = "192.168.1.9", "192.168.1.10"


@pytest.mark.parametrize("method", ["BYE", "CANCEL"])
@pytest.mark.parametrize(
    ("trusted", "statuses"),
    [
        ({}, [481]),  # it may call, but has no part in this call
        ({"servers": [NODE]}, [200]),
        ({"networks": ("192.168.1.8/30",)}, [200]),
        ({"networks": (f"{PEER}/32",)}, []),  # a stranger
    ],
)
def test_a_server_s_other_addresses_have_a_part_in_its_calls(
    method: str, trusted: dict[str, Any], statuses: list[int]
) -> None:
    settings = AdmissionSettings(networks=trusted.get("networks"))
    door = Admission(settings, has_accounts=False, random=Random(1))
    door.servers_found(trusted.get("servers", []), 0.0)
    bench = Bench(door=door)
    bench.request("INVITE", body=OFFER, source=PEER, contact=f"<sip:carol@{PEER}>", branch="z9hG4bKinvite")
    tag = bench.take_responses()[-1].to.tag or ""
    if method == "BYE":
        bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
        tag = bench.take_responses()[-1].to.tag or ""
        bench.request("ACK", to_tag=tag, source=PEER)
        bench.request("BYE", to_tag=tag, cseq=2, source=NODE)
    else:
        bench.request("CANCEL", branch="z9hG4bKinvite", source=NODE)
    assert [r.status for r in bench.take_responses() if r.cseq.method == method] == statuses
    assert len(bench.take_told(SessionEnded)) == (200 in statuses)


def test_a_stranger_s_ack_confirms_nothing() -> None:
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("ACK", to_tag=tag, source="10.6.6.6")
    assert bench.take_told(SessionConfirmed) == []
    bench.request("ACK", to_tag=tag)
    assert len(bench.take_told(SessionConfirmed)) == 1


def test_a_cancel_counts_from_where_the_invite_came_only() -> None:
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.take_responses()
    bench.request("CANCEL", branch="z9hG4bK1", source="10.6.6.6")
    assert bench.sent == []
    assert bench.take_told(SessionEnded) == []
    bench.request("CANCEL", branch="z9hG4bK1", port=5099)
    assert sorted(r.status for r in bench.take_responses()) == [200, 487]


def test_an_early_dialog_is_not_a_stranger_s_either() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180)
    bench.in_dialog(invite, "BYE", source="10.6.6.6")
    assert bench.take_told(SessionEnded) == []


def test_a_branch_that_only_rings_may_speak_from_its_contact() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180, contact="<sip:carol@10.0.0.7>")
    bench.in_dialog(invite, "UPDATE", source="10.0.0.7", contact="<sip:carol@10.0.0.7>")
    assert [r.status for r in bench.take_responses()] == [200]


@pytest.mark.parametrize(
    ("headers", "contact"),
    [
        ((), "<sip:carol@10.0.0.7>"),
        (("Record-Route: <sip:10.0.0.7;lr>",), "<sip:carol@192.168.1.1>"),
        ((), "<sip:carol@phone.example>"),  # any host may stand behind a name
    ],
)
def test_whom_the_dialog_names_may_speak(headers: tuple[str, ...], contact: str) -> None:
    bench = Bench()
    tag = taken(bench, *headers, contact=contact)
    bench.request("BYE", to_tag=tag, cseq=2, source="10.0.0.7")
    assert len(bench.take_told(SessionEnded)) == 1


def test_a_reinvite_from_the_side_that_was_called_may_come_from_its_proxy() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 200, body=ANSWER, contact="<sip:c@10.0.0.7>", source="10.0.0.50")
    bench.told.clear()
    for number, source in enumerate(("10.0.0.50", "10.0.0.7", THEM), start=1):
        bench.in_dialog(invite, "INVITE", cseq=number, body=b"hold", source=source, contact="<sip:c@10.0.0.7>")
        assert len(bench.take_told(SessionReoffered)) == 1
        bench.apply(bench.core.reject_reoffer(bench.session, 488, bench.now))


# ---- whose audio may come ----


def test_a_session_names_the_hosts_that_have_a_part_in_it() -> None:
    bench = Bench()
    taken(bench, f"Record-Route: <sip:{THEM};lr>", source=NAT, contact="<sip:carol@192.168.1.7>", via="192.168.1.7")
    assert set(bench.core.features.parties("theirs")) == {NAT, THEM, "192.168.1.7"}
    invite = bench.place()
    assert set(bench.core.features.parties(bench.session)) == {THEM}
    bench.respond(invite, 183, body=ANSWER, contact="<sip:carol@198.51.100.7>")
    assert set(bench.core.features.parties(bench.session)) == {THEM, "198.51.100.7"}
    assert bench.core.features.parties("nobody") == ()


def test_others_reach_a_caller_at_its_contact_and_whom_we_called_where_we_did() -> None:
    bench = Bench()
    taken(bench, f"Record-Route: <sip:{THEM};lr>", contact="<sip:carol@192.0.2.7>")
    assert str(bench.core.features.reached_at("theirs")) == "sip:carol@192.0.2.7"
    invite = bench.place()
    bench.respond(invite, 200, f"Record-Route: <sip:{THEM};lr>", body=ANSWER, contact="<sip:carol@192.0.2.8>")
    assert str(bench.core.features.reached_at(bench.session)) == f"sip:carol@{THEM}"
