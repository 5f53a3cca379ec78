"""Which call another call takes the place of: the Replaces header (RFC 3891 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.sip.messages.grammar import MalformedHeader, find_parameter, is_call_id, is_token, parse_parameters
from voip_engine.sip.messages.headers import Headers

MAX_CALL_ID_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog, named from the point of view of the one who is to recognize it: `to_tag` is that one's own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @staticmethod
    def parse(text: str) -> Replaces:
        """Read the header's value. Raises MalformedHeader."""
        call_id, semicolon, rest = text.strip().partition(";")
        call_id = call_id.rstrip()
        if not is_call_id(call_id) or len(call_id) > MAX_CALL_ID_CHARACTERS or not semicolon:
            raise MalformedHeader("Replaces names no call")
        parameters = parse_parameters(rest)
        to_tag = find_parameter(parameters, "to-tag")[1] or ""
        from_tag = find_parameter(parameters, "from-tag")[1] or ""
        if not is_token(to_tag) or not is_token(from_tag):
            raise MalformedHeader("Replaces lacks a tag")
        return Replaces(call_id, to_tag, from_tag, find_parameter(parameters, "early-only")[0])

    @staticmethod
    def of(headers: Headers) -> Replaces | None:
        """Read a request's Replaces, None where it has none. Raises MalformedHeader, also for two or one beside Join (§3)."""
        values = headers.get_all("Replaces")
        if not values:
            return None
        if len(values) > 1 or "," in values[0] or "Join" in headers:
            raise MalformedHeader("a call takes the place of one other only")
        return Replaces.parse(values[0])

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    @property
    def dialog(self) -> tuple[str, str, str]:
        """The dialog as its recognizer files it."""
        # A peer of RFC 2543 has no tag and is named by 0 (§6.1).
        from_tag = "" if self.from_tag == "0" else self.from_tag
        return (self.call_id, self.to_tag, from_tag)
