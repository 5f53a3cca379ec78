"""Where answers go, and where they say that we are (RFC 3261 §18.2, §12.1.1; RFC 3581)."""

from __future__ import annotations

from support.sip_requests import FLOW, TCP_FLOW, answer_to, new_core, request, responses
from support.sip_wire import ANSWER

from voip_engine.sip.effects import SendOnFlow
from voip_engine.sip.flow import Flow, LocalAddress, NextHop


def reply(data: bytes, flow: Flow) -> SendOnFlow:
    [effect] = [effect for effect in new_core().receive(data, flow, 0.0) if isinstance(effect, SendOnFlow)]
    return effect


def test_with_rport_the_answer_goes_where_the_request_came_from() -> None:
    effect = reply(request("OPTIONS"), FLOW)
    assert (effect.flow, effect.fallback) == (FLOW, None)
    [response] = responses([effect])
    assert response.vias[0].parameter("rport") == "40000"
    assert response.vias[0].parameter("received") == "10.0.0.1"


def test_without_rport_the_answer_goes_to_the_port_in_sent_by() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/UDP nat.example:5070;branch=z9hG4bK1"), FLOW)
    assert (effect.flow.remote_host, effect.flow.remote_port) == ("10.0.0.1", 5070)
    [response] = responses([effect])
    assert response.vias[0].parameter("received") == "10.0.0.1"


def test_a_true_sent_by_gets_no_received() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"), FLOW)
    assert effect.flow.remote_port == 5060
    assert not responses([effect])[0].vias[0].has_parameter("received")


def test_over_a_stream_the_answer_goes_back_on_the_connection_or_to_sent_by() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bK1"), TCP_FLOW)
    assert (effect.flow, effect.fallback) == (TCP_FLOW, NextHop("TCP", "10.0.0.1", 5070))


def test_all_vias_are_kept_in_order() -> None:
    via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport, SIP/2.0/UDP first.example;branch=z9hG4bK0"
    response = answer_to(request("OPTIONS", via=via))
    assert [each.host for each in response.vias] == ["10.0.0.1", "first.example"]


def test_the_record_route_of_a_call_is_in_its_answer() -> None:
    core = new_core()
    core.receive(request("INVITE", "Record-Route: <sip:p2;lr>", "Record-Route: <sip:p1;lr>"), FLOW, 0.0)
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get_all("Record-Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert ok.headers.get("Contact") == "<sip:bob@10.0.0.2:5060>"


def test_on_a_connection_we_opened_the_contact_names_where_we_listen() -> None:
    core = new_core()
    core.add_local_address(LocalAddress("TCP", "10.0.0.2", 5070))
    opened = Flow("TCP", "10.0.0.2", 51234, "10.0.0.1", 5060, 1)
    core.receive(request("INVITE", via="SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK1"), opened, 0.0)
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get("Contact") == "<sip:bob@10.0.0.2:5070;transport=tcp>"


def test_ipv6_addresses_stand_in_brackets_where_uris_are() -> None:
    core = new_core()
    flow = Flow("UDP", "2001:db8::2", 5060, "2001:db8::1", 40000)
    data = request("INVITE", uri="sip:bob@[2001:db8::2]", via="SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1;rport")
    [trying] = responses(core.receive(data, flow, 0.0))
    assert trying.vias[0].parameter("received") == "2001:db8::1"
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get("Contact") == "<sip:bob@[2001:db8::2]:5060>"
