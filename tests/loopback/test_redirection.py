"""Calls that are sent elsewhere, by real messages."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from support.happenings import Happenings
from support.sip_caller import description
from support.sip_responder import reply, responder
from support.uris import uri_of

from voip_engine import EngineError
from voip_engine.events import CallAnswered, CallEnded
from voip_engine.network_settings import DiallingSettings
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.network.sockets import source_address

ANYWHERE = DiallingSettings(redirect=("*",))


def sends_to(*uris: str):
    def answer(request: Request) -> Iterable[Response]:
        contacts = ", ".join(f"<{uri}>" for uri in uris)
        return [reply(request, 302, ("Contact", contacts))] if request.method == "INVITE" else []

    return answer


async def test_a_redirected_call_reaches_the_one_it_was_sent_to(make_engine, echo):
    caller = await make_engine(dialling=ANYWHERE)
    happened = Happenings(caller)
    async with responder(sends_to(uri_of(echo, "tcp"))) as server:
        call = await caller.dial(f"sip:bob@{server.address}")
        await happened.wait_for(CallAnswered)
    assert call.snapshot().peer_uri == uri_of(echo, "tcp")
    assert call.snapshot().transport == "TCP"


async def test_a_call_sent_on_to_the_other_family_is_not_taken_for_one_that_lost_its_address(make_engine):
    def answer(request: Request) -> Iterable[Response]:
        if request.method == "ACK":
            return []
        body = description(4000) if request.method == "INVITE" else b""
        return [reply(request, 200, ("Contact", f"<sip:bob@{phone.address}>"), body=body)]

    caller = await make_engine(dialling=ANYWHERE, listen=("udp:127.0.0.1:0", "udp:[::1]:0"))
    happened = Happenings(caller)
    async with responder(answer, "::1") as phone, responder(sends_to(f"sip:bob@{phone.address}")) as server:
        call = await caller.dial(f"sip:bob@{server.address}")
        await happened.wait_for(CallAnswered)
        assert call.snapshot().remote_signalling == phone.address
        assert not call.is_stranded(source_address)
        assert call.is_stranded(lambda host: "192.0.2.1")
        assert not call.is_stranded(lambda host: "")
        await call.hang_up()


async def test_only_those_are_called_that_may_be_called(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(redirect=("*",), deny=("premium*",)))
    happened = Happenings(caller)
    async with responder(sends_to(uri_of(echo).replace("echo@", "premium@"))) as server:
        await caller.dial(f"sip:bob@{server.address}")
        ended = await happened.wait_for(CallEnded)
    assert ended.reason.startswith("The call was sent on (302), but not followed: sip:premium@127.0.0.1 may not be")
    assert not echo.calls


async def test_nobody_is_called_elsewhere_unless_the_settings_say_so(make_engine, echo):
    caller = await make_engine()
    happened = Happenings(caller)
    async with responder(sends_to(uri_of(echo))) as server:
        await caller.dial(f"sip:bob@{server.address}")
        ended = await happened.wait_for(CallEnded)
        assert ended.reason == (
            "The call was sent on (302), but not followed: Calls may not be sent on to sip:echo@127.0.0.1: "
            "nothing in redirect of [dialling] covers it."
        )
        assert not echo.calls
        happened = Happenings(caller)
        await caller.dial(f"sip:echo@{server.address}")
        await happened.wait_for(CallAnswered)


async def test_each_hop_counts_as_a_call(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(redirect=("*",), calls_at_once=1, calls_per_hour=1))
    happened = Happenings(caller)
    async with responder(sends_to(uri_of(echo))) as server:
        await caller.dial(f"sip:bob@{server.address}")
        ended = await happened.wait_for(CallEnded)
    assert "calls_per_hour of [dialling] allows no more" in ended.reason
    assert not echo.calls


async def test_a_call_that_was_sent_on_has_counted_twice(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(redirect=("*",), calls_per_hour=2))
    happened = Happenings(caller)
    async with responder(sends_to(uri_of(echo))) as server:
        await caller.dial(f"sip:bob@{server.address}")
        await happened.wait_for(CallAnswered)
    with pytest.raises(EngineError, match="calls_per_hour of \\[dialling\\] allows no more"):
        await caller.dial(uri_of(echo))


async def test_an_address_that_cannot_be_reached_is_passed_over(make_engine, echo):
    caller = await make_engine(dialling=ANYWHERE)
    happened = Happenings(caller)
    async with responder(sends_to("sip:bob@127.0.0.1;transport=sctp", uri_of(echo))) as server:
        await caller.dial(f"sip:bob@{server.address}")
        await happened.wait_for(CallAnswered)
