"""How one leg's packets are encrypted, over all its plans."""

from __future__ import annotations

import contextlib
from typing import Final

from voip_engine.media.outbound import Outbound
from voip_engine.media.protocol import SrtpMark
from voip_engine.rtp.srtp import KEPT_KEYS, Replayed, SrtpError, SrtpReceiver, SrtpSender
from voip_engine.sdp.plan import SrtpPlan

_OLD_KEY_PACKETS: Final = 150
"""So many packets may still come under a key that a new plan replaced: three seconds."""


class Encryption:
    """SRTP of one leg. What a new plan leaves as it was goes on counting; only a new key begins anew (RFC 4568 §7.1.4)."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._plan: SrtpPlan | None = None
        self._senders: dict[bytes, tuple[SrtpSender, int]] = {}
        """By key, with the packets that had been sent when it was last in use: a key that comes back repeats no index."""
        self._sender: SrtpSender | None = None
        self._receiver: SrtpReceiver | None = None
        self._receivers: dict[tuple[str, bytes, bytes], SrtpReceiver] = {}
        """By suite, key and MKI, the latest last: a key that comes back is heard on, and no packet of it twice."""
        self._old_receiver: SrtpReceiver | None = None
        self._old_left = 0

    @property
    def active(self) -> bool:
        """Whether packets are encrypted."""
        return self._plan is not None

    def configure(self, plan: SrtpPlan | None, mark: SrtpMark | None) -> None:
        """Take the keys of a plan; `mark` is where another process stopped with them. Raises SrtpError."""
        previous = self._plan
        if previous is not None and self._sender is not None:
            self._senders[previous.send_key] = self._sender, self._outbound.packets
        if plan is not None:
            self._take_keys(plan, previous, mark)
        self._plan = plan

    def _take_keys(self, plan: SrtpPlan, previous: SrtpPlan | None, mark: SrtpMark | None) -> None:
        if previous is None or (previous.suite, previous.send_key) != (plan.suite, plan.send_key):
            self._sender = self._sender_of(plan, mark)
        receiving = plan.suite, plan.receive_key, plan.receive_mki
        if previous is not None and receiving == (previous.suite, previous.receive_key, previous.receive_mki):
            return
        old = self._receiver
        self._receiver = self._receivers.pop(receiving, None) or SrtpReceiver(
            plan.suite,
            plan.receive_key,
            mki=plan.receive_mki,
            heard=mark.heard if mark is not None else None,
            roll_over_hint=old.index >> 16 if old is not None and old.index is not None else 0,
        )
        self._receivers[receiving] = self._receiver
        if len(self._receivers) > KEPT_KEYS:
            del self._receivers[next(iter(self._receivers))]
        self._old_receiver = old if old is not self._receiver else None
        self._old_left = _OLD_KEY_PACKETS

    def _sender_of(self, plan: SrtpPlan, mark: SrtpMark | None) -> SrtpSender:
        outbound = self._outbound
        next_index, rtcp_packets = outbound.sequence, 0
        if plan.send_key in self._senders:
            used, packets = self._senders[plan.send_key]
            next_index, rtcp_packets = used.next_index + outbound.packets - packets, used.rtcp_packets
        elif mark is not None:
            next_index, rtcp_packets = mark.next_index, mark.rtcp_packets
        return SrtpSender(
            plan.suite, plan.send_key, ssrc=outbound.ssrc, next_index=next_index, rtcp_packets=rtcp_packets
        )

    @property
    def mark(self) -> SrtpMark | None:
        """How far both directions are; None for plain RTP."""
        sender, receiver = self._sender, self._receiver
        if self._plan is None or sender is None or receiver is None:
            return None
        heard = (receiver.ssrc, receiver.index) if receiver.ssrc is not None and receiver.index is not None else None
        return SrtpMark(sender.next_index, sender.rtcp_packets, heard)

    # ---- packets -----------------------------------------------------------------------------------------------------

    def protect(self, packet: bytes) -> bytes | None:
        """Encrypt an RTP packet; None for one that must not be sent: nothing leaves in the clear."""
        if self._sender is not None:
            with contextlib.suppress(SrtpError):
                return self._sender.protect(packet)
        return None

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """Encrypt a compound RTCP packet; None for one that must not be sent."""
        if self._sender is not None:
            with contextlib.suppress(SrtpError):
                return self._sender.protect_rtcp(packet)
        return None

    def unprotect(self, packet: bytes) -> bytes:
        """Check and decrypt an RTP packet. Raises SrtpError, or Replayed."""
        assert self._receiver is not None
        try:
            return self._receiver.unprotect(packet)
        except Replayed:
            raise
        except SrtpError:
            if self._old_receiver is None:
                raise
            self._old_left -= 1
            old = self._old_receiver
            if self._old_left <= 0:
                self._old_receiver = None
            return old.unprotect(packet)

    def try_unprotect(self, packet: bytes) -> bytes | None:
        """Check and decrypt an RTP packet; None for one that is not taken."""
        try:
            return self.unprotect(packet)
        except SrtpError:
            return None

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Check and decrypt a compound RTCP packet. Raises SrtpError, or Replayed."""
        assert self._receiver is not None
        return self._receiver.unprotect_rtcp(packet)
