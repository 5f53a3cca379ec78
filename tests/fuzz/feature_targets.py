"""What must hold for keys, transfers, identities, credentials, and for what is kept of messages."""

from __future__ import annotations

import contextlib
import itertools
from random import Random

from voip_engine.sdp.crypto import KEY_BYTES, CryptoLine, SrtpKeys, answering_line, crypto_lines
from voip_engine.sdp.description import MalformedSdp, SessionDescription
from voip_engine.sip.authentication.auth import Challenge, digest_response, parse_challenges
from voip_engine.sip.authentication.digest_server import NONCES, DigestServer, Verdict
from voip_engine.sip.messages.extension_headers import RAck, SessionExpires, read_min_se, read_rseq
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.identity import asserted_identity
from voip_engine.sip.messages.info import KEYS, LONGEST_DURATION_MS, PLAIN, RELAY, read_key
from voip_engine.sip.messages.message import MalformedMessage, Request, parse_message
from voip_engine.sip.messages.message_summary import MessageSummary
from voip_engine.sip.messages.multipart import MandatoryPart, find_part
from voip_engine.sip.messages.peek import peek
from voip_engine.sip.messages.referral_headers import (
    Referral,
    SubscriptionState,
    read_event,
    read_referred_by,
    read_sipfrag,
    refer_to,
)
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.trace import redacted

from . import seeds
from .target import Target, text_of

_CRYPTO = b"1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4"


def run_crypto(data: bytes) -> None:
    """A usable line has a key of its suite's length, survives writing and reading, and shows the key to nobody."""
    line = CryptoLine.parse(text_of(data))
    if line is None:
        return
    assert len(line.key) == KEY_BYTES[line.suite]
    again = CryptoLine.parse(line.serialize().value or "")
    assert again is not None
    assert (again.tag, again.suite, again.key) == (line.tag, line.suite, line.key)
    answer = answering_line(line, SrtpKeys(bytes))
    assert (answer.tag, answer.suite) == (line.tag, line.suite)
    assert repr(line.key) not in repr(line)


def run_referral(data: bytes) -> None:
    """REFER, NOTIFY and Replaces: one way to fail; what is read can be written and read again."""
    text = text_of(data)
    with contextlib.suppress(MalformedHeader):
        replaces = Replaces.parse(text)
        assert replaces.dialog[0] == replaces.call_id
        assert Replaces.of(Headers([("Replaces", text)])) == replaces
    headers = Headers([("Refer-To", text), ("Referred-By", text), ("Event", text), ("Subscription-State", text)])
    with contextlib.suppress(MalformedHeader):
        referral = Referral.of(headers)
        assert not referral.target.headers
        again = Referral.of(Headers([("Refer-To", refer_to(referral.target, referral.replaces))]))
        assert again.replaces == referral.replaces
        assert again.target.password is None
    assert isinstance(read_referred_by(headers), str)
    with contextlib.suppress(MalformedHeader):
        assert read_event(headers)[0]
    with contextlib.suppress(MalformedHeader):
        state = SubscriptionState.of(headers)
        assert state.expires_s is None or state.expires_s >= 0
    with contextlib.suppress(MalformedHeader):
        status, phrase = read_sipfrag(data)
        assert 100 <= status <= 699
        assert "\n" not in phrase


def run_extensions(data: bytes) -> None:
    """Numbers of PRACK and session timers are read or refused, and survive writing and reading."""
    text = text_of(data)
    headers = Headers(
        [(name, text) for name in ("RAck", "RSeq", "Session-Expires", "Min-SE")] + [("Require", "100rel")]
    )
    with contextlib.suppress(MalformedHeader):
        rack = RAck.read(headers)
        assert RAck.read(Headers([("RAck", str(rack))])) == rack
    with contextlib.suppress(MalformedHeader):
        expires = SessionExpires.read(headers)
        assert SessionExpires.read(Headers([("Session-Expires", str(expires))])) == expires
    assert read_min_se(headers) >= 0
    rseq = read_rseq(headers)
    assert rseq is None or rseq >= 0


def run_identity(data: bytes) -> None:
    """What is shown of a sender is an address without parameters, headers or a password to be seen."""
    first, _, second = text_of(data).partition("\0")
    for privacy in ("none", second):
        headers = Headers([("P-Asserted-Identity", first), ("Remote-Party-ID", second), ("Privacy", privacy)])
        shown = asserted_identity(headers)
        assert shown is None or (not shown.uri.headers and not shown.parameters)


