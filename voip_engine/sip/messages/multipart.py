"""Bodies of several parts (RFC 2046 §5.1, RFC 5621 §3.1): the one wanted, of all that gateways and emergency calls put in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voip_engine.sip.messages.grammar import MalformedHeader, find_parameter, parse_parameters
from voip_engine.sip.messages.headers import Headers

MULTIPART = "multipart/mixed"
_KINDS = (MULTIPART, "multipart/alternative", "multipart/related")
_MAX_PARTS = 16
_MAX_DEPTH = 3
_MAX_HEAD_BYTES = 4096
_LONGEST_BOUNDARY = 70
_FOLD = re.compile(r"\r\n[ \t]+")
_PLAIN_ENCODINGS = ("7bit", "8bit", "binary")


class MandatoryPart(ValueError):
    """A part says that it has to be understood (`handling=required`, RFC 3261 §20.11), and is not."""


def media_type_in(content_type: str) -> str:
    """Return a type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_multipart(content_type: str) -> bool:
    """Say whether a body of this type may have several parts that `find_part` reads."""
    return media_type_in(content_type) in _KINDS


def find_part(body: bytes, content_type: str, wanted: str) -> bytes | None:
    """Return the first part of the type `wanted`, within other parts too; None where there is none that can be read.

    Other parts are passed over, as are all after the sixteenth, unless they say that they have to be understood: then
    MandatoryPart is raised. (RFC 3261 §20.11 wants that of parts that say nothing as well; gateways count on the opposite.)
    """
    return _find(body, content_type, wanted, _MAX_DEPTH)


def _find(body: bytes, content_type: str, wanted: str, depth: int) -> bytes | None:
    found = None
    for headers, content in _parts(body, content_type) if depth else ():
        kind = headers.get("Content-Type") or "text/plain"
        readable = (headers.get("Content-Transfer-Encoding") or "binary").strip().lower() in _PLAIN_ENCODINGS
        if readable and is_multipart(kind):
            inner = _find(content, kind, wanted, depth - 1)
            found = inner if found is None else found
        elif readable and media_type_in(kind) == wanted:
            found = content if found is None else found
        elif _is_mandatory(headers):
            raise MandatoryPart(f"a part has to be understood and is not: {media_type_in(kind)[:50]}")
    return found


def _parts(body: bytes, content_type: str) -> Iterator[tuple[Headers, bytes]]:
    boundary = _boundary(content_type)
    if not boundary:
        return
    body = b"\r\n" + body
    delimiter = re.compile(rb"\r\n--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    start: int | None = None
    for number, match in enumerate(delimiter.finditer(body)):
        if start is not None:
            head, _, content = body[start : match.start()].partition(b"\r\n\r\n")
            if len(head) <= _MAX_HEAD_BYTES and (headers := _read_head(head)) is not None:
                yield headers, content
        if match[1] or number == _MAX_PARTS:
            return
        start = match.end()


def _boundary(content_type: str) -> bytes:
    """Return what stands between the parts; nothing where that cannot be known."""
    try:
        _, boundary = find_parameter(parse_parameters(content_type.partition(";")[2]), "boundary")
    except MalformedHeader:
        return b""
    written = (boundary or "").encode("utf-8", "surrogateescape")
    return written if len(written) <= _LONGEST_BOUNDARY else b""


def _read_head(head: bytes) -> Headers | None:
    headers = Headers()
    lines = _FOLD.sub(" ", head.decode("utf-8", "replace")).split("\r\n")
    try:
        headers.read_lines(line for line in lines if line)
    except MalformedHeader:
        return None
    return headers


def _is_mandatory(headers: Headers) -> bool:
    try:
        parameters = parse_parameters((headers.get("Content-Disposition") or "").partition(";")[2])
    except MalformedHeader:
        return False
    return (find_parameter(parameters, "handling")[1] or "").lower() == "required"
