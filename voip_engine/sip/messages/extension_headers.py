"""Headers of reliable provisional responses (RFC 3262 §7) and session timers (RFC 4028 §4, §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voip_engine.sip.messages.grammar import MalformedHeader, find_parameter, is_token, parse_number, parse_parameters
from voip_engine.sip.messages.headers import Headers

_LARGEST = 2**32 - 1
Refresher = Literal["uac", "uas"]


@dataclass(frozen=True, slots=True)
class RAck:
    """Which provisional response a PRACK acknowledges."""

    rseq: int
    cseq: int
    method: str

    @staticmethod
    def read(headers: Headers) -> RAck:
        """Read the RAck header. Raises MalformedHeader."""
        fields = (headers.get("RAck") or "").split()
        if len(fields) != 3 or not is_token(fields[2]):
            raise MalformedHeader("RAck is missing or malformed")
        return RAck(parse_number(fields[0], _LARGEST, "RAck"), parse_number(fields[1], _LARGEST, "RAck"), fields[2])

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def read_rseq(headers: Headers) -> int | None:
    """The RSeq of a provisional response that wants a PRACK; None for any other, and for one that cannot be read."""
    if not lists(headers, "Require", "100rel"):
        return None
    try:
        return parse_number(headers.get("RSeq") or "", _LARGEST, "RSeq")
    except MalformedHeader:
        return None


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """After how many seconds without a refresh a session is over, and who refreshes: None if not said."""

    interval_s: int
    refresher: Refresher | None = None

    @staticmethod
    def read(headers: Headers) -> SessionExpires | None:
        """Read the Session-Expires header; None when there is none. Raises MalformedHeader."""
        text = headers.get("Session-Expires")
        if text is None:
            return None
        number, semicolon, rest = text.partition(";")
        named = find_parameter(parse_parameters(rest), "refresher")[1] if semicolon else None
        refresher: Refresher | None = "uac" if named == "uac" else "uas" if named == "uas" else None
        return SessionExpires(parse_number(number.strip(), _LARGEST, "Session-Expires"), refresher)

    def __str__(self) -> str:
        return f"{self.interval_s};refresher={self.refresher}" if self.refresher else str(self.interval_s)


def read_min_se(headers: Headers) -> int:
    """The shortest interval somebody on the way takes, 0 when none is named or it cannot be read."""
    try:
        return parse_number((headers.get("Min-SE") or "0").partition(";")[0].strip(), _LARGEST, "Min-SE")
    except MalformedHeader:
        return 0


def lists(headers: Headers, name: str, tag: str) -> bool:
    """Whether a header such as Supported or Require names an extension or method, in whatever case."""
    return any(member.lower() == tag.lower() for member in headers.get_list(name))
