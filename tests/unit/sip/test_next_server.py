"""Requests within a call whose next hop is a name that several servers stand for (RFC 3263 §4.3)."""

from __future__ import annotations

import sys

import pytest
from support.dns_server import name_server
from support.ports import free_port
from support.sip_bench import THEM, Bench
from support.sip_endpoint import OPTIONS, endpoint

from voip_engine.sip.effects import ReferralProgressed, SendRequest, SessionDigitSent
from voip_engine.sip.flow import NextHop, Transport
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.dns_resolver import DnsResolver

CLUSTER = "pbx.example"


def connect(bench: Bench, host: str) -> Request:
    """Place a call that is answered by way of `host`."""
    return bench.connect(f"Record-Route: <sip:{host};lr>")


def fail(bench: Bench, request: Request) -> None:
    transaction = f"{request.method} {request.vias[0].branch}"
    bench.apply(bench.core.transport_failed(transaction, "Connection refused", bench.now))


def test_a_bye_that_one_server_does_not_take_goes_to_the_next() -> None:
    bench = Bench()
    connect(bench, CLUSTER)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    hops = bench.hops("BYE")
    [first] = bench.take_requests("BYE")
    fail(bench, first)
    assert bench.hops("BYE") == hops == [NextHop("UDP", CLUSTER, 0)]
    [second] = bench.take_requests("BYE")
    assert second.vias[0].branch != first.vias[0].branch
    assert (second.cseq, second.to.tag, second.uri) == (first.cseq, first.to.tag, first.uri)
    bench.respond(second, 200)
    bench.finish()
    assert bench.take_requests("BYE") == []


def test_a_request_that_no_server_takes_fails_after_three() -> None:
    bench = Bench()
    connect(bench, CLUSTER)
    bench.apply(bench.core.features.press(bench.session, "5", 100, bench.now))
    for _ in range(3):
        assert bench.take_told(SessionDigitSent) == []
        [info] = bench.take_requests("INFO")
        fail(bench, info)
    assert [sent.status for sent in bench.take_told(SessionDigitSent)] == [503]
    assert bench.take_requests() == []


def test_a_server_that_is_an_address_has_no_other() -> None:
    bench = Bench()
    connect(bench, THEM)
    bench.apply(bench.core.features.refer(bench.session, SipUri.parse("sip:dave@pbx.example"), bench.now))
    [refer] = bench.take_requests("REFER")
    fail(bench, refer)
    assert [(progress.status, progress.final) for progress in bench.take_told(ReferralProgressed)] == [(503, True)]
    assert bench.take_requests() == []


# Other systems don't tell a socket that is not connected about ICMP errors.
@pytest.mark.parametrize("transport", ["TCP", "UDP"] if sys.platform == "linux" else ["TCP"])
async def test_a_server_that_cannot_be_reached_is_tried_after_the_others(transport: Transport) -> None:
    async with endpoint() as there:
        live = await there.transport.listen(transport, "127.0.0.1", 0)
        service = f"_sip._{transport.lower()}.pbx.test"
        records = (
            f"{service} SRV 10 0 {free_port()} dead.pbx.test.",
            f"{service} SRV 20 0 {live.port} live.pbx.test.",
            "dead.pbx.test A 127.0.0.1",
            "live.pbx.test A 127.0.0.1",
        )
        async with (
            name_server(*records) as names,
            endpoint(resolver=DnsResolver(("127.0.0.1",), names.port)) as here,
        ):
            await here.transport.listen("UDP", "127.0.0.1", 0)
            hop = NextHop(transport, "pbx.test", 0)
            here.transport.send(SendRequest(OPTIONS, hop, "first"))
            assert (await here.failures.get())[0] == "first"
            here.transport.send(SendRequest(OPTIONS, hop, "second"))
            data, flow = await there.data.get()
            assert (data, flow.local_port) == (OPTIONS, live.port)
            assert here.failures.empty()
