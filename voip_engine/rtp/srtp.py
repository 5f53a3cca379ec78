"""Encrypted RTP and RTCP (RFC 3711, suites of RFC 4568 and RFC 6188): one sender and one receiver for each master key.

Both know their place by a packet index, the sequence number extended past its wraps (§3.3.1): it never goes back under one
key, or two packets would be encrypted alike. It can be read, and a sender or receiver can be begun at it, so that a stream
outlives the process that carried it.
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Final

from voip_engine.sdp.plan import SrtpSuite

if TYPE_CHECKING:
    import pylibsrtp

KEPT_KEYS: Final = 8
"""So many keys of a peer's are worth remembering in a call, the latest: with a server's music on hold they take turns."""

_STEP: Final = 0x4000
"""How far libsrtp may be led in one packet; less than half the sequence numbers, so that it sees every wrap."""
_REORDERED: Final = 256
_WINDOW: Final = 128
"""So many packets back libsrtp can tell whether one was heard before (its default)."""
_GUESSES: Final = 50
"""So many packets in a row are looked for elsewhere before the first one is heard."""
_LOST_PACKETS: Final = 25
"""So many in a row that fail, half a second, and a stream that was heard is looked for elsewhere, and ever more rarely."""
_DOUBLINGS: Final = 7
_WRAPS_A_SEARCH, _SEARCHES_A_ROUND = 4, 4
"""Searches look ever further ahead, up to sixteen wraps (almost six hours at 50 packets a second), and begin anew then."""
_RTCP_TAG_BYTES: Final = 10
_TAG_BYTES: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 10,
    "AES_256_CM_HMAC_SHA1_80": 10,
    "AES_CM_128_HMAC_SHA1_32": 4,
}
_HEADER = struct.Struct("!BBHII")
_SEQUENCE_AND_SSRC = struct.Struct("!2xH4xI")
_SEQUENCE = struct.Struct("!2xH")
_CIPHER = struct.Struct("@II")
_AES_128, _AES_256 = (1, 30), (5, 46)
"""libsrtp's numbers for AES in counter mode, and its key's bytes with the salt (its srtp.h: SRTP_AES_ICM_128 and _256)."""


class SrtpError(Exception):
    """A packet that is not taken; the message says why and holds nothing of packet or key."""


class Replayed(SrtpError):
    """A packet that was heard before, or is too old to tell (RFC 3711 §3.3.2)."""


class SrtpSender:
    """Encrypts what one source sends. `next_index` is the index that its next RTP packet has at the least."""

    __slots__ = ("_failures", "_session", "next_index", "rtcp_packets")

    def __init__(self, suite: SrtpSuite, key: bytes, *, ssrc: int, next_index: int, rtcp_packets: int = 0) -> None:
        """Begin at an index: a stream's first sequence number, or where an earlier sender under this key stopped.

        `rtcp_packets` were sent under this key before; they are counted, too (§3.4). Reaching a place takes some 2 µs for
        every 16,000 packets of RTP and for every packet of RTCP.
        """
        self.next_index = next_index
        self.rtcp_packets = rtcp_packets
        self._failures = _failures()
        self._session = _session(suite, key, outbound=True)
        for index in range(0, next_index, _STEP):
            self._session.protect(_empty_packet(ssrc, index))
        for _ in range(rtcp_packets):
            self._session.protect_rtcp(struct.pack("!BBHI", 0x80, 201, 1, ssrc))

    def protect(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet. Raises SrtpError."""
        try:
            protected = self._session.protect(packet)
        except self._failures as error:
            raise SrtpError(str(error)) from None
        self.next_index = _extend(self.next_index, _SEQUENCE.unpack_from(packet)[0]) + 1
        return protected

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt a compound RTCP packet. Raises SrtpError."""
        try:
            protected = self._session.protect_rtcp(packet)
        except self._failures as error:
            raise SrtpError(str(error)) from None
        self.rtcp_packets += 1
        return protected


class SrtpReceiver:
    """Checks and decrypts what comes under one key, from whatever source: only who has the key can have made it.

    `ssrc` and `index` are those of the newest packet, None before the first.
    """

    __slots__ = (
        "_failed",
        "_failures",
        "_guesses_left",
        "_key",
        "_mki",
        "_roll_over_hint",
        "_searches",
        "_session",
        "_suite",
        "index",
        "ssrc",
    )

    def __init__(
        self,
        suite: SrtpSuite,
        key: bytes,
        *,
        mki: bytes = b"",
        heard: tuple[int, int] | None = None,
        roll_over_hint: int = 0,
    ) -> None:
        """`heard`: SSRC and index where an earlier receiver under this key stopped.

        A stream that is heard from its middle is looked for at `roll_over_hint` wraps, too, and at one more: who has a new
        key may count on (RFC 3711 §3.3.1) or begin anew, and first packets may be lost right before a wrap.
        """
        self._suite, self._key, self._mki = suite, key, mki
        self.ssrc: int | None = None
        self.index: int | None = None
        self._roll_over_hint = roll_over_hint
        self._failed = self._searches = 0
        self._guesses_left = _GUESSES
        self._failures = _failures()
        self._session = _session(suite, key, outbound=False)
        if heard is not None:
            self.ssrc, self.index = heard
            guide = _Guide(suite, key, self.ssrc)
            guide.lead(self._session, self.index)
            for near in range(max(0, self.index - _WINDOW), self.index + 1):  # which of them were heard nobody knows
                self._session.unprotect(guide.packet(near))

    def unprotect(self, packet: bytes) -> bytes:
        """Check and decrypt an RTP packet. Raises SrtpError.

        More than half the sequence numbers unheard, and its index cannot be told by the last one (§3.3.1): where nothing is
        heard any more, packets are tried some wraps further on. The tag tells.
        """
        stripped = self._without_mki(packet, _TAG_BYTES[self._suite])
        try:
            plain = self._session.unprotect(stripped)
        except self._failures as error:
            found = self._find_place(stripped) if self._is_search_due() else None
            if found is None:
                raise _error(error) from None
            plain = found
        self._failed = self._searches = 0
        self._note(plain)
        return plain

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Check and decrypt a compound RTCP packet. Raises SrtpError."""
        try:
            return self._session.unprotect_rtcp(self._without_mki(packet, _RTCP_TAG_BYTES))
        except self._failures as error:
            raise _error(error) from None

    def _note(self, plain: bytes) -> None:
        sequence, ssrc = _SEQUENCE_AND_SSRC.unpack_from(plain)
        if self.index is None or ssrc != self.ssrc:
            self.ssrc, self.index = ssrc, sequence
        else:
            self.index = max(self.index, _extend(self.index, sequence))

    def _is_search_due(self) -> bool:
        """Count a packet that failed; whether it is to be looked for elsewhere."""
        self._failed += 1
        if self.index is None and self._guesses_left:
            self._guesses_left -= 1
            return True
        if self._failed < _LOST_PACKETS << min(self._searches, _DOUBLINGS):
            return False
        self._failed = 0
        self._searches += 1
        return True

    def _find_place(self, packet: bytes) -> bytes | None:
        """Decrypt a packet some wraps later than it seems to be, and go on from there; None where that is wrong."""
        if len(packet) < _HEADER.size:
            return None
        sequence, ssrc = _SEQUENCE_AND_SSRC.unpack_from(packet)
        known = self.index if ssrc == self.ssrc else None
        if known is not None:
            first = 1 + (self._searches - 1) % _SEARCHES_A_ROUND * _WRAPS_A_SEARCH
            places = [_extend(known, sequence) + (wraps << 16) for wraps in range(first, first + _WRAPS_A_SEARCH)]
        else:
            hint = self._roll_over_hint if self.index is None else self.index >> 16
            places = [roll_over << 16 | sequence for roll_over in sorted({1, hint, hint + 1} - {0})]
        guide, scout = _Guide(self._suite, self._key, ssrc), _session(self._suite, self._key, outbound=False)
        led = -1
        for index in places:
            led = guide.lead(scout, index, after=led)
            try:
                scout.unprotect(packet)
                # The session itself goes there: what it has heard it never takes again.
                guide.lead(self._session, index, after=-1 if known is None else known)
                plain = self._session.unprotect(packet)
            except self._failures:
                continue
            self.ssrc, self.index = ssrc, index
            return plain
        return None

    def _without_mki(self, packet: bytes, tag_bytes: int) -> bytes:
        mki = self._mki
        if not mki:
            return packet
        if packet[-tag_bytes - len(mki) : -tag_bytes] != mki:
            raise SrtpError("it names another key (MKI)")
        return packet[: -tag_bytes - len(mki)] + packet[-tag_bytes:]


