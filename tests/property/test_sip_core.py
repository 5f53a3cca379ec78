"""Whatever the wire loses, doubles and reorders, both ends of a call agree and nothing is left over."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sip_wire import ANSWER, OFFER, Message, Peer, Wire

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import (
    Effect,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionInvited,
    SessionReoffered,
)
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request
from voip_engine.sip.sessions.session import SessionStateError

LOSSES = 2
"""How many copies of one message are lost at most: few enough for the RFC's timers to get one through."""

MEETINGS = (5.0, 5.005, 5.02)
"""Times so close that messages meet on the way."""

COMMANDS = ("ring", "progress", "answer", "reject", "hang_up", "reoffer")


class BadWire:
    """Loses, doubles and delays by a seeded random."""

    def __init__(self, seed: int, loss: float) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.lost: dict[tuple[str, str, str], int] = {}

    def __call__(self, sender: Peer, message: Message) -> list[float]:
        what = message.method if isinstance(message, Request) else str(message.status)
        key = (sender.host, what, str(message.cseq))
        copies = []
        for _ in range(1 + (self.random.random() < 0.2)):
            if self.random.random() < self.loss and self.lost.get(key, 0) < LOSSES:
                self.lost[key] = self.lost.get(key, 0) + 1
            else:
                copies.append(self.random.choice((0.001, 0.02, 0.3, 0.9)))
        return copies


def obey(peer: Peer, command: str, session: str, wire: Wire, state: dict[str, str]) -> None:
    """Do what an engine could do in this state."""
    known = state.get(peer.host)
    core = peer.core
    if known == "called" and command in ("ring", "progress"):
        peer.apply(core.ring(session, wire.now, ANSWER if command == "progress" else None))
    elif known == "called" and command == "answer":
        state[peer.host] = "up"
        peer.apply(core.answer(session, ANSWER, wire.now))
    elif known == "called" and command == "reject":
        peer.apply(core.reject(session, 486, wire.now))
    elif known in ("up", "calling") and command == "reoffer":
        with suppress(SessionStateError):  # before the answer an UPDATE goes only where audio is agreed on
            peer.apply(core.reoffer(session, OFFER, wire.now))
    elif command == "hang_up":
        peer.apply(core.hang_up(session, wire.now))


def follow(peer: Peer, wire: Wire, state: dict[str, str]) -> None:
    """Keep track of what an engine would know, and answer every reoffer."""

    def on_told(effect: Effect) -> None:
        match effect:
            case SessionInvited():
                assert peer.host not in state
                state[peer.host] = "called"
            case SessionAnswered(flow=None):
                assert state[peer.host] == "calling"  # the answer to an UPDATE
            case SessionAnswered() | SessionConfirmed():
                assert state[peer.host] == "up" or isinstance(effect, SessionAnswered)
                state[peer.host] = "up"
            case SessionReoffered():
                assert state[peer.host] in ("up", "called")
                peer.apply(peer.core.accept_reoffer(effect.session, ANSWER, wire.now))
            case SessionEnded():
                assert state.get(peer.host) != "ended"
                state[peer.host] = "ended"

    peer.on_told = on_told


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    stream=st.booleans(),
    timers_s=st.tuples(*[st.sampled_from([0, 90, 120])] * 2),
    commands=st.lists(
        st.tuples(
            st.floats(0, 40) | st.sampled_from(MEETINGS),
            st.sampled_from(["10.0.0.1", "10.0.0.2"]),
            st.sampled_from(COMMANDS),
        ),
        max_size=8,
    ),
    last=st.sampled_from(["10.0.0.1", "10.0.0.2"]),
)
def test_both_ends_agree_and_nothing_is_left(
    seed: int, loss: float, stream: bool, timers_s: tuple[int, int], commands: list[tuple[float, str, str]], last: str
) -> None:
    # A stream loses and reorders nothing; over it only the commands meet each other in odd orders.
    wire = Wire(transport="TCP" if stream else "UDP")
    alice = wire.peer("10.0.0.1", seed=seed, session_timer_s=timers_s[0])
    bob = wire.peer("10.0.0.2", seed=seed, session_timer_s=timers_s[1])
    if not stream:
        wire.fate = BadWire(seed, loss)
    state: dict[str, str] = {"10.0.0.1": "calling"}
    follow(alice, wire, state)
    follow(bob, wire, state)
    session = alice.call(bob)
    for at, host, command in sorted(commands):
        wire.run(until=at)
        obey(wire.peers[host], command, session, wire, state)
    wire.run(until=wire.now + 100)
    if all(command not in ("hang_up", "reject") for _, _, command in commands):
        assert "ended" not in state.values()
    if bob.host in state:
        assert (state[alice.host] == "ended") == (state[bob.host] == "ended")
        assert (state[alice.host] == "up") == (state[bob.host] == "up")
    obey(wire.peers[last], "hang_up", session, wire, state)
    wire.run()
    assert set(state.values()) == {"ended"}
    for peer in (alice, bob):
        assert peer.core.idle
        assert peer.core.timers == 0
        assert peer.core.next_deadline() is None


REQUEST = (
    b"INVITE sip:user@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:a@10.0.0.1>;tag=a\r\nTo: <sip:user@10.0.0.2>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:a@10.0.0.1>\r\nContent-Type: application/sdp\r\nContent-Length: 0\r\n\r\n"
)
FLOW = Flow("UDP", "10.0.0.2", 5060, "10.0.0.1", 5060)


@settings(max_examples=300, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, len(REQUEST) - 1), st.integers(0, 3), st.binary(max_size=6)), max_size=4),
    method=st.sampled_from([b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"PRACK", b"UPDATE", b"REGISTER", b"X"]),
)
def test_no_damage_to_a_message_raises_or_outlives_its_timers(
    edits: list[tuple[int, int, bytes]], method: bytes
) -> None:
    core = SipCore(Random(1), user_agent="test")
    data = REQUEST.replace(b"INVITE", method)
    for at, cut, paste in edits:
        data = data[:at] + paste + data[at + cut :]
    for effect in core.receive(data, FLOW, 0.0):
        if isinstance(effect, SessionInvited):
            core.reject(effect.session, 486, 0.0)
    while (deadline := core.next_deadline()) is not None:
        core.on_timer(deadline)
    assert core.idle
    assert core.timers == 0


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    core = SipCore(Random(1), user_agent="test")
    core.receive(data, FLOW, 0.0)
    assert core.idle
