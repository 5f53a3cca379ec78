"""Real messages for the fuzzer to begin with: RFC 4475's, and what phones and exchanges send."""

from __future__ import annotations

from pathlib import Path

TORTURE = tuple(path.read_bytes() for path in sorted((Path(__file__).parents[1] / "vectors" / "rfc4475").glob("*.dat")))


def lines(*written: str) -> bytes:
    """Lines that end in CR and LF."""
    return "".join(f"{line}\r\n" for line in written).encode()


SDP = lines(
    *("v=0", "o=- 3747 2 IN IP4 192.0.2.7", "s=call", "c=IN IP4 192.0.2.7", "t=0 0"),
    "m=audio 4000 RTP/AVP 96 9 8 0 101",
    *("a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1;maxaveragebitrate=24000", "a=rtpmap:9 G722/8000"),
    *("a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"),
    *("a=rtcp:4001 IN IP4 192.0.2.7", "a=ptime:20", "a=maxptime:60", "a=sendrecv", "a=rtcp-mux"),
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32",
    "m=video 0 RTP/AVP 99",
)
SDP_ON_HOLD = lines(
    *("v=0", "o=phone 1 2 IN IP6 2001:db8::7", "s=-", "c=IN IP4 0.0.0.0", "t=0 0", "m=audio 49170/2 RTP/SAVP 0"),
    *("c=IN IP4 192.0.2.8/127/3", "a=sendonly", "a=inactive"),
)
SDP_SLOPPY = b"v=0\no=- 1 1 IN IP4 192.0.2.9\n\nm=audio 5004 RTP/AVPF 0\nc=IN IP4 192.0.2.9\nb=AS:64\nx=?\n"

INVITE = (
    lines(
        "INVITE sip:user@10.0.0.2;transport=udp SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK776asdhds;rport",
        "Via: SIP/2.0/TCP [2001:db8::9];branch=z9hG4bKx;received=192.0.2.1",
        'Record-Route: <sip:10.0.0.9;lr>, "Proxy, first" <sip:[2001:db8::9:1]:5070;lr>',
        "Max-Forwards: 70",
        'To: "Bob \\"B\\"" <sip:user@10.0.0.2>',
        "f: Alice <sip:alice%40home:pw@10.0.0.1;user=phone?subject=x&priority=urgent>;tag=1928301774",
        "i: a84b4c76e66710@10.0.0.1",
        "CSeq: 314159 INVITE",
        'm: <sip:alice@10.0.0.1:5060;ob>;+sip.instance="<urn:uuid:1>";reg-id=1;expires=60',
        *("k: 100rel, timer, replaces, norefersub", "x: 1800;refresher=uac", "Min-SE: 90", "Allow: INVITE, ACK, BYE"),
        *('P-Asserted-Identity: "A" <sip:+15551234@10.0.0.1>, <tel:+15551234>', "Privacy: id", "User-Agent: x"),
        *("c: application/sdp", f"l: {len(SDP)}", ""),
    )
    + SDP
)
RESPONSE = lines(
    "SIP/2.0 401 Unauthorized",
    *("Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKa;rport=5060;received=10.0.0.2", "From: <sip:a@b>;tag=1"),
    *("To: <sip:a@b>;tag=2", "Call-ID: x", "CSeq: 1 REGISTER", "Contact: *"),
    'WWW-Authenticate: Digest realm="b", nonce="n\\"1", qop="auth,auth-int", algorithm=SHA-256, stale=true',
    *('Proxy-Authenticate: Digest realm="b", nonce="2", opaque="", algorithm=MD5-sess, Basic realm="x"',),
    *("Content-Length: 0", ""),
)
BYE = lines(
    *("BYE sip:user@10.0.0.2 SIP/2.0", "v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2", "f: <sip:a@b>;tag=1928301774"),
    *("t: <sip:user@10.0.0.2>;tag=2", "i: a84b4c76e66710@10.0.0.1", "CSeq: 314160 BYE", "l: 0", ""),
)
MESSAGES = (INVITE, RESPONSE, BYE)

CHALLENGES = (
    b'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth", nonce="f84f1cec", opaque="", stale=FALSE',
    b'Digest realm="r", nonce="n", algorithm=SHA-512-256-sess, qop="auth,auth-int", Digest realm="q", nonce="m"',
    b'Basic realm="x", digest REALM="\\"", NONCE=abc,, charset=UTF-8, userhash=true',
)

RTP = bytes.fromhex("8000000100000000a1b2c3d4") + b"\xff" * 20
RTP_EXTENDED = (
    bytes.fromhex("b1e0fffffffffff0a1b2c3d401020304bede000190ab0000") + b"\x78" * 8 + bytes.fromhex("00000004")
)
RTP_EVENT = bytes.fromhex("80e5000200000140a1b2c3d4058a0640")
RTCP = bytes.fromhex(
    "81c8000ca1b2c3d4e8f0aabb112233440004e2000000004600002bc0"  # a sender report
    "0a0b0c0d0cfffffd00011170000000ff1234567800010002"  # its block
    "81ca0003a1b2c3d4010461624063000081cb0002a1b2c3d403627965"  # a CNAME, a BYE
)
