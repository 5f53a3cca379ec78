"""Bodies of several parts (RFC 2046 §5.1, RFC 5621 §3.1)."""

from __future__ import annotations

import pytest

from voip_engine.sip.messages.multipart import MandatoryPart, find_part

SDP = "application/sdp"
PART = "Content-Type: application/sdp"


def body_of(*parts: tuple[str, str], boundary: str = "x") -> bytes:
    written = "".join(f"--{boundary}\r\n{head}\r\n\r\n{content}\r\n" for head, content in parts)
    return f"{written}--{boundary}--\r\n".encode()


def found(body: bytes, content_type: str = "multipart/mixed;boundary=x") -> bytes | None:
    return find_part(body, content_type, SDP)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (body_of((PART, "v=0"), ("Content-Type: application/isup", "\x01")), "multipart/mixed;boundary=x"),
        (body_of(("Content-Type: application/pidf+xml", "<a/>"), (PART, "v=0")), 'Multipart/Mixed; boundary="x"'),
        (b"nothing for you\r\n" + body_of((PART, "v=0")) + b"nor here", "multipart/mixed;boundary=x"),
        (body_of(("content-type:\r\n application/SDP; charset=utf-8", "v=0")), "multipart/mixed;boundary=x"),
        (body_of(("c: application/sdp", "v=0")), "multipart/mixed;boundary=x"),
        (body_of((PART, "v=0"), (PART, "v=1")), "multipart/alternative;boundary=x"),
        (body_of((PART, "v=0"), boundary="a (b):c"), 'multipart/mixed;boundary="a (b):c"'),
        (
            body_of(("Content-Type: text/plain\r\nContent-Disposition: x;handling=optional", "v=1"), (PART, "v=0")),
            "multipart/mixed;boundary=x",
        ),
        (
            body_of(
                ("Content-Type: multipart/alternative;boundary=xy", body_of((PART, "v=0"), boundary="xy").decode())
            ),
            "multipart/mixed;boundary=x",
        ),
    ],
)
def test_the_part_that_is_wanted_is_found(body: bytes, content_type: str) -> None:
    assert found(body, content_type) == b"v=0"


def test_what_looks_like_a_boundary_within_a_line_is_none() -> None:
    assert found(body_of((PART, "v=0\r\ns= --x\r\n--xyz"))) == b"v=0\r\ns= --x\r\n--xyz"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/mixed;boundary=x"),
        (body_of((PART, "v=0")), "multipart/mixed"),
        (body_of((PART, "v=0")), "multipart/mixed;boundary=" + 80 * "x"),
        (body_of((PART, "v=0")), 'multipart/mixed;boundary="x'),
        (b"--x\r\n" + PART.encode() + b"\r\n\r\nv=0", "multipart/mixed;boundary=x"),  # cut off
        (body_of((PART + "\r\nContent-Transfer-Encoding: base64", "dj0w")), "multipart/mixed;boundary=x"),
        (body_of((PART + "\r\nno header", "v=0")), "multipart/mixed;boundary=x"),
        (body_of((PART + "\r\nX: " + 5000 * "x", "v=0")), "multipart/mixed;boundary=x"),
        (body_of(*[("Content-Type: text/plain", "")] * 16, (PART, "v=0")), "multipart/mixed;boundary=x"),
    ],
)
def test_where_none_can_be_read_there_is_none(body: bytes, content_type: str) -> None:
    assert found(body, content_type) is None


def test_parts_within_parts_are_looked_into_three_deep() -> None:
    boundary, body = "b0", body_of((PART, "v=0"), boundary="b0")
    for depth in range(1, 5):
        assert found(body, f"multipart/mixed;boundary={boundary}") == (b"v=0" if depth <= 3 else None)
        body = body_of((f"Content-Type: multipart/mixed;boundary={boundary}", body.decode()), boundary=f"b{depth}")
        boundary = f"b{depth}"


@pytest.mark.parametrize("order", [1, -1])
def test_a_part_that_has_to_be_understood_is_not_passed_over(order: int) -> None:
    parts = [(PART, "v=0"), ("Content-Type: application/isup\r\nContent-Disposition: signal ; handling=Required", "1")]
    with pytest.raises(MandatoryPart, match="application/isup"):
        found(body_of(*parts[::order]))