class _Guide:
    """Leads receiving sessions along a stream, by packets made with the peer's key."""

    __slots__ = ("_failures", "_packets", "_session", "_ssrc")

    def __init__(self, suite: SrtpSuite, key: bytes, ssrc: int) -> None:
        self._session = _session(suite, key, outbound=True)
        self._ssrc = ssrc
        self._packets: list[bytes] = []
        self._failures = _failures()

    def lead(self, session: pylibsrtp.Session, index: int, *, after: int = -1) -> int:
        """Lead a session that is at `after` up to near an index; gives where it is then."""
        while len(self._packets) * _STEP < index - _REORDERED:
            self._packets.append(self.packet(len(self._packets) * _STEP))
        for number in range(after // _STEP + 1, len(self._packets)):
            with contextlib.suppress(*self._failures):  # it has been there before
                session.unprotect(self._packets[number])
        return max(after, (len(self._packets) - 1) * _STEP)

    def packet(self, index: int) -> bytes:
        """Make an empty packet with an index that is near those of the last ones."""
        return self._session.protect(_empty_packet(self._ssrc, index))


def load() -> None:
    """Load libsrtp now, so that no packet has to wait for it."""
    import pylibsrtp  # noqa: F401


def _failures() -> tuple[type[Exception], ...]:
    """What libsrtp's calls raise: its own error, and ValueError for what is longer than any datagram of audio."""
    import pylibsrtp

    return pylibsrtp.Error, ValueError


def _session(suite: SrtpSuite, key: bytes, *, outbound: bool) -> pylibsrtp.Session:
    import pylibsrtp

    short = suite == "AES_CM_128_HMAC_SHA1_32"
    policy = pylibsrtp.Policy(
        key=key,
        ssrc_type=pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND,
        srtp_profile=pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32
        if short
        else pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    )
    if suite == "AES_256_CM_HMAC_SHA1_80":
        _use_aes_256(policy)
    return pylibsrtp.Session(policy)


def _use_aes_256(policy: pylibsrtp.Policy) -> None:
    """Change a policy's cipher. libsrtp knows this one, and pylibsrtp has no name for it: written as the C struct has it."""
    from pylibsrtp._binding import ffi

    for part in (policy._policy.rtp, policy._policy.rtcp):
        memory = ffi.buffer(ffi.addressof(part))
        if _CIPHER.unpack_from(memory) != _AES_128:
            raise SrtpError("this build of libsrtp has its policies in another form; leave AES-256 to others")
        _CIPHER.pack_into(memory, 0, *_AES_256)


def _empty_packet(ssrc: int, index: int) -> bytes:
    return _HEADER.pack(0x80, 0, index & 0xFFFF, 0, ssrc)


def _extend(index: int, sequence: int) -> int:
    """The index nearest to `index` with this sequence number (RFC 3711 §3.3.1)."""
    return max(sequence, index + ((sequence - index + 0x8000 & 0xFFFF) - 0x8000))


def _error(error: Exception) -> SrtpError:
    return Replayed("it was heard before") if "replay" in str(error) else SrtpError("it does not authenticate")
