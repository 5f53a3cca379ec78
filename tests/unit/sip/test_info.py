"""Keys by INFO and identities of trusted networks, between two cores in virtual time."""

from __future__ import annotations

from random import Random

import pytest
from support.sip_wire import ANSWER, Message, Peer, Wire

from voip_engine.admission import Admission
from voip_engine.network_settings import AdmissionSettings
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import (
    SessionAnswered,
    SessionDigitPressed,
    SessionDigitSent,
    SessionIdentified,
    SessionInvited,
)
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.identity import asserted_identity
from voip_engine.sip.messages.info import read_key, write_key
from voip_engine.sip.messages.message import Headers, Request, make_response, parse_message
from voip_engine.sip.messages.uri import SipUri


def connected() -> tuple[Wire, Peer, Peer, str]:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.5)
    assert alice.of(SessionAnswered)
    return wire, alice, bob, session


# ---- keys ----


def test_keys_go_by_info_and_are_answered() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.features.press(session, "#", 200, wire.now))
    wire.run(until=wire.now + 0.1)
    assert bob.of(SessionDigitPressed) == [SessionDigitPressed(session, "#", 200)]
    assert alice.of(SessionDigitSent) == [SessionDigitSent(session, 200)]
    [(_, info)] = wire.requests(alice.host, "INFO")
    assert (info.headers.get("Content-Type"), info.body) == (
        "application/dtmf-relay",
        b"Signal=#\r\nDuration=200\r\n",
    )


def test_who_takes_only_the_plain_form_gets_it() -> None:
    """A 415 for the first form; every other key is sent in the second at once."""
    wire, alice, bob, session = connected()

    def fate(sender: Peer, message: Message) -> list[float]:
        relay = isinstance(message, Request) and message.headers.get("Content-Type") == "application/dtmf-relay"
        if relay:
            assert isinstance(message, Request)
            refusal = make_response(message, 415).serialize()
            flow = Flow("UDP", alice.host, 5060, bob.host, 5060)
            alice.apply(alice.core.receive(refusal, flow, wire.now))
        return [] if relay else [0.01]

    wire.fate = fate
    for key in "1A":
        alice.apply(alice.core.features.press(session, key, 200, wire.now))
        wire.run(until=wire.now + 0.1)
    assert [(each.digit, each.duration_ms) for each in bob.of(SessionDigitPressed)] == [("1", 250), ("A", 250)]
    assert len(wire.requests(alice.host, "INFO")) == 3
    assert [each.status for each in alice.of(SessionDigitSent)] == [200, 200]


@pytest.mark.parametrize(
    ("media_type", "body", "pressed"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        ("application/dtmf-relay", b"Signal= *\nDuration= 100", ("*", 100)),
        ("application/dtmf-relay", b"signal: d\r\n", ("D", 250)),
        ("application/dtmf-relay", b"Signal=11\r\nDuration=160\r\n", ("#", 160)),
        ("application/dtmf-relay", b"Signal=5\r\nDuration=99999\r\n", ("5", 5000)),
        ("application/dtmf-relay", b"Signal=16\r\nDuration=160\r\n", None),
        ("application/dtmf-relay", b"Signal=hf\r\n", None),
        ("application/dtmf", b"7", ("7", 250)),
        ("application/dtmf", b"#\r\n", ("#", 250)),
        ("application/dtmf", b"!", None),
    ],
)
def test_keys_in_all_their_forms(media_type: str, body: bytes, pressed: tuple[str, int] | None) -> None:
    assert read_key(media_type, body) == pressed


@pytest.mark.parametrize("body", [b"", b"Duration=160", b"Signal=", b"Signal=5\r\n" + b"x" * 300])
def test_bodies_without_a_key_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedHeader):
        read_key("application/dtmf-relay", body)


@pytest.mark.parametrize("key", "0123456789*#ABCD")
@pytest.mark.parametrize("media_type", ["application/dtmf-relay", "application/dtmf"])
def test_a_key_that_is_written_is_read(media_type: str, key: str) -> None:
    assert read_key(media_type, write_key(media_type, key, 250)) == (key, 250)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/dtmf"}, b"5", 200),
        ({}, b"", 200),
        ({"Content-Type": "application/dtmf-relay"}, b"Duration=3", 400),
        ({"Content-Type": "application/media_control+xml"}, b"<x/>", 415),
        ({"Content-Type": "application/dtmf", "Info-Package": "foo"}, b"5", 469),
    ],
)
def test_infos_of_every_kind_are_answered(headers: dict[str, str], body: bytes, status: int) -> None:
    wire, alice, bob, _ = connected()
    [(_, ack)] = wire.requests(alice.host, "ACK")
    info = Request("INFO", ack.uri, ack.headers.copy(), body)
    info.headers.set("CSeq", "20 INFO")
    for name, value in headers.items():
        info.headers.set(name, value)
    flow = Flow("UDP", bob.host, 5060, alice.host, 5060)
    bob.apply(bob.core.receive(info.serialize(), flow, wire.now))
    [(_, answer)] = wire.responses(bob.host, status, "INFO")
    assert bool(bob.of(SessionDigitPressed)) == (status == 200 and bool(body))
    if status == 415:
        assert answer.headers.get_list("Accept") == ["application/dtmf-relay", "application/dtmf"]


# ---- identity ----

