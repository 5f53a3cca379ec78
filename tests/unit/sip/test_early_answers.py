"""Whose session description a 2xx without one means."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench

from voip_engine.sip.effects import SessionAnswered
from voip_engine.sip.messages.message import make_response


def answered(bench: Bench) -> list[bytes | None]:
    return [answer.body for answer in bench.take_told(SessionAnswered)]


def test_what_the_branch_that_answers_has_said_before() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 183, tag="one", body=b"of one")
    bench.respond(invite, 183, tag="two", body=b"of two")
    bench.respond(invite, 200, tag="one")
    assert answered(bench) == [b"of one"]


@pytest.mark.parametrize("tag", [None, "gateway"], ids=["no tag", "another tag"])
def test_where_only_one_came_it_has_to_do(tag: str | None) -> None:
    bench = Bench()
    invite = bench.place()
    progress = make_response(invite, 183, to_tag=tag)
    progress.headers.add("Contact", "<sip:carol@10.0.0.9>")
    progress.headers.add("Content-Type", "application/sdp")
    progress.body = b"early"
    bench.receive(progress.serialize())
    bench.respond(invite, 200, tag="t")
    assert answered(bench) == [b"early"]


def test_of_several_none_is_guessed() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 183, tag="one", body=b"of one")
    bench.respond(invite, 183, tag="two", body=b"of two")
    bench.respond(invite, 200, tag="three")
    assert answered(bench) == [None]
