"""SRTP written from RFC 3711 alone, packet by packet, to check the engine's against. Slow, and knows no replay."""

from __future__ import annotations

import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def keystream(key: bytes, initial: int, length: int) -> bytes:
    """AES in counter mode (§4.1.1): `initial` is the IV as a number."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(initial.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(length))


def derive(key: bytes, salt: bytes, label: int, length: int) -> bytes:
    """Key derivation (§4.3.1) with a derivation rate of 0."""
    return keystream(key, (int.from_bytes(salt, "big") ^ label << 48) << 16, length)


class Reference:
    """One master key. `roll_over` is the caller's to count."""

    def __init__(self, master: bytes, tag_bytes: int = 10) -> None:
        key, salt = master[:-14], master[-14:]
        self.tag_bytes = tag_bytes
        self.cipher, self.auth, self.salt = (
            derive(key, salt, label, length) for label, length in ((0, len(key)), (1, 20), (2, 14))
        )
        self.rtcp_cipher, self.rtcp_auth, self.rtcp_salt = (
            derive(key, salt, label, length) for label, length in ((3, len(key)), (4, 20), (5, 14))
        )

    def decrypt(self, packet: bytes, roll_over: int) -> bytes:
        """Check and decrypt an RTP packet with a fixed header only."""
        body, tag = packet[: -self.tag_bytes], packet[-self.tag_bytes :]
        expected = hmac.digest(self.auth, body + struct.pack("!I", roll_over), "sha1")[: self.tag_bytes]
        assert tag == expected, "the tag is wrong"
        return body[:12] + self._xor(body, roll_over)

    def encrypt(self, packet: bytes, roll_over: int, mki: bytes = b"") -> bytes:
        body = packet[:12] + self._xor(packet, roll_over)
        return body + mki + hmac.digest(self.auth, body + struct.pack("!I", roll_over), "sha1")[: self.tag_bytes]

    def _xor(self, packet: bytes, roll_over: int) -> bytes:
        sequence, ssrc = struct.unpack_from("!2xH4xI", packet)
        initial = int.from_bytes(self.salt, "big") << 16 ^ ssrc << 64 ^ (roll_over << 16 | sequence) << 16
        stream = keystream(self.cipher, initial, len(packet) - 12)
        return bytes(one ^ other for one, other in zip(packet[12:], stream, strict=True))

    def decrypt_rtcp(self, packet: bytes) -> tuple[bytes, int]:
        """Check and decrypt a compound packet; gives it with its index (§3.4)."""
        body, tag = packet[:-10], packet[-10:]
        assert tag == hmac.digest(self.rtcp_auth, body, "sha1")[:10], "the tag is wrong"
        word = struct.unpack("!I", body[-4:])[0]
        assert word >> 31, "it is not encrypted"
        index, ssrc = word & 0x7FFFFFFF, struct.unpack_from("!I", body, 4)[0]
        initial = int.from_bytes(self.rtcp_salt, "big") << 16 ^ ssrc << 64 ^ index << 16
        stream = keystream(self.rtcp_cipher, initial, len(body) - 12)
        return body[:8] + bytes(one ^ other for one, other in zip(body[8:-4], stream, strict=True)), index
