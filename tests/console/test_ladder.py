"""What the ladder says of a call whose messages did not all go the same way."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult

from voip_engine.sip.trace import SipTrace, SipTraceEntry
from voip_tui.theme import NIGHT, palette_for
from voip_tui.widgets.ladder import Ladder


def failed_over() -> tuple[SipTraceEntry, ...]:
    """The first server is not there; the second answers, and takes what is long over TCP."""
    trace = SipTrace()

    def goes(at: float, sent: bool, transport: str, there: str, start: str, cseq: str, body: str = "") -> None:
        headers = ["Call-ID: a@b", f"CSeq: {cseq}", "Content-Type: application/sdp"]
        data = "\r\n".join([start, *headers, "", body]).encode()
        here = "192.0.2.10:5060"
        source, destination = (here, there) if sent else (there, here)
        trace.add(at, sent, transport, source, destination, data)

    goes(0.0, True, "UDP", "192.168.100.201:5060", "INVITE sip:bob@pbx.test SIP/2.0", "1 INVITE", "v=0\r\n")
    goes(0.1, True, "TCP", "192.168.100.202:5060", "INVITE sip:bob@pbx.test SIP/2.0", "2 INVITE", "v=0\r\n")
    goes(0.2, False, "TCP", "192.168.100.202:5060", "SIP/2.0 407 Proxy Authentication Required", "2 INVITE")
    return trace.entries()


@pytest.mark.parametrize("width", [80, 120])
async def test_each_message_says_which_way_it_went_where_they_differ(width: int) -> None:
    ladder = Ladder(palette_for(NIGHT))

    class Shown(App[None]):
        def compose(self) -> ComposeResult:
            yield ladder

    async with Shown().run_test(size=(width, 12)) as pilot:
        ladder.show("1", failed_over())
        await pilot.pause()
        heading, first, second, third = (ladder.render_line(y).text.rstrip() for y in range(4))
    assert heading.endswith("192.168.100.201:5060  UDP")
    assert first.endswith("wants to talk · SDP")
    assert "wants to talk" in second
    assert second.endswith(" TCP 192.168.100.202:5060")
    assert "407 Proxy" in third
    assert third.endswith(" TCP 192.168.100.202:5060")
