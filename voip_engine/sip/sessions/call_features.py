"""The core's commands for what a call's dialog carries besides the call: transfers and keys. And who speaks in it."""

from __future__ import annotations

from voip_engine.sip.effects import Effect
from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.sessions.session import SessionStateError
from voip_engine.sip.sessions.session_features import SessionFeatures
from voip_engine.sip.sessions.session_index import SessionIndex


class CallFeatures:
    """Commands on sessions by name. Those on a session that has ended do nothing: its `SessionEnded` was told before."""

    def __init__(self, endpoint: Endpoint, sessions: SessionIndex) -> None:
        self._endpoint = endpoint
        self._sessions = sessions

    def refer(self, session: str, target: SipUri, now: float) -> list[Effect]:
        """Send the other side on to `target` (RFC 3515), told of as `ReferralProgressed`. Raises SessionStateError."""
        if (features := self._of(session)) is not None and not features.refer(target, None, now):
            raise SessionStateError("This call cannot be transferred: it is not up, or is being transferred already.")
        return self._endpoint.take_effects()

    def refer_to_session(self, session: str, other: str, now: float, *, target: SipUri | None = None) -> list[Effect]:
        """Join the other sides of two calls (RFC 5589 §7): have one take our place in the other (RFC 3891).

        `target` is where the other one is reached, if not where its dialog says. Raises SessionStateError.
        """
        features, known = self._of(session), self._of(other)
        if features is not None and known is not None:
            replaceable = known.replaceable()
            if replaceable is None or not features.refer(target or replaceable[1], replaceable[0], now):
                raise SessionStateError("These calls cannot be joined: both have to be up, and not being transferred.")
        return self._endpoint.take_effects()

    def reached_at(self, session: str) -> SipUri | None:
        """Return where `refer_to_session` sends others to reach a session's other side; None before the call is up."""
        replaceable = known.replaceable() if (known := self._of(session)) is not None else None
        return replaceable[1] if replaceable is not None else None

    def accept_referral(self, session: str, referral: int, now: float) -> list[Effect]:
        """Agree to call whom a `SessionReferred` names."""
        if (features := self._of(session)) is not None and (known := features.their_referral(referral)) is not None:
            known.accept(now)
        return self._endpoint.take_effects()

    def reject_referral(self, session: str, referral: int, status: int, now: float) -> list[Effect]:
        """Refuse to."""
        if (features := self._of(session)) is not None and (known := features.their_referral(referral)) is not None:
            known.reject(status, now)
        return self._endpoint.take_effects()

    def tell_referral(self, session: str, referral: int, status: int, now: float) -> list[Effect]:
        """Tell how that call goes; a final status is the last word."""
        if (features := self._of(session)) is not None and (known := features.their_referral(referral)) is not None:
            known.tell(status, status >= 200, now)
        return self._endpoint.take_effects()

    def takes_info(self, session: str) -> bool:
        """Whether the other side, as far as it says, takes INFO."""
        features = self._of(session)
        return features is not None and features.takes_info

    def press(self, session: str, key: str, duration_ms: int, now: float) -> list[Effect]:
        """Send a key by INFO, told of as `SessionDigitSent`. Raises SessionStateError."""
        if (features := self._of(session)) is not None and not features.press(key, duration_ms, now):
            raise SessionStateError("Keys cannot be pressed yet: the call is not up.")
        return self._endpoint.take_effects()

    def parties(self, session: str) -> tuple[str, ...]:
        """Return the hosts, addresses or names, that have a part in a session; none for one that is not known."""
        known = self._sessions.get(session)
        return known.parties if known is not None else ()

    def _of(self, session: str) -> SessionFeatures | None:
        known = self._sessions.get(session)
        return None if known is None else known.features
