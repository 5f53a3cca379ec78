"""Registering through NAT, along flows and at several servers: what a registrar says of us is written down here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

import pytest

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, KeepAlive, RegistrationChanged, SendOnFlow, SendRequest, SessionInvited
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Path, Transport
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.registrations.registration import AccountConfig

AOR = "sip:alice@pbx.example"
INSTANCE = "urn:uuid:5e0c2a4e-0000-4000-8000-000000000001"
Answer = Callable[[Request, NextHop], Response | None]


def accept(request: Request, seen: tuple[str, int] | None = None, **headers: str) -> Response:
    """A 200 that grants what was asked for; `seen` is where the request came from."""
    response = make_response(request, 200, to_tag="t")
    for contact in request.headers.get_all("Contact"):
        if "expires=0" not in contact:
            response.headers.add("Contact", contact)
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    if seen is not None:
        via = response.vias[0].with_parameter("received", seen[0]).with_parameter("rport", str(seen[1]))
        response.headers.remove_first("Via")
        response.headers.insert_first("Via", str(via))
    return response


class Phone:
    """A core with one account, servers that answer at once by `answer`, and a clock."""

    def __init__(self, answer: Answer, *, transport: Transport = "UDP", aor: str = AOR, **account: object) -> None:
        self.answer = answer
        self.transport = transport
        self.now = 0.0
        self.connection = 1
        self.requests: list[tuple[float, Request, NextHop]] = []
        self.kept_alive: list[tuple[float, KeepAlive]] = []
        self.changes: list[RegistrationChanged] = []
        self.core = SipCore(Random(7), user_agent="test")
        self.account = aor
        self.core.add_account(
            AccountConfig(
                account=aor,
                aor=SipUri.parse(aor),
                contact_user="alice",
                username="alice",
                password=None,
                display_name="",
                registrar=NextHop(transport, "pbx.example", 0),
                expires_s=300,
                register=True,
                instance=INSTANCE,
                **account,  # type: ignore[arg-type]
            )
        )

    def register(self, *servers: str, local: str = "10.0.0.1", port: int = 5070) -> Phone:
        here = LocalAddress(self.transport, local, port)
        paths = tuple(Path(NextHop(self.transport, host, 5060), here) for host in servers or ("192.0.2.9",))
        self.apply(self.core.register(self.account, here, self.now, paths))
        return self

    def apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendRequest):
                request = parse_message(effect.data)
                assert isinstance(request, Request)
                self.requests.append((self.now, request, effect.next_hop))
                response = self.answer(request, effect.next_hop) if request.method == "REGISTER" else None
                if response is not None:
                    self.apply(self.core.receive(response.serialize(), self.flow(effect.next_hop.host), self.now))
            elif isinstance(effect, KeepAlive):
                self.kept_alive.append((self.now, effect))
            elif isinstance(effect, RegistrationChanged):
                self.changes.append(effect)

    def flow(self, host: str) -> Flow:
        return Flow(self.transport, "10.0.0.1", 40000, host, 5060, 0 if self.transport == "UDP" else self.connection)

    def lose_flow(self) -> None:
        """Let the connection to the registrar go; what is sent next takes another one."""
        lost = self.flow("192.0.2.9")
        self.connection += 1
        self.apply(self.core.flow_lost(lost, self.now))

    def pass_time(self, until: float) -> Phone:
        while (deadline := self.core.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.apply(self.core.on_timer(deadline))
        self.now = until
        return self

    def contacts(self, number: int) -> list[str]:
        return self.requests[number][1].headers.get_all("Contact")

    def invite(self, contact: LocalAddress | None = None) -> Request:
        _, effects = self.core.invite(
            target=SipUri.parse("sip:bob@pbx.example"),
            next_hop=NextHop(self.transport, "192.0.2.9", 5060),
            local=LocalAddress(self.transport, "10.0.0.1", 5070),
            account=self.account,
            caller=NameAddress("", SipUri.parse(AOR)),
            offer=b"v=0\r\n",
            now=self.now,
            contact=contact,
        )
        self.apply(effects)
        return self.requests[-1][1]


def behind_nat(request: Request, hop: NextHop) -> Response:
    return accept(request, ("203.0.113.5", 61000))


def test_the_contact_becomes_the_address_that_the_registrar_sees() -> None:
    phone = Phone(behind_nat).register().pass_time(1)
    assert phone.contacts(0) == ["<sip:alice@10.0.0.1:5070>;expires=300"]
    # The first binding is taken back with the second, and that is all.
    assert phone.contacts(1) == ["<sip:alice@203.0.113.5:61000>;expires=300", "<sip:alice@10.0.0.1:5070>;expires=0"]
    assert len(phone.requests) == 2
    assert phone.changes[-1].public_address == "203.0.113.5:61000"
    assert phone.invite().headers.get("Contact") == "<sip:alice@203.0.113.5:61000>"


def test_what_a_stun_server_says_counts_where_no_registrar_knows_better() -> None:
    by_stun = LocalAddress("UDP", "198.51.100.4", 7000)
    phone = Phone(lambda request, hop: None)
    assert phone.invite(by_stun).headers.get("Contact") == "<sip:alice@198.51.100.4:7000>"
    phone.answer = behind_nat
    phone.register().pass_time(1)
    assert phone.invite(by_stun).headers.get("Contact") == "<sip:alice@203.0.113.5:61000>"


def test_without_nat_nothing_changes() -> None:
    phone = Phone(lambda request, hop: accept(request, ("10.0.0.1", 5070))).register().pass_time(1)
    assert len(phone.requests) == 1
    assert phone.changes[-1].public_address == ""
    assert phone.invite().headers.get("Contact") == "<sip:alice@10.0.0.1:5070>"


def test_a_nat_that_changes_with_every_request_is_not_chased() -> None:
    ports = iter(range(61000, 62000))
    phone = Phone(lambda request, hop: accept(request, ("203.0.113.5", next(ports)))).register().pass_time(100)
    assert len(phone.requests) == 2
    phone.pass_time(700)
    assert len(phone.requests) <= 2 * 6


@pytest.mark.parametrize("seen", [("not-an-address", 5070), ("203.0.113.5", 0), ("203.0.113.5", 70_000)])
def test_nonsense_about_our_address_is_not_believed(seen: tuple[str, int]) -> None:
    phone = Phone(lambda request, hop: accept(request, seen)).register().pass_time(1)
    assert len(phone.requests) == 1
    assert phone.changes[-1].public_address == ""


def test_over_tcp_without_nat_others_still_connect_to_where_we_listen() -> None:
    phone = Phone(lambda request, hop: accept(request, ("10.0.0.1", 40000)), transport="TCP").register()
    assert len(phone.requests) == 1


def test_over_tls_the_contact_is_the_connection() -> None:
    phone = Phone(lambda request, hop: accept(request, ("10.0.0.1", 40000)), transport="TLS").register()
    assert phone.contacts(1)[0].startswith("<sip:alice@10.0.0.1:40000;transport=tls>")


def test_calls_that_come_by_a_new_tls_connection_are_answered_with_that_one() -> None:
    told: list[bytes] = []
    phone = Phone(lambda request, hop: accept(request), transport="TLS").register(port=40000)
    invite = (
        "INVITE sip:alice@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bK1\r\n"
        "From: <sip:bob@pbx.example>;tag=1\r\nTo: <sip:alice@pbx.example>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:bob@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    )
    flow = Flow("TLS", "10.0.0.1", 41111, "192.0.2.9", 5061, 2)
    effects = phone.core.receive(invite.encode(), flow, 1.0)
    [session] = [effect.session for effect in effects if isinstance(effect, SessionInvited)]
    for effect in phone.core.ring(session, 1.0):
        assert isinstance(effect, SendOnFlow)
        told.append(effect.data)
    response = parse_message(told[-1])
    assert response.headers.get("Contact") == "<sip:alice@10.0.0.1:41111;transport=tls>"


def test_a_sips_account_registers_a_sips_contact() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TLS", aor="sips:alice@pbx.example").register()
    request = phone.requests[0][1]
    assert str(request.uri) == "sips:pbx.example"
    assert phone.contacts(0)[0].startswith("<sips:alice@10.0.0.1:5070>")
    assert phone.changes[-1].state == "registered"


def test_over_udp_the_nat_is_kept_open() -> None:
    phone = Phone(behind_nat).register().pass_time(120)
    times = [at for at, _ in phone.kept_alive]
    assert 4 <= len(times) <= 5
    assert all(24 <= after - before <= 29 for before, after in zip([0.0, *times], times, strict=False))
    assert {(kept.next_hop.host, kept.flow) for _, kept in phone.kept_alive} == {("192.0.2.9", None)}
    phone.apply(phone.core.unregister(AOR, phone.now))
    phone.pass_time(300)
    assert len(phone.kept_alive) == len(times)


def test_outbound_is_offered_on_streams_and_kept_alive_as_the_registrar_wants() -> None:
    phone = Phone(lambda request, hop: accept(request, Require="outbound", Flow_Timer="40"), transport="TCP").register()
    request = phone.requests[0][1]
    assert phone.contacts(0)[0].endswith(f';+sip.instance="<{INSTANCE}>";reg-id=1;expires=300')
    assert request.headers.get("Supported") == "path, outbound"
    phone.pass_time(100)
    times = [at for at, _ in phone.kept_alive]
    assert all(32 <= after - before <= 40 for before, after in zip([0.0, *times], times, strict=False))
    assert phone.kept_alive[0][1].flow == phone.flow("192.0.2.9")
    assert phone.invite().headers.get("Contact") == "<sip:alice@10.0.0.1:5070;transport=tcp;ob>"


def test_without_outbound_at_the_registrar_calls_know_nothing_of_it() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TCP").register().pass_time(100)
    assert phone.invite().headers.get("Contact") == "<sip:alice@10.0.0.1:5070;transport=tcp>"
    assert not phone.kept_alive


def test_a_first_hop_that_lacks_outbound_is_registered_with_without() -> None:
    def answer(request: Request, hop: NextHop) -> Response:
        return (
            make_response(request, 439, to_tag="t")
            if "reg-id" in str(request.headers.get("Contact"))
            else accept(request)
        )

    phone = Phone(answer, transport="TCP").register()
    assert phone.contacts(1) == ["<sip:alice@10.0.0.1:5070;transport=tcp>;expires=300"]
    assert phone.changes[-1].state == "registered"


def test_calls_take_the_service_route() -> None:
    routes = "<sip:edge.example;lr>, <sip:home.example;lr>"
    phone = Phone(lambda request, hop: accept(request, Service_Route=routes)).register()
    assert phone.invite().headers.get_list("Route") == ["<sip:edge.example;lr>", "<sip:home.example;lr>"]
    assert phone.requests[0][1].headers.get("Supported") == "path"


def test_the_next_server_is_asked_when_one_is_silent_or_has_no_room() -> None:
    def answer(request: Request, hop: NextHop) -> Response | None:
        if hop.host == "192.0.2.2":
            return make_response(request, 503, to_tag="t")
        return accept(request) if hop.host == "192.0.2.3" else None

    phone = Phone(answer).register("192.0.2.1", "192.0.2.2", "192.0.2.3").pass_time(4.5)
    assert phone.changes[-1].state == "registered"
    assert [change.state for change in phone.changes] == ["registering", "registered"]
    # It is stayed with.
    before = len(phone.requests)
    phone.pass_time(300)
    assert {hop.host for _, _, hop in phone.requests[before:]} == {"192.0.2.3"}


def test_a_server_that_refuses_is_believed() -> None:
    phone = Phone(lambda request, hop: make_response(request, 403, to_tag="t")).register("192.0.2.1", "192.0.2.2")
    assert len(phone.requests) == 1
    assert phone.changes[-1].state == "failed"


def test_when_no_server_answers_all_are_tried_again_later() -> None:
    phone = Phone(lambda request, hop: None).register("192.0.2.1", "192.0.2.2").pass_time(37)
    failed = phone.changes[-1]
    assert (failed.state, failed.retry_at is not None) == ("failed", True)
    before = len(phone.requests)
    phone.pass_time(60)
    assert {hop.host for _, _, hop in phone.requests[before:]} == {"192.0.2.1", "192.0.2.2"}


def test_a_lost_flow_is_made_anew_within_seconds_then_with_back_off() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TCP").register()
    phone.answer = lambda request, hop: None
    phone.apply(phone.core.flow_lost(phone.flow("192.0.2.9"), 10.0))
    phone.now = 10.0
    phone.pass_time(12)
    assert len(phone.requests) == 2
    phone.pass_time(1000)
    times = [at for at, _, _ in phone.requests[1:]]
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert waits[0] < 32 + 2, "nothing is heard for 32 s each time"
    assert waits[-1] > 32 + 30


def test_a_registrar_that_closes_each_connection_is_asked_ever_more_rarely_but_in_time() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TCP").register()
    while phone.now < 3600:
        phone.now += 0.2
        before = len(phone.requests)
        phone.lose_flow()
        while len(phone.requests) == before:
            deadline = phone.core.next_deadline()
            assert deadline is not None
            phone.pass_time(deadline)
    times = [at for at, _, _ in phone.requests]
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert waits[0] < 3, "once may be chance"
    assert waits[1] >= 15
    assert max(waits) <= 0.9 * 300 + 0.2, "the binding must not run out"
    assert len(phone.requests) < 30


def test_a_flow_that_lasted_is_made_anew_within_seconds_each_time() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TCP").register()
    for number in range(1, 5):
        phone.pass_time(phone.now + 130)
        before = len(phone.requests)
        phone.lose_flow()
        phone.pass_time(phone.now + 2.5)
        assert len(phone.requests) > before, number


def test_a_registrar_that_refuses_and_closes_the_connection_is_asked_no_sooner_for_it() -> None:
    phone = Phone(lambda request, hop: accept(request), transport="TCP").register()
    phone.answer = lambda request, hop: make_response(request, 403, to_tag="t")
    phone.pass_time(300)  # the refresh is refused
    assert phone.changes[-1].state == "failed"
    asked = len(phone.requests)
    for _ in range(5):
        phone.lose_flow()
        phone.pass_time(phone.now + 10)
    assert len(phone.requests) == asked


def test_a_server_that_an_account_moves_to_has_all_its_time_to_answer() -> None:
    phone = Phone(lambda request, hop: None).register("192.0.2.1", "192.0.2.2")
    phone.pass_time(3)
    phone.register("192.0.2.3", "192.0.2.4")  # the first one's four seconds are nobody's any more
    phone.pass_time(6)
    assert {hop.host for _, _, hop in phone.requests if hop.host != "192.0.2.1"} == {"192.0.2.3"}
    phone.pass_time(8)
    assert phone.requests[-1][2].host == "192.0.2.4"


def test_by_an_outbound_proxy_register_is_for_the_registrar_and_calls_take_both_routes() -> None:
    proxy = "<sip:192.0.2.9:5060;lr>"
    phone = Phone(lambda request, hop: accept(request), routes=(proxy,), registers_at=SipUri.parse("sip:home.example"))
    phone.register()
    _, request, hop = phone.requests[0]
    assert (str(request.uri), request.headers.get_all("Route"), hop.host) == ("sip:home.example", [proxy], "192.0.2.9")
    assert phone.invite().headers.get_all("Route") == [proxy]
    phone.answer = lambda request, hop: accept(request, Service_Route="<sip:core.example;lr>")
    phone.register()
    assert phone.invite().headers.get_all("Route") == [proxy, "<sip:core.example;lr>"]
    phone.answer = lambda request, hop: accept(request, Service_Route="<sip:192.0.2.9:5060;lr>, <sip:core.example;lr>")
    phone.register()
    assert phone.invite().headers.get_all("Route") == [proxy, "<sip:core.example;lr>"]


def test_from_another_address_the_account_is_bound_anew_and_the_old_binding_taken_back() -> None:
    phone = Phone(lambda request, hop: accept(request)).register()
    phone.register(local="172.16.0.4")
    assert phone.contacts(1) == ["<sip:alice@172.16.0.4:5070>;expires=300", "<sip:alice@10.0.0.1:5070>;expires=0"]
    # What is under way from an address that is ours no more is given up.
    phone.answer = lambda request, hop: None
    phone.register()
    phone.answer = lambda request, hop: accept(request)
    phone.register(local="172.16.0.5")
    assert phone.contacts(-1)[0] == "<sip:alice@172.16.0.5:5070>;expires=300"
    assert phone.changes[-1].state == "registered"