PAI = '"Ada" <sip:+4930123@carrier.example;user=phone>'


@pytest.mark.parametrize(
    ("headers", "name", "uri"),
    [
        ([("P-Asserted-Identity", PAI)], "Ada", "sip:+4930123@carrier.example;user=phone"),
        ([("P-Asserted-Identity", f"<tel:+4930123>, {PAI}")], "Ada", "sip:+4930123@carrier.example;user=phone"),
        ([("P-Asserted-Identity", "<tel:+4930123>")], "", "tel:+4930123"),
        ([("Remote-Party-ID", '"Ada" <sip:12@pbx>;party=calling;screen=yes;privacy=off')], "Ada", "sip:12@pbx"),
        ([("Remote-Party-ID", "<sip:12@pbx>"), ("P-Asserted-Identity", "<sip:13@pbx>")], "", "sip:13@pbx"),
        ([("P-Asserted-Identity", "nonsense<"), ("P-Asserted-Identity", "<sip:13@pbx>")], "", "sip:13@pbx"),
    ],
)
def test_who_is_asserted(headers: list[tuple[str, str]], name: str, uri: str) -> None:
    identity = asserted_identity(Headers(headers))
    assert identity is not None
    assert (identity.display_name, str(identity.uri)) == (name, uri)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("P-Asserted-Identity", PAI), ("Privacy", "id")],
        [("P-Asserted-Identity", PAI), ("Privacy", "session;user;critical")],
        [("Remote-Party-ID", "<sip:12@pbx>;privacy=full")],
        [("Remote-Party-ID", "<sip:12@pbx>;screen=no")],
        [("P-Asserted-Identity", "<https://example.org>")],
    ],
)
def test_who_wants_privacy_or_says_nothing_is_not_asserted(headers: list[tuple[str, str]]) -> None:
    assert asserted_identity(Headers(headers)) is None


def invite(source: str, *extra: tuple[str, str]) -> bytes:
    headers = Headers([("Via", f"SIP/2.0/UDP {source};branch=z9hG4bK{source}{len(extra)}")])
    headers.add("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1')
    headers.add("To", "<sip:desk@10.0.0.2>")
    headers.add("Call-ID", f"call from {source}".replace(" ", "-"))
    headers.add("CSeq", "1 INVITE")
    headers.add("Contact", f"<sip:{source}>")
    for name, value in extra:
        headers.add(name, value)
    return Request("INVITE", SipUri.parse("sip:desk@10.0.0.2"), headers).serialize()


def guarded(networks: tuple[str, ...] | None) -> SipCore:
    door = Admission(AdmissionSettings(networks=networks), has_accounts=False, random=Random(1))
    return SipCore(Random(1), user_agent="test", door=door)


@pytest.mark.parametrize(
    ("networks", "trusted"),
    [(("10.0.0.0/24",), True), (None, False)],
    ids=["listed", "a private network that nobody listed"],
)
def test_an_identity_counts_from_listed_networks_only(networks: tuple[str, ...] | None, trusted: bool) -> None:
    core = guarded(networks)
    flow = Flow("UDP", "10.0.0.2", 5060, "10.0.0.9", 5060)
    [invited] = [
        effect
        for effect in core.receive(invite("10.0.0.9", ("P-Asserted-Identity", PAI)), flow, 0.0)
        if isinstance(effect, SessionInvited)
    ]
    assert (invited.asserted is not None) == trusted


@pytest.mark.parametrize(
    ("allow", "takes"), [("INVITE, ACK, BYE", False), ("INVITE, ACK, BYE, info", True), ("", True)]
)
def test_whether_info_is_taken_is_read_from_allow(allow: str, takes: bool) -> None:
    core = guarded(("10.0.0.0/24",))
    headers = [("Allow", allow)] if allow else []
    [invited] = [
        effect
        for effect in core.receive(invite("10.0.0.9", *headers), Flow("UDP", "10.0.0.2", 5060, "10.0.0.9", 5060), 0.0)
        if isinstance(effect, SessionInvited)
    ]
    assert core.features.takes_info(invited.session) == takes
    assert not core.features.takes_info("no such call")


def test_an_identity_that_changes_in_the_call_is_told_once() -> None:
    core = guarded(("10.0.0.0/24",))
    flow = Flow("UDP", "10.0.0.2", 5060, "10.0.0.9", 5060)
    data = invite("10.0.0.9", ("P-Asserted-Identity", PAI))
    [invited] = [effect for effect in core.receive(data, flow, 0.0) if isinstance(effect, SessionInvited)]
    ringing = parse_message(core.ring(invited.session, 0.0)[0].data)  # type: ignore[union-attr]
    request = invited.request
    told = []
    for number, value in enumerate([PAI, "<sip:carol@carrier.example>", "<sip:carol@carrier.example>"]):
        update = Request("INFO", request.uri, request.headers.copy())
        update.headers.set("To", ringing.headers.get("To") or "")
        update.headers.set("CSeq", f"{number + 2} INFO")
        update.headers.set("Via", f"SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKupdate{number}")
        update.headers.set("P-Asserted-Identity", value)
        told += [each for each in core.receive(update.serialize(), flow, 1.0) if isinstance(each, SessionIdentified)]
    assert [str(each.asserted.uri) for each in told] == ["sip:carol@carrier.example"]
