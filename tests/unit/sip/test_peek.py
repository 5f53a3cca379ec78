from __future__ import annotations

import pytest

from voip_engine.sip.messages.peek import Peek, peek


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\nCall-ID: x@y\r\n\r\n", Peek("INVITE", "x@y")),
        (b"INVITE sip:a@b SIP/2.0\r\nVia: z\r\ni:x \r\n\r\n", Peek("INVITE", "x")),
        (b"BYE sip:a@b SIP/2.0\r\ncall-id\t :\r\n  x\r\n\r\n", Peek("BYE", "x")),
        (b"SIP/2.0 200 OK\r\nCALL-ID: x\r\n\r\n", Peek("", "x")),
        (b"SIP/2.0 200 OK\r\nX-Call-ID: x\r\n\r\n", Peek("", "")),
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", Peek("OPTIONS", "")),
        (b"GET / HTTP/1.1\r\nCall-ID: x\r\n\r\n", Peek("", "")),
        (b"\x16\x03\x01\x02\x00", Peek("", "")),
        (b"", Peek("", "")),
    ],
)
def test_method_and_call_id_are_seen(data, seen):
    assert peek(data) == seen


def test_what_stands_too_far_down_is_not_looked_for():
    assert peek(b"INVITE sip:a@b SIP/2.0\r\nX: " + b"x" * 9000 + b"\r\nCall-ID: x\r\n\r\n").call_id == ""
