"""The SIP messages of a call that stands still: challenged, answered late, held by the other side, hung up or not."""

from __future__ import annotations

from voip_engine.sip.trace import SipTrace, SipTraceEntry
from voip_engine.snapshots import CallDirection, CallSnapshot, CallState

SDP = (
    "v=0\r\no=- 3926 3926 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 16386 RTP/SAVP 96 0\r\n"
    "a=rtpmap:96 opus/48000/2\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    "a=sendrecv\r\n"
)


def trace_of(call: CallSnapshot) -> tuple[SipTraceEntry, ...]:
    """What would have gone by on this call until now."""
    trace, at = SipTrace(), call.created_at
    ours = call.direction is CallDirection.OUTBOUND
    here, there = "192.0.2.10:5060", call.remote_signalling

    def goes(after_s: float, sent: bool, start: str, *headers: str, cseq: str = "1 INVITE", sdp: bool = False) -> None:
        lines = [
            start,
            f"Via: SIP/2.0/{call.transport} {here if sent else there};branch=z9hG4bK{cseq.replace(' ', '')}",
            "Max-Forwards: 70",
            f"From: <{call.peer_uri}>;tag=9fxced76sl",
            f"To: <sip:desk@192.0.2.10>{';tag=314159' if cseq[0] == '3' else ''}",
            f"Call-ID: {call.sip_call_id}",
            f"CSeq: {cseq}",
            *headers,
            *(["Content-Type: application/sdp"] if sdp else []),
        ]
        body = SDP.format(host="192.0.2.10" if sent else "198.51.100.1") if sdp else ""
        data = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
        source, destination = (here, there) if sent else (there, here)
        trace.add(at + after_s, sent, call.transport, source, destination, data)

    invite = f"INVITE {call.peer_uri if ours else 'sip:desk@192.0.2.10'} SIP/2.0"
    goes(0.0, ours, invite, sdp=True)
    goes(0.002, not ours, "SIP/2.0 407 Proxy Authentication Required", 'Proxy-Authenticate: Digest nonce="f84f1cec"')
    goes(0.003, ours, invite.replace("INVITE", "ACK"), cseq="1 ACK")
    authorization = 'Proxy-Authorization: Digest username="desk", response="42ce3cef"'
    goes(0.004, ours, invite, authorization, cseq="2 INVITE", sdp=True)
    goes(0.5, ours, invite, authorization, cseq="2 INVITE", sdp=True)
    goes(0.503, not ours, "SIP/2.0 100 Trying", cseq="2 INVITE")
    goes(0.62, not ours, "SIP/2.0 180 Ringing", cseq="2 INVITE")
    if call.end_status is not None:
        goes(4.2, not ours, f"SIP/2.0 {call.end_status} Busy Here", cseq="2 INVITE")
        goes(4.202, ours, invite.replace("INVITE", "ACK"), cseq="2 ACK")
    elif call.state in (CallState.CONNECTED, CallState.ENDED):
        goes(4.0, not ours, "SIP/2.0 200 OK", cseq="2 INVITE", sdp=True)
        goes(4.021, ours, invite.replace("INVITE", "ACK"), cseq="2 ACK")
        goes(31.4, ours, invite, cseq="3 INVITE", sdp=True)
        goes(31.402, not ours, "SIP/2.0 488 Not Acceptable Here", cseq="3 INVITE")
        goes(31.405, ours, invite.replace("INVITE", "ACK"), cseq="3 ACK")
    return trace.entries()
