"""Via and CSeq, the two headers that identify a transaction (RFC 3261 §20.42, §20.16)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from voip_engine.hosts import bracketed
from voip_engine.sip.messages.grammar import (
    MalformedHeader,
    Parameters,
    find_parameter,
    format_parameters,
    is_token,
    parse_host_port,
    parse_number,
    parse_parameters,
    replace_parameter,
)

CSEQ_LIMIT = 2**31 - 1  # RFC 3261 §8.1.1.5


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method of a request."""

    number: int
    method: str

    @staticmethod
    def parse(text: str) -> CSeq:
        """Parse the value of a CSeq header. Raises MalformedHeader."""
        parts = text.split()
        if len(parts) != 2 or not is_token(parts[1]):
            raise MalformedHeader("CSeq is not a number and a method")
        return CSeq(parse_number(parts[0], CSEQ_LIMIT, "CSeq"), parts[1])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Via:
    """One hop that a message took. `transport` is in capitals, `host` without brackets.

    `version` is other than 2.0 only on what is to be answered 505.
    """

    transport: str
    host: str
    port: int | None = None
    parameters: Parameters = ()
    version: str = "2.0"

    @staticmethod
    def parse(text: str) -> Via:
        """Parse one member of a Via header; white space may surround any of its parts. Raises MalformedHeader."""
        if text.startswith("SIP/2.0/"):
            version, rest = "2.0", text[8:]
        else:
            parts = text.split("/", 2)
            version = parts[1].strip() if len(parts) == 3 else ""
            if parts[0].strip().upper() != "SIP" or not is_token(version):
                raise MalformedHeader("Via does not name SIP and its version")
            rest = parts[2].lstrip()
        sent, semicolon, parameter_text = rest.partition(";")
        fields = sent.split(None, 1)
        if len(fields) != 2 or not is_token(fields[0]):
            raise MalformedHeader("Via lacks a transport or a host")
        host, port = parse_host_port(fields[1].rstrip())
        parameters = parse_parameters(parameter_text) if semicolon else ()
        return Via(fields[0].upper(), host, port, parameters, version)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/{self.version}/{self.transport} {bracketed(self.host)}{port}{format_parameters(self.parameters)}"

    @property
    def branch(self) -> str | None:
        """The branch parameter, which names the transaction (RFC 3261 §8.1.1.7)."""
        return find_parameter(self.parameters, "branch")[1]

    def parameter(self, name: str) -> str | None:
        """Value of a parameter, None when absent or without a value."""
        return find_parameter(self.parameters, name)[1]

    def has_parameter(self, name: str) -> bool:
        """Say whether a parameter is there, with or without a value (`rport` comes without, RFC 3581 §3)."""
        return find_parameter(self.parameters, name)[0]

    def with_parameter(self, name: str, value: str | None = None) -> Via:
        """Copy with a parameter set."""
        return replace(self, parameters=replace_parameter(self.parameters, name, value))
