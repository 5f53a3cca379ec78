"""SIP messages in plain words."""

from __future__ import annotations

import pytest

from voip_engine.sip.trace import SipTrace, SipTraceEntry
from voip_tui.sip_words import label, meaning, offset, role


def entry(start: str, *headers: str, cseq: str = "1 INVITE", times: int = 1) -> SipTraceEntry:
    trace = SipTrace()
    lines = [start, "Call-ID: a@b", f"CSeq: {cseq}", *headers, "", ""]
    for _ in range(times):
        trace.add(0.0, False, "UDP", "192.0.2.7:5060", "192.0.2.1:5060", "\r\n".join(lines).encode())
    return trace.entries()[-1]


@pytest.mark.parametrize(
    ("start", "headers", "cseq", "title", "says"),
    [
        ("INVITE sip:x SIP/2.0", [], "1 INVITE", "INVITE", "wants to talk"),
        ("INVITE sip:x SIP/2.0", ["To: <sip:x>;tag=1"], "2 INVITE", "INVITE", "changes the call"),
        ("BYE sip:x SIP/2.0", ["To: <sip:x>;tag=1"], "2 BYE", "BYE", "hangs up"),
        ("SIP/2.0 200 OK", [], "1 INVITE", "200 OK", "agrees"),
        ("SIP/2.0 200 OK", [], "2 BYE", "200 OK", "done"),
        ("SIP/2.0 486 Busy Here", [], "1 INVITE", "486 Busy Here", "busy"),
        ("SIP/2.0 499 Whatever", [], "1 INVITE", "499 Whatever", "refused"),
        ("FLY sip:x SIP/2.0", [], "1 FLY", "FLY", ""),
    ],
)
def test_what_a_message_says(start: str, headers: list[str], cseq: str, title: str, says: str) -> None:
    message = entry(start, *headers, cseq=cseq)
    assert (label(message), meaning(message)) == (title, says)


@pytest.mark.parametrize(
    ("start", "colour"),
    [
        ("INVITE sip:x SIP/2.0", "text"),
        ("SIP/2.0 200 OK", "text"),
        ("SIP/2.0 407 Proxy Authentication Required", "text"),
        ("SIP/2.0 404 Not Found", "bad"),
    ],
)
def test_only_what_went_wrong_is_red(start: str, colour: str) -> None:
    assert role(entry(start)) == colour
    assert role(entry(start, times=2)) == "muted"


def test_nothing_in_a_message_controls_the_terminal() -> None:
    for start in ("\x1b[2J sip:x SIP/2.0", "SIP/2.0 200 \x1b[2JOK"):
        assert label(entry(start)).isprintable()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0.000"), (31.4026, "31.403"), (899.9, "899.900"), (3723, "1:02:03")]
)
def test_how_long_after_the_first(seconds: float, said: str) -> None:
    assert offset(seconds) == said
