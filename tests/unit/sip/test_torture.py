"""The 49 messages of RFC 4475, each with the verdict the RFC gives it: at the parser, and at a user agent."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import SendOnFlow, SessionInvited
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import MalformedMessage, Request, Response, parse_message

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc4475"
FLOW = Flow("UDP", "192.0.2.50", 5060, "192.0.2.51", 5060)

PARSES = 0
DROPPED = -1

# Name: (section, what the parser says, what a user agent answers first). A status, PARSES, or DROPPED.
# REGISTER and unknown methods get 405 from a user agent that registers nobody; an INVITE that is fine gets 100.
VERDICTS = {
    "wsinv": ("3.1.1.1", PARSES, 481),  # well-formed; its To has the tag of a dialog that we don't have
    "intmeth": ("3.1.1.2", PARSES, 405),
    "esc01": ("3.1.1.3", PARSES, 100),
    "escnull": ("3.1.1.4", PARSES, 405),
    "esc02": ("3.1.1.5", PARSES, 405),
    "lwsdisp": ("3.1.1.6", PARSES, 200),
    "longreq": ("3.1.1.7", PARSES, 100),
    "dblreq": ("3.1.1.8", PARSES, 405),
    "semiuri": ("3.1.1.9", PARSES, 200),
    "transports": ("3.1.1.10", PARSES, 200),
    "mpart01": ("3.1.1.11", PARSES, 405),
    "unreason": ("3.1.1.12", PARSES, DROPPED),  # a response to nothing that we sent
    "noreason": ("3.1.1.13", PARSES, DROPPED),
    "badinv01": ("3.1.2.1", 400, 400),
    "clerr": ("3.1.2.2", 400, 400),
    "ncl": ("3.1.2.3", 400, 400),
    "scalar02": ("3.1.2.4", 400, 400),
    "scalarlg": ("3.1.2.5", DROPPED, DROPPED),
    "quotbal": ("3.1.2.6", 400, 400),
    "ltgtruri": ("3.1.2.7", 400, 400),
    "lwsruri": ("3.1.2.8", 400, 400),
    "lwsstart": ("3.1.2.9", 400, 400),
    "trws": ("3.1.2.10", 400, 400),
    "escruri": ("3.1.2.11", 400, 400),
    "baddate": ("3.1.2.12", PARSES, 100),  # "or ignore the Date if it is of no use to the element": it is not to us
    "regbadct": ("3.1.2.13", 400, 400),
    "badaspec": ("3.1.2.14", 400, 400),
    "baddn": ("3.1.2.15", 400, 400),
    "badvers": ("3.1.2.16", 505, 505),
    "mismatch01": ("3.1.2.17", 400, 400),
    "mismatch02": ("3.1.2.18", 400, 400),  # or 501
    "bigcode": ("3.1.2.19", DROPPED, DROPPED),
    "badbranch": ("3.2.1", PARSES, 200),
    "insuf": ("3.3.1", 400, 400),
    "unkscm": ("3.3.2", 416, 416),
    "novelsc": ("3.3.3", 416, 416),
    "unksm2": ("3.3.4", PARSES, 405),
    "bext01": ("3.3.5", PARSES, 420),
    "invut": ("3.3.6", PARSES, 415),
    "regaut01": ("3.3.7", PARSES, 405),
    "multi01": ("3.3.8", 400, 400),
    "mcl01": ("3.3.9", 400, 400),
    "bcast": ("3.3.10", PARSES, DROPPED),
    "zeromf": ("3.3.11", PARSES, 200),  # it has arrived; only a proxy answers 483
    "cparam01": ("3.3.12", PARSES, 405),
    "cparam02": ("3.3.13", PARSES, 405),
    "regescrt": ("3.3.14", PARSES, 405),
    "sdp01": ("3.3.15", PARSES, 406),
    # To be accepted by "elements that want to maintain backwards compatibility"; without a Contact, which RFC 3261
    # §8.1.1.8 demands, we can make no dialog.
    "inv2543": ("3.4.1", PARSES, 400),
}


def read(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


def request(name: str) -> Request:
    message = parse_message(read(name))
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse_message(read(name))
    assert isinstance(message, Response)
    return message


def test_all_messages_are_there() -> None:
    assert len(VERDICTS) == 49
    assert {path.stem for path in VECTORS.glob("*.dat")} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_the_parser_gives_the_verdict_of_the_rfc(name: str) -> None:
    _, verdict, _ = VERDICTS[name]
    try:
        parse_message(read(name))
    except MalformedMessage as error:
        assert verdict == (DROPPED if error.request is None else error.status)
    else:
        assert verdict == PARSES


@pytest.mark.parametrize("name", [name for name, (_, verdict, _) in VERDICTS.items() if verdict == PARSES])
def test_what_parses_can_be_written_and_read_again(name: str) -> None:
    message = parse_message(read(name))
    message.headers.set("Content-Length", str(len(message.body)))
    message.headers.add("Last", "")
    again = parse_message(message.serialize())
    message.headers.remove("Last")
    again.headers.remove("Last")
    assert again.body == message.body
    assert sorted(again.headers.items()) == sorted(message.headers.items())


@pytest.mark.parametrize("name", VERDICTS)
def test_a_user_agent_gives_the_verdict_of_the_rfc(name: str) -> None:
    _, _, verdict = VERDICTS[name]
    effects = SipCore(random.Random(4475), user_agent="test").receive(read(name), FLOW, 0.0)
    answers = [effect for effect in effects if isinstance(effect, SendOnFlow)]
    statuses = [int(answer.data.split(b" ", 2)[1]) for answer in answers]
    assert statuses[:1] == ([] if verdict == DROPPED else [verdict])
    assert any(isinstance(effect, SessionInvited) for effect in effects) == (verdict == 100)
    assert {answer.flow.remote_host for answer in answers} <= {FLOW.remote_host}


def test_a_405_names_the_methods_that_are_allowed() -> None:
    [answer] = SipCore(random.Random(1), user_agent="test").receive(read("intmeth"), FLOW, 0.0)
    assert isinstance(answer, SendOnFlow)
    refusal = parse_message(answer.data)
    assert "INVITE" in refusal.headers.get_list("Allow")
    assert refusal.headers.get("Call-ID") == request("intmeth").call_id


def test_wsinv_short_and_tortuous() -> None:
    message = request("wsinv")
    assert message.uri.has_parameter("unknownparam")
    assert message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.cseq.number == 9
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.headers.get("Subject") == ""
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.routes[0].uri.parameter("unknownwith") == "value"
    [contact] = message.contacts
    assert contact.display_name == 'Quoted string ""'
    assert (contact.parameter("newparam"), contact.has_parameter("secondparam")) == ("newvalue", True)
    assert contact.parameter("q") == "0.33"
    assert len(message.body) == 150


def test_intmeth_the_whole_range_of_characters() -> None:
    message = request("intmeth")
    assert message.method == message.cseq.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.parameter("fromParam''~+*_!.-%") == "работающий"
    assert message.from_.tag == "_token~1'+`*%!-."
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_escapes_are_undone_where_they_are_escapes_and_only_there() -> None:
    esc01 = request("esc01")
    assert esc01.uri.user == "sips:user@example.com"
    assert esc01.from_.uri.user == "I have spaces"
    assert esc01.contacts[0].uri.parameters == (("lr", None), ("name", "value%41"))
    assert request("escnull").contacts[1].uri.user == "\0\0"
    esc02 = request("esc02")
    assert esc02.method == "RE%47IST%45R"
    assert esc02.to.display_name == "%Z%45"
    assert [contact.uri.user for contact in esc02.contacts] == ["alias1", "alias3"]


def test_long_values_stay_whole() -> None:
    message = request("longreq")
    assert len(message.vias) == 34
    assert message.vias[-1].branch == "very" + "long" * 50 + "branchvalue"
    assert message.from_.tag == "12" + "982" * 50 + "424"


def test_octets_after_the_message_are_dropped() -> None:
    assert request("dblreq").body == b""
    assert request("dblreq").method == "REGISTER"


def test_a_user_may_hold_semicolons() -> None:
    message = request("semiuri")
    assert (message.uri.user, message.uri.parameters) == ("user;par=u@example.net", ())
    assert len(message.headers.get_list("Accept")) == 6


def test_unknown_transports_are_transports() -> None:
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_a_binary_body_stays_as_it_is() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert message.body.endswith(b"--7a9cbec02ceef655--\r\n")
    assert message.body in message.serialize()


def test_reason_phrases_may_be_anything() -> None:
    assert response("unreason").reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert (response("noreason").status, response("noreason").reason) == (100, "")


def test_whose_parameter_it_is_depends_on_the_brackets() -> None:
    [header, uri] = [request(name).contacts[0] for name in ("cparam01", "cparam02")]
    assert (header.has_parameter("unknownparam"), header.uri.has_parameter("unknownparam")) == (True, False)
    assert (uri.has_parameter("unknownparam"), uri.uri.has_parameter("unknownparam")) == (False, True)
    assert request("regescrt").contacts[0].uri.headers == (("Route", "<sip:sip.example.com>"),)


def bye(uri: str, via: str) -> bytes:
    return (
        f"BYE {uri} SIP/2.0\r\nTo: sip:user@example.com;tag=bd76ya\r\nFrom: sip:user@example.com;tag=81x2\r\n"
        f"Via: {via}\r\nCall-ID: SSG9559905523997077@hlau_4100\r\nMax-Forwards: 70\r\n"
        "CSeq: 321 BYE\r\nContent-Length: 0\r\n\r\n"
    ).encode()


# RFC 5118 §4.1 to §4.5, §4.9 and §4.10: IPv6.
@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("sip:[2001:db8::10]", "2001:db8::10", None),
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("sip:[2001:db8::10]:5070", "2001:db8::10", 5070),
        ("sip:[::ffff:192.0.2.10]:5060", "::ffff:192.0.2.10", 5060),
        ("sip:[2001:db8::192.0.2.1]", "2001:db8::192.0.2.1", None),
    ],
)
@pytest.mark.parametrize("received", ["2001:db8::9:255", "[2001:db8::9:255]"])
def test_ipv6_addresses(uri: str, host: str, port: int | None, received: str) -> None:
    message = parse_message(bye(uri, f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111"))
    assert isinstance(message, Request)
    assert (message.uri.host, message.uri.port) == (host, port)
    assert message.vias[0].host == "2001:db8::9:1"
    assert message.vias[0].parameter("received") == received
    assert message.vias[0].branch == "z9hG4bKas3-111"


@pytest.mark.parametrize("uri", ["sip:2001:db8::10", "sip:[2001:db8:::192.0.2.1]", "sip:[]", "sip:[2001:db8::10"])
def test_ipv6_addresses_that_are_none(uri: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(bye(uri, "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"))
    assert caught.value.status == 400
    assert caught.value.request is not None
