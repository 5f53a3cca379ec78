"""Reads the headers that every message needs into values. `Headers.parsed` keeps what these give."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from voip_engine.sip.messages.grammar import MalformedHeader, parse_parameters
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.uri import NameAddress
from voip_engine.sip.messages.via import CSeq, Via

T = TypeVar("T")


class HasHeaders(Protocol):
    """A request or a response."""

    headers: Headers


class TypedHeader(Generic[T]):
    """An attribute of a message that is a header's value. Reading it raises MalformedHeader if it is missing or malformed."""

    def __init__(self, name: str, read: Callable[[Headers], T]) -> None:
        self._name = name
        self._read = read

    def __get__(self, message: HasHeaders, owner: type) -> T:
        return message.headers.parsed(self._name, self._read)


def required(headers: Headers, name: str) -> str:
    """Value of a header that must be there. Raises MalformedHeader."""
    value = headers.get(name)
    if value is None:
        raise MalformedHeader(f"{name} is missing")
    return value


def read_call_id(headers: Headers) -> str:
    """The Call-ID. Raises MalformedHeader."""
    return required(headers, "Call-ID")


def read_cseq(headers: Headers) -> CSeq:
    """The CSeq. Raises MalformedHeader."""
    return CSeq.parse(required(headers, "CSeq"))


def read_from(headers: Headers) -> NameAddress:
    """The From header. Raises MalformedHeader."""
    return NameAddress.parse(required(headers, "From"))


def read_to(headers: Headers) -> NameAddress:
    """The To header. Raises MalformedHeader."""
    return NameAddress.parse(required(headers, "To"))


def read_vias(headers: Headers) -> tuple[Via, ...]:
    """All Vias, the latest hop first; at least one. Raises MalformedHeader."""
    vias = tuple(Via.parse(text) for text in headers.get_list("Via"))
    if not vias:
        raise MalformedHeader("Via is missing")
    return vias


def read_contacts(headers: Headers) -> tuple[NameAddress, ...]:
    """The Contacts; none for `Contact: *`. Raises MalformedHeader."""
    members = headers.get_list("Contact")
    return () if members == ["*"] else tuple(NameAddress.parse(text) for text in members)


def read_routes(headers: Headers) -> tuple[NameAddress, ...]:
    """The Routes. Raises MalformedHeader."""
    return tuple(NameAddress.parse(text) for text in headers.get_list("Route"))


def read_record_routes(headers: Headers) -> tuple[NameAddress, ...]:
    """The Record-Routes, in message order. Raises MalformedHeader, also for what no request can be sent by."""
    routes = tuple(NameAddress.parse(text) for text in headers.get_list("Record-Route"))
    if any(route.uri.scheme not in ("sip", "sips") for route in routes):
        raise MalformedHeader("a Record-Route is neither sip nor sips")  # RFC 3261 §20.30
    return routes


def mend_vias(headers: Headers) -> bool:
    """Drop the Vias, and the parameters of Vias, that don't parse; say whether a Via is left to answer to."""
    members = headers.get_list("Via")
    mended = [via for text in members if (via := _mended_via(text)) is not None]
    if mended and mended != members:
        headers.remove("Via")
        headers.insert_first("Via", ", ".join(mended))
    return bool(mended)


def _mended_via(text: str) -> str | None:
    with contextlib.suppress(MalformedHeader):
        Via.parse(text)
        return text
    sent, *pieces = text.split(";")
    parameters: list[tuple[str, str | None]] = []
    for piece in pieces:
        with contextlib.suppress(MalformedHeader):
            parameters += parse_parameters(piece)
    with contextlib.suppress(MalformedHeader):
        return str(replace(Via.parse(sent), parameters=tuple(parameters)))
    return None