def run_info(data: bytes) -> None:
    """A key is one of a telephone's, for no longer than a key is pressed."""
    for media_type in (RELAY, PLAIN):
        with contextlib.suppress(MalformedHeader):
            read = read_key(media_type, data)
            assert read is None or (read[0] in KEYS and 0 <= read[1] <= LONGEST_DURATION_MS)


def run_summary(data: bytes) -> None:
    """A mailbox's summary is read or refused."""
    with contextlib.suppress(MalformedHeader):
        summary = MessageSummary.parse(data)
        assert summary.new >= 0
        assert summary.old >= 0


def run_multipart(data: bytes) -> None:
    """Of the parts of a body one is found, or none; its type is written before a blank line."""
    content_type, _, body = data.partition(b"\r\n\r\n")
    with contextlib.suppress(MandatoryPart):
        assert len(find_part(body, text_of(content_type), "application/sdp") or b"") <= len(body)


def run_peek(data: bytes) -> None:
    """Where a message can be parsed, the quick look at it has seen the same."""
    seen = peek(data)
    if len(data) > _PEEKED_BYTES:
        return
    with contextlib.suppress(MalformedMessage):
        message = parse_message(data)
        if isinstance(message, Request) and message.method.isalpha() and len(message.method) <= _LONGEST_PEEKED:
            assert seen.method == message.method or data[:1] in b"\r\n"
        if seen.call_id and seen.call_id.isascii():
            # One that is folded is none; the quick look sees its first line.
            assert seen.call_id.split()[:1] == message.call_id.split()[:1]


_SECRET_HEADERS = ("Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate")
_SHORTEST_SECRET = 8
_LONGEST_PEEKED = 20
_PEEKED_BYTES = 8_192


def run_trace(data: bytes) -> None:
    """What can be read out of a message as a secret is not in what is kept of it."""
    kept = redacted(data)
    assert len(kept) <= len(data) + 4096
    try:
        message = parse_message(data)
    except MalformedMessage:
        return
    # What also stands elsewhere in the message, where it is no secret, proves nothing.
    for value in itertools.chain.from_iterable(map(message.headers.get_all, _SECRET_HEADERS)):
        for word in value.encode().split():
            if len(word) >= _SHORTEST_SECRET and data.count(word) == 1:
                assert word not in kept
    with contextlib.suppress(MalformedSdp):
        for section in SessionDescription.parse(message.body).media:
            for line in crypto_lines(section):
                assert line.serialize().value.encode()[-40:] not in kept


_SERVER_SOURCE = "10.0.0.1"


def run_digest_server(data: bytes) -> None:
    """Made-up credentials are never good, whatever they are; right ones are good once for each count."""
    text = text_of(data)
    server = DigestServer({"user": "never shown"}, "here", Random(1))
    challenge = parse_challenges(Headers(list(server.challenge(_SERVER_SOURCE, 1000.0))))[0]
    request = Request("INVITE", SipUri("sip", "user", "example.com"), Headers([("Authorization", text)]))
    assert server.check(request, _SERVER_SOURCE, 1001.0) is not Verdict.GOOD
    counts = [int.from_bytes(data[at : at + 4], "big") for at in range(0, min(len(data), 64), 4)]
    taken: set[int] = set()
    for count in counts:
        request.headers.set("Authorization", _credentials(challenge, count))
        verdict = server.check(request, _SERVER_SOURCE, 1001.0)
        if verdict is Verdict.GOOD:
            assert count not in taken
            taken.add(count)
        assert verdict is Verdict.GOOD or count == 0 or count <= max(taken)
        assert server.check(request, "10.0.0.9", 1001.0) is not Verdict.GOOD
    assert NONCES


def _credentials(challenge: Challenge, count: int) -> str:
    response = digest_response(
        challenge,
        username="user",
        password="never shown",
        method="INVITE",
        uri_text="sip:user@example.com",
        body=b"",
        qop="auth",
        nonce_count=count,
        cnonce="c",
    )
    return (
        f'Digest username="user", realm="here", nonce="{challenge.nonce}", uri="sip:user@example.com", cnonce="c", '
        f'response="{response}", algorithm={challenge.algorithm}, qop=auth, nc={count:08x}'
    )


