"""Binding requests and what comes back, against the test vectors of RFC 5769."""

from __future__ import annotations

import pytest
from aioice import stun

from voip_engine.stun.exchange import TIMEOUT_S, StunExchange
from voip_engine.stun.messages import (
    MalformedStun,
    answers,
    binding_request,
    looks_like_stun,
    mapped_address,
    seen_address,
)

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RESPONSE_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
"""RFC 5769 §2.2: 192.0.2.1, port 32853."""
RESPONSE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)
"""RFC 5769 §2.3: 2001:db8:1234:5678:11:2233:4455:6677, port 32853."""


def test_a_request_is_a_header_alone() -> None:
    assert binding_request(ID) == bytes.fromhex("000100002112a442") + ID


def test_the_vectors_of_rfc_5769_are_read() -> None:
    assert mapped_address(RESPONSE_IPV4) == ("192.0.2.1", 32853)
    assert mapped_address(RESPONSE_IPV6) == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_old_servers_are_understood() -> None:
    old = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, ID, {"MAPPED-ADDRESS": ("192.0.2.7", 5)})
    assert mapped_address(bytes(old)) == ("192.0.2.7", 5)


def test_only_the_answer_to_a_request_is_its_answer() -> None:
    request = binding_request(ID)
    assert answers(RESPONSE_IPV4, request)
    assert not answers(RESPONSE_IPV4, binding_request(ID[::-1]))
    assert not answers(request, request)
    assert looks_like_stun(request)
    for other in (b"", b"\x80" * 200, b"INVITE sip:a@b SIP/2.0\r\n", b"\r\n\r\n", bytes(20)):
        assert not looks_like_stun(other)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no STUN message"),
        (RESPONSE_IPV4[:-1], "no STUN message"),
        (RESPONSE_IPV4[:-4] + bytes(4), "no STUN message"),
        (binding_request(ID), "no response"),
        (bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, ID)), "no address"),
        (bytes.fromhex("0101000c2112a442") + ID + bytes.fromhex("8028000212340000") + bytes(4), "no STUN message"),
    ],
)
def test_anything_else_is_malformed(data: bytes, words: str) -> None:
    with pytest.raises(MalformedStun, match=words):
        mapped_address(data)


def told(host: str, port: int) -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, ID, {"XOR-MAPPED-ADDRESS": (host, port)}))


@pytest.mark.parametrize(
    ("host", "own"),
    [("192.0.2.1", "10.0.0.7"), ("192.0.2.1", "0.0.0.0"), ("127.0.0.1", "127.0.0.2"), ("2001:db8::1", "fd00::7")],
)
def test_addresses_where_we_can_be_reached_are_believed(host: str, own: str) -> None:
    assert seen_address(told(host, 5060), own) == (host, 5060)


@pytest.mark.parametrize(
    ("host", "port", "own"),
    [
        ("0.0.0.0", 5060, "10.0.0.7"),
        ("224.0.0.1", 5060, "10.0.0.7"),
        ("255.255.255.255", 5060, "10.0.0.7"),
        ("127.0.0.1", 5060, "10.0.0.7"),
        ("127.0.0.1", 5060, "0.0.0.0"),
        ("192.0.2.1", 0, "10.0.0.7"),
        ("192.0.2.1", 5060, "fd00::7"),
        ("2001:db8::1", 5060, "10.0.0.7"),
        ("::", 5060, "10.0.0.7"),
        ("::", 5060, "fd00::7"),
        ("::1", 5060, "fd00::7"),
        ("ff02::1", 5060, "fd00::7"),
    ],
)
def test_what_a_server_tells_is_not_believed_where_nobody_could_reach_us(host: str, port: int, own: str) -> None:
    with pytest.raises(MalformedStun, match=r"family|nobody|no port"):
        seen_address(told(host, port), own)


def test_a_request_is_repeated_ever_more_rarely_and_then_given_up() -> None:
    exchange = StunExchange(binding_request(ID), now=10.0)
    sent = []
    now = 10.0
    while not exchange.done(now):
        if exchange.on_timer(now):
            sent.append(round(now - 10.0, 3))
        assert exchange.on_timer(now) is None
        now = exchange.next_deadline()
    assert sent == [0.0, 0.1, 0.3]
    assert now == 10.0 + TIMEOUT_S
    assert exchange.answer is None


def test_an_answer_ends_the_exchange() -> None:
    exchange = StunExchange(binding_request(ID), now=0.0)
    assert exchange.on_timer(0.0)
    assert not exchange.receive(b"\x80" * 40)
    assert exchange.receive(RESPONSE_IPV4)
    assert not exchange.receive(RESPONSE_IPV6)
    assert exchange.done(0.01)
    assert exchange.on_timer(0.2) is None
    assert exchange.answer == RESPONSE_IPV4
