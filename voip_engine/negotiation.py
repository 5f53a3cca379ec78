"""One call's side of the offer/answer model: our descriptions over the life of a call, and the plan they led to."""

from __future__ import annotations

import secrets
from dataclasses import replace

from voip_engine.sdp.crypto import SrtpKeys
from voip_engine.sdp.description import SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import CodecName, HostPort, MediaDirection, MediaPlan, SrtpPolicy


class CallNegotiation:
    """Makes offers and answers for one call (RFC 3264) and keeps the plan in force.

    Whatever reads a peer's description raises MalformedSdp or NotAcceptable, and then the plan stays as it was.
    """

    def __init__(
        self,
        local: HostPort,
        codecs: tuple[CodecName, ...],
        *,
        srtp: SrtpPolicy = "off",
        rtcp_port: int | None = None,
    ) -> None:
        """`local` is where RTP is to come, `rtcp_port` where RTCP is if not one above. Keys are made for this call alone."""
        session_id = secrets.randbits(31)
        self._media = LocalMedia(
            host=local.host,
            port=local.port,
            session_id=session_id,
            session_version=session_id,
            codecs=codecs,
            srtp=srtp,
            keys=SrtpKeys(secrets.token_bytes) if srtp != "off" else None,
            rtcp_port=rtcp_port,
        )
        self._offer: SessionDescription | None = None
        self._described: SessionDescription | None = None
        self._direction = self._media.direction
        self.local = local
        self.plan: MediaPlan | None = None

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours is out."""
        return self._offer is not None

    def offer(self, direction: MediaDirection | None = None) -> bytes:
        """Return an offer, in a new direction or in the one that stands."""
        self._direction = self._media.direction
        if direction is not None:
            self._media = replace(self._media, direction=direction)
        self._offer = self._described = make_offer(self._media, self._described)
        self._next_version()
        return self._offer.serialize()

    def answer(self, offer: bytes) -> bytes:
        """Answer a peer's offer; its plan is in force from now on."""
        self._described, self.plan = make_answer(SessionDescription.parse(offer), self._media)
        self._next_version()
        return self._described.serialize()

    def take_answer(self, answer: bytes, *, final: bool = True) -> None:
        """Take the answer to our offer. A provisional response's answer is not `final`: the 2xx may repeat it."""
        if self._offer is None:
            return
        self.plan = accept_answer(self._offer, SessionDescription.parse(answer))
        if final:
            self._offer = None

    def drop_offer(self) -> None:
        """Forget an offer that was refused, with the direction it asked for."""
        self._offer = None
        self._media = replace(self._media, direction=self._direction)

    def _next_version(self) -> None:
        self._media = replace(self._media, session_version=self._media.session_version + 1)