_WITH_SECRETS = (
    seeds.lines(
        "INVITE sip:user@10.0.0.2 SIP/2.0",
        *(
            "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2",
            "From: <sip:a:pw@b>;tag=1",
            "To: <sip:user@10.0.0.2>",
            "Call-ID: x",
        ),
        *('Authorization: Digest username="a", nonce="0123456789",', " response=6629fae49393a05397450978507c4ef1"),
        *("CSeq: 2 INVITE", "Content-Type: application/sdp", ""),
    )
    + seeds.SDP
)

FEATURE_TARGETS = {
    "crypto": Target(
        run_crypto,
        (_CRYPTO, b"7 AES_256_CM_HMAC_SHA1_80 inline:" + b"A" * 61 + b"= WSH=64", b"1 F8_128_HMAC_SHA1_80 inline:x"),
        (b"AES_CM_128_HMAC_SHA1_32", b"AES_256_CM_HMAC_SHA1_80", b" inline:", b"|2^31", b"|1:4", b"KDR=1", b";inline:"),
        1024,
    ),
    "referral": Target(
        run_referral,
        (
            b"<sip:bob@b.example?Replaces=12345%40192.0.2.1%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
            b"12345@192.0.2.1;to-tag=12345;from-tag=5FFE-3994;early-only",
            b"refer;id=93809824",
            b"active;expires=60;reason=noresource",
            b"SIP/2.0 180 Ringing\r\n",
            b'"A" <sip:carol@c.example;method=INVITE>',
        ),
        (b"Replaces=", b"to-tag=", b"from-tag=", b"%3B", b"%40", b"early-only", b"terminated", b"SIP/2.0 "),
        1024,
    ),
    "extensions": Target(
        run_extensions, (b"776656 1 INVITE", b"1800;refresher=uas", b"90", b"90 ; x=y"), (b";refresher=uac", b" "), 256
    ),
    "identity": Target(
        run_identity,
        (
            b'"Alice" <sip:alice@example.com>, <tel:+15551234>\0"Alice" <sip:alice:pw@b>;party=calling;privacy=off;screen=yes',
            b"<sips:x@y?a=b>;q=1\0id;critical",
        ),
        (b"privacy=full", b"screen=no", b"tel:", b"sip:"),
        1024,
    ),
    "info": Target(run_info, (b"Signal=5\r\nDuration=160\r\n", b"Signal: *\nDuration : 250", b"#", b"11"), longest=300),
    "summary": Target(
        run_summary,
        (
            b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 4/8 (1/2)\r\n",
            b"messages-waiting : no\nVoice-Message: 0 / 0",
        ),
        (b"Messages-Waiting:", b"Voice-Message:", b"yes", b"\r\n"),
        512,
    ),
    "multipart": Target(
        run_multipart,
        (
            b"multipart/mixed;boundary=x\r\n\r\n--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--",
            b'multipart/mixed;boundary="y"\r\n\r\n--y\r\nContent-Type: multipart/related;boundary=z\r\n\r\n--z\r\n\r\n--y--',
        ),
        (b"\r\n--x", b"--x--", b"Content-Disposition: a;handling=required", b"boundary=", b"\r\n\r\n"),
    ),
    "peek": Target(run_peek, (*seeds.MESSAGES, *seeds.TORTURE), (b"Call-ID: ", b"i:", b"\r\n ", b" SIP/2.0\r\n")),
    "trace": Target(
        run_trace,
        (_WITH_SECRETS, _WITH_SECRETS.replace(b"a=crypto:", b" a= crypto :"), *seeds.MESSAGES),
        (b"Authorization:", b"a=crypto:", b"inline:", b"\r\n ", b"message/sipfrag", b"application/sdp"),
    ),
    "digest_server": Target(
        run_digest_server,
        (
            b'Digest username="user", realm="here", nonce="AAAA", uri="sip:user@example.com", response="0", nc=00000001',
            (1).to_bytes(4, "big") + (2).to_bytes(4, "big") + (1).to_bytes(4, "big") + (70).to_bytes(4, "big"),
        ),
        (b"realm=", b"nonce=", b"response=", b"algorithm=MD5", b"algorithm=SHA-256", b"qop=auth", b"nc=00000001"),
        1024,
    ),
}
