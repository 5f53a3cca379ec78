"""A call's SIP messages as the engine tells of them, on both sides of a real call."""

from __future__ import annotations

from support.happenings import Happenings
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallCreated


async def test_both_sides_keep_the_messages_of_a_call_also_when_it_is_over(make_engine) -> None:
    phone, echo = await make_engine(), await make_engine(auto_answer=True)
    at_phone, at_echo = Happenings(phone), Happenings(echo)
    call = await phone.dial(uri_of(echo))
    await at_phone.wait_for(CallAnswered)
    await call.hang_up()
    await call.wait_ended()
    answered = echo.calls[(await at_echo.wait_for(CallCreated)).call_id]
    await answered.wait_ended()
    sent = [(entry.method, entry.status) for entry in call.trace() if not entry.repeated]
    assert sent[:2] == [("INVITE", None), ("INVITE", 100)]
    for message in (("INVITE", 200), ("ACK", None), ("BYE", None), ("BYE", 200)):
        assert message in sent
    received = [(entry.method, entry.status) for entry in answered.trace() if not entry.repeated]
    assert sorted(map(str, received)) == sorted(map(str, sent))
    assert [entry.sent for entry in call.trace()][:2] == [True, False]
    assert [entry.sent for entry in answered.trace()][:2] == [False, True]


async def test_calls_keep_their_messages_apart(make_engine) -> None:
    phone, echo = await make_engine(), await make_engine(auto_answer=True)
    calls = [await phone.dial(uri_of(echo)) for _ in range(2)]
    ids = [call.snapshot().sip_call_id for call in calls]
    for call, call_id in zip(calls, ids, strict=True):
        assert call.trace()
        assert all(f"Call-ID: {call_id}" in entry.text for entry in call.trace())


async def test_a_call_to_ourselves_shares_its_messages(make_engine) -> None:
    engine: Engine = await make_engine(auto_answer=True)
    happened = Happenings(engine)
    call = await engine.dial(uri_of(engine))
    await happened.wait_for(CallAnswered)
    here, there = engine.calls.values()
    assert here is call
    assert here.trace() == there.trace()
    assert {entry.sent for entry in call.trace()} == {True, False}
