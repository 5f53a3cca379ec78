from __future__ import annotations

import pytest

from voip_engine.sip.messages.framing import BODY_LIMIT_BYTES, HEAD_LIMIT_BYTES, FramingError, Ping, StreamFramer
from voip_engine.sip.messages.message import MalformedMessage, parse_message

HEAD = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c;branch=z9hG4bK1\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
FULL = HEAD + b"l : 5\r\n\r\nhello"


def failure(data: bytes) -> FramingError:
    with pytest.raises(FramingError) as caught:
        list(StreamFramer().receive(data))
    return caught.value


def test_messages_come_out_whole_and_in_order() -> None:
    framer = StreamFramer()
    assert list(framer.receive(EMPTY + FULL + FULL[:-1])) == [EMPTY, FULL]
    assert list(framer.receive(b"")) == []
    assert list(framer.receive(b"o" + EMPTY)) == [FULL, EMPTY]


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    assert [item for byte in FULL + EMPTY for item in framer.receive(bytes([byte]))] == [FULL, EMPTY]


def test_double_line_breaks_are_pings_and_single_ones_are_nothing() -> None:
    framer = StreamFramer()
    assert list(framer.receive(b"\r\n\r\n")) == [Ping()]
    assert list(framer.receive(b"\r\n\r\n\r\n\r\n\r\n")) == [Ping(), Ping()]
    assert list(framer.receive(b"\r")) == []
    assert list(framer.receive(b"\n" + EMPTY)) == [Ping(), EMPTY]
    assert list(framer.receive(b"\r\n" + EMPTY + b"\r\n" + FULL)) == [EMPTY, FULL]


def test_a_body_may_hold_blank_lines_and_messages() -> None:
    body = EMPTY + b"\r\n\r\n"
    message = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert list(StreamFramer().receive(message + EMPTY)) == [message, EMPTY]


def test_a_folded_length_counts() -> None:
    message = HEAD + b"Content-Length :\r\n \t 5\r\n\r\nhello"
    assert list(StreamFramer().receive(message)) == [message]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Content-Length: -1\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 5x\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5\r\nl: 5\r\n",
        b"Content-Length: 5\r\nCONTENT-LENGTH: 6\r\n",
        b"Content-Length: 1048577\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n",
        b"Content-Length: \xb2\r\n",
    ],
)
def test_lengths_that_cannot_be_trusted_end_the_stream(line: bytes) -> None:
    error = failure(HEAD + line + b"\r\nhello")
    assert error.status == 400
    assert error.head == HEAD + line + b"\r\n"


def test_messages_before_the_fault_still_count() -> None:
    received = []
    with pytest.raises(FramingError):
        for item in StreamFramer().receive(FULL + HEAD + b"\r\n"):
            received.append(item)
    assert received == [FULL]


def test_headers_have_a_limit() -> None:
    framer = StreamFramer()
    assert list(framer.receive(HEAD + b"X: " + b"x" * (HEAD_LIMIT_BYTES - len(HEAD) - 4))) == []
    with pytest.raises(FramingError) as caught:
        list(framer.receive(b"x" * 10))
    assert caught.value.status == 400
    assert len(caught.value.head) == HEAD_LIMIT_BYTES
    fits = HEAD + b"l: 0\r\nX: " + b"x" * (HEAD_LIMIT_BYTES - len(HEAD) - 13) + b"\r\n\r\n"
    assert len(fits) == HEAD_LIMIT_BYTES
    assert list(StreamFramer().receive(fits)) == [fits]


def test_the_largest_body_fits() -> None:
    message = HEAD + b"Content-Length: 00%d\r\n\r\n" % BODY_LIMIT_BYTES + b"x" * BODY_LIMIT_BYTES
    assert list(StreamFramer().receive(message)) == [message]


def test_the_head_of_a_fault_can_be_answered() -> None:
    error = failure(HEAD + b"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nl: -1\r\n\r\n")
    with pytest.raises(MalformedMessage) as caught:
        parse_message(error.head, stream=True)
    assert caught.value.request is not None
    assert caught.value.request.vias[0].branch == "z9hG4bK1"
