"""One call's side of the offer/answer model: our descriptions over the life of a call, and the plan they led to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from voip_engine.sdp.crypto import SrtpKeys
from voip_engine.sdp.description import SessionDescription
from voip_engine.sdp.negotiation import LocalMedia, accept_answer, make_answer, make_offer
from voip_engine.sdp.plan import CodecName, HostPort, MediaDirection, MediaPlan, SrtpPolicy
from voip_engine.snapshots import Holder


@dataclass(frozen=True, slots=True)
class _EarlyAgreement:
    """What one branch of a call of ours has agreed on with us, by an offer of its own, before anybody took the call."""

    described: SessionDescription
    plan: MediaPlan
    held_by_them: bool


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
        self._alternative: SessionDescription | None = None
        self._described: SessionDescription | None = None
        self._agreed: SessionDescription | None = None
        self._early: dict[str, _EarlyAgreement] = {}
        self._held = self._wants_hold = self._held_by_them = False
        self._agreed_codecs = codecs
        self.local = local
        self.plan: MediaPlan | None = None

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours is out."""
        return self._offer is not None

    @property
    def held_by(self) -> Holder:
        """Who holds the call."""
        if self._held:
            return Holder.BOTH if self._held_by_them else Holder.US
        return Holder.THEM if self._held_by_them else Holder.NOBODY

    def offer(self, *, hold: bool | None = None, codecs: tuple[CodecName, ...] | None = None) -> bytes:
        """Return an offer: to hold or to resume, of other codecs, or of what stands, as far as an offer that is out asks."""
        if hold is not None:
            self._wants_hold = hold
        if codecs is not None:
            self._media = replace(self._media, codecs=codecs)
        # RFC 3264 §8.4: a stream that they hold already is held from both sides when it is inactive.
        held: MediaDirection = "inactive" if self._held_by_them else "sendonly"
        self._offer = self._described = make_offer(
            self._facing(held if self._wants_hold else "sendrecv"), self._described
        )
        self._next_version()
        return self._offer.serialize()

    def move(self, local: HostPort, rtcp_port: int | None) -> None:
        """Name another address of ours from the next description on; the arguments are those of the constructor."""
        self._media = replace(self._media, host=local.host, port=local.port, rtcp_port=rtcp_port)
        self.local = local

    def alternative(self) -> bytes | None:
        """Return the first offer as one of encrypted audio alone, for phones that refuse what lets them choose.

        None where the policy leaves nothing else to offer. It counts once `alternative_offered` is told.
        """
        if self._media.srtp != "offered" or self._offer is None:
            return None
        self._alternative = make_offer(replace(self._media, srtp="required"))
        return self._alternative.serialize()

    def alternative_offered(self) -> None:
        """Take word that the alternative has gone out in the place of the first offer, which was refused."""
        self._offer = self._described = self._alternative
        self.plan = None  # an early answer was to the first one
        self._early.clear()
        self._next_version()

    def answer(self, offer: bytes, *, early_branch: str | None = None) -> bytes:
        """Answer a peer's offer; its plan is in force from now on.

        `early_branch` names the branch of a call of ours that makes it before anybody has taken the call.
        """
        ours = self._facing("sendonly" if self._held else "sendrecv")
        self._described, self.plan = make_answer(SessionDescription.parse(offer), ours)
        self._agreed = self._described
        self._held_by_them = not _sends(self.plan.direction)
        if early_branch is not None:
            self._early[early_branch] = _EarlyAgreement(self._described, self.plan, self._held_by_them)
        self._next_version()
        return self._described.serialize()

    def take_answer(self, answer: bytes, *, final: bool = True) -> None:
        """Take the answer to our offer, or to our last description once more, which confirms a call.

        A provisional response's answer is not `final`: the 2xx may repeat it, or come from elsewhere.
        """
        described = self._offer or self._described
        if described is None:
            return
        self.plan = accept_answer(described, SessionDescription.parse(answer), self._media.srtp)
        self._described = described
        if _offers_to_send(described):
            # Where we do not offer to send, the answer does not tell whether they would take it.
            self._held_by_them = not _sends(self.plan.direction)
        if final:
            self._settle()

    def go_back_to(self, early_branch: str) -> bool:
        """Take for agreed what the branch that takes the call offered us last, and we answered; False where it did not."""
        early = self._early.get(early_branch)
        if early is None:
            return False
        self._described, self.plan, self._held_by_them = early.described, early.plan, early.held_by_them
        self._settle()
        return True

    def _settle(self) -> None:
        self._offer = None
        self._early.clear()
        self._agreed = self._described
        self._held = self._wants_hold
        self._agreed_codecs = self._media.codecs

    def drop_offer(self) -> None:
        """Forget an offer that was refused, and what it asked for."""
        self._offer = None
        self._described = self._agreed  # the next refresh repeats that, and its answer is one to that
        self._wants_hold = self._held
        self._media = replace(self._media, codecs=self._agreed_codecs)

    def _facing(self, direction: MediaDirection) -> LocalMedia:
        return replace(self._media, direction=direction)

    def _next_version(self) -> None:
        self._media = replace(self._media, session_version=self._media.session_version + 1)


def _sends(direction: MediaDirection) -> bool:
    return direction in ("sendrecv", "sendonly")


def _offers_to_send(described: SessionDescription) -> bool:
    """Whether a description of ours, which always says its direction, lets us send."""
    directions = {attribute.name for section in described.media if section.port for attribute in section.attributes}
    return not directions & {"recvonly", "inactive"}
