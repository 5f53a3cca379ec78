"""Somebody who floods an engine with INVITEs and with what is no SIP."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator


class Attacker:
    """One address that sends INVITEs and malformed datagrams, and reads nothing."""

    def __init__(self, host: str, desk: tuple[str, int], source: random.Random) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self._host = host
        self._desk = desk
        self._random = source
        self._malformed = self._malformations()
        self.sent = 0

    def invite(self) -> None:
        self._send(self._invite())

    def malformed(self) -> None:
        self._send(next(self._malformed))

    def close(self) -> None:
        self._socket.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._desk)
            self.sent += 1
        except BlockingIOError:
            pass  # the system's queue is full: less of a flood

    def _invite(self) -> bytes:
        name = f"{self._random.getrandbits(64):x}"
        host, port = self._socket.getsockname()
        lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", "m=audio 40000 RTP/AVP 0", "")
        body = "\r\n".join(lines)
        head = (
            f"INVITE sip:{self._random.randrange(1000)}@{self._desk[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{name};rport",
            "Max-Forwards: 70",
            f"From: <sip:100@{host}>;tag={name[:8]}",
            f"To: <sip:desk@{self._desk[0]}>",
            f"Call-ID: {name}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:100@{host}:{port}>",
            "User-Agent: friendly-scanner",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        )
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()

    def _malformations(self) -> Iterator[bytes]:
        while True:
            invite = self._invite()
            yield invite[: self._random.randrange(1, len(invite))]
            yield self._random.randbytes(self._random.randrange(1, 1400))
            damaged = bytearray(invite)
            for _ in range(20):
                damaged[self._random.randrange(len(damaged))] = self._random.randrange(256)
            yield bytes(damaged)
            yield invite.replace(b"CSeq: 1 INVITE", b"CSeq: 99999999999999 INVITE")
            yield invite.replace(b"Content-Length: ", b"Content-Length: 9")
            yield invite.replace(b"Via: ", b"Via: " + b"SIP/2.0/UDP a;x=" + b'"' * 900 + b", ")
            yield invite.replace(b"\r\n", b"\n")
            yield b"SIP/2.0 200 OK\r\n" + invite.partition(b"\r\n")[2].replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE")
            yield invite.replace(b"INVITE", b"REGISTER")
            yield b"\r\n" * 700
